#pragma once

/* Certificates that clients show (RFC 6120 13.7.2): who is trusted to issue them, and whom they name. */

#include "tls.h"

/* Issuers that are trusted, with what they revoked. */
struct tls_authorities;
/* `ca_file`: PEM certificates; `crl_file`: PEM revocation lists of them, or "". NULL, and *why (static text): a file
 * cannot be read or holds nothing of the kind. */
struct tls_authorities *tls_authorities_load(const char *ca_file, const char *crl_file, const char **why);
void                    tls_authorities_free(struct tls_authorities **a);

/* Server side, before the handshake: asks the client for a certificate. It need not show one. */
void tls_ask_certificate(struct tls *tls);

/* NULL: the chain that the peer showed, and proved to own, leads to one of these, is good at this time, for clients
 * (RFC 5280 4.2.1.12) and not revoked. Otherwise why not, for the log; static text. */
const char *tls_peer_uncertified(struct tls *tls, struct tls_authorities *a);
/* Calls each() with every address of the form id-on-xmppAddr (RFC 6120 13.7.1.4) in the peer's certificate, as it
 * stands there: any bytes. Verifies nothing. */
void tls_peer_addresses(struct tls *tls, void (*each)(void *arg, struct slice address), void *arg);
