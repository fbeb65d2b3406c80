#pragma once

/* What the parts of ctl share: a request, its words, its answer. */

#include <jansson.h>

#include "ctl.h"

enum { CTL_LINE_MAX = 8192, CTL_WORDS_MAX = 64, CTL_ANSWER_MAX = 64 << 20 };

struct ctl_asker;

struct ctl_reply {
    struct ctl_asker *asker;        /* NULL: hung up, or ctl_run asked */
    ctl_answered     *answered;     /* of ctl_run, or NULL */
    void             *arg;
    bool              json;
    bool              running;      /* inside run() */
    bool              finished;     /* ctl_finish came while running */
    int               err;
    struct buf        text;         /* lines so far */
    json_t           *object;       /* the row being filled with --json */
    bool              row_open, too_long;
    char              reason[256];
    char             *words;        /* what argv points into */
    size_t            words_len;
};

/* Splits a line (terminated, without its newline) in place. Returns how many words, or ZE_BAD_REQUEST:
 * open quotes, control bytes, no UTF-8, too many words. */
int ctl_split(char *line, char *words[CTL_WORDS_MAX]);

/* Ends the row being filled. */
void ctl_row_end(struct ctl_reply *r);
/* A line that is only for the text form. */
void ctl_line(struct ctl_reply *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The last line: ok, or error <code> <reason>. */
void ctl_last_line(struct ctl_reply *r, int err);
/* The verb `help` itself. */
void ctl_help(struct ctl_reply *r, const struct ctl_verb *const *tables);
/* NULL: no such verb. */
const struct ctl_verb *ctl_find(const struct ctl_verb *const *tables, const char *name);
