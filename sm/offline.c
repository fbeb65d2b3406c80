/* XEP-0160: messages that wait, over the ledger. Which are kept: normal and chat, unless a hint says no
 * (XEP-0334) or there is nothing in them but a chat state (3). They are handed to the first resource
 * that can take messages, in order, with a delay stamp (XEP-0203), and forgotten after that. */

#include "offline.h"

#include <stdlib.h>

#include "delay.h"
#include "jid.h"
#include "ledger.h"
#include "log.h"
#include "ns.h"
#include "stats.h"

static uint64_t offline_kept, offline_given, offline_refused;

static const struct stat_row stats[] = {
    { "offline_kept", "messages stored for later", &offline_kept },
    { "offline_given", "waiting messages handed to a session", &offline_given },
    { "offline_refused", "messages returned because nothing more fitted", &offline_refused },
    { 0 },
};

/* ---- keeping ---- */

static bool worth_keeping(const struct stanza *s)
{
    unsigned says = STANZA_HAS_BODY | STANZA_HAS_SUBJECT | STANZA_STORE | STANZA_HAS_RECEIPT |
                    STANZA_HAS_MARKER | STANZA_ENCRYPTED | STANZA_MUC_USER;

    if (s->flags & (STANZA_NO_STORE | STANZA_EMPTY))
        return false;
    return s->flags & says || !(s->flags & STANZA_CHAT_STATE);
}

static enum zerr keep(struct passage *p, struct ledger *ledger)
{
    struct ledger_limits limits = {
        p->sm->settings->limits.offline_messages_max, p->sm->settings->limits.offline_bytes_max,
    };
    struct ledger_record record = {
        .id = ledger_next_id(ledger, wall_us()), .views = LEDGER_OFFLINE, .direction = LEDGER_IN,
        .stanza = *p->stanza,
    };

    return ledger_append(ledger, outcome_archive(p->out), &limits, &record);
}

int offline_store(struct passage *p)
{
    struct store_view *view;
    struct ledger      ledger;
    enum zerr          err;

    if (p->sm->settings->limits.offline_messages_max == 0)
        return ZE_NO_SUCH;
    if (!p->exists || !worth_keeping(p->stanza))
        return TAKEN;
    view = store_view(p->sm->store.archive);
    err = ledger_open(&ledger, sm_ledger(&p->sm->store), view, p->owner);
    if (!err)
        err = keep(p, &ledger);
    store_view_end(&view);
    if (!err) {
        offline_kept++;
        return TAKEN;
    }
    offline_refused++;
    log_debug("offline_refused", "jid", log_slice(p->owner), "err", err_name(err), NULL);
    return err == ZE_FULL ? ZE_NO_SUCH : (int)err;      /* 3: service-unavailable when full */
}

/* ---- handing out ---- */

struct given {
    struct passage  *p;
    struct session  *session;
    struct ledger_id last;
    size_t           count;
};

static int give(void *arg, struct ledger_record *record)
{
    struct given  *g = arg;
    struct arena  *arena = g->p->sm->arena;
    struct buf     content = { 0 };
    struct stanza  s;
    struct slice   domain = arena_copy(arena, jid_domain(g->p->owner));

    if (ledger_unpack(record, arena))
        return 0;
    s = record->stanza;
    buf_put_slice(&content, s.content);
    delay_write(&content, record->delay_from.len ? record->delay_from : domain,
                record->origin_us ? record->origin_us : record->id.time_us);
    s.from = arena_copy(arena, s.from);
    s.to = arena_copy(arena, s.to);
    s.id = arena_copy(arena, s.id);
    s.lang = arena_copy(arena, s.lang);
    s.payload_ns = s.payload_name = slice_of(NULL, 0);
    s.content = outcome_keep(g->p->out, &content);
    outcome_session(g->p->out, AHEAD, g->session, &s);
    g->last = record->id;
    g->count++;
    return 0;
}

/* What was handed to the link and may now be forgotten. */
struct handed {
    struct sm       *sm;
    struct ledger_id last;
    uint64_t         trace;
    size_t           owner_len;
    char             owner[];
};

static void forget(struct sm *sm, struct outcome *o, struct slice owner, struct ledger_id last)
{
    struct store_view *view = store_view(sm->store.archive);
    struct ledger      ledger;

    if (!ledger_open(&ledger, sm_ledger(&sm->store), view, owner))
        ledger_offline_clear(&ledger, outcome_archive(o), last);
    store_view_end(&view);
}

static void on_handed(void *arg, enum zerr err)
{
    struct handed  *h = arg;
    struct slice    owner = slice_of(h->owner, h->owner_len);
    struct outcome *o;

    if (!err) {
        o = outcome_new(h->sm, owner, h->trace);
        forget(h->sm, o, owner, h->last);
        outcome_settle(&o);
    }
    free(h);
}

static void offline_receptive(struct passage *p, struct session *session)
{
    struct store_view *view = store_view(p->sm->store.archive);
    struct given       g = { .p = p, .session = session };
    struct ledger      ledger;
    struct handed     *h;

    if (!ledger_open(&ledger, sm_ledger(&p->sm->store), view, p->owner) && ledger.offline_count)
        ledger_offline_each(&ledger, (struct ledger_id){ 0 }, give, &g);
    store_view_end(&view);
    if (!g.count)
        return;
    offline_given += g.count;
    h = xcalloc(1, sizeof(*h) + p->owner.len);
    h->sm = p->sm;
    h->last = g.last;
    h->trace = outcome_trace(p->out);
    h->owner_len = p->owner.len;
    memcpy(h->owner, p->owner.p, p->owner.len);
    outcome_then(p->out, on_handed, h);
}

static void offline_removed(struct passage *p)
{
    struct store_view *view = store_view(p->sm->store.archive);
    struct ledger      ledger;

    if (!ledger_open(&ledger, sm_ledger(&p->sm->store), view, p->owner))
        ledger_forget(&ledger, outcome_archive(p->out));
    store_view_end(&view);
}

static const char *const offline_disco[] = { NS_OFFLINE_F, NULL };

const struct sm_feature sm_offline = {
    .name = "offline", .spec = "XEP-0160", .disco_server = offline_disco, .stats = stats,
    .receptive = offline_receptive, .removed = offline_removed,
};
