/* The sending end of one channel (channel.h): queue of whole frames, sifted when a peer is lost. */

#include "channel.h"

size_t channel_held(const struct channel *c)
{
    return buf_len(&c->held);
}

void channel_release(struct channel *c, struct buf *out)
{
    buf_put_slice(out, buf_slice(&c->held));
    buf_free(&c->held);
}

void channel_restore(struct channel *c)
{
    if (!buf_len(&c->returned))
        return;
    buf_put_slice(&c->returned, buf_slice(&c->held));
    buf_free(&c->held);
    c->held = c->returned;
    c->returned = (struct buf){ 0 };
}

void channel_sift(struct channel *c, channel_verdict *verdict, uint64_t life, struct buf *taken)
{
    struct slice rest = buf_slice(&c->held);
    struct buf   kept = { 0 };
    struct frame f;
    ssize_t      n;

    while ((n = frame_decode(rest, &f)) > 0) {
        buf_put(verdict(&f, life) ? taken : &kept, rest.p, (size_t)n);
        rest = slice_cut(rest, (size_t)n, rest.len);
    }
    buf_free(&c->held);
    c->held = kept;
}

bool channel_is_question(const struct frame *f, uint64_t life)
{
    (void)life;
    return f->kind == FRAME_STANZA && f->stanza.name == STANZA_IQ
           && (f->stanza.type == TYPE_GET || f->stanza.type == TYPE_SET);
}

bool channel_is_for_life(const struct frame *f, uint64_t life)
{
    return f->dest.incarnation == life;
}

bool channel_is_any(const struct frame *f, uint64_t life)
{
    (void)f;
    (void)life;
    return true;
}
