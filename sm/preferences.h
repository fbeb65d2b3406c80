#pragma once

/* What an account wants archived (XEP-0441), and how long its archive is kept.
 *
 * T_PREFERENCE  slot, owner -> u8 format 2, u8 enum preference_default, u32 days + 1 (0: as the domain says),
 *               u32 wish + 1 (not in format 1), u32 count and as many sized JIDs: always; the same: never */

#include "feature.h"

enum preference_default { PREFER_DOMAIN, PREFER_ALWAYS, PREFER_NEVER, PREFER_ROSTER, PREFER_COUNT };

enum { DAYS_OF_DOMAIN = -1, DAYS_MOST = 36500 };

struct preferences {
    enum preference_default fallback;  /* for whom neither list names */
    long         days;                 /* what the operator said of this account; 0: for ever; DAYS_OF_DOMAIN */
    long         wish;                 /* what its owner wants, which counts where it is less; DAYS_OF_DOMAIN: nothing */
    struct slice always, never;        /* sized canonical JIDs */
    uint32_t     always_count, never_count;
};

/* Without a row, or with one that cannot be read (logged): as the domain says. Slices borrow from the view. */
void preferences_read(struct sm *sm, struct store_view *view, struct slice owner, struct preferences *out);
void preferences_put(struct outcome *o, struct sm *sm, struct slice owner, const struct preferences *p);
const char *preference_text(unsigned value);       /* "always", "never", "roster" */
/* What counts for whom neither list names: never PREFER_DOMAIN. */
enum preference_default preferences_default(const struct sm *sm, struct slice owner, const struct preferences *p);

/* 2.2: what the lists say of a JID: +1 always, -1 never, 0 nothing. A full JID in a list counts before a bare
 * one; of two that are alike, never. Pure. */
int  preferences_match(const struct preferences *p, struct slice jid);
/* True: messages of `owner` to or from that JID are archived. */
bool preferences_allow(struct sm *sm, struct slice owner, struct slice jid);
/* Days that messages of `owner` stay in his archive; 0: for ever. */
long preferences_days(struct sm *sm, struct slice owner);
/* The same when its owner wishes nothing. *wish (may be NULL): what he wishes. */
long preferences_days_granted(struct sm *sm, struct slice owner, long *wish);
/* The same for who says nothing. */
long preferences_domain_days(const struct sm *sm, struct slice domain);
