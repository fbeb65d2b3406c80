#pragma once

/* What tls.c needs from tls_certs.c: one loaded generation of certificates. A session holds the
 * generation it began with, so that a reload never touches it. */

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "tls.h"

enum { CERT_CHAIN_MAX = 10 };

struct cert {
    struct cert     *next;
    char            *directory;
    char            *names;              /* lower case, a blank between */
    gnutls_pcert_st  chain[CERT_CHAIN_MAX];
    unsigned         chain_len;
    gnutls_privkey_t key;
    int64_t          expires;
    uint8_t          end_point[64];      /* RFC 5929 4.1: hash of the leaf */
    size_t           end_point_len;      /* 0: its signature has no single hash, so there is none */
};

struct cert_set {
    unsigned                         refs;
    gnutls_certificate_credentials_t credentials;
    struct cert                     *first;
    struct cert                     *by_default;
    bool                             trusts;     /* roots are loaded */
    char                            *trust_file; /* NULL: the system's */
};

/* One reference more, the caller's. */
struct cert_set *cert_set_ref(struct tls_certs *certs);
/* A set without certificates, for clients that show none. */
struct cert_set *cert_set_empty(void);
void             cert_set_unref(struct cert_set **set);
/* The certificate a session shows (tls.c); NULL: none. */
const struct cert *tls_pick(gnutls_session_t session);
/* The library's session, so that tests can narrow what a client offers. */
gnutls_session_t tls_session(struct tls *tls);
/* For a name in any case; NULL: none fits. */
struct cert     *cert_set_find(const struct cert_set *set, const char *name);
/* Loads the roots once; they cost megabytes, so only who verifies has them. */
void             cert_set_trust(struct cert_set *set);

/* Does a list of names (lower case, a blank between) hold `name`? "*.a.org" stands for one label. Pure. */
bool cert_names_hold(const char *names, const char *name);
