#pragma once

/* Which element is legal when, and what is offered: one table (RFC 6120 4.3, 5, 6, 7). */

#include "conn.h"

/* What a rule needs, or must not have. */
enum have {
    HAVE_TLS          = 1 << 0,    /* TLS is up */
    HAVE_SAFE         = 1 << 1,    /* TLS is up, or server.require_tls is off */
    HAVE_AUTH         = 1 << 2,    /* authenticated */
    HAVE_CERTS        = 1 << 3,    /* TLS can be offered */
    HAVE_REGISTRATION = 1 << 4,    /* the domain takes registrations */
    HAVE_SASL2        = 1 << 5,    /* the exchange under way is one of XEP-0388 */
};

struct heard {
    const struct stanza  *stanza;   /* one of the two is set */
    const struct element *element;
};

struct element_rule {
    unsigned    legal;              /* states in which it may come; bits S(state) */
    unsigned    offered;            /* states in which it is announced */
    unsigned    needs, never;       /* bits of enum have */
    const char *ns, *name;          /* the element, or the payload of an iq */
    bool        in_iq;
    void      (*handle)(struct conn *c, const struct heard *heard);
    void      (*feature)(struct conn *c, struct buf *out);      /* NULL: not announced */
};

/* The rule for what came, or NULL: not legal now. Pure. */
const struct element_rule *element_rule(enum conn_state state, unsigned have, struct slice ns,
                                        struct slice name, bool in_iq);
/* Calls each() for the rules announced now. Pure. */
void features_each(enum conn_state state, unsigned have,
                   void (*each)(void *arg, const struct element_rule *rule), void *arg);
unsigned conn_have(const struct conn *c);
/* The server's capabilities, as sm said: elements for the features of this domain's streams from now on. */
void negotiate_caps(struct c2sd *s, struct slice domain, struct slice caps);
void negotiate_caps_free(struct c2sd *s);

/* <stream:features/> of this state. */
void negotiate_features(struct conn *c);

void negotiate_open(struct conn *c, const struct xml_open *open);
void negotiate_element(struct conn *c, const struct element *element);
/* A stanza in another state than ACTIVE; also the old session IQ in ACTIVE. False: not of negotiation. */
bool negotiate_stanza(struct conn *c, const struct stanza *s);

/* "1.0" and what RFC 6120 4.7.5 makes of it. Pure. */
bool version_speaks(struct slice version);
