/* common/mem.c, buf.c, cursor.c, blob.c, bucket.c: bytes and where they live. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "blob.h"
#include "bucket.h"
#include "buf.h"
#include "cursor.h"
#include "mem.h"

static void an_arena_forgets_at_reset_and_keeps_its_first_block(void **state)
{
    struct arena *arena = arena_new();
    size_t        empty = arena_size(arena);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint8_t *p = arena_alloc(arena, (size_t)i % 97);
        assert_int_equal((uintptr_t)p % 16, 0);
        memset(p, i, (size_t)i % 97);
    }
    memset(arena_alloc(arena, 100000), 1, 100000);
    assert_true(arena_size(arena) > 100000);
    assert_string_equal(arena_printf(arena, "%s-%d", "sm", 1), "sm-1");
    assert_string_equal(arena_str(arena, SLICE("zubr")), "zubr");
    assert_true(slice_is(arena_copy(arena, SLICE("bison")), "bison"));
    arena_reset(arena);
    assert_int_equal(arena_size(arena), empty);
    arena_free(&arena);
    assert_null(arena);
}

static void copies_are_terminated(void **state)
{
    char *a = xstrndup(SLICE("abc")), *b = xprintf("%d %s", 7, "x"), *c = xstrndup((struct slice){ 0 });

    (void)state;
    assert_string_equal(a, "abc");
    assert_string_equal(b, "7 x");
    assert_string_equal(c, "");
    free(a);
    free(b);
    free(c);
}

static void a_buffer_is_read_from_the_front_while_it_grows(void **state)
{
    struct buf b = { 0 };
    uint32_t   written = 0, read = 0;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < 7; i++)
            buf_put_u32(&b, written++);
        for (int i = 0; i < 6; i++) {
            struct cursor c = { buf_slice(&b), false };
            assert_int_equal(take_u32(&c), read++);
            buf_consume(&b, 4);
        }
    }
    assert_int_equal(buf_len(&b), 2000 * 4);
    assert_true(b.room < 64 * 1024);
    buf_reset(&b, 128);
    assert_true(b.room <= 128);
    assert_int_equal(buf_len(&b), 0);
    buf_put_str(&b, "again");
    buf_printf(&b, " %d%s", 5, "!");
    assert_true(slice_is(buf_slice(&b), "again 5!"));
    buf_reset(&b, 0);
    assert_null(b.bytes);
    buf_free(&b);
}

static void what_was_put_is_taken(void **state)
{
    struct buf b = { 0 };

    (void)state;
    buf_put_u8(&b, 1);
    buf_put_u16(&b, 0x0203);
    buf_put_u32(&b, 0x04050607);
    buf_put_u64(&b, 0x08090a0b0c0d0e0f);
    buf_put_sized(&b, SLICE("text"));
    assert_int_equal(b.bytes[1], 0x03);       /* little-endian */
    struct cursor c = { buf_slice(&b), false };
    assert_int_equal(take_u8(&c), 1);
    assert_int_equal(take_u16(&c), 0x0203);
    assert_int_equal(take_u32(&c), 0x04050607);
    assert_true(take_u64(&c) == 0x08090a0b0c0d0e0f);
    assert_false(cursor_done(&c));
    assert_true(slice_is(take_sized(&c), "text"));
    assert_true(cursor_done(&c));
    buf_free(&b);
}

static void a_short_read_is_remembered(void **state)
{
    struct cursor c = { SLICE("\x05\0\0\0abc\1\1\1\1"), false };

    (void)state;
    c.rest.len = 7;                            /* the length lies: 5, and 3 are there */
    assert_int_equal(take_sized(&c).len, 0);
    assert_true(c.bad);
    assert_int_equal(take_u8(&c), 0);          /* although bytes are left */
    assert_false(cursor_done(&c));
    c = (struct cursor){ { 0 }, false };
    assert_int_equal(take_bytes(&c, 0).len, 0);
    assert_true(cursor_done(&c));
}

static void a_blob_lives_until_its_last_reference(void **state)
{
    struct blob *a = blob_copy(SLICE("body")), *b = blob_ref(a);

    (void)state;
    blob_unref(&a);
    assert_null(a);
    assert_true(slice_is(blob_slice(b), "body"));
    blob_unref(&b);
    blob_unref(&b);
}

static void a_bucket_lets_the_burst_and_then_the_rate_through(void **state)
{
    struct bucket b = { 0 };
    int           taken = 0;

    (void)state;
    for (uint64_t now = 5000; now < 15000; now += 10)
        taken += bucket_take(&b, now, 1, 10, 50);
    assert_in_range(taken, 145, 150);          /* 50 and 10 a second for 10 seconds */
    assert_true(bucket_take(&b, 15000, 1000, 0, 0));
}

static void an_overdrawn_bucket_says_when_it_is_positive_again(void **state)
{
    struct bucket b = { 0 };

    (void)state;
    assert_int_equal(bucket_charge(&b, 0, 100, 1000, 200), 0);
    assert_in_range(bucket_charge(&b, 0, 600, 1000, 200), 500, 502);
    assert_int_equal(bucket_charge(&b, 1000, 0, 1000, 200), 0);
    assert_int_equal(bucket_charge(&b, 0, 100, 0, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_arena_forgets_at_reset_and_keeps_its_first_block),
        cmocka_unit_test(copies_are_terminated),
        cmocka_unit_test(a_buffer_is_read_from_the_front_while_it_grows),
        cmocka_unit_test(what_was_put_is_taken),
        cmocka_unit_test(a_short_read_is_remembered),
        cmocka_unit_test(a_blob_lives_until_its_last_reference),
        cmocka_unit_test(a_bucket_lets_the_burst_and_then_the_rate_through),
        cmocka_unit_test(an_overdrawn_bucket_says_when_it_is_positive_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
