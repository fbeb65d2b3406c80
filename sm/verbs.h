#pragma once

/* Control verbs of sm (DESIGN.md 8). */

#include "ctl.h"

extern const struct ctl_verb sm_verbs[];

/* ---- what the files of verbs share ---- */
struct jid;
struct sm;
/* A bare JID of ours. ZE_BAD_JID, ZE_NOT_FOUND: no domain of ours, ZE_NO_ROUTE: another sm's. */
enum zerr verb_account(struct sm *sm, const char *raw_jid, struct jid *out);
/* The same, of an account that exists: else ZE_NOT_FOUND. */
enum zerr verb_existing(struct sm *sm, const char *raw_jid, struct jid *out);
/* Finishes the reply with the JID, and logs `event`, when what was begun is committed. */
struct waiting_verb;
struct waiting_verb *verb_wait(struct ctl_reply *r, const struct jid *jid, const char *event);
void                 verb_done(void *waiting, enum zerr err);

/* verbs_clients.c: done of account_set_password, and its argument */
struct password_verb;
struct password_verb *verb_password(struct sm *sm, struct ctl_reply *r, const struct jid *jid);
void                  verb_password_done(void *password_verb, enum zerr err);
int verb_clients(void *sm, int argc, char **argv, struct ctl_reply *r);
int verb_revoke(void *sm, int argc, char **argv, struct ctl_reply *r);

/* verbs_accounts.c */
int verb_disable(void *sm, int argc, char **argv, struct ctl_reply *r);
int verb_enable(void *sm, int argc, char **argv, struct ctl_reply *r);
int verb_users(void *sm, int argc, char **argv, struct ctl_reply *r);
int verb_counts(void *sm, int argc, char **argv, struct ctl_reply *r);
int verb_user(void *sm, int argc, char **argv, struct ctl_reply *r);
int verb_roster(void *sm, int argc, char **argv, struct ctl_reply *r);
int verb_admins(void *sm, int argc, char **argv, struct ctl_reply *r);

/* verbs_archive.c */
int verb_archive(void *self, int argc, char **argv, struct ctl_reply *r);
