#pragma once

/* Takes a directory of a test away, with all that is in it. */

#include <ftw.h>
#include <stdio.h>

__attribute__((unused)) static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    return remove(path);
}

__attribute__((unused)) static int remove_tree(const char *path)
{
    return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
