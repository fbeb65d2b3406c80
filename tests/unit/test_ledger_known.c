/* proto/ledger_known: what is remembered of owners is never that of one who was forgotten or never was, and an id is
 * behind all records of its owner, whoever wrote them and whatever his clock said. */

#include "sm_fixture.h"

#include <sys/wait.h>

#include "ledger.h"
#include "routes.h"

#define OWNER "juliet@example.org"
#define OTHER "romeo@example.org"
#define NOW   UINT64_C(1795230000000000)
#define HOUR  UINT64_C(3600000000)

static const struct ledger_limits wide = { 1000, 1 << 20 };

static const struct ledger_record in = {
    .views = LEDGER_ARCHIVE, .direction = LEDGER_IN,
    .stanza = { .name = STANZA_MESSAGE, .type = TYPE_CHAT, .from = SLICE("nurse@example.net/door"),
                .to = SLICE(OWNER), .content = SLICE("<body>x</body>") },
};

static void open_ledger(struct sm_store *s, struct ledger *l, const char *owner)
{
    assert_int_equal(ledger_open(l, sm_ledger(s), store_view(s->archive), slice_str(owner)), ZE_OK);
}

static uint32_t id_of(struct sm_store *s, const char *owner)
{
    struct ledger l;

    open_ledger(s, &l, owner);
    store_view_end(&l.view);
    return l.owner_id;
}

static struct store_batch *batch_append(struct sm_store *s, const char *owner, uint64_t us, struct ledger_id *id)
{
    struct store_batch  *b = store_batch(slice_str(owner));
    struct ledger_record r = in;
    struct ledger        l;

    open_ledger(s, &l, owner);
    r.id = *id = ledger_next_id(&l, us);
    assert_int_equal(ledger_append(&l, b, &wide, &r), ZE_OK);
    store_view_end(&l.view);
    return b;
}

static enum zerr commit(struct loop *loop, struct sm_store *s, struct store_batch *b)
{
    struct outcome o = { 0 };

    store_commit(s->archive, &b, note, &o);
    turn_until(loop, &o, 1);
    return o.last;
}

static struct ledger_id append(struct loop *loop, struct sm_store *s, const char *owner, uint64_t us)
{
    struct ledger_id id;

    assert_int_equal(commit(loop, s, batch_append(s, owner, us, &id)), ZE_OK);
    return id;
}

static struct store_batch *batch_forget(struct sm_store *s, const char *owner)
{
    struct store_batch *b = store_batch(slice_str(owner));
    struct ledger       l;

    open_ledger(s, &l, owner);
    assert_int_equal(ledger_forget(&l, b), ZE_OK);
    store_view_end(&l.view);
    return b;
}

/* The id of a record made now is behind all others of the owner. */
static void expect_last(struct sm_store *s, const char *owner, uint64_t at_least_us)
{
    struct ledger    l;
    struct ledger_id next;

    open_ledger(s, &l, owner);
    next = ledger_next_id(&l, NOW);
    assert_true(ledger_id_cmp(next, ledger_newest(&l)) > 0);
    assert_true(next.time_us >= at_least_us);
    store_view_end(&l.view);
}

static void write_intern(struct sm_store *s, struct store_batch *b, const char *owner, bool expect)
{
    struct buf key = { 0 };

    store_key(&key, slot_of(slice_str(owner)), SLICE("test"));
    if (expect)
        store_expect_value(b, s->ledger.tables->intern, buf_slice(&key), SLICE("never"));
    else
        store_put(b, s->ledger.tables->intern, buf_slice(&key), SLICE("x"));
    buf_free(&key);
}

/* ---- this process's own batches ---- */

static void an_owner_whose_first_batch_fails_has_no_id(void **state)
{
    struct sm_fixture  *f = *state;
    struct outcome      o = { 0 };
    struct ledger_id    id;
    struct store_batch *b = batch_append(&f->store, OWNER, NOW, &id);

    write_intern(&f->store, b, OWNER, true);
    store_commit(f->store.archive, &b, note, &o);
    assert_int_equal(id_of(&f->store, OWNER), 1);      /* as long as nobody knows better */
    assert_int_equal(id_of(&f->store, OWNER), 1);
    turn_until(f->loop, &o, 1);
    assert_int_equal(o.last, ZE_CONFLICT);
    assert_int_equal(id_of(&f->store, OWNER), 0);
    append(f->loop, &f->store, OWNER, NOW);
    assert_int_equal(id_of(&f->store, OWNER), 1);
}

static void an_owner_of_a_batch_that_was_dropped_has_no_id(void **state)
{
    struct sm_fixture  *f = *state;
    struct ledger_id    id;
    struct store_batch *b = batch_append(&f->store, OWNER, NOW, &id);

    store_batch_free(&b);
    assert_int_equal(id_of(&f->store, OWNER), 0);
}

static void who_was_forgotten_comes_back_as_somebody_else(void **state)
{
    struct sm_fixture  *f = *state;
    struct outcome      o = { 0 };
    struct store_batch *b;

    append(f->loop, &f->store, OWNER, NOW);
    assert_int_equal(id_of(&f->store, OWNER), 1);
    b = batch_forget(&f->store, OWNER);
    assert_int_equal(id_of(&f->store, OWNER), 1);      /* not handed in yet */
    store_commit(f->store.archive, &b, note, &o);
    assert_int_equal(id_of(&f->store, OWNER), 0);
    turn_until(f->loop, &o, 1);
    assert_int_equal(id_of(&f->store, OWNER), 0);
    append(f->loop, &f->store, OWNER, NOW);
    assert_int_equal(id_of(&f->store, OWNER), 2);
}

static void forgetting_that_fails_forgets_nothing(void **state)
{
    struct sm_fixture  *f = *state;
    struct outcome      o = { 0 };
    struct store_batch *b;

    append(f->loop, &f->store, OWNER, NOW);
    b = batch_forget(&f->store, OWNER);
    write_intern(&f->store, b, OWNER, true);
    store_commit(f->store.archive, &b, note, &o);
    assert_int_equal(id_of(&f->store, OWNER), 0);
    turn_until(f->loop, &o, 1);
    assert_int_equal(o.last, ZE_CONFLICT);
    assert_int_equal(id_of(&f->store, OWNER), 1);
}

static void the_names_of_one_set_are_kept_apart(void **state)
{
    enum { OWNERS = 9 };
    struct sm_fixture *f = *state;
    char               names[OWNERS][80];
    unsigned           n = 0;

    for (unsigned i = 0; n < OWNERS; i++) {
        const char *tail = n == 3 ? "-with-a-name-that-is-really-rather-long" : "";    /* not remembered */
        snprintf(names[n], sizeof(names[n]), "user%u%s@example.org", i, tail);
        n += slot_of(slice_str(names[n])) == slot_of(SLICE(OWNER));
    }
    for (unsigned i = 0; i < OWNERS; i++)
        append(f->loop, &f->store, names[i], NOW);
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < OWNERS; i++) {
            assert_int_equal(id_of(&f->store, names[i]), i + 1);
            assert_int_equal(id_of(&f->store, names[i]), i + 1);
            expect_last(&f->store, names[i], NOW);
        }
}

static void who_has_no_records_needs_no_view_for_an_id(void **state)
{
    struct sm_fixture *f = *state;
    struct ledger      l = { .place = sm_ledger(&f->store) };
    struct ledger_id   first = ledger_next_id(&l, NOW);

    assert_int_equal(first.time_us, NOW);
    assert_true(ledger_id_cmp(ledger_next_id(&l, NOW - 1), first) > 0);
}

static void an_epoch_is_of_one_table(void **state)
{
    struct sm_fixture  *f = *state;
    struct store_view  *view = store_view(f->store.archive);
    unsigned            intern = sm_ledger(&f->store)->tables->intern;
    uint64_t            names = store_epoch(view, intern, 7), contacts = store_epoch(view, A_CONTACT, 7);
    struct store_batch *b = store_batch(SLICE(OWNER));
    struct outcome      o = { 0 };

    assert_int_equal(store_epoch(view, intern, 7), names);
    write_intern(&f->store, b, OWNER, false);
    store_view_end(&view);
    store_commit(f->store.archive, &b, note, &o);
    view = store_view(f->store.archive);
    assert_int_not_equal(store_epoch(view, intern, 7), names);
    assert_int_equal(store_epoch(view, A_CONTACT, 7), contacts);
    names = store_epoch(view, intern, 7);
    store_view_end(&view);
    turn_until(f->loop, &o, 1);
    view = store_view(f->store.archive);
    assert_int_equal(store_epoch(view, intern, 7), names);     /* a commit shows nothing new */
    store_view_end(&view);
}

/* ---- slots that were another's meanwhile ---- */

/* Slots are his whose key is highest among the members: so member 2 has all that he is a member for. */
static uint32_t highest(const uint32_t *members, size_t count, unsigned slot)
{
    uint32_t most = 0;

    (void)slot;
    for (size_t i = 0; i < count; i++)
        most = members[i] > most ? members[i] : most;
    return most;
}

enum what { WRITE_AHEAD, FORGET };

/* What the other member is to do, in a process of his own. */
struct order {
    enum what            what;
    struct store_members claim;
};

struct pair {
    struct loop    *loop;
    struct sm_store store;             /* of member 1 */
    char            path[64];
    pid_t           other;
    int             orders, answers;
};

static struct store *open_as(struct loop *loop, const char *path, uint32_t member)
{
    struct store_spec spec = {
        .path = path, .tables = sm_archive_tables, .schema = 1, .owner_of = highest, .instance = member,
    };

    return store_open(loop, &spec);
}

static void obey(const char *path, const struct order *order)
{
    struct loop    *loop = loop_new();
    struct sm_store s = { .archive = open_as(loop, path, 2) };

    store_claim(s.archive, &order->claim);
    if (order->what == WRITE_AHEAD)
        append(loop, &s, OWNER, NOW + HOUR);
    else if (commit(loop, &s, batch_forget(&s, OWNER)) != ZE_OK)
        _exit(3);
    store_close(&s.archive);
    loop_free(&loop);
}

static void other_main(const char *path, int orders, int answers)
{
    struct order order;

    while (read(orders, &order, sizeof(order)) == sizeof(order)) {
        obey(path, &order);
        if (write(answers, "", 1) != 1)
            _exit(2);
    }
    _exit(0);
}

/* The other one first: a process with threads and an environment does not fork. */
static void pair_start(struct pair *p)
{
    int orders[2], answers[2];

    *p = (struct pair){ .loop = NULL };
    snprintf(p->path, sizeof(p->path), "/tmp/zubr-sm-XXXXXX");
    assert_non_null(mkdtemp(p->path));
    assert_int_equal(pipe(orders) | pipe(answers), 0);
    p->other = fork();
    if (p->other == 0) {
        close(orders[1]);
        close(answers[0]);
        other_main(p->path, orders[0], answers[1]);
    }
    close(orders[0]);
    close(answers[1]);
    p->orders = orders[1];
    p->answers = answers[0];
    p->loop = loop_new();
    p->store.archive = open_as(p->loop, p->path, 1);
    assert_non_null(p->store.archive);
}

static void pair_end(struct pair *p)
{
    int status;

    close(p->orders);
    assert_int_equal(waitpid(p->other, &status, 0), p->other);
    assert_int_equal(status, 0);
    close(p->answers);
    store_close(&p->store.archive);
    loop_free(&p->loop);
    sm_fixture_remove("/tmp", p->path + strlen("/tmp/"));
}

static void the_other(struct pair *p, enum what what, const struct store_members *claim)
{
    struct order order = { what, *claim };
    char         done;

    assert_int_equal(write(p->orders, &order, sizeof(order)), sizeof(order));
    assert_int_equal(read(p->answers, &done, 1), 1);
}

static const struct store_members one_5 = { 5, 1, 0, { 1 }, { 0 } }, to_two_6 = { 6, 1, 1, { 2 }, { 1 } },
                                  two_6 = { 6, 1, 0, { 2 }, { 0 } }, to_one_7 = { 7, 1, 1, { 1 }, { 2 } },
                                  one_7 = { 7, 1, 0, { 1 }, { 0 } };

/* Member 1 has the slot, and knows its owner well. */
static void pair_begin(struct pair *p)
{
    pair_start(p);
    store_claim(p->store.archive, &one_5);
    append(p->loop, &p->store, OWNER, NOW);
    append(p->loop, &p->store, OWNER, NOW);
    expect_last(&p->store, OWNER, NOW);
}

static void an_id_after_there_and_back_is_behind_what_was_written_there(void **state)
{
    struct pair p;

    (void)state;
    pair_begin(&p);
    store_claim(p.store.archive, &to_two_6);
    store_claim(p.store.archive, &two_6);
    the_other(&p, WRITE_AHEAD, &two_6);
    store_claim(p.store.archive, &to_one_7);
    store_claim(p.store.archive, &one_7);
    expect_last(&p.store, OWNER, NOW + HOUR);
    append(p.loop, &p.store, OWNER, NOW);
    pair_end(&p);
}

/* The new owner may write before the table is settled, and his is then the record of the change. */
static void the_same_when_nothing_was_recorded_since(void **state)
{
    struct pair p;

    (void)state;
    pair_begin(&p);
    store_claim(p.store.archive, &to_two_6);
    append(p.loop, &p.store, OWNER, NOW);              /* the last of what came before the fences */
    the_other(&p, WRITE_AHEAD, &to_two_6);
    store_claim(p.store.archive, &two_6);
    store_claim(p.store.archive, &to_one_7);
    store_claim(p.store.archive, &one_7);
    expect_last(&p.store, OWNER, NOW + HOUR);
    pair_end(&p);
}

/* It hung, was evicted and taken in again, and has not read its new tables yet. */
static void the_same_for_one_who_has_not_heard_of_it(void **state)
{
    struct pair p;

    (void)state;
    pair_begin(&p);
    the_other(&p, WRITE_AHEAD, &two_6);
    expect_last(&p.store, OWNER, NOW + HOUR);
    pair_end(&p);
}

static void who_was_forgotten_elsewhere_is_not_known_here(void **state)
{
    struct pair p;

    (void)state;
    pair_begin(&p);
    the_other(&p, FORGET, &two_6);
    assert_int_equal(id_of(&p.store, OWNER), 0);       /* heard of or not */
    store_claim(p.store.archive, &one_7);
    assert_int_equal(id_of(&p.store, OWNER), 0);
    append(p.loop, &p.store, OWNER, NOW);
    assert_int_equal(id_of(&p.store, OWNER), 2);
    pair_end(&p);
}

/* Looking at what is another's (an operator's question) leaves nothing behind that could be believed, now or later. */
static void what_is_seen_of_another_s_is_not_kept(void **state)
{
    struct pair p;

    (void)state;
    pair_begin(&p);
    store_claim(p.store.archive, &two_6);
    the_other(&p, WRITE_AHEAD, &two_6);
    assert_int_equal(id_of(&p.store, OWNER), 1);
    the_other(&p, FORGET, &two_6);
    assert_int_equal(id_of(&p.store, OWNER), 0);
    pair_end(&p);
}

/* The same of one who hung, and did not know that it was: nothing was recorded since. */
static void what_comes_with_a_claim_is_read_anew(void **state)
{
    struct pair p;

    (void)state;
    pair_begin(&p);
    the_other(&p, WRITE_AHEAD, &two_6);
    assert_int_equal(id_of(&p.store, OWNER), 1);
    the_other(&p, FORGET, &two_6);
    store_claim(p.store.archive, &one_7);
    assert_int_equal(id_of(&p.store, OWNER), 0);
    pair_end(&p);
}

/* What one looks at while it is still another's is not believed when it has come. */
static void nothing_is_kept_while_slots_move(void **state)
{
    struct pair p;

    (void)state;
    pair_begin(&p);
    the_other(&p, WRITE_AHEAD, &two_6);
    store_claim(p.store.archive, &to_one_7);
    expect_last(&p.store, OWNER, NOW + HOUR);
    the_other(&p, WRITE_AHEAD, &two_6);
    expect_last(&p.store, OWNER, NOW + HOUR);
    the_other(&p, FORGET, &two_6);
    assert_int_equal(id_of(&p.store, OWNER), 0);
    pair_end(&p);
}

/* The record says that they move, this process has not heard of it. */
static void the_same_when_only_the_record_says_so(void **state)
{
    struct pair p;

    (void)state;
    pair_begin(&p);
    the_other(&p, WRITE_AHEAD, &to_two_6);
    expect_last(&p.store, OWNER, NOW + HOUR);
    the_other(&p, WRITE_AHEAD, &to_two_6);
    expect_last(&p.store, OWNER, NOW + HOUR);
    the_other(&p, FORGET, &to_two_6);
    assert_int_equal(id_of(&p.store, OWNER), 0);
    pair_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_owner_whose_first_batch_fails_has_no_id, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(an_owner_of_a_batch_that_was_dropped_has_no_id, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(who_was_forgotten_comes_back_as_somebody_else, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(forgetting_that_fails_forgets_nothing, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(the_names_of_one_set_are_kept_apart, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(who_has_no_records_needs_no_view_for_an_id, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(an_epoch_is_of_one_table, sm_start, sm_end),
        cmocka_unit_test(an_id_after_there_and_back_is_behind_what_was_written_there),
        cmocka_unit_test(the_same_when_nothing_was_recorded_since),
        cmocka_unit_test(the_same_for_one_who_has_not_heard_of_it),
        cmocka_unit_test(who_was_forgotten_elsewhere_is_not_known_here),
        cmocka_unit_test(what_is_seen_of_another_s_is_not_kept),
        cmocka_unit_test(what_comes_with_a_claim_is_read_anew),
        cmocka_unit_test(nothing_is_kept_while_slots_move),
        cmocka_unit_test(the_same_when_only_the_record_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
