/* Domainparts (RFC 7622 3.2): own LDH check first, because libidn2 lets underscores, spaces and empty
 * labels pass or deletes them; libidn2 only for U-labels and A-labels, in strict IDNA2008 form after
 * the mappings of RFC 5895. */

#include "jid_domain.h"

#include <arpa/inet.h>
#include <idn2.h>

#include "precis.h"

enum { LABEL_MAX = 63, NAME_MAX_LDH = 253, NAME_ROOM = 1024 };

/* Lower-case form of a letter, digit or hyphen; 0 for any other byte. */
static uint8_t ldh(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint8_t)(c | 0x20);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ? c : 0;
}

/* RFC 5890 2.3.1: LDH labels, of which those with "--" in third place are reserved: only A-labels. */
static bool label_is_good(const char *label, size_t len, bool *has_alabel)
{
    if (len == 0 || len > LABEL_MAX || label[0] == '-' || label[len - 1] == '-')
        return false;
    if (len < 4 || label[2] != '-' || label[3] != '-')
        return true;
    *has_alabel = true;
    return label[0] == 'x' && label[1] == 'n';
}

/* Lower-cases an ASCII name into `out` (room for NAME_MAX_LDH). */
static bool ldh_name(struct slice raw, char *out, bool *has_alabel)
{
    size_t label = 0;

    *has_alabel = false;
    if (raw.len == 0 || raw.len > NAME_MAX_LDH)
        return false;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.p[i] == '.') {
            if (!label_is_good(out + label, i - label, has_alabel))
                return false;
            label = i + 1;
            out[i] = '.';
        } else if (!(out[i] = (char)ldh(raw.p[i]))) {
            return false;
        }
    }
    return label_is_good(out + label, raw.len - label, has_alabel);
}

static bool ascii_part_is_ldh(struct slice name, bool *ascii)
{
    *ascii = true;
    for (size_t i = 0; i < name.len; i++) {
        if (name.p[i] >= 0x80)
            *ascii = false;
        else if (!ldh(name.p[i]) && name.p[i] != '.')
            return false;
    }
    return true;
}

static enum zerr give(const char *text, size_t bytes, char *out, size_t *len)
{
    if (bytes == 0 || bytes > *len)
        return ZE_BAD_JID;
    memcpy(out, text, bytes);
    *len = bytes;
    return ZE_OK;
}

/* RFC 5895 2.4: the ideographic full stop separates labels too. */
static size_t map_dots(char *name, size_t len)
{
    static const char stop[] = "\xE3\x80\x82";
    size_t            to = 0;

    for (size_t from = 0; from < len; to++) {
        bool dot = len - from >= 3 && memcmp(name + from, stop, 3) == 0;
        name[to] = dot ? '.' : name[from];
        from += dot ? 3 : 1;
    }
    return to;
}

/* The canonical form must be what the mappings make of itself. An A-label may hold what RFC 5895 maps
 * to something else (capital Cherokee letters, which IDNA2008 allows and their small forms it does not). */
static bool stable(const char *ulabels)
{
    char   folded[NAME_ROOM];
    size_t len = sizeof(folded);

    return precis_fold(slice_str(ulabels), folded, &len) == ZE_OK && slice_is(slice_of(folded, len), ulabels);
}

/* To A-labels (which proves each U-label, RFC 5891 5) and back to U-labels, the canonical form. */
static enum zerr idna(const char *folded, char *out, size_t *len)
{
    char     *alabels = NULL, *ulabels = NULL;
    char      checked[NAME_MAX_LDH];
    bool      has_alabel;
    enum zerr err = ZE_BAD_JID;

    if (idn2_to_ascii_8z(folded, &alabels, IDN2_NFC_INPUT | IDN2_NO_TR46) == IDN2_OK &&
        ldh_name(slice_str(alabels), checked, &has_alabel) &&
        idn2_to_unicode_8z8z(alabels, &ulabels, 0) == IDN2_OK && stable(ulabels))
        err = give(ulabels, strlen(ulabels), out, len);
    idn2_free(alabels);
    idn2_free(ulabels);
    return err;
}

static enum zerr international(struct slice raw, char *out, size_t *len)
{
    char   folded[NAME_ROOM];
    size_t folded_len = sizeof(folded) - 1;
    bool   ascii;

    if (precis_fold(raw, folded, &folded_len))
        return ZE_BAD_JID;
    folded_len = map_dots(folded, folded_len);
    if (folded_len > 0 && folded[folded_len - 1] == '.')
        folded_len--;
    folded[folded_len] = 0;
    /* Width mapping may have made ASCII of what was none: a full-width solidus, say. */
    if (!ascii_part_is_ldh(slice_of(folded, folded_len), &ascii))
        return ZE_BAD_JID;
    return idna(folded, out, len);
}

static enum zerr address_literal(struct slice raw, char *out, size_t *len)
{
    char            text[INET6_ADDRSTRLEN + 2];
    struct in6_addr address;

    if (raw.len < 4 || raw.len >= sizeof(text) || raw.p[raw.len - 1] != ']')
        return ZE_BAD_JID;
    memcpy(text, raw.p + 1, raw.len - 2);
    text[raw.len - 2] = 0;
    if (memchr(text, 0, raw.len - 2) || inet_pton(AF_INET6, text, &address) != 1)
        return ZE_BAD_JID;
    text[0] = '[';
    inet_ntop(AF_INET6, &address, text + 1, INET6_ADDRSTRLEN);
    size_t end = strlen(text);
    text[end] = ']';
    return give(text, end + 1, out, len);
}

enum zerr jid_prep_domain(struct slice raw, char *out, size_t *len)
{
    char name[NAME_MAX_LDH];
    bool ascii, has_alabel;

    if (raw.len > 0 && raw.p[0] == '[')
        return address_literal(raw, out, len);
    if (raw.len > 1 && raw.p[raw.len - 1] == '.')
        raw.len--;
    if (ldh_name(raw, name, &has_alabel) && !has_alabel)
        return give(name, raw.len, out, len);
    if (!ascii_part_is_ldh(raw, &ascii) || (ascii && !ldh_name(raw, name, &has_alabel)))
        return ZE_BAD_JID;
    return international(raw, out, len);
}
