/* The hash that presence tells (XEP-0398 4), and images in base64. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "avatars.h"

static const struct xml_limits limits = {
    .element_max = 65536, .depth_max = 16, .attributes_max = 16, .name_max = 256,
};

#define X(photo) "<x xmlns='vcard-temp:x:update'>" photo "</x>"
#define NONE "<x xmlns='vcard-temp:x:update'/>"
#define HASH "000102030405060708090a0b0c0d0e0f10111213"

static void stamps(void **state)
{
    static const uint8_t hash[PHOTO_HASH] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 };
    static const struct {
        const char *content, *with, *without;      /* an avatar of the account */
    } rows[] = {
        { "", X("<photo>" HASH "</photo>"), "" },
        { "<show>away</show>", "<show>away</show>" X("<photo>" HASH "</photo>"), "<show>away</show>" },
        { X("<photo/>") "<show>away</show>", X("<photo/>") "<show>away</show>", X("<photo/>") "<show>away</show>" },
        { NONE "<show>away</show>", "<show>away</show>" X("<photo>" HASH "</photo>"),
          "<show>away</show>" X("<photo></photo>") },
        { X("<photo>" HASH "</photo>"), X("<photo>" HASH "</photo>"), X("<photo>" HASH "</photo>") },
        { X("<photo>ab</photo>"), X("<photo>" HASH "</photo>"), X("<photo>ab</photo>") },
        { "<status>vcard-temp:x:update</status>",
          "<status>vcard-temp:x:update</status>" X("<photo>" HASH "</photo>"), "<status>vcard-temp:x:update</status>" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena *arena = arena_new();
        struct slice  with = avatar_stamp(arena, slice_str(rows[i].content), &limits, hash);
        struct slice  without = avatar_stamp(arena, slice_str(rows[i].content), &limits, NULL);
        if (!slice_is(with, rows[i].with) || !slice_is(without, rows[i].without))
            fail_msg("row %zu: %.*s, %.*s", i, SLICE_FMT(with), SLICE_FMT(without));
        arena_free(&arena);
    }
}

static void images(void **state)
{
    static const struct {
        const char *text, *bytes;                  /* NULL: refused */
    } rows[] = {
        { "aGk=", "hi" }, { " aG\r\n\tk=\n", "hi" }, { "", NULL }, { " \n", NULL }, { "aGk", NULL }, { "a!k=", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena *arena = arena_new();
        struct buf    b = { 0 };
        bool          good = avatar_bytes(arena, slice_str(rows[i].text), &b);
        if (good != (rows[i].bytes != NULL) || (good && !slice_is(buf_slice(&b), rows[i].bytes)))
            fail_msg("row %zu", i);
        buf_free(&b);
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stamps),
        cmocka_unit_test(images),
    };

    return cmocka_run_group_tests_name("avatars", tests, NULL, NULL);
}
