/* External components (component.h): a secret of its own for each, one connection each, `from` inside
 * its own domain. While it is connected its domain is bound at routerd to this instance. */

#include "component.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "deliver.h"
#include "encode.h"
#include "flight.h"
#include "jid.h"
#include "log.h"
#include "ns.h"

enum { SECRET_MAX = 1024 };

struct stream *component_find(const struct s2sd *s, struct slice domain)
{
    return table_get(s->components, domain);
}

void component_digest(struct slice id, struct slice secret, char out[COMPONENT_DIGEST])
{
    struct buf text = { 0 };
    uint8_t    hash[20];

    buf_put_slice(&text, id);
    buf_put_slice(&text, secret);
    sha1(buf_slice(&text), hash);
    wipe(text.bytes, text.end);
    buf_reset(&text, SECRET_MAX);
    hex_put(&text, slice_of(hash, sizeof(hash)));
    memcpy(out, buf_slice(&text).p, COMPONENT_DIGEST);
    buf_free(&text);
}

/* Without its line end. Empty: cannot be read, or nothing in it. */
static struct slice read_secret(const char *path, char room[SECRET_MAX])
{
    int     fd = path[0] ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd >= 0 ? read(fd, room, SECRET_MAX) : -1;

    if (fd >= 0)
        close(fd);
    while (n > 0 && (room[n - 1] == '\n' || room[n - 1] == '\r'))
        n--;
    return slice_of(room, n > 0 ? (size_t)n : 0);
}

static void opened(struct stream *st, const struct xml_open *open)
{
    struct jid to;

    if (open->to.len && jid_parse(open->to, &to) == ZE_OK && s2sd_component(st->s2sd, jid_slice(&to)))
        st->theirs = xstrdup(to.text);
    if (!st->theirs) {
        stream_fail(st, SE_HOST_UNKNOWN, NULL);
        return;
    }
    stream_send_header(st);
    stream_enter(st, STREAM_FEATURES);
}

/* Constant time; without a secret nobody gets in. */
static bool knows_secret(const struct stream *st, struct slice told)
{
    const struct settings_component *c = s2sd_component(st->s2sd, slice_str(st->theirs));
    char         room[SECRET_MAX], digest[COMPONENT_DIGEST];
    struct slice secret = c ? read_secret(c->secret_file, room) : (struct slice){ 0 };

    if (secret.len == 0) {
        log_error("secret_failed", "domain", st->theirs, "from", c ? c->secret_file : "", "why",
                  "cannot be read, or is empty", NULL);
        return false;
    }
    component_digest(slice_str(st->id), secret, digest);
    wipe(room, sizeof(room));
    return same_secret(slice_of(digest, sizeof(digest)), told);
}

/* Another instance holds the connection, as far as the route table tells. */
static bool is_elsewhere(const struct s2sd *s, struct slice domain)
{
    const struct routes *routes = link_routes(s->daemon->link);
    struct address       at;
    uint32_t             generation;

    return routes_domain_role(routes, domain) == ROLE_S2SD && routes_find(routes, domain, &at, &generation) == ZE_OK &&
           at.instance != instance_key(s->daemon->instance);
}

static void refuse_second(struct stream *st)
{
    log_warn("component_refused", "domain", st->theirs, "why", "connected already", NULL);
    stream_fail(st, SE_CONFLICT, NULL);
}

/* Of two that came at once to two instances routerd has taken one; the table says which. */
void components_on_routes(struct s2sd *s)
{
    for (struct table_iter i = { 0 }; table_next(s->components, &i);) {
        struct stream *st = i.value;

        if (st->state != STREAM_READY || !is_elsewhere(s, slice_str(st->theirs)))
            continue;
        refuse_second(st);
        i = (struct table_iter){ 0 };        /* it is out of the table, or not READY any more */
    }
}

static void on_handshake(struct stream *st, const struct element *e)
{
    struct s2sd *s = st->s2sd;
    struct slice domain = slice_str(st->theirs);

    if (!knows_secret(st, element_text(s->arena, e))) {
        log_warn("component_refused", "domain", st->theirs, "why", "wrong secret", NULL);
        stream_fail(st, SE_NOT_AUTHORIZED, NULL);
        return;
    }
    if (component_find(s, domain) || is_elsewhere(s, domain)) {
        refuse_second(st);
        return;
    }
    buf_put_str(stream_out(st), "<handshake/>");
    stream_enter(st, STREAM_READY);
    stream_limit(st, true);
    table_put(s->components, domain, st);
    s->counters.components = table_count(s->components);
    link_bind_domain(s->daemon->link, domain);
    log_info("component_connected", "conn", log_hex(st->handle), "domain", st->theirs, NULL);
}

/* XEP-0114 3: both addresses, `from` at the component's own name. */
static void stanza(struct stream *st, struct xml_item *item)
{
    struct jid    from, to;
    struct stanza s = item->stanza;

    if (st->state != STREAM_READY) {
        if (st->state != STREAM_CLOSING)
            stream_fail(st, SE_NOT_AUTHORIZED, NULL);
        return;
    }
    if (s.from.len == 0 || s.to.len == 0) {
        stream_fail(st, SE_IMPROPER_ADDRESSING, NULL);
        return;
    }
    if (jid_parse(s.from, &from) != ZE_OK || !slice_is(jid_domain(jid_slice(&from)), st->theirs)) {
        stream_fail(st, SE_INVALID_FROM, NULL);
        return;
    }
    stream_used(st);
    st->stanzas_in++;
    st->s2sd->counters.stanzas_in++;
    bool bad_to = jid_parse(s.to, &to) != ZE_OK;
    s.from = jid_slice(&from);
    s.to = bad_to ? slice_str(st->theirs) : jid_slice(&to);
    enum zerr err = bad_to ? ZE_BAD_JID : xml_stanza_fault(item);
    if (err)
        deliver_return(st->s2sd, &(struct returned){ &s, s.to, 0, NULL }, err);
    else
        deliver_inward(st, &s);
}

enum zerr component_send(struct stream *st, const struct outbound *out)
{
    struct queued *item = outbound_item(out);
    enum zerr      err = flight_write(st, item);

    if (err)
        queued_free(&item);
    return err;
}

static void secured(struct stream *st)
{
    (void)st;
}

/* Its senders are told as if it had not been connected; or the next s2sd tells them. */
static void return_flying(struct stream *st)
{
    struct queued *item;
    struct frame   f;

    while ((item = flight_take_back(st))) {
        if (s2sd_leaves(st->s2sd))
            queued_abandon(&item);
        else if (queued_frame(item, &f))
            link_bounce(st->s2sd->daemon->link, &f, ZE_NO_SUCH);
        queued_free(&item);
    }
}

static void ended(struct stream *st)
{
    struct s2sd *s = st->s2sd;

    return_flying(st);
    if (!st->theirs || component_find(s, slice_str(st->theirs)) != st)
        return;
    table_remove(s->components, slice_str(st->theirs));
    s->counters.components = table_count(s->components);
    link_unbind_domain(s->daemon->link, slice_str(st->theirs));
}

static const struct element_rule rules[] = {
    { S(STREAM_FEATURES), NEEDS_NOTHING, NS_COMPONENT, "handshake", on_handshake },
    { 0 },
};

const struct stream_kind component_kind = {
    .name = "component",
    .ns = NS_COMPONENT,
    .rules = rules,
    .stays = true,
    .opened = opened,
    .stanza = stanza,
    .secured = secured,
    .ended = ended,
};
