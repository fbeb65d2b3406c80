/* common/live: what a process that is killed finds again, and what another boot does not. Each child is
 * the earlier process: it tells by a byte how far it has come, and is killed there. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "buf.h"
#include "live.h"

enum { FIRST, SECOND };

static const char *const tables[] = { "first", "second", NULL };
static char              dir[64];

struct place {
    struct loop *loop;
    struct live *live;
};

static struct live *open_live(struct loop *loop)
{
    struct live_spec spec = { .path = dir, .tables = tables, .map_bytes = 8 << 20, .reserve_bytes = 1 << 20 };

    return live_open(loop, &spec);
}

static struct place enter(void)
{
    struct place p = { loop_new(), NULL };

    p.live = open_live(p.loop);
    assert_non_null(p.live);
    return p;
}

static void leave(struct place *p)
{
    live_close(&p->live);
    loop_free(&p->loop);
}

static int start(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/zubr-live-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return 0;
}

static int end(void **state)
{
    static const char *const files[] = { "data.mdb", "owner.lock", "boot_id" };
    char                     path[128];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        unlink(path);
    }
    return rmdir(dir);
}

static void put(struct live *live, const char *key, const char *value)
{
    live_put(live, FIRST, slice_str(key), slice_str(value));
}

static void expect(struct live *live, const char *key, const char *value)
{
    struct slice got = live_get(live, FIRST, slice_str(key));

    if (!value)
        assert_null(got.p);
    else
        assert_true(got.p && slice_is(got, value));
}

/* ---- children ---- */

static int tell;       /* the child's end of the pipe */

static void killed_here(void)
{
    if (write(tell, "!", 1) != 1)
        _exit(3);
    for (;;)
        pause();
}

/* Runs `life` in a child until it says killed_here, and kills it. */
static void live_and_die(void (*life)(struct place *p))
{
    int  ends[2];
    char said;

    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct place p = { loop_new(), NULL };
        close(ends[0]);
        tell = ends[1];
        p.live = open_live(p.loop);
        if (p.live)
            life(&p);
        _exit(2);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &said, 1), 1);
    close(ends[0]);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void dies_inside_the_second_turn(struct place *p)
{
    put(p->live, "mark", "1");
    live_put(p->live, SECOND, SLICE("effect"), SLICE("1"));
    live_commit(p->live);
    put(p->live, "mark", "2");
    live_delete(p->live, SECOND, SLICE("effect"));
    killed_here();
}

static void a_turn_cut_short_leaves_nothing(void **state)
{
    (void)state;
    live_and_die(dies_inside_the_second_turn);
    struct place p = enter();
    assert_true(live_found(p.live));
    expect(p.live, "mark", "1");
    assert_true(slice_is(live_get(p.live, SECOND, SLICE("effect")), "1"));
    leave(&p);
}

static void dies_after_its_turn(struct place *p)
{
    put(p->live, "mark", "1");
    uv_run(loop_uv(p->loop), UV_RUN_NOWAIT);
    killed_here();
}

static void the_end_of_the_turn_commits_by_itself(void **state)
{
    (void)state;
    live_and_die(dies_after_its_turn);
    struct place p = enter();
    expect(p.live, "mark", "1");
    leave(&p);
}

static void dies_having_said_nothing(struct place *p)
{
    live_get(p->live, FIRST, SLICE("mark"));
    live_commit(p->live);
    killed_here();
}

static void an_empty_one_is_not_found(void **state)
{
    (void)state;
    live_and_die(dies_having_said_nothing);
    struct place p = enter();
    assert_false(live_found(p.live));
    leave(&p);
}

/* Each life counts on from the one before. */
static void counts_on(struct place *p)
{
    for (;;) {
        struct slice was = live_get(p->live, FIRST, SLICE("count"));
        unsigned     n = was.p ? was.p[0] + 1 : 0;
        uint8_t      now = (uint8_t)n;

        live_put(p->live, FIRST, SLICE("count"), slice_of(&now, 1));
        live_put_u64(p->live, SECOND, n, slice_of(&now, 1));
        live_commit(p->live);
        if (n % 10 == 9)
            killed_here();
    }
}

static int check_row(void *arg, struct slice key, struct slice value)
{
    uint64_t *next = arg;

    assert_int_equal(live_key_u64(key), *next);
    assert_int_equal(value.p[0], *next);
    (*next)++;
    return 0;
}

static void many_lives_add_up(void **state)
{
    uint64_t rows = 0;

    (void)state;
    for (int i = 0; i < 5; i++)
        live_and_die(counts_on);
    struct place p = enter();
    live_each(p.live, SECOND, check_row, &rows);
    assert_int_equal(rows, 50);
    leave(&p);
}

/* ---- what is void ---- */

static void write_file(const char *name, const char *bytes, size_t len)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

static void what_another_boot_left_is_discarded(void **state)
{
    (void)state;
    struct place p = enter();
    put(p.live, "mark", "1");
    leave(&p);
    write_file("boot_id", "01234567-89ab-cdef-0123-456789abcdef\n", 37);
    p = enter();
    assert_false(live_found(p.live));
    expect(p.live, "mark", NULL);
    put(p.live, "mark", "2");
    leave(&p);
    p = enter();
    assert_true(live_found(p.live));
    expect(p.live, "mark", "2");
    leave(&p);
}

static void what_cannot_be_read_is_discarded(void **state)
{
    static const char junk[8192] = "not a database";

    (void)state;
    struct place p = enter();
    put(p.live, "mark", "1");
    leave(&p);
    write_file("data.mdb", junk, sizeof(junk));
    p = enter();
    assert_false(live_found(p.live));
    expect(p.live, "mark", NULL);
    leave(&p);
}

static void clear_forgets_all(void **state)
{
    (void)state;
    struct place p = enter();
    put(p.live, "mark", "1");
    live_commit(p.live);
    live_clear(p.live);
    expect(p.live, "mark", NULL);
    put(p.live, "new", "1");
    live_put(p.live, SECOND, SLICE("a"), SLICE("b"));
    live_forget(p.live, SECOND);
    leave(&p);
    p = enter();
    expect(p.live, "mark", NULL);
    expect(p.live, "new", "1");
    assert_null(live_get(p.live, SECOND, SLICE("a")).p);
    leave(&p);
}

static void holds_it(struct place *p)
{
    put(p->live, "mine", "1");
    live_commit(p->live);
    killed_here();
}

static void what_a_frozen_one_is_told_to_forget_stays(void **state)
{
    (void)state;
    struct place p = enter();
    put(p.live, "mark", "1");
    live_freeze(p.live);
    live_delete(p.live, FIRST, SLICE("mark"));
    put(p.live, "late", "1");
    leave(&p);
    p = enter();
    expect(p.live, "mark", "1");
    expect(p.live, "late", NULL);
    leave(&p);
}

static void a_second_process_is_refused(void **state)
{
    struct place p = enter();
    int          status = 0;

    (void)state;
    pid_t pid = fork();
    if (pid == 0)
        _exit(open_live(p.loop) ? 9 : 0);
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    leave(&p);
    live_and_die(holds_it);
    p = enter();            /* the lock died with its holder */
    expect(p.live, "mine", "1");
    leave(&p);
}

/* ---- a disk that takes no more ---- */

static bool disk_full;

/* Taken instead of the C library's. */
int fallocate(int fd, int mode, off_t offset, off_t len)
{
    if (!disk_full)
        return (int)syscall(SYS_fallocate, fd, mode, offset, len);
    errno = ENOSPC;
    return -1;
}

static void writes_too_much(void)
{
    static uint8_t much[1 << 20];
    struct place   p = enter();

    put(p.live, "mark", "1");
    live_commit(p.live);
    disk_full = true;
    for (int i = 0; i < 5; i++) {              /* what is reserved is there */
        put(p.live, "mark", "1");
        live_commit(p.live);
    }
    put(p.live, "mark", "2");
    live_put(p.live, SECOND, SLICE("much"), slice_of(much, sizeof(much)));
    live_commit(p.live);
    _exit(0);
}

static void a_write_that_fails_ends_the_process_between_turns(void **state)
{
    int status;

    (void)state;
    pid_t pid = fork();
    if (pid == 0)
        writes_too_much();
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    struct place p = enter();
    expect(p.live, "mark", "1");
    assert_null(live_get(p.live, SECOND, SLICE("much")).p);
    leave(&p);
}

static void it_grows_beyond_its_first_map(void **state)
{
    static uint8_t row[100000];
    struct place   p = enter();

    (void)state;
    for (uint64_t i = 0; i < 300; i++) {
        live_put_u64(p.live, FIRST, i, slice_of(row, sizeof(row)));
        live_commit(p.live);
    }
    struct live_figures f;
    live_figures(p.live, &f);
    assert_int_equal(f.commits, 300);
    assert_int_equal(f.puts, 300);
    assert_true(f.used_bytes > 300 * sizeof(row));
    leave(&p);
}

/* ---- reading, order ---- */

static void a_turn_sees_what_it_put(void **state)
{
    struct place p = enter();

    (void)state;
    expect(p.live, "a", NULL);
    put(p.live, "a", "1");
    put(p.live, "empty", "");
    expect(p.live, "a", "1");
    expect(p.live, "empty", "");
    live_delete(p.live, FIRST, SLICE("a"));
    live_delete(p.live, FIRST, SLICE("never was"));
    expect(p.live, "a", NULL);
    live_delete_u64(p.live, FIRST, 5);
    leave(&p);
}

static int note_key(void *arg, struct slice key, struct slice value)
{
    buf_printf(arg, "%llu=%.*s ", (unsigned long long)live_key_u64(key), SLICE_FMT(value));
    return slice_is(value, "stop") ? 7 : 0;
}

static void keys_are_in_order_of_their_numbers(void **state)
{
    static const uint64_t keys[] = { 256, 1, 65536, 255, 1ull << 40, 2 };
    struct buf            text = { 0 };
    struct place          p = enter();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        live_put_u64(p.live, FIRST, keys[i], SLICE("x"));
    assert_int_equal(live_each(p.live, FIRST, note_key, &text), 0);
    assert_true(slice_is(buf_slice(&text), "1=x 2=x 255=x 256=x 65536=x 1099511627776=x "));
    live_put_u64(p.live, FIRST, 255, SLICE("stop"));
    buf_reset(&text, SIZE_MAX);
    assert_int_equal(live_each(p.live, FIRST, note_key, &text), 7);
    assert_true(slice_is(buf_slice(&text), "1=x 2=x 255=stop "));
    buf_free(&text);
    leave(&p);
}

static int note_order(void *arg, struct slice key, struct slice value)
{
    uint64_t *last = arg;

    (void)value;
    assert_true(live_key_u64(key) > *last);
    *last = live_key_u64(key);
    return 0;
}

/* Whatever the order: an append is a put that expects to be last. */
static void appended_rows_are_rows(void **state)
{
    static const uint64_t keys[] = { 7, 300, 5, 300, 301, 6 };
    char                  row[900] = { 0 };
    struct place          p = enter();
    uint64_t              last = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        live_append_u64(p.live, FIRST, keys[i], SLICE("x"));
    live_append_u64(p.live, FIRST, 300, SLICE("again"));
    live_commit(p.live);
    for (uint64_t key = 1000; key < 1100; key++)
        live_append_u64(p.live, FIRST, key, slice_of(row, sizeof(row)));
    live_commit(p.live);
    live_delete_u64(p.live, FIRST, 1099);
    live_append_u64(p.live, FIRST, 1099, SLICE("again"));
    live_each(p.live, FIRST, note_order, &last);
    assert_int_equal(last, 1099);
    uint8_t key[8] = { [6] = 300 >> 8, [7] = 300 & 255 };
    assert_true(slice_is(live_get(p.live, FIRST, slice_of(key, 8)), "again"));
    leave(&p);
}

/* ---- hooks ---- */

struct state {
    struct live_hook hook;
    struct live     *live;
    unsigned         ran;
};

static void write_state(void *arg)
{
    struct state *s = arg;
    uint8_t       ran = (uint8_t)++s->ran;

    live_put(s->live, SECOND, SLICE("state"), slice_of(&ran, 1));
}

static void hooks_write_once_a_turn(void **arg)
{
    struct place p = enter();
    struct state s = { .hook = { .run = write_state }, .live = p.live };

    (void)arg;
    s.hook.arg = &s;
    live_before_commit(p.live, &s.hook);
    live_commit(p.live);
    live_get(p.live, FIRST, SLICE("only read"));
    live_commit(p.live);
    assert_int_equal(s.ran, 0);
    put(p.live, "a", "1");
    put(p.live, "b", "1");
    live_commit(p.live);
    assert_int_equal(s.ran, 1);
    live_dirty(p.live);
    uv_run(loop_uv(p.loop), UV_RUN_NOWAIT);
    assert_int_equal(s.ran, 2);
    uv_run(loop_uv(p.loop), UV_RUN_NOWAIT);
    assert_int_equal(s.ran, 2);
    assert_int_equal(live_get(p.live, SECOND, SLICE("state")).p[0], 2);
    leave(&p);
    p = enter();
    assert_int_equal(live_get(p.live, SECOND, SLICE("state")).p[0], 2);
    leave(&p);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, end)
    const struct CMUnitTest tests[] = {
        T(a_turn_cut_short_leaves_nothing),
        T(the_end_of_the_turn_commits_by_itself),
        T(an_empty_one_is_not_found),
        T(many_lives_add_up),
        T(what_another_boot_left_is_discarded),
        T(what_cannot_be_read_is_discarded),
        T(clear_forgets_all),
        T(what_a_frozen_one_is_told_to_forget_stays),
        T(a_second_process_is_refused),
        T(a_write_that_fails_ends_the_process_between_turns),
        T(it_grows_beyond_its_first_map),
        T(a_turn_sees_what_it_put),
        T(keys_are_in_order_of_their_numbers),
        T(appended_rows_are_rows),
        T(hooks_write_once_a_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
