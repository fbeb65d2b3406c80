/* common/store: numbers of batches that survive their process, batches made again of their bytes, and the
 * record of an environment that has held data. */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <lmdb.h>

#include "store_live_rig.h"

static struct store_batch *a_put(const char *owner, const char *key)
{
    struct store_batch *b = store_batch(slice_str(owner));

    put(b, FIRST, key, "1");
    return b;
}

/* ---- children ---- */

static int tell;

static void killed_here(void)
{
    if (write(tell, "!", 1) != 1)
        _exit(3);
    for (;;)
        pause();
}

/* wait_ms < 0: until it says killed_here; else at most so long. */
static void live_and_die(void (*life)(void), int wait_ms)
{
    int   ends[2];
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        tell = ends[1];
        rig.f.loop = loop_new();
        life();
        _exit(2);
    }
    close(ends[1]);
    poll(&(struct pollfd){ .fd = ends[0], .events = POLLIN }, 1, wait_ms);
    close(ends[0]);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* ---- numbers ---- */

static void numbers_go_on_after_a_restart(void **state)
{
    struct outcome      o = { 0 };
    uint64_t            last = 0;

    (void)state;
    fixture_open(&rig.f);
    for (unsigned i = 0; i < 3; i++) {
        struct store_batch *b = a_put("owner", "key");
        uint64_t            number = store_commit(rig.f.store, &b, note, &o);
        assert_true(number > last);
        last = number;
    }
    turn_until(rig.f.loop, &o, 3);
    store_close(&rig.f.store);
    fixture_open(&rig.f);
    assert_int_equal(store_fate(rig.f.store, last), STORE_COMMITTED);
    assert_int_equal(store_fate(rig.f.store, last + 1), STORE_UNDECIDED);
    struct store_batch *b = a_put("owner", "key");
    assert_true(store_commit(rig.f.store, &b, note, &o) > last);
    turn_until(rig.f.loop, &o, 4);
    store_close(&rig.f.store);
    rig.f.spec.writer = "sm-2";         /* another instance counts for itself */
    fixture_open(&rig.f);
    assert_int_equal(store_fate(rig.f.store, 1), STORE_UNDECIDED);
}

/* Three numbers: refused, committed, refused with the first (one owner). No callback runs. */
static void dies_before_the_callbacks(void)
{
    struct store_batch *b = a_put("unlucky", "taken");

    fixture_open(&rig.f);
    store_expect_absent(b, FIRST, SLICE("there"));
    store_commit(rig.f.store, &b, NULL, NULL);
    b = a_put("lucky", "mine");
    store_commit(rig.f.store, &b, NULL, NULL);
    b = a_put("unlucky", "taken too");
    store_commit(rig.f.store, &b, NULL, NULL);
    store_close(&rig.f.store);          /* waits for the writer; there is nobody to tell */
    killed_here();
}

static void what_was_decided_and_not_told_is_known_after_a_kill(void **state)
{
    (void)state;
    fixture_open(&rig.f);
    put_now(&rig.f, "there", "1");
    uint64_t before = 1;
    assert_int_equal(store_fate(rig.f.store, before), STORE_UNDECIDED);   /* of this process: not asked */
    store_close(&rig.f.store);
    live_and_die(dies_before_the_callbacks, -1);
    fixture_open(&rig.f);
    assert_int_equal(store_fate(rig.f.store, 1), STORE_COMMITTED);
    assert_int_equal(store_fate(rig.f.store, 2), STORE_REFUSED);
    assert_int_equal(store_fate(rig.f.store, 3), STORE_COMMITTED);
    assert_int_equal(store_fate(rig.f.store, 4), STORE_REFUSED);
    assert_int_equal(store_fate(rig.f.store, 5), STORE_UNDECIDED);
    expect(&rig.f, "mine", "1");
    expect(&rig.f, "taken", NULL);
    expect(&rig.f, "taken too", NULL);
}

/* ---- with live memory ---- */

static void a_batch_waits_for_the_end_of_its_turn(void **state)
{
    struct outcome       o = { 0 };
    struct store_figures figures;

    (void)state;
    rig_open();
    struct store_batch *b = a_put("owner", "key");
    store_commit(rig.f.store, &b, note, &o);
    expect(&rig.f, "key", "1");
    usleep(20000);
    store_figures(rig.f.store, &figures);
    assert_int_equal(figures.commits, 0);
    turn_until(rig.f.loop, &o, 1);
    store_figures(rig.f.store, &figures);
    assert_int_equal(figures.commits, 1);
}

static void dies_inside_the_turn(void)
{
    rig_open();
    struct store_batch *b = a_put("owner", "key");
    live_put_u64(rig.live, WAITING, 1, SLICE("row"));
    store_commit(rig.f.store, &b, NULL, NULL);
    usleep(20000);
    killed_here();
}

static void killed_inside_a_turn_neither_row_nor_batch_is_left(void **state)
{
    (void)state;
    live_and_die(dies_inside_the_turn, -1);
    rig_open();
    assert_false(live_found(rig.live));
    expect(&rig.f, "key", NULL);
    assert_int_equal(store_fate(rig.f.store, 1), STORE_UNDECIDED);
}

/* A process that holds LMDB's one write lock once it is told to, and dies with its parent. */
static int lock_holder(void)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    if (fork() > 0)
        return ends[0];
    MDB_env *env;
    MDB_txn *txn;
    char     byte;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(ends[1], &byte, 1) == 1 && mdb_env_create(&env) == 0 &&
        mdb_env_open(env, rig.f.path, MDB_NOTLS, 0600) == 0 && mdb_txn_begin(env, NULL, 0, &txn) == 0 &&
        write(ends[1], &byte, 1) == 1)
        pause();
    _exit(1);
}

static void hands_in_what_cannot_be_committed(void)
{
    int  holder = lock_holder();
    char byte = 0;

    rig_open();
    if (write(holder, &byte, 1) != 1 || read(holder, &byte, 1) != 1)
        _exit(5);
    struct store_batch *b = a_put("owner", "key");
    struct buf          bytes = { 0 };
    buf_put_slice(&bytes, store_batch_bytes(b));
    uint64_t number = store_commit(rig.f.store, &b, NULL, NULL);
    live_put_u64(rig.live, WAITING, number, buf_slice(&bytes));
    turn();
    killed_here();
}

/* ---- waiting rows: the least form of what daemons do ---- */

struct waiting {
    uint64_t number;
    unsigned done, failed;
};

static struct waiting tally;

/* `done` gets the row's key in place of a struct. */
static void forget_row(void *arg, enum zerr err)
{
    tally.done++;
    tally.failed += err != ZE_OK;
    live_delete_u64(rig.live, WAITING, (uintptr_t)arg);
}

static int hand_in_again(void *arg, struct slice key, struct slice value)
{
    uint64_t            number = live_key_u64(key);
    struct store_batch *b = store_batch_from(value);
    unsigned           *again = arg;

    assert_non_null(b);
    assert_int_not_equal(store_fate(rig.f.store, number), STORE_REFUSED);
    if (store_fate(rig.f.store, number) == STORE_COMMITTED) {
        store_batch_free(&b);
        return 0;
    }
    store_commit_again(rig.f.store, &b, number, forget_row, (void *)(uintptr_t)number);
    (*again)++;
    return 0;
}

static void killed_between_hand_in_and_commit_it_is_handed_in_again(void **state)
{
    unsigned again = 0;

    (void)state;
    tally = (struct waiting){ 0 };
    live_and_die(hands_in_what_cannot_be_committed, -1);
    rig_open();
    live_each(rig.live, WAITING, hand_in_again, &again);
    assert_int_equal(again, 1);
    expect(&rig.f, "key", "1");
    while (!tally.done)
        turn();
    assert_int_equal(tally.failed, 0);
    rig_close();
    rig_open();
    expect(&rig.f, "key", "1");
    again = 0;
    live_each(rig.live, WAITING, hand_in_again, &again);
    assert_int_equal(again, 0);
}

static void put_counted(uint64_t n)
{
    struct store_batch *b = store_batch(SLICE("owner"));
    struct buf          bytes = { 0 };
    char                key[32];

    snprintf(key, sizeof(key), "n%llu", (unsigned long long)n);
    put(b, FIRST, key, "1");
    store_expect_absent(b, FIRST, slice_str(key));        /* twice would be refused */
    buf_put_slice(&bytes, store_batch_bytes(b));
    uint64_t number = store_commit(rig.f.store, &b, forget_row, (void *)(uintptr_t)n);
    assert_int_equal(number, n);
    live_put_u64(rig.live, WAITING, number, buf_slice(&bytes));
    buf_free(&bytes);
}

/* Counts on from where live memory stands; row 0 holds how far that is. */
static void counts_on(void)
{
    unsigned again = 0;
    uint8_t  zero[8] = { 0 };

    rig_open();
    struct slice stands = live_get(rig.live, WAITING, slice_of(zero, 8));
    uint64_t     n = stands.p ? live_key_u64(stands) : 0;
    live_delete_u64(rig.live, WAITING, 0);
    live_each(rig.live, WAITING, hand_in_again, &again);
    for (;;) {
        uint8_t now[8];
        n++;
        put_counted(n);
        for (unsigned i = 0; i < 8; i++)
            now[i] = (uint8_t)(n >> (56 - 8 * i));
        live_put_u64(rig.live, WAITING, 0, slice_of(now, 8));
        turn();
        if (tally.failed)
            _exit(6);
    }
}

static void kills_at_any_moment_lose_nothing_and_do_nothing_twice(void **state)
{
    unsigned again = 0;
    uint8_t  zero[8] = { 0 };

    (void)state;
    tally = (struct waiting){ 0 };
    for (int round = 0; round < 20; round++)
        live_and_die(counts_on, 5 + round * 3 % 23);
    rig_open();
    struct slice stands = live_get(rig.live, WAITING, slice_of(zero, 8));
    uint64_t     n = stands.p ? live_key_u64(stands) : 0;
    assert_true(n > 0);
    live_delete_u64(rig.live, WAITING, 0);
    live_each(rig.live, WAITING, hand_in_again, &again);
    while (tally.done < again)
        turn();
    assert_int_equal(tally.failed, 0);
    for (uint64_t i = 1; i <= n; i++) {
        char key[32];
        snprintf(key, sizeof(key), "n%llu", (unsigned long long)i);
        expect(&rig.f, key, "1");
    }
}

/* ---- bytes ---- */

static void only_whole_batches_are_made_of_bytes(void **state)
{
    struct store_batch *b = a_put("owner", "key"), *again;

    (void)state;
    store_delete(b, SECOND, SLICE("gone"));
    store_expect_absent(b, FIRST, SLICE("key"));
    store_expect_value(b, FIRST, SLICE("other"), SLICE("x"));
    struct slice bytes = store_batch_bytes(b);
    again = store_batch_from(bytes);
    assert_non_null(again);
    assert_true(slice_eq(store_batch_bytes(again), bytes));
    assert_false(store_batch_empty(again));
    store_batch_free(&again);
    unsigned whole = 0;
    for (size_t len = 0; len < bytes.len; len++) {
        again = store_batch_from(slice_cut(bytes, 0, len));
        whole += again != NULL;
        store_batch_free(&again);
    }
    assert_int_equal(whole, 4);          /* cut between operations: none, one, two, three */
    store_batch_free(&b);
    assert_null(store_batch_from(SLICE("\2")));
}

/* ---- the record ---- */

static void empty_where_a_full_one_was_is_refused(void **state)
{
    (void)state;
    rig.f.spec.record = rig.record;
    fixture_open(&rig.f);
    store_close(&rig.f.store);
    assert_int_not_equal(access(rig.record, F_OK), 0);       /* nothing was in it yet */
    fixture_open(&rig.f);
    put_now(&rig.f, "key", "1");
    assert_int_equal(access(rig.record, F_OK), 0);
    put_now(&rig.f, "key", NULL);
    store_close(&rig.f.store);
    fixture_open(&rig.f);                                    /* emptied by itself: the same environment */
    store_close(&rig.f.store);
    fixture_unlink(rig.f.path, "data.mdb");
    assert_null(store_open(rig.f.loop, &rig.f.spec));
    assert_null(store_open(rig.f.loop, &rig.f.spec));        /* nor the second time */
    unlink(rig.record);
    fixture_open(&rig.f);
    expect(&rig.f, "key", NULL);
}

static void one_without_a_record_gets_it(void **state)
{
    (void)state;
    fixture_open(&rig.f);
    put_now(&rig.f, "key", "1");
    store_close(&rig.f.store);
    rig.f.spec.record = rig.record;
    fixture_open(&rig.f);
    assert_int_equal(access(rig.record, F_OK), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_start, rig_end)
    const struct CMUnitTest tests[] = {
        T(numbers_go_on_after_a_restart),
        T(what_was_decided_and_not_told_is_known_after_a_kill),
        T(a_batch_waits_for_the_end_of_its_turn),
        T(killed_inside_a_turn_neither_row_nor_batch_is_left),
        T(killed_between_hand_in_and_commit_it_is_handed_in_again),
        T(kills_at_any_moment_lose_nothing_and_do_nothing_twice),
        T(only_whole_batches_are_made_of_bytes),
        T(empty_where_a_full_one_was_is_refused),
        T(one_without_a_record_gets_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
