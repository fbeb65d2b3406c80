#pragma once

/* JIDs by RFC 7622: localpart UsernameCaseMapped (+ the excluded characters of 3.3.1), domain by
 * own LDH check and IDNA2008 (kept as U-label, compared so), resourcepart OpaqueString. 1023 bytes a
 * part. A raw JID from the wire is `raw_jid` and may only be given to jid_parse; canonical ones
 * travel as slices and are split by the functions below. */

#include "err.h"
#include "slice.h"

enum { JID_PART_MAX = 1023, JID_MAX = 3 * JID_PART_MAX + 2 };

struct jid {
    uint16_t local_len, domain_len, resource_len;   /* 0 = absent (domain never) */
    uint16_t len;
    char     text[JID_MAX + 1];                     /* canonical, terminated */
};

/* ZE_BAD_JID. `out` is only written on success. */
enum zerr jid_parse(struct slice raw_jid, struct jid *out);
/* From parts, each raw; local and resource may be empty. */
enum zerr jid_make(struct slice local, struct slice domain, struct slice resource, struct jid *out);
/* One prepared part: *len in: room, out: bytes. */
enum zerr jid_prep_resource(struct slice raw, char *out, size_t *len);

static inline struct slice jid_slice(const struct jid *j)
{
    return (struct slice){ (const uint8_t *)j->text, j->len };
}

/* Of a canonical JID text; the parts borrow from it; absent = empty. */
struct slice jid_local(struct slice jid);
struct slice jid_domain(struct slice jid);
struct slice jid_resource(struct slice jid);
struct slice jid_bare(struct slice jid);
bool         jid_is_bare(struct slice jid);     /* no resource (a bare domain too) */
bool         jid_is_domain(struct slice jid);   /* neither local nor resource */
/* True when both have the same bare JID. */
bool jid_same_bare(struct slice a, struct slice b);
