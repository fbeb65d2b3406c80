#pragma once

/* Texts of a domain for its users (XEP-0133 4.23-4.27): the message of the day, told to each account once until
 * it is changed or deleted, and the welcome, told to accounts made since there is one, once. From the domain,
 * as a message of type normal, when a session becomes receptive; what that session does not acknowledge goes
 * its usual way. */

#include "ctl.h"
#include "feature.h"

enum notice { NOTICE_MOTD, NOTICE_WELCOME, NOTICE_COUNT };

/* In the arena; p == NULL: there is none. */
struct slice notice_text(struct sm *sm, struct slice domain, enum notice notice);
/* At the first route table: sessions that an earlier process left are told what it had not told them yet. */
void notices_begin(struct sm *sm);
/* AFTER_NOTICE_SET (afters.h). */
after_fn notices_set;

/* Control verbs (verbs.h). Texts of a domain are written by the owner of its slot. */
int verb_motd(void *sm, int argc, char **argv, struct ctl_reply *r);
int verb_motd_delete(void *sm, int argc, char **argv, struct ctl_reply *r);
int verb_motd_tell(void *sm, int argc, char **argv, struct ctl_reply *r);
int verb_welcome(void *sm, int argc, char **argv, struct ctl_reply *r);
int verb_welcome_delete(void *sm, int argc, char **argv, struct ctl_reply *r);
