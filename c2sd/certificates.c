/* Certificates of clients (certificates.h). */

#include "certificates.h"

#include "log.h"
#include "login.h"
#include "table.h"
#include "tls_authorities.h"

/* ---- authorities ---- */

static void replace(struct c2sd *s, const char *domain, struct tls_authorities *fresh)
{
    struct tls_authorities *old = fresh ? table_put(s->authorities, slice_str(domain), fresh)
                                        : table_remove(s->authorities, slice_str(domain));

    tls_authorities_free(&old);
}

static bool load_one(struct c2sd *s, const struct settings_domain *d)
{
    const char             *why;
    struct tls_authorities *fresh;

    if (!d->client_certificates[0]) {
        replace(s, d->name, NULL);
        return true;
    }
    fresh = tls_authorities_load(d->client_certificates, d->client_revocations, &why);
    if (fresh)
        replace(s, d->name, fresh);
    else
        log_error("client_authorities_refused", "domain", d->name, "path", d->client_certificates, "why", why, NULL);
    return fresh != NULL;
}

bool certificates_load(struct c2sd *s)
{
    const struct settings *set = c2sd_settings(s);
    bool                   good = true;

    for (size_t i = 0; i < set->domain_count; i++)
        good = load_one(s, &set->domain[i]) && good;
    return good;
}

void certificates_free(struct c2sd *s)
{
    for (struct table_iter i = { 0 }; table_next(s->authorities, &i);) {
        struct tls_authorities *a = i.value;
        tls_authorities_free(&a);
    }
    table_free(&s->authorities);
}

/* Before a stream has said whose it is (XEP-0368), any domain will do. */
bool certificates_wanted(const struct conn *c)
{
    return c->domain ? table_get(c->c2sd->authorities, slice_str(c->domain)) != NULL
                     : table_count(c->c2sd->authorities) > 0;
}

/* ---- what a client showed ---- */

struct look {
    struct conn *conn;
    struct slice named[AUTH_CERTIFIED_MAX];
    unsigned     count;
};

static bool named_before(const struct look *look, struct slice jid)
{
    for (unsigned i = 0; i < look->count; i++)
        if (slice_eq(look->named[i], jid))
            return true;
    return false;
}

/* An account of the stream's domain; what else it names is for other streams. */
static void take_address(void *arg, struct slice raw)
{
    struct look *look = arg;
    struct conn *c = look->conn;
    struct jid   jid;

    if (look->count == AUTH_CERTIFIED_MAX || jid_parse(raw, &jid) != ZE_OK)
        return;
    struct slice text = jid_slice(&jid);
    if (!jid_is_bare(text) || !jid_local(text).len || !slice_is(jid_domain(text), c->domain) || named_before(look, text))
        return;
    look->named[look->count++] = arena_copy(c->c2sd->arena, text);
    buf_put_sized(&c->login->certified, text);
}

void certificates_look(struct conn *c)
{
    struct tls_authorities *a = table_get(c->c2sd->authorities, slice_str(c->domain));
    struct look             look = { .conn = c };
    char                    ip[ADDRESS_MAX];

    buf_reset(&c->login->certified, 0);
    if (!a || !tls_peer_has_certificate(c->transport.tls))
        return;
    const char *why = tls_peer_uncertified(c->transport.tls, a);
    if (!why)
        tls_peer_addresses(c->transport.tls, take_address, &look);
    if (!why && !look.count)
        why = "names no account of this domain";
    log_info("client_certificate", "conn", log_hex(c->handle), "peer", conn_address(c, ip), "domain", c->domain, "jid",
             look.count ? log_slice(look.named[0]) : NULL, "count", log_num(look.count), "why", why ? why : "good", NULL);
}
