/* XEP-0160 over the ledger (offline.h). Which are kept: proto/archive_rules.c. */

#include "offline.h"

#include <stdlib.h>

#include "absent.h"
#include "anonymous.h"
#include "archive.h"
#include "archive_rules.h"
#include "blocked.h"
#include "delay.h"
#include "jid.h"
#include "live.h"
#include "log.h"
#include "ns.h"
#include "stanza_id.h"
#include "stats.h"

static uint64_t offline_kept, offline_given, offline_refused;

static const struct stat_row stats[] = {
    { "offline_kept", "messages stored for later", &offline_kept },
    { "offline_given", "waiting messages handed to a session", &offline_given },
    { "offline_refused", "messages returned because nothing more fitted", &offline_refused },
    { 0 },
};

/* ---- keeping ---- */

static enum zerr append_waiting(struct passage *p, struct ledger *ledger, struct ledger_record *record)
{
    struct ledger_limits limits = archive_limits(p->sm);

    record->views |= LEDGER_OFFLINE;
    return ledger_append(ledger, outcome_archive(p->out), &limits, record);
}

/* What one that exists would answer, by the same sizes (absent.h). */
static enum zerr count_for_nobody(struct passage *p, const struct ledger_record *record)
{
    struct ledger_limits limits = archive_limits(p->sm);
    struct buf           value = { 0 };

    ledger_encode(&value, record, p->owner);
    bool takes = absent_takes(p->sm->absent, p->owner, buf_len(&value), &limits);
    buf_free(&value);
    return takes ? ZE_OK : ZE_FULL;
}

/* Archived as well: one record, both views. */
static enum zerr keep_noted(struct passage *p)
{
    struct archive_note *note = p->note;
    enum zerr            err;

    if (!note->offline || p->sm->settings->limits.offline_messages_max == 0)
        return ZE_OK;                  /* it is in the archive */
    if (!p->exists)
        return count_for_nobody(p, &note->record);
    err = append_waiting(p, &note->ledger, &note->record);
    note->done = !err;
    return err;
}

static enum zerr keep_alone(struct passage *p, struct ledger *ledger)
{
    struct ledger_record record = {
        .id = ledger_next_id(ledger, wall_us()), .direction = LEDGER_IN, .stanza = *p->stanza,
        .origin_us = p->again_us,
    };

    return append_waiting(p, ledger, &record);
}

/* What an ended session did not acknowledge: its record is there when it was archived. ZE_NOT_FOUND: it is not. */
static enum zerr keep_again(struct passage *p, struct ledger *ledger)
{
    struct ledger_id id;

    if (!p->again_us || archive_id_of(p->stanza, p->owner, &id))
        return ZE_NOT_FOUND;
    return ledger_offline_again(ledger, outcome_archive(p->out), id);
}

/* With the id of a record that is no more: its owner has emptied the archive meanwhile. */
static void forget_id(struct passage *p)
{
    p->stanza->flags |= STANZA_HAS_ID;
    archive_unforge(p->sm, p->stanza);
}

static enum zerr keep(struct passage *p)
{
    struct store_view *view = store_view(p->sm->store.archive);
    struct ledger      ledger;
    enum zerr          err = ledger_open(&ledger, sm_ledger(&p->sm->store), view, p->owner);

    if (!err)
        err = keep_again(p, &ledger);
    if (err == ZE_NOT_FOUND && p->again_us)
        forget_id(p);
    if (err == ZE_NOT_FOUND)
        err = p->sm->settings->limits.offline_messages_max ? keep_alone(p, &ledger) : ZE_FULL;
    store_view_end(&view);
    return err;
}

static enum zerr keep_for_nobody(struct passage *p)
{
    struct store_view   *view = store_view(p->sm->store.archive);
    struct ledger_record record = { .direction = LEDGER_IN, .stanza = *p->stanza };
    struct ledger        ledger;
    enum zerr            err = ledger_open(&ledger, sm_ledger(&p->sm->store), view, p->owner);

    if (!err)
        err = ledger_may_append(&ledger, &record);
    store_view_end(&view);
    return err ? err : count_for_nobody(p, &record);
}

static bool is_archived(const struct passage *p)
{
    return p->note && p->note->record.views & LEDGER_ARCHIVE;
}

int offline_store(struct passage *p)
{
    enum zerr err;

    if (anonymous_is(&p->sm->store, p->owner))      /* it will not come back: who wrote hears so */
        return ZE_NO_SUCH;
    if (!is_archived(p) && !p->again_us && p->sm->settings->limits.offline_messages_max == 0)
        return ZE_NO_SUCH;
    if (!p->note && !archive_verdict(ARCHIVE_OF_ACCOUNT, p->stanza).offline)
        return TAKEN;
    err = p->note ? keep_noted(p) : p->exists ? keep(p) : keep_for_nobody(p);
    if (!err) {
        offline_kept += p->exists;
        return TAKEN;
    }
    offline_refused++;
    log_debug("offline_refused", "jid", log_slice(p->owner), "err", err_name(err), NULL);
    return err == ZE_FULL && !store_low(p->sm->store.archive) ? ZE_NO_SUCH : (int)err;
}

/* ---- handing out ---- */

struct given {
    struct passage     *p;
    struct session     *session;
    struct ledger      *ledger;
    struct ledger_id    last;
    size_t              count;
};

void offline_content(struct buf *out, const struct ledger_record *r, struct slice owner)
{
    char id[LEDGER_ID_TEXT];

    buf_put_slice(out, r->stanza.content);
    delay_write(out, r->delay_from.len ? r->delay_from : jid_domain(owner), r->origin_us ? r->origin_us : r->id.time_us);
    if (r->views & LEDGER_ARCHIVE) {
        ledger_id_write(id, r->id);
        stanza_id_write(out, owner, slice_str(id));
    }
}

static struct slice copy_content(struct given *g, const struct ledger_record *r)
{
    struct buf content = { 0 };

    offline_content(&content, r, g->p->owner);
    return outcome_keep(g->p->out, &content);
}

static void give_copy(struct given *g, const struct ledger_record *r)
{
    struct arena *arena = g->p->sm->arena;
    struct frame  f = frame_make(FRAME_STANZA);

    f.dest = g->session->c2sd;
    f.handle = g->session->conn;
    f.sender = g->session->handle;
    f.trace = ledger_id_pack(r->id);
    f.stanza = r->stanza;
    f.stanza.from = arena_copy(arena, r->stanza.from);
    f.stanza.to = arena_copy(arena, r->stanza.to);
    f.stanza.id = arena_copy(arena, r->stanza.id);
    f.stanza.lang = arena_copy(arena, r->stanza.lang);
    f.stanza.payload_ns = f.stanza.payload_name = slice_of(NULL, 0);
    f.stanza.flags |= STANZA_WAITS | STANZA_HAS_DELAY;
    f.body = f.stanza.content = copy_content(g, r);
    outcome_frame(g->p->out, AHEAD, &f);
}

static int give(void *arg, struct ledger_record *record)
{
    struct given *g = arg;

    g->last = record->id;
    if ((g->session->asked_archive && record->views & LEDGER_ARCHIVE) ||
        blocked(g->p->sm, g->p->owner, record->stanza.from)) {
        ledger_offline_take(g->ledger, outcome_archive(g->p->out), record->id);
        return 0;
    }
    if (ledger_unpack(record, g->p->sm->arena))
        return 0;
    give_copy(g, record);
    g->count++;
    return 0;
}

/* Puts what may have reached nobody before a power cut into the offline view; false: nothing was done. */
static bool recall_some(struct passage *p, struct outcome *o, struct ledger *l, uint64_t cold_us)
{
    struct ledger_query q = { .end_us = cold_us - 1, .max = LEDGER_PAGE_MOST, .bytes_max = SIZE_MAX };
    struct ledger_page  page = { .complete = false };

    if (ledger_delivered(l, &q.after) || q.after.time_us >= cold_us)
        return false;
    while (!page.complete && ledger_query(l, &q, p->sm->arena, &page) == ZE_OK && page.count) {
        for (unsigned i = 0; i < page.count; i++)
            if (page.records[i].direction == LEDGER_IN && !(page.records[i].stanza.flags & STANZA_TOMBSTONE) &&
                archive_verdict(ARCHIVE_OF_ACCOUNT, &page.records[i].stanza).offline)
                ledger_offline_again(l, outcome_archive(o), page.records[i].id);
        q.after = page.records[page.count - 1].id;
    }
    ledger_delivered_put(l, outcome_archive(o), (struct ledger_id){ cold_us, 0 });
    return true;
}

/* The first session of an account after a power cut, see ledger.h. Its batch is handed in before the view is
 * read: what waits again is handed out in its place. */
static void recall(struct passage *p)
{
    struct store_view *view = store_view(p->sm->store.archive);
    uint64_t           cold_us = archive_cold_us(p->sm, view);
    struct outcome    *o = cold_us ? outcome_new(p->sm, p->owner, outcome_trace(p->out)) : NULL;
    struct ledger      ledger;

    if (o && !ledger_open(&ledger, sm_ledger(&p->sm->store), view, p->owner) && ledger.owner_id &&
        recall_some(p, o, &ledger, cold_us) && !ledger_waiting(&ledger) && ledger.offline_count)
        log_info("archive_recalled", "jid", log_slice(p->owner), "count", log_num(ledger.offline_count), NULL);
    store_view_end(&view);
    if (o)
        outcome_settle(&o);
}

enum zerr offline_open(struct passage *p, struct ledger *l, struct store_view **view)
{
    enum zerr err;

    if (!p->session || !p->session->asked_archive)
        recall(p);
    *view = store_view(p->sm->store.archive);
    err = ledger_open(l, sm_ledger(&p->sm->store), *view, p->owner);
    return err ? err : ledger_waiting(l);
}

/* ---- by hand (0013 2.2) ---- */

static const uint64_t by_hand = UINT64_MAX;            /* as the last one that was given: nothing is behind it */

void offline_by_hand(struct session *s)
{
    s->given = by_hand;
    session_changed(s);
}

static bool is_read_by_hand(const struct online *account)
{
    ONLINE_EACH(account, node, s)
        if (s->given == by_hand)
            return true;
    return false;
}

static void offline_receptive(struct passage *p, struct session *session)
{
    struct store_view *view;
    struct ledger      ledger;
    struct given       g = { .p = p, .session = session, .ledger = &ledger };

    if (is_read_by_hand(session->account))
        return;
    if (!offline_open(p, &ledger, &view) && ledger.offline_count)
        ledger_offline_each(&ledger, ledger_id_unpack(session->given), give, &g);
    store_view_end(&view);
    if (g.last.time_us) {
        session->given = ledger_id_pack(g.last);
        session_changed(session);
    }
    offline_given += g.count;
}

/* ---- received ---- */

struct received {
    struct received *next;
    uint64_t         id;
    size_t           len;
    char             owner[];
};

struct offline {
    struct sm        *sm;
    struct live_hook  flush;          /* before the turn is true: with what says that it was received */
    struct received  *first, **end;
};

static struct slice owner_of(const struct received *r)
{
    return slice_of(r->owner, r->len);
}

/* All of one owner from the front of the list in one outcome. */
static void flush_owner(struct offline *off)
{
    struct sm         *sm = off->sm;
    struct slice       owner = arena_copy(sm->arena, owner_of(off->first));
    struct outcome    *o = outcome_new(sm, owner, 0);
    struct store_view *view = store_view(sm->store.archive);
    struct ledger      ledger;
    bool               open = !ledger_open(&ledger, sm_ledger(&sm->store), view, owner);

    while (off->first && slice_eq(owner_of(off->first), owner)) {
        struct received *r = off->first;
        if (open)
            ledger_offline_take(&ledger, outcome_archive(o), ledger_id_unpack(r->id));
        off->first = r->next;
        free(r);
    }
    store_view_end(&view);
    outcome_settle(&o);
}

static void flush(void *arg)
{
    struct offline *off = arg;

    if (!off->first)
        return;
    while (off->first)
        flush_owner(off);
    off->end = &off->first;
    arena_reset(off->sm->arena);
}

void offline_received(struct sm *sm, const struct frame *f)
{
    struct slice     owner = jid_bare(f->stanza.to);
    struct received *r;

    if (!(f->stanza.flags & STANZA_WAITS))
        return;
    if (!sm->offline) {
        sm->offline = xcalloc(1, sizeof(*sm->offline));
        sm->offline->sm = sm;
        sm->offline->end = &sm->offline->first;
        sm->offline->flush = (struct live_hook){ .run = flush, .arg = sm->offline };
        live_before_commit(sm->live, &sm->offline->flush);
    }
    r = xcalloc(1, sizeof(*r) + owner.len);
    r->id = f->trace;
    r->len = owner.len;
    memcpy(r->owner, owner.p, owner.len);
    *sm->offline->end = r;
    sm->offline->end = &r->next;
    live_dirty(sm->live);
}

void offline_confirmed(struct sm *sm, const struct kept *k)
{
    struct frame f;

    if (frame_decode(kept_bytes(k), &f) > 0 && !(f.flags & FRAME_MANAGED))
        offline_received(sm, &f);
}

void offline_free(struct sm *sm)
{
    if (!sm->offline)
        return;
    list_remove(&sm->offline->flush.link);
    for (struct received *r = sm->offline->first, *next; r; r = next) {
        next = r->next;
        free(r);
    }
    free(sm->offline);
    sm->offline = NULL;
}

static const char *const offline_disco[] = { NS_OFFLINE_F, NULL };

const struct sm_feature sm_offline = {
    .name = "offline", .spec = "XEP-0160", .disco_server = offline_disco, .stats = stats,
    .receptive = offline_receptive,
};
