/* Messages on their way into the archive (archive.h). The id is given before delivery (XEP-0313 3.3.3: what
 * is delivered names it) and the record goes into the outcome's batch: delivery does not wait for the
 * commit, acknowledgements do (DESIGN.md 2.6). A message to oneself is stored once (5.1.1.1), when it
 * comes in. */

#include "archive.h"

#include "csi.h"
#include "cursor.h"
#include "jid.h"
#include "log.h"
#include "ns.h"
#include "archive_rules.h"
#include "preferences.h"
#include "resume.h"
#include "retraction.h"
#include "stanza_id.h"
#include "xml_cut.h"

static uint64_t archived, archive_refused, ids_forged;

static const struct stat_row stats[] = {
    { "archived", "records written to archives of accounts", &archived },
    { "archive_refused", "messages returned because they could not be archived", &archive_refused },
    { "stanza_ids_forged", "messages with a stanza-id that claimed to be ours", &ids_forged },
    { 0 },
};

struct ledger_limits archive_limits(const struct sm *sm)
{
    return (struct ledger_limits){
        sm->settings->limits.offline_messages_max, sm->settings->limits.offline_bytes_max,
    };
}

/* ---- ids ---- */

static bool is_ours(void *arg, struct slice bare)
{
    return sm_serves(arg, jid_domain(bare));
}

struct delays {
    struct sm *sm;
    bool       others;                 /* there is one that may stay */
};

static bool is_our_delay(void *arg, const struct element *e)
{
    struct delays *d = arg;
    struct jid     from;
    bool           ours;

    if (!element_is(e, NS_DELAY, "delay"))
        return false;
    ours = jid_parse(element_attr(e, "from"), &from) == ZE_OK && sm_serves(d->sm, jid_slice(&from));
    d->others |= !ours;
    return ours;
}

void archive_unforge(struct sm *sm, struct stanza *s)
{
    struct xml_limits limits = sm_xml_limits(sm);
    struct delays     delays = { sm, false };
    struct slice      content = stanza_id_strip(sm->arena, s, is_ours, sm, &limits);

    ids_forged += content.p != s->content.p;
    s->content = content;
    if (!(s->flags & STANZA_HAS_DELAY))
        return;
    s->content = xml_cut(sm->arena, content, &limits, is_our_delay, &delays);
    if (!delays.others)
        s->flags &= ~(uint32_t)STANZA_HAS_DELAY;
}

static struct slice with_id(struct passage *p, struct slice content, struct ledger_id id)
{
    char       text[LEDGER_ID_TEXT];
    struct buf out = { 0 };

    ledger_id_write(text, id);
    buf_put_slice(&out, content);
    stanza_id_write(&out, p->owner, slice_str(text));
    return outcome_keep(p->out, &out);
}

enum zerr archive_id_of(const struct stanza *s, struct slice owner, struct ledger_id *id)
{
    struct slice text = s->name == STANZA_MESSAGE ? stanza_id_own(s->content, owner) : slice_of(NULL, 0);

    return text.p ? ledger_id_parse(text, id) : ZE_NOT_FOUND;
}

static struct slice id_text(struct passage *p, struct ledger_id id)
{
    char *text = arena_alloc(p->sm->arena, LEDGER_ID_TEXT);

    ledger_id_write(text, id);
    return slice_str(text);
}

/* ---- what the sender keeps ---- */

static enum zerr append_sent(struct passage *p, struct ledger *ledger)
{
    struct ledger_limits limits = archive_limits(p->sm);
    struct ledger_record record = { .views = LEDGER_ARCHIVE, .direction = LEDGER_OUT, .stanza = *p->stanza };
    enum zerr            err = ledger_may_append(ledger, &record);

    if (!err) {
        record.id = ledger_next_id(ledger, wall_us());
        err = ledger_append(ledger, outcome_archive(p->out), &limits, &record);
        p->sent_id = id_text(p, record.id);
    }
    archived += !err;
    return err;
}

static enum zerr keep_sent(struct passage *p, bool archive)
{
    struct store_view *view = store_view(p->sm->store.archive);
    struct ledger      ledger;
    enum zerr          err = ledger_open(&ledger, sm_ledger(&p->sm->store), view, p->owner);

    if (!err && archive)
        err = append_sent(p, &ledger);
    if (!err && retraction_is(p))
        retraction_apply(p, &ledger, LEDGER_OUT);
    store_view_end(&view);
    archive_refused += err != ZE_OK;
    return err;
}

/* Rules of the house first: they cost nothing. other: to or from whom it is. */
static bool archives(const struct passage *p, struct slice other)
{
    return p->sm->settings->server.archive && archive_verdict(ARCHIVE_OF_ACCOUNT, p->stanza).archive &&
           preferences_allow(p->sm, p->owner, other);
}

static int archive_outgoing(struct passage *p)
{
    struct stanza *s = p->stanza;
    bool           archive;

    if (s->name != STANZA_MESSAGE)
        return GO_ON;
    archive_unforge(p->sm, s);
    if (p->guest || !s->to.len || slice_eq(jid_bare(s->to), p->owner))
        return GO_ON;
    archive = archives(p, s->to);
    return archive || retraction_is(p) ? (int)keep_sent(p, archive) : GO_ON;
}

/* ---- what the recipient gets ---- */

static enum zerr note_record(struct passage *p, struct archive_note *note)
{
    enum zerr err = ledger_open(&note->ledger, sm_ledger(&p->sm->store), note->view, p->owner);

    if (!err)
        err = ledger_may_append(&note->ledger, &note->record);
    if (!err)
        note->record.id = ledger_next_id(&note->ledger, wall_us());
    return err;
}

/* What the sessions get: with our id when it is archived. */
static void note_deliver(struct passage *p, const struct archive_note *note)
{
    struct stanza *delivered = arena_alloc(p->sm->arena, sizeof(*delivered));

    *delivered = *p->stanza;
    if (note->record.views)
        delivered->content = with_id(p, delivered->content, note->record.id);
    p->stanza = delivered;
}

static enum zerr note_new(struct passage *p, bool archive)
{
    struct archive_note *note = arena_alloc(p->sm->arena, sizeof(*note));
    enum zerr            err;

    *note = (struct archive_note){
        .view = store_view(p->sm->store.archive), .original = p->stanza,
        .offline = archive_verdict(ARCHIVE_OF_ACCOUNT, p->stanza).offline,
        .record = { .views = archive ? LEDGER_ARCHIVE : 0, .direction = LEDGER_IN, .stanza = *p->stanza },
    };
    err = note_record(p, note);
    if (err) {
        store_view_end(&note->view);
        return err;
    }
    note_deliver(p, note);
    p->note = note;
    return ZE_OK;
}

static int archive_incoming(struct passage *p)
{
    struct stanza *s = p->stanza;
    enum zerr      err = ZE_OK;
    bool           archive;

    if (s->name != STANZA_MESSAGE || p->again_us)
        return GO_ON;
    archive_unforge(p->sm, s);
    if (p->guest)
        return GO_ON;
    archive = archives(p, s->from);
    if (archive || retraction_is(p))
        err = note_new(p, archive);
    archive_refused += p->exists && err != ZE_OK;
    return err;
}

enum { MARK_US = 60 * 1000000 };

void archive_mark(struct passage *p, struct ledger *l, uint64_t now_us)
{
    struct online   *account = session_online(p->sm->sessions, p->owner);
    uint64_t         open_us = now_us;
    struct ledger_id mark;

    if (!account || now_us < account->marked_us + MARK_US)
        return;
    account->marked_us = now_us;
    ONLINE_EACH(account, node, s) {
        uint64_t queued_us = resume_oldest_us(s), held_us = csi_oldest_us(s);
        uint64_t oldest_us = queued_us < held_us ? queued_us : held_us;
        if (oldest_us < open_us)
            open_us = oldest_us;
    }
    if (!ledger_delivered(l, &mark) && open_us - MARK_US > mark.time_us)
        ledger_delivered_put(l, outcome_archive(p->out), (struct ledger_id){ open_us - MARK_US, 0 });
}

static enum zerr note_write(struct passage *p, struct archive_note *note)
{
    struct ledger_limits limits = archive_limits(p->sm);
    enum zerr            err = ZE_OK;

    if (note->record.views && !note->done)
        err = ledger_append(&note->ledger, outcome_archive(p->out), &limits, &note->record);
    if (err)
        return err;
    archived += note->record.views & LEDGER_ARCHIVE ? 1 : 0;
    if (retraction_is(p))
        retraction_apply(p, &note->ledger, LEDGER_IN);
    archive_mark(p, &note->ledger, wall_us());
    return ZE_OK;
}

int archive_settle(struct passage *p, int did)
{
    struct archive_note *note = p->note;
    enum zerr            err = ZE_OK;

    if (!note)
        return did;
    p->stanza = (struct stanza *)note->original;
    if (did >= 0 && p->exists)
        err = note_write(p, note);
    store_view_end(&note->view);
    p->note = NULL;
    return err ? (int)err : did;
}

/* ---- the mark (ledger.h) ---- */

/* The last session ends: what it left unacknowledged enters the offline view in the same batch. */
static void archive_offline(struct passage *p, struct session *s)
{
    struct store_view *view;
    struct ledger      ledger;
    struct ledger_id   mark, newest;

    if (s->account->count > 1)
        return;
    view = store_view(p->sm->store.archive);
    if (!ledger_open(&ledger, sm_ledger(&p->sm->store), view, p->owner) && !ledger_delivered(&ledger, &mark)) {
        newest = ledger_newest(&ledger);
        if (ledger_id_cmp(newest, mark) > 0)
            ledger_delivered_put(&ledger, outcome_archive(p->out), newest);
    }
    store_view_end(&view);
}

/* ---- after a power cut ---- */

/* A_ARCHIVE_META: u16 0 "cold" u32 instance -> u8 format 1, u64 us. */
static struct slice cold_key(const struct sm *sm, struct buf *key)
{
    store_key(key, 0, SLICE("cold"));
    buf_put_u32(key, sm->self.instance);
    return buf_slice(key);
}

void archive_cold_start(struct sm *sm, uint64_t now_us)
{
    struct store_batch *batch = store_batch(slice_of(NULL, 0));     /* of no slot */
    struct buf          key = { 0 }, value = { 0 };

    buf_put_u8(&value, 1);
    buf_put_u64(&value, now_us);
    store_put(batch, A_ARCHIVE_META, cold_key(sm, &key), buf_slice(&value));
    store_commit(sm->store.archive, &batch, NULL, NULL);
    buf_free(&key);
    buf_free(&value);
}

uint64_t archive_cold_us(const struct sm *sm, struct store_view *view)
{
    struct buf    key = { 0 };
    struct cursor c = { store_get(view, A_ARCHIVE_META, cold_key(sm, &key)), false };
    unsigned      format = take_u8(&c);
    uint64_t      us = take_u64(&c);

    buf_free(&key);
    return cursor_done(&c) && format == 1 ? us : 0;
}

static void archive_removed(struct passage *p)
{
    struct store_view *view = store_view(p->sm->store.archive);
    struct ledger      ledger;

    if (!ledger_open(&ledger, sm_ledger(&p->sm->store), view, p->owner))
        ledger_forget(&ledger, outcome_archive(p->out));
    store_view_end(&view);
}

static const char *const archive_disco[] = { NS_SID, NULL };

const struct sm_feature sm_archive = {
    .name = "archive", .spec = "XEP-0313 5.1, XEP-0359", .disco_account = archive_disco, .stats = stats,
    .outgoing = archive_outgoing, .incoming = archive_incoming, .offline = archive_offline,
    .removed = archive_removed, .guests = true,
};
