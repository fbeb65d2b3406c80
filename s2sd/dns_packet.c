/* DNS questions and answers (dns_packet.h). ldns does the wire format; what an answer means is here. */

#include "dns_packet.h"

#include <stdlib.h>

#include <ldns/ldns.h>

#include "mem.h"

enum { EDNS_SIZE = 1232, LABEL_MAX = 63 };

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_byte(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool dns_name_ok(const char *name)
{
    size_t label = 0, len = strlen(name);

    if (len == 0 || len >= DNS_NAME_MAX)
        return false;
    for (size_t i = 0; i <= len; i++) {
        if (name[i] != '.' && name[i]) {
            if (!is_name_byte(name[i]) || ++label > LABEL_MAX)
                return false;
        } else if (label == 0) {
            return false;
        } else {
            label = 0;
        }
    }
    return true;
}

void dns_mix_case(char *name, uint64_t bits)
{
    for (size_t i = 0; name[i]; i++)
        if (is_letter(name[i]) && bits >> i % 64 & 1)
            name[i] ^= 0x20;
}

enum zerr dns_query_write(struct buf *out, uint16_t id, const char *name, unsigned type)
{
    ldns_rdf *dname = dns_name_ok(name) ? ldns_dname_new_frm_str(name) : NULL;
    ldns_pkt *packet =
        dname ? ldns_pkt_query_new(dname, (ldns_rr_type)type, LDNS_RR_CLASS_IN, LDNS_RD) : NULL;
    uint8_t  *wire = NULL;
    size_t    len = 0;

    if (!packet) {
        ldns_rdf_deep_free(dname);
        return ZE_BAD_REQUEST;
    }
    ldns_pkt_set_id(packet, id);
    ldns_pkt_set_edns_udp_size(packet, EDNS_SIZE);
    ldns_status status = ldns_pkt2wire(&wire, packet, &len);
    if (status == LDNS_STATUS_OK)
        buf_put(out, wire, len);
    free(wire);
    ldns_pkt_free(packet);
    return status == LDNS_STATUS_OK ? ZE_OK : ZE_BAD_REQUEST;
}

/* Text of a wire-format name, lower case. False: bytes that no host name has. The root is "". */
static bool name_text(const ldns_rdf *dname, char out[DNS_NAME_MAX])
{
    const uint8_t *p = ldns_rdf_data(dname);
    size_t         size = ldns_rdf_size(dname), at = 0, len = 0;

    while (at < size && p[at]) {
        size_t label = p[at++];
        if (label > LABEL_MAX || at + label > size || len + label + 2 > DNS_NAME_MAX)
            return false;
        if (len)
            out[len++] = '.';
        for (size_t i = 0; i < label; i++, at++) {
            char c = (char)p[at];
            if (!is_name_byte(c))
                return false;
            out[len++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        }
    }
    out[len] = 0;
    return at < size;
}

/* The question comes back byte for byte, letter case too. */
static bool is_question(const ldns_pkt *packet, uint16_t id, const char *name, unsigned type)
{
    const ldns_rr_list *questions = ldns_pkt_question(packet);

    if (!ldns_pkt_qr(packet) || ldns_pkt_id(packet) != id ||
        ldns_pkt_get_opcode(packet) != LDNS_PACKET_QUERY || ldns_rr_list_rr_count(questions) != 1)
        return false;
    const ldns_rr *q = ldns_rr_list_rr(questions, 0);
    if ((unsigned)ldns_rr_get_type(q) != type || ldns_rr_get_class(q) != LDNS_RR_CLASS_IN)
        return false;
    ldns_rdf *asked = ldns_dname_new_frm_str(name);
    const ldns_rdf *told = ldns_rr_owner(q);
    bool same = asked && ldns_rdf_size(asked) == ldns_rdf_size(told) &&
                memcmp(ldns_rdf_data(asked), ldns_rdf_data(told), ldns_rdf_size(asked)) == 0;
    ldns_rdf_deep_free(asked);
    return same;
}

static bool is_record(const ldns_rr *rr, const ldns_rdf *owner, unsigned type)
{
    return (unsigned)ldns_rr_get_type(rr) == type && ldns_rr_get_class(rr) == LDNS_RR_CLASS_IN &&
           ldns_dname_compare(ldns_rr_owner(rr), owner) == 0;
}

static const ldns_rr *find_record(const ldns_rr_list *list, const ldns_rdf *owner, unsigned type)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(list, i);
        if (is_record(rr, owner, type) && ldns_rr_rd_count(rr) > 0)
            return rr;
    }
    return NULL;
}

static bool take_record(const ldns_rr *rr, unsigned type, struct dns_record *out)
{
    size_t size = type == DNS_A ? 4 : 16;

    memset(out, 0, sizeof(*out));
    if (type != DNS_SRV) {
        if (ldns_rr_rd_count(rr) != 1 || ldns_rdf_size(ldns_rr_rdf(rr, 0)) != size)
            return false;
        memcpy(out->address, ldns_rdf_data(ldns_rr_rdf(rr, 0)), size);
        return true;
    }
    if (ldns_rr_rd_count(rr) != 4)
        return false;
    out->priority = ldns_rdf2native_int16(ldns_rr_rdf(rr, 0));
    out->weight = ldns_rdf2native_int16(ldns_rr_rdf(rr, 1));
    out->port = ldns_rdf2native_int16(ldns_rr_rdf(rr, 2));
    return name_text(ldns_rr_rdf(rr, 3), out->target);
}

static void take_records(const ldns_rr_list *list, const ldns_rdf *owner, unsigned type, struct dns_answer *a)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(list) && a->count < DNS_RECORDS_MAX; i++) {
        const ldns_rr *rr = ldns_rr_list_rr(list, i);
        if (!is_record(rr, owner, type) || !take_record(rr, type, &a->record[a->count]))
            continue;
        a->count++;
        if (ldns_rr_ttl(rr) < a->ttl)
            a->ttl = ldns_rr_ttl(rr);
    }
}

/* RFC 2308 5: the smaller of the SOA's TTL and its MINIMUM. False: nobody told. */
static bool negative_ttl(const ldns_pkt *packet, uint32_t *ttl)
{
    const ldns_rr_list *authority = ldns_pkt_authority(packet);

    for (size_t i = 0; i < ldns_rr_list_rr_count(authority); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(authority, i);
        if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_SOA || ldns_rr_rd_count(rr) != 7)
            continue;
        uint32_t minimum = ldns_rdf2native_int32(ldns_rr_rdf(rr, 6));
        *ttl = minimum < ldns_rr_ttl(rr) ? minimum : ldns_rr_ttl(rr);
        return true;
    }
    return false;
}

/* Where the chain of aliases that begins at `name` ends in this answer; NULL: too long, or a loop. */
static const ldns_rdf *follow_aliases(const ldns_rr_list *list, const ldns_rdf *name, uint32_t *ttl)
{
    for (int hops = 0; hops <= DNS_HOPS_MAX; hops++) {
        const ldns_rr *alias = find_record(list, name, LDNS_RR_TYPE_CNAME);
        if (!alias)
            return name;
        if (ldns_rr_ttl(alias) < *ttl)
            *ttl = ldns_rr_ttl(alias);
        name = ldns_rr_rdf(alias, 0);
    }
    return NULL;
}

static void understand(const ldns_pkt *packet, unsigned type, struct dns_answer *a)
{
    const ldns_rdf     *asked = ldns_rr_owner(ldns_rr_list_rr(ldns_pkt_question(packet), 0));
    const ldns_rr_list *list = ldns_pkt_answer(packet);
    ldns_pkt_rcode      rcode = ldns_pkt_get_rcode(packet);

    a->outcome = DNS_FAILED;
    if (ldns_pkt_tc(packet)) {
        a->outcome = DNS_TRUNCATED;
        return;
    }
    if (rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN)
        return;
    a->ttl = UINT32_MAX;
    const ldns_rdf *owner = follow_aliases(list, asked, &a->ttl);
    if (!owner)
        return;
    take_records(list, owner, type, a);
    if (a->count) {
        a->outcome = DNS_FOUND;
        return;
    }
    a->ttl = 0;
    bool told = negative_ttl(packet, &a->ttl);
    bool alias = owner != asked && rcode == LDNS_RCODE_NOERROR && !told && name_text(owner, a->alias);
    a->outcome = alias && a->alias[0] ? DNS_ALIAS : DNS_NOTHING;
}

struct dns_answer *dns_answer_read(struct slice bytes, uint16_t id, const char *name, unsigned type)
{
    ldns_pkt          *packet = NULL;
    struct dns_answer *a = NULL;

    if (ldns_wire2pkt(&packet, bytes.p, bytes.len) != LDNS_STATUS_OK)
        return NULL;
    if (is_question(packet, id, name, type)) {
        a = xcalloc(1, sizeof(*a) + DNS_RECORDS_MAX * sizeof(a->record[0]));
        understand(packet, type, a);
        a = xrealloc(a, sizeof(*a) + a->count * sizeof(a->record[0]));
    }
    ldns_pkt_free(packet);
    return a;
}
