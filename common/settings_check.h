#pragma once

/* From what the file says to complete settings: default rooms, overrides, and what sections must
 * not say together. */

#include "settings_priv.h"

/* Where sections began; the title is "" where there is none. */
struct settings_begins {
    struct arena *arena;
    struct settings_begin {
        const struct settings_section *section;
        const char                    *title;
        int                            line;
    }     *item;
    size_t count;
};

void settings_begin_add(struct settings_begins *begins, const struct settings_section *section,
                        const char *title, int line);
/* 0: never begun. */
int settings_begin_line(const struct settings_begins *begins, const struct settings_section *section,
                        const char *title);
/* Adds to `faults` whatever is wrong; `overrides` as in settings_load. */
void settings_complete(struct settings_held *held, struct settings_faults *faults,
                       const struct settings_begins *begins, const char *const *overrides);
