#pragma once

/* In-band registration (XEP-0077) and the end of accounts. */

#include "account.h"
#include "feature.h"

/* Registrations by client address. */
struct throttle;
struct throttle *throttle_new(void);
void             throttle_free(struct throttle **t);
/* Takes one; false: too many within the hour. per_hour 0: no limit. */
bool             throttle_take(struct throttle *t, struct slice whose, uint64_t now_ms, long per_hour);

/* Frame handlers: registration before login, and the answer of another sm that owns the account. */
void on_register(void *sm, const struct frame *f);
void on_registered(void *sm, const struct frame *f);

/* Gives p->owner a new password; whoever has a session but p->session is out. `done` as of account_set_password: later. */
void register_set_password(struct passage *p, struct slice password, account_done *done, void *arg);
/* Adds the removal of p->owner to p->out: sessions end, contacts are told, every feature's rows go. */
void register_remove_account(struct passage *p);
