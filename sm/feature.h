#pragma once

/* A feature is one file and one line in features.c (STYLE.md C8): the row at the file's end is its
 * whole interface. Hooks and handlers record into p->out; they never send and never write. */

#include "element.h"
#include "outcome.h"
#include "session.h"
#include "sm.h"
#include "stanza.h"
#include "stanza_error.h"
#include "stats.h"
#include "told.h"
#include "xml_write.h"

/* One stanza on its way through the features. All slices live until the end of the dispatch. */
struct passage {
    struct sm      *sm;
    struct outcome *out;
    struct session *session;     /* the sender's, in the outgoing pass; else NULL */
    struct slice    owner;       /* bare JID: of the sender in the outgoing pass, else of the recipient */
    bool            exists;      /* incoming: such an account exists */
    bool            guest;       /* the owner is a session without an account (anonymous.h): nothing is stored */
    uint64_t        again_us;    /* incoming: it was sent then to a session that ended meanwhile (resume.h)
                                    and passed the features before; 0: it comes for the first time */
    enum told_who   told;        /* again: which push services know of it: */
    struct slice    told_client; /* TOLD_CLIENT: those of this resource */
    struct slice    sent_id;     /* outgoing: the stanza-id of its record in the sender's archive; empty: none */
    struct archive_note *note;   /* incoming: how it is stored (archive.h); NULL: it is not */
    struct stanza  *stanza;      /* from and to are canonical; `to` may be empty in the outgoing pass */
};

enum iq_type { IQ_GET = 1, IQ_SET = 2 };
enum target { TO_OWN_ACCOUNT = 1, TO_OTHER_ACCOUNT = 2, TO_SERVER = 4 };

/* What an IQ handler gets. p->owner is the account asked (for TO_SERVER: the asking account, or the
 * domain when a stranger asks). The reply is a result; what is written to `reply` is its content. */
struct iq {
    struct passage       *p;
    unsigned              type;          /* enum iq_type */
    unsigned              target;        /* enum target */
    const struct element *payload;       /* the element named in the row */
    struct xml_writer    *reply;
};

struct iq_row {
    unsigned    types;                   /* IQ_GET | IQ_SET */
    const char *ns, *element;            /* element NULL: any */
    unsigned    targets;
    /* ZE_OK: the reply is the answer; negative: the error; LATER: the handler recorded the answer
     * itself, or iq_defer was called and iq_answer
     * will be. */
    int       (*handle)(struct iq *iq);
};

/* Nodes of service discovery (XEP-0030 3): what `node` of a disco#info or disco#items asks for. Both functions
 * write into the open <query/>; NULL: it exists and has nothing of that kind. Who is not among `targets` gets
 * item-not-found, a stranger at an account `forbidden`, whether the account exists or not. */
struct disco_node {
    unsigned    targets;                 /* enum target; 0 ends the rows */
    const char *name;                    /* NULL: those that `is` knows */
    bool      (*is)(struct iq *iq, struct slice node);
    int       (*info)(struct iq *iq, struct slice node);
    int       (*items)(struct iq *iq, struct slice node);
};

struct command;

/* What it calls itself besides what disco.c says. */
struct disco_identity {
    unsigned    targets;                 /* 0 ends the rows */
    const char *category, *type, *name;
};

/* What a hook answers: GO_ON; TAKEN, it went elsewhere or was dropped on purpose; or a negative enum
 * zerr, and the dispatcher returns the stanza with that error. */
enum { GO_ON, TAKEN };

struct sm_feature {
    const char          *name;           /* for logs */
    const char          *spec;           /* document and section */
    const char *const   *disco_server;   /* features of the server, NULL-ended; NULL: none */
    const char *const   *disco_account;  /* features of each account */
    const struct disco_node *disco_nodes;
    const struct disco_identity *disco_identities;
    const struct command *commands;      /* ad-hoc commands (commands.h) */
    /* Adds items to disco#items of an account without a node, for whoever asks; returns how many. Strangers get
     * an answer only when there are some. */
    int                (*disco_items)(struct iq *iq);
    /* Adds forms (XEP-0128) to disco#info without a node. */
    void               (*disco_forms)(struct iq *iq);
    const struct iq_row *iqs;            /* ended by types == 0 */
    /* False: a setting turned it off, it is neither announced nor are its IQs answered. NULL: always on. */
    bool               (*on)(const struct sm *sm);
    bool                 guests;         /* its hooks see owners without an account (p->guest), and store nothing */
    const struct stat_row *stats;        /* its counters, or NULL */
    int (*outgoing)(struct passage *p);
    int (*incoming)(struct passage *p);
    /* The session sent initial presence (RFC 6121 4.2). */
    void (*online)(struct passage *p, struct session *s);
    /* The session can take messages from now on: its priority became non-negative. */
    void (*receptive)(struct passage *p, struct session *s);
    /* `full`, a session of the account `owner` or of a contact of it, wants notifications of these nodes
     * (caps_nodes_have), and did not before: it has just become available, or changed its mind. Comes
     * outside of any outcome; the slices live until the end of the dispatch. */
    void (*caps_known)(struct sm *sm, struct slice owner, struct slice full, struct slice nodes);
    /* What the roster of `owner` says of `contact` (a bare JID) is another than before, or nothing any more; the
     * change is committed. Comes outside of any outcome; the slices live until the end of the dispatch. */
    void (*contact_changed)(struct sm *sm, struct slice owner, struct slice contact);
    /* The session ends; it is still in the tables. */
    void (*offline)(struct passage *p, struct session *s);
    /* The account is removed: adds the removal of what the feature keeps of p->owner to p->out. */
    void (*removed)(struct passage *p);
};

extern const struct sm_feature *const sm_features[];
extern const size_t                   sm_feature_count;

static inline bool feature_on(const struct sm_feature *f, const struct sm *sm)
{
    return !f->on || f->on(sm);
}

static inline bool feature_sees(const struct sm_feature *f, const struct passage *p)
{
    return !p->guest || f->guests;
}

/* Once, at start: every feature's counters. */
void features_register_stats(void);
/* Calls the hook `online`, `receptive`, `offline` of every feature, in order. */
void features_online(struct passage *p, struct session *s);
void features_receptive(struct passage *p, struct session *s);
void features_caps_known(struct sm *sm, struct slice owner, struct slice full, struct slice nodes);
/* AFTER_CONTACT_CHANGED (afters.h): the hook contact_changed of every feature, when the roster has changed. */
after_fn features_contact_changed;
void features_offline(struct passage *p, struct session *s);
void features_removed(struct passage *p);

/* Answers an IQ get or set from the rows: GO_ON never; TAKEN or a negative error. Results and errors
 * are taken silently. */
int iq_serve(struct passage *p, unsigned target);

/* Records the empty result now: for a handler that returns LATER because something must follow it. */
void iq_reply_now(struct passage *p);
/* The same, with this content. */
void iq_reply_with(struct passage *p, struct slice content);

/* An IQ whose answer comes after the dispatch. */
struct iq_later;
struct iq_later *iq_defer(const struct iq *iq);
size_t           iq_deferred(void);        /* not yet answered */
/* err != 0: the error. content: of the result, may be empty. Frees it. */
void iq_answer(struct iq_later **later, enum zerr err, struct slice content);
/* The error, with what an extension adds to it. Frees it. */
void iq_answer_error(struct iq_later **later, enum zerr err, const struct error_detail *detail);
/* The error that a handler returns, with the extension's own condition: return iq_error(iq, ZE_CONFLICT, NS_X, "y"). */
int  iq_error(const struct iq *iq, enum zerr err, const char *ns, const char *condition);

/* The parsed content of p->stanza (root without a name), in the arena; NULL: not well-formed. */
const struct element *passage_content(const struct passage *p);
/* One element that was kept as text, in the arena; NULL: none, or not well-formed. */
const struct element *passage_element(const struct passage *p, struct slice xml);
