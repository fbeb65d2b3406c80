/* common/log.c and stats.c: what a line looks like, and what it never carries. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "stats.h"

/* Everything written to stderr while `work` runs; good until the next call. */
static char *stderr_of(void (*work)(void))
{
    static char text[65536];
    FILE       *file = tmpfile();
    int         kept = dup(STDERR_FILENO);

    dup2(fileno(file), STDERR_FILENO);
    log_open("sm-1", LOG_LEVEL_INFO);
    work();
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

static int lines(const char *text)
{
    int count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

static void plain_event(void)
{
    log_info("session_bound", "jid", "a@b/c", "count", log_num(-5), "trace", log_hex(255), "why", NULL, NULL);
    log_debug("not_wanted", NULL);
}

static void a_line_is_an_event_with_fields(void **state)
{
    const char *text = stderr_of(plain_event);

    (void)state;
    assert_int_equal(strncmp(text, "<6>20", 5), 0);
    assert_non_null(strstr(text, "Z info sm-1 session_bound jid=a@b/c count=-5 trace=00000000000000ff why=-\n"));
    assert_int_equal(lines(text), 1);
}

static void hostile_values(void)
{
    char long_value[2000];

    memset(long_value, 'x', sizeof(long_value));
    log_info("hostile", "jid", "a\nb \"c\" \\", "why", "", "from", "\xff\xfe", "to", "\xd0\x97\xd1\x83\xd0\xb1\xd1\x80",
             "peer", "\x1b[31m", "domain", "\xe2\x80\xae" "evil", NULL);
    log_info("long", "bytes", log_slice(slice_of(long_value, sizeof(long_value))), NULL);
}

static void values_cannot_forge_lines(void **state)
{
    const char *text = stderr_of(hostile_values);

    (void)state;
    assert_int_equal(lines(text), 2);
    assert_non_null(strstr(text, "jid=\"a\\x0ab \\\"c\\\" \\\\\" why=\"\" from=\"\\xff\\xfe\" to=\xd0\x97\xd1\x83"));
    assert_non_null(strstr(text, "peer=\"\\x1b[31m\" domain=\"\\xe2\\x80\\xaeevil\""));
    assert_non_null(strstr(text, "xxx...\n"));
    assert_true(strlen(strstr(text, "bytes=")) < 530);
}

static void many_warnings(void)
{
    for (int i = 0; i < 100; i++)
        log_warn("frame_refused", "count", log_num(i), NULL);
    for (int i = 0; i < 30; i++)
        log_info("not_limited", NULL);
    log_warn("another_event", NULL);
}

static void warnings_of_one_event_are_limited(void **state)
{
    const char *text = stderr_of(many_warnings);

    (void)state;
    assert_int_equal(lines(text), 20 + 30 + 1);
    assert_non_null(strstr(text, "warn sm-1 another_event\n"));
}

static void levels_have_names(void **state)
{
    (void)state;
    assert_int_equal(log_level_parse("warn"), LOG_LEVEL_WARN);
    assert_int_equal(log_level_parse("loud"), -1);
    assert_int_equal(log_level_parse(NULL), -1);
    assert_string_equal(log_level_name(LOG_LEVEL_DEBUG), "debug");
    log_set_level(LOG_LEVEL_ERROR);
    assert_false(log_wants(LOG_LEVEL_WARN));
    log_set_level(LOG_LEVEL_INFO);
}

static const char *fatal_event;

static void die_in_a_child(void)
{
    if (fork() == 0)
        fatal(fatal_event, "why", "test", NULL);
}

static void fatal_says_so_and_exits(void **state)
{
    int status;

    (void)state;
    fatal_event = "broken";
    stderr_of(die_in_a_child);
    wait(&status);
    assert_int_equal(WEXITSTATUS(status), 1);
    fatal_event = "config_bad";
    stderr_of(die_in_a_child);
    wait(&status);
    assert_int_equal(WEXITSTATUS(status), 78);
}

static void sum(void *arg, const struct stat_row *row)
{
    if (strcmp(row->name, "tests_in") == 0 || strcmp(row->name, "tests_out") == 0)
        *(uint64_t *)arg += *row->value;
}

static void registered_counters_are_listed_once(void **state)
{
    static uint64_t              in = 3, out = 4;
    static const struct stat_row rows[] = { { "tests_in", "a", &in }, { "tests_out", "b", &out }, { 0 } };
    uint64_t                     total = 0;

    (void)state;
    stats_register(rows);
    stats_register(rows);
    stats_each(sum, &total);
    assert_int_equal(total, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_an_event_with_fields),
        cmocka_unit_test(values_cannot_forge_lines),
        cmocka_unit_test(warnings_of_one_event_are_limited),
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test(fatal_says_so_and_exits),
        cmocka_unit_test(registered_counters_are_listed_once),
    };

    unsetenv("JOURNAL_STREAM");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
