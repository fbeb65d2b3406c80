/* Stopping the suite: users are warned, then doors are closed before what lies behind them. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mem.h"
#include "zubrctl.h"

enum { DAY_S = 86400, GONE_TRIES = 150, GONE_POLL_US = 100000 };

/* Rooms first, while those who are told to leave can still hear it; then clients and servers, so that
 * nothing new comes in while the rest finishes. */
static const char *const order[] = { "muc", "c2sd", "s2sd", "sm", "routerd" };

long seconds_of(const char *text)
{
    char *end;
    long  n = strtol(text, &end, 10);
    long  unit = strcmp(end, "h") == 0 ? 3600 : strcmp(end, "m") == 0 ? 60 : 0;

    if (!*end || strcmp(end, "s") == 0)
        unit = 1;
    if (end == text || !unit || n < 0 || n > DAY_S / unit)
        return -1;
    return n * unit;
}

static char *stop_line(const struct call *call)
{
    char *message[] = { (char *)"--message", (char *)call->message };

    return request_line("stop", call->message ? 2 : 0, message);
}

static int stop_one(struct call *call, const struct instance *whom)
{
    char         *line = stop_line(call);
    struct answer a;

    ask(whom, line, STATUS_MS, &a);
    free(line);
    int status = !a.reached ? EXIT_NOT_THERE : a.code ? EXIT_REFUSED : EXIT_DONE;
    if (a.code)
        fprintf(stderr, "zubrctl: %s: %s (%s)\n", whom->name, a.reason, a.code);
    answer_free(&a);
    return status;
}

/* Until it answers no more. A daemon ends within five seconds of its drain, or is made to. */
static void wait_until_gone(const struct instance *whom)
{
    for (int i = 0; i < GONE_TRIES; i++) {
        struct answer a;

        ask(whom, "--json status", STATUS_MS, &a);
        bool there = a.reached;
        answer_free(&a);
        if (!there)
            return;
        usleep(GONE_POLL_US);
    }
    fprintf(stderr, "zubrctl: %s still answers\n", whom->name);
}

static void announce(const struct call *call, long seconds)
{
    char *text = call->message ? xstrdup(call->message)
                               : xprintf("The server stops in %ld seconds.", seconds);
    char *line = request_line("announce", 1, &text);

    for (size_t i = 0; i < call->all.count; i++) {
        struct answer a;

        if (strcmp(call->all.item[i].role, "sm") != 0)
            continue;
        ask(&call->all.item[i], line, STATUS_MS, &a);
        if (a.code)
            fprintf(stderr, "zubrctl: %s: %s (%s)\n", call->all.item[i].name, a.reason, a.code);
        answer_free(&a);
    }
    free(line);
    free(text);
}

static void wait_seconds(long seconds)
{
    struct timespec left = { .tv_sec = seconds };

    fprintf(stderr, "zubrctl: stopping in %ld s\n", seconds);
    while (nanosleep(&left, &left) < 0)
        ;
}

/* True when one of that role was running and stops. */
static bool stop_role(struct call *call, const char *role, int *status)
{
    bool any = false;

    for (size_t i = 0; i < call->all.count; i++) {
        const struct instance *whom = &call->all.item[i];

        if (strcmp(whom->role, role) != 0)
            continue;
        int one = stop_one(call, whom);
        any |= one == EXIT_DONE;
        if (one == EXIT_REFUSED)
            *status = EXIT_REFUSED;
    }
    for (size_t i = 0; i < call->all.count && any && *status == EXIT_DONE; i++)
        if (strcmp(call->all.item[i].role, role) == 0)
            wait_until_gone(&call->all.item[i]);
    return any;
}

static int stop_all(struct call *call, long seconds)
{
    int  status = EXIT_DONE;
    bool any = false;

    if (seconds || call->message)
        announce(call, seconds);
    if (seconds)
        wait_seconds(seconds);
    for (size_t r = 0; r < sizeof(order) / sizeof(order[0]); r++)
        any |= stop_role(call, order[r], &status);
    if (!any && status == EXIT_DONE) {
        fprintf(stderr, "zubrctl: no daemon answers\n");
        return EXIT_NOT_THERE;
    }
    return status;
}

int stop_daemons(struct call *call)
{
    long seconds = call->in ? seconds_of(call->in) : 0;

    if (seconds < 0) {
        fprintf(stderr, "zubrctl: --in %s: expected seconds, 5m or 1h, up to a day\n", call->in);
        return EXIT_USAGE;
    }
    const char *name = call->argc ? call->argv[0] : call->instance;
    if (!name)
        return stop_all(call, seconds);
    const struct instance *whom = instances_named(&call->all, name);
    if (!whom) {
        fprintf(stderr, "zubrctl: %s: no such instance\n", name);
        return EXIT_NOT_THERE;
    }
    if (seconds)
        wait_seconds(seconds);
    int status = stop_one(call, whom);
    if (status == EXIT_NOT_THERE)
        fprintf(stderr, "zubrctl: %s does not answer\n", name);
    return status;
}
