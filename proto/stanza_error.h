#pragma once

/* Stanza errors of RFC 6120 8.3 from enum zerr. */

#include "buf.h"
#include "element.h"
#include "err.h"
#include "stanza.h"

/* What an extension adds to a condition (RFC 6120 8.3.2, 8.3.4): a text for people, and its own condition, with
 * at most one attribute. Each may be NULL. payload, unless p is NULL: of the reply, in the place of what was asked. */
struct error_detail {
    const char  *text;
    const char  *ns, *condition;
    const char  *attr, *value;
    struct slice payload;
};

/* Appends `<error type='...'><condition xmlns='...'/>[<text/>]</error>`; text may be NULL. `by` is the
 * JID of who made it (RFC 6120 8.3.1), empty: none. */
void stanza_error_write(struct buf *out, enum zerr err, const char *text, struct slice by);
void stanza_error_detailed(struct buf *out, enum zerr err, const struct error_detail *detail, struct slice by);
/* False: it may not be answered: an error or result; presence, unless it is directed (available or subscribe) and err
 * says that nobody is there (BAD_JID, NO_ROUTE, REMOTE, TIMEOUT). */
bool stanza_error_answers(const struct stanza *s, enum zerr err);
/* A payload over so many bytes is left out of an error reply (RFC 6120 8.3.1 allows it). */
enum { STANZA_ERROR_PAYLOAD_MAX = 4096 };
/* Turns s into its error reply: from and to swapped (without `to` it was for the sender's own account, RFC 6120 10.3,
 * which answers), type error, content = original payload + error,
 * appended to `buf`, which reply->content borrows; the other slices are those of s. False, and nothing written: it
 * may not be answered. */
bool stanza_error_reply(const struct stanza *s, enum zerr err, const char *text, struct buf *buf,
                        struct stanza *reply);
bool stanza_error_reply_detailed(const struct stanza *s, enum zerr err, const struct error_detail *detail,
                                 struct buf *buf, struct stanza *reply);
/* The condition inside an <error/> of a received error stanza, as enum zerr; ZE_UNDEFINED. */
enum zerr stanza_error_parse(const struct element *content);
