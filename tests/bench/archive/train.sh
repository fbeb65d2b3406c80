#!/bin/bash
# Makes the archive's dictionary from the training half of the corpus and prints it as proto/ledger_dictionary.h. Records
# name the dictionary they were packed with: a better one becomes number 2 beside this one, which stays.
#
#     tests/bench/archive/train.sh > proto/ledger_dictionary.h
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/samples"
python3 "$here/corpus.py" train 20000 "$work/samples"
zstd -q --train -r "$work/samples" --maxdict=8192 --dictID=1 -o "$work/dictionary"
echo '#pragma once'
echo
echo '/* Dictionary 1 of the archive (ledger_pack.c). Made by tests/bench/archive/train.sh; never changed, because'
echo ' * records are packed with it. */'
echo
echo 'static const unsigned char ledger_dictionary_1[] = {'
xxd -i < "$work/dictionary" | tr -d ' \n' | fold -w 100 | sed 's/^/    /'
echo
echo '};'
