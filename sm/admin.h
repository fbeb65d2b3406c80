#pragma once

/* XEP-0133 Service Administration: each command is a row that says its form, which control verb does it, where
 * that runs (errand.h), and how the rows it answers become the result. The verbs are those of zubrctl. Only
 * an account of this host that the setting `admins` of the asked domain names may execute them, for accounts
 * of that domain. What concerns all domains only an administrator of all of them may do. */

#include <jansson.h>

#include "commands.h"

/* Where the verb runs: in the owner of the JID that is its first argument, of the domain, in every sm, in routerd. */
enum admin_place { AT_OWNER, AT_DOMAIN, AT_ALL, AT_ROUTER };

struct admin_field {
    const char *var;                     /* NULL ends the rows */
    const char *type, *label;
    bool        optional;
    bool        filled;                  /* with what is set now (a notice of that name) */
    const char *const *options;          /* of a list-single: value and label by turns, NULL-ended */
    const char *usual;                   /* of it, and what an empty one means */
};

struct admin_job;

struct admin_spec {
    const char               *instructions;
    const struct admin_field *fields;    /* NULL: no form */
    /* NULL-ended: "$var" the value of a field, "@" the domain, "*var" once for each of its values, else as it
     * stands. `second`: another verb asked besides. */
    const char *const        *words, *const *second;
    enum admin_place          where;
    void                    (*report)(struct xml_writer *w, const struct admin_job *job);      /* NULL: nothing */
    const char               *var, *column;     /* for it: the field of the result, the column of the rows */
};

/* An execution under way: what the instances said so far. */
struct admin_job {
    struct sm               *sm;
    struct command_later    *later;
    const struct admin_spec *spec;
    json_t                  *rows;
    struct buf               failures;   /* one a line */
    char                    *reason;     /* of the first failure, and its error */
    enum zerr                err;
    unsigned                 asked, waiting, failed;
    size_t                   most;       /* rows of a list to be shown */
};

/* ---- admin_job.c ---- */
/* Asks whoever `spec` says. ZE_BAD_REQUEST: the form; LATER. */
int admin_job_start(const struct command_call *call, const struct admin_spec *spec);
/* Of a submitted form, in the arena. All values of a text-multi are its lines. False: it is not filled in. */
bool admin_value(struct arena *arena, const struct element *form, const struct admin_field *field, struct slice *out);

/* ---- admin_report.c ---- */
void admin_report_sum(struct xml_writer *w, const struct admin_job *job);
void admin_report_list(struct xml_writer *w, const struct admin_job *job);
void admin_report_roster(struct xml_writer *w, const struct admin_job *job);
void admin_report_login(struct xml_writer *w, const struct admin_job *job);
void admin_report_user(struct xml_writer *w, const struct admin_job *job);
