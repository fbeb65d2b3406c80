/* Directories of the environments (directory.h). */

#include "directory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "mem.h"

bool directory_make_above(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash || slash == path)
        return true;
    char *above = xstrndup(slice_of(path, (size_t)(slash - path)));
    bool  made = directory_make(above);
    free(above);
    return made;
}

bool directory_make(const char *path)
{
    char *copy = xstrdup(path);
    bool  made = true;

    for (char *slash = copy + 1; made; slash++) {
        if (*slash != '/' && *slash != '\0')
            continue;
        char at = *slash;
        *slash = '\0';
        made = mkdir(copy, 0700) == 0 || errno == EEXIST;
        *slash = at;
        if (at == '\0')
            break;
    }
    free(copy);
    return made;
}
