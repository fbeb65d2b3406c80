/* What arrives on a stream (stream.h): bytes become elements, elements find the row of the kind that takes them. */

#include "stream_inner.h"

#include "flight.h"
#include "log.h"
#include "ns.h"

static void on_peer_close(struct stream *st)
{
    if (st->state != STREAM_CLOSING && st->header_sent)
        buf_put_str(stream_out(st), "</stream:stream>");
    stream_end(st, st->told ? stream_error_name(st->told) : "closed by the peer");
    stream_leave(st);
}

/* RFC 6120 4.9.1.1: unrecoverable; the other side closes. */
static void on_stream_error(struct stream *st, const struct element *e)
{
    const struct element *condition = element_child(e, NS_STREAMS, NULL);

    st->told = stream_error_parse(condition ? condition->name : (struct slice){ 0 });
    log_info("stream_error_heard", "conn", log_hex(st->handle), "kind", st->kind->name, "domain", st->theirs,
             "err", stream_error_name(st->told), NULL);
    on_peer_close(st);
}

static const struct element_rule *rule_for(const struct stream *st, const struct element *e)
{
    for (const struct element_rule *rule = st->kind->rules; rule->handle; rule++)
        if (rule->states & S(st->state) && (rule->needs == NEEDS_NOTHING || st->secure) &&
            element_is(e, rule->ns, rule->name))
            return rule;
    return NULL;
}

static void on_element(struct stream *st, const struct element *e)
{
    if (element_is(e, NS_STREAM, "error")) {
        on_stream_error(st, e);
        return;
    }
    const struct element_rule *rule = rule_for(st, e);
    if (rule)
        rule->handle(st, e);
    else if (st->state != STREAM_CLOSING)
        stream_fail(st, SE_UNSUPPORTED_STANZA_TYPE, NULL);
}

static void on_event(struct stream *st, enum xml_event event, struct xml_item *item)
{
    switch (event) {
    case XML_OPEN:
        st->kind->opened(st, &item->open);
        break;
    case XML_STANZA:
        st->kind->stanza(st, item);
        break;
    case XML_ELEMENT:
        on_element(st, item->element);
        break;
    case XML_CLOSE:
        on_peer_close(st);
        break;
    case XML_ERROR:
        stream_fail(st, item->error, NULL);
        break;
    case XML_MORE:
        break;
    }
}

/* TLS begins behind the element that asked for it: the rest of these bytes is not XML. */
static bool takes_xml(const struct stream *st)
{
    return st->state != STREAM_CLOSED && st->state != STREAM_TLS;
}

static void on_bytes(struct transport *t, struct slice *in)
{
    struct stream *st = LIST_OWNER(t, struct stream, transport);
    struct arena  *arena = st->s2sd->arena;
    enum xml_event event = XML_OPEN;

    while (event != XML_MORE && takes_xml(st)) {
        struct xml_item item;
        event = xml_stream_feed(st->xml, arena, in, &item);
        on_event(st, event, &item);
        arena_reset(arena);
    }
}

static void on_charged(struct transport *t, size_t bytes)
{
    struct stream         *st = LIST_OWNER(t, struct stream, transport);
    const struct settings *set = s2sd_settings(st->s2sd);
    double                 rate = (double)(st->kind->stays ? set->limits.component_byte_rate : set->limits.s2s_byte_rate);
    uint64_t               ms = bucket_charge(&st->bytes, s2sd_now(st->s2sd), (double)bytes, rate, rate * 10);

    if (ms)
        stream_slow(st, ms);
}

static void on_secured(struct transport *t)
{
    struct stream *st = LIST_OWNER(t, struct stream, transport);

    st->secure = true;
    st->s2sd->counters.handshakes++;
    log_debug("stream_secured", "conn", log_hex(st->handle), "kind", tls_version(t->tls), NULL);
    xml_stream_restart(st->xml);
    stream_enter(st, STREAM_OPENING);
    st->kind->secured(st);
}

static void on_lost(struct transport *t, const char *why)
{
    struct stream *st = LIST_OWNER(t, struct stream, transport);

    if (st->state == STREAM_TLS)
        st->s2sd->counters.handshakes_failed++;
    stream_kill(st, why);
}

static void on_taken(struct transport *t)
{
    struct stream *st = LIST_OWNER(t, struct stream, transport);

    flight_taken(st);
    if (st->kind->taken && st->state == STREAM_READY)
        st->kind->taken(st);
}

static void on_closed(struct transport *t)
{
    stream_free(LIST_OWNER(t, struct stream, transport));
}

const struct transport_events stream_transport_events = {
    .bytes = on_bytes, .charged = on_charged, .secured = on_secured, .lost = on_lost, .closed = on_closed,
    .taken = on_taken,
};
