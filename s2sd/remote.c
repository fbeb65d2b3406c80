/* Remote domains (remote.h): when to connect, what a failure means for what waits. */

#include "remote.h"

#include <stdlib.h>

#include "incoming.h"
#include "log.h"
#include "outgoing.h"
#include "pair.h"

enum { REMOTES_MAX = 20000, VERIFIES_MAX = 200, VERIFY_MS = 30000, RETRY_MS = 5000, FORGET_MS = 900000 };

/* ---- the table ---- */

struct remote *remote_find(const struct s2sd *s, struct slice domain)
{
    return table_get(s->remotes, domain);
}

struct remote *remote_get(struct s2sd *s, struct slice domain)
{
    struct remote *r = remote_find(s, domain);

    if (r)
        return r;
    if (table_count(s->remotes) >= REMOTES_MAX)
        remotes_sweep(s, false);
    if (table_count(s->remotes) >= REMOTES_MAX)
        return NULL;
    r = xcalloc(1, sizeof(*r));
    r->s2sd = s;
    r->domain = xstrndup(domain);
    r->used_ms = s2sd_now(s);
    list_init(&r->pairs);
    list_init(&r->verifies);
    table_put(s->remotes, domain, r);
    s->counters.remotes = table_count(s->remotes);
    return r;
}

static void verify_end(struct verify *v, enum dialback_type result, enum zerr why);

static void end_verifies(struct remote *r, enum zerr why)
{
    while (!list_empty(&r->verifies))
        verify_end(LIST_OWNER(r->verifies.next, struct verify, link), DIALBACK_ERROR, why);
}

static void remote_free(struct remote *r)
{
    connect_free(&r->connect);
    if (r->stream)
        r->stream->remote = NULL;
    end_verifies(r, ZE_REMOTE);
    while (!list_empty(&r->pairs))
        pair_free(LIST_OWNER(r->pairs.next, struct pair, link));
    table_remove(r->s2sd->remotes, slice_str(r->domain));
    r->s2sd->counters.remotes = table_count(r->s2sd->remotes);
    free(r->domain);
    free(r);
}

static bool is_idle(const struct remote *r, uint64_t now_ms)
{
    return !r->stream && !r->connect && !pairs_waiting(r) && list_empty(&r->verifies) &&
           !backoff_active(&r->backoff, now_ms) && now_ms >= r->used_ms + FORGET_MS;
}

void remotes_sweep(struct s2sd *s, bool all)
{
    for (struct table_iter i = { 0 }; table_next(s->remotes, &i);)
        if (all || is_idle(i.value, s2sd_now(s)))
            remote_free(i.value);
}

/* ---- connecting ---- */

bool remote_is_shunned(const struct remote *r)
{
    return !r->stream && !r->connect && backoff_active(&r->backoff, s2sd_now(r->s2sd));
}

void remote_seen(struct s2sd *s, struct slice domain)
{
    struct remote *r = remote_find(s, domain);

    if (r)
        backoff_clear(&r->backoff);
}

static void failed(struct remote *r, enum zerr why)
{
    r->why = why;
    r->s2sd->counters.connects_failed++;
    backoff_failed(&r->backoff, s2sd_now(r->s2sd));
    log_info("remote_failed", "domain", r->domain, "err", err_name(why), "count",
             log_num(r->backoff.failures), NULL);
    connect_free(&r->connect);
    end_verifies(r, why);
    pairs_return(r, why);
}

/* Which of our domains the stream is opened for: whoever has something to say there. */
static const char *speaker(const struct remote *r)
{
    const char *ours = pairs_first_domain(r);

    if (!ours && !list_empty(&r->verifies))
        ours = LIST_OWNER(r->verifies.next, struct verify, link)->ours;
    return ours ? ours : s2sd_settings(r->s2sd)->domain[0].name;
}

static void on_connect(void *owner, int fd, const struct sockaddr_storage *at, bool direct_tls, enum zerr why)
{
    struct remote *r = owner;

    if (fd < 0)
        failed(r, r->why ? r->why : why);
    else
        outgoing_new(r, speaker(r), fd, at, direct_tls);
}

void remote_want(struct remote *r)
{
    if (r->stream || r->connect || r->s2sd->draining)
        return;
    r->why = ZE_OK;
    r->tried_ms = r->used_ms = s2sd_now(r->s2sd);
    r->connect = connect_new(r->s2sd->daemon->loop, r->s2sd->dns, r->domain, true, on_connect, r);
    connect_next(r->connect);
}

void remote_forgive(struct remote *r)
{
    backoff_clear(&r->backoff);
    pairs_forgive(r);
    if (pairs_waiting(r))
        remote_want(r);
}

/* ---- the stream ---- */

static void ask_verifies(struct remote *r);

void remote_stream_ready(struct remote *r)
{
    connect_free(&r->connect);
    backoff_clear(&r->backoff);
    r->why = ZE_OK;
    r->used_ms = s2sd_now(r->s2sd);
    ask_verifies(r);
    pairs_stream_ready(r);
}

/* Not negotiated: the next address may be better. Else what waits gets a new stream, once. */
void remote_stream_ended(struct remote *r, struct stream *st)
{
    r->stream = NULL;
    st->remote = NULL;
    r->used_ms = s2sd_now(r->s2sd);
    if (!st->was_ready) {
        r->why = st->told == SE_HOST_UNKNOWN || st->told == SE_HOST_GONE ? ZE_REMOTE : ZE_TIMEOUT;
        if (r->s2sd->draining)
            failed(r, r->why);
        else
            connect_next(r->connect);
        return;
    }
    end_verifies(r, ZE_TIMEOUT);
    pairs_stream_ended(r);
    if (pairs_waiting(r))
        remote_want(r);
}

/* ---- keys to verify: XEP-0220 2.1.2 ---- */

static void verify_late(void *arg)
{
    verify_end(arg, DIALBACK_ERROR, ZE_TIMEOUT);
}

static void verify_end(struct verify *v, enum dialback_type result, enum zerr why)
{
    struct remote *r = v->remote;
    char          *ours = v->ours;
    uint64_t       stream = v->stream;

    timer_disarm(&v->patience);
    list_remove(&v->link);
    r->verify_count--;
    free(v->id);
    free(v->key);
    free(v);
    incoming_verified(r->s2sd, stream, slice_str(ours), slice_str(r->domain), result, why);
    free(ours);
}

static void ask_verifies(struct remote *r)
{
    LIST_EACH(&r->verifies, node) {
        struct verify       *v = LIST_OWNER(node, struct verify, link);
        struct dialback_said said = { .verify = true, .from = slice_str(v->ours), .to = slice_str(r->domain),
                                      .id = slice_str(v->id), .key = slice_str(v->key) };
        if (v->asked)
            continue;
        v->asked = true;
        dialback_write(stream_out(r->stream), &said);
        stream_used(r->stream);
    }
}

/* The asker is alive, or pretends to be: a domain that is left alone is tried again, not too often. */
enum zerr remote_verify(struct s2sd *s, const struct stream *asked_on, const struct dialback_said *said)
{
    struct remote *r = remote_get(s, said->from);

    if (!r || r->verify_count >= VERIFIES_MAX)
        return ZE_FULL;
    if (remote_is_shunned(r) && s2sd_now(s) < r->tried_ms + RETRY_MS)
        return ZE_REMOTE;
    struct verify *v = xcalloc(1, sizeof(*v));
    v->remote = r;
    v->stream = asked_on->handle;
    v->ours = xstrndup(said->to);
    v->id = xstrdup(asked_on->id);
    v->key = xstrndup(said->key);
    v->patience = (struct timer){ .fire = verify_late, .arg = v };
    list_append(&r->verifies, &v->link);
    r->verify_count++;
    timer_arm(s->daemon->loop, &v->patience, VERIFY_MS);
    if (r->stream && r->stream->state == STREAM_READY)
        ask_verifies(r);
    else
        remote_want(r);
    return ZE_OK;
}

/* Only an answer to a question of ours on this very stream counts (XEP-0220 4). */
void remote_on_verified(struct remote *r, const struct dialback_said *said)
{
    LIST_EACH(&r->verifies, node) {
        struct verify *v = LIST_OWNER(node, struct verify, link);
        if (!v->asked || !slice_is(said->id, v->id) || !slice_is(said->to, v->ours) ||
            !slice_is(said->from, r->domain))
            continue;
        stream_used(r->stream);
        verify_end(v, said->type, said->type == DIALBACK_ERROR ? ZE_REMOTE : ZE_OK);
        return;
    }
    log_warn("dialback_unsolicited", "domain", r->domain, "from", log_slice(said->from), "to",
             log_slice(said->to), NULL);
}
