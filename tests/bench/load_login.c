/* From a connected socket to a bound session: PLAIN, SCRAM-SHA-1 or -256, bind, old session IQ, stream
 * management. */

#include <stdio.h>
#include <stdlib.h>

#include <gnutls/crypto.h>

#include "load.h"

#include "encode.h"

/* The salted password of an account, kept: PBKDF2 is not what is measured. */
struct salted {
    char    salt[128];
    long    rounds;
    uint8_t key[32];
};
static struct salted *cache;

static gnutls_mac_algorithm_t scram_mac(void)
{
    return strcmp(opt.auth, "scram256") == 0 ? GNUTLS_MAC_SHA256 : GNUTLS_MAC_SHA1;
}

void login_open_stream(struct conn *c)
{
    conn_reset_stream(c);
    conn_putf(c,
              "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
              "xmlns:stream='http://etherx.jabber.org/streams' to='%s' version='1.0'>",
              opt.domain);
}

static void put_base64(struct conn *c, const char *before, struct slice bytes, const char *after)
{
    struct buf text = { 0 };

    base64_put(&text, bytes);
    conn_putf(c, "%s%.*s%s", before, SLICE_FMT(buf_slice(&text)), after);
    buf_free(&text);
}

static void auth_plain(struct conn *c)
{
    char raw[256];
    int  n = snprintf(raw, sizeof(raw), "%cuser%d%c%s", 0, opt.first + c->idx, 0, opt.password);

    put_base64(c, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>", slice_of(raw, (size_t)n),
               "</auth>");
    c->state = S_AUTH;
}

static void auth_scram(struct conn *c)
{
    char    raw[256], before[128];
    uint8_t random[12];

    gnutls_rnd(GNUTLS_RND_NONCE, random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(c->nonce + 2 * i, 3, "%02x", random[i]);
    int n = snprintf(raw, sizeof(raw), "n,,n=user%d,r=%s", opt.first + c->idx, c->nonce);
    snprintf(before, sizeof(before), "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-%s'>",
             scram_mac() == GNUTLS_MAC_SHA1 ? "1" : "256");
    put_base64(c, before, slice_of(raw, (size_t)n), "</auth>");
    c->state = S_SCRAM;
}

static const uint8_t *salted_password(struct conn *c, const char *salt_text, long rounds)
{
    gnutls_mac_algorithm_t mac = scram_mac();
    struct salted         *k;
    struct buf             salt = { 0 };

    if (!cache)
        cache = calloc((size_t)opt.sessions, sizeof(*cache));
    if (!cache)
        die("no memory");
    k = &cache[c->idx];
    if (k->rounds == rounds && strcmp(k->salt, salt_text) == 0)
        return k->key;
    if (!base64_take(&salt, slice_str(salt_text)))
        return NULL;
    gnutls_datum_t password = { (uint8_t *)opt.password, (unsigned)strlen(opt.password) };
    gnutls_datum_t bytes = { salt.bytes + salt.start, (unsigned)buf_len(&salt) };
    gnutls_pbkdf2(mac, &password, &bytes, (unsigned)rounds, k->key, gnutls_hmac_get_len(mac));
    k->rounds = rounds;
    snprintf(k->salt, sizeof(k->salt), "%s", salt_text);
    buf_free(&salt);
    return k->key;
}

/* RFC 5802 section 3. first: the server's message. */
static void scram_prove(struct conn *c, const char *first, const char *nonce, const uint8_t *salted)
{
    gnutls_mac_algorithm_t mac = scram_mac();
    size_t                 len = gnutls_hmac_get_len(mac);
    uint8_t                client_key[32], stored_key[32], signature[32];
    char                   message[4096], final[2048];
    struct buf             proof = { 0 };

    gnutls_hmac_fast(mac, salted, len, "Client Key", 10, client_key);
    gnutls_hash_fast((gnutls_digest_algorithm_t)mac, client_key, len, stored_key);
    int n = snprintf(message, sizeof(message), "n=user%d,r=%s,%s,c=biws,r=%s", opt.first + c->idx, c->nonce, first, nonce);
    gnutls_hmac_fast(mac, stored_key, len, message, (size_t)n, signature);
    for (size_t i = 0; i < len; i++)
        client_key[i] ^= signature[i];
    base64_put(&proof, slice_of(client_key, len));
    n = snprintf(final, sizeof(final), "c=biws,r=%s,p=%.*s", nonce, SLICE_FMT(buf_slice(&proof)));
    put_base64(c, "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>", slice_of(final, (size_t)n), "</response>");
    buf_free(&proof);
    c->state = S_AUTH;
}

static void on_challenge(struct conn *c, struct slice s)
{
    char       text[2048], first[1024], nonce[512], salt[128];
    long       rounds;
    struct buf raw = { 0 };

    if (!find(s, "<challenge") || !element_text(s, text, sizeof(text)) || !base64_take(&raw, slice_str(text)) ||
        buf_len(&raw) >= sizeof(first)) {
        conn_fail(c, "no challenge");
        return;
    }
    snprintf(first, sizeof(first), "%.*s", SLICE_FMT(buf_slice(&raw)));
    buf_free(&raw);
    if (sscanf(first, "r=%511[^,],s=%127[^,],i=%ld", nonce, salt, &rounds) != 3) {
        conn_fail(c, "bad challenge");
        return;
    }
    const uint8_t *salted = salted_password(c, salt, rounds);
    if (salted)
        scram_prove(c, first, nonce, salted);
    else
        conn_fail(c, "bad salt");
}

static void session_up(struct conn *c)
{
    c->state = S_READY;
    fig.in_progress--;
    fig.ready++;
    fig.logins_done++;
    fig.last_progress_ns = now_ns();
    mode_ready(c);
}

/* What was not asked for is passed over. */
static void step(struct conn *c, bool wanted, const char *request, enum state state, void (*otherwise)(struct conn *c))
{
    if (!wanted) {
        otherwise(c);
        return;
    }
    conn_putf(c, "%s", request);
    c->state = state;
}

static void copies(struct conn *c)
{
    step(c, opt.carbons, "<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>", S_CARBONS, session_up);
}

/* It counts (XEP-0198 4). */
static void on_copies(struct conn *c, struct slice s)
{
    char id[16];

    if (!slice_starts(s, SLICE("<iq")))
        return;
    c->taken++;
    if (!attribute(s, "id", id, sizeof(id)) || strcmp(id, "carbons") != 0)
        return;
    if (find(start_tag(s), "error"))
        conn_fail(c, "no carbons");
    else
        session_up(c);
}

/* Bound: stream management comes before the first stanza. */
static void bound(struct conn *c)
{
    step(c, opt.managed, "<enable xmlns='urn:xmpp:sm:3' resume='true'/>", S_ENABLE, copies);
}

static void on_features(struct conn *c, struct slice s)
{
    if (!find(s, "features"))
        return;
    if (opt.starttls && !c->tls) {
        conn_putf(c, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        c->state = S_PROCEED;
    } else if (opt.mode == MODE_REGISTER) {
        conn_putf(c,
                  "<iq type='set' id='reg'><query xmlns='jabber:iq:register'><username>user%d</username>"
                  "<password>%s</password></query></iq>",
                  opt.first + c->idx, opt.password);
        c->state = S_REGISTER;
    } else if (strcmp(opt.auth, "plain") == 0) {
        auth_plain(c);
    } else {
        auth_scram(c);
    }
}

static void on_features2(struct conn *c, struct slice s)
{
    if (!find(s, "features"))
        return;
    /* jabberd2 wants the session request though it does not list the feature after login. */
    c->need_session = !find(s, "xmpp-session") || !find(s, "<optional");
    conn_putf(c, "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                 "<resource>bench</resource></bind></iq>");
    c->state = S_BIND;
}

static void on_bound(struct conn *c, struct slice s)
{
    if (!find(s, "<jid>")) {
        conn_fail(c, "bind refused");
    } else if (c->need_session) {
        conn_putf(c, "<iq type='set' id='sess'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>");
        c->state = S_SESSION;
    } else {
        bound(c);
    }
}

void login_stanza(struct conn *c, struct slice s)
{
    char why[300];

    switch (c->state) {
    case S_FEATURES:
        on_features(c, s);
        break;
    case S_REGISTER:
        if (find(start_tag(s), "error") && !find(s, "conflict"))
            conn_fail(c, "registration refused");
        else
            session_up(c);
        break;
    case S_SCRAM:
        on_challenge(c, s);
        break;
    case S_AUTH:
        if (find(s, "<success")) {
            c->state = S_FEATURES2;
            login_open_stream(c);
        } else {
            snprintf(why, sizeof(why), "login refused: %.*s", (int)(s.len < 200 ? s.len : 200), (const char *)s.p);
            conn_fail(c, why);
        }
        break;
    case S_FEATURES2:
        on_features2(c, s);
        break;
    case S_BIND:
        on_bound(c, s);
        break;
    case S_SESSION:
        bound(c);
        break;
    case S_ENABLE:
        if (slice_starts(s, SLICE("<enabled")))
            copies(c);
        else
            conn_fail(c, "no stream management");
        break;
    case S_CARBONS:
        on_copies(c, s);
        break;
    default:
        break;
    }
}
