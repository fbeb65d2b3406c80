/* TLS sessions against each other over buffers (tls.h). */

#include <gnutls/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "mem.h"
#include "tls.h"
#include "tls_certs.h"

static char              dir[] = "/tmp/zubr-tls-XXXXXX";
static struct tls_certs *certs;

static void put_file(const char *domain, const char *name, const gnutls_datum_t *pem)
{
    char *path = xprintf("%s/%s", dir, domain);

    mkdir(path, 0700);
    free(path);
    path = xprintf("%s/%s/%s", dir, domain, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fwrite(pem->data, 1, pem->size, f);
    fclose(f);
    free(path);
}

/* A self-signed certificate for `names` (NULL-ended) below the directory. */
static void put_certificate(const char *domain, const char *const *names, time_t until)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t     crt;
    gnutls_datum_t        pem;

    gnutls_x509_privkey_init(&key);
    gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                 GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    gnutls_x509_crt_init(&crt);
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, "\1", 1);
    gnutls_x509_crt_set_activation_time(crt, 1000000000);
    gnutls_x509_crt_set_expiration_time(crt, until);
    gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, domain, (unsigned)strlen(domain));
    for (; *names; names++)
        gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, *names, (unsigned)strlen(*names),
                                             GNUTLS_FSAN_APPEND);
    gnutls_x509_crt_set_basic_constraints(crt, 1, -1);
    gnutls_x509_crt_set_key(crt, key);
    assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
    gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem);
    put_file(domain, "fullchain.pem", &pem);
    gnutls_free(pem.data);
    gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem);
    put_file(domain, "privkey.pem", &pem);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
}

static int make_certificates(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    put_certificate("a.example", (const char *const[]){ "a.example", "*.wild.example", NULL }, 4000000000);
    put_certificate("b.example", (const char *const[]){ "b.example", NULL }, 4000000000);
    certs = tls_certs_load(dir, "a.example");
    return certs ? 0 : -1;
}

static int remove_certificates(void **state)
{
    static const char *const files[] = { "a.example/fullchain.pem", "a.example/privkey.pem", "a.example",
                                         "b.example/fullchain.pem", "b.example/privkey.pem", "b.example",
                                         "bad.example/fullchain.pem", "bad.example/privkey.pem",
                                         "bad.example" };
    (void)state;
    tls_certs_free(&certs);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char *path = xprintf("%s/%s", dir, files[i]);
        remove(path);
        free(path);
    }
    return rmdir(dir);
}

struct pair {
    struct tls *client, *server;
    struct buf  to_client, to_server;         /* ciphertext */
    struct buf  client_got, server_got;       /* plaintext */
    enum zerr   client_err, server_err;
};

static struct pair pair_new(enum tls_use use, const char *name, bool only_12)
{
    struct pair p = { 0 };

    p.server = tls_new(certs, TLS_SERVER, use, NULL, "xmpp-client");
    p.client = tls_new(certs, TLS_CLIENT, use, name, "xmpp-client");
    if (only_12)
        gnutls_priority_set_direct(tls_session(p.client), "NORMAL:-VERS-ALL:+VERS-TLS1.2", NULL);
    assert_int_equal(tls_start(p.client, &p.to_server), ZE_OK);
    return p;
}

static void pair_free(struct pair *p)
{
    tls_free(&p->client);
    tls_free(&p->server);
    buf_free(&p->to_client);
    buf_free(&p->to_server);
    buf_free(&p->client_got);
    buf_free(&p->server_got);
}

static enum zerr move(struct tls *to, struct buf *from, size_t step, struct buf *plain, struct buf *out)
{
    enum zerr err = ZE_OK;

    while (buf_len(from) && !err) {
        size_t n = step && step < buf_len(from) ? step : buf_len(from);
        err = tls_feed(to, slice_of(buf_slice(from).p, n), plain, out);
        buf_consume(from, n);
    }
    return err;
}

/* Carries bytes both ways until nothing is left; step 0: all at once. */
static void pump(struct pair *p, size_t step)
{
    while (buf_len(&p->to_server) || buf_len(&p->to_client)) {
        if (!p->server_err)
            p->server_err = move(p->server, &p->to_server, step, &p->server_got, &p->to_client);
        if (!p->client_err)
            p->client_err = move(p->client, &p->to_client, step, &p->client_got, &p->to_server);
        if (p->server_err)
            buf_reset(&p->to_server, 0);
        if (p->client_err)
            buf_reset(&p->to_client, 0);
    }
}

/* RFC 5929 4.1 as the library of the client sees it. */
static void end_point_seen(struct tls *client, struct buf *out)
{
    gnutls_datum_t data;

    assert_true(gnutls_session_channel_binding(tls_session(client), GNUTLS_CB_TLS_SERVER_END_POINT, &data) >= 0);
    buf_put(out, data.data, data.size);
    gnutls_free(data.data);
}

static void talks(bool only_12, size_t step, const char *version, const char *binding)
{
    struct pair p = pair_new(TLS_FOR_C2S, "a.example", only_12);
    struct buf  ours = { 0 }, theirs = { 0 }, end_point = { 0 };

    pump(&p, step);
    assert_true(tls_ready(p.client) && tls_ready(p.server));
    assert_string_equal(tls_version(p.server), version);
    assert_string_equal(tls_cipher(p.server), "AES-128-GCM");
    assert_string_equal(tls_alpn(p.server), "xmpp-client");
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(tls_channel_binding(p.server, tls_binding_names[i], &ours),
                         strcmp(tls_binding_names[i], binding) == 0);
    assert_true(tls_channel_binding(p.client, binding, &theirs));
    assert_true(buf_len(&ours) >= 12 && slice_eq(buf_slice(&ours), buf_slice(&theirs)));
    assert_true(tls_channel_binding(p.server, "tls-server-end-point", &end_point));
    buf_reset(&theirs, 0);
    end_point_seen(p.client, &theirs);
    assert_true(buf_len(&end_point) == 32 && slice_eq(buf_slice(&end_point), buf_slice(&theirs)));
    assert_false(tls_channel_binding(p.server, "tls-other", &end_point));
    buf_free(&end_point);

    char *big = xcalloc(1, 100000);
    memset(big, 'x', 100000);
    assert_int_equal(tls_seal(p.client, slice_of(big, 100000), &p.to_server), ZE_OK);
    assert_int_equal(tls_seal(p.server, SLICE("hello"), &p.to_client), ZE_OK);
    pump(&p, step);
    assert_true(slice_is(buf_slice(&p.client_got), "hello"));
    assert_true(slice_eq(buf_slice(&p.server_got), slice_of(big, 100000)));
    tls_bye(p.client, &p.to_server);
    pump(&p, step);
    assert_int_equal(p.server_err, ZE_GONE);
    free(big);
    buf_free(&ours);
    buf_free(&theirs);
    pair_free(&p);
}

static void tls_1_3_talks_and_both_sides_have_the_exporter_binding(void **state)
{
    (void)state;
    talks(false, 0, "TLS1.3", "tls-exporter");
}

static void tls_1_2_talks_and_both_sides_have_the_unique_binding(void **state)
{
    (void)state;
    talks(true, 0, "TLS1.2", "tls-unique");
}

static void one_byte_at_a_time_is_the_same(void **state)
{
    (void)state;
    talks(false, 1, "TLS1.3", "tls-exporter");
    talks(true, 1, "TLS1.2", "tls-unique");
}

static void plaintext_right_behind_the_handshake_is_not_lost(void **state)
{
    struct pair p = pair_new(TLS_FOR_C2S, "a.example", false);

    (void)state;
    p.server_err = move(p.server, &p.to_server, 0, &p.server_got, &p.to_client);
    p.client_err = move(p.client, &p.to_client, 0, &p.client_got, &p.to_server);
    assert_true(tls_ready(p.client));
    assert_int_equal(tls_seal(p.client, SLICE("first"), &p.to_server), ZE_OK);
    pump(&p, 0);
    assert_true(slice_is(buf_slice(&p.server_got), "first"));
    pair_free(&p);
}

static ssize_t push_to_buf(gnutls_transport_ptr_t to, const void *bytes, size_t len)
{
    buf_put(to, bytes, len);
    return (ssize_t)len;
}

/* A ticket or a key update comes in one read with what follows: the library stops at it. */
static void plaintext_right_behind_a_key_update_is_not_lost(void **state)
{
    struct pair p = pair_new(TLS_FOR_S2S, "a.example", false);

    (void)state;
    pump(&p, 0);
    gnutls_session_t session = tls_session(p.client);
    gnutls_transport_set_ptr2(session, p.client, &p.to_server);
    gnutls_transport_set_push_function(session, push_to_buf);
    assert_int_equal(gnutls_session_key_update(session, 0), 0);
    assert_int_equal(gnutls_record_send(session, "behind", 6), 6);
    pump(&p, 0);
    assert_true(slice_is(buf_slice(&p.server_got), "behind"));
    pair_free(&p);
}

static void server_certificate_is(const char *asked, const char *expected)
{
    struct pair       p = pair_new(TLS_FOR_C2S, asked, false);
    unsigned          count = 0;
    gnutls_x509_crt_t crt;

    pump(&p, 0);
    assert_true(tls_ready(p.client));
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(tls_session(p.client), &count);
    assert_int_equal(count, 1);
    gnutls_x509_crt_init(&crt);
    gnutls_x509_crt_import(crt, chain, GNUTLS_X509_FMT_DER);
    assert_true(gnutls_x509_crt_check_hostname(crt, expected));
    gnutls_x509_crt_deinit(crt);
    pair_free(&p);
}

static void the_name_asked_for_chooses_the_certificate(void **state)
{
    (void)state;
    server_certificate_is("a.example", "a.example");
    server_certificate_is("B.Example", "b.example");
    server_certificate_is("x.wild.example", "a.example");
    server_certificate_is("unknown.example", "a.example");
    server_certificate_is(NULL, "a.example");
}

static void a_wildcard_stands_for_one_label(void **state)
{
    (void)state;
    assert_true(cert_names_hold("a.org *.b.org", "x.b.org"));
    assert_true(cert_names_hold("a.org *.b.org", "A.ORG"));
    assert_false(cert_names_hold("a.org *.b.org", "x.y.b.org"));
    assert_false(cert_names_hold("a.org *.b.org", "b.org"));
    assert_false(cert_names_hold("a.org *.b.org", ".b.org"));
    assert_false(cert_names_hold("", "b.org"));
}

static void junk_fails_with_an_alert(void **state)
{
    struct pair p = pair_new(TLS_FOR_C2S, NULL, false);

    (void)state;
    buf_reset(&p.to_server, 0);
    buf_put_str(&p.to_server, "<?xml version='1.0'?><stream:stream to='a.example'>");
    p.server_err = move(p.server, &p.to_server, 0, &p.server_got, &p.to_client);
    assert_int_equal(p.server_err, ZE_PROTOCOL);
    assert_true(buf_len(&p.to_client) >= 7 && buf_slice(&p.to_client).p[0] == 21);
    assert_string_not_equal(tls_last_error(p.server), "none");
    assert_int_equal(tls_feed(p.server, SLICE("more"), &p.server_got, &p.to_client), ZE_PROTOCOL);
    assert_int_equal(buf_len(&p.server_got), 0);
    pair_free(&p);
}

static void a_changed_record_ends_the_session(void **state)
{
    struct pair p = pair_new(TLS_FOR_C2S, NULL, false);

    (void)state;
    pump(&p, 0);
    tls_seal(p.client, SLICE("hello"), &p.to_server);
    p.to_server.bytes[p.to_server.end - 1] ^= 1;
    pump(&p, 0);
    assert_int_equal(p.server_err, ZE_PROTOCOL);
    assert_int_equal(buf_len(&p.server_got), 0);
    assert_int_equal(tls_seal(p.server, SLICE("x"), &p.to_client), ZE_GONE);
    pair_free(&p);
}

static void a_cut_record_waits_for_the_rest(void **state)
{
    struct pair p = pair_new(TLS_FOR_C2S, NULL, false);

    (void)state;
    pump(&p, 0);
    tls_seal(p.client, SLICE("hello"), &p.to_server);
    struct slice all = buf_slice(&p.to_server);
    for (size_t n = 0; n + 1 < all.len; n++) {
        assert_int_equal(tls_feed(p.server, slice_cut(all, n, n + 1), &p.server_got, &p.to_client), ZE_OK);
        assert_int_equal(buf_len(&p.server_got), 0);
    }
    struct slice last = slice_cut(all, all.len - 1, all.len);
    assert_int_equal(tls_feed(p.server, last, &p.server_got, &p.to_client), ZE_OK);
    assert_true(slice_is(buf_slice(&p.server_got), "hello"));
    pair_free(&p);
}

static void old_versions_and_static_rsa_are_refused(void **state)
{
    static const char *const bad[] = { "NORMAL:-VERS-ALL:+VERS-TLS1.1",
                                       "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA",
                                       "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC" };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct pair p = { .server = tls_new(certs, TLS_SERVER, TLS_FOR_C2S, NULL, NULL),
                          .client = tls_new(NULL, TLS_CLIENT, TLS_FOR_C2S, NULL, NULL) };
        gnutls_priority_set_direct(tls_session(p.client), bad[i], NULL);
        tls_start(p.client, &p.to_server);
        pump(&p, 0);
        assert_int_equal(p.server_err, ZE_PROTOCOL);
        assert_false(tls_ready(p.server));
        pair_free(&p);
    }
}

static void a_foreign_alpn_is_refused(void **state)
{
    struct pair p = { .server = tls_new(certs, TLS_SERVER, TLS_FOR_C2S, NULL, "xmpp-client"),
                      .client = tls_new(NULL, TLS_CLIENT, TLS_FOR_C2S, NULL, "h2") };

    (void)state;
    tls_start(p.client, &p.to_server);
    pump(&p, 0);
    assert_int_equal(p.server_err, ZE_PROTOCOL);
    pair_free(&p);
}

static void servers_show_certificates_to_each_other_and_clients_do_not(void **state)
{
    struct pair s2s = pair_new(TLS_FOR_S2S, "a.example", false);
    struct pair c2s = pair_new(TLS_FOR_C2S, "a.example", false);

    (void)state;
    tls_show(s2s.client, "b.example");
    pump(&s2s, 0);
    pump(&c2s, 0);
    assert_true(tls_peer_has_certificate(s2s.server) && tls_peer_has_certificate(s2s.client));
    assert_true(tls_peer_has_certificate(c2s.client));
    assert_false(tls_peer_has_certificate(c2s.server));
    assert_false(tls_peer_is(s2s.client, "a.example"));     /* no root trusts it */
    pair_free(&s2s);
    pair_free(&c2s);
}

static void a_trusted_peer_is_only_who_its_certificate_names(void **state)
{
    struct tls_certs *kept = certs;
    char             *roots = xprintf("%s/a.example/fullchain.pem", dir);

    (void)state;
    certs = tls_certs_load(dir, "a.example");
    tls_certs_trust(certs, roots);
    struct pair p = pair_new(TLS_FOR_S2S, "a.example", false);
    pump(&p, 0);
    assert_true(tls_peer_is(p.client, "a.example"));
    assert_true(tls_peer_is(p.client, "x.wild.example"));
    assert_false(tls_peer_is(p.client, "b.example"));
    assert_true(tls_peer_is(p.server, "a.example"));
    assert_false(tls_peer_is(p.server, "b.example"));
    pair_free(&p);
    tls_certs_free(&certs);
    certs = kept;
    free(roots);
}

static void a_key_of_another_certificate_is_refused(void **state)
{
    static const char *const name[] = { "bad.example", NULL };
    gnutls_datum_t           other;
    char                    *path = xprintf("%s/b.example/privkey.pem", dir);

    (void)state;
    put_certificate("bad.example", name, 4000000000);
    gnutls_load_file(path, &other);
    put_file("bad.example", "privkey.pem", &other);
    assert_int_equal(tls_certs_reload(certs), ZE_OK);
    assert_int_equal(tls_certs_count(certs), 2);
    put_certificate("bad.example", name, 4000000000);
    assert_int_equal(tls_certs_reload(certs), ZE_OK);
    assert_int_equal(tls_certs_count(certs), 3);
    gnutls_free(other.data);
    free(path);
}

static void a_reload_leaves_running_sessions_alone(void **state)
{
    struct pair up = pair_new(TLS_FOR_C2S, "a.example", false);
    struct pair half = pair_new(TLS_FOR_C2S, "a.example", false);

    (void)state;
    pump(&up, 0);
    half.server_err = move(half.server, &half.to_server, 0, &half.server_got, &half.to_client);
    assert_int_equal(tls_certs_reload(certs), ZE_OK);
    pump(&half, 0);
    assert_true(tls_ready(half.server) && tls_ready(half.client));
    tls_seal(up.client, SLICE("still"), &up.to_server);
    pump(&up, 0);
    assert_true(slice_is(buf_slice(&up.server_got), "still"));
    pair_free(&up);
    pair_free(&half);
}

static void a_reload_of_nothing_keeps_the_old_ones(void **state)
{
    char *away = xprintf("%s.away", dir);

    (void)state;
    assert_int_equal(rename(dir, away), 0);
    assert_int_equal(tls_certs_reload(certs), ZE_CONFIG);
    assert_null(tls_certs_load(dir, "a.example"));
    assert_int_equal(rename(away, dir), 0);
    server_certificate_is("a.example", "a.example");
    free(away);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_1_3_talks_and_both_sides_have_the_exporter_binding),
        cmocka_unit_test(tls_1_2_talks_and_both_sides_have_the_unique_binding),
        cmocka_unit_test(one_byte_at_a_time_is_the_same),
        cmocka_unit_test(plaintext_right_behind_the_handshake_is_not_lost),
        cmocka_unit_test(plaintext_right_behind_a_key_update_is_not_lost),
        cmocka_unit_test(the_name_asked_for_chooses_the_certificate),
        cmocka_unit_test(a_wildcard_stands_for_one_label),
        cmocka_unit_test(junk_fails_with_an_alert),
        cmocka_unit_test(a_changed_record_ends_the_session),
        cmocka_unit_test(a_cut_record_waits_for_the_rest),
        cmocka_unit_test(old_versions_and_static_rsa_are_refused),
        cmocka_unit_test(a_foreign_alpn_is_refused),
        cmocka_unit_test(servers_show_certificates_to_each_other_and_clients_do_not),
        cmocka_unit_test(a_trusted_peer_is_only_who_its_certificate_names),
        cmocka_unit_test(a_key_of_another_certificate_is_refused),
        cmocka_unit_test(a_reload_leaves_running_sessions_alone),
        cmocka_unit_test(a_reload_of_nothing_keeps_the_old_ones),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
