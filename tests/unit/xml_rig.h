#pragma once

/* What the tests of XML streams share: events as text, the same bytes whole and in pieces. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ns.h"
#include "xml_stream.h"
#include "xml_write.h"

static const struct xml_limits limits = {
    .element_max = 65536, .depth_max = 64, .attributes_max = 128, .name_max = 1024,
};

#define HEADER_NS(ns) \
    "<stream:stream xmlns='" ns "' xmlns:stream='" NS_STREAM "' to='a.example' version='1.0'>"
#define HEADER HEADER_NS(NS_CLIENT)
#define OPENED "open to=a.example version=1.0 ns=jabber:client\n"

static inline void put_field(struct buf *log, const char *name, struct slice value)
{
    if (value.p) {
        buf_printf(log, " %s=", name);
        buf_put_slice(log, value);
    }
}

static inline void put_open(struct buf *log, const struct xml_open *open)
{
    buf_put_str(log, "open");
    put_field(log, "to", open->to);
    put_field(log, "from", open->from);
    put_field(log, "id", open->id);
    put_field(log, "version", open->version);
    put_field(log, "lang", open->lang);
    put_field(log, "ns", open->content_ns);
    buf_put_str(log, open->dialback ? " dialback\n" : "\n");
}

static inline void put_stanza(struct buf *log, const struct xml_item *item)
{
    const struct stanza *s = &item->stanza;

    buf_printf(log, "%s %s%s", stanza_name_text(s->name), stanza_type_text(s->type),
               item->type_bad ? "?" : "");
    put_field(log, "from", s->from);
    put_field(log, "to", s->to);
    put_field(log, "id", s->id);
    put_field(log, "lang", s->lang);
    if (s->payload_name.len) {
        buf_put_str(log, " {");
        buf_put_slice(log, s->payload_ns);
        buf_put_str(log, "}");
        buf_put_slice(log, s->payload_name);
    }
    buf_printf(log, " %x |", (unsigned)s->flags);
    buf_put_slice(log, s->content);
    buf_put_str(log, "|\n");
}

static inline void put_tree(struct buf *log, const struct element *e)
{
    struct xml_writer w;

    buf_put_str(log, "element ");
    xml_begin(&w, log, NULL);
    xml_element(&w, e);
    buf_put_str(log, "\n");
}

static inline void put_event(struct buf *log, enum xml_event event, const struct xml_item *item)
{
    switch (event) {
    case XML_OPEN:    put_open(log, &item->open); break;
    case XML_STANZA:  put_stanza(log, item); break;
    case XML_ELEMENT: put_tree(log, item->element); break;
    case XML_CLOSE:   buf_put_str(log, "close\n"); break;
    case XML_ERROR:   buf_printf(log, "error %s\n", stream_error_name(item->error)); break;
    case XML_MORE:    break;
    }
}

/* All events of the bytes, fed `piece` bytes at a time from memory of exactly that size. */
static inline void play(struct buf *log, const char *expect_ns, const struct xml_limits *l, struct slice bytes,
                 size_t piece)
{
    struct xml_stream *xs = xml_stream_new(expect_ns, l);
    struct arena      *arena = arena_new();

    while (bytes.len > 0) {
        size_t          len = piece < bytes.len ? piece : bytes.len;
        uint8_t        *copy = malloc(len);
        struct xml_item item;
        enum xml_event  event;
        memcpy(copy, bytes.p, len);
        struct slice in = slice_of(copy, len);
        while ((event = xml_stream_feed(xs, arena, &in, &item)) != XML_MORE)
            put_event(log, event, &item);
        assert_int_equal(in.len, 0);
        free(copy);
        arena_reset(arena);
        bytes = slice_cut(bytes, len, bytes.len);
    }
    arena_free(&arena);
    xml_stream_free(&xs);
}

static const size_t pieces[] = { SIZE_MAX, 7, 1, 64 };

static inline void assert_bytes_give(const char *expect_ns, const struct xml_limits *l, struct slice bytes,
                              const char *expected)
{
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        struct buf log = { 0 };
        play(&log, expect_ns, l, bytes, pieces[i]);
        buf_put_u8(&log, 0);
        if (strcmp((const char *)buf_slice(&log).p, expected) != 0)
            fail_msg("in pieces of %zu\n%.*s\ngave\n%sinstead of\n%s", pieces[i], SLICE_FMT(bytes),
                     (const char *)buf_slice(&log).p, expected);
        buf_free(&log);
    }
}

static inline void assert_stream(const char *bytes, const char *expected)
{
    assert_bytes_give(NULL, &limits, slice_str(bytes), expected);
}

/* After a header for jabber:client. */
static inline void assert_gives(const char *bytes, const char *expected)
{
    char *in = xprintf("%s%s", HEADER, bytes), *out = xprintf("%s%s", OPENED, expected);

    assert_bytes_give(NS_CLIENT, &limits, slice_str(in), out);
    free(in);
    free(out);
}

static inline void assert_refused(const char *bytes, const char *condition)
{
    char *expected = xprintf("error %s\n", condition);

    assert_gives(bytes, expected);
    free(expected);
}

static inline char *repeat(const char *before, const char *piece, size_t times, const char *after)
{
    struct buf b = { 0 };

    buf_put_str(&b, before);
    while (times--)
        buf_put_str(&b, piece);
    buf_put_str(&b, after);
    char *text = xstrndup(buf_slice(&b));
    buf_free(&b);
    return text;
}

/* After the last test: nothing of a pool is left for the leak check. */
static inline int free_pool(void **state)
{
    (void)state;
    xml_pool_free();
    return 0;
}
