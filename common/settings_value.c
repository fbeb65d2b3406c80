/* Values of settings: what each may be, and putting them into the struct (settings_priv.h). */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <confuse.h>
#include <unictype.h>
#include <unistr.h>
#include <uv.h>

#include "settings_priv.h"

/* ---- what a string may be ---- */
const char *domain_fault(const char *name)
{
    size_t         len = strlen(name), label = 0;
    const uint8_t *p = (const uint8_t *)name;
    ucs4_t         c;

    if (len == 0 || len > 1023)                  /* RFC 7622 3.2 */
        return "a domain has 1 to 1023 bytes";
    if (u8_check(p, len))
        return "it is not UTF-8";
    for (size_t i = 0; i < len; i += (size_t)u8_mbtouc_unsafe(&c, p + i, len - i)) {
        u8_mbtouc_unsafe(&c, p + i, len - i);
        if (uc_is_upper(c))
            return "write it in lower case";
        if (c < 0x80 && !isalnum((int)c) && c != '-' && c != '.')
            return "only letters, digits, hyphens and dots";
        if (label == 0 && (c == '.' || c == '-'))
            return "a label is not empty and does not begin with a hyphen";
        if (label == 0 && strncmp(name + i, "xn--", 4) == 0)
            return "write it in Unicode, not as an A-label";
        if ((c == '.' || i + 1 == len) && name[c == '.' ? i - 1 : i] == '-')
            return "a label does not end with a hyphen";
        label = c == '.' ? 0 : label + 1;
        if (label > 63)                          /* RFC 1035 2.3.4 */
            return "a label has at most 63 characters";
    }
    return label ? NULL : "it does not end with a dot";
}

static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    long   port = digits < 6 ? strtol(text, NULL, 10) : 0;

    return digits > 0 && !text[digits] && port >= 1 && port <= 65535;
}

static bool is_address(const char *text)
{
    struct sockaddr_in  v4;
    struct sockaddr_in6 v6;

    return uv_ip4_addr(text, 0, &v4) == 0 || uv_ip6_addr(text, 0, &v6) == 0;
}

/* HOST:PORT, with [ADDRESS]:PORT for IPv6. `names`: a host may be a name. */
static bool is_endpoint(const char *text, bool names)
{
    const char *colon = strrchr(text, ':');
    char        host[256];

    if (!colon || !is_port(colon + 1) || (size_t)(colon - text) >= sizeof(host) || colon == text)
        return false;
    bool bracketed = text[0] == '[' && colon[-1] == ']';
    snprintf(host, sizeof(host), "%.*s", (int)(colon - text) - 2 * bracketed, text + bracketed);
    if (strchr(host, ':') && !bracketed)
        return false;
    return is_address(host) || (names && !domain_fault(host));
}

static bool is_redis(const char *text)
{
    return strcmp(text, "off") == 0 || (strncmp(text, "unix:/", 6) == 0 && text[6]) ||
           is_endpoint(text, true);
}

static bool is_resolver(const char *text)
{
    return !text[0] || is_endpoint(text, false);
}

static bool is_account(const char *text)
{
    const char *at = strchr(text, '@');

    return at && at != text && !strpbrk(text, " \"&'/:<>") && !domain_fault(at + 1);
}

/* RFC 3986 3, as much as keeps an address from being taken for one. */
static bool is_uri(const char *text)
{
    size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-");

    return scheme > 0 && text[scheme] == ':' && text[scheme + 1] && !strpbrk(text, " \"<>\\^`{|}");
}

static bool is_service_type(const char *text)
{
    return text[0] && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")];
}

static bool is_host(const char *text)
{
    return !text[0] || is_address(text) || !domain_fault(text);
}

static bool is_filled(const char *text)
{
    return text[0] != '\0';
}

/* A row of that name takes only these words, or only what the function accepts. */
static const struct {
    const char *name;
    const char *words[5];
    bool      (*good)(const char *text);
    const char *expected;
} checks[] = {
    { "registration", { "closed", "invite", "review", "open" }, NULL, "closed, invite, review or open" },
    { "anonymous",    { "off", "local", "anywhere" },            NULL, "off, local or anywhere" },
    { "archive_default", { "always", "never", "roster" },       NULL, "always, never or roster" },
    { "create",       { "local", "everybody", "admins" },       NULL, "local, everybody or admins" },
    { "log",          { "error", "warn", "info", "debug" },     NULL, "error, warn, info or debug" },
    { "admins",       { NULL }, is_account,  "a JID user@domain" },
    { "address",      { NULL }, is_address,  "an IP address" },
    { "redis",        { NULL }, is_redis,    "\"off\", \"unix:/PATH\" or \"HOST:PORT\"" },
    { "resolver",     { NULL }, is_resolver, "\"ADDRESS:PORT\" or \"\"" },
    { "run",          { NULL }, is_filled,   "a directory" },
    { "data",         { NULL }, is_filled,   "a directory" },
    { "certs",        { NULL }, is_filled,   "a directory" },
    { "abuse_addresses", { NULL }, is_uri, "a URI: mailto:, xmpp:, https: ..." },
    { "admin_addresses", { NULL }, is_uri, "a URI: mailto:, xmpp:, https: ..." },
    { "feedback_addresses", { NULL }, is_uri, "a URI: mailto:, xmpp:, https: ..." },
    { "sales_addresses", { NULL }, is_uri, "a URI: mailto:, xmpp:, https: ..." },
    { "security_addresses", { NULL }, is_uri, "a URI: mailto:, xmpp:, https: ..." },
    { "status_addresses", { NULL }, is_uri, "a URI: mailto:, xmpp:, https: ..." },
    { "support_addresses", { NULL }, is_uri, "a URI: mailto:, xmpp:, https: ..." },
    { "outage_addresses", { NULL }, is_uri, "a URI: mailto:, xmpp:, https: ..." },
    { "host",         { NULL }, is_host, "a name or an IP address" },
    { "type",         { NULL }, is_service_type, "the type of a service, as stun or turn" },
    { "transport",    { "udp", "tcp" }, NULL, "udp or tcp" },
    { "admin_group",  { NULL }, is_filled,   "the name of a group" },
};

static bool is_text(const char *value)
{
    if (u8_check((const uint8_t *)value, strlen(value)))
        return false;
    for (const char *p = value; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    return true;
}

static const char *text_fault(const struct setting *row, const char *value)
{
    if (!is_text(value))
        return "expected UTF-8 text without control characters";
    for (size_t i = 0; i < COUNT_OF(checks); i++) {
        static char expected[128];

        if (strcmp(checks[i].name, row->name))
            continue;
        for (size_t w = 0; checks[i].words[w]; w++)
            if (strcmp(checks[i].words[w], value) == 0)
                return NULL;
        if (checks[i].good && checks[i].good(value))
            return NULL;
        snprintf(expected, sizeof(expected), "expected %s", checks[i].expected);
        return expected;
    }
    return NULL;
}

static const char *number_fault(const struct setting *row, const char *value)
{
    static char expected[160];
    char       *end;

    errno = 0;
    long number = strtol(value, &end, 10);
    if (value[0] && !isspace((unsigned char)value[0]) && !*end && !errno && number >= row->min &&
        number <= row->max)
        return NULL;
    snprintf(expected, sizeof(expected), "expected a whole number from %ld to %ld (%s)", row->min, row->max,
             row->unit);
    return expected;
}

const char *setting_fault(const struct setting *row, const char *value)
{
    if (row->type == SETTING_INT)
        return number_fault(row, value);
    if (row->type == SETTING_BOOL)
        return cfg_parse_boolean(value) < 0 ? "expected true or false (on, off, yes, no)" : NULL;
    return text_fault(row, value);
}

/* ---- into the struct ---- */
void setting_list_clear(void *base, const struct setting *row)
{
    *(struct str_list *)((char *)base + row->offset) = (struct str_list){ 0 };
}

void setting_list_add(struct arena *arena, void *base, const struct setting *row, const char *item)
{
    struct str_list *list = (struct str_list *)((char *)base + row->offset);
    const char     **items = arena_alloc(arena, (list->count + 1) * sizeof(*items));

    if (list->count)
        memcpy(items, list->item, list->count * sizeof(*items));
    items[list->count++] = arena_str(arena, slice_str(item));
    list->item = items;
}

void setting_store(struct arena *arena, void *base, const struct setting *row, const char *value)
{
    void *member = (char *)base + row->offset;

    if (row->type == SETTING_INT)
        *(long *)member = strtol(value, NULL, 10);
    else if (row->type == SETTING_BOOL)
        *(bool *)member = cfg_parse_boolean(value) == 1;
    else if (row->type == SETTING_STR)
        *(const char **)member = arena_str(arena, slice_str(value));
    else
        setting_list_add(arena, base, row, value);
}

void setting_store_text(struct arena *arena, void *base, const struct setting *row, const char *text)
{
    if (row->type != SETTING_LIST) {
        setting_store(arena, base, row, text);
        return;
    }
    setting_list_clear(base, row);
    while (*text) {
        size_t len = strcspn(text, ",");

        setting_list_add(arena, base, row, arena_str(arena, slice_of(text, len)));
        text += len + (text[len] == ',');
    }
}
