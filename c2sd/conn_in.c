/* What the transport says of a client's stream (conn.h): bytes become elements and stanzas, each to who takes it. */

#include "conn_inner.h"

#include <stdlib.h>

#include "certificates.h"
#include "log.h"
#include "management.h"
#include "negotiate.h"
#include "stanzas.h"
#include "tls_authorities.h"

static void on_event(struct conn *c, enum xml_event event, struct xml_item *item)
{
    switch (event) {
    case XML_OPEN:    negotiate_open(c, &item->open); break;
    case XML_ELEMENT: negotiate_element(c, item->element); break;
    case XML_CLOSE:   conn_close(c, "closed by the client"); break;
    case XML_ERROR:   conn_fail(c, item->error, NULL); break;
    case XML_STANZA:
        if (negotiate_stanza(c, &item->stanza))
            break;
        if (c->state == CONN_ACTIVE)
            stanzas_from_client(c, item);
        else    /* RFC 6120 4.9.3.12: a stanza before login */
            conn_fail(c, SE_NOT_AUTHORIZED, NULL);
        break;
    case XML_MORE: break;
    }
}

static void on_bytes(struct transport *t, struct slice *in)
{
    struct conn *c = LIST_OWNER(t, struct conn, transport);

    while (in->len && !c->waiting && !c->moving && c->state != CONN_CLOSED && c->state != CONN_TLS) {
        struct xml_item item = { 0 };

        arena_reset(c->c2sd->arena);
        enum xml_event event = xml_stream_feed(c->xml, c->c2sd->arena, in, &item);
        if (event == XML_MORE)
            break;
        on_event(c, event, &item);
    }
    management_flush(c);
}

static void on_sending(struct transport *t, struct buf *out)
{
    management_ask(LIST_OWNER(t, struct conn, transport), out);
}

static void on_charged(struct transport *t, size_t bytes)
{
    struct conn           *c = LIST_OWNER(t, struct conn, transport);
    const struct settings *s = c2sd_settings(c->c2sd);
    uint64_t               now = c2sd_now(c->c2sd);
    double                 rate = (double)s->limits.byte_rate;

    c->heard_ms = now;
    uint64_t ms = bucket_charge(&c->bytes, now, (double)bytes, rate, rate * 10);
    if (ms)
        conn_slow(c, ms);
    if (c->session && link_congested(c->c2sd->daemon->link, c->owner.instance))
        conn_slow(c, SLOWED_TICK_MS);
}

static void on_secured(struct transport *t)
{
    struct conn *c = LIST_OWNER(t, struct conn, transport);

    c->secure = true;
    c->c2sd->counters.handshakes++;
    log_debug("tls_ready", "conn", log_hex(c->handle), "kind", tls_version(t->tls), NULL);
    xml_stream_restart(c->xml);
    conn_enter(c, CONN_OPENING);
}

static void on_lost(struct transport *t, const char *why)
{
    struct conn *c = LIST_OWNER(t, struct conn, transport);

    if (c->state == CONN_CLOSED)
        return;
    if (c->state == CONN_TLS)
        c->c2sd->counters.handshakes_failed++;
    conn_leave(c, "remote-connection-failed", why, true);
}

static void on_closed(struct transport *t)
{
    struct conn *c = LIST_OWNER(t, struct conn, transport);
    struct c2sd *s = c->c2sd;

    timer_disarm(&c->patience);
    list_remove(&c->slowed);
    conn_leave_handle(s, c);
    if (c->counted) {
        limits_release(s->limits, &c->ip, c2sd_now(s));
        s->counters.connections--;
    }
    xml_stream_free(&c->xml);
    conn_login_done(c);
    free(c->domain);
    free(c->jid);
    free(c);
    if (s->draining && s->slots_used == 0)
        daemon_drained(s->daemon);
}

const struct transport_events conn_events = {
    .bytes = on_bytes, .charged = on_charged, .secured = on_secured, .lost = on_lost, .closed = on_closed,
    .sending = on_sending,
};

bool conn_start_tls(struct conn *c)
{
    if (!c->c2sd->certs) {
        conn_close(c, "no certificate");
        return false;
    }
    /* XEP-0368 names the protocol by ALPN; after STARTTLS there is nothing to choose. */
    struct tls *tls = tls_new(c->c2sd->certs, TLS_SERVER, TLS_FOR_C2S, NULL, c->direct_tls ? "xmpp-client" : NULL);
    if (certificates_wanted(c))
        tls_ask_certificate(tls);
    transport_secure(&c->transport, tls);
    return true;
}
