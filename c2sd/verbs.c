/* Control verbs of c2sd (DESIGN.md 8). */

#include <stdlib.h>

#include "conn.h"
#include "datetime.h"

static void put_time(struct ctl_reply *r, const char *field, uint64_t us)
{
    char text[DATETIME_MAX];

    datetime_write(text, us / 1000000 * 1000000);
    ctl_str(r, field, text);
}

static void put_conn(struct ctl_reply *r, const struct conn *c)
{
    char id[20], ip[ADDRESS_MAX];

    snprintf(id, sizeof(id), "%016llx", (unsigned long long)c->handle);
    ctl_row(r);
    ctl_str(r, "id", id);
    ctl_str(r, "address", conn_address(c, ip));
    ctl_str(r, "jid", c->jid ? c->jid : "");
    ctl_str(r, "state", conn_state_name(c->state));
    ctl_str(r, "tls", c->secure && c->transport.tls ? tls_version(c->transport.tls) : "");
    ctl_str(r, "cipher", c->secure && c->transport.tls ? tls_cipher(c->transport.tls) : "");
    put_time(r, "since", c->since_us);
}

static bool named(const struct conn *c, const char *name)
{
    char         id[20];
    struct slice asked = slice_str(name);

    snprintf(id, sizeof(id), "%016llx", (unsigned long long)c->handle);
    if (strcmp(id, name) == 0)
        return true;
    return c->jid && (slice_eq(asked, conn_jid(c)) || slice_eq(asked, jid_bare(conn_jid(c))));
}

static int verb_connections(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct conn *c;

    for (size_t i = 0; (c = conn_next(self, &i));)
        if (argc == 0 || named(c, argv[0]) || strcmp(argv[0], conn_state_name(c->state)) == 0)
            put_conn(r, c);
    return ZE_OK;
}

static int verb_close(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct conn *c;
    int          closed = 0;

    for (size_t i = 0; (c = conn_next(self, &i));) {
        if (c->state == CONN_CLOSED || !named(c, argv[0]))
            continue;
        conn_fail(c, SE_POLICY_VIOLATION, argc > 1 ? argv[1] : NULL);
        closed++;
    }
    if (closed == 0)
        return ZE_NOT_FOUND;
    ctl_row(r);
    ctl_int(r, "closed", closed);
    return ZE_OK;
}

static void put_certificate(void *arg, const struct tls_cert_info *info)
{
    struct ctl_reply *r = arg;

    ctl_row(r);
    ctl_str(r, "domain", info->directory);
    ctl_str(r, "names", info->names);
    put_time(r, "expires", (uint64_t)info->expires * 1000000);
    ctl_int(r, "chain", info->chain);
}

static int verb_tls(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct c2sd *s = self;

    (void)argc;
    (void)argv;
    if (!s->certs)
        return ZE_NOT_FOUND;
    tls_certs_each(s->certs, put_certificate, r);
    return ZE_OK;
}

const struct ctl_verb c2sd_verbs[] = {
    { "connections", "[ID|JID|STATE]", "client streams of this process",
      "id address jid state tls cipher since", "", 0, 1, verb_connections },
    { "close", "ID|JID [TEXT]", "end the streams of a client", "closed", "not_found", 1, 2, verb_close },
    { "tls", "", "certificates in use", "domain names expires chain", "not_found", 0, 0, verb_tls },
    { 0 },
};
