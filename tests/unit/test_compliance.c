/* docs/xeps.def tells the truth: what it names is there, what the features say is in it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../docs/xeps.h"
#include "feature.h"

static void path_of(char *path, size_t room, const char *folder, struct slice file)
{
    const char *source = getenv("ZUBR_SOURCE");

    snprintf(path, room, "%s/%s%.*s", source ? source : ".", folder, SLICE_FMT(file));
}

static void the_numbers_are_in_order_and_once(void **state)
{
    (void)state;
    for (int i = 0; i < XEPS; i++) {
        assert_int_equal(strlen(xeps[i].number), 4);
        assert_true(xeps[i].title[0] && xeps[i].version[0]);
        if (i && strcmp(xeps[i - 1].number, xeps[i].number) >= 0)
            fail_msg("docs/xeps.def: %s is not behind %s", xeps[i].number, xeps[i - 1].number);
    }
}

static void the_files_are_there(void **state)
{
    char path[512];

    (void)state;
    for (int i = 0; i < XEPS; i++)
        for (const char *p = xeps[i].where; *p;) {
            size_t len = strcspn(p, " ");

            path_of(path, sizeof(path), "", slice_of(p, len));
            if (access(path, R_OK))
                fail_msg("docs/xeps.def: %s names %.*s, which is not there", xeps[i].number, (int)len, p);
            p += len + (p[len] == ' ');
        }
}

/* As pytest and cmocka name them. */
static bool has_test(const char *path, const char *test)
{
    static char text[1 << 20];
    char        python[128], c[128];
    FILE       *file = fopen(path, "r");
    size_t      len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

    if (!file)
        return false;
    fclose(file);
    text[len] = 0;
    snprintf(python, sizeof(python), "\ndef %s(", test);
    snprintf(c, sizeof(c), " %s(void **state)", test);
    return !test[0] || strstr(text, python) || strstr(text, c);
}

static void what_is_claimed_has_a_test(void **state)
{
    char path[512];

    (void)state;
    for (int i = 0; i < XEPS; i++) {
        const struct xep *x = &xeps[i];

        path_of(path, sizeof(path), "tests/", slice_str(x->file));
        if (x->status != PLANNED && (!x->where[0] || !has_test(path, x->test)))
            fail_msg("docs/xeps.def: %s: there is no %s in tests/%s", x->number, x->test, x->file);
    }
}

static bool is_listed(const char *number)
{
    for (int i = 0; i < XEPS; i++)
        if (strncmp(xeps[i].number, number, 4) == 0)
            return true;
    return false;
}

static void every_feature_has_its_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < sm_feature_count; i++)
        for (const char *p = strstr(sm_features[i]->spec, "XEP-"); p; p = strstr(p + 4, "XEP-"))
            if (!is_listed(p + 4))
                fail_msg("the feature %s is of XEP-%.4s: give it a row in docs/xeps.def, then ./dev docs",
                         sm_features[i]->name, p + 4);
}

static void the_doap_file_is_well_formed(void **state)
{
    static const char *const harmful[] = { "<", ">", "&", "'" };

    (void)state;
    for (int i = 0; i < XEPS; i++)
        for (size_t n = 0; n < COUNT_OF(harmful); n++)
            assert_null(strstr(xeps[i].note, harmful[n]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_numbers_are_in_order_and_once),
        cmocka_unit_test(the_files_are_there),
        cmocka_unit_test(what_is_claimed_has_a_test),
        cmocka_unit_test(every_feature_has_its_row),
        cmocka_unit_test(the_doap_file_is_well_formed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
