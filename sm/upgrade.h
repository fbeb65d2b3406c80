#pragma once

/* XEP-0480: an account that lacks the keys of a SCRAM mechanism gets them from its client, which has just
 * proven the password by another one. Keys are added, never replaced. */

#include "login.h"
#include "sm.h"

struct upgrade;

/* The first one that the client asked for and the account needs; NULL: none, or this instance does not own the
 * account. start: with the inlines. */
struct upgrade *upgrade_next(struct sm *sm, const struct auth_start *start, struct slice jid);
void            upgrade_free(struct upgrade **u);
/* Its task: "UPGR-SCRAM-SHA-256". */
const char *upgrade_task(const struct upgrade *u);
/* <next/>: appends what <task-data/> holds, salt and iterations. False: another task, or begun before. */
bool upgrade_begin(struct upgrade *u, struct slice task, struct buf *content);
/* What the client's <task-data/> holds: its keys go into the batch. False: malformed, or not begun. */
bool upgrade_finish(struct upgrade *u, struct sm *sm, struct slice content, struct store_batch *batch);
