#pragma once

/* Whom accounts block (XEP-0191).
 *
 * T_BLOCK  slot, owner NUL blocked JID -> u8 format 1, u64 when in microseconds
 *
 * An account that is online holds its list in memory once somebody asked for it, one without a list a
 * flag; of others the rows are looked up. */

#include "afters.h"
#include "sm.h"

struct table;
struct online;

/* May nothing pass between this account of ours (bare JID) and `jid`? Never true of its own resources
 * (XEP-0191 5) nor of its own server's bare domain, which answers for it. */
bool blocked(const struct sm *sm, struct slice owner, struct slice jid);
/* The same for one whose entry is at hand. */
bool blocked_for(const struct sm *sm, struct online *account, struct slice jid);
/* XEP-0191 6: does one of the JIDs in the table (values are not looked at) name `jid`? NULL: none. */
bool blocked_by(const struct table *list, struct slice jid);
/* From now on blocked() knows of it, while the row is on its way to the store. For an account that is online. */
void blocked_add(const struct sm *sm, struct slice owner, struct slice jid);
void blocked_remove(const struct sm *sm, struct slice owner, struct slice jid);
/* What is in memory may not be true any more: the rows are read again. */
void blocked_forget(const struct sm *sm, struct slice owner);
/* AFTER_BLOCKLIST_CHANGED (afters.h): when the commit failed, memory says what is not so. */
after_fn blocked_settled;

/* Rows of a batch. */
void blocked_put(struct sm *sm, struct store_batch *batch, struct slice owner, struct slice jid);
void blocked_delete(struct sm *sm, struct store_batch *batch, struct slice owner, struct slice jid);
/* Calls each() with every JID of the list, in the order of keys; stops at its first non-zero. */
int  blocked_each(struct sm *sm, struct store_view *view, struct slice owner,
                  int (*each)(void *arg, struct slice jid), void *arg);
