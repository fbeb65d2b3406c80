#pragma once

/* The control socket (DESIGN.md 8): one request line in, text lines out, last line `ok` or
 * `error <code> <reason>`. `--json` before the verb gives one object a line (the last line stays as
 * it is). Arguments are separated by blanks; "..." quotes with \" and \\ inside. A line over 8 KiB
 * is refused. Access by SO_PEERCRED: root, the daemon's own user, members of server.admin_group.
 * Verbs are rows; `help` and docs/control.md are printed from them. */

#include "buf.h"
#include "err.h"
#include "loop.h"
#include "slice.h"

struct ctl_reply;

struct ctl_verb {
    const char *name;
    const char *args;      /* "JID [REASON]", "" for none */
    const char *help;      /* one line */
    const char *fields;    /* JSON fields of one output object: "jid resource priority" */
    const char *errors;    /* codes it can give: "not_found conflict" */
    int         argc_min, argc_max;
    /* argv[0..argc-1] are the arguments, terminated UTF-8 without control bytes, good until the
     * request ends. Returns ZE_OK, an error, or LATER: then ctl_finish must be called once, now or
     * later. */
    int (*run)(void *daemon, int argc, char **argv, struct ctl_reply *r);
};

/* One output object: ctl_row, then its fields in the order of `fields`, and so on. As text it is
 * one line `field=value field=value`. With r NULL nothing happens: nobody asked (reload by SIGHUP). */
void ctl_row(struct ctl_reply *r);
void ctl_str(struct ctl_reply *r, const char *field, const char *value);
void ctl_slice(struct ctl_reply *r, const char *field, struct slice value);
void ctl_int(struct ctl_reply *r, const char *field, int64_t value);
void ctl_bool(struct ctl_reply *r, const char *field, bool value);
/* A reason of its own for the error about to be returned (else the text of the code). */
void ctl_reason(struct ctl_reply *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Ends a request whose run() said LATER. After it r is gone. If the asker hung up meanwhile the
 * answer is dropped, but r stays valid until this call. */
void ctl_finish(struct ctl_reply *r, int err);

/* Writes one argument of a request line, quoted when it must be. */
void ctl_quote(struct buf *out, const char *arg);

/* Runs a verb within this process, for who does by another way what an operator does (its words are copied and
 * may have any text but NUL). `answered` is called once, perhaps before this returns: `rows` is what --json
 * would have said, one object a line, borrowed; `reason` is good for the call. */
typedef void ctl_answered(void *arg, struct slice rows, enum zerr err, const char *reason);
void ctl_run(const struct ctl_verb *verbs, void *daemon, int argc, char *const *argv, ctl_answered *answered,
             void *arg);

struct ctl_server;
/* Listens on `path` (mode 0660, stale file replaced; a path over 107 bytes is refused). `tables`:
 * NULL-ended list of verb arrays, each ended by { 0 }; `daemon` is handed to run(). `help` is
 * answered here, from the rows. At most 64 askers at once; one who sends half a line, or does not read, for 30 s is cut
 * off. NULL: logged why. */
struct ctl_server *ctl_listen(struct loop *loop, const char *path, const char *admin_group,
                              const struct ctl_verb *const *tables, void *daemon);
void               ctl_close(struct ctl_server **server);

/* Prints rows as a section of docs/control.md to stdout. */
void ctl_print_docs(const char *daemon_name, const struct ctl_verb *const *tables);
