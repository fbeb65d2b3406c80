#pragma once

/* What the two profiles of SASL share: RFC 6120 6 (sasl1.c) and XEP-0388 (sasl2.c). */

#include "login.h"
#include "sasl.h"
#include "sasl_list.h"

/* How a profile speaks to its client. Slices borrow. */
struct sasl_profile {
    void (*challenge)(struct conn *c, struct slice bytes);
    /* condition: RFC 6120 6.5; text and content may be empty. */
    void (*failure)(struct conn *c, const char *condition, struct slice text, struct slice content);
    void (*success)(struct conn *c, const struct auth_done *done);   /* c->jid and ticket are set */
    /* AUTH_CONTINUE and AUTH_TASK_DATA; NULL: the profile knows neither. */
    void (*step)(struct conn *c, const struct auth_step *step);
};
extern const struct sasl_profile sasl1, sasl2;

/* What this stream offers. */
struct sasl_offer {
    struct sasl_stream  stream;
    struct auth_binding binding[AUTH_BINDINGS_MAX];
    unsigned            bindings;
    struct buf          data[AUTH_BINDINGS_MAX];
};
void sasl_offer_take(const struct conn *c, struct sasl_offer *offer);
void sasl_offer_free(struct sasl_offer *offer);
/* <mechanism/> for each, in the namespace around. */
void sasl_offer_mechanisms(const struct sasl_offer *offer, struct buf *out);

/* XEP-0484: mechanisms for tokens, in XEP-0388 inside TLS only. */
bool sasl_offers_token(const struct sasl_offer *offer, const struct sasl_profile *profile, struct slice mechanism);

/* Frees what may hold a secret. */
void sasl_wipe(struct buf *bytes);

/* An exchange begins: `a` says mechanism, initial response, client and inlines, the rest is filled in. */
void sasl_begin(struct conn *c, const struct sasl_profile *profile, struct auth_start *a);
/* The client's next step goes to sm. */
void sasl_say(struct conn *c, const struct auth_step *step);
/* The exchange is over, or never began: <failure/>, counted against the client. text may be NULL. */
void sasl_fail(struct conn *c, const struct sasl_profile *profile, const char *condition, const char *text,
               const char *mechanism);
void sasl_aborted(struct conn *c, const char *condition);
