/* Stanzas in flight (flight.h). */

#include "flight.h"

#include "log.h"
#include "xml_write.h"

enum zerr flight_write(struct stream *st, struct queued *item)
{
    struct buf  *out = stream_out(st);
    size_t       before = buf_len(out);
    struct frame f = frame_make(FRAME_STANZA);

    if (queued_frame(item, &f))
        stanza_write(out, &f.stanza, queued_to(item));
    else
        buf_put_slice(out, blob_slice(item->frame));
    if (st->limits.max_bytes && buf_len(out) - before > st->limits.max_bytes) {
        buf_cut(out, before);
        return ZE_POLICY;
    }
    st->written += buf_len(out) - before;
    item->end = st->written;
    queue_push(&st->flying, item);
    stream_used(st);
    st->stanzas_out++;
    st->s2sd->counters.stanzas_out++;
    log_debug("stanza_sent", "trace", log_hex(f.trace), "conn", log_hex(st->handle), "kind",
              stanza_name_text(f.stanza.name), "from", log_slice(f.stanza.from), "to",
              log_slice(queued_to(item)), NULL);
    return ZE_OK;
}

/* What else was said on the stream is not counted in `written`, so that this is late rather than early. */
void flight_taken(struct stream *st)
{
    size_t         waiting = buf_len(&st->transport.out);
    uint64_t       taken = waiting < st->written ? st->written - waiting : 0;
    struct queued *item;

    while ((item = queue_first(&st->flying)) && item->end <= taken) {
        queue_remove(&st->flying, item);
        queued_free(&item);
    }
}

struct queued *flight_take_back(struct stream *st)
{
    struct queued *item = queue_last(&st->flying);

    if (item)
        queue_remove(&st->flying, item);
    return item;
}
