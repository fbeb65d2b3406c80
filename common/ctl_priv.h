#pragma once

/* What the parts of ctl share: the socket (ctl_listen.c), a connection (ctl.c), a request, its words, its answer. */

#include <jansson.h>
#include <sys/un.h>
#include <uv.h>

#include "ctl.h"
#include "list.h"

enum { CTL_LINE_MAX = 8192, CTL_WORDS_MAX = 64, CTL_ANSWER_MAX = 64 << 20 };

struct ctl_server {
    uv_pipe_t                     listener;
    struct loop                  *loop;
    struct list                   askers;
    unsigned                      asker_count;
    char                          path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char                         *admin_group;
    const struct ctl_verb *const *tables;
    void                         *daemon;
};

/* One connection. Freed when libuv has closed it. */
struct ctl_asker {
    struct list        link;
    struct ctl_server *server;      /* NULL: closed */
    uv_pipe_t          pipe;
    uv_write_t         write;
    struct buf         in, out, sending;
    struct timer       patience;
    size_t             unsent;      /* at the last look of `patience` */
    struct ctl_reply  *request;     /* being worked on */
    bool               ended;       /* it sends no more: close after the last answer */
    bool               serving;
    unsigned           quiet;       /* looks of `patience` since it last sent something */
    uint8_t            chunk[CTL_LINE_MAX];
};

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

/* One who has come to the listener and is to be accepted. */
struct ctl_asker *ctl_asker_new(struct ctl_server *server);
/* Takes what has come of its lines. */
void ctl_serve(struct ctl_asker *a);
/* An error, and the end once it is read. */
void ctl_refuse(struct ctl_asker *a, enum zerr why, const char *text);
/* The end, at once. */
void ctl_hang_up(struct ctl_asker *a);
