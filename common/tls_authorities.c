/* Certificates of clients (tls_authorities.h), GnuTLS behind it. */

#include "tls_authorities.h"

#include <gnutls/x509-ext.h>
#include <gnutls/x509.h>
#include <stdlib.h>

#include "log.h"
#include "mem.h"
#include "tls_certs.h"

#define OID_SUBJECT_ALT_NAME "2.5.29.17"      /* RFC 5280 4.2.1.6 */

struct tls_authorities {
    gnutls_x509_trust_list_t list;
};

/* ---- who is trusted ---- */

static const char *add_certificates(struct tls_authorities *a, const char *file)
{
    int got = gnutls_x509_trust_list_add_trust_file(a->list, file, NULL, GNUTLS_X509_FMT_PEM, 0, 0);

    return got < 0 ? gnutls_strerror(got) : got == 0 ? "no certificate in it" : NULL;
}

/* A list that none of these issued would be there for nothing. */
static const char *add_revocations(struct tls_authorities *a, const char *file)
{
    gnutls_x509_crl_t *lists = NULL;
    gnutls_datum_t     pem;
    unsigned           count = 0;

    if (gnutls_load_file(file, &pem) < 0)
        return "the file of revocations cannot be read";
    int got = gnutls_x509_crl_list_import2(&lists, &count, &pem, GNUTLS_X509_FMT_PEM, 0);
    gnutls_free(pem.data);
    if (got < 0)
        return gnutls_strerror(got);
    got = gnutls_x509_trust_list_add_crls(a->list, lists, count, GNUTLS_TL_VERIFY_CRL, 0);
    gnutls_free(lists);                  /* the lists themselves are taken */
    return got < (int)count ? "a list of revocations that none of the authorities signed" : NULL;
}

struct tls_authorities *tls_authorities_load(const char *ca_file, const char *crl_file, const char **why)
{
    struct tls_authorities *a = xcalloc(1, sizeof(*a));

    if (gnutls_x509_trust_list_init(&a->list, 0) < 0)
        fatal("tls_failed", "why", "gnutls_x509_trust_list_init", NULL);
    *why = add_certificates(a, ca_file);
    if (!*why && crl_file[0])
        *why = add_revocations(a, crl_file);
    if (*why)
        tls_authorities_free(&a);
    return a;
}

void tls_authorities_free(struct tls_authorities **ap)
{
    struct tls_authorities *a = *ap;

    *ap = NULL;
    if (!a)
        return;
    gnutls_x509_trust_list_deinit(a->list, 1);
    free(a);
}

/* ---- what the peer showed ---- */

/* Returns how many; 0: none, or too many, or not to be read. */
static unsigned chain_of(struct tls *tls, gnutls_x509_crt_t chain[CERT_CHAIN_MAX])
{
    unsigned              count = 0, done = 0;
    const gnutls_datum_t *shown =
        tls_ready(tls) ? gnutls_certificate_get_peers(tls_session(tls), &count) : NULL;

    if (!shown || count > CERT_CHAIN_MAX)
        return 0;
    while (done < count && gnutls_x509_crt_init(&chain[done]) >= 0) {
        done++;
        if (gnutls_x509_crt_import(chain[done - 1], &shown[done - 1], GNUTLS_X509_FMT_DER) < 0)
            break;
    }
    if (done == count && count)
        return count;
    while (done)
        gnutls_x509_crt_deinit(chain[--done]);
    return 0;
}

static void chain_free(gnutls_x509_crt_t *chain, unsigned count)
{
    while (count)
        gnutls_x509_crt_deinit(chain[--count]);
}

/* The first that fits is told. */
static const struct {
    unsigned    bit;
    const char *why;
} faults[] = {
    { GNUTLS_CERT_REVOKED, "revoked" },
    { GNUTLS_CERT_SIGNER_NOT_FOUND, "of an unknown authority" },
    { GNUTLS_CERT_EXPIRED, "expired" },
    { GNUTLS_CERT_NOT_ACTIVATED, "not valid yet" },
    { GNUTLS_CERT_PURPOSE_MISMATCH, "not for clients" },
    { GNUTLS_CERT_INSECURE_ALGORITHM, "of an insecure algorithm" },
    { ~0u, "not valid" },
};

const char *tls_peer_uncertified(struct tls *tls, struct tls_authorities *a)
{
    gnutls_typed_vdata_st purpose = { GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT, 0 };
    gnutls_x509_crt_t     chain[CERT_CHAIN_MAX];
    unsigned              status = ~0u, count = chain_of(tls, chain);

    if (!count)
        return "not to be read";
    if (gnutls_x509_trust_list_verify_crt2(a->list, chain, count, &purpose, 1, 0, &status, NULL) < 0)
        status = ~0u & ~(unsigned)GNUTLS_CERT_REVOKED;
    chain_free(chain, count);
    for (size_t i = 0; i < COUNT_OF(faults); i++)
        if (status & faults[i].bit)
            return faults[i].why;
    return NULL;
}

/* ---- whom it names ---- */

static gnutls_subject_alt_names_t names_of(gnutls_x509_crt_t crt)
{
    gnutls_subject_alt_names_t names = NULL;
    gnutls_datum_t             der;
    unsigned                   critical;

    if (gnutls_x509_crt_get_extension_by_oid2(crt, OID_SUBJECT_ALT_NAME, 0, &der, &critical) < 0)
        return NULL;
    if (gnutls_subject_alt_names_init(&names) >= 0 && gnutls_x509_ext_import_subject_alt_names(&der, names, 0) < 0) {
        gnutls_subject_alt_names_deinit(names);
        names = NULL;
    }
    gnutls_free(der.data);
    return names;
}

void tls_peer_addresses(struct tls *tls, void (*each)(void *arg, struct slice address), void *arg)
{
    gnutls_x509_crt_t          chain[CERT_CHAIN_MAX];
    unsigned                   type, count = chain_of(tls, chain);
    gnutls_subject_alt_names_t names = count ? names_of(chain[0]) : NULL;
    gnutls_datum_t             name, oid, address;

    for (unsigned i = 0; names && gnutls_subject_alt_names_get(names, i, &type, &name, &oid) >= 0; i++) {
        if (type != GNUTLS_SAN_OTHERNAME ||
            gnutls_x509_othername_to_virtual((const char *)oid.data, &name, &type, &address) < 0)
            continue;
        if (type == GNUTLS_SAN_OTHERNAME_XMPP)
            each(arg, slice_of(address.data, address.size));
        gnutls_free(address.data);
    }
    if (names)
        gnutls_subject_alt_names_deinit(names);
    chain_free(chain, count);
}
