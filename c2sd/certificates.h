#pragma once

/* Certificates of clients (RFC 6120 6.3.4, XEP-0178 2): asked for where a domain says by whom they must be issued
 * (setting client_certificates). What is found is offered as EXTERNAL and stated to sm; a certificate that is none of
 * these changes nothing else: its client logs in by other means. */

#include "conn.h"

struct buf;

/* The authorities of all domains, as the settings say now. False: a file of some domain is no good, which the log tells;
 * the domain keeps what it had, at the start nothing. */
bool certificates_load(struct c2sd *s);
void certificates_free(struct c2sd *s);

/* Before the handshake: is a certificate to be asked for? */
bool certificates_wanted(const struct conn *c);
/* A stream to c->domain begins, inside TLS and before login: notes in c->login whom the certificate names. */
void certificates_look(struct conn *c);
