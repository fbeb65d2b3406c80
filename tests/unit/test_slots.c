/* The hand-over of slots between members (slots.h), with the frames of all instances in one queue each. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "list.h"
#include "mem.h"
#include "slots.h"

enum { MEMBERS = 3, PARTIES = 4, FRAMES = 4096 };

static const char *const names[PARTIES] = { "sm-1", "sm-2", "sm-3", "c2sd-1" };

/* One instance: what it holds is a byte a slot. */
struct party {
    struct slots  *slots;
    struct routes *routes;
    bool           holds[SLOTS], busy;
    uint32_t       ready, released;
    unsigned       on_the_way;     /* roles to which something has not arrived */
    uint64_t       serial, asked;  /* the last frame sent; up to where it was asked last */
};

struct flying { unsigned from, to; uint8_t bytes[256]; size_t len; };

static struct loop   *loop;
static struct party   parties[PARTIES];
static struct routes *table;
static struct flying *flying;
static size_t         first, last;
static unsigned       sent_to_s2sd;

static unsigned party_of(uint32_t instance)
{
    for (unsigned i = 0; i < PARTIES; i++)
        if (instance_key(names[i]) == instance)
            return i;
    fail();
    return 0;
}

static enum zerr send_frame(void *arg, struct frame *f)
{
    struct buf bytes = { 0 };

    if (f->dest.role == ROLE_S2SD) {
        sent_to_s2sd++;
        return ZE_OK;
    }
    ((struct party *)arg)->serial++;
    f->origin.role = (uint8_t)role_of_instance(names[(struct party *)arg - parties]);
    f->origin.instance = instance_key(names[(struct party *)arg - parties]);
    assert_int_equal(frame_encode(&bytes, f), ZE_OK);
    assert_true(last < FRAMES && buf_len(&bytes) <= sizeof(flying->bytes));
    flying[last] = (struct flying){
        .from = party_of(f->origin.instance), .to = party_of(f->dest.instance), .len = buf_len(&bytes),
    };
    memcpy(flying[last++].bytes, buf_slice(&bytes).p, buf_len(&bytes));
    buf_free(&bytes);
    return ZE_OK;
}

static void said_ready(void *arg, uint32_t generation, bool released)
{
    struct party *p = arg;

    *(released ? &p->released : &p->ready) = generation;
}

static uint64_t serial(void *arg)
{
    return ((struct party *)arg)->serial;
}

static bool arrived(void *arg, unsigned roles, uint64_t up_to)
{
    struct party *p = arg;

    p->asked = up_to;
    return !(p->on_the_way & roles);
}

static uint32_t absent;        /* instance */

static bool is_absent(void *arg, uint32_t instance)
{
    (void)arg;
    return instance == absent;
}

static bool quiet(void *arg, const struct slots *s)
{
    (void)s;
    return !((struct party *)arg)->busy;
}

static void give_all(void *arg, struct slots *s)
{
    struct party *p = arg;

    for (unsigned slot = 0; slot < SLOTS; slot++)
        if (p->holds[slot] && slots_leaves(s, slot)) {
            p->holds[slot] = false;
            slots_give(s, slot, slice_of(&slot, sizeof(slot)));
        }
}

static enum zerr take_one(void *arg, struct slice item)
{
    unsigned slot;

    assert_int_equal(item.len, sizeof(slot));
    memcpy(&slot, item.p, sizeof(slot));
    assert_false(((struct party *)arg)->holds[slot]);
    ((struct party *)arg)->holds[slot] = true;
    return ZE_OK;
}

/* The table as each instance gets it: a copy of its own. */
static void publish(void)
{
    struct buf body = { 0 };

    routes_encode(table, &body);
    for (unsigned i = 0; i < PARTIES; i++) {
        assert_int_equal(routes_decode(parties[i].routes, buf_slice(&body)), ZE_OK);
        slots_on_routes(parties[i].slots, parties[i].routes);
    }
    buf_free(&body);
}

static void change(const char *name, unsigned bits)
{
    routes_set_member(table, instance_key(name), bits);
    routes_set_generation(table, routes_generation(table) + 1);
    publish();
}

static bool fly_one(void)
{
    struct frame f;

    if (first == last)
        return false;
    assert_true(frame_decode(slice_of(flying[first].bytes, flying[first].len), &f) > 0);
    slots_on_frame(parties[flying[first++].to].slots, &f);
    return true;
}

static void fly_all(void)
{
    while (fly_one())
        continue;
}

static void fence_of(const struct address *from, unsigned to)
{
    struct frame f = frame_make(FRAME_SLOT_FENCE);
    struct buf   body = { 0 };

    buf_put_u32(&body, routes_generation(table));
    f.origin = *from;
    f.body = buf_slice(&body);
    slots_on_frame(parties[to].slots, &f);
    buf_free(&body);
}

static void turn(void)
{
    uv_sleep(6);
    uv_run(loop_uv(loop), UV_RUN_NOWAIT);
}

static void settle(void)
{
    for (unsigned i = 0; i < MEMBERS; i++) {
        unsigned bits = routes_instance(table, instance_key(names[i]))->member;
        if (bits & MEMBER_NOW)
            assert_int_equal(parties[i].ready, routes_generation(table));
        routes_set_member(table, instance_key(names[i]), bits & MEMBER_NOW ? MEMBER_NOW | MEMBER_BEFORE : 0);
    }
    publish();
}

/* Each slot has one who handles it, and he holds what is alive in it. */
static void assert_one_owner_each(void)
{
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        unsigned owners = 0, holders = 0;
        for (unsigned i = 0; i < MEMBERS; i++) {
            owners += slots_owns(parties[i].slots, slot);
            holders += parties[i].holds[slot];
            assert_int_equal(slots_owns(parties[i].slots, slot), parties[i].holds[slot]);
        }
        assert_int_equal(owners, 1);
        assert_int_equal(holders, 1);
    }
}

static int setup(void **state)
{
    static const struct slots_spec member = { .quiet = quiet, .hand_over = give_all, .take = take_one };

    (void)state;
    loop = loop_new();
    flying = xcalloc(FRAMES, sizeof(*flying));
    first = last = absent = 0;
    sent_to_s2sd = 0;
    table = routes_new();
    memset(parties, 0, sizeof(parties));
    for (unsigned i = 0; i < PARTIES; i++) {
        struct address    self = { (uint8_t)role_of_instance(names[i]), instance_key(names[i]), 1 };
        struct slots_ways ways = { &parties[i], send_frame, said_ready, serial, arrived, is_absent };
        struct slots_spec spec = i < MEMBERS ? member : (struct slots_spec){ 0 };
        spec.daemon = &parties[i];
        routes_add_instance(table, names[i]);
        routes_set_up(table, self.instance, 1, true);
        parties[i].routes = routes_new();
        parties[i].slots = slots_new(loop, &ways, &self, &spec);
    }
    routes_set_member(table, instance_key("sm-3"), 0);
    routes_set_generation(table, 7);
    publish();
    for (unsigned slot = 0; slot < SLOTS; slot++)
        parties[party_of(routes_slot_owner(table, ROLE_SM, slot)->key)].holds[slot] = true;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PARTIES; i++) {
        slots_free(&parties[i].slots);
        routes_free(&parties[i].routes);
    }
    uv_run(loop_uv(loop), UV_RUN_NOWAIT);
    loop_free(&loop);
    routes_free(&table);
    free(flying);
    return 0;
}

static void one_that_joins_gets_its_share(void **state)
{
    unsigned share = 0;

    (void)state;
    assert_one_owner_each();
    change("sm-3", MEMBER_NOW);
    fly_all();
    settle();
    assert_one_owner_each();
    for (unsigned slot = 0; slot < SLOTS; slot++)
        share += parties[2].holds[slot];
    assert_in_range(share, SLOTS / 4, SLOTS / 2);
}

static void one_that_leaves_gives_everything(void **state)
{
    (void)state;
    change("sm-2", MEMBER_BEFORE);
    fly_all();
    settle();
    assert_one_owner_each();
    for (unsigned slot = 0; slot < SLOTS; slot++)
        assert_true(parties[0].holds[slot]);
}

static void nothing_is_given_before_all_have_fenced(void **state)
{
    struct flying held;
    unsigned      before = 0, after = 0;

    (void)state;
    for (unsigned slot = 0; slot < SLOTS; slot++)
        before += parties[0].holds[slot];
    change("sm-3", MEMBER_NOW);
    assert_int_equal(flying[last - 2].to, 0);
    held = flying[last - 2];                        /* c2sd's fence to sm-1 is late */
    flying[last - 2] = flying[last - 1];
    last--;
    fly_all();
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        after += parties[0].holds[slot];
        assert_int_equal(parties[0].holds[slot], slots_owns(parties[0].slots, slot));
    }
    assert_int_equal(after, before);
    flying[last++] = held;
    fly_all();
    settle();
    assert_one_owner_each();
}

static void one_that_is_busy_is_waited_for(void **state)
{
    (void)state;
    parties[0].busy = true;
    change("sm-3", MEMBER_NOW);
    fly_all();
    turn();
    fly_all();
    assert_int_not_equal(parties[2].ready, routes_generation(table));
    for (unsigned slot = 0; slot < SLOTS; slot++)
        if (parties[0].holds[slot])
            assert_true(slots_owns(parties[0].slots, slot));
    parties[0].busy = false;
    turn();
    fly_all();
    settle();
    assert_one_owner_each();
}

static bool gives(const struct party *p)
{
    for (unsigned slot = 0; slot < SLOTS; slot++)
        if (p->holds[slot] && slots_leaves(p->slots, slot))
            return true;
    return false;
}

/* What it says by another way then cannot overtake it. */
static void what_was_sent_arrives_before_slots_are_given(void **state)
{
    static const unsigned roles[] = { ROLE_MUC, ROLE_S2SD, ROLE_C2SD, ROLE_SM };

    (void)state;
    parties[0].on_the_way = ROLE_MUC | ROLE_S2SD | ROLE_C2SD | ROLE_SM;
    change("sm-3", MEMBER_NOW);
    for (size_t i = 0; i < 4; i++) {
        fly_all();
        turn();
        assert_true(gives(&parties[0]));
        assert_int_equal(parties[0].asked, parties[0].serial);
        parties[0].on_the_way &= ~roles[i];
    }
    turn();
    fly_all();
    assert_false(gives(&parties[0]));
    settle();
    assert_one_owner_each();
}

/* What was sent while something waited counts as well. */
static void what_waited_arrives_too(void **state)
{
    (void)state;
    parties[0].on_the_way = ROLE_C2SD;
    change("sm-3", MEMBER_NOW);
    fly_all();
    turn();
    uint64_t before = parties[0].asked;
    parties[0].busy = true;
    parties[0].serial++;
    turn();
    parties[0].busy = false;
    turn();
    assert_int_equal(parties[0].asked, before + 1);
    parties[0].on_the_way = 0;
    turn();
    fly_all();
    settle();
}

static void s2sd_is_asked_what_it_has_seen(void **state)
{
    struct address s2sd = { ROLE_S2SD, instance_key("s2sd-1"), 1 };

    (void)state;
    routes_add_instance(table, "s2sd-1");
    routes_set_up(table, s2sd.instance, 1, true);
    assert_int_equal(sent_to_s2sd, 0);
    change("sm-3", MEMBER_NOW);
    fly_all();
    turn();
    assert_int_equal(sent_to_s2sd, 0);      /* it has to fence, too */
    for (unsigned i = 0; i < 2; i++)
        fence_of(&s2sd, i);
    turn();
    fly_all();
    assert_int_equal(sent_to_s2sd, 2);
    settle();
    assert_one_owner_each();
}

static void what_was_held_has_arrived_when_it_is_said(void **state)
{
    (void)state;
    change("sm-3", MEMBER_NOW);
    fly_all();
    parties[1].on_the_way = ROLE_SM;
    parties[0].on_the_way = ROLE_C2SD;      /* nothing for those was held */
    settle();
    turn();
    assert_int_equal(parties[0].released, routes_generation(table));
    assert_int_equal(parties[2].released, routes_generation(table));
    assert_int_not_equal(parties[1].released, routes_generation(table));
    parties[1].on_the_way = 0;
    turn();
    assert_int_equal(parties[1].released, routes_generation(table));
    assert_int_equal(parties[3].released, 0);
}

/* Of the frames on their way those from or to that party go again, last. */
static void put_off(unsigned party, struct flying *aside, size_t *count)
{
    size_t kept = first;

    for (size_t i = first; i < last; i++)
        if (flying[i].to == party || flying[i].from == party)
            aside[(*count)++] = flying[i];
        else
            flying[kept++] = flying[i];
    last = kept;
}

static void a_member_that_is_away_is_waited_for(void **state)
{
    (void)state;
    struct flying aside[2 * PARTIES];
    size_t        count = 0;

    routes_set_up(table, instance_key("sm-2"), 1, false);
    absent = instance_key("sm-2");
    change("sm-3", MEMBER_NOW);
    put_off(1, aside, &count);
    fly_all();
    turn();
    assert_true(gives(&parties[0]));
    routes_set_up(table, instance_key("sm-2"), 1, true);
    publish();
    for (size_t i = 0; i < count; i++)
        flying[last++] = aside[i];
    fly_all();
    turn();
    fly_all();
    settle();
    assert_one_owner_each();
}

static void one_of_the_other_role_is_waited_for_a_while(void **state)
{
    (void)state;
    routes_add_instance(table, "muc-1");
    change("sm-3", MEMBER_NOW);
    fly_all();
    turn();
    assert_true(gives(&parties[0]));
    absent = instance_key("muc-1");
    turn();
    fly_all();
    assert_false(gives(&parties[0]));
    settle();
    assert_one_owner_each();
}

static void one_that_is_gone_is_not_waited_for(void **state)
{
    (void)state;
    memset(parties[1].holds, 0, sizeof(parties[1].holds));
    routes_set_up(table, instance_key("sm-2"), 1, false);
    change("sm-2", 0);
    for (unsigned slot = 0; slot < SLOTS; slot++)
        assert_true(slots_owns(parties[0].slots, slot));
    assert_true(routes_settled(table));
}

static void one_that_comes_back_is_fenced_again(void **state)
{
    struct address back = { ROLE_SM, instance_key("sm-1"), 1 };

    (void)state;
    parties[0].busy = true;
    change("sm-3", MEMBER_NOW);
    size_t sent = last;
    slots_on_peer_back(parties[3].slots, &back);
    assert_int_equal(last, sent + 1);
    parties[0].busy = false;
    fly_all();
    turn();
    fly_all();
    settle();
    assert_one_owner_each();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_that_joins_gets_its_share, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_leaves_gives_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_given_before_all_have_fenced, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_busy_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_sent_arrives_before_slots_are_given, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waited_arrives_too, setup, teardown),
        cmocka_unit_test_setup_teardown(s2sd_is_asked_what_it_has_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_held_has_arrived_when_it_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(a_member_that_is_away_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(one_of_the_other_role_is_waited_for_a_while, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_gone_is_not_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_comes_back_is_fenced_again, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
