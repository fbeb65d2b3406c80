/* Stream negotiation as one table (negotiate.h). What is announced is what is legal. */

#include "negotiate.h"

#include <ctype.h>
#include <stdlib.h>

#include "bind.h"
#include "blob.h"
#include "certificates.h"
#include "log.h"
#include "management.h"
#include "ns.h"
#include "register.h"
#include "sasl.h"
#include "starttls.h"
#include "stream_limits.h"
#include "table.h"
#include "xml_write.h"

/* RFC 6121 2.6.1 and 3.4.1: sm does both; the stream only says so. */
static void feature_rosterver(struct conn *c, struct buf *out)
{
    (void)c;
    buf_put_str(out, "<ver xmlns='" NS_ROSTERVER "'/>");
}

static void feature_preapproval(struct conn *c, struct buf *out)
{
    (void)c;
    buf_put_str(out, "<sub xmlns='" NS_PREAPPROVAL "'/>");
}

/* XEP-0115 6.3, XEP-0390 5.2. Nobody here knows what the server is able to do before an sm has said it: with the
 * outcome of a login. */
static void feature_caps(struct conn *c, struct buf *out)
{
    const struct blob *caps = table_get(c->c2sd->caps, slice_str(c->domain));

    if (caps)
        buf_put_slice(out, blob_slice(caps));
}

void negotiate_caps(struct c2sd *s, struct slice domain, struct slice caps)
{
    struct blob *before = table_get(s->caps, domain);

    if (!caps.len || (before && slice_eq(blob_slice(before), caps)))
        return;
    before = table_put(s->caps, domain, blob_copy(caps));
    blob_unref(&before);
}

void negotiate_caps_free(struct c2sd *s)
{
    for (struct table_iter i = { 0 }; table_next(s->caps, &i);) {
        struct blob *caps = i.value;
        blob_unref(&caps);
    }
    table_free(&s->caps);
}

/* RFC 3921 3, for clients that still ask; <optional/> tells the others that they need not. */
static void feature_session(struct conn *c, struct buf *out)
{
    (void)c;
    buf_put_str(out, "<session xmlns='" NS_SESSION "'><optional/></session>");
}

/* XEP-0478 3.1. Before login a stream has its time, however busy it is; after it silence is what counts. */
static void feature_limits(struct conn *c, struct buf *out)
{
    const struct settings *s = c2sd_settings(c->c2sd);

    stream_limits_write(out, c->authenticated ? s->limits.stanza_max : s->limits.stanza_max_early,
                        c->authenticated ? s->limits.idle_ping : 0);
}

#define FEATURES S(CONN_FEATURES)

static const struct element_rule rules[] = {
    /* legal        offered   needs                        never */
    { FEATURES,     FEATURES, HAVE_CERTS,                  HAVE_TLS | HAVE_AUTH, NS_TLS, "starttls", false,
      starttls_begin, starttls_feature },
    { FEATURES,     FEATURES, HAVE_SAFE,                   HAVE_AUTH, NS_SASL, "auth", false,
      sasl1_auth, sasl1_features },
    { FEATURES,     0,        0,                           HAVE_SAFE | HAVE_AUTH, NS_SASL, "auth", false,
      sasl1_too_early, NULL },
    { S(CONN_SASL), 0,        HAVE_SAFE,                   HAVE_AUTH | HAVE_SASL2, NS_SASL, "response", false,
      sasl1_response, NULL },
    { S(CONN_SASL), 0,        HAVE_SAFE,                   HAVE_AUTH | HAVE_SASL2, NS_SASL, "abort", false,
      sasl1_abort, NULL },
    { 0,            FEATURES, HAVE_TLS,                    HAVE_AUTH, NS_SASL_CB, "sasl-channel-binding", false,
      NULL, sasl_binding_features },
    /* XEP-0388 5: only inside TLS, whatever server.require_tls says */
    { FEATURES,     FEATURES, HAVE_TLS,                    HAVE_AUTH, NS_SASL2, "authenticate", false,
      sasl2_authenticate, sasl2_features },
    { FEATURES,     0,        0,                           HAVE_TLS | HAVE_AUTH, NS_SASL2, "authenticate", false,
      sasl2_too_early, NULL },
    { S(CONN_SASL), 0,        HAVE_SASL2,                  HAVE_AUTH, NS_SASL2, "response", false,
      sasl2_response, NULL },
    { S(CONN_SASL), 0,        HAVE_SASL2,                  HAVE_AUTH, NS_SASL2, "next", false,
      sasl2_next, NULL },
    { S(CONN_SASL), 0,        HAVE_SASL2,                  HAVE_AUTH, NS_SASL2, "task-data", false,
      sasl2_task_data, NULL },
    { S(CONN_SASL), 0,        HAVE_SASL2,                  HAVE_AUTH, NS_SASL2, "abort", false,
      sasl2_abort, NULL },
    { FEATURES,     FEATURES, HAVE_SAFE | HAVE_REGISTRATION, HAVE_AUTH, NS_REGISTER, "query", true,
      register_iq, register_features },
    { FEATURES,     0,        0,                           HAVE_REGISTRATION | HAVE_AUTH, NS_REGISTER, "query", true,
      register_closed, NULL },
    { FEATURES,     FEATURES, HAVE_AUTH,                   0, NS_BIND, "bind", true,
      bind_request, bind_features },
    { S(CONN_ACTIVE), 0,      HAVE_AUTH,                   0, NS_BIND, "bind", true,
      bind_request, NULL },
    { S(CONN_ACTIVE), FEATURES, HAVE_AUTH,                 0, NS_SESSION, "session", true,
      bind_session, feature_session },
    { FEATURES,     FEATURES | S(CONN_ACTIVE), HAVE_AUTH,  0, NS_SM, "resume", false,
      management_resume, management_features },
    { S(CONN_ACTIVE), 0,      HAVE_AUTH,                   0, NS_SM, "enable", false,
      management_enable, NULL },
    { S(CONN_ACTIVE), 0,      HAVE_AUTH,                   0, NS_SM, "r", false,
      management_request, NULL },
    { S(CONN_ACTIVE), 0,      HAVE_AUTH,                   0, NS_SM, "a", false,
      management_ack, NULL },
    { S(CONN_ACTIVE), FEATURES | S(CONN_ACTIVE), HAVE_AUTH, 0, NS_CSI, "active", false,
      management_csi, csi_features },
    { S(CONN_ACTIVE), 0,      HAVE_AUTH,                   0, NS_CSI, "inactive", false,
      management_csi, NULL },
    /* XEP-0198 3, 6: <failed/> for what is out of order, and the stream goes on */
    { FEATURES,     0,        0,                           0, NS_SM, "enable", false,
      management_unexpected, NULL },
    { FEATURES | S(CONN_ACTIVE), 0, 0,                     0, NS_SM, "resume", false,
      management_unexpected, NULL },
    { FEATURES,     0,        0,                           0, NS_SM, "r", false,
      management_unexpected, NULL },
    { FEATURES,     0,        0,                           0, NS_SM, "a", false,
      management_unexpected, NULL },
    /* what follows <success/> when it bound a resource (XEP-0388 2.6.1) is offered in ACTIVE */
    { 0,            FEATURES | S(CONN_ACTIVE), HAVE_AUTH,  0, NS_ROSTERVER, "ver", false,
      NULL, feature_rosterver },
    { 0,            FEATURES | S(CONN_ACTIVE), HAVE_AUTH,  0, NS_PREAPPROVAL, "sub", false,
      NULL, feature_preapproval },
    { 0,            FEATURES | S(CONN_ACTIVE), 0,          0, NS_LIMITS, "limits", false,
      NULL, feature_limits },
    { 0, FEATURES | S(CONN_ACTIVE), HAVE_AUTH, 0, NS_CAPS, "c", false,
      NULL, feature_caps },
};

static bool rule_fits(const struct element_rule *r, unsigned states, enum conn_state state, unsigned have)
{
    return states & S(state) && (r->needs & have) == r->needs && !(r->never & have);
}

static bool rule_names(const struct element_rule *r, struct slice ns, struct slice name, bool in_iq)
{
    return r->in_iq == in_iq && slice_is(name, r->name) && slice_is(ns, r->ns);
}

const struct element_rule *element_rule(enum conn_state state, unsigned have, struct slice ns,
                                        struct slice name, bool in_iq)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (rule_names(&rules[i], ns, name, in_iq) && rule_fits(&rules[i], rules[i].legal, state, have))
            return &rules[i];
    return NULL;
}

void features_each(enum conn_state state, unsigned have,
                   void (*each)(void *arg, const struct element_rule *rule), void *arg)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (rules[i].feature && rule_fits(&rules[i], rules[i].offered, state, have))
            each(arg, &rules[i]);
}

static bool takes_registrations(const struct conn *c)
{
    const struct settings_domain *d = c->domain ? settings_domain(c2sd_settings(c->c2sd), c->domain) : NULL;

    return d && strcmp(d->registration, "open") == 0;
}

unsigned conn_have(const struct conn *c)
{
    bool safe = c->secure || !c2sd_settings(c->c2sd)->server.require_tls;

    return (c->secure ? HAVE_TLS : 0u) | (safe ? HAVE_SAFE : 0u) | (c->authenticated ? HAVE_AUTH : 0u) |
           (c->c2sd->certs ? HAVE_CERTS : 0u) | (takes_registrations(c) ? HAVE_REGISTRATION : 0u) |
           (sasl2_speaks(c) ? HAVE_SASL2 : 0u);
}

/* ---- the stream header ---- */

bool version_speaks(struct slice version)
{
    size_t dot = 0;

    while (dot < version.len && isdigit(version.p[dot]))
        dot++;
    if (dot == 0 || dot + 1 >= version.len || version.p[dot] != '.')
        return false;
    for (size_t i = dot + 1; i < version.len; i++)
        if (!isdigit(version.p[i]))
            return false;
    for (size_t i = 0; i < dot; i++)
        if (version.p[i] != '0')
            return true;
    return false;
}

static void put_feature(void *arg, const struct element_rule *rule)
{
    struct conn *c = arg;

    rule->feature(c, conn_out(c));
}

void negotiate_features(struct conn *c)
{
    buf_put_str(conn_out(c), "<stream:features>");
    features_each(c->state, conn_have(c), put_feature, c);
    buf_put_str(conn_out(c), "</stream:features>");
}

/* RFC 6120 4.7.1: a hint only, and shown back; one that is no JID of an account here is none. Where XEP-0388 is
 * offered (2.1) an account of another domain should be an error; a bare domain names no account: Perl's XML::Stream
 * puts the name of its machine there. */
static enum stream_error remember_hint(struct conn *c, struct slice raw_jid)
{
    struct jid jid;

    if (!c->login || c->authenticated)
        return SE_NONE;
    free(c->login->hint);
    c->login->hint = NULL;
    if (raw_jid.len == 0 || jid_parse(raw_jid, &jid) != ZE_OK || jid.local_len == 0)
        return SE_NONE;
    if (!slice_is(jid_domain(jid_slice(&jid)), c->domain))
        return c->secure ? SE_INVALID_FROM : SE_NONE;
    c->login->hint = xstrndup(jid_bare(jid_slice(&jid)));
    return SE_NONE;
}

/* SE_NONE: c->domain is set. */
static enum stream_error choose_domain(struct conn *c, struct slice raw)
{
    struct jid jid;

    if (raw.len == 0)
        return SE_IMPROPER_ADDRESSING;
    if (jid_parse(raw, &jid) != ZE_OK || !jid_is_domain(jid_slice(&jid)) ||
        !settings_domain(c2sd_settings(c->c2sd), jid.text))
        return SE_HOST_UNKNOWN;
    if (c->authenticated)
        return slice_is(jid_domain(conn_jid(c)), jid.text) ? SE_NONE : SE_HOST_UNKNOWN;
    free(c->domain);
    c->domain = xstrdup(jid.text);
    return SE_NONE;
}

void negotiate_open(struct conn *c, const struct xml_open *open)
{
    if (c->state != CONN_OPENING) {
        conn_fail(c, SE_BAD_FORMAT, NULL);
        return;
    }
    enum stream_error error = choose_domain(c, open->to);
    if (error == SE_NONE)
        error = remember_hint(c, open->from);
    if (error == SE_NONE && c->secure && !c->authenticated)
        certificates_look(c);
    conn_send_header(c);
    if (error == SE_NONE && !version_speaks(open->version))
        error = SE_UNSUPPORTED_VERSION;         /* RFC 6120 4.7.5: before XMPP 1.0 */
    if (error != SE_NONE) {
        conn_fail(c, error, NULL);
        return;
    }
    conn_enter(c, CONN_FEATURES);
    negotiate_features(c);
}

/* ---- elements ---- */

static bool known_element(const struct element *e)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (rules[i].handle && rule_names(&rules[i], e->ns, e->name, false))
            return true;
    return false;
}

void negotiate_element(struct conn *c, const struct element *element)
{
    const struct element_rule *rule = element_rule(c->state, conn_have(c), element->ns, element->name, false);

    if (rule)
        rule->handle(c, &(struct heard){ .element = element });
    else        /* RFC 6120 4.9.3.12 for what is only out of order, 4.9.3.24 for what nobody knows */
        conn_fail(c, known_element(element) ? SE_NOT_AUTHORIZED : SE_UNSUPPORTED_STANZA_TYPE, NULL);
}

/* An IQ of negotiation is for the server itself: no `to`, or the domain (RFC 6120 7.4; XEP-0077 3.1
 * shows one with `to`), or the account. */
static bool to_us(const struct conn *c, struct slice to)
{
    return to.len == 0 || slice_is(to, c->domain) || (c->jid && slice_eq(to, jid_bare(conn_jid(c))));
}

bool negotiate_stanza(struct conn *c, const struct stanza *s)
{
    if (s->name != STANZA_IQ || (s->type != TYPE_GET && s->type != TYPE_SET) || !to_us(c, s->to))
        return false;
    const struct element_rule *rule =
        element_rule(c->state, conn_have(c), s->payload_ns, s->payload_name, true);
    if (!rule)
        return false;
    rule->handle(c, &(struct heard){ .stanza = s });
    return true;
}
