#pragma once

/* RFC 6120 6: carries SASL bytes between client and sm. */

#include "negotiate.h"

void sasl_auth(struct conn *c, const struct heard *heard);
void sasl_auth_too_early(struct conn *c, const struct heard *heard);   /* before TLS */
void sasl_response(struct conn *c, const struct heard *heard);
void sasl_abort(struct conn *c, const struct heard *heard);
void sasl_features(struct conn *c, struct buf *out);

void sasl_on_step(struct conn *c, const struct frame *f);
void sasl_on_done(struct conn *c, const struct frame *f);
/* No answer in time, or sm lost: the client may try again. */
void sasl_unanswered(struct conn *c);
/* That sm is not there just now: what it had not answered begins again at another one, or fails. */
void sasl_sm_lost(struct conn *c, uint32_t instance);
/* Nothing of the exchange is needed any more. */
void sasl_done(struct conn *c);
/* The client went away during the exchange. */
void sasl_forget(struct conn *c);
