#pragma once

#include <stdbool.h>

/* Makes the directory and those above it (mode 0700). False: errno says why. */
bool directory_make(const char *path);
/* The same for those above the last part of the path. */
bool directory_make_above(const char *path);
