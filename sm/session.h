#pragma once

/* The sessions of this instance: bound resources and what they last said of themselves. Tables by
 * handle, by bare JID and by full JID; no stanza leaves from here. */

#include "blob.h"
#include "frame.h"
#include "list.h"
#include "live.h"
#include "slice.h"

struct table;

enum { SESSION_SECRET = 16 };

/* An account with at least one session. */
struct online {
    struct list      sessions;
    struct sessions *all;
    uint64_t         marked_us;        /* when it was last written up to where all is delivered (archive.c) */
    struct table    *blocked;          /* whom it blocks (blocked.c); NULL: nobody, or not read yet */
    struct copied   *copied;           /* carbons.c: one block of memory, freed with it; or NULL */
    unsigned         count;
    bool             blocked_known;
    uint16_t         jid_len;
    char             jid[];
};

/* Somebody who got directed presence (RFC 6121 4.6) and must hear of the end. */
struct directed {
    struct directed *next;
    uint16_t         len;
    char             jid[];
};

struct session {
    struct list      link;             /* in account->sessions */
    struct list      changed;          /* among those whose row in live memory is to be written */
    struct online   *account;
    uint64_t         handle;           /* ours, presented by c2sd */
    struct address   c2sd;             /* the life that bound it */
    uint64_t         conn;             /* its handle of the connection */
    uint64_t         since_us;
    struct blob     *presence;         /* content of the last available presence; NULL: not available */
    struct blob     *lang;             /* its xml:lang, or NULL */
    struct resume   *resume;           /* stream management (resume.h), or NULL */
    struct directed *directed;
    unsigned         directed_count;
    uint32_t         receptive;        /* sm->epoch when its priority became non-negative */
    uint32_t         copies_since;     /* sm->epoch when it asked for carbons */
    uint8_t          secret[SESSION_SECRET];
    int8_t           priority;
    bool             available;        /* has sent initial presence, RFC 6121 4.2 */
    bool             interested;       /* has asked for the roster, RFC 6121 2.2 */
    bool             secure;
    bool             named;            /* in the announcement of its c2sd under way, or bound since (announce.c) */
    bool             moved;            /* here from another sm, and its c2sd has not yet named it to us (announce.c) */
    bool             asked_archive;    /* has queried the archive (XEP-0313): needs no offline messages */
    bool             carbons;          /* wants copies of its account's other sessions (XEP-0280) */
    bool             inactive;         /* its client is not looked at (XEP-0352) */
    struct blob     *client;           /* what its client calls itself for good (XEP-0388 user-agent id), or NULL */
    bool             blocklist;        /* has asked whom its account blocks (XEP-0191 3.2) */
    struct blob     *wants;            /* nodes it wants notifications of (caps.h); NULL: not known */
    bool             wants_asked;      /* by this process */
    bool             guest;            /* without an account (anonymous.h) */
    bool             searching;        /* a query of it takes several loop turns (mam.c) */
    struct held_list *held;            /* what waits while it is inactive (csi.h), or NULL */
    uint64_t         held_serial;      /* csi.h: kept frames up to this one are held no more */
    uint64_t         given;            /* the last waiting message it got (ledger_id_pack); 0: none */
    uint16_t         jid_len, bare_len, address_len;
    char             text[];           /* full JID, client address */
};

struct sessions;
/* live: where sessions survive this process (session_live.h), or NULL. */
struct sessions *sessions_new(struct live *live);
void             sessions_free(struct sessions **ss);

/* What BIND says. jid: full, canonical, not bound by another session. */
struct session_spec {
    struct slice   jid, address;
    struct address c2sd;
    uint64_t       conn;
    uint64_t       now_us;
    uint64_t       handle;             /* of an earlier life of this instance; 0: a new one */
    bool           secure;
    bool           guest;              /* counted by its address */
};
struct session *session_add(struct sessions *ss, const struct session_spec *spec);
void            session_remove(struct sessions *ss, struct session **s);
/* Something of it that its row in live memory tells has changed: it is written at the end of the turn.
 * The functions below that change a session do this themselves. */
void            session_changed(struct session *s);
/* The next one that changed, taken off their list; NULL: no more. */
struct session *sessions_take_changed(struct sessions *ss);
/* After all sessions of an earlier life were added: no generation of a handle up to `floor` comes again. */
void            sessions_restored(struct sessions *ss, uint32_t floor);
uint32_t        sessions_highest(const struct sessions *ss);
/* Another connection holds it from now on; its secret is a new one. */
void            session_rebind(struct session *s, const struct address *c2sd, uint64_t conn, bool secure);

struct session *session_by_handle(const struct sessions *ss, uint64_t handle);
struct session *session_by_jid(const struct sessions *ss, struct slice full);
/* NULL: nobody of that bare JID is here. */
struct online *session_online(const struct sessions *ss, struct slice bare);
/* True when exactly this connection of exactly this life of c2sd bound it. */
bool   session_bound_by(const struct session *s, const struct address *life, uint64_t conn);
/* Sessions without an account from that address (/64 for IPv6); an empty one: from all. */
size_t sessions_guests(const struct sessions *ss, struct slice address);
size_t sessions_count(const struct sessions *ss);
size_t sessions_accounts(const struct sessions *ss);
/* Walks all sessions; *place starts at 0; removing the one returned is allowed. */
struct session *sessions_next(const struct sessions *ss, size_t *place);

static inline struct slice session_jid(const struct session *s)
{
    return slice_of(s->text, s->jid_len);
}
static inline struct slice session_bare(const struct session *s)
{
    return slice_of(s->text, s->bare_len);
}
static inline struct slice session_resource(const struct session *s)
{
    return slice_of(s->text + s->bare_len + 1, (size_t)(s->jid_len - s->bare_len - 1));
}
/* Of the client now: after a resumption another than the one it was bound with. */
struct slice session_address(const struct session *s);

#define ONLINE_EACH(account, node, name)                                                       \
    LIST_EACH(&(account)->sessions, node)                                                      \
    for (struct session *name = LIST_OWNER(node, struct session, link); name; name = NULL)

/* Keeps content and language of an available presence; an empty lang is none. */
void session_present(struct session *s, struct slice content, struct slice lang, int priority);
void session_absent(struct session *s);
void session_set_carbons(struct session *s, bool on);                 /* for carbons_set() */
void session_set_inactive(struct session *s, bool inactive);
void session_set_client(struct session *s, struct slice client);      /* an empty one is none */
/* False: the list has `most` (limits.directed_max). Adding twice is fine. */
bool session_direct(struct session *s, struct slice jid, unsigned most);
void session_undirect(struct session *s, struct slice jid);
void session_undirect_all(struct session *s);

/* Of RFC 6121 8.5: does the account have a session with non-negative priority, an available one, any. */
bool online_receptive(const struct online *account);
bool online_available(const struct online *account);
