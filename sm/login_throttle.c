/* Failed logins by account and address (login_throttle.h). One table: the key says which of the three
 * counts an entry is. */

#include "login_throttle.h"

#include <stdlib.h>

#include "address_limits.h"
#include "list.h"
#include "mem.h"
#include "table.h"

enum { DELAY_FIRST_MS = 1000, KEY_MAX = 1 + 16 + 3071, DOUBLINGS_MAX = 20 };

enum count { PAIR = 'p', ADDRESS = 'a', ACCOUNT = 'j' };

struct entry {
    struct list  link;               /* the one used last is at the end */
    struct slice key;                /* own copy behind */
    long         failures;
    uint64_t     last_ms, until_ms;  /* of the last failure; refused until then */
    bool         known;              /* a pair: the account has logged in from there */
};

struct login_throttle {
    struct table *entries;
    struct list   oldest_first;
};

struct login_throttle *login_throttle_new(void)
{
    struct login_throttle *t = xcalloc(1, sizeof(*t));

    t->entries = table_new();
    list_init(&t->oldest_first);
    return t;
}

static void entry_drop(struct login_throttle *t, struct entry *e)
{
    table_remove(t->entries, e->key);
    list_remove(&e->link);
    free(e);
}

void login_throttle_free(struct login_throttle **tp)
{
    struct login_throttle *t = *tp;

    *tp = NULL;
    if (!t)
        return;
    LIST_EACH(&t->oldest_first, node)
        entry_drop(t, LIST_OWNER(node, struct entry, link));
    table_free(&t->entries);
    free(t);
}

size_t login_throttle_count(const struct login_throttle *t)
{
    return table_count(t->entries);
}

/* ---- entries ---- */

struct key {
    uint8_t bytes[KEY_MAX];
    size_t  len;
};

static void key_add(struct key *key, struct slice bytes)
{
    size_t room = sizeof(key->bytes) - key->len;
    size_t len = bytes.len < room ? bytes.len : room;

    if (len)
        memcpy(key->bytes + key->len, bytes.p, len);
    key->len += len;
}

static void key_add_address(struct key *key, struct slice text)
{
    struct client_ip ip;

    key_add(key, limits_key_of(text, &ip));
    key_add(key, slice_of("", 1));
}

static struct key key_of(const struct login_try *who, enum count count)
{
    struct key key = { .bytes = { (uint8_t)count }, .len = 1 };

    if (count != ACCOUNT)
        key_add_address(&key, who->address);
    if (count != ADDRESS)
        key_add(&key, who->jid);
    return key;
}

static struct entry *find(struct login_throttle *t, const struct login_try *who, enum count count)
{
    struct key key = key_of(who, count);

    if (count != ADDRESS && !who->jid.len)
        return NULL;
    return table_get(t->entries, slice_of(key.bytes, key.len));
}

static struct entry *need(struct login_throttle *t, const struct login_try *who, enum count count)
{
    struct entry *e = find(t, who, count);

    if (!e) {
        struct key key = key_of(who, count);

        if (table_count(t->entries) >= LOGIN_ENTRIES)
            entry_drop(t, LIST_OWNER(t->oldest_first.next, struct entry, link));
        e = xcalloc(1, sizeof(*e) + key.len);
        memcpy(e + 1, key.bytes, key.len);
        e->key = slice_of(e + 1, key.len);
        table_put(t->entries, e->key, e);
    }
    list_remove(&e->link);
    list_append(&t->oldest_first, &e->link);
    return e;
}

static uint64_t doubled(uint64_t first, long times, uint64_t most)
{
    uint64_t ms = first << (times < DOUBLINGS_MAX ? times : DOUBLINGS_MAX);

    return ms < most ? ms : most;
}

/* ---- the rules ---- */

static bool known(struct login_throttle *t, const struct login_try *who)
{
    const struct entry *pair = find(t, who, PAIR);

    return pair && pair->known;
}

static bool refused(const struct entry *e, long max, uint64_t now_ms)
{
    return e && max && now_ms < e->until_ms;
}

bool login_allowed(struct login_throttle *t, const struct login_try *who, const struct login_rules *rules,
                   uint64_t now_ms)
{
    if (refused(find(t, who, PAIR), rules->pair_max, now_ms))
        return false;
    return known(t, who) || !refused(find(t, who, ADDRESS), rules->address_max, now_ms);
}

uint64_t login_delay(struct login_throttle *t, const struct login_try *who, const struct login_rules *rules,
                     uint64_t now_ms)
{
    const struct entry *e = find(t, who, ACCOUNT);

    if (!e || !rules->account_max || e->failures < rules->account_max || known(t, who) ||
        now_ms >= e->last_ms + rules->refuse_max_ms)
        return 0;
    return doubled(DELAY_FIRST_MS, e->failures - rules->account_max, rules->delay_max_ms);
}

static void count_one(struct entry *e, long max, const struct login_rules *rules, uint64_t now_ms)
{
    if (now_ms >= e->last_ms + rules->refuse_max_ms)
        e->failures = 0;
    e->failures++;
    e->last_ms = now_ms;
    if (max && e->failures >= max)
        e->until_ms = now_ms + doubled(rules->refuse_ms, e->failures - max, rules->refuse_max_ms);
}

void login_failed(struct login_throttle *t, const struct login_try *who, const struct login_rules *rules,
                  uint64_t now_ms)
{
    count_one(need(t, who, ADDRESS), rules->address_max, rules, now_ms);
    if (!who->jid.len)
        return;
    count_one(need(t, who, PAIR), rules->pair_max, rules, now_ms);
    count_one(need(t, who, ACCOUNT), 0, rules, now_ms);
}

void login_succeeded(struct login_throttle *t, const struct login_try *who, uint64_t now_ms)
{
    struct entry *e = need(t, who, PAIR);

    e->known = true;
    e->failures = 0;
    e->until_ms = 0;
    e->last_ms = now_ms;
}
