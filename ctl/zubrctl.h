#pragma once

/* zubrctl: which daemons there are, one question to one of them, many questions as one answer. */

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/* Exit status of the program (DESIGN.md 8). */
enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_NOT_THERE = 3 };

enum { ANSWER_MS = 60000, STATUS_MS = 5000 };

/* ---- instances.c ---- */
struct instance {
    char *name;         /* "sm-1" */
    char *role;         /* "sm" */
    char *path;         /* of its control socket */
};

/* Those of the configuration, in its order, and those that have a socket. */
struct instances {
    struct instance *item;
    size_t           count;
};

/* `dir`: of a development instance, or NULL for the system's. */
void                   instances_find(struct instances *all, const char *dir);
void                   instances_free(struct instances *all);
const struct instance *instances_named(const struct instances *all, const char *name);

/* ---- ask.c ---- */
struct answer {
    bool    reached;    /* it answered, be it an error */
    json_t *rows;       /* array of objects */
    char   *code;       /* NULL: ok */
    char   *reason;
};

/* Sends one request line (without its end) and reads the answer. `quiet_ms`: patience between bytes. */
void ask(const struct instance *whom, const char *line, int quiet_ms, struct answer *out);
void answer_free(struct answer *a);
/* "--json VERB ARG...", quoted; the caller frees it (and wipes it, when it carries a password). */
char *request_line(const char *verb, int argc, char *const *argv);

/* ---- forward.c ---- */
struct verb;

/* One run of the program. */
struct call {
    const struct verb *verb;
    const char        *name;               /* the verb as typed */
    int                argc;
    char             **argv;               /* its arguments */
    bool               json;
    const char        *in, *message;       /* --in, --message */
    const char        *instance;           /* --instance, or NULL */
    struct instances   all;
};

/* Options that not every verb has. */
enum takes { TAKES_IN = 1, TAKES_MESSAGE = 2 };

struct verb {
    const char *name;
    const char *roles;      /* "sm", "c2sd s2sd"; NULL: every daemon */
    const char *args, *help;
    int         argc_min, argc_max;
    int (*run)(struct call *call);
    bool        quiet;      /* says nothing when done */
    unsigned    takes;      /* enum takes */
};

bool verb_is_for(const struct verb *verb, const char *role);
/* Asks every daemon of the verb's roles (or the one named) and prints what they say as one answer. */
int forward(struct call *call);
/* The same; the last argument may name the one instance to ask. */
int forward_to_named(struct call *call);
int forward_drain(struct call *call);
int show_status(struct call *call);

/* ---- password.c ---- */
int register_account(struct call *call);
int change_password(struct call *call);

/* ---- stop.c ---- */
int stop_daemons(struct call *call);
int restart_daemons(struct call *call);
/* "90", "90s", "5m", "2h"; -1: none of these, or over a day. */
long seconds_of(const char *text);

/* ---- print.c ---- */
/* Rows as a table, or with `json` as one object a line. */
void print_rows(json_t *rows, bool json);
