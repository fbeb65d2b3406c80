#pragma once

/* The archive of an account as messages pass (XEP-0313, 0359): forged ids out, one record a message, our id
 * into what its sessions get. What is stored: proto/archive_rules.c. */

#include "feature.h"
#include "ledger.h"

/* A message of the incoming pass that is stored; for an account that does not exist one that would be, so that all
 * that is asked of it has the answers of one that does. Its record is appended when it is known that it is accepted
 * and whether somebody was there: the views are written once. */
struct archive_note {
    struct store_view   *view;
    struct ledger        ledger;
    struct ledger_record record;       /* id and content are those for the ledger, without our stanza-id; no view:
                                          it is noted for what it retracts (retraction.h) */
    bool                 offline;      /* may wait */
    bool                 done;         /* appended already (offline.c) */
    const struct stanza *original;     /* p->stanza as it came: no error reply shows our id */
};

/* The end of the incoming pass: stores what is noted, unless `did` is an error. Returns did, or the error. */
int archive_settle(struct passage *p, int did);
/* What a sender claims in our name is taken out: ids of archives of our accounts (XEP-0359 3.2), and that one of
 * our servers has held it up (XEP-0203 5). The new content is in the arena. */
void archive_unforge(struct sm *sm, struct stanza *s);
/* Limits of the offline view, from the settings. */
struct ledger_limits archive_limits(const struct sm *sm);
/* The id of the record that a stanza for one of our sessions is a copy of, when it was archived:
 * ZE_NOT_FOUND when not. owner: bare JID of the account. */
enum zerr archive_id_of(const struct stanza *s, struct slice owner, struct ledger_id *id);
/* The mark of p->owner (ledger.h), once a minute, in the batch of p->out: all that is older than a minute and than
 * what its sessions have not acknowledged is delivered, or waits. (c2sd confirms within moments; one that
 * does not is lost after ten seconds, and what it had comes back.) */
void archive_mark(struct passage *p, struct ledger *l, uint64_t now_us);
/* At the start, when live memory was void (a power cut): incoming records from before, behind the mark, may
 * have reached nobody (ledger.h). Kept in the store until the next time. */
void archive_cold_start(struct sm *sm, uint64_t now_us);
/* Time of the last such start of this instance; 0: never. */
uint64_t archive_cold_us(const struct sm *sm, struct store_view *view);
