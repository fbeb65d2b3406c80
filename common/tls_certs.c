/* Certificates from a directory (tls.h): loading, checking, choosing by name. RFC 6125 6.4 for the
 * names. What is loaded is never changed: a reload makes a new generation and sessions keep theirs. */

#include "tls_certs.h"

#include <ctype.h>
#include <dirent.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "log.h"
#include "mem.h"

struct tls_certs {
    char            *dir;
    char            *default_domain;
    char            *trust_file;
    struct cert_set *set;
};

bool cert_names_hold(const char *names, const char *name)
{
    const char *parent = strchr(name, '.');
    size_t      len = strlen(name), parent_len = parent ? strlen(parent) : 0;

    for (const char *at = names; *at;) {
        size_t part = strcspn(at, " ");

        if (part == len && strncasecmp(at, name, len) == 0)
            return true;
        if (parent && parent != name && at[0] == '*' && part == parent_len + 1 &&
            strncasecmp(at + 1, parent, parent_len) == 0)
            return true;
        at += part + (at[part] == ' ');
    }
    return false;
}

struct cert *cert_set_find(const struct cert_set *set, const char *name)
{
    for (struct cert *c = set->first; c; c = c->next)
        if (strcasecmp(c->directory, name) == 0)
            return c;
    for (struct cert *c = set->first; c; c = c->next)
        if (cert_names_hold(c->names, name))
            return c;
    return NULL;
}

static void cert_free(struct cert *c)
{
    for (unsigned i = 0; i < c->chain_len; i++)
        gnutls_pcert_deinit(&c->chain[i]);
    gnutls_privkey_deinit(c->key);
    free(c->directory);
    free(c->names);
    free(c);
}

/* The DNS names of the leaf in lower case, a blank between; a name with a blank or NUL is left out. */
static char *names_of(gnutls_x509_crt_t leaf)
{
    struct buf names = { 0 };

    for (unsigned i = 0;; i++) {
        char   name[256];
        size_t len = sizeof(name) - 1;
        int    type = gnutls_x509_crt_get_subject_alt_name(leaf, i, name, &len, NULL);

        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            break;
        if (type != GNUTLS_SAN_DNSNAME || memchr(name, 0, len) || memchr(name, ' ', len))
            continue;
        for (size_t k = 0; k < len; k++)
            name[k] = (char)tolower((unsigned char)name[k]);
        if (buf_len(&names))
            buf_put_u8(&names, ' ');
        buf_put(&names, name, len);
    }
    char *text = xstrndup(buf_slice(&names));
    buf_free(&names);
    return text;
}

static bool key_fits(gnutls_x509_crt_t leaf, gnutls_privkey_t key)
{
    uint8_t         of_leaf[64], of_key[64];
    size_t          leaf_len = sizeof(of_leaf), key_len = sizeof(of_key);
    gnutls_pubkey_t pub;

    if (gnutls_pubkey_init(&pub) < 0)
        return false;
    bool fits = gnutls_pubkey_import_privkey(pub, key, 0, 0) >= 0 &&
                gnutls_pubkey_get_key_id(pub, 0, of_key, &key_len) >= 0 &&
                gnutls_x509_crt_get_key_id(leaf, 0, of_leaf, &leaf_len) >= 0 && key_len == leaf_len &&
                memcmp(of_leaf, of_key, key_len) == 0;
    gnutls_pubkey_deinit(pub);
    return fits;
}

/* RFC 5929 4.1: by the hash of its signature, SHA-256 in the place of MD5 and SHA-1. */
static void end_point_of(struct cert *c, gnutls_x509_crt_t leaf)
{
    int                       sign = gnutls_x509_crt_get_signature_algorithm(leaf);
    gnutls_digest_algorithm_t hash = sign < 0 ? GNUTLS_DIG_UNKNOWN
                                              : gnutls_sign_get_hash_algorithm((gnutls_sign_algorithm_t)sign);
    gnutls_datum_t            der;

    if (hash == GNUTLS_DIG_MD5 || hash == GNUTLS_DIG_SHA1)
        hash = GNUTLS_DIG_SHA256;
    if (hash == GNUTLS_DIG_UNKNOWN || gnutls_hash_get_len(hash) > sizeof(c->end_point) ||
        gnutls_x509_crt_export2(leaf, GNUTLS_X509_FMT_DER, &der) < 0)
        return;
    if (gnutls_hash_fast(hash, der.data, der.size, c->end_point) >= 0)
        c->end_point_len = gnutls_hash_get_len(hash);
    gnutls_free(der.data);
}

/* NULL, or why the chain cannot be used. */
static const char *chain_load(struct cert *c, const char *path)
{
    gnutls_datum_t     pem;
    gnutls_x509_crt_t *crts = NULL;
    unsigned           count = 0;
    const char        *why = NULL;

    int err = gnutls_load_file(path, &pem);
    if (err < 0)
        return "fullchain.pem cannot be read";
    err = gnutls_x509_crt_list_import2(&crts, &count, &pem, GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_SORT);
    gnutls_free(pem.data);
    if (err < 0)
        return gnutls_strerror(err);
    if (count > CERT_CHAIN_MAX)
        why = "more than ten certificates in fullchain.pem";
    else if (!key_fits(crts[0], c->key))
        why = "privkey.pem does not belong to fullchain.pem";
    for (unsigned i = 0; !why && i < count; i++) {
        err = gnutls_pcert_import_x509(&c->chain[i], crts[i], 0);
        if (err < 0)
            why = gnutls_strerror(err);
        else
            c->chain_len++;
    }
    if (!why) {
        c->names = names_of(crts[0]);
        end_point_of(c, crts[0]);
        c->expires = gnutls_x509_crt_get_expiration_time(crts[0]);
    }
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(crts[i]);
    gnutls_free(crts);
    return why;
}

static const char *key_load(struct cert *c, const char *path)
{
    gnutls_datum_t pem;

    if (gnutls_load_file(path, &pem) < 0)
        return "privkey.pem cannot be read (is it readable by the group of this daemon?)";
    int err = gnutls_privkey_import_x509_raw(c->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    wipe(pem.data, pem.size);
    gnutls_free(pem.data);
    return err < 0 ? gnutls_strerror(err) : NULL;
}

static struct cert *cert_load(const char *dir, const char *domain)
{
    struct cert *c = xcalloc(1, sizeof(*c));
    char        *chain = xprintf("%s/%s/fullchain.pem", dir, domain);
    char        *key = xprintf("%s/%s/privkey.pem", dir, domain);

    c->directory = xstrdup(domain);
    if (gnutls_privkey_init(&c->key) < 0)
        fatal("tls_failed", "why", "gnutls_privkey_init", NULL);
    const char *why = key_load(c, key);
    if (!why)
        why = chain_load(c, chain);
    free(chain);
    free(key);
    if (why) {
        log_error("certificate_refused", "domain", domain, "why", why, NULL);
        cert_free(c);
        return NULL;
    }
    if (c->expires < time(NULL))
        log_warn("certificate_expired", "domain", domain, NULL);
    return c;
}

/* Called inside a handshake: the chain for the name the client asks for, on a client side the one
 * tls_show chose. The generation outlives the session, so GnuTLS frees nothing. */
static int pick(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **chain,
                unsigned *chain_len, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_len, gnutls_privkey_t *key,
                unsigned *flags)
{
    const struct cert *c = tls_pick(session);

    (void)info;
    *ocsp = NULL;
    *ocsp_len = 0;
    *flags = 0;
    *chain = c ? (gnutls_pcert_st *)c->chain : NULL;
    *chain_len = c ? c->chain_len : 0;
    *key = c ? c->key : NULL;
    return 0;
}

struct cert_set *cert_set_empty(void)
{
    struct cert_set *set = xcalloc(1, sizeof(*set));

    set->refs = 1;
    if (gnutls_certificate_allocate_credentials(&set->credentials) < 0)
        fatal("tls_failed", "why", "gnutls_certificate_allocate_credentials", NULL);
    gnutls_certificate_set_retrieve_function3(set->credentials, pick);
    return set;
}

struct cert_set *cert_set_ref(struct tls_certs *certs)
{
    certs->set->refs++;
    return certs->set;
}

void cert_set_unref(struct cert_set **set)
{
    struct cert_set *s = *set;

    *set = NULL;
    if (!s || --s->refs)
        return;
    while (s->first) {
        struct cert *c = s->first;
        s->first = c->next;
        cert_free(c);
    }
    gnutls_certificate_free_credentials(s->credentials);
    free(s->trust_file);
    free(s);
}

void cert_set_trust(struct cert_set *set)
{
    if (set->trusts)
        return;
    set->trusts = true;
    int got = set->trust_file ? gnutls_certificate_set_x509_trust_file(set->credentials, set->trust_file,
                                                                       GNUTLS_X509_FMT_PEM)
                              : gnutls_certificate_set_x509_system_trust(set->credentials);
    if (got <= 0)
        log_warn("roots_missing", "why", got < 0 ? gnutls_strerror(got) : "no root certificates", NULL);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*b)->d_name, (*a)->d_name);
}

static int is_domain_dir(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && (entry->d_type == DT_DIR || entry->d_type == DT_LNK ||
                                       entry->d_type == DT_UNKNOWN);
}

/* NULL when nothing in the directory can be used. */
static struct cert_set *cert_set_load(const struct tls_certs *certs)
{
    struct dirent  **found = NULL;
    struct cert_set *set = cert_set_empty();
    int              count = scandir(certs->dir, &found, is_domain_dir, by_name);

    for (int i = 0; i < count; i++) {
        struct cert *c = cert_load(certs->dir, found[i]->d_name);

        free(found[i]);
        if (!c)
            continue;
        c->next = set->first;
        set->first = c;
    }
    free(found);
    set->trust_file = certs->trust_file ? xstrdup(certs->trust_file) : NULL;
    set->by_default = certs->default_domain ? cert_set_find(set, certs->default_domain) : NULL;
    if (!set->by_default)
        set->by_default = set->first;
    if (!set->first) {
        log_error("certificates_missing", "from", certs->dir, "why", "no usable certificate in it", NULL);
        cert_set_unref(&set);
    }
    return set;
}

struct tls_certs *tls_certs_load(const char *dir, const char *default_domain)
{
    struct tls_certs *certs = xcalloc(1, sizeof(*certs));

    certs->dir = xstrdup(dir);
    certs->default_domain = default_domain ? xstrdup(default_domain) : NULL;
    certs->set = cert_set_load(certs);
    if (!certs->set)
        tls_certs_free(&certs);
    return certs;
}

enum zerr tls_certs_reload(struct tls_certs *certs)
{
    struct cert_set *fresh = cert_set_load(certs);

    if (!fresh)
        return ZE_CONFIG;
    cert_set_unref(&certs->set);
    certs->set = fresh;
    return ZE_OK;
}

void tls_certs_free(struct tls_certs **certs)
{
    struct tls_certs *c = *certs;

    *certs = NULL;
    if (!c)
        return;
    cert_set_unref(&c->set);
    free(c->dir);
    free(c->default_domain);
    free(c->trust_file);
    free(c);
}

size_t tls_certs_count(const struct tls_certs *certs)
{
    size_t count = 0;

    for (const struct cert *c = certs->set->first; c; c = c->next)
        count++;
    return count;
}

void tls_certs_trust(struct tls_certs *certs, const char *pem_file)
{
    free(certs->trust_file);
    free(certs->set->trust_file);
    certs->trust_file = xstrdup(pem_file);
    certs->set->trust_file = xstrdup(pem_file);
}

void tls_certs_each(const struct tls_certs *certs, void (*each)(void *arg, const struct tls_cert_info *info),
                    void *arg)
{
    for (const struct cert *c = certs->set->first; c; c = c->next)
        each(arg, &(struct tls_cert_info){ c->directory, c->names, c->expires, c->chain_len });
}
