/* TLS sessions over buffers (tls.h), GnuTLS behind it. RFC 7590 says what to offer.
 * No session tickets: a resumed handshake costs 96 us against 125-155, streams live for hours, and a
 * ticket key kept in memory would give up forward secrecy for that quarter.
 * An idle session is GnuTLS's 10.2 KB: nothing of ours is buffered, since GnuTLS takes all it is given. */

#include "tls.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>

#include "log.h"
#include "mem.h"
#include "tls_authorities.h"
#include "tls_certs.h"

/* RFC 7590 3.1, RFC 9325 4.2: AEAD and ephemeral key exchange only; AES-128 first, since it is the
 * cheapest of them on any server with AES instructions; our order decides. */
static const char priorities[] =
    "NONE:+VERS-TLS1.3:+VERS-TLS1.2:+ECDHE-ECDSA:+ECDHE-RSA:"
    "+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AEAD:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"
    "+SIGN-ALL:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:-SIGN-DSA-SHA1:+COMP-NULL:"
    "+CTYPE-X509:%SERVER_PRECEDENCE:%SAFE_RENEGOTIATION";

enum { RECORD_MAX = 16384, WARNINGS_MAX = 8 };

struct tls {
    gnutls_session_t   session;
    struct cert_set   *set;
    const struct cert *shown;          /* client side: chosen by tls_show */
    struct slice       in;             /* during a call */
    struct buf        *out;            /* during a call */
    const char        *error;          /* static text */
    enum zerr          failed;         /* the session is over */
    uint8_t            side, warnings;
    bool               ready;
};

static gnutls_priority_t priority_cache;

static gnutls_priority_t priority(void)
{
    if (!priority_cache && gnutls_priority_init(&priority_cache, priorities, NULL) < 0)
        fatal("tls_failed", "why", "priority string", NULL);
    return priority_cache;
}

static ssize_t pull(gnutls_transport_ptr_t ptr, void *to, size_t room)
{
    struct tls *tls = ptr;
    size_t      n = tls->in.len < room ? tls->in.len : room;

    if (n == 0) {
        gnutls_transport_set_errno(tls->session, EAGAIN);
        return -1;
    }
    memcpy(to, tls->in.p, n);
    tls->in = slice_cut(tls->in, n, tls->in.len);
    return (ssize_t)n;
}

static int pull_timeout(gnutls_transport_ptr_t ptr, unsigned ms)
{
    (void)ms;
    return ((struct tls *)ptr)->in.len > 0;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const void *bytes, size_t len)
{
    struct tls *tls = ptr;

    if (tls->out)
        buf_put(tls->out, bytes, len);
    return (ssize_t)len;
}

const struct cert *tls_pick(gnutls_session_t session)
{
    struct tls *tls = gnutls_session_get_ptr(session);
    char        name[256];
    size_t      len = sizeof(name);
    unsigned    type;

    if (tls->side == TLS_CLIENT)
        return tls->shown;
    const struct cert *asked = NULL;
    if (gnutls_server_name_get(session, name, &len, &type, 0) >= 0 && type == GNUTLS_NAME_DNS)
        asked = cert_set_find(tls->set, name);
    return asked ? asked : tls->set->by_default;
}

/* The list of acceptable roots is left out: it would be 20 KB. */
void tls_ask_certificate(struct tls *tls)
{
    gnutls_certificate_send_x509_rdn_sequence(tls->session, 1);
    gnutls_certificate_server_set_request(tls->session, GNUTLS_CERT_REQUEST);
}

static void set_alpn(struct tls *tls, const char *alpn)
{
    gnutls_datum_t protocol = { (unsigned char *)alpn, (unsigned)strlen(alpn) };

    /* RFC 7301 3.2: a client that names only other protocols is refused (it may be led here from
     * another service); one that names none is served. */
    gnutls_alpn_set_protocols(tls->session, &protocol, 1, GNUTLS_ALPN_MANDATORY);
}

struct tls *tls_new(struct tls_certs *certs, enum tls_side side, enum tls_use use, const char *server_name,
                    const char *alpn)
{
    struct tls *tls = xcalloc(1, sizeof(*tls));
    unsigned    flags = GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS;

    tls->side = (uint8_t)side;
    tls->set = certs ? cert_set_ref(certs) : cert_set_empty();
    if (gnutls_init(&tls->session, flags | (side == TLS_SERVER ? GNUTLS_SERVER : GNUTLS_CLIENT)) < 0 ||
        gnutls_priority_set(tls->session, priority()) < 0 ||
        gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, tls->set->credentials) < 0)
        fatal("tls_failed", "why", "gnutls_init", NULL);
    gnutls_session_set_ptr(tls->session, tls);
    gnutls_transport_set_ptr(tls->session, tls);
    gnutls_transport_set_pull_function(tls->session, pull);
    gnutls_transport_set_pull_timeout_function(tls->session, pull_timeout);
    gnutls_transport_set_push_function(tls->session, push);
    if (side == TLS_SERVER && use == TLS_FOR_S2S)
        tls_ask_certificate(tls);
    else if (side == TLS_SERVER)
        gnutls_certificate_server_set_request(tls->session, GNUTLS_CERT_IGNORE);
    else if (use == TLS_FOR_S2S)
        tls->shown = tls->set->by_default;
    if (side == TLS_CLIENT && server_name)
        gnutls_server_name_set(tls->session, GNUTLS_NAME_DNS, server_name, strlen(server_name));
    if (alpn)
        set_alpn(tls, alpn);
    return tls;
}

void tls_free(struct tls **tls)
{
    struct tls *t = *tls;

    *tls = NULL;
    if (!t)
        return;
    gnutls_deinit(t->session);
    cert_set_unref(&t->set);
    free(t);
}

void tls_show(struct tls *tls, const char *own_domain)
{
    const struct cert *c = cert_set_find(tls->set, own_domain);

    tls->shown = c ? c : tls->set->by_default;
}

/* Ends the session: the peer is told by the alert that fits, unless it told us. */
static enum zerr fail(struct tls *tls, int err)
{
    if (err == GNUTLS_E_FATAL_ALERT_RECEIVED)
        tls->error = gnutls_alert_get_name(gnutls_alert_get(tls->session));
    else
        gnutls_alert_send_appropriate(tls->session, err);
    if (!tls->error)
        tls->error = gnutls_strerror(err);
    tls->failed = ZE_PROTOCOL;
    return tls->failed;
}

/* Warnings are harmless, many of them are an attack (RFC 5246 7.2). */
static bool goes_on(struct tls *tls, int err)
{
    if (err == GNUTLS_E_WARNING_ALERT_RECEIVED)
        return ++tls->warnings < WARNINGS_MAX;
    return err == GNUTLS_E_INTERRUPTED;
}

static enum zerr shake(struct tls *tls)
{
    for (;;) {
        int err = gnutls_handshake(tls->session);

        if (err == GNUTLS_E_SUCCESS) {
            tls->ready = true;
            return ZE_OK;
        }
        if (err == GNUTLS_E_AGAIN)
            return ZE_OK;
        if (!goes_on(tls, err))
            return fail(tls, err);
    }
}

/* GNUTLS_E_AGAIN also follows a post-handshake message of TLS 1.3 (a ticket, a key update): what came
 * behind it is still to be read. */
static enum zerr read_records(struct tls *tls, struct buf *plain)
{
    for (;;) {
        size_t  before = tls->in.len;
        ssize_t n = gnutls_record_recv(tls->session, buf_reserve(plain, RECORD_MAX), RECORD_MAX);

        if (n > 0)
            buf_added(plain, (size_t)n);
        else if (n == 0)
            return tls->failed = ZE_GONE;
        else if (n == GNUTLS_E_AGAIN && (tls->in.len == 0 || tls->in.len == before))
            return ZE_OK;
        else if (n != GNUTLS_E_AGAIN && !goes_on(tls, (int)n))
            return fail(tls, (int)n);      /* renegotiation (GNUTLS_E_REHANDSHAKE) as well */
    }
}

enum zerr tls_feed(struct tls *tls, struct slice in, struct buf *plain, struct buf *out)
{
    enum zerr err = tls->failed;

    if (err)
        return err;
    tls->in = in;
    tls->out = out;
    if (!tls->ready)
        err = shake(tls);
    if (!err && tls->ready)
        err = read_records(tls, plain);
    tls->in = (struct slice){ 0 };
    tls->out = NULL;
    return err;
}

enum zerr tls_start(struct tls *tls, struct buf *out)
{
    tls->out = out;
    enum zerr err = shake(tls);
    tls->out = NULL;
    return err;
}

gnutls_session_t tls_session(struct tls *tls)
{
    return tls->session;
}

bool tls_ready(const struct tls *tls)
{
    return tls->ready;
}

enum zerr tls_seal(struct tls *tls, struct slice plain, struct buf *out)
{
    if (!tls->ready || (tls->failed && tls->failed != ZE_GONE))
        return ZE_GONE;
    tls->out = out;
    while (plain.len) {
        ssize_t n = gnutls_record_send(tls->session, plain.p, plain.len);

        if (n < 0 && n != GNUTLS_E_INTERRUPTED && n != GNUTLS_E_AGAIN) {
            tls->error = gnutls_strerror((int)n);
            tls->out = NULL;
            return tls->failed = ZE_INTERNAL;
        }
        if (n > 0)
            plain = slice_cut(plain, (size_t)n, plain.len);
    }
    tls->out = NULL;
    return ZE_OK;
}

void tls_bye(struct tls *tls, struct buf *out)
{
    if (!tls->ready || (tls->failed && tls->failed != ZE_GONE))
        return;
    tls->out = out;
    gnutls_bye(tls->session, GNUTLS_SHUT_WR);
    tls->out = NULL;
}

const char *tls_last_error(const struct tls *tls)
{
    return tls->error ? tls->error : "none";
}

const char *tls_version(const struct tls *tls)
{
    gnutls_protocol_t version = gnutls_protocol_get_version(tls->session);
    const char       *name = tls->ready ? gnutls_protocol_get_name(version) : NULL;

    return name ? name : "-";
}

const char *tls_cipher(const struct tls *tls)
{
    const char *name = tls->ready ? gnutls_cipher_get_name(gnutls_cipher_get(tls->session)) : NULL;

    return name ? name : "-";
}

const char *tls_alpn(const struct tls *tls)
{
    static char    text[256];
    gnutls_datum_t chosen;

    if (gnutls_alpn_get_selected_protocol(tls->session, &chosen) < 0 || chosen.size >= sizeof(text))
        return NULL;
    memcpy(text, chosen.data, chosen.size);
    text[chosen.size] = 0;
    return text;
}

/* RFC 9266 2: tls-exporter on TLS 1.3. RFC 5929 3: tls-unique on 1.2, sound only with the extended
 * master secret (RFC 7627, triple handshake). */
/* ---- channel bindings ---- */

static bool bind_by(struct tls *tls, gnutls_channel_binding_t type, struct buf *data)
{
    gnutls_datum_t binding = { 0 };

    if (gnutls_session_channel_binding(tls->session, type, &binding) < 0)
        return false;
    buf_put(data, binding.data, binding.size);
    gnutls_free(binding.data);
    return true;
}

static bool is_1_3(const struct tls *tls)
{
    return gnutls_protocol_get_version(tls->session) == GNUTLS_TLS1_3;
}

static bool bind_exporter(struct tls *tls, struct buf *data)
{
    return is_1_3(tls) && bind_by(tls, GNUTLS_CB_TLS_EXPORTER, data);
}

static bool bind_unique(struct tls *tls, struct buf *data)
{
    return !is_1_3(tls) && (gnutls_session_get_flags(tls->session) & GNUTLS_SFLAGS_EXT_MASTER_SECRET) &&
           bind_by(tls, GNUTLS_CB_TLS_UNIQUE, data);
}

/* Made when the certificate was loaded: GnuTLS would parse it each time. */
static bool bind_end_point(struct tls *tls, struct buf *data)
{
    const struct cert *shown = tls->side == TLS_SERVER ? tls_pick(tls->session) : NULL;

    if (!shown || !shown->end_point_len)
        return false;
    buf_put(data, shown->end_point, shown->end_point_len);
    return true;
}

const char *const tls_binding_names[] = { "tls-exporter", "tls-unique", "tls-server-end-point", NULL };

bool tls_channel_binding(struct tls *tls, const char *name, struct buf *data)
{
    static bool (*const bind[])(struct tls *tls, struct buf *data) = {
        bind_exporter, bind_unique, bind_end_point,
    };

    for (size_t i = 0; tls->ready && tls_binding_names[i]; i++)
        if (strcmp(tls_binding_names[i], name) == 0)
            return bind[i](tls, data);
    return false;
}

bool tls_peer_has_certificate(struct tls *tls)
{
    unsigned count = 0;

    return tls->ready && gnutls_certificate_get_peers(tls->session, &count) && count > 0;
}

static bool verifies_for(struct tls *tls, const char *purpose)
{
    gnutls_typed_vdata_st data = { GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)purpose, 0 };
    unsigned              status = ~0u;

    return gnutls_certificate_verify_peers(tls->session, &data, 1, &status) >= 0 && status == 0;
}

/* RFC 6120 13.7.1.2: a DNS name (wildcards by RFC 6125), an SRV-ID or an XmppAddr names the domain. */
static bool names_domain(gnutls_x509_crt_t crt, const char *domain)
{
    char *srv = xprintf("_xmpp-server.%s", domain);
    bool  found = gnutls_x509_crt_check_hostname(crt, domain) != 0;

    for (unsigned i = 0; !found; i++) {
        char   name[512];
        size_t len = sizeof(name);
        int    type = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &len, NULL);

        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            break;
        if (type != GNUTLS_SAN_OTHERNAME)
            continue;
        len = sizeof(name);
        type = gnutls_x509_crt_get_subject_alt_othername_oid(crt, i, name, &len);
        bool is_xmpp = type == GNUTLS_SAN_OTHERNAME_XMPP, is_srv = type == GNUTLS_SAN_OTHERNAME_SRV;
        len = sizeof(name);
        if ((is_xmpp || is_srv) && gnutls_x509_crt_get_subject_alt_name(crt, i, name, &len, NULL) >= 0)
            found = slice_is(slice_of(name, strnlen(name, len)), is_xmpp ? domain : srv);
    }
    free(srv);
    return found;
}

bool tls_peer_is(struct tls *tls, const char *domain)
{
    unsigned              count = 0;
    const gnutls_datum_t *chain = tls->ready ? gnutls_certificate_get_peers(tls->session, &count) : NULL;
    gnutls_x509_crt_t     leaf;

    if (!chain || count == 0)
        return false;
    cert_set_trust(tls->set);
    /* Public CAs hardly issue client certificates any more, so a server that connects to us may
     * show its server certificate (XEP-0178 3 asks for neither purpose). */
    if (!verifies_for(tls, GNUTLS_KP_TLS_WWW_SERVER) &&
        (tls->side == TLS_CLIENT || !verifies_for(tls, GNUTLS_KP_TLS_WWW_CLIENT)))
        return false;
    if (gnutls_x509_crt_init(&leaf) < 0)
        return false;
    bool is = gnutls_x509_crt_import(leaf, &chain[0], GNUTLS_X509_FMT_DER) >= 0 && names_domain(leaf, domain);
    gnutls_x509_crt_deinit(leaf);
    return is;
}
