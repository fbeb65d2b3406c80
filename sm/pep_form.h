#pragma once

/* Forms of XEP-0060 as tables: a row for each field of a struct says its name, what it takes and what it is when
 * nobody says anything. The same rows read and write forms (XEP-0004), compare, and keep what differs from the
 * defaults. Slices that were read borrow from what they were read from. */

#include <stddef.h>

#include "buf.h"
#include "cursor.h"
#include "element.h"
#include "err.h"
#include "xml_write.h"

enum { PEP_MAX = UINT32_MAX };         /* "max": as many as the server lets */

enum pep_field_kind {
    PEP_FLAG,                          /* bool */
    PEP_CHOICE,                        /* uint8_t, place in values */
    PEP_NUMBER,                        /* uint32_t from 1, or PEP_MAX */
    PEP_TEXT,                          /* struct slice */
    PEP_GROUPS,                        /* struct slice: each sized */
    PEP_DATE,                          /* uint64_t us; 0: none */
    PEP_FIXED,                         /* nothing is kept: only what values names is taken */
};

struct pep_field {
    uint8_t     number;                /* as it is stored; never given anew */
    uint8_t     kind;                  /* enum pep_field_kind */
    const char *var, *label;
    size_t      at;                    /* in the struct */
    const char *values[6];             /* PEP_CHOICE: all, the default first */
    const char *preset;                /* as in a form; NULL: nothing */
};

struct pep_form {
    const struct pep_field *rows;
    size_t                  count;
};

void pep_form_preset(const struct pep_form *f, void *at);
/* Reads what a submitted form (NULL: none) says over `at`, which keeps the rest. Fields that are no rows are ignored
 * (XEP-0004 3.2), or if `strict` refused: ZE_BAD_REQUEST. ZE_NOT_ACCEPTABLE: a value that a row does not take;
 * *refused is that row. */
enum zerr pep_form_read(const struct pep_form *f, struct arena *arena, const struct element *form, bool strict, void *at,
                        const struct pep_field **refused);
bool      pep_form_same(const struct pep_form *f, struct arena *arena, const void *a, const void *b);
/* The fields with their options (a form to fill in) or values alone (a result). */
void pep_form_write(const struct pep_form *f, struct xml_writer *w, struct arena *arena, const void *at, bool options);

/* As it is stored: u8 number of a row, sized value, for each value that is not the default. */
void pep_form_put(const struct pep_form *f, struct buf *out, struct arena *arena, const void *at);
/* Takes all that is left. False: unreadable. */
bool pep_form_take(const struct pep_form *f, struct cursor *cur, void *at);
