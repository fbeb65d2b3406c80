#pragma once

/* XEP-0198 as far as a stream knows of it: elements to frames and back. Counters, queue and resumption
 * live in sm (proto/manage.h); c2sd only asks the client for acknowledgements by itself. */

#include "manage.h"
#include "negotiate.h"

/* XEP-0352. */
void management_csi(struct conn *c, const struct heard *heard);
void csi_features(struct conn *c, struct buf *out);
bool csi_offered(const struct conn *c);
void management_features(struct conn *c, struct buf *out);
void management_enable(struct conn *c, const struct heard *heard);
void management_resume(struct conn *c, const struct heard *heard);
void management_request(struct conn *c, const struct heard *heard);
void management_ack(struct conn *c, const struct heard *heard);
/* Out of order: <failed/>, and the stream goes on. */
void management_unexpected(struct conn *c, const struct heard *heard);

/* MANAGE and RESUMED from sm. */
void management_on_frame(struct conn *c, const struct frame *f);
void management_on_resumed(struct conn *c, const struct frame *f);
/* RESUME_AT had no answer: the client may bind instead. */
void management_unanswered(struct conn *c, enum zerr why);

/* A stanza of the client that is answered here: `why`, or ZE_OK: an empty result. True: it counts, and so
 * does the answer, which sm gives; nothing is to be written. */
bool management_answers(struct conn *c, const struct stanza *s, enum zerr why);
/* Passes on the last <a/> heard since the last call. */
void management_flush(struct conn *c);
/* Adds <r/> to what leaves now, when stanzas left since the last one and that is answered. */
void management_ask(struct conn *c, struct buf *out);

/* ---- for inline.c (XEP-0198 10) ---- */

/* Attributes of <resume/>. */
enum zerr management_take_resume(const struct element *e, struct slice *previd, uint32_t *h);
enum zerr management_send_resume(struct conn *c, struct slice previd, uint32_t h);
void      management_put_enabled(struct buf *out, const struct manage *m);
void      management_put_resumed(struct buf *out, const struct resumed *r);
void      management_put_failed(struct buf *out, enum zerr why, const uint32_t *h);
