#pragma once

/* XEP-0313 Message Archive Management: queries and answers as values and XML, for archives of accounts (sm) and
 * of rooms (muc). What a query may see is the caller's business. */

#include "archive_rules.h"
#include "ledger.h"
#include "rsm.h"

enum { MAM_IDS_MOST = LEDGER_SCAN };

struct mam_request {
    struct slice       queryid;        /* p NULL: none */
    struct slice       with;           /* canonical; empty: everybody */
    uint64_t           start_us, end_us;
    struct slice       before_id, after_id;    /* empty: none (4.1.3) */
    struct slice      *ids;                    /* NULL: any */
    size_t             ids_count;
    struct slice       text;                   /* words to be in it (XEP-0431); empty: any */
    bool               flip;                   /* results of the page in reverse order (4.3.4) */
    struct rsm_request rsm;
};

/* `query`: the element of an IQ set. Texts are in the arena. ZE_FEATURE: a field that we do not know
 * (4.1.5), an RSM index; ZE_NOT_FOUND: a node; ZE_FULL: more than MAM_IDS_MOST ids; ZE_BAD_JID; ZE_BAD_REQUEST. */
enum zerr mam_parse(struct arena *arena, const struct element *query, enum archive_place place,
                    struct mam_request *out);
/* The answer to an IQ get (4.1.5): `<query/>` with the form. */
void mam_form_write(struct xml_writer *w, enum archive_place place);

/* The query of the ledger; its ids and words are in the arena. page_max: limits.archive_page_max. ZE_NOT_FOUND: one of the
 * ids asked for names no archived record (4.1.3, 4.3.2). ZE_FULL: too many words. */
enum zerr mam_query(struct ledger *l, const struct mam_request *m, long page_max, struct arena *arena,
                    struct ledger_query *q);

/* Sets the part of the query that looks for words, with what it points to in the arena. ZE_FULL: too many words. */
enum zerr mam_query_text(const struct mam_request *m, struct arena *arena, struct ledger_query *q);

/* The record that is the i-th to be sent (4.3.4). */
static inline struct ledger_record *mam_nth(const struct mam_request *m, const struct ledger_page *page, unsigned i)
{
    return &page->records[m->flip ? page->count - 1 - i : i];
}

/* One result (4.2): appends `<result/>`, the content of a message to who asked. s: the record's stanza as
 * who asked may see it; us: when it was stored. */
void mam_result_write(struct buf *content, const struct mam_request *m, struct slice id, uint64_t us,
                      const struct stanza *s);

/* The end: `<fin/>` with its set. The ledger is asked for the count when max is 0 (0059 2.7); else count and
 * index are told when they are known anyway: index 0 for the first page, the count of a set on one page. */
void mam_fin_write(struct xml_writer *w, struct ledger *l, const struct mam_request *m,
                   const struct ledger_query *q, const struct ledger_page *page);

/* `<metadata/>`: the first and the last of the archive (5). ZE_STORE. */
enum zerr mam_metadata_write(struct xml_writer *w, struct ledger *l, struct arena *arena);
