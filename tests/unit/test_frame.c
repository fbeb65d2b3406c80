/* proto/frame.c: the codec against short input, lying lengths and unknown kinds; names and keys. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frame.h"

static struct frame full_frame(void)
{
    struct frame f = frame_make(FRAME_FANOUT);

    f.flags = FRAME_REROUTED;
    f.origin = (struct address){ ROLE_SM, 0x83c8cb93, 0x1122334455667788 };
    f.dest = (struct address){ ROLE_C2SD, 0x422e3e8d, 0x8877665544332211 };
    f.generation = 7;
    f.handle = 0xa1;
    f.sender = 0xb2;
    f.number = 0xc3;
    f.trace = 0xd4;
    f.stanza = (struct stanza){ .name = STANZA_MESSAGE, .type = TYPE_CHAT, .flags = STANZA_HAS_BODY,
        .from = SLICE("a@b/c"), .to = SLICE("d@e"), .id = SLICE("id1"), .lang = SLICE("be"),
        .payload_ns = SLICE("jabber:client"), .payload_name = SLICE("body") };
    f.list = SLICE("list!");
    f.body = SLICE("<body>hi</body>");
    return f;
}

static void assert_slice(struct slice a, struct slice b)
{
    assert_true(slice_eq(a, b));
}

static void assert_same_frame(const struct frame *a, const struct frame *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->flags, b->flags);
    assert_memory_equal(&a->origin.incarnation, &b->origin.incarnation, 8);
    assert_int_equal(a->origin.role, b->origin.role);
    assert_int_equal(a->origin.instance, b->origin.instance);
    assert_int_equal(a->dest.role, b->dest.role);
    assert_int_equal(a->dest.instance, b->dest.instance);
    assert_true(a->dest.incarnation == b->dest.incarnation);
    assert_int_equal(a->generation, b->generation);
    assert_true(a->handle == b->handle && a->sender == b->sender && a->number == b->number
                && a->trace == b->trace);
    assert_int_equal(a->stanza.name, b->stanza.name);
    assert_int_equal(a->stanza.type, b->stanza.type);
    assert_int_equal(a->stanza.flags, b->stanza.flags);
    assert_slice(a->stanza.from, b->stanza.from);
    assert_slice(a->stanza.to, b->stanza.to);
    assert_slice(a->stanza.id, b->stanza.id);
    assert_slice(a->stanza.lang, b->stanza.lang);
    assert_slice(a->stanza.payload_ns, b->stanza.payload_ns);
    assert_slice(a->stanza.payload_name, b->stanza.payload_name);
    assert_slice(a->list, b->list);
    assert_slice(a->body, b->body);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct frame f = full_frame(), got;
    struct buf out = { 0 };

    assert_int_equal(frame_encode(&out, &f), ZE_OK);
    assert_int_equal(frame_decode(buf_slice(&out), &got), buf_len(&out));
    assert_same_frame(&got, &f);
    assert_slice(got.stanza.content, f.body);

    struct buf split = { 0 };
    assert_int_equal(frame_encode2(&split, &f, SLICE("<body>"), SLICE("hi</body>")), ZE_OK);
    assert_slice(buf_slice(&split), buf_slice(&out));
    buf_free(&split);
    buf_free(&out);
}

static void every_kind_passes_and_no_other(void **state)
{
    (void)state;
    unsigned known = 0;

    for (unsigned kind = 0; kind < 256; kind++) {
        struct frame f = full_frame(), got;
        struct buf out = { 0 };
        assert_int_equal(frame_encode(&out, &f), ZE_OK);
        out.bytes[out.start + 5] = (uint8_t)kind;
        bool is_known = kind < FRAME_KIND_MAX && frame_kinds[kind].name;
        known += is_known;
        ssize_t expected = is_known ? (ssize_t)buf_len(&out) : ZE_PROTOCOL;
        assert_int_equal(frame_decode(buf_slice(&out), &got), expected);
        buf_free(&out);
    }
    assert_int_equal(known, 37);
    assert_int_equal(frame_kinds[FRAME_FANOUT].senders, ROLE_SM | ROLE_MUC);
    assert_int_equal(frame_kinds[FRAME_HELLO].reach, LINK);
}

/* Each cut lives in an allocation of its own size, so that ASan sees a read behind it. */
static void a_frame_cut_short_asks_for_more(void **state)
{
    (void)state;
    struct frame f = full_frame(), got;
    struct buf out = { 0 };

    assert_int_equal(frame_encode(&out, &f), ZE_OK);
    for (size_t n = 0; n < buf_len(&out); n++) {
        uint8_t *cut = malloc(n + 1);
        memcpy(cut, buf_slice(&out).p, n);
        uint8_t *exact = realloc(cut, n ? n : 1);
        assert_int_equal(frame_decode(slice_of(exact, n), &got), 0);
        free(exact);
    }
    buf_free(&out);
}

static void a_second_frame_behind_is_left_alone(void **state)
{
    (void)state;
    struct frame f = full_frame(), got;
    struct buf out = { 0 };

    assert_int_equal(frame_encode(&out, &f), ZE_OK);
    size_t one = buf_len(&out);
    assert_int_equal(frame_encode(&out, &f), ZE_OK);
    assert_int_equal(frame_decode(buf_slice(&out), &got), one);
    assert_slice(got.body, f.body);
    buf_free(&out);
}

static ssize_t decode_patched(size_t at, size_t width, uint64_t value)
{
    struct frame f = full_frame(), got;
    struct buf out = { 0 };

    assert_int_equal(frame_encode(&out, &f), ZE_OK);
    for (size_t i = 0; i < width; i++)
        out.bytes[out.start + at + i] = (uint8_t)(value >> 8 * i);
    size_t len = buf_len(&out);
    uint8_t *exact = malloc(len);
    memcpy(exact, buf_slice(&out).p, len);
    ssize_t n = frame_decode(slice_of(exact, len), &got);
    free(exact);
    buf_free(&out);
    return n;
}

static void lengths_that_lie_are_refused(void **state)
{
    (void)state;
    static const size_t part_lens[] = { 80, 82, 84, 86, 88, 90 };

    assert_int_equal(decode_patched(0, 4, 0), ZE_PROTOCOL);
    assert_int_equal(decode_patched(0, 4, FRAME_HEADER - 5), ZE_PROTOCOL);
    assert_int_equal(decode_patched(0, 4, FRAME_HEADER - 4), ZE_PROTOCOL);     /* parts do not fit */
    assert_int_equal(decode_patched(0, 4, FRAME_MAX + 1u), ZE_PROTOCOL);
    assert_int_equal(decode_patched(0, 4, UINT32_MAX), ZE_PROTOCOL);
    assert_int_equal(decode_patched(0, 4, FRAME_MAX), 0);
    for (size_t i = 0; i < COUNT_OF(part_lens); i++) {
        assert_int_equal(decode_patched(part_lens[i], 2, 0xffff), ZE_PROTOCOL);
        assert_int_equal(decode_patched(part_lens[i], 2, 60), ZE_PROTOCOL);
    }
    assert_int_equal(decode_patched(76, 4, UINT32_MAX), ZE_PROTOCOL);
    assert_int_equal(decode_patched(76, 4, 21), ZE_PROTOCOL);
    assert_true(decode_patched(76, 4, 20) > 0);                                 /* list 20, body 0: it fits */
}

static void fields_outside_their_lists_are_refused(void **state)
{
    (void)state;
    assert_int_equal(decode_patched(4, 1, FRAME_VERSION + 1), ZE_PROTOCOL);
    assert_int_equal(decode_patched(10, 1, STANZA_IQ + 1), ZE_PROTOCOL);
    assert_int_equal(decode_patched(11, 1, TYPE_COUNT), ZE_PROTOCOL);
    assert_int_equal(decode_patched(10, 1, STANZA_NONE), ZE_PROTOCOL);          /* a fan-out of nothing */
}

static void junk_is_refused_before_it_all_arrived(void **state)
{
    (void)state;
    uint8_t head[FRAME_HEADER] = { 0xff, 0xff, 0xff, 0, 'G', 'E', 'T', ' ' };
    struct frame got;

    assert_int_equal(frame_decode(slice_of(head, sizeof(head)), &got), ZE_PROTOCOL);
}

static void parts_that_do_not_fit_are_not_written(void **state)
{
    (void)state;
    static uint8_t big[FRAME_PART_MAX + 1];
    struct frame f = full_frame();
    struct buf out = { 0 };

    f.stanza.to = slice_of(big, sizeof(big));
    assert_int_equal(frame_encode(&out, &f), ZE_FULL);
    f.stanza.to = slice_of(big, FRAME_PART_MAX);
    assert_int_equal(frame_encode(&out, &f), ZE_OK);
    buf_reset(&out, 0);
    uint8_t *huge = calloc(1, FRAME_MAX);
    f = frame_make(FRAME_STANZA);
    f.stanza.name = STANZA_IQ;
    f.body = slice_of(huge, FRAME_MAX - FRAME_HEADER + 4 + 1);
    assert_int_equal(frame_encode(&out, &f), ZE_FULL);
    assert_int_equal(buf_len(&out), 0);
    f.body.len--;
    assert_int_equal(frame_encode(&out, &f), ZE_OK);
    assert_int_equal(frame_decode(buf_slice(&out), &f), FRAME_MAX + 4);
    free(huge);
    buf_free(&out);
}

static void the_origin_is_stamped_in_place(void **state)
{
    (void)state;
    struct frame f = full_frame(), got;
    struct address real = { ROLE_MUC, 0x07fdb736, 0xfeedfacecafebeef };
    struct buf out = { 0 };

    assert_int_equal(frame_encode(&out, &f), ZE_OK);
    frame_stamp_origin(out.bytes + out.start, &real);
    assert_true(frame_decode(buf_slice(&out), &got) > 0);
    f.origin = real;
    assert_same_frame(&got, &f);
    buf_free(&out);
}

static void instance_keys_are_stable(void **state)
{
    (void)state;
    static const struct { const char *name; uint32_t key; } vectors[] = {
        { "routerd", 0x2f0a8c20 }, { "sm-1", 0x83c8cb93 }, { "sm-2", 0x84c8cd26 }, { "muc-1", 0x07fdb736 },
        { "c2sd-1", 0x422e3e8d }, { "c2sd-web", 0x76848968 }, { "s2sd-1", 0xc8f0927d },
    };

    for (size_t i = 0; i < COUNT_OF(vectors); i++)
        assert_int_equal(instance_key(vectors[i].name), vectors[i].key);
}

static void the_name_says_the_role(void **state)
{
    (void)state;
    assert_int_equal(role_of_instance("routerd"), ROLE_ROUTERD);
    assert_int_equal(role_of_instance("c2sd-web"), ROLE_C2SD);
    assert_int_equal(role_of_instance("sm-1"), ROLE_SM);
    assert_int_equal(role_of_instance("sm"), ROLE_NONE);
    assert_int_equal(role_of_instance("sm-"), ROLE_NONE);
    assert_int_equal(role_of_instance("s-1"), ROLE_NONE);
    assert_int_equal(role_of_instance("routerd-2"), ROLE_NONE);
    assert_int_equal(role_of_instance(""), ROLE_NONE);
    assert_string_equal(role_name(ROLE_S2SD), "s2sd");
    assert_string_equal(role_name(3), "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(every_kind_passes_and_no_other),
        cmocka_unit_test(a_frame_cut_short_asks_for_more),
        cmocka_unit_test(a_second_frame_behind_is_left_alone),
        cmocka_unit_test(lengths_that_lie_are_refused),
        cmocka_unit_test(fields_outside_their_lists_are_refused),
        cmocka_unit_test(junk_is_refused_before_it_all_arrived),
        cmocka_unit_test(parts_that_do_not_fit_are_not_written),
        cmocka_unit_test(the_origin_is_stamped_in_place),
        cmocka_unit_test(instance_keys_are_stable),
        cmocka_unit_test(the_name_says_the_role),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
