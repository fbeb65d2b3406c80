/* DNS questions on the loop (dns_client.h). Each try has a socket of its own, connected to the server
 * it asks: the kernel chooses a random port, drops what others send, and tells of a closed port at
 * once. A forger has to guess port, id and the case of the letters (draft-vixie-dnsext-dns0x20). */

#include "dns_client.h"

#include <stdio.h>
#include <stdlib.h>

#include "dns_cache.h"
#include "dns_servers.h"
#include "dns_tcp.h"
#include "encode.h"
#include "log.h"
#include "mem.h"

enum { CACHE_MAX = 4096, QUESTIONS_MAX = 1024, PACKET_MAX = 4096, TCP_MS = 5000 };

static const unsigned patience_ms[] = { 1000, 2000, 4000 };

struct dns {
    struct loop       *loop;
    struct dns_servers servers;
    struct dns_cache  *cache;
    struct list        questions;
    size_t             count;
    struct dns_figures figures;
    uint8_t            packet[PACKET_MAX];
};

struct dns_question {
    struct list        link;
    struct dns        *dns;
    dns_fn            *then;
    void              *owner;
    struct timer       patience;
    struct deferred    soon;              /* tells what needs no server */
    uv_udp_t          *udp;               /* of the present try */
    struct dns_tcp    *tcp;
    unsigned           type, tries, hops;
    enum zerr          why;
    uint16_t           id;
    struct dns_answer *known;             /* a copy from the cache, to be told */
    char               name[DNS_NAME_MAX], wire_name[DNS_NAME_MAX];
};

/* ---- the end of a question ---- */

static void on_udp_close(uv_handle_t *handle)
{
    free(handle);
}

static void stop_asking(struct dns_question *q)
{
    timer_disarm(&q->patience);
    dns_tcp_forget(&q->tcp);
    if (!q->udp)
        return;
    q->udp->data = NULL;
    uv_close((uv_handle_t *)q->udp, on_udp_close);
    q->udp = NULL;
}

void dns_forget(struct dns_question **question)
{
    struct dns_question *q = *question;

    *question = NULL;
    if (!q)
        return;
    stop_asking(q);
    loop_undefer(&q->soon);
    list_remove(&q->link);
    q->dns->count--;
    free(q->known);
    free(q);
}

static void tell(struct dns_question *q, const struct dns_answer *answer, enum zerr why)
{
    dns_fn *then = q->then;
    void   *owner = q->owner;

    dns_forget(&q);
    then(owner, answer, why);
}

static void tell_soon(void *arg)
{
    struct dns_question *q = arg;
    struct dns_answer   *known = q->known;

    q->known = NULL;
    tell(q, known, known ? ZE_OK : q->why);
    free(known);
}

/* Told later, since the asker may still be in dns_ask. */
static void fail(struct dns_question *q, enum zerr why)
{
    stop_asking(q);
    q->why = why;
    if (why == ZE_TIMEOUT)
        q->dns->figures.timeouts++;
    loop_defer(q->dns->loop, &q->soon);
}

/* ---- tries ---- */

static void on_packet(struct dns_question *q, struct slice packet, bool by_tcp);
static void ask_next(void *question);

static void alloc_packet(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct dns_question *q = handle->data;

    (void)suggested;
    *out = q ? uv_buf_init((char *)q->dns->packet, PACKET_MAX) : uv_buf_init(NULL, 0);
}

static void on_udp(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from, unsigned flags)
{
    struct dns_question *q = udp->data;

    (void)flags;
    if (!q || (n == 0 && !from))
        return;
    if (n < 0)
        ask_next(q);              /* nobody listens there */
    else
        on_packet(q, slice_of(buf->base, (size_t)n), false);
}

static const struct sockaddr *server_of(const struct dns_question *q)
{
    const struct dns_servers *servers = &q->dns->servers;

    return (const struct sockaddr *)&servers->server[(q->tries - 1) % servers->count];
}

/* The last try asks in plain lower case: some servers do not give the case back. */
static bool write_query(struct dns_question *q, struct buf *query)
{
    q->id = (uint16_t)random_u64();
    memcpy(q->wire_name, q->name, sizeof(q->wire_name));
    if (q->tries < COUNT_OF(patience_ms))
        dns_mix_case(q->wire_name, random_u64());
    return dns_query_write(query, q->id, q->wire_name, q->type) == ZE_OK;
}

static bool send_query(struct dns_question *q, struct slice query)
{
    uv_buf_t piece = uv_buf_init((char *)query.p, (unsigned)query.len);

    q->udp = xcalloc(1, sizeof(*q->udp));
    uv_udp_init(loop_uv(q->dns->loop), q->udp);
    q->udp->data = q;
    q->dns->figures.sent++;
    return uv_udp_connect(q->udp, server_of(q)) == 0 &&
           uv_udp_recv_start(q->udp, alloc_packet, on_udp) == 0 &&
           uv_udp_try_send(q->udp, &piece, 1, NULL) == (int)query.len;
}

static bool try_once(struct dns_question *q)
{
    struct buf query = { 0 };

    q->tries++;
    bool sent = write_query(q, &query) && send_query(q, buf_slice(&query));
    buf_free(&query);
    if (sent)
        timer_arm(q->dns->loop, &q->patience, patience_ms[q->tries - 1]);
    return sent;
}

static void ask_next(void *question)
{
    struct dns_question *q = question;

    do {
        stop_asking(q);
        if (q->tries == COUNT_OF(patience_ms)) {
            fail(q, ZE_TIMEOUT);
            return;
        }
    } while (!try_once(q));
}

/* ---- answers ---- */

static void on_tcp(void *question, struct slice packet)
{
    struct dns_question *q = question;

    q->tcp = NULL;
    if (packet.len)
        on_packet(q, packet, true);
    else
        ask_next(q);
}

static void ask_by_tcp(struct dns_question *q)
{
    struct buf query = { 0 };

    stop_asking(q);
    q->dns->figures.tcp++;
    if (write_query(q, &query))
        q->tcp = dns_tcp_ask(q->dns->loop, server_of(q), buf_slice(&query), TCP_MS, on_tcp, q);
    else
        fail(q, ZE_TIMEOUT);
    buf_free(&query);
}

static void follow(struct dns_question *q, const char *alias)
{
    if (++q->hops > DNS_HOPS_MAX || !dns_name_ok(alias)) {
        fail(q, ZE_TIMEOUT);
        return;
    }
    snprintf(q->name, sizeof(q->name), "%s", alias);
    q->tries = 0;
    ask_next(q);
}

static void on_answer(struct dns_question *q, const struct dns_answer *a, bool by_tcp)
{
    switch (a->outcome) {
    case DNS_FOUND:
    case DNS_NOTHING:
        dns_cache_put(q->dns->cache, q->name, q->type, a, loop_now_ms(q->dns->loop));
        tell(q, a, ZE_OK);
        return;
    case DNS_ALIAS:
        follow(q, a->alias);
        return;
    case DNS_TRUNCATED:
        if (!by_tcp) {
            ask_by_tcp(q);
            return;
        }
        break;
    case DNS_FAILED:
        break;
    }
    ask_next(q);
}

static void on_packet(struct dns_question *q, struct slice packet, bool by_tcp)
{
    struct dns_answer *a = dns_answer_read(packet, q->id, q->wire_name, q->type);

    if (a) {
        on_answer(q, a, by_tcp);
    } else {
        q->dns->figures.refused_packets++;        /* forged, or late: wait on */
        if (by_tcp)
            ask_next(q);
    }
    free(a);
}

/* ---- asking ---- */

static struct dns_answer *copy_answer(const struct dns_answer *a)
{
    size_t             size = sizeof(*a) + a->count * sizeof(a->record[0]);
    struct dns_answer *copy = xmalloc(size);

    memcpy(copy, a, size);
    return copy;
}

struct dns_question *dns_ask(struct dns *dns, const char *name, unsigned type, dns_fn *then, void *owner)
{
    struct dns_question     *q = xcalloc(1, sizeof(*q));
    const struct dns_answer *known = NULL;

    q->dns = dns;
    q->then = then;
    q->owner = owner;
    q->type = type;
    q->soon = (struct deferred){ .run = tell_soon, .arg = q };
    q->patience = (struct timer){ .fire = ask_next, .arg = q };
    list_append(&dns->questions, &q->link);
    dns->figures.questions++;
    snprintf(q->name, sizeof(q->name), "%s", name);
    if (dns_name_ok(name))
        known = dns_cache_get(dns->cache, name, type, loop_now_ms(dns->loop));
    if (known) {
        dns->figures.cached++;
        q->known = copy_answer(known);
        loop_defer(dns->loop, &q->soon);
    } else if (dns->count >= QUESTIONS_MAX || !dns_name_ok(name)) {
        fail(q, ZE_FULL);
    } else {
        ask_next(q);
    }
    dns->count++;
    return q;
}

const struct dns_figures *dns_figures(const struct dns *dns)
{
    return &dns->figures;
}

/* ---- life ---- */

bool dns_reload(struct dns *dns, const char *resolver)
{
    struct dns_servers fresh;

    if (!dns_servers_find(resolver, "/etc/resolv.conf", &fresh)) {
        log_error("resolver_refused", "to", resolver, "why", "not ADDRESS or ADDRESS:PORT", NULL);
        return false;
    }
    dns->servers = fresh;
    dns_cache_forget(dns->cache);
    return true;
}

struct dns *dns_new(struct loop *loop, const char *resolver)
{
    struct dns *dns = xcalloc(1, sizeof(*dns));

    dns->loop = loop;
    dns->cache = dns_cache_new(CACHE_MAX);
    list_init(&dns->questions);
    if (!dns_reload(dns, resolver))
        dns_free(&dns);
    return dns;
}

void dns_free(struct dns **dns)
{
    struct dns *d = *dns;

    *dns = NULL;
    if (!d)
        return;
    while (!list_empty(&d->questions)) {
        struct dns_question *q = LIST_OWNER(d->questions.next, struct dns_question, link);
        dns_forget(&q);
    }
    dns_cache_free(&d->cache);
    free(d);
}
