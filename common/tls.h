#pragma once

/* TLS over buffers (GnuTLS behind it). No socket here: the transport feeds ciphertext in and takes
 * ciphertext out, so that a session can later be replaced by lifted keys (LIBRARIES.md 1). */

#include "buf.h"
#include "err.h"
#include "slice.h"

/* Certificates: one directory a domain (fullchain.pem, privkey.pem), chosen by SNI against the SANs
 * (wildcards of one label), first domain's when the client names none or an unknown one. Key and
 * chain are checked to belong together before they are used. */
struct tls_certs;
/* Loads every sub-directory of `dir`. A bad one is logged and skipped; NULL when none is usable. */
struct tls_certs *tls_certs_load(const char *dir, const char *default_domain);
/* Loads anew; on failure the old ones stay (ZE_CONFIG). Sessions already up are not touched. */
enum zerr tls_certs_reload(struct tls_certs *certs);
void      tls_certs_free(struct tls_certs **certs);
size_t    tls_certs_count(const struct tls_certs *certs);
/* Roots that tls_peer_is trusts instead of the system's: a PEM file (a private federation, tests).
 * Call before the first session. */
void      tls_certs_trust(struct tls_certs *certs, const char *pem_file);

/* One usable certificate. Borrowed during the call. */
struct tls_cert_info {
    const char *directory;         /* the domain it was put there for */
    const char *names;             /* DNS names, a blank between */
    int64_t     expires;           /* seconds since 1970 */
    unsigned    chain;             /* certificates in the file */
};
void      tls_certs_each(const struct tls_certs *certs,
                         void (*each)(void *arg, const struct tls_cert_info *info), void *arg);

enum tls_side { TLS_SERVER, TLS_CLIENT };
enum tls_use  { TLS_FOR_C2S, TLS_FOR_S2S };   /* S2S asks the peer for a certificate, does not require it */

struct tls;
/* `server_name`: for TLS_CLIENT the SNI to send (A-label form), else NULL. `alpn`: "xmpp-client",
 * "xmpp-server" or NULL. `certs` may be NULL for a TLS_CLIENT that shows none and trusts the system's
 * roots. TLS 1.2 and 1.3, forward secrecy only, no compression, no renegotiation. */
struct tls *tls_new(struct tls_certs *certs, enum tls_side side, enum tls_use use,
                    const char *server_name, const char *alpn);
void tls_free(struct tls **tls);
/* Which of our certificates a client side shows when it is asked for one: the one of this domain
 * (else the default). Before the handshake. */
void tls_show(struct tls *tls, const char *own_domain);

/* Handshake and records: `in` is ciphertext from the socket (consumed as far as possible, the rest is
 * kept inside), plaintext is appended to `plain`, ciphertext to send is appended to `out`.
 * ZE_OK: go on. ZE_GONE: close_notify received (plain may hold last bytes). Negative: close the
 * connection after sending `out` (it may hold an alert). tls_last_error says why, for the log. */
enum zerr   tls_feed(struct tls *tls, struct slice in, struct buf *plain, struct buf *out);
/* A client side begins its handshake by this. */
enum zerr   tls_start(struct tls *tls, struct buf *out);
bool        tls_ready(const struct tls *tls);          /* handshake done */
/* Encrypts `plain` wholly into `out`. Only when ready. */
enum zerr   tls_seal(struct tls *tls, struct slice plain, struct buf *out);
/* close_notify. */
void        tls_bye(struct tls *tls, struct buf *out);
const char *tls_last_error(const struct tls *tls);

/* For logs and stats: "TLS1.3", "AES-128-GCM". */
const char *tls_version(const struct tls *tls);
const char *tls_cipher(const struct tls *tls);
const char *tls_alpn(const struct tls *tls);           /* negotiated, or NULL */

/* Channel bindings for SASL, strongest first, NULL at the end: tls-exporter (RFC 9266) on TLS 1.3,
 * tls-unique (RFC 5929 3) on 1.2 with extended master secret, tls-server-end-point (RFC 5929 4) on a server
 * side. */
extern const char *const tls_binding_names[];
/* Appends the data. False: there is none of that name here. */
bool tls_channel_binding(struct tls *tls, const char *name, struct buf *data);

/* The peer's certificate chain (s2s): true when it verifies against the system's CAs and names
 * `domain` (RFC 6125, RFC 7590 3.4). */
bool tls_peer_is(struct tls *tls, const char *domain);
bool tls_peer_has_certificate(struct tls *tls);
