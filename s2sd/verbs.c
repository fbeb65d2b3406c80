/* Control verbs of s2sd (DESIGN.md 8). */

#include <stdio.h>
#include <stdlib.h>

#include "datetime.h"
#include "incoming.h"
#include "jid.h"
#include "pair.h"

/* A domain as an operator types it. */
static bool take_domain(const char *text, struct jid *out)
{
    return jid_parse(slice_str(text), out) == ZE_OK && jid_is_domain(jid_slice(out));
}

static void put_time(struct ctl_reply *r, const char *field, uint64_t us)
{
    char text[DATETIME_MAX];

    datetime_write(text, us / 1000000 * 1000000);
    ctl_str(r, field, text);
}

/* ---- streams ---- */

static void put_domains(struct ctl_reply *r, const struct stream *st)
{
    struct buf text = { 0 };

    if (st->remote) {
        LIST_EACH(&st->remote->pairs, node) {
            const struct pair *p = LIST_OWNER(node, struct pair, link);
            if (p->state == PAIR_VALID)
                buf_printf(&text, "%s%s", buf_len(&text) ? " " : "", p->ours);
        }
    }
    LIST_EACH(&st->allowed, node) {
        const struct allowed *a = LIST_OWNER(node, struct allowed, link);
        if (a->valid)
            buf_printf(&text, "%s%s>%s", buf_len(&text) ? " " : "", a->theirs, a->ours);
    }
    ctl_slice(r, "domains", buf_slice(&text));
    buf_free(&text);
}

static void put_stream(struct ctl_reply *r, const struct stream *st)
{
    char id[20], ip[ADDRESS_MAX];

    snprintf(id, sizeof(id), "%llx", (unsigned long long)st->handle);
    ctl_row(r);
    ctl_str(r, "id", id);
    ctl_str(r, "peer", st->theirs ? st->theirs : "");
    ctl_str(r, "direction", st->kind->name);
    ctl_str(r, "state", stream_state_name(st->state));
    ctl_str(r, "address", stream_address(st, ip));
    ctl_str(r, "tls", stream_tls(st));
    ctl_bool(r, "certified", st->certified);
    put_domains(r, st);
    put_time(r, "since", st->since_us);
    ctl_int(r, "in", (int64_t)st->stanzas_in);
    ctl_int(r, "out", (int64_t)st->stanzas_out);
    ctl_int(r, "slowed", st->slowed);
    ctl_int(r, "queued",
            (int64_t)(transport_waiting(&st->transport) + (st->remote ? st->remote->queued : 0)));
}

static int verb_streams(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct s2sd *s = self;

    LIST_EACH(&s->streams, node) {
        const struct stream *st = LIST_OWNER(node, struct stream, link);
        if (argc == 0 || (st->theirs && strcmp(st->theirs, argv[0]) == 0))
            put_stream(r, st);
    }
    return ZE_OK;
}

/* ---- queues ---- */

static const char *state_of(const struct remote *r)
{
    if (r->stream)
        return stream_state_name(r->stream->state);
    return r->connect ? "connecting" : remote_is_shunned(r) ? "failed" : "idle";
}

static void put_remote(struct ctl_reply *reply, const struct remote *r)
{
    uint64_t now = s2sd_now(r->s2sd);

    LIST_EACH(&r->pairs, node) {
        const struct pair *p = LIST_OWNER(node, struct pair, link);
        ctl_row(reply);
        ctl_str(reply, "domain", r->domain);
        ctl_str(reply, "from", p->ours);
        ctl_str(reply, "state", state_of(r));
        ctl_int(reply, "count", (int64_t)p->queue.count);
        ctl_int(reply, "bytes", (int64_t)p->queue.bytes);
        ctl_str(reply, "why", r->why ? err_name(r->why) : "");
        ctl_int(reply, "retry_ms", remote_is_shunned(r) ? (int64_t)(r->backoff.until_ms - now) : 0);
    }
}

static int verb_queue(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct s2sd         *s = self;
    struct jid           domain;
    const struct remote *only = NULL;

    if (argc && (!take_domain(argv[0], &domain) || !(only = remote_find(s, jid_slice(&domain)))))
        return ZE_NOT_FOUND;
    if (only) {
        put_remote(r, only);
        return ZE_OK;
    }
    for (struct table_iter i = { 0 }; table_next(s->remotes, &i);)
        put_remote(r, i.value);
    return ZE_OK;
}

static int verb_flush(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct s2sd   *s = self;
    struct jid     domain;
    struct remote *remote = NULL;

    (void)argc;
    if (!take_domain(argv[0], &domain) || !(remote = remote_find(s, jid_slice(&domain))))
        return ZE_NOT_FOUND;
    remote_forgive(remote);
    put_remote(r, remote);
    return ZE_OK;
}

/* ---- what the resolver finds ---- */

struct looking {
    struct list       link;
    struct s2sd      *s2sd;
    struct ctl_reply *reply;
    struct resolve   *resolve;
    size_t            count, next;
    struct srv_target target[TARGETS_MAX];
};

static void look_on(struct looking *l);

static void answer(struct looking *l, enum zerr err)
{
    list_remove(&l->link);
    resolve_forget(&l->resolve);
    ctl_finish(l->reply, err);
    free(l);
}

void s2sd_end_verbs(struct s2sd *s)
{
    while (!list_empty(&s->lookups))
        answer(LIST_OWNER(s->lookups.next, struct looking, link), ZE_TIMEOUT);
}

static void put_target(struct looking *l, const char *address)
{
    const struct srv_target *t = &l->target[l->next - 1];

    ctl_row(l->reply);
    ctl_str(l->reply, "host", t->host);
    ctl_int(l->reply, "port", t->port);
    ctl_int(l->reply, "priority", t->priority);
    ctl_int(l->reply, "weight", t->weight);
    ctl_bool(l->reply, "tls", t->direct_tls);
    ctl_str(l->reply, "address", address);
}

static void on_addresses(void *owner, const struct sockaddr_storage *addresses, size_t count, enum zerr why)
{
    struct looking *l = owner;
    char            text[64];

    l->resolve = NULL;
    for (size_t i = 0; i < count; i++)
        if (uv_ip_name((const struct sockaddr *)&addresses[i], text, sizeof(text)) == 0)
            put_target(l, text);
    if (count == 0)
        put_target(l, err_name(why));
    look_on(l);
}

static void look_on(struct looking *l)
{
    struct s2sd *s = l->s2sd;

    if (l->next < l->count) {
        l->resolve = resolve_target(s->daemon->loop, s->dns, &l->target[l->next++], on_addresses, l);
        return;
    }
    answer(l, ZE_OK);
}

static void on_targets(void *owner, const struct srv_target *targets, size_t count, enum zerr why)
{
    struct looking *l = owner;

    l->resolve = NULL;
    if (why) {
        answer(l, why);
        return;
    }
    memcpy(l->target, targets, count * sizeof(*targets));
    l->count = count;
    look_on(l);
}

static int verb_dns(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct s2sd *s = self;
    struct jid   domain;

    (void)argc;
    if (!take_domain(argv[0], &domain))
        return ZE_BAD_JID;
    if (s->draining)
        return ZE_TIMEOUT;
    struct looking *l = xcalloc(1, sizeof(*l));
    list_append(&s->lookups, &l->link);
    l->s2sd = s;
    l->reply = r;
    l->resolve = resolve_domain(s->daemon->loop, s->dns, domain.text, on_targets, l);
    return LATER;
}

const struct ctl_verb s2sd_verbs[] = {
    {"streams",                                           "[DOMAIN]", "streams to and from other servers and components",
     "id peer direction state address tls certified domains since in out queued", "", 0, 1, verb_streams},
    {"queue", "[DOMAIN]", "what waits for remote domains", "domain from state count bytes why retry_ms",
     "not_found", 0, 1, verb_queue},
    {"flush",                                                 "DOMAIN", "forget that a domain failed, and try again what waits",
     "domain from state count bytes why retry_ms", "not_found", 1, 1, verb_flush},
    {"dns",                                                  "DOMAIN", "where the server of a domain is", "host port priority weight tls address",
     "bad_jid remote timeout", 1, 1, verb_dns},
    {0                                                  },
};
