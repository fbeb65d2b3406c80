/* Stanzas of bound clients (stanzas.h): `from` is stamped, `to` prepared, the content passes untouched.
 * Frames are taken from the life of sm that holds the session, and from nobody else. */

#include "stanzas.h"

#include <stdlib.h>

#include "bind.h"
#include "fanout.h"
#include "log.h"
#include "login.h"
#include "manage.h"
#include "management.h"
#include "owner.h"
#include "register.h"
#include "sasl.h"
#include "stanza_error.h"
#include "xml_write.h"

/* Recipients. More turns are less in each, and that costs: what few get, presence among contacts, is written in one go. */
enum { FEW = 64 };

/* ---- from the client ---- */

void stanzas_refuse(struct conn *c, const struct stanza *s, enum zerr why)
{
    struct buf    content = { 0 };
    struct stanza reply, asked = *s;
    struct jid    to;

    c->c2sd->counters.stanzas_refused++;
    asked.from = conn_jid(c);
    if (asked.to.len && jid_parse(asked.to, &to) != ZE_OK)
        asked.to = slice_str(c->domain);            /* nobody can answer from an address that is none */
    else if (asked.to.len)
        asked.to = jid_slice(&to);
    if (management_answers(c, &asked, why))
        return;
    if (stanza_error_reply(&asked, why, NULL, &content, &reply))
        stanza_write(conn_out(c), &reply, (struct slice){ 0 });
    log_debug("stanza_refused", "conn", log_hex(c->handle), "kind", stanza_name_text(s->name), "err",
              err_name(why), NULL);
    buf_free(&content);
}

/* RFC 6120 8.1.2.1: absent, or the full or bare JID of this session. */
static bool from_fits(const struct conn *c, struct slice raw_jid)
{
    struct jid from;

    if (raw_jid.len == 0 || slice_eq(raw_jid, conn_jid(c)))
        return true;
    return jid_parse(raw_jid, &from) == ZE_OK &&
           (slice_eq(jid_slice(&from), conn_jid(c)) || slice_eq(jid_slice(&from), jid_bare(conn_jid(c))));
}

static enum zerr pass_on(struct conn *c, const struct stanza *s, uint64_t *trace)
{
    struct frame f = frame_make(FRAME_STANZA);
    struct jid   to;

    f.stanza = *s;
    f.stanza.from = conn_jid(c);
    if (s->to.len) {
        if (jid_parse(s->to, &to) != ZE_OK)
            return ZE_BAD_JID;
        f.stanza.to = jid_slice(&to);
    }
    f.body = s->content;
    f.trace = *trace = trace_new();
    return owner_send_stanza(c, &f);
}

static void charge_rate(struct conn *c)
{
    double   rate = (double)c2sd_settings(c->c2sd)->limits.stanza_rate;
    uint64_t ms = bucket_charge(&c->stanzas, c2sd_now(c->c2sd), 1, rate, rate * 10);

    if (ms)
        conn_slow(c, ms);
}

void stanzas_from_client(struct conn *c, struct xml_item *item)
{
    struct stanza *s = &item->stanza;
    uint64_t       trace = 0;

    charge_rate(c);
    c->c2sd->counters.stanzas_in++;
    if (!from_fits(c, s->from)) {
        conn_fail(c, SE_INVALID_FROM, NULL);
        return;
    }
    enum zerr err = xml_stanza_fault(item);
    if (!err)
        err = pass_on(c, s, &trace);
    if (err) {
        stanzas_refuse(c, s, err);
        return;
    }
    log_debug("stanza_passed", "trace", log_hex(trace), "conn", log_hex(c->handle), "kind",
              stanza_name_text(s->name), "from", c->jid, "to", log_slice(s->to), "bytes",
              log_num((int64_t)s->content.len), NULL);
}

/* ---- from sm ---- */

/* The stream a frame of its session is for; NULL: gone, or not this sender's. */
static struct conn *session_of(struct c2sd *s, uint64_t handle, const struct frame *f)
{
    struct conn *c = conn_find(s, handle);

    if (c && c->state == CONN_ACTIVE && owner_sent(c, f))
        return c;
    s->counters.stray_frames++;
    return NULL;
}

static void log_delivery(const struct conn *c, const struct frame *f)
{
    log_debug("stanza_delivered", "trace", log_hex(f->trace), "conn", log_hex(c->handle), "kind",
              stanza_name_text(f->stanza.name), "from", log_slice(f->stanza.from), "to", c->jid, "bytes",
              log_num((int64_t)f->body.len), NULL);
}

static void on_stanza(void *self, const struct frame *f)
{
    struct c2sd  *s = self;
    struct conn  *c = session_of(s, f->handle, f);
    struct stanza stanza = f->stanza;

    if (!c) {
        link_bounce(s->daemon->link, f, ZE_UNAVAILABLE);
        return;
    }
    stanza.content = f->body;
    stanza_write(conn_out(c), &stanza, (struct slice){ 0 });
    s->counters.stanzas_out++;
    c->unasked = c->managed;
    log_delivery(c, f);
}

/* Few recipients leave at once, as one does; more are a crowd (transport_out_crowd). */
static bool is_crowd(struct slice list)
{
    return list.len > FEW * FANOUT_ENTRY;
}

/* The payload is written once; each socket gets the bytes around its own `to`. A handle that is gone
 * is passed over: its SESSION_END is under way. */
static void on_fanout(void *self, const struct frame *f)
{
    struct c2sd        *s = self;
    struct stanza       stanza = f->stanza;
    struct buf          before = { 0 }, after = { 0 };
    struct cursor       list = { f->list, false };
    struct fanout_entry entry;
    bool                crowd = is_crowd(f->list);

    stanza.content = f->body;
    stanza_write_split(&before, &after, &stanza);
    while (fanout_next(&list, &entry)) {
        struct conn *c = session_of(s, entry.handle, f);
        if (!c)
            continue;
        struct slice to = entry.jid.len ? entry.jid : conn_jid(c);
        struct buf  *out = crowd ? transport_out_crowd(&c->transport) : conn_out(c);
        buf_reserve(out, buf_len(&before) + to.len + 8 + buf_len(&after));
        buf_put_slice(out, buf_slice(&before));
        buf_put_str(out, " to='");
        xml_escape(out, to);
        buf_put_str(out, "'");
        buf_put_slice(out, buf_slice(&after));
        s->counters.stanzas_out++;
        c->unasked = c->managed;
        log_delivery(c, f);
    }
    if (list.bad)
        log_warn("frame_refused", "kind", "FANOUT", "trace", log_hex(f->trace), NULL);
    buf_free(&before);
    buf_free(&after);
}

static void on_session_end(void *self, const struct frame *f)
{
    struct c2sd       *s = self;
    struct conn       *c = session_of(s, f->handle, f);
    struct session_end end;

    if (!c)
        return;
    if (session_end_take(f->body, &end) != ZE_OK) {
        log_warn("frame_refused", "kind", "SESSION_END", "conn", log_hex(c->handle), NULL);
        return;
    }
    c->session = 0;                 /* sm knows */
    char *text = end.text.len ? xstrndup(end.text) : NULL;
    if (end.condition.len)
        conn_fail(c, stream_error_parse(end.condition), text);
    else
        conn_close(c, text ? text : "ended by the session");
    free(text);
}

static void on_manage(void *self, const struct frame *f)
{
    struct c2sd *s = self;
    struct conn *c = conn_find(s, f->handle);

    if (c && f->origin.role == ROLE_SM && (c->state == CONN_RESUMING || session_of(s, f->handle, f)))
        management_on_frame(c, f);
}

/* sm must not keep a session for a stream that is gone, or give it to one that did not ask. */
static void give_back(struct c2sd *s, const struct frame *f, bool broken)
{
    struct session_end end = { .broken = broken };
    struct frame       back = frame_make(FRAME_SESSION_END);
    struct buf         body = { 0 };

    session_end_put(&body, &end);
    back.dest = f->origin;
    back.handle = f->sender;
    back.sender = f->handle;
    back.body = buf_slice(&body);
    link_send(s->daemon->link, &back);
    buf_free(&body);
}

static void on_resumed(void *self, const struct frame *f)
{
    struct c2sd   *s = self;
    struct conn   *c = conn_find(s, f->handle);
    struct resumed resumed;

    if (c && c->state == CONN_RESUMING)
        management_on_resumed(c, f);
    else if (resumed_take(f->body, &resumed) == ZE_OK && !resumed.err)
        give_back(s, f, true);
}

static void on_bound(void *self, const struct frame *f)
{
    struct c2sd  *s = self;
    struct conn  *c = conn_find(s, f->handle);
    struct bound  bound;

    if (c && c->state == CONN_BINDING && c->waiting && f->trace == c->login->trace) {
        bind_on_bound(c, f);
        return;
    }
    /* The client left meanwhile: sm must not keep a session that nobody holds. */
    if (bound_take(f->body, &bound) == ZE_OK && !bound.err)
        give_back(s, f, false);
}

static void on_auth_step(void *self, const struct frame *f)
{
    struct conn *c = conn_find(self, f->handle);

    if (c && c->login)
        sasl_on_step(c, f);
}

static void on_auth_done(void *self, const struct frame *f)
{
    struct conn *c = conn_find(self, f->handle);

    if (c && c->login)
        sasl_on_done(c, f);
}

static void on_registered(void *self, const struct frame *f)
{
    struct conn *c = conn_find(self, f->handle);

    if (c && c->login && c->state == CONN_FEATURES && c->waiting)
        register_on_registered(c, f);
}

/* ---- what came back ---- */

static void unanswered(struct conn *c, enum zerr why)
{
    if (!c->waiting)
        return;
    if (c->state == CONN_SASL)
        sasl_unanswered(c);
    else if (c->state == CONN_BINDING)
        bind_unanswered(c, why);
    else if (c->state == CONN_RESUMING)
        management_unanswered(c, why);
    else if (c->state == CONN_FEATURES)
        register_unanswered(c, why);
}

static void on_bounce(void *self, const struct frame *f)
{
    struct frame original;
    enum zerr    why;

    /* Only who was asked, or who could not pass it on, can say that it failed. */
    if (!(f->origin.role & (ROLE_ROUTERD | ROLE_SM)) || bounce_decode(f, &why, &original) != ZE_OK) {
        log_warn("frame_refused", "kind", "BOUNCE", NULL);
        return;
    }
    struct conn *c = conn_find(self, original.sender);
    if (!c)
        return;
    if (original.kind != FRAME_STANZA) {
        if (c->login && (c->state == CONN_FEATURES || original.trace == c->login->trace))
            unanswered(c, why);
        return;
    }
    if (c->state != CONN_ACTIVE)
        return;
    if (f->origin.role == ROLE_ROUTERD)         /* our own link gave up on it; else it was confirmed too */
        owner_stanza_returned(c, f->body.len - sizeof(int32_t));
    original.stanza.content = original.body;
    stanzas_refuse(c, &original.stanza, why);
}

frame_handler *const c2sd_handlers[FRAME_KIND_MAX] = {
    [FRAME_STANZA] = on_stanza,         [FRAME_FANOUT] = on_fanout,       [FRAME_BOUNCE] = on_bounce,
    [FRAME_AUTH_STEP] = on_auth_step,   [FRAME_AUTH_DONE] = on_auth_done, [FRAME_REGISTERED] = on_registered,
    [FRAME_BOUND] = on_bound,           [FRAME_SESSION_END] = on_session_end,
    [FRAME_MOVED] = owner_on_moved,
    [FRAME_MANAGE] = on_manage,         [FRAME_RESUMED] = on_resumed,
};
