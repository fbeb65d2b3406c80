/* Bodies of the login frames (login.h, DESIGN.md 4). The sizes refused here are far above what an
 * honest daemon sends; finer rules belong to the modules that use the fields. */

#include "login.h"

#include "jid.h"

enum {
    NAME_SIZE_MAX = 255,        /* mechanisms, conditions, addresses */
    TICKET_SIZE_MAX = 4096 + JID_MAX,
    TEXT_SIZE_MAX = 8192,
    SASL_SIZE_MAX = 65536,
    SECRET_SIZE = 16,
    ADVERTISED_MAX = 4096,
    INLINES_MAX = 1 << 20,
    CERTIFIED_MAX = AUTH_CERTIFIED_MAX * (4 + JID_MAX),
};

static void put_bool(struct buf *out, bool value)
{
    buf_put_u8(out, value ? 1 : 0);
}

static enum zerr taken(const struct cursor *c)
{
    return cursor_done(c) ? ZE_OK : ZE_PROTOCOL;
}

static void put_client(struct buf *out, const struct auth_client *client)
{
    buf_put_sized(out, client->id);
    buf_put_sized(out, client->software);
    buf_put_sized(out, client->device);
}

static void take_client(struct cursor *c, struct auth_client *client)
{
    client->id = take_limited(c, NAME_SIZE_MAX);
    client->software = take_limited(c, CLIENT_TEXT_MAX);
    client->device = take_limited(c, CLIENT_TEXT_MAX);
}

static void put_bindings(struct buf *out, const struct auth_start *a)
{
    buf_put_u8(out, (uint8_t)a->bindings);
    for (unsigned i = 0; i < a->bindings; i++) {
        buf_put_sized(out, a->binding[i].name);
        buf_put_sized(out, a->binding[i].data);
    }
}

static void take_bindings(struct cursor *c, struct auth_start *a)
{
    a->bindings = take_u8(c);
    if (a->bindings > AUTH_BINDINGS_MAX)
        c->bad = true;
    for (unsigned i = 0; i < a->bindings && !c->bad; i++) {
        a->binding[i].name = take_limited(c, NAME_SIZE_MAX);
        a->binding[i].data = take_limited(c, NAME_SIZE_MAX);
    }
}

void auth_start_put(struct buf *out, const struct auth_start *a)
{
    buf_put_sized(out, a->domain);
    buf_put_sized(out, a->from);
    buf_put_sized(out, a->mechanism);
    put_bool(out, a->sasl2);
    put_bindings(out, a);
    buf_put_sized(out, a->advertised);
    put_bool(out, a->plus_offered);
    put_bool(out, a->secure);
    put_bool(out, a->has_initial);
    buf_put_sized(out, a->initial);
    buf_put_sized(out, a->address);
    put_client(out, &a->client);
    buf_put_sized(out, a->inlines);
    buf_put_sized(out, a->certified);
}

bool auth_certified_next(struct cursor *c, struct slice *jid)
{
    if (!c->rest.len)
        return false;
    *jid = take_limited(c, JID_MAX);
    return !c->bad && jid->len;
}

static void take_certified(struct cursor *c, struct auth_start *a)
{
    struct slice jid;
    unsigned     count = 0;

    a->certified = take_limited(c, CERTIFIED_MAX);
    struct cursor walk = { a->certified, false };
    while (auth_certified_next(&walk, &jid))
        count++;
    if (!cursor_done(&walk) || count > AUTH_CERTIFIED_MAX)
        c->bad = true;
}

enum zerr auth_start_take(struct slice body, struct auth_start *a)
{
    struct cursor c = { body, false };

    a->domain = take_limited(&c, JID_PART_MAX);
    a->from = take_limited(&c, JID_MAX);
    a->mechanism = take_limited(&c, NAME_SIZE_MAX);
    a->sasl2 = take_bool(&c);
    take_bindings(&c, a);
    a->advertised = take_limited(&c, ADVERTISED_MAX);
    a->plus_offered = take_bool(&c);
    a->secure = take_bool(&c);
    a->has_initial = take_bool(&c);
    a->initial = take_limited(&c, SASL_SIZE_MAX);
    a->address = take_limited(&c, NAME_SIZE_MAX);
    take_client(&c, &a->client);
    a->inlines = take_limited(&c, INLINES_MAX);
    take_certified(&c, a);
    return taken(&c);
}

void auth_step_put(struct buf *out, const struct auth_step *a)
{
    buf_put_u8(out, (uint8_t)a->kind);
    put_bool(out, a->has_data);
    buf_put_sized(out, a->data);
    buf_put_sized(out, a->task);
    buf_put_sized(out, a->content);
}

enum zerr auth_step_take(struct slice body, struct auth_step *a)
{
    struct cursor c = { body, false };
    uint8_t       kind = take_u8(&c);

    a->kind = kind;
    a->has_data = take_bool(&c);
    a->data = take_limited(&c, SASL_SIZE_MAX);
    a->task = take_limited(&c, TASK_NAME_MAX);
    a->content = take_limited(&c, INLINES_MAX);
    return kind > 0 && kind < AUTH_STEP_END ? taken(&c) : ZE_PROTOCOL;
}

void auth_done_put(struct buf *out, const struct auth_done *a)
{
    put_bool(out, a->ok);
    buf_put_sized(out, a->jid);
    buf_put_sized(out, a->ticket);
    put_bool(out, a->has_data);
    buf_put_sized(out, a->data);
    buf_put_sized(out, a->condition);
    buf_put_sized(out, a->text);
    buf_put_sized(out, a->content);
    buf_put_sized(out, a->caps);
}

enum zerr auth_done_take(struct slice body, struct auth_done *a)
{
    struct cursor c = { body, false };

    a->ok = take_bool(&c);
    a->jid = take_limited(&c, JID_MAX);
    a->ticket = take_limited(&c, TICKET_SIZE_MAX);
    a->has_data = take_bool(&c);
    a->data = take_limited(&c, SASL_SIZE_MAX);
    a->condition = take_limited(&c, NAME_SIZE_MAX);
    a->text = take_limited(&c, TEXT_SIZE_MAX);
    a->content = take_limited(&c, INLINES_MAX);
    a->caps = take_limited(&c, TEXT_SIZE_MAX);
    if (a->ok && (!a->jid.len || !a->ticket.len))
        return ZE_PROTOCOL;
    return taken(&c);
}

void bind_request_put(struct buf *out, const struct bind_request *b)
{
    buf_put_sized(out, b->ticket);
    buf_put_sized(out, b->resource);
    buf_put_sized(out, b->address);
    put_bool(out, b->secure);
    buf_put_sized(out, b->client);
    put_bool(out, b->bind2);
    buf_put_sized(out, b->inlines);
}

enum zerr bind_request_take(struct slice body, struct bind_request *b)
{
    struct cursor c = { body, false };

    b->ticket = take_limited(&c, TICKET_SIZE_MAX);
    b->resource = take_limited(&c, JID_PART_MAX);
    b->address = take_limited(&c, NAME_SIZE_MAX);
    b->secure = take_bool(&c);
    b->client = take_limited(&c, NAME_SIZE_MAX);
    b->bind2 = take_bool(&c);
    b->inlines = take_limited(&c, INLINES_MAX);
    return taken(&c);
}

void bound_put(struct buf *out, const struct bound *b)
{
    buf_put_u32(out, (uint32_t)b->err);
    buf_put_sized(out, b->jid);
    buf_put_sized(out, b->secret);
    buf_put_sized(out, b->managed);
    buf_put_sized(out, b->content);
}

enum zerr bound_take(struct slice body, struct bound *b)
{
    struct cursor c = { body, false };

    b->err = take_err(&c);
    b->jid = take_limited(&c, JID_MAX);
    b->secret = take_sized(&c);
    b->managed = take_limited(&c, TEXT_SIZE_MAX);
    b->content = take_limited(&c, INLINES_MAX);
    if (!b->err && (!b->jid.len || b->secret.len != SECRET_SIZE))
        return ZE_PROTOCOL;
    return taken(&c);
}

void session_end_put(struct buf *out, const struct session_end *e)
{
    put_bool(out, e->broken);
    buf_put_sized(out, e->condition);
    buf_put_sized(out, e->text);
}

enum zerr session_end_take(struct slice body, struct session_end *e)
{
    struct cursor c = { body, false };

    e->broken = take_bool(&c);
    e->condition = take_limited(&c, NAME_SIZE_MAX);
    e->text = take_limited(&c, TEXT_SIZE_MAX);
    return taken(&c);
}
