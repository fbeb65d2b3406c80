#pragma once

/* Who wants which notifications (XEP-0060 9.2, XEP-0163 4.3): what full JIDs say of themselves with
 * entity capabilities, XEP-0115 and XEP-0390.
 *
 * Sessions of this instance: what their last presence says; asked once for each verification string, from
 * the bare JID of their account. Contacts with sessions in this instance are looked up there. Of all other
 * contacts each available full JID is remembered with the accounts that have had its presence
 * (caps_contacts.c), within limits.caps_contacts and limits.caps_contact_resources, and in live memory: it
 * survives this process and moves with the slots.
 *
 * What was verified is kept for everybody, in memory (limits.caps_remembered) and, shared by all instances:
 * T_CAPS  slot 0, 64 hex digits of the SHA-256 of the key -> u8 format 1, u64 seconds of 1970, sized key, then
 *         the nodes (caps_hash.h). Its first two digits part it into 256 heaps of limits.caps_stored / 256;
 *         in a full one the oldest row goes. */

#include "cursor.h"
#include "feature.h"

struct caps;

void caps_start(struct sm *sm);
void caps_free(struct sm *sm);

/* The server's own, for the features of a stream: two <c/> elements (XEP-0115 6.3, XEP-0390 5.2). Borrowed until
 * caps_server_forget, which a reload of the settings calls. */
struct slice caps_server(struct sm *sm, struct slice domain);
void         caps_server_forget(struct sm *sm);

/* Does this session want notifications of that node? */
bool caps_wants(struct sm *sm, const struct session *s, struct slice node);

/* Calls each() for the available full JIDs of the owner's contacts with a subscription in both directions
 * (XEP-0163 4.1) that want notifications of that node. Not for the owner's own sessions. The JID lives until
 * the end of the dispatch. */
void caps_each_contact(struct sm *sm, struct slice owner, struct slice node,
                       void (*each)(void *arg, struct slice full_jid), void *arg);
/* The same for one contact: who has just become one. */
void caps_each_of_contact(struct sm *sm, struct slice owner, struct slice contact, struct slice node,
                          void (*each)(void *arg, struct slice full_jid), void *arg);

/* Presence without a type of p->session, before it is kept. `root`: its content, parsed. Afterwards the hook
 * caps_known of the features is called for whatever it wants now and did not want before. */
void caps_shown(struct passage *p, const struct element *root);
/* AFTER_PRESENCE_SHOWN (afters.h). */
after_fn caps_presence_shown;

/* Presence in a fan-out from another sm: begin, then for each account of ours, then end. */
struct caps_arrival {
    struct sm           *sm;
    const struct stanza *presence;      /* NULL: nothing to be learnt */
    struct contact      *contact;       /* once it was read; NULL: it says nothing of itself */
    bool                 read;
};
void caps_arrival_begin(struct caps_arrival *a, struct sm *sm, const struct stanza *s);
void caps_arrival_for(struct caps_arrival *a, struct slice account);

/* Slots leave (handover.h), before their sessions do. What is known of contacts elsewhere goes with the
 * accounts; and what was no entry while both lived here becomes one: here for a session that leaves, there
 * for one that stays. An item: u8 enum handover_item, then each contact as in its row. */
struct slots;
void      caps_give(struct sm *sm, struct slots *slots);
enum zerr caps_take(struct sm *sm, struct cursor *c);
