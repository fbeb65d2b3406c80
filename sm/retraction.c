/* XEP-0424 (retraction.h). */

#include "retraction.h"

#include "jid.h"
#include "ns.h"
#include "retract.h"

static uint64_t buried;

static const struct stat_row stats[] = {
    { "archive_retracted", "archived messages that became tombstones", &buried },
    { 0 },
};

static bool retraction_on(const struct sm *sm)
{
    return sm->settings->server.archive && sm->settings->limits.retraction_search > 0;
}

/* 4: the tombstone names the retraction by its id; without one nothing could. */
bool retraction_is(const struct passage *p)
{
    const struct stanza *s = p->stanza;

    return s->flags & STANZA_RETRACTS && (s->type == TYPE_CHAT || s->type == TYPE_NORMAL) && s->id.len &&
           retraction_on(p->sm);
}

/* Who is in a room has sent presence to an occupant JID of it (XEP-0045 7.2), and only such a one gets what its
 * occupants say. */
static bool has_entered(const struct online *account, struct slice room)
{
    ONLINE_EACH(account, node, s)
        for (const struct directed *d = s->directed; d; d = d->next) {
            struct slice jid = slice_of(d->jid, d->len);
            if (!jid_is_bare(jid) && slice_eq(jid_bare(jid), room))
                return true;
        }
    return false;
}

/* 5: occupants of a room share its bare JID. That the contact is a room is known of our own, of others when
 * the message says so (XEP-0045 7.5; services that do not are older than that), or when the owner is in it. */
static bool is_occupant(const struct passage *p, struct slice peer)
{
    const struct settings *settings = p->sm->settings;
    const struct online   *account = session_online(p->sm->sessions, p->owner);

    for (size_t i = 0; i < settings->rooms_count; i++)
        if (slice_is(jid_domain(peer), settings->rooms[i].name))
            return true;
    return p->stanza->flags & STANZA_MUC_USER || (account && has_entered(account, jid_bare(peer)));
}

static void bury(struct passage *p, struct ledger *l, const struct ledger_record *record)
{
    struct buf tombstone = { 0 };

    tombstone_write(&tombstone, p->stanza->id, wall_us());
    ledger_bury(l, outcome_archive(p->out), record, buf_slice(&tombstone));
    buf_free(&tombstone);
    buried++;
}

void retraction_apply(struct passage *p, struct ledger *l, enum ledger_direction direction)
{
    const struct stanza *s = p->stanza;
    struct xml_limits    limits = sm_xml_limits(p->sm);
    struct slice         peer = direction == LEDGER_IN ? s->from : s->to;
    struct retracted     r = {
        .peer = peer, .exactly = is_occupant(p, peer), .direction = direction,
        .id = retract_target(p->sm->arena, s->content, &limits),
        .most = (unsigned)p->sm->settings->limits.retraction_search,
    };
    struct ledger_record record;

    if (retract_find(l, &r, p->sm->arena, &record) == ZE_OK)
        bury(p, l, &record);
    else if (direction == LEDGER_IN)
        retract_waiting(l, outcome_archive(p->out), &r);
}

static const char *const disco_server[] = { NS_RETRACT, NULL };
static const char *const disco_account[] = { NS_RETRACT, NS_RETRACT_TOMB, NULL };

const struct sm_feature sm_retraction = {
    .name = "retraction", .spec = "XEP-0424", .disco_server = disco_server, .disco_account = disco_account,
    .on = retraction_on, .stats = stats,
};
