#pragma once

/* Carries SASL bytes between client and sm, in the profile of RFC 6120 6 or of XEP-0388. */

#include "negotiate.h"

/* RFC 6120 6 */
void sasl1_auth(struct conn *c, const struct heard *heard);
void sasl1_too_early(struct conn *c, const struct heard *heard);       /* before TLS */
void sasl1_response(struct conn *c, const struct heard *heard);
void sasl1_abort(struct conn *c, const struct heard *heard);
void sasl1_features(struct conn *c, struct buf *out);

/* XEP-0388 */
void sasl2_authenticate(struct conn *c, const struct heard *heard);
void sasl2_too_early(struct conn *c, const struct heard *heard);
void sasl2_response(struct conn *c, const struct heard *heard);
void sasl2_next(struct conn *c, const struct heard *heard);
void sasl2_task_data(struct conn *c, const struct heard *heard);
void sasl2_abort(struct conn *c, const struct heard *heard);
void sasl2_features(struct conn *c, struct buf *out);
/* The exchange under way is one of XEP-0388. */
bool sasl2_speaks(const struct conn *c);

/* XEP-0440, for both. */
void sasl_binding_features(struct conn *c, struct buf *out);

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
