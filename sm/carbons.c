/* Copies of messages (carbons.h).
 *
 * <private/> is honoured and stays where it is: version 1.0 of the document no longer lets a server take it
 * out (9: "a potential security issue"). What a sender is told to be undeliverable is not copied. A message
 * that is stored for later is copied to those available sessions that will not get it from there (negative
 * priority). Nobody can forge a copy: it comes from the bare JID of the account, and every client's stanza
 * gets the full one, everybody else's another domain (dispatch.c). */

#include "carbons.h"

#include <stdlib.h>

#include "jid.h"
#include "ns.h"
#include "resume.h"
#include "stanza_id.h"
#include "table.h"

static uint64_t copied;

static const struct stat_row stats[] = {
    { "carbons", "messages copied to other sessions of an account", &copied },
    { 0 },
};

/* ---- which (XEP-0280 6.1) ---- */

enum { SENT = 1 << CARBON_SENT, RECEIVED = 1 << CARBON_RECEIVED, BOTH = SENT | RECEIVED };
enum { ANY_FLAG = 0, ALL_TYPES = 0xFFFF };

#define TYPES(type) (1u << TYPE_##type)

/* The first row that fits decides. */
static const struct {
    unsigned ways, types;
    uint32_t flags;                /* at least one of them; ANY_FLAG: whatever */
    bool     from_full;            /* only from a full JID */
    uint8_t  verdict;
} rules[] = {
    /* 6.1, 9: the sender's wish. */
    { BOTH, ALL_TYPES, STANZA_PRIVATE, false, CARBON_NO },
    /* XEP-0334 4.3: not to be copied "for example through Message Carbons". */
    { BOTH, ALL_TYPES, STANZA_NO_COPY, false, CARBON_NO },
    /* 6.1: the room sends it to each client that is there. */
    { BOTH, TYPES(GROUPCHAT), ANY_FLAG, false, CARBON_NO },
    /* 6.1: "sent in response to a message that was eligible". */
    { BOTH, TYPES(ERROR), ANY_FLAG, false, CARBON_ANSWER },
    /* 6.1: a private message of an occupant (XEP-0045 7.5): the room sends it to each client that is there.
     * An invitation through the room comes from its bare JID. */
    { RECEIVED, ALL_TYPES, STANZA_MUC_USER, true, CARBON_NO },
    /* 6.1: of type chat, whatever is inside; what a local user says to an occupant among them. */
    { BOTH, TYPES(CHAT), ANY_FLAG, false, CARBON_YES },
    /* 6.1: of type normal with a body. */
    { BOTH, TYPES(NORMAL), STANZA_HAS_BODY, false, CARBON_YES },
    /* 6.1: "payload elements typically used in IM", 0184, 0085, 0333. */
    { BOTH, ALL_TYPES, STANZA_HAS_RECEIPT | STANZA_CHAT_STATE | STANZA_HAS_MARKER, false, CARBON_YES },
    /* 6.1: direct and mediated invitations, which need no body. */
    { BOTH, ALL_TYPES, ANY_FLAG, false, CARBON_INVITATION },
};

enum carbon_verdict carbon_verdict(enum carbon_way way, const struct stanza *s)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (rules[i].ways & 1u << way && rules[i].types & 1u << s->type &&
            (!rules[i].flags || s->flags & rules[i].flags) && !(rules[i].from_full && jid_is_bare(s->from)))
            return rules[i].verdict;
    return CARBON_NO;
}

static bool invites(const struct passage *p)
{
    const struct element *root = passage_content(p);
    const struct element *x = root ? element_child(root, NS_MUC_USER, "x") : NULL;

    return root && (element_child(root, NS_CONFERENCE, "x") || (x && element_child(x, NULL, "invite")));
}

/* A copy inside a message of somebody: passed on as it is, never copied into a copy of ours. */
static bool wraps_copy(const struct passage *p)
{
    struct slice          ns = SLICE(NS_CARBONS), content = p->stanza->content;
    const struct element *root;

    if (!content.len || !memmem(content.p, content.len, ns.p, ns.len))
        return false;
    root = passage_content(p);
    return !root || element_child(root, NS_CARBONS, "received") || element_child(root, NS_CARBONS, "sent");
}

/* ---- errors: what was copied lately ---- */

/* By id and bare JID of the other side: of an account with carbons only, and not over a restart, after which
 * an error reaches just the session it is for. */
enum { COPIED_LATELY = 64 };

struct copied {
    unsigned next;
    uint64_t seen[COPIED_LATELY];
};

static uint64_t exchange(const struct passage *p, struct slice other)
{
    struct slice bare = jid_bare(other), id = p->stanza->id;
    uint8_t     *both = arena_alloc(p->sm->arena, id.len + 1 + bare.len);

    memcpy(both, id.p, id.len);
    both[id.len] = 0;
    memcpy(both + id.len + 1, bare.p, bare.len);
    return hash_bytes(slice_of(both, id.len + 1 + bare.len));
}

static bool was_copied(const struct online *account, uint64_t what)
{
    for (unsigned i = 0; account->copied && i < COPIED_LATELY; i++)
        if (account->copied->seen[i] == what)
            return true;
    return false;
}

static void note_copied(struct online *account, uint64_t what)
{
    if (!account->copied)
        account->copied = xcalloc(1, sizeof(*account->copied));
    account->copied->seen[account->copied->next++ % COPIED_LATELY] = what;
}

static bool eligible(struct passage *p, struct online *account, enum carbon_way way)
{
    const struct stanza *s = p->stanza;
    struct slice         other = way == CARBON_SENT ? s->to : s->from;
    enum carbon_verdict  verdict = carbon_verdict(way, s);

    if (verdict == CARBON_NO || (verdict == CARBON_INVITATION && !invites(p)) || wraps_copy(p))
        return false;
    if (verdict == CARBON_ANSWER)
        return s->id.len && was_copied(account, exchange(p, other));
    if (s->id.len)
        note_copied(account, exchange(p, other));
    return true;
}

/* ---- the copies ---- */

/* 7, 8: from the bare JID, of the same type; XEP-0297 around the message as it is. */
static struct stanza wrap(struct passage *p, enum carbon_way way, struct slice stanza_id)
{
    struct stanza     inside = *p->stanza;
    struct buf        out = { 0 }, content = { 0 }, whole = { 0 };
    struct xml_writer w;

    if (stanza_id.len) {
        buf_put_slice(&content, inside.content);
        stanza_id_write(&content, p->owner, stanza_id);
        inside.content = buf_slice(&content);
    }
    stanza_write_forwarded(&whole, &inside);
    xml_begin(&w, &out, NS_CLIENT);
    xml_open(&w, way == CARBON_SENT ? "sent" : "received", NS_CARBONS);
    xml_open(&w, "forwarded", NS_FORWARD);
    xml_raw(&w, buf_slice(&whole));
    xml_close(&w);
    xml_close(&w);
    buf_free(&whole);
    buf_free(&content);
    return (struct stanza){
        .name = STANZA_MESSAGE, .type = p->stanza->type, .flags = p->stanza->flags | STANZA_COPY, .from = p->owner,
        .content = outcome_keep(p->out, &out),
    };
}

/* Who gets one: who it reaches gets the message itself, who sent it has it. */
struct audience {
    struct passage       *p;
    enum deliver_action   action;
    const struct session *match;       /* or the sender's */
};

static bool wants(const struct audience *a, const struct session *s)
{
    if (!s->carbons || s == a->match || deliver_reaches(s, a->action, a->match) ||
        slice_eq(session_jid(s), a->p->stanza->from))
        return false;
    return a->action != ACT_STORE || s->available;
}

static bool anybody(const struct audience *a, const struct online *account)
{
    ONLINE_EACH(account, node, s)
        if (wants(a, s))
            return true;
    return false;
}

static void copy(const struct audience *a, struct online *account, enum carbon_way way, struct slice stanza_id)
{
    struct spread spread;
    struct stanza wrapped;

    if (!anybody(a, account) || !eligible(a->p, account, way))
        return;
    wrapped = wrap(a->p, way, stanza_id);
    spread_begin(&spread, a->p->sm, a->p->out, AHEAD, &wrapped);
    ONLINE_EACH(account, node, s)
        if (wants(a, s)) {
            spread_session(&spread, s);
            copied++;
        }
    spread_end(&spread);
}

void carbons_received(struct passage *p, enum deliver_action action, const struct session *match)
{
    struct audience a = { p, action, match };
    struct online  *account = session_online(p->sm->sessions, p->owner);

    if (account && p->stanza->name == STANZA_MESSAGE && !p->again_us)
        copy(&a, account, CARBON_RECEIVED, slice_of(NULL, 0));
}

/* To oneself it is copied when it comes in, once. */
static int carbons_outgoing(struct passage *p)
{
    const struct stanza *s = p->stanza;
    struct audience      a = { p, ACT_DROP, p->session };

    if (s->name == STANZA_MESSAGE && p->session->account->count > 1 && s->to.len &&
        !slice_eq(jid_bare(s->to), p->owner))
        copy(&a, p->session->account, CARBON_SENT, p->sent_id);
    return GO_ON;
}

bool carbons_took(const struct sm *sm, const struct stanza *s, uint32_t epoch, uint64_t sent_us)
{
    const struct online *account = session_online(sm->sessions, jid_bare(s->to));

    if (!account || carbon_verdict(CARBON_RECEIVED, s) != CARBON_YES)
        return false;
    ONLINE_EACH(account, node, other)
        if (other->carbons && (int32_t)(other->copies_since - epoch) <= 0 && !resume_hibernates(other) &&
            resume_oldest_us(other) > sent_us)
            return true;
    return false;
}

/* ---- on and off (4, 5) ---- */

void carbons_set(struct sm *sm, struct session *s, bool on)
{
    if (on && !s->carbons)
        s->copies_since = ++sm->epoch;
    session_set_carbons(s, on);
}

/* 4, 5: as often as they like; of another account (4.1) or without a session: not-allowed. */
static int set(struct iq *iq)
{
    if (!iq->p->session || iq->target != TO_OWN_ACCOUNT)
        return ZE_NOT_ALLOWED;
    carbons_set(iq->p->sm, iq->p->session, slice_is(iq->payload->name, "enable"));
    return ZE_OK;
}

static const char *const disco[] = { NS_CARBONS, NS_CARBON_RULES, NULL };

static const struct iq_row iqs[] = {
    { IQ_SET, NS_CARBONS, "enable", TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT, set },
    { IQ_SET, NS_CARBONS, "disable", TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT, set },
    { 0 },
};

const struct sm_feature sm_carbons = {
    .name = "carbons", .spec = "XEP-0280", .disco_server = disco, .disco_account = disco, .iqs = iqs, .stats = stats,
    .outgoing = carbons_outgoing,
};
