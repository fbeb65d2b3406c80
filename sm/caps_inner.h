#pragma once

/* Between the files of caps.h. */

#include "caps.h"
#include "caps_hash.h"
#include "table.h"

/* What a <c/> says, with memory of its own. key: what its answer is kept under; for what only one JID is
 * believed, that JID is in it. */
struct caps_text {
    struct caps_said said;
    struct slice     key;
    uint8_t          bytes[];
};
struct caps_text *caps_text(const struct caps_said *said, struct slice full);
bool              caps_text_is(const struct caps_text *t, const struct caps_said *said);

/* A client of a contact elsewhere (caps_contacts.c). */
struct contact {
    struct list       link;            /* of one bare JID */
    struct list       order;           /* by last presence, oldest first */
    struct list       changed;         /* its row in live memory is to be written */
    struct bare      *of;
    struct caps_text *text;
    struct blob      *wants;           /* NULL: not known */
    bool              asked;           /* by this process */
    uint64_t          content;         /* hash of the presence it was read from last; 0: none yet */
    uint64_t         *owners;          /* accounts that have had its presence, by hash, sorted */
    uint32_t          count, room;
    uint16_t          jid_len;
    char              jid[];
};

struct caps {
    struct sm       *sm;
    struct table    *remembered;       /* key -> struct remembered */
    struct list      recent;           /* the same, oldest use first */
    struct table    *questions;        /* key -> struct question (caps_ask.c) */
    struct table    *ids;              /* id of the IQ -> the same */
    unsigned         waiting;          /* JIDs in them */
    struct table    *own;              /* domain -> struct own_caps (caps_server.c) */
    struct table    *bares;            /* bare JID -> struct bare (caps_contacts.c) */
    struct list      contacts;         /* oldest presence first */
    uint64_t         pairs;
    struct list      changed;
    struct live_hook hook;
};

extern uint64_t caps_asked, caps_answered, caps_wrong, caps_unanswered, caps_over, caps_forgotten;

/* caps_cache.c. The nodes that go with a key: a reference, or NULL. */
struct blob *caps_recall(struct sm *sm, const struct caps_text *t);
void         caps_remember(struct sm *sm, const struct caps_text *t, struct blob *nodes);
void         caps_cache_free(struct caps *c);

/* Asks `full` what it says of itself, or waits with others for that answer. `owner`: the account it shows
 * itself to. When it is known: caps_told. */
void caps_ask(struct sm *sm, const struct caps_said *said, struct slice full, struct slice owner);
/* True: an IQ reply to one of our questions. */
bool caps_reply(struct sm *sm, struct slice owner, const struct stanza *s);
void caps_ask_free(struct caps *c);
void caps_told(struct sm *sm, struct slice owner, struct slice full, const struct caps_text *t, struct blob *nodes);

/* What is in `now` and not in `before`, in the arena. */
struct slice caps_news(struct sm *sm, const struct blob *before, const struct blob *now);

int  caps_contact_presence(struct passage *p);
void caps_contact_told(struct sm *sm, struct slice owner, struct slice full, const struct caps_text *t,
                       struct blob *nodes);
void caps_contacts_each(struct sm *sm, struct slice owner, struct slice contact, struct slice node,
                        void (*each)(void *arg, struct slice full_jid), void *arg);
void caps_contacts_free(struct caps *c);
/* Of an account: its slot, so that sorted ones of a slot stand together, and a hash with a key that is the
 * same in every instance. */
uint64_t caps_owner(struct slice bare);
unsigned caps_owner_slot(uint64_t owner);
/* `full` says this of itself to that account; nobody is asked or told. */
void     caps_contact_add(struct caps *c, struct slice full, const struct caps_said *said, uint64_t owner);
/* These accounts (a stretch of k->owners) are another instance's. k may be gone afterwards. */
void     caps_contact_drop(struct caps *c, struct contact *k, uint32_t first, uint32_t count);

/* True: a node that stands for what the server itself says. */
bool caps_server_node(struct iq *iq, struct slice node);

/* Of a session's presence. */
struct caps_said caps_session_said(struct sm *sm, const struct session *s);
/* Contacts with a subscription in both directions, in the arena. */
struct mutual {
    struct sm    *sm;
    struct slice *contacts;
    size_t        count, room;
};
struct mutual caps_mutual(struct sm *sm, struct slice owner);
bool          caps_lives_here(struct sm *sm, struct slice bare);

/* caps_live.c. */
void caps_live_start(struct sm *sm);
void caps_contact_changed(struct sm *sm, struct contact *k);
void caps_contact_gone(struct sm *sm, struct contact *k);
void caps_contact_put(struct buf *out, struct slice full, const struct caps_said *said, const uint64_t *owners,
                      uint32_t count);
/* Without asking or telling anybody. */
enum zerr caps_contact_restore(struct caps *c, struct cursor *row);
