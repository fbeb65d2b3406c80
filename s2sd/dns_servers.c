/* The list of DNS servers (dns_servers.h). */

#include "dns_servers.h"

#include <stdio.h>

#include <uv.h>

enum { CONF_MAX = 65536, ADDRESS_TEXT_MAX = 64 };

static bool parse_port(struct slice text, int *port)
{
    int value = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || value > 65535)
            return false;
        value = value * 10 + (text.p[i] - '0');
    }
    *port = value;
    return text.len > 0 && value > 0 && value <= 65535;
}

static size_t find(struct slice text, char c)
{
    const uint8_t *at = text.len ? memchr(text.p, c, text.len) : NULL;

    return at ? (size_t)(at - text.p) : text.len;
}

/* Parts address and port; a bare IPv6 address has colons and no port. */
static bool split(struct slice text, struct slice *host, int *port)
{
    size_t bracket = find(text, ']'), colon = find(text, ':');
    struct slice rest;

    *port = DNS_PORT;
    if (text.len && text.p[0] == '[') {
        if (bracket == text.len)
            return false;
        *host = slice_cut(text, 1, bracket);
        rest = slice_cut(text, bracket + 1, text.len);
    } else if (colon < text.len && find(slice_cut(text, colon + 1, text.len), ':') == text.len - colon - 1) {
        *host = slice_cut(text, 0, colon);
        rest = slice_cut(text, colon, text.len);
    } else {
        *host = text;
        return true;
    }
    return rest.len == 0 || (rest.p[0] == ':' && parse_port(slice_cut(rest, 1, rest.len), port));
}

bool dns_server_parse(struct slice text, struct sockaddr_storage *out)
{
    char         host[ADDRESS_TEXT_MAX];
    struct slice part;
    int          port;

    if (!split(text, &part, &port) || part.len == 0 || part.len >= sizeof(host))
        return false;
    memcpy(host, part.p, part.len);
    host[part.len] = 0;
    memset(out, 0, sizeof(*out));
    return uv_ip4_addr(host, port, (struct sockaddr_in *)out) == 0 ||
           uv_ip6_addr(host, port, (struct sockaddr_in6 *)out) == 0;
}

static struct slice take_word(struct slice *line)
{
    size_t begin = 0, end;

    while (begin < line->len && (line->p[begin] == ' ' || line->p[begin] == '\t'))
        begin++;
    for (end = begin; end < line->len && line->p[end] != ' ' && line->p[end] != '\t' && line->p[end] != '\r';)
        end++;
    struct slice word = slice_cut(*line, begin, end);
    *line = slice_cut(*line, end, line->len);
    return word;
}

void dns_servers_of_conf(struct slice conf, struct dns_servers *out)
{
    out->count = 0;
    while (conf.len && out->count < DNS_SERVERS_MAX) {
        size_t       end = find(conf, '\n');
        struct slice line = slice_cut(conf, 0, end);
        conf = slice_cut(conf, end < conf.len ? end + 1 : end, conf.len);
        if (slice_is(take_word(&line), "nameserver") &&
            dns_server_parse(take_word(&line), &out->server[out->count]))
            out->count++;
    }
}

bool dns_servers_find(const char *setting, const char *conf_path, struct dns_servers *out)
{
    static char text[CONF_MAX];

    out->count = 0;
    if (setting && setting[0]) {
        out->count = 1;
        return dns_server_parse(slice_str(setting), &out->server[0]);
    }
    FILE *file = fopen(conf_path, "re");
    if (file) {
        dns_servers_of_conf(slice_of(text, fread(text, 1, sizeof(text), file)), out);
        fclose(file);
    }
    if (out->count == 0)        /* resolv.conf(5): "the name server on the local machine" */
        out->count = dns_server_parse(SLICE("127.0.0.1"), &out->server[0]);
    return true;
}
