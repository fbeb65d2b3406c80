/* The sessions' presence in Redis (presence_keys.h). */

#include "presence_keys.h"

#include <stdio.h>
#include <stdlib.h>

#include <hiredis/hiredis.h>

#include "jid.h"
#include "log.h"
#include "presence.h"
#include "stats.h"
#include "stanza.h"
#include "xml_write.h"

#define PREFIX "zubr:online:"

/* A presence whose content is longer is written without it: the key says who is online, and how. */
enum { PULSE_MS = 1000, CONTENT_MAX = 4096 };

static uint64_t written, deleted, said_gone, read_through;

static const struct stat_row rows[] = {
    { "presence_keys_written", "keys of sessions written to Redis", &written },
    { "presence_keys_deleted", "keys of sessions deleted", &deleted },
    { "presence_said_gone", "sessions of a former life that Redis still named", &said_gone },
    { "presence_keys_read", "1 when the keys of a former life were read to their end", &read_through },
    { 0 },
};

struct presence_keys {
    struct sm    *sm;
    struct redis *redis;
    struct timer  pulse;
    bool          up;
    size_t        place;          /* of the walk that writes all sessions anew */
    size_t        to_announce;    /* sessions that walk still owes since Redis came */
    double        due;            /* sessions to be written anew, with the fraction */
    uint64_t      started_ms;
    bool          routed, scanning;
    char          cursor[24];     /* of SCAN */
    struct buf    key, value;
};

/* ---- one key ---- */

static struct slice key_of(struct presence_keys *k, struct slice jid)
{
    buf_reset(&k->key, JID_MAX);
    buf_put_str(&k->key, PREFIX);
    buf_put_slice(&k->key, jid);
    return buf_slice(&k->key);
}

static struct slice value_of(struct presence_keys *k, const struct session *s)
{
    struct stanza shown = { .name = STANZA_PRESENCE, .from = session_jid(s), .content = blob_slice(s->presence) };

    if (shown.content.len > CONTENT_MAX)
        shown.content = slice_of(NULL, 0);
    if (s->lang)
        shown.lang = blob_slice(s->lang);
    buf_reset(&k->value, CONTENT_MAX);
    stanza_write(&k->value, &shown, slice_of(NULL, 0));
    return buf_slice(&k->value);
}

static void key_delete(struct presence_keys *k, struct slice jid)
{
    struct slice words[] = { SLICE("DEL"), key_of(k, jid) };

    deleted += !redis_ask(k->redis, words, COUNT_OF(words), NULL, NULL);
}

static void key_set(struct presence_keys *k, const struct session *s)
{
    char         seconds[24];
    struct slice words[] = { SLICE("SET"), key_of(k, session_jid(s)), value_of(k, s), SLICE("EX"), { 0 } };

    words[4] = slice_of(seconds, (size_t)snprintf(seconds, sizeof(seconds), "%ld",
                                                  k->sm->settings->limits.presence_key_seconds));
    written += !redis_ask(k->redis, words, COUNT_OF(words), NULL, NULL);
}

/* What cannot be asked now is made good by the walk, or by the key's lifetime. */
void presence_keys_write(struct presence_keys *k, const struct session *s)
{
    if (!k->up)
        return;
    if (s->available)
        key_set(k, s);
    else
        key_delete(k, session_jid(s));
}

/* ---- all keys, again and again ---- */

/* At the usual pace all are written once in a third of the lifetime; after Redis came, as fast as is
 * allowed until all were written. */
static size_t budget(struct presence_keys *k)
{
    long   rate = k->sm->settings->limits.presence_key_rate;
    double usual = 3.0 * (double)sessions_count(k->sm->sessions) / (double)k->sm->settings->limits.presence_key_seconds;
    size_t whole;

    k->due += k->to_announce ? (double)rate : usual;
    whole = k->due > (double)rate ? (size_t)rate : (size_t)k->due;
    k->due -= (double)(size_t)k->due;
    return whole;
}

static void announce(struct presence_keys *k)
{
    size_t left = budget(k);

    for (; left; left--) {
        const struct session *s = sessions_next(k->sm->sessions, &k->place);
        if (!s) {
            k->place = 0;
            break;
        }
        if (s->available)
            key_set(k, s);
        k->to_announce -= k->to_announce > 0;
    }
}

/* ---- once: who is named and not here ---- */

static void look_at(struct presence_keys *k, struct slice key)
{
    struct sm   *sm = k->sm;
    struct slice raw_jid = slice_starts(key, SLICE(PREFIX)) ? slice_cut(key, sizeof(PREFIX) - 1, key.len) : slice_of(NULL, 0);
    struct jid   jid;

    if (jid_parse(raw_jid, &jid) || !slice_eq(jid_slice(&jid), raw_jid) || !jid.resource_len || !jid.local_len ||
        !sm_serves(sm, jid_domain(raw_jid)) || !sm_owns(sm, jid_bare(raw_jid)) ||
        session_by_jid(sm->sessions, raw_jid))
        return;
    log_info("session_gone", "jid", log_slice(raw_jid), "why", "of a former life", NULL);
    said_gone++;
    presence_gone(sm, raw_jid);
    arena_reset(sm->arena);
    key_delete(k, jid_slice(&jid));
}

static void on_scanned(void *arg, const struct redisReply *reply)
{
    struct presence_keys *k = arg;

    k->scanning = false;
    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING || reply->element[1]->type != REDIS_REPLY_ARRAY)
        return;
    snprintf(k->cursor, sizeof(k->cursor), "%s", reply->element[0]->str);
    for (size_t i = 0; i < reply->element[1]->elements; i++) {
        const redisReply *key = reply->element[1]->element[i];
        if (key->type == REDIS_REPLY_STRING)
            look_at(k, slice_of(key->str, (size_t)key->len));
    }
    read_through = strcmp(k->cursor, "0") == 0;
}

static void catch_up(struct presence_keys *k)
{
    const struct settings *settings = k->sm->settings;
    char                   count[24];
    struct slice words[] = { SLICE("SCAN"), slice_str(k->cursor), SLICE("MATCH"), SLICE(PREFIX "*"), SLICE("COUNT"), { 0 } };

    if (read_through || k->scanning || !k->up || !k->routed || !routes_settled(k->sm->routes) ||
        loop_now_ms(k->sm->loop) - k->started_ms < (uint64_t)settings->limits.presence_grace * 1000)
        return;
    long batch = settings->limits.presence_key_rate < 1000 ? settings->limits.presence_key_rate : 1000;
    words[5] = slice_of(count, (size_t)snprintf(count, sizeof(count), "%ld", batch));
    k->scanning = !redis_ask(k->redis, words, COUNT_OF(words), on_scanned, k);
}

static void on_pulse(void *arg)
{
    struct presence_keys *k = arg;

    if (!k->up)
        return;
    timer_arm(k->sm->loop, &k->pulse, PULSE_MS);
    announce(k);
    catch_up(k);
}

void presence_keys_routed(struct presence_keys *k)
{
    k->routed = true;
}

void presence_keys_redis(struct presence_keys *k, bool up)
{
    if (up == k->up)
        return;
    k->up = up;
    k->scanning = false;
    if (!up) {
        timer_disarm(&k->pulse);
        return;
    }
    k->to_announce = sessions_count(k->sm->sessions);
    k->place = 0;
    timer_arm(k->sm->loop, &k->pulse, 0);
}

struct presence_keys *presence_keys_new(struct sm *sm, struct redis *redis)
{
    struct presence_keys *k = xcalloc(1, sizeof(*k));

    stats_register(rows);
    *k = (struct presence_keys){
        .sm = sm, .redis = redis, .pulse = { .fire = on_pulse, .arg = k }, .started_ms = loop_now_ms(sm->loop),
        .cursor = "0",
    };
    return k;
}

void presence_keys_free(struct presence_keys **kp)
{
    struct presence_keys *k = *kp;

    if (!k)
        return;
    timer_disarm(&k->pulse);
    buf_free(&k->key);
    buf_free(&k->value);
    free(k);
    *kp = NULL;
}
