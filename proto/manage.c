/* Bodies of frames about sessions (manage.h). */

#include "manage.h"

#include "jid.h"

enum { LOCATION_MAX = 255, ADDRESS_SIZE_MAX = 255, TICKET_SIZE_MAX = 4096 + JID_MAX };

static enum zerr taken(const struct cursor *c)
{
    return cursor_done(c) ? ZE_OK : ZE_PROTOCOL;
}

void manage_put(struct buf *out, const struct manage *m)
{
    buf_put_u8(out, (uint8_t)m->op);
    buf_put_u8(out, m->resume);
    buf_put_u32(out, m->max);
    buf_put_u32(out, m->h);
    buf_put_u32(out, (uint32_t)m->err);
    buf_put_sized(out, m->id);
    buf_put_sized(out, m->location);
}

enum zerr manage_take(struct slice body, struct manage *m)
{
    struct cursor c = { body, false };

    m->op = take_u8(&c);
    m->resume = take_bool(&c);
    m->max = take_u32(&c);
    m->h = take_u32(&c);
    m->err = take_err(&c);
    m->id = take_limited(&c, RESUME_ID_MAX);
    m->location = take_limited(&c, LOCATION_MAX);
    if (m->op < MANAGE_ENABLE || m->op >= MANAGE_OP_END)
        return ZE_PROTOCOL;
    return taken(&c);
}

bool manage_number(struct slice text, uint32_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.p[i] - '0');
        if (value > UINT32_MAX)
            value = UINT32_MAX;
    }
    *out = (uint32_t)value;
    return text.len > 0;
}

bool manage_boolean(struct slice text, bool *out)
{
    *out = slice_is(text, "true") || slice_is(text, "1");
    return *out || !text.p || slice_is(text, "false") || slice_is(text, "0");
}

enum zerr manage_enable_take(const struct element *e, struct manage *m)
{
    struct slice max = element_attr(e, "max");

    *m = (struct manage){ .op = MANAGE_ENABLE };
    if (!manage_boolean(element_attr(e, "resume"), &m->resume) || (max.p && !manage_number(max, &m->max)))
        return ZE_BAD_REQUEST;
    return ZE_OK;
}

void resume_request_put(struct buf *out, const struct resume_request *r)
{
    buf_put_sized(out, r->ticket);
    buf_put_sized(out, r->previd);
    buf_put_u32(out, r->h);
    buf_put_sized(out, r->address);
    buf_put_u8(out, r->secure);
}

enum zerr resume_request_take(struct slice body, struct resume_request *r)
{
    struct cursor c = { body, false };

    r->ticket = take_limited(&c, TICKET_SIZE_MAX);
    r->previd = take_limited(&c, RESUME_ID_MAX);
    r->h = take_u32(&c);
    r->address = take_limited(&c, ADDRESS_SIZE_MAX);
    r->secure = take_bool(&c);
    return taken(&c);
}

void resumed_put(struct buf *out, const struct resumed *r)
{
    buf_put_u32(out, (uint32_t)r->err);
    buf_put_u8(out, r->has_h);
    buf_put_u32(out, r->h);
    buf_put_sized(out, r->jid);
    buf_put_sized(out, r->previd);
    buf_put_sized(out, r->secret);
}

enum zerr resumed_take(struct slice body, struct resumed *r)
{
    struct cursor c = { body, false };

    r->err = take_err(&c);
    r->has_h = take_bool(&c);
    r->h = take_u32(&c);
    r->jid = take_limited(&c, JID_MAX);
    r->previd = take_limited(&c, RESUME_ID_MAX);
    r->secret = take_sized(&c);
    if (!r->err && (!r->jid.len || r->secret.len != SESSION_SECRET_SIZE))
        return ZE_PROTOCOL;
    return taken(&c);
}

void announce_begin(struct buf *out, bool first, bool last)
{
    buf_put_u8(out, first);
    buf_put_u8(out, last);
}

void announce_put(struct buf *out, const struct announced *a)
{
    buf_put_u64(out, a->conn);
    buf_put_u64(out, a->session);
    if (a->session)
        buf_put_slice(out, slice_of(a->secret.p, SESSION_SECRET_SIZE));
}

enum zerr announce_open(struct slice body, struct cursor *c, bool *first, bool *last)
{
    *c = (struct cursor){ body, false };
    *first = take_bool(c);
    *last = take_bool(c);
    return c->bad ? ZE_PROTOCOL : ZE_OK;
}

bool announce_next(struct cursor *c, struct announced *a)
{
    if (c->bad || !c->rest.len)
        return false;
    a->conn = take_u64(c);
    a->session = take_u64(c);
    a->secret = a->session ? take_bytes(c, SESSION_SECRET_SIZE) : slice_of("", 0);
    return !c->bad;
}
