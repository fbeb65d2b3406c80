/* Stopping the suite: users are warned, then doors are closed before what lies behind them. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mem.h"
#include "zubrctl.h"

enum { DAY_S = 86400, GONE_TRIES = 150, LONGEST_TRIES = 700, GONE_POLL_US = 100000 };

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

static void wait_seconds(long seconds)
{
    struct timespec left = { .tv_sec = seconds };

    fprintf(stderr, "zubrctl: stopping in %ld s\n", seconds);
    while (nanosleep(&left, &left) < 0)
        ;
}

/* ---- by routerd, which warns the users (its verb `shutdown`) ---- */

static const struct instance *router_of(const struct call *call)
{
    for (size_t i = 0; i < call->all.count; i++)
        if (strcmp(call->all.item[i].role, "routerd") == 0)
            return &call->all.item[i];
    return NULL;
}

/* What is planned there, and the process that answers afterwards, so that what one said who ends just then is not taken
 * for the word of the next. pid 0: nobody answers. */
struct plan {
    json_int_t pid;
    bool       none;                   /* it said that nothing is */
};

static json_t *first_row(const struct instance *whom, const char *line)
{
    struct answer a;
    json_t       *row;

    ask(whom, line, STATUS_MS, &a);
    row = json_incref(json_array_get(a.rows, 0));
    answer_free(&a);
    return row;
}

static struct plan plan_look(const struct instance *router)
{
    json_t     *planned = first_row(router, "--json shutdown"), *status = first_row(router, "--json status");
    const char *kind = json_string_value(json_object_get(planned, "kind"));
    struct plan plan = { json_integer_value(json_object_get(status, "pid")), kind && strcmp(kind, "none") == 0 };

    json_decref(status);
    json_decref(planned);
    return plan;
}

/* Until that process of routerd, the last to end, is gone (`again`: and another one is there). */
static int plan_follow(const struct instance *router, json_int_t pid, bool again, long seconds)
{
    for (long i = 0; i < seconds * (1000000 / GONE_POLL_US) + LONGEST_TRIES; i++) {
        struct plan plan = plan_look(router);

        if (plan.pid != pid && (plan.pid || !again))
            return EXIT_DONE;
        if (plan.pid && plan.none) {
            fprintf(stderr, "zubrctl: it was called off\n");
            return EXIT_REFUSED;
        }
        usleep(GONE_POLL_US);
    }
    fprintf(stderr, "zubrctl: %s still answers\n", router->name);
    return EXIT_REFUSED;
}

static int plan_make(struct call *call, bool again, long seconds)
{
    const char            *kind = again ? "restart" : "stop";
    const struct instance *router = router_of(call);
    struct plan            before = router ? plan_look(router) : (struct plan){ 0 };
    char                  *number = xprintf("%ld", seconds), *line;
    struct answer          a;
    int                    status;

    line = request_line("shutdown", call->message ? 3 : 2,
                        (char *[]){ (char *)kind, number, (char *)call->message });
    free(number);
    if (!before.pid) {
        fprintf(stderr, "zubrctl: routerd does not answer: nobody can be warned\n");
        free(line);
        return EXIT_NOT_THERE;
    }
    ask(router, line, STATUS_MS, &a);
    free(line);
    status = !a.reached ? EXIT_NOT_THERE : a.code ? EXIT_REFUSED : EXIT_DONE;
    if (a.code)
        fprintf(stderr, "zubrctl: %s (%s)\n", a.reason, a.code);
    answer_free(&a);
    if (status == EXIT_DONE && seconds)
        fprintf(stderr, "zubrctl: %s in %ld s; zubrctl shutdown cancel calls it off\n", kind, seconds);
    return status == EXIT_DONE ? plan_follow(router, before.pid, again, seconds) : status;
}

/* ---- one by one ---- */

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

/* Nobody is to be warned: it works without routerd, too. */
static int stop_all(struct call *call)
{
    int  status = EXIT_DONE;
    bool any = false;

    for (size_t r = 0; r < sizeof(order) / sizeof(order[0]); r++)
        any |= stop_role(call, order[r], &status);
    if (!any && status == EXIT_DONE) {
        fprintf(stderr, "zubrctl: no daemon answers\n");
        return EXIT_NOT_THERE;
    }
    return status;
}

static long delay_of(const struct call *call)
{
    long seconds = call->in ? seconds_of(call->in) : 0;

    if (seconds < 0)
        fprintf(stderr, "zubrctl: --in %s: expected seconds, 5m or 1h, up to a day\n", call->in);
    return seconds;
}

int restart_daemons(struct call *call)
{
    long seconds = delay_of(call);

    return seconds < 0 ? EXIT_USAGE : plan_make(call, true, seconds);
}

int stop_daemons(struct call *call)
{
    long seconds = delay_of(call);

    if (seconds < 0)
        return EXIT_USAGE;
    const char *name = call->argc ? call->argv[0] : call->instance;
    if (!name)
        return seconds || call->message ? plan_make(call, false, seconds) : stop_all(call);
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
