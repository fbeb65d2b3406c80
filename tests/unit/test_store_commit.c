/* common/store: preconditions, failures of an owner, order of callbacks, and what survives: reopening,
 * kill -9, a full map, a newer schema, a full disk. */

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <lmdb.h>

#include "store_fixture.h"

static int start(void **state)
{
    static struct fixture f;

    fixture_start(&f);
    fixture_open(&f);
    *state = &f;
    return 0;
}

static int end(void **state)
{
    fixture_end(*state);
    return 0;
}

static struct store_batch *one_put(const char *owner, const char *key, const char *value)
{
    struct store_batch *b = store_batch(slice_str(owner));

    put(b, FIRST, key, value);
    return b;
}

static void a_failed_precondition_undoes_the_whole_batch_and_only_it(void **state)
{
    struct fixture     *f = *state;
    struct outcome      bad = { 0 }, good = { 0 };
    struct store_batch *b = one_put("a", "key", "mine");

    put_now(f, "key", "theirs");
    put_now(f, "keep", "kept");
    store_delete(b, FIRST, SLICE("keep"));
    store_expect_absent(b, FIRST, SLICE("key"));      /* behind the writes, checked before them */
    store_commit(f->store, &b, note, &bad);
    b = one_put("b", "other", "written");
    store_expect_value(b, FIRST, SLICE("keep"), SLICE("kept"));
    store_commit(f->store, &b, note, &good);
    expect(f, "key", "mine");
    expect(f, "keep", NULL);
    turn_until(f->loop, &bad, 1);
    turn_until(f->loop, &good, 1);
    assert_int_equal(bad.last, ZE_CONFLICT);
    assert_int_equal(good.last, ZE_OK);
    expect(f, "key", "theirs");
    expect(f, "keep", "kept");
    expect(f, "other", "written");
}

static void an_owner_s_later_batches_fail_with_the_first(void **state)
{
    struct fixture     *f = *state;
    struct outcome      mine = { 0 }, others = { 0 };
    struct store_batch *b;

    put_now(f, "taken", "x");
    b = one_put("a", "a1", "1");
    store_expect_absent(b, FIRST, SLICE("taken"));
    store_commit(f->store, &b, note, &mine);
    usleep(50000);                                    /* decided, and not yet told */
    b = one_put("a", "a2", "2");
    store_commit(f->store, &b, note, &mine);
    b = one_put("b", "b1", "1");
    store_commit(f->store, &b, note, &others);
    turn_until(f->loop, &mine, 2);
    turn_until(f->loop, &others, 1);
    assert_int_equal(mine.last, ZE_CONFLICT);
    assert_int_equal(others.last, ZE_OK);
    expect(f, "a1", NULL);
    expect(f, "a2", NULL);
    b = one_put("a", "a3", "3");                      /* he knows now */
    store_commit(f->store, &b, note, &mine);
    turn_until(f->loop, &mine, 3);
    assert_int_equal(mine.last, ZE_OK);
    expect(f, "a3", "3");
}

struct retry {
    struct fixture *f;
    struct outcome  outcome;
};

static void try_again(void *arg, enum zerr err)
{
    struct retry       *r = arg;
    struct store_batch *b = one_put("a", "again", "yes");

    assert_int_equal(err, ZE_CONFLICT);
    expect(r->f, "a1", NULL);
    store_commit(r->f->store, &b, note, &r->outcome);
}

static void a_retry_from_the_callback_is_written(void **state)
{
    struct retry        r = { .f = *state };
    struct store_batch *b = one_put("a", "a1", "1");

    store_expect_value(b, FIRST, SLICE("absent"), SLICE(""));
    store_commit(r.f->store, &b, try_again, &r);
    turn_until(r.f->loop, &r.outcome, 1);
    assert_int_equal(r.outcome.last, ZE_OK);
    expect(r.f, "again", "yes");
}

/* What fails gives way to the pending write before it. */
static void a_failure_uncovers_the_pending_write_below(void **state)
{
    struct fixture     *f = *state;
    struct outcome      good = { 0 }, bad = { 0 };
    struct store_batch *b = one_put("a", "key", "first");

    store_commit(f->store, &b, note, &good);
    b = one_put("b", "key", "second");
    store_expect_absent(b, FIRST, SLICE("key"));
    store_commit(f->store, &b, note, &bad);
    expect(f, "key", "second");
    turn_until(f->loop, &good, 1);
    turn_until(f->loop, &bad, 1);
    assert_int_equal(bad.last, ZE_CONFLICT);
    expect(f, "key", "first");
}

struct place {
    unsigned *next, mine;
};

static void in_order(void *arg, enum zerr err)
{
    struct place *p = arg;

    assert_int_equal(err, p->mine % 10 == 3 ? ZE_CONFLICT : ZE_OK);
    assert_int_equal(*p->next, p->mine);
    ++*p->next;
}

/* Another process that holds the environment's one write lock, from the first byte told to it until the
 * second: meanwhile a writer can begin, and cannot end. */
struct holder {
    pid_t pid;
    int   tell, hear;
};

static void hold_and_exit(const char *path, int hear, int tell)
{
    MDB_env *env;
    MDB_txn *txn;
    char     byte = 0;
    bool     held = read(hear, &byte, 1) == 1 && mdb_env_create(&env) == 0 && mdb_env_open(env, path, MDB_NOTLS, 0600) == 0 &&
                mdb_txn_begin(env, NULL, 0, &txn) == 0 && write(tell, &byte, 1) == 1;

    if (held && read(hear, &byte, 1) == 1)
        mdb_txn_abort(txn);
    _exit(held ? 0 : 1);
}

/* Before this process has threads or the environment. */
static struct holder holder_new(const struct fixture *f)
{
    int to[2], from[2];

    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    struct holder h = { fork(), to[1], from[0] };
    if (h.pid == 0) {
        close(to[1]);
        hold_and_exit(f->spec.path, to[0], from[1]);
    }
    close(to[0]);
    close(from[1]);
    return h;
}

static void holder_takes(struct holder *h)
{
    char byte = 'h';

    assert_int_equal(write(h->tell, &byte, 1), 1);
    assert_int_equal(read(h->hear, &byte, 1), 1);
}

static void holder_ends(struct holder *h)
{
    int  status;
    char byte = 'r';

    assert_int_equal(write(h->tell, &byte, 1), 1);
    assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
    assert_int_equal(status, 0);
    close(h->tell);
    close(h->hear);
}

static void callbacks_run_in_the_order_of_commits(void **state)
{
    struct fixture      *f = *state;
    static struct place  places[500];
    unsigned             next = 0;
    struct store_figures figures, before;

    store_close(&f->store);
    struct holder holder = holder_new(f);
    fixture_open(f);
    store_figures(f->store, &before);
    holder_takes(&holder);
    for (unsigned i = 0; i < COUNT_OF(places); i++) {
        char                owner[16];
        struct store_batch *b;

        snprintf(owner, sizeof owner, "o%u", i);
        b = one_put(owner, owner, "x");
        if (i % 10 == 3)
            store_expect_value(b, FIRST, SLICE("absent"), SLICE("x"));
        places[i] = (struct place){ &next, i };
        store_commit(f->store, &b, in_order, &places[i]);
    }
    holder_ends(&holder);
    while (next < COUNT_OF(places))
        uv_run(loop_uv(f->loop), UV_RUN_ONCE);
    store_figures(f->store, &figures);
    assert_int_equal(figures.batches, 500);
    assert_int_equal(figures.failed, 50);
    assert_int_equal(figures.pending_batches, 0);
    assert_int_equal(figures.pending_bytes, 0);
    assert_true(figures.commits - before.commits <= 2);    /* all others formed a group behind the first */
}

static void a_finished_store_is_read_and_refuses(void **state)
{
    struct fixture     *f = *state;
    struct outcome      first = { 0 }, late = { 0 };
    struct store_batch *b = one_put("a", "key", "value");

    store_commit(f->store, &b, note, &first);
    assert_true(store_finish(f->store));
    assert_int_equal(first.last, ZE_OK);
    expect(f, "key", "value");
    b = one_put("b", "late", "value");
    store_commit(f->store, &b, note, &late);
    assert_true(store_finish(f->store));
    assert_int_equal(late.last, ZE_STORE);
    expect(f, "late", NULL);
    assert_false(store_finish(f->store));
}

static void closing_writes_what_was_handed_in(void **state)
{
    struct fixture     *f = *state;
    struct outcome      o = { 0 };
    struct stat         st;
    struct store_batch *b = one_put("a", "key", "value");

    store_commit(f->store, &b, note, &o);
    store_close(&f->store);
    assert_null(f->store);
    assert_int_equal(o.ran, 1);
    assert_int_equal(o.last, ZE_OK);
    fixture_open(f);
    expect(f, "key", "value");
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

/* ---- kill -9 ---- */

struct reporter {
    int      pipe;
    uint32_t number;
};

static void report(void *arg, enum zerr err)
{
    struct reporter *r = arg;

    if (err == ZE_OK && write(r->pipe, &r->number, sizeof r->number) != sizeof r->number)
        _exit(3);
    free(r);
}

static void commit_for_ever(const struct fixture *parent, int pipe_end)
{
    struct loop      *loop = loop_new();
    struct store     *store = store_open(loop, &parent->spec);
    uint32_t          number = 0;

    for (;;) {
        for (int i = 0; i < 20; i++) {
            struct reporter    *r = xmalloc(sizeof *r);
            struct store_batch *b = store_batch(SLICE("owner"));
            uint8_t             key[] = { 'n', (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number };
            *r = (struct reporter){ pipe_end, number++ };
            store_put(b, FIRST, slice_of(key, 4), SLICE("value"));
            store_put(b, SECOND, slice_of(key, 4), SLICE("value"));
            store_commit(store, &b, report, r);
        }
        uv_run(loop_uv(loop), UV_RUN_ONCE);
    }
}

static void kill_9_loses_nothing_that_was_reported(void **state)
{
    struct fixture    *f = *state;
    int                ends[2], status;
    uint32_t           number, seen = 0;
    struct store_view *view;

    store_close(&f->store);
    for (int round = 0; round < 3; round++) {
        uint32_t top = 0;

        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            commit_for_ever(f, ends[1]);
        }
        close(ends[1]);
        for (unsigned got = 0; got < 300 + 77 * (unsigned)round; got++) {
            assert_int_equal(read(ends[0], &top, sizeof top), sizeof top);
            assert_int_equal(top, got);
        }
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        while (read(ends[0], &number, sizeof number) == sizeof number)
            top = number;
        close(ends[0]);
        fixture_open(f);
        view = store_view(f->store);
        for (number = 0; number <= top; number++, seen++) {
            uint8_t key[] = { 'n', (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number };
            assert_true(slice_is(store_get(view, FIRST, slice_of(key, 4)), "value"));
            assert_true(slice_is(store_get(view, SECOND, slice_of(key, 4)), "value"));
        }
        store_view_end(&view);
        store_close(&f->store);
    }
    assert_true(seen > 300);
}

/* ---- the map ---- */

static void a_full_map_grows(void **state)
{
    struct fixture      *f = *state;
    struct outcome       o = { 0 };
    struct buf           value = { 0 };
    struct store_figures figures;

    store_close(&f->store);
    f->spec.map_bytes = 256 << 10;
    fixture_open(f);
    memset(buf_reserve(&value, 50000), 'v', 50000);
    buf_added(&value, 50000);
    for (unsigned i = 0; i < 60; i++) {
        struct store_batch *b = store_batch(SLICE("owner"));
        char                key[8];

        snprintf(key, sizeof key, "k%u", i);
        store_put(b, FIRST, slice_str(key), buf_slice(&value));
        store_commit(f->store, &b, note, &o);
        if (i % 7 == 0)
            turn_until(f->loop, &o, i + 1);
    }
    turn_until(f->loop, &o, 60);
    assert_int_equal(o.last, ZE_OK);
    struct store_view *view = store_view(f->store);
    assert_int_equal(store_get(view, FIRST, SLICE("k0")).len, 50000);
    assert_int_equal(store_get(view, FIRST, SLICE("k59")).len, 50000);
    store_view_end(&view);
    store_figures(f->store, &figures);
    assert_true(figures.map_bytes >= 60 * 50000);
    assert_true(figures.map_used >= 60 * 50000 && figures.map_used <= figures.map_bytes);
    buf_free(&value);
}

static void grow_and_exit(const struct fixture *parent)
{
    struct loop        *loop = loop_new();
    struct store       *store = store_open(loop, &parent->spec);
    struct store_batch *b = store_batch(SLICE("child"));
    struct outcome      o = { 0 };

    for (unsigned i = 0; i < 100; i++) {
        static const char value[20000];
        char              key[8];
        snprintf(key, sizeof key, "c%u", i);
        store_put(b, FIRST, slice_str(key), slice_of(value, sizeof value));
    }
    store_commit(store, &b, note, &o);
    store_close(&store);
    _exit(o.last == ZE_OK ? 0 : 1);
}

/* Several processes share an environment: one may grow the map under the others. */
static void a_map_grown_by_another_process_is_followed(void **state)
{
    struct fixture *f = *state;
    int             status;
    pid_t           child;

    store_close(&f->store);
    f->spec.map_bytes = 256 << 10;
    child = fork();                       /* before this process has threads or the environment */
    if (child == 0) {
        usleep(300000);
        grow_and_exit(f);
    }
    fixture_open(f);
    put_now(f, "mine", "1");
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct store_view *view = store_view(f->store);
    assert_int_equal(store_get(view, FIRST, SLICE("c99")).len, 20000);
    store_view_end(&view);
    put_now(f, "mine", "2");
    expect(f, "mine", "2");
}

/* ---- refusals ---- */

static void a_newer_schema_is_refused(void **state)
{
    struct fixture *f = *state;

    put_now(f, "key", "value");
    store_close(&f->store);
    f->spec.schema = 2;
    assert_null(store_open(f->loop, &f->spec));       /* older, and no migration is known */
    f->spec.schema = 0;
    assert_null(store_open(f->loop, &f->spec));       /* newer than what we know */
    f->spec.schema = 1;
    fixture_open(f);
    expect(f, "key", "value");
}

static void an_environment_locked_for_migration_is_refused(void **state)
{
    struct fixture *f = *state;
    char            path[128];
    int             fd;

    store_close(&f->store);
    snprintf(path, sizeof path, "%s/owner.lock", f->path);
    fd = open(path, O_RDWR);
    struct store_spec spec = f->spec;
    assert_int_equal(lockf(fd, F_TEST, 0), 0);
    pid_t child = fork();
    if (child == 0) {
        execl("/usr/bin/flock", "flock", "-x", path, "sleep", "2", NULL);
        _exit(9);
    }
    usleep(300000);
    struct store *refused = store_open(f->loop, &spec);
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    close(fd);
    assert_null(refused);
}

static void a_full_disk_is_refused_and_a_low_one_is_told(void **state)
{
    struct fixture *f = *state;
    char            small[80];

    f->spec.disk_floor_mb = 1L << 40;
    store_close(&f->store);
    fixture_open(f);
    assert_true(store_low(f->store));
    store_close(&f->store);
    f->spec.disk_floor_mb = 0;
    fixture_open(f);
    assert_false(store_low(f->store));
    store_close(&f->store);

    snprintf(small, sizeof small, "%s-small", f->path);
    mkdir(small, 0700);
    if (mount("none", small, "tmpfs", 0, "size=4m") != 0) {
        rmdir(small);
        print_message("skipped: mounting a small tmpfs needs root\n");
        skip();
    }
    f->spec.path = small;
    struct store *refused = store_open(f->loop, &f->spec);
    umount(small);
    rmdir(small);
    assert_null(refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_failed_precondition_undoes_the_whole_batch_and_only_it, start, end),
        cmocka_unit_test_setup_teardown(an_owner_s_later_batches_fail_with_the_first, start, end),
        cmocka_unit_test_setup_teardown(a_retry_from_the_callback_is_written, start, end),
        cmocka_unit_test_setup_teardown(a_failure_uncovers_the_pending_write_below, start, end),
        cmocka_unit_test_setup_teardown(callbacks_run_in_the_order_of_commits, start, end),
        cmocka_unit_test_setup_teardown(a_finished_store_is_read_and_refuses, start, end),
        cmocka_unit_test_setup_teardown(closing_writes_what_was_handed_in, start, end),
        cmocka_unit_test_setup_teardown(kill_9_loses_nothing_that_was_reported, start, end),
        cmocka_unit_test_setup_teardown(a_full_map_grows, start, end),
        cmocka_unit_test_setup_teardown(a_map_grown_by_another_process_is_followed, start, end),
        cmocka_unit_test_setup_teardown(a_newer_schema_is_refused, start, end),
        cmocka_unit_test_setup_teardown(an_environment_locked_for_migration_is_refused, start, end),
        cmocka_unit_test_setup_teardown(a_full_disk_is_refused_and_a_low_one_is_told, start, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
