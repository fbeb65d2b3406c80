/* XEP-0175 (anonymous.h): names, how many there may be, and as a feature, the first one to see a stanza, what a
 * session without an account may not do (3). What is stored on the server for an account or makes a relation that
 * outlives the session is refused; features whose hooks would store something do not see such an owner at all (the
 * column `guests` of struct sm_feature). */

#include "anonymous.h"

#include <string.h>

#include "account.h"
#include "address_limits.h"
#include "disco.h"
#include "encode.h"
#include "feature.h"
#include "log.h"
#include "login.h"
#include "ns.h"
#include "register.h"
#include "secrets.h"

/* ---- names ---- */

enum { UUID_BYTES = 16, RANDOM_BYTES = 8, DRAWS_MAX = 10000 };

/* The second half of a UUID: the first 8 bytes of the MAC over domain and first half, in the variant of RFC 9562. */
static void mac_of(struct sm_store *s, struct slice domain, const uint8_t random[RANDOM_BYTES],
                   uint8_t out[UUID_BYTES - RANDOM_BYTES])
{
    uint8_t    key[SECRET_BYTES], mac[32];
    struct buf text = { 0 };

    buf_put(&text, random, RANDOM_BYTES);
    buf_put_slice(&text, domain);
    secret_get(s, SECRET_ANONYMOUS, key);
    hmac_sha256(slice_of(key, sizeof(key)), buf_slice(&text), mac);
    memcpy(out, mac, UUID_BYTES - RANDOM_BYTES);
    out[0] = (uint8_t)((out[0] & 0x3F) | 0x80);
    wipe(key, sizeof(key));
    buf_free(&text);
}

static bool is_dash(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

void anonymous_name(struct sm_store *s, struct slice domain, char out[ANONYMOUS_NAME + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t           uuid[UUID_BYTES];

    random_bytes(uuid, RANDOM_BYTES);
    uuid[6] = (uint8_t)((uuid[6] & 0x0F) | 0x80);
    mac_of(s, domain, uuid, uuid + RANDOM_BYTES);
    for (size_t i = 0, nibble = 0; i < ANONYMOUS_NAME; i++) {
        if (is_dash(i)) {
            out[i] = '-';
            continue;
        }
        out[i] = digits[nibble % 2 ? uuid[nibble / 2] & 0x0F : uuid[nibble / 2] >> 4];
        nibble++;
    }
    out[ANONYMOUS_NAME] = 0;
}

/* False: no UUID of version 8 in lower case. */
static bool uuid_take(struct slice text, uint8_t out[UUID_BYTES])
{
    if (text.len != ANONYMOUS_NAME || text.p[14] != '8')
        return false;
    memset(out, 0, UUID_BYTES);
    for (size_t i = 0, nibble = 0; i < ANONYMOUS_NAME; i++) {
        uint8_t c = text.p[i];
        bool    digit = c >= '0' && c <= '9';

        if (is_dash(i) ? c != '-' : !digit && !(c >= 'a' && c <= 'f'))
            return false;
        if (is_dash(i))
            continue;
        out[nibble / 2] = (uint8_t)(out[nibble / 2] << 4 | (digit ? c - '0' : c - 'a' + 10));
        nibble++;
    }
    return true;
}

bool anonymous_is(struct sm_store *s, struct slice bare)
{
    uint8_t uuid[UUID_BYTES], mac[UUID_BYTES - RANDOM_BYTES];

    if (!uuid_take(jid_local(bare), uuid))
        return false;
    mac_of(s, jid_domain(bare), uuid, mac);
    return same_secret(slice_of(uuid + RANDOM_BYTES, sizeof(mac)), slice_of(mac, sizeof(mac)));
}

/* ---- who is let in ---- */

static uint64_t admitted, refused;

static const struct stat_row stats[] = {
    { "anonymous_logins", "logins without an account (XEP-0175)", &admitted },
    { "anonymous_refused", "logins without an account that were refused", &refused },
    { 0 },
};

static bool full(long limit, size_t count)
{
    return limit && count >= (size_t)limit;
}

enum zerr anonymous_may_bind(const struct sm *sm, struct slice address)
{
    return full(sm->settings->limits.anonymous_sessions, sessions_guests(sm->sessions, slice_of(NULL, 0))) ||
                   full(sm->settings->limits.anonymous_per_address, sessions_guests(sm->sessions, address))
               ? ZE_FULL : ZE_OK;
}

static const char *refuse(const char *condition, const char *why, const char **text)
{
    refused++;
    *text = why;
    return condition;
}

/* An account may have had such a name before the server had its secret. */
static bool is_free(struct sm *sm, struct slice bare)
{
    struct account_info info;

    return !account_look(sm->store.accounts, bare, &info) && !session_online(sm->sessions, bare);
}

/* Of this instance, which counts all that come from this address. */
static bool draw(struct sm *sm, struct slice domain, struct jid *out)
{
    char name[ANONYMOUS_NAME + 1];

    for (int i = 0; i < DRAWS_MAX; i++) {
        anonymous_name(&sm->store, domain, name);
        if (jid_make(slice_str(name), domain, slice_of(NULL, 0), out) == ZE_OK && sm_owns(sm, jid_slice(out)) &&
            is_free(sm, jid_slice(out)))
            return true;
    }
    return false;
}

const char *anonymous_admit(void *self, const struct auth_start *start, struct jid *out, const char **text)
{
    struct sm                    *sm = self;
    const struct settings_domain *d = sm_domain(sm, start->domain);
    struct client_ip              ip;

    if (!d || strcmp(d->anonymous, "off") == 0)
        return refuse("invalid-mechanism", NULL, text);
    if (!throttle_take(sm->guests, limits_key_of(start->address, &ip), loop_now_ms(sm->loop),
                       sm->settings->limits.anonymous_per_hour))
        return refuse("temporary-auth-failure", "Too many logins from your address; try again later", text);
    if (anonymous_may_bind(sm, start->address))
        return refuse("temporary-auth-failure", "Too many sessions without an account; try again later", text);
    if (!draw(sm, start->domain, out))
        return refuse("temporary-auth-failure", NULL, text);
    admitted++;
    return NULL;
}

/* ---- what they may not do ---- */

enum { AT_HOME = TO_OWN_ACCOUNT | TO_SERVER, ANYWHERE = AT_HOME | TO_OTHER_ACCOUNT };

/* An IQ of such a session. A get shows what is there: nothing. A set at its own account or the server would store
 * something, but for these; at others it is their client's matter, but for what makes a lasting relation. */
static const struct {
    unsigned    types;
    const char *ns, *element;        /* NULL: any */
    unsigned    targets;
    bool        may;
} rules[] = {
    { IQ_GET | IQ_SET, NS_REGISTER,     NULL,    ANYWHERE, false },
    { IQ_GET | IQ_SET, NS_SEARCH,       NULL,    ANYWHERE, false },
    { IQ_SET,          NS_COMMANDS,     NULL,    ANYWHERE, false },
    { IQ_SET,          NS_PUBSUB,       NULL,    ANYWHERE, false },
    { IQ_SET,          NS_PUBSUB_OWNER, NULL,    ANYWHERE, false },
    { IQ_SET,          NS_MUC_OWNER,    NULL,    ANYWHERE, false },
    { IQ_SET,          NS_CARBONS,      NULL,    AT_HOME,  true },
    { IQ_SET,          NS_MAM,          "query", AT_HOME,  true },
    { IQ_SET,          NULL,            NULL,    AT_HOME,  false },
};

static unsigned target_of(const struct passage *p)
{
    struct slice to = p->stanza->to;

    if (!to.len || slice_eq(to, p->owner))
        return TO_OWN_ACCOUNT;
    return !jid_local(to).len && sm_serves(p->sm, jid_domain(to)) ? TO_SERVER : TO_OTHER_ACCOUNT;
}

static bool may_ask(const struct passage *p)
{
    const struct stanza *s = p->stanza;
    unsigned             type = s->type == TYPE_GET ? IQ_GET : s->type == TYPE_SET ? IQ_SET : 0;
    unsigned             target = target_of(p);

    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (rules[i].types & type && rules[i].targets & target &&
            (!rules[i].ns || slice_is(s->payload_ns, rules[i].ns)) &&
            (!rules[i].element || slice_is(s->payload_name, rules[i].element)))
            return rules[i].may;
    return true;
}

/* 3, item 2. Rooms and components of this host are no remote servers. */
static bool may_reach(const struct passage *p, struct slice other)
{
    const struct settings_domain *d = sm_domain(p->sm, jid_domain(p->owner));
    struct slice                  domain = jid_domain(other);

    return (d && strcmp(d->anonymous, "anywhere") == 0) || sm_serves(p->sm, domain) ||
           routes_domain_role(p->sm->routes, domain) != ROLE_NONE;
}

static bool is_subscription(const struct stanza *s)
{
    return s->name == STANZA_PRESENCE && s->type >= TYPE_SUBSCRIBE && s->type <= TYPE_UNSUBSCRIBED;
}

static int anonymous_outgoing(struct passage *p)
{
    const struct stanza *s = p->stanza;

    if (!p->guest)
        return GO_ON;
    if (is_subscription(s) || (s->to.len && !may_reach(p, s->to)) || (s->name == STANZA_IQ && !may_ask(p)))
        return ZE_FORBIDDEN;
    return GO_ON;
}

/* Who may not be reached from there does not reach it either: to them nobody is here. Nobody can subscribe to what
 * ends with its session. Answers and errors come, also those that are made here in the name of somebody else. */
static int anonymous_incoming(struct passage *p)
{
    const struct stanza *s = p->stanza;

    if (!p->guest || s->type == TYPE_ERROR || (s->name == STANZA_IQ && s->type == TYPE_RESULT))
        return GO_ON;
    if (is_subscription(s))
        return TAKEN;
    if (may_reach(p, s->from))
        return GO_ON;
    return s->name == STANZA_PRESENCE ? TAKEN : ZE_NO_SUCH;
}

const struct sm_feature sm_anonymous = {
    .name = "anonymous", .spec = "XEP-0175", .guests = true, .stats = stats,
    .outgoing = anonymous_outgoing, .incoming = anonymous_incoming,
};
