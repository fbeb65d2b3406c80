#pragma once

/* docs/xeps.def as a table, for what prints it and for what checks it. */

enum status { COMPLETE, PARTIAL, PLANNED };

/* A row: the strings are those of docs/xeps.def, "" where there is nothing to say. */
struct xep {
    const char *number, *title, *version;
    enum status status;
    const char *where, *file, *test, *note;
};

static const struct xep xeps[] = {
#define XEP(number, title, version, status, where, file, test, note) \
    { number, title, version, status, where, file, test, note },
#include "xeps.def"
#undef XEP
};

enum { XEPS = sizeof(xeps) / sizeof(xeps[0]) };
