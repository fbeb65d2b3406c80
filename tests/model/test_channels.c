/* Every order of events of the small world (world.h), up to the bounds of each scenario: nothing accepted is
 * lost, nothing is applied twice, order holds, and when all is quiet nothing waits. Each fault that is
 * built in must be noticed: a model that finds nothing wrong with those proves nothing. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "log.h"
#include "mem.h"
#include "world.h"

enum { DEPTH = 400, STATES_MAX = 1 << 23 };

static struct {
    uint64_t   *seen;           /* hashes, open addressing, 0: free */
    size_t      room, count;
    const char *trace[DEPTH];
    uint64_t    path[DEPTH];    /* hashes of the states that led here */
    bool        unlucky[DEPTH];
    size_t      deepest;
    const char *wrong;
} run;

/* FNV-like by words: states differ in few bytes. */
static uint64_t hash_of(const struct world *w)
{
    const uint8_t *p = (const uint8_t *)w;
    uint64_t       hash = 0x9e3779b97f4a7c15u, word;

    for (size_t i = 0; i < offsetof(struct world, wrong); i += sizeof(word)) {
        size_t n = offsetof(struct world, wrong) - i;
        word = 0;
        memcpy(&word, p + i, n < sizeof(word) ? n : sizeof(word));
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    return hash ? hash : 1;
}

static bool enter(uint64_t hash)
{
    size_t at = hash & (run.room - 1);

    while (run.seen[at] && run.seen[at] != hash)
        at = (at + 1) & (run.room - 1);
    if (run.seen[at])
        return false;
    run.seen[at] = hash;
    run.count++;
    return true;
}

static void grow(void)
{
    uint64_t *old = run.seen;
    size_t    room = run.room;

    run.room = room ? room * 2 : 1 << 12;
    run.seen = xcalloc(run.room, sizeof(*run.seen));
    run.count = 0;
    for (size_t i = 0; i < room; i++)
        if (old[i])
            enter(old[i]);
    free(old);
}

/* Back where we were, and nothing bad happened meanwhile: it would go on for ever. */
static bool goes_round(uint64_t hash, size_t depth)
{
    for (size_t d = depth; !run.unlucky[d]; d--) {
        if (run.path[d] == hash)
            return true;
        if (d == 0)
            break;
    }
    return false;
}

static void explore(const struct world *w, const struct scenario *s, size_t depth)
{
    bool resting = true, bad_luck;

    if (depth > run.deepest)
        run.deepest = depth;
    run.path[depth] = hash_of(w);
    for (unsigned i = 0; !run.wrong; i++) {
        struct world next = *w;
        if (!world_event(&next, s, i, &run.trace[depth], &bad_luck))
            break;
        resting &= bad_luck;
        run.unlucky[depth] = bad_luck;
        run.wrong = next.wrong;
        if (run.count * 2 >= run.room)
            grow();
        uint64_t hash = hash_of(&next);
        if (!run.wrong && !enter(hash)) {
            run.wrong = goes_round(hash, depth) ? "they go on for ever" : NULL;
        } else if (!run.wrong) {
            assert_true(depth + 1 < DEPTH && run.count < STATES_MAX);
            explore(&next, s, depth + 1);
        }
        if (run.wrong)
            return;
    }
    run.trace[depth] = NULL;
    if (resting)
        run.wrong = world_at_rest(w, s);
}

static const char *explored(const struct scenario *s)
{
    struct world first;

    memset(&run, 0, sizeof(run));
    grow();
    world_begin(&first, s);
    explore(&first, s, 0);
    free(run.seen);
    return run.wrong;
}

static void print_trace(void)
{
    for (size_t i = 0; i < DEPTH && run.trace[i]; i++)
        print_message("  %zu. %s\n", i + 1, run.trace[i]);
}

/* deaths: A, B, the router, A's link, B's link. Bounds: all together a few seconds under the sanitizers. */
static const struct scenario scenarios[] = {
    { .name = "both have live memory (sm and muc)", .sender_lives = true, .receiver_lives = true, .messages = 2,
      .deaths = { 1, 1, 1 }, .all_deaths = 2 },
    { .name = "links break", .sender_lives = true, .receiver_lives = true, .messages = 3,
      .deaths = { 0, 0, 1, 1, 1 }, .all_deaths = 1 },
    { .name = "the receiver has live memory (c2sd to sm)", .receiver_lives = true, .messages = 2,
      .deaths = { 1, 1, 1, 1, 1 }, .all_deaths = 2 },
    { .name = "the sender has live memory (sm to c2sd)", .sender_lives = true, .messages = 2,
      .nature = { PLAIN, FOR_LIFE }, .deaths = { 1, 1, 1 }, .all_deaths = 2, .away = 1 },
    { .name = "receipts (sm to s2sd)", .sender_lives = true, .receipts = true, .burst = true, .quick = true, .messages = 3,
      .deaths = { 0, 1, 1 }, .all_deaths = 1 },
    { .name = "questions", .sender_lives = true, .receiver_lives = true, .messages = 2,
      .nature = { QUESTION, PLAIN }, .deaths = { 1, 1, 1 }, .all_deaths = 2, .away = 1 },
    { .name = "memory lost", .sender_lives = true, .receiver_lives = true, .messages = 2,
      .deaths = { 1, 1, 1 }, .all_deaths = 2, .boots = 1 },
};

static void nothing_is_lost_or_done_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(scenarios); i++) {
        const char *why = explored(&scenarios[i]);
        print_message("%s: %zu states, %zu deep\n", scenarios[i].name, run.count, run.deepest);
        if (!why)
            continue;
        print_trace();
        fail_msg("%s: %s", scenarios[i].name, why);
    }
}

static void each_fault_is_noticed(void **state)
{
    static const char *const names[] = {
#define X(name, text) text,
        FAULTS(X)
#undef X
    };

    (void)state;
    for (unsigned fault = 1; fault < FAULT_COUNT; fault++) {
        const char *why = NULL;
        for (size_t i = 0; i < COUNT_OF(scenarios) && !why; i++) {
            struct scenario s = scenarios[i];
            s.fault = fault;
            why = explored(&s);
            if (why)
                print_message("%s: %s (%s, after %zu states)\n", names[fault], why, s.name, run.count);
        }
        if (!why)
            fail_msg("not noticed: %s", names[fault]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_or_done_twice),
        cmocka_unit_test(each_fault_is_noticed),
    };

    log_open("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
