/* common/table.c: the hash table and its hash. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mem.h"
#include "table.h"

static struct slice number_key(char text[24], int n)
{
    snprintf(text, 24, "user%d@example.org", n);
    return slice_str(text);
}

static void siphash_gives_the_vectors_of_its_paper(void **state)
{
    uint8_t key[16], in[15];

    (void)state;
    for (int i = 0; i < 16; i++)
        key[i] = (uint8_t)i;
    for (int i = 0; i < 15; i++)
        in[i] = (uint8_t)i;
    assert_true(hash_keyed(key, slice_of(in, 15)) == 0xa129ca6149be45e5);
    assert_true(hash_keyed(key, slice_of(in, 0)) == 0x726fdb47dd0e0e31);
    assert_true(hash_keyed(key, slice_of(in, 8)) == 0x93f5f5799a932462);
}

static void what_is_put_is_found_replaced_and_removed(void **state)
{
    struct table *t = table_new();
    int           one = 1, two = 2;

    (void)state;
    assert_null(table_get(t, SLICE("a")));
    assert_null(table_put(t, SLICE("a"), &one));
    assert_ptr_equal(table_put(t, SLICE("a"), &two), &one);
    assert_ptr_equal(table_get(t, SLICE("a")), &two);
    assert_null(table_put(t, (struct slice){ 0 }, &one));     /* the empty key is a key */
    assert_ptr_equal(table_get(t, SLICE("")), &one);
    assert_int_equal(table_count(t), 2);
    assert_ptr_equal(table_remove(t, SLICE("a")), &two);
    assert_null(table_remove(t, SLICE("a")));
    assert_int_equal(table_count(t), 1);
    table_free(&t);
    assert_null(t);
}

static void a_hundred_thousand_entries_cost_what_they_should(void **state)
{
    struct table *t = table_new();
    char          text[24];
    static int    values[100000];

    (void)state;
    for (int i = 0; i < 100000; i++)
        table_put(t, number_key(text, i), &values[i]);
    assert_int_equal(table_count(t), 100000);
    for (int i = 0; i < 100000; i++)
        assert_ptr_equal(table_get(t, number_key(text, i)), &values[i]);
    assert_true(table_size(t) < 100000 * 60);
    table_free(&t);
}

static void a_walk_may_remove_what_it_was_just_given(void **state)
{
    struct table *t = table_new();
    char          text[24];
    static int    values[500];
    size_t        seen = 0;

    (void)state;
    for (int i = 0; i < 500; i++)
        table_put(t, number_key(text, i), &values[i]);
    for (struct table_iter i = { 0 }; table_next(t, &i); seen++) {
        assert_int_equal(*(int *)i.value, 0);
        *(int *)i.value = 1;
        if ((int *)i.value - values >= 100)
            assert_ptr_equal(table_remove(t, i.key), i.value);
    }
    assert_int_equal(seen, 500);
    assert_int_equal(table_count(t), 100);
    table_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_gives_the_vectors_of_its_paper),
        cmocka_unit_test(what_is_put_is_found_replaced_and_removed),
        cmocka_unit_test(a_hundred_thousand_entries_cost_what_they_should),
        cmocka_unit_test(a_walk_may_remove_what_it_was_just_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
