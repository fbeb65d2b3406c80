#pragma once

/* XEP-0313 Message Archive Management: queries and answers as values and XML, for archives of accounts (sm) and
 * of rooms (muc). What a query may see is the caller's business. The extended part (urn:xmpp:mam:2#extended)
 * is not here. */

#include "ledger.h"
#include "rsm.h"

struct mam_request {
    struct slice       queryid;        /* p NULL: none */
    struct slice       with;           /* canonical; empty: everybody */
    uint64_t           start_us, end_us;
    struct rsm_request rsm;
};

/* `query`: the element of an IQ set. Texts are in the arena. ZE_FEATURE: a field that we do not know
 * (4.1.5), a flipped page, an RSM index; ZE_NOT_FOUND: a node; ZE_BAD_JID; ZE_BAD_REQUEST. */
enum zerr mam_parse(struct arena *arena, const struct element *query, struct mam_request *out);
/* The answer to an IQ get (4.1.5): `<query/>` with the form. */
void mam_form_write(struct xml_writer *w);

/* The query of the ledger. page_max: limits.archive_page_max. ZE_NOT_FOUND: before or after names no archived
 * record (4.3.2). */
enum zerr mam_query(struct ledger *l, const struct mam_request *m, long page_max, struct ledger_query *q);

/* One result (4.2): appends `<result/>`, the content of a message to who asked. s: the record's stanza as
 * who asked may see it; us: when it was stored. */
void mam_result_write(struct buf *content, const struct mam_request *m, struct slice id, uint64_t us,
                      const struct stanza *s);

/* The end: `<fin/>` with its set. The ledger is asked for the count when max is 0 (0059 2.7); else count and
 * index are told when they are known anyway: index 0 for the first page, the count of a set on one page. */
void mam_fin_write(struct xml_writer *w, struct ledger *l, const struct mam_request *m,
                   const struct ledger_query *q, const struct ledger_page *page);
