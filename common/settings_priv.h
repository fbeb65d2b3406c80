#pragma once

/* What the parts of settings share: the rows as tables, the checks of values, the list of faults. */

#include "mem.h"
#include "settings.h"

enum setting_type { SETTING_INT, SETTING_BOOL, SETTING_STR, SETTING_LIST };

struct setting {
    enum setting_type type;
    const char       *name, *def;        /* the default as one would write it in --set */
    long              min, max;
    const char       *unit, *help;
    size_t            offset;            /* in the struct of a titled section, else in struct settings */
};

struct settings_section {
    const char           *name;          /* "" for the top level */
    const char           *example;       /* title in the printed example; NULL: a section without title */
    const struct setting *rows;
    size_t                count;
    size_t                items, items_count, item_size;     /* titled: offsets in struct settings */
};

enum { SETTINGS_SECTIONS = 10 };
extern const struct settings_section settings_sections[SETTINGS_SECTIONS];

/* The struct handed out, and what it borrows from. */
struct settings_held {
    struct settings s;
    struct arena   *arena;
    const char    **instances;
    size_t          instance_count;
};

/* NULL: not one of ours. */
const struct settings_section *settings_section(const char *name);
const struct setting          *settings_row(const struct settings_section *section, const char *name);
/* Where the rows' offsets of that section begin; `title` NULL when it has none. NULL: no such title. */
void *settings_base(struct settings *s, const struct settings_section *section, const char *title);
/* Appends a section of that title with every row at its default. Pointers to its sisters change. */
void *settings_add(struct settings_held *held, const struct settings_section *section, const char *title);

/* ---- settings_value.c ---- */
/* NULL when `value` (one item of a LIST) fits the row, else what was expected; good until the next call. */
const char *setting_fault(const struct setting *row, const char *value);
/* What is wrong with a domain's name, or NULL. */
const char *domain_fault(const char *name);
/* Writes a checked value into its member; strings are copied into the arena. */
void setting_store(struct arena *arena, void *base, const struct setting *row, const char *value);
/* Empties a list / adds one checked item to it. */
void setting_list_clear(void *base, const struct setting *row);
void setting_list_add(struct arena *arena, void *base, const struct setting *row, const char *item);
/* A value as --set takes it: a list is split at its commas. Unchecked. */
void setting_store_text(struct arena *arena, void *base, const struct setting *row, const char *text);

/* ---- settings_fault.c ---- */
struct settings_faults {
    struct arena *arena;
    struct settings_fault {
        int         line;         /* 0: of the whole; negative: of the command line */
        const char *text;
    }     *fault;
    size_t count;
};

/* Keeps one fault; the same text on the same line is kept once. */
void settings_fault(struct settings_faults *faults, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Prints them by line, `path:line: text`, to stderr. */
void settings_faults_print(struct settings_faults *faults, const char *path);
/* "; did you mean "x"?" when a known key of the section (or, at the top, a section) is near, or the
 * section where that very key belongs; else "". */
const char *settings_hint(struct arena *arena, const struct settings_section *section, const char *key);
/* Edits between two words (Levenshtein). */
unsigned settings_distance(const char *a, const char *b);
