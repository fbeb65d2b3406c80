#pragma once

/* XEP-0050 Ad-Hoc Commands of the server and of accounts. A feature has commands as rows (feature.h); here they
 * are listed, executed, and their sessions kept: from the form until it is submitted, cancelled or too old. A
 * session is its requester's alone; it is not kept over a restart (a client then begins again).
 *
 * A command has one form, or none. What it answers besides is its functions' business. */

#include "data_form.h"
#include "feature.h"

/* One execution. `w` is inside <command/>. */
struct command_call {
    struct iq            *iq;
    const struct command *command;
    const struct element *form;         /* as submitted; NULL: it has no form */
    const char           *session;
    struct xml_writer    *w;
};

struct command {
    const char *node, *name;            /* node NULL ends the rows */
    unsigned    targets;                /* TO_SERVER, TO_OWN_ACCOUNT */
    const char *form_type;              /* of what is submitted */
    bool      (*may)(const struct iq *iq);
    /* Writes the form; NULL: it is executed at once. */
    void      (*ask)(struct command_call *call);
    /* ZE_OK: completed, what it says is written. LATER: command_defer was called. ZE_BAD_REQUEST: the form is
     * not filled in rightly, and may be submitted again; any other error ends the session. */
    int       (*run)(struct command_call *call);
    const void *with;                   /* its own */
};

void command_note(struct xml_writer *w, const char *type, const char *text);      /* "info", "warn", "error" */

/* An execution whose end comes after the dispatch: one of the two below, once. */
struct command_later;
struct command_later *command_defer(const struct command_call *call);
typedef void command_write(struct xml_writer *w, void *arg);
void command_complete(struct command_later **later, command_write *write, void *arg);
void command_fail(struct command_later **later, enum zerr err, const char *text);

/* Records the completed answer now, for one that ends what it would be told by: run() then returns LATER. */
void command_complete_now(const struct command_call *call, command_write *write, void *arg);

/* Their sessions, of one sm. */
struct commands;
struct commands *commands_new(void);
void             commands_free(struct commands **c);
