/* XEP-0077 In-Band Registration before login: the form, and a new account (only where the domain's registration is
 * open, so many an hour from one address). An account is made by its owner: an sm that does not own it passes the
 * request on and the answer back. */

#include "register_inner.h"

#include <stdlib.h>

#include "account.h"
#include "address_limits.h"
#include "bucket.h"
#include "handles.h"
#include "jid.h"
#include "log.h"
#include "ns.h"
#include "outcome_live.h"
#include "stanza_error.h"
#include "stats.h"
#include "table.h"

enum { THROTTLE_ADDRESSES = 20000, RELAY_MS = 30000 };

static uint64_t accounts_made, registrations_refused;
uint64_t        register_removed;

const struct stat_row register_stats[] = {
    { "accounts_made", "accounts registered in-band", &accounts_made },
    { "accounts_removed", "accounts removed", &register_removed },
    { "registrations_refused", "in-band registrations refused", &registrations_refused },
    { 0 },
};

/* ---- throttle ---- */

struct relay {
    struct sm     *sm;
    struct timer   expiry;
    uint64_t       handle, conn, promise;
    struct address c2sd;
};

struct throttle {
    struct table   *buckets;       /* address -> struct bucket */
    struct handles *relays;        /* requests passed on to their owner */
};

struct throttle *throttle_new(void)
{
    struct throttle *t = xcalloc(1, sizeof(*t));

    t->buckets = table_new();
    t->relays = handles_new_unguessed();
    return t;
}

void throttle_free(struct throttle **tp)
{
    size_t place = 0;

    if (!*tp)
        return;
    for (struct relay *r; (r = handles_next((*tp)->relays, &place));) {
        timer_disarm(&r->expiry);
        free(r);
    }
    table_free_values(&(*tp)->buckets, free);
    handles_free(&(*tp)->relays);
    free(*tp);
    *tp = NULL;
}

bool throttle_take(struct throttle *t, struct slice whose, uint64_t now_ms, long per_hour)
{
    struct bucket *b;

    if (per_hour == 0)
        return true;
    b = table_get(t->buckets, whose);
    if (!b) {
        /* Bounded memory before exact counting: a flood of addresses starts the count anew. */
        if (table_count(t->buckets) >= THROTTLE_ADDRESSES) {
            table_free_values(&t->buckets, free);
            t->buckets = table_new();
        }
        b = xcalloc(1, sizeof(*b));
        table_put(t->buckets, whose, b);
    }
    return bucket_take(b, now_ms, 1, (double)per_hour / 3600, (double)per_hour);
}

/* ---- the form ---- */

void register_form_write(struct xml_writer *w, struct slice registered_as)
{
    xml_open(w, "query", NS_REGISTER);
    if (registered_as.len) {
        xml_open(w, "registered", NULL);
        xml_close(w);
    } else {
        xml_simple(w, "instructions", NULL, SLICE("Choose a user name and a password."));
    }
    xml_simple(w, "username", NULL, registered_as);
    xml_simple(w, "password", NULL, slice_of(NULL, 0));
    xml_close(w);
}

/* ---- before login ---- */

/* Where the answer goes, kept while the keys are derived. */
struct registration {
    struct sm     *sm;
    struct address asker;
    uint64_t       conn, trace, promise;
    char          *id, *domain, *jid, *address;
};

static void registration_free(struct registration *r)
{
    free(r->id);
    free(r->domain);
    free(r->jid);
    free(r->address);
    free(r);
}

static void registered_send(struct sm *sm, const struct address *asker, uint64_t conn, uint64_t trace,
                            const struct stanza *reply)
{
    struct outcome *o = outcome_new(sm, slice_of(NULL, 0), trace);
    struct frame    f = frame_make(FRAME_REGISTERED);

    f.dest = *asker;
    f.handle = conn;
    f.stanza = *reply;
    f.body = reply->content;
    outcome_frame(o, AHEAD, &f);
    outcome_settle(&o);
}

/* The answer, should this process die before it gives its own. */
static uint64_t promise(struct sm *sm, const struct frame *asked)
{
    struct buf   content = { 0 };
    struct frame f = frame_make(FRAME_REGISTERED);
    uint64_t     serial;

    stanza_error_write(&content, ZE_INTERNAL, "The server was restarted; try again", slice_of(NULL, 0));
    f.dest = asked->origin;
    f.handle = asked->sender;
    f.trace = asked->trace;
    f.stanza = (struct stanza){
        .name = STANZA_IQ, .type = TYPE_ERROR, .id = asked->stanza.id, .from = asked->stanza.to,
    };
    f.body = buf_slice(&content);
    serial = promise_make(sm, &f);
    buf_free(&content);
    return serial;
}

static void refuse(struct sm *sm, const struct frame *asked, enum zerr err, const char *text)
{
    struct stanza s = {
        .name = STANZA_IQ, .type = TYPE_ERROR, .id = asked->stanza.id, .from = asked->stanza.to,
    };
    struct buf    content = { 0 };

    registrations_refused++;
    stanza_error_write(&content, err, text, slice_of(NULL, 0));
    s.content = buf_slice(&content);
    registered_send(sm, &asked->origin, asked->sender, asked->trace, &s);
    buf_free(&content);
}

static void on_created(void *arg, enum zerr err)
{
    struct registration *r = arg;
    struct buf           content = { 0 };
    struct stanza        s = {
        .name = STANZA_IQ, .type = err ? TYPE_ERROR : TYPE_RESULT, .id = slice_str(r->id),
        .from = slice_str(r->domain),
    };

    if (err)
        stanza_error_write(&content, err, NULL, slice_of(NULL, 0));
    s.content = buf_slice(&content);
    accounts_made += !err;
    registrations_refused += err != 0;
    log_info("account_registered", "jid", r->jid, "from", r->address, "err", err_name(err), NULL);
    registered_send(r->sm, &r->asker, r->conn, r->trace, &s);
    promise_kept(r->sm, &r->promise);
    buf_free(&content);
    registration_free(r);
}

static void give_form(struct sm *sm, const struct frame *f)
{
    struct buf        content = { 0 };
    struct xml_writer w;
    struct stanza     s = {
        .name = STANZA_IQ, .type = TYPE_RESULT, .id = f->stanza.id, .from = f->stanza.to,
    };

    xml_begin(&w, &content, NS_CLIENT);
    register_form_write(&w, slice_of(NULL, 0));
    s.content = buf_slice(&content);
    registered_send(sm, &f->origin, f->sender, f->trace, &s);
    buf_free(&content);
}

static void create(struct sm *sm, const struct frame *f, struct slice jid, struct slice password)
{
    struct registration *r = xcalloc(1, sizeof(*r));

    r->sm = sm;
    r->asker = f->origin;
    r->conn = f->sender;
    r->trace = f->trace;
    r->promise = promise(sm, f);
    r->id = xstrndup(f->stanza.id);
    r->domain = xstrndup(f->stanza.to);
    r->jid = xstrndup(jid);
    r->address = xstrndup(f->list);
    account_create(&sm->store, sm->loop, jid, password, sm->settings->server.scram_iterations, on_created, r);
}

static void relay_expire(void *arg)
{
    struct relay *r = arg;

    handles_remove(r->sm->registrations->relays, r->handle);
    promise_kept(r->sm, &r->promise);
    free(r);
}

/* Another sm owns that name: it gets the request as it came, we carry its answer back. */
static void pass_on(struct sm *sm, const struct frame *f, const struct route_instance *owner)
{
    struct outcome *o = outcome_new(sm, slice_of(NULL, 0), f->trace);
    struct frame    copy = *f;
    struct relay   *r = xcalloc(1, sizeof(*r));

    r->sm = sm;
    r->c2sd = f->origin;
    r->conn = f->sender;
    r->promise = promise(sm, f);
    r->expiry = (struct timer){ .fire = relay_expire, .arg = r };
    r->handle = handles_put(sm->registrations->relays, r);
    timer_arm(sm->loop, &r->expiry, RELAY_MS);
    copy.dest = (struct address){ ROLE_SM, owner->key, 0 };
    copy.generation = routes_generation(sm->routes);
    copy.handle = 0;
    copy.sender = r->handle;
    outcome_frame(o, AHEAD, &copy);
    outcome_settle(&o);
}

void on_registered(void *self, const struct frame *f)
{
    struct sm    *sm = self;
    struct relay *r = handles_remove(sm->registrations->relays, f->handle);
    struct stanza s = f->stanza;

    if (!r)
        return;
    timer_disarm(&r->expiry);
    s.content = f->body;
    registered_send(sm, &r->c2sd, r->conn, f->trace, &s);
    promise_kept(sm, &r->promise);
    free(r);
}

struct wish {
    struct slice username, password;
    struct jid   jid;
};

static enum zerr read_wish(struct sm *sm, const struct frame *f, struct wish *wish)
{
    struct xml_limits     limits = sm_xml_limits(sm);
    const struct element *root = xml_parse_content(sm->arena, f->body, NS_CLIENT, &limits);
    const struct element *query = root ? element_child(root, NS_REGISTER, "query") : NULL;

    if (!query || root->children->next)
        return ZE_BAD_REQUEST;
    wish->username = element_child_text(sm->arena, query, "username");
    wish->password = element_child_text(sm->arena, query, "password");
    if (f->stanza.type == TYPE_GET)
        return ZE_OK;
    if (element_child(query, NS_REGISTER, "remove"))
        return ZE_NOT_ALLOWED;
    if (!wish->username.len || !wish->password.len ||
        jid_make(wish->username, f->stanza.to, slice_of(NULL, 0), &wish->jid))
        return ZE_NOT_ACCEPTABLE;
    return ZE_OK;
}

static bool registration_open(struct sm *sm, struct slice domain)
{
    const struct settings_domain *d = sm_domain(sm, domain);

    return d && strcmp(d->registration, "open") == 0 && !sm->stopping;
}

/* IPv6 counts by /64. */
static bool may_register(struct sm *sm, struct slice address)
{
    struct client_ip ip;

    return throttle_take(sm->registrations, limits_key_of(address, &ip), loop_now_ms(sm->loop),
                         sm->settings->limits.registrations_per_hour);
}

void on_register(void *self, const struct frame *f)
{
    struct sm                   *sm = self;
    const struct route_instance *owner;
    struct wish                  wish;
    enum zerr                    err;

    if (!registration_open(sm, f->stanza.to)) {
        refuse(sm, f, ZE_NOT_ALLOWED, "Registration is not open here");
        return;
    }
    err = read_wish(sm, f, &wish);
    if (err) {
        refuse(sm, f, err, NULL);
        return;
    }
    if (f->stanza.type == TYPE_GET) {
        give_form(sm, f);
        return;
    }
    owner = routes_slot_owner(sm->routes, ROLE_SM, slot_of(jid_slice(&wish.jid)));
    if (f->origin.role == ROLE_C2SD && !may_register(sm, f->list))
        refuse(sm, f, ZE_FULL, "Too many registrations from your address");
    else if (!owner || owner->key == sm->self.instance)
        create(sm, f, jid_slice(&wish.jid), wish.password);
    else if (f->origin.role == ROLE_C2SD)
        pass_on(sm, f, owner);
    else
        refuse(sm, f, ZE_STALE, NULL);
}
