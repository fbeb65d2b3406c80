/* From a domain to addresses (resolve.h). Two questions run side by side, SRV of both kinds or AAAA
 * and A; what they bring is put in order when the second has answered. */

#include "resolve.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include <idn2.h>

#include "encode.h"
#include "mem.h"

struct resolve {
    struct loop         *loop;
    struct dns_question *question[2];
    struct deferred      soon;             /* what needs no question is told at the end of the turn */
    targets_fn          *on_targets;       /* one of the two */
    addresses_fn        *on_addresses;
    void                *owner;
    bool                 refused;          /* an SRV record says: no such service */
    bool                 silent;           /* a question went unanswered */
    uint16_t             port;
    char                 domain[DNS_NAME_MAX];
    size_t               count;
    struct srv_target    target[TARGETS_MAX];
    struct sockaddr_storage address[ADDRESSES_MAX];
};

bool resolve_ascii(const char *domain, char out[DNS_NAME_MAX])
{
    char *ascii = NULL;

    if (idn2_to_ascii_8z(domain, &ascii, IDN2_NONTRANSITIONAL) != IDN2_OK)
        return false;
    bool fits = dns_name_ok(ascii);
    if (fits)
        snprintf(out, DNS_NAME_MAX, "%s", ascii);
    idn2_free(ascii);
    return fits;
}

static bool is_localhost(const char *host)
{
    static const char suffix[] = ".localhost";
    size_t            len = strlen(host), tail = sizeof(suffix) - 1;

    return strcmp(host, suffix + 1) == 0 || (len > tail && strcmp(host + len - tail, suffix) == 0);
}

bool resolve_literal(const char *host, uint16_t port, struct sockaddr_storage *out)
{
    char   inner[64];
    size_t len = strlen(host);

    memset(out, 0, sizeof(*out));
    if (is_localhost(host))
        return uv_ip4_addr("127.0.0.1", port, (struct sockaddr_in *)out) == 0;
    if (host[0] == '[' && host[len - 1] == ']' && len - 2 < sizeof(inner)) {
        memcpy(inner, host + 1, len - 2);
        inner[len - 2] = 0;
        return uv_ip6_addr(inner, port, (struct sockaddr_in6 *)out) == 0;
    }
    return uv_ip4_addr(host, port, (struct sockaddr_in *)out) == 0;
}

void resolve_forget(struct resolve **resolve)
{
    struct resolve *r = *resolve;

    *resolve = NULL;
    if (!r)
        return;
    loop_undefer(&r->soon);
    dns_forget(&r->question[0]);
    dns_forget(&r->question[1]);
    free(r);
}

static enum zerr why_none(const struct resolve *r)
{
    return r->count ? ZE_OK : r->silent ? ZE_TIMEOUT : ZE_REMOTE;
}

static void tell(void *arg)
{
    struct resolve *r = arg;
    enum zerr       why = why_none(r);
    struct resolve  told = *r;         /* r may be gone before its answer is used up */

    resolve_forget(&r);
    if (told.on_targets)
        told.on_targets(told.owner, told.target, told.count, why);
    else
        told.on_addresses(told.owner, told.address, told.count, why);
}

static struct resolve *resolve_new(struct loop *loop, void *owner)
{
    struct resolve *r = xcalloc(1, sizeof(*r));

    r->loop = loop;
    r->owner = owner;
    r->soon = (struct deferred){ .run = tell, .arg = r };
    return r;
}

/* ---- domains ---- */

static uint32_t draw(void *arg, uint32_t most)
{
    (void)arg;
    return (uint32_t)(random_u64() % ((uint64_t)most + 1));
}

static void add_target(struct resolve *r, const char *host, const struct dns_record *srv, bool direct_tls)
{
    if (r->count == TARGETS_MAX)
        return;
    struct srv_target *t = &r->target[r->count++];
    snprintf(t->host, sizeof(t->host), "%s", host);
    t->port = srv ? srv->port : XMPP_SERVER_PORT;
    t->priority = srv ? srv->priority : 0;
    t->weight = srv ? srv->weight : 0;
    t->direct_tls = direct_tls;
}

/* RFC 2782: a single target of "." says that the service is decidedly not there. */
static void take_srv(struct resolve *r, const struct dns_answer *a, bool direct_tls)
{
    if (!a) {
        r->silent = true;
        return;
    }
    if (a->count == 1 && !a->record[0].target[0] && !direct_tls)
        r->refused = true;
    for (size_t i = 0; i < a->count; i++)
        if (a->record[i].target[0] && a->record[i].port)
            add_target(r, a->record[i].target, &a->record[i], direct_tls);
}

/* XEP-0368: both sets are one. RFC 6120 3.2.2: without any, or without an answer, the domain itself. */
static void targets_known(struct resolve *r)
{
    if (r->question[0] || r->question[1])
        return;
    srv_order(r->target, r->count, draw, NULL);
    if (r->count == 0 && !r->refused)
        add_target(r, r->domain, NULL, false);
    tell(r);
}

static void on_srv(void *owner, const struct dns_answer *a, enum zerr why)
{
    struct resolve *r = owner;

    (void)why;
    r->question[0] = NULL;
    take_srv(r, a, false);
    targets_known(r);
}

static void on_srv_tls(void *owner, const struct dns_answer *a, enum zerr why)
{
    struct resolve *r = owner;

    (void)why;
    r->question[1] = NULL;
    take_srv(r, a, true);
    targets_known(r);
}

struct resolve *resolve_domain(struct loop *loop, struct dns *dns, const char *domain, targets_fn *then,
                               void *owner)
{
    struct resolve         *r = resolve_new(loop, owner);
    struct sockaddr_storage literal;
    char                    name[DNS_NAME_MAX + 32];

    r->on_targets = then;
    if (resolve_literal(domain, XMPP_SERVER_PORT, &literal) && strlen(domain) < DNS_NAME_MAX) {
        add_target(r, domain, NULL, false);
        loop_defer(loop, &r->soon);
    } else if (!resolve_ascii(domain, r->domain)) {
        loop_defer(loop, &r->soon);
    } else {
        snprintf(name, sizeof(name), "_xmpp-server._tcp.%s", r->domain);
        r->question[0] = dns_ask(dns, name, DNS_SRV, on_srv, r);
        snprintf(name, sizeof(name), "_xmpps-server._tcp.%s", r->domain);
        r->question[1] = dns_ask(dns, name, DNS_SRV, on_srv_tls, r);
    }
    return r;
}

/* ---- addresses ---- */

static void add_address(struct resolve *r, int family, const uint8_t *address)
{
    if (r->count == ADDRESSES_MAX)
        return;
    struct sockaddr_storage *to = &r->address[r->count++];
    memset(to, 0, sizeof(*to));
    to->ss_family = (sa_family_t)family;
    if (family == AF_INET6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;
        in6->sin6_port = htons(r->port);
        memcpy(&in6->sin6_addr, address, 16);
    } else {
        struct sockaddr_in *in = (struct sockaddr_in *)to;
        in->sin_port = htons(r->port);
        memcpy(&in->sin_addr, address, 4);
    }
}

static int by_family(const void *left, const void *right)
{
    const struct sockaddr_storage *a = left, *b = right;

    return (a->ss_family != AF_INET6) - (b->ss_family != AF_INET6);
}

static void take_addresses(struct resolve *r, const struct dns_answer *a, int family)
{
    if (!a)
        r->silent = true;
    for (size_t i = 0; a && i < a->count && i < ADDRESSES_MAX / 2; i++)
        add_address(r, family, a->record[i].address);
    if (r->question[0] || r->question[1])
        return;
    qsort(r->address, r->count, sizeof(r->address[0]), by_family);
    tell(r);
}

static void on_aaaa(void *owner, const struct dns_answer *a, enum zerr why)
{
    struct resolve *r = owner;

    (void)why;
    r->question[0] = NULL;
    take_addresses(r, a, AF_INET6);
}

static void on_a(void *owner, const struct dns_answer *a, enum zerr why)
{
    struct resolve *r = owner;

    (void)why;
    r->question[1] = NULL;
    take_addresses(r, a, AF_INET);
}

static void add_localhost(struct resolve *r)
{
    uint8_t six[16] = { [15] = 1 };

    if (r->address[0].ss_family == AF_INET && r->count == 1)
        add_address(r, AF_INET6, six);
}

struct resolve *resolve_target(struct loop *loop, struct dns *dns, const struct srv_target *target,
                               addresses_fn *then, void *owner)
{
    struct resolve *r = resolve_new(loop, owner);

    r->on_addresses = then;
    r->port = target->port;
    if (resolve_literal(target->host, target->port, &r->address[0])) {
        r->count = 1;
        if (is_localhost(target->host))
            add_localhost(r);
        loop_defer(loop, &r->soon);
    } else {
        r->question[0] = dns_ask(dns, target->host, DNS_AAAA, on_aaaa, r);
        r->question[1] = dns_ask(dns, target->host, DNS_A, on_a, r);
    }
    return r;
}
