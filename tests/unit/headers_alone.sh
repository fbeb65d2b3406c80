#!/bin/sh
# Each header compiles alone, and with no more on its include path than its folder and those below it:
# common/ sees common, proto/ sees proto and common, a daemon sees its own folder and both.
# Usage: headers_alone.sh SOURCE_ROOT CC [CFLAGS...]; prints TAP.
root=$1
shift
n=0
failed=0
log=$(mktemp)
compiler=$*
check_folder() {
    folder=$1
    includes=$2
    for header in "$root/$folder"/*.h; do
        [ -e "$header" ] || continue
        n=$((n + 1))
        # shellcheck disable=SC2086
        if printf '#include "%s"\n' "${header##*/}" | $compiler -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror \
            -fsyntax-only $includes -x c - 2>"$log"; then
            echo "ok $n - $folder/${header##*/}"
        else
            echo "not ok $n - $folder/${header##*/}"
            sed 's/^/# /' "$log"
            failed=1
        fi
    done
}
below="-I$root/common"
check_folder common "$below"
check_folder proto "-I$root/proto $below"
for daemon in routerd c2sd s2sd sm muc; do
    check_folder "$daemon" "-I$root/$daemon -I$root/proto $below"
done
echo "1..$n"
rm -f "$log"
exit $failed
