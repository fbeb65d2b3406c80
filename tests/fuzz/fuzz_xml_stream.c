/* Bytes of a stream (the first one says in what pieces they come): the pieces make no difference; the
 * content of each stanza stands alone; a stanza written to another stream and read there is the same. */

#include <stdlib.h>

#include "ns.h"
#include "xml_stream.h"
#include "xml_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct xml_limits limits = {
    .element_max = 65536, .depth_max = 32, .attributes_max = 32, .name_max = 256,
};
static const struct xml_limits wide = {
    .element_max = 1 << 24, .depth_max = 64, .attributes_max = 1024, .name_max = 1024,
};

static void prove(bool truth)
{
    if (!truth)
        abort();
}

static void put_stanza(struct buf *log, const struct stanza *s)
{
    const struct slice all[] = { s->from, s->to, s->id, s->lang, s->payload_ns, s->payload_name, s->content };

    buf_put_u8(log, s->name);
    buf_put_u8(log, s->type);
    buf_put_u32(log, s->flags);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        buf_put_sized(log, all[i]);
}

/* The same stanza read from a stream of ours. */
static void crosses(struct arena *arena, const struct stanza *s)
{
    struct xml_stream *xs = xml_stream_new(NULL, &wide);
    struct buf         wire = { 0 }, before = { 0 }, after = { 0 };
    struct xml_item    item;

    buf_put_str(&wire, "<stream:stream xmlns='" NS_CLIENT "' xmlns:stream='" NS_STREAM "'>");
    stanza_write(&wire, s, (struct slice){ 0 });
    struct slice in = buf_slice(&wire);
    prove(xml_stream_feed(xs, arena, &in, &item) == XML_OPEN);
    prove(xml_stream_feed(xs, arena, &in, &item) == XML_STANZA);
    prove(in.len == 0);
    put_stanza(&before, s);
    put_stanza(&after, &item.stanza);
    prove(slice_eq(buf_slice(&before), buf_slice(&after)));
    buf_free(&wire);
    buf_free(&before);
    buf_free(&after);
    xml_stream_free(&xs);
}

static void stands_alone(struct arena *arena, const struct stanza *s)
{
    struct stanza proved = *s;

    prove(xml_check_content(arena, &proved, &wide) == ZE_OK);
    prove(proved.flags == s->flags && slice_eq(proved.payload_ns, s->payload_ns) &&
          slice_eq(proved.payload_name, s->payload_name));
    prove(xml_parse_content(arena, s->content, NS_CLIENT, &wide) != NULL);
}

static void put_event(struct buf *log, struct arena *arena, enum xml_event event, const struct xml_item *item)
{
    struct xml_writer w;

    buf_put_u8(log, (uint8_t)event);
    if (event == XML_STANZA) {
        put_stanza(log, &item->stanza);
        stands_alone(arena, &item->stanza);
        if (!item->type_bad)
            crosses(arena, &item->stanza);
    } else if (event == XML_ELEMENT) {
        xml_begin(&w, log, NULL);
        xml_element(&w, item->element);
    } else if (event == XML_ERROR) {
        prove(item->error != SE_NONE);
        buf_put_u8(log, (uint8_t)item->error);
    } else if (event == XML_OPEN) {
        buf_put_sized(log, item->open.to);
        buf_put_sized(log, item->open.content_ns);
    }
}

static void play(struct buf *log, struct slice bytes, size_t piece)
{
    struct xml_stream *xs = xml_stream_new(NULL, &limits);
    struct arena      *arena = arena_new();

    while (bytes.len > 0) {
        struct slice    in = slice_cut(bytes, 0, piece < bytes.len ? piece : bytes.len);
        struct xml_item item;
        enum xml_event  event;
        bytes = slice_cut(bytes, in.len, bytes.len);
        while ((event = xml_stream_feed(xs, arena, &in, &item)) != XML_MORE)
            put_event(log, arena, event, &item);
        prove(in.len == 0);
        prove(xml_stream_held(xs) < 4 * limits.element_max);
        arena_reset(arena);
    }
    arena_free(&arena);
    xml_stream_free(&xs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf   whole = { 0 }, pieces = { 0 };
    struct slice bytes = slice_of(data, size);

    if (size == 0)
        return 0;
    bytes = slice_cut(bytes, 1, size);
    play(&whole, bytes, SIZE_MAX);
    play(&pieces, bytes, 1 + data[0] % 32);
    prove(slice_eq(buf_slice(&whole), buf_slice(&pieces)));
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
