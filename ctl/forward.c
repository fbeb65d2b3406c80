/* A verb that daemons answer: asked of all of its roles, answered as one. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "mem.h"
#include "zubrctl.h"

bool verb_is_for(const struct verb *verb, const char *role)
{
    size_t len = strlen(role);

    if (!verb->roles)
        return true;
    for (const char *p = strstr(verb->roles, role); p; p = strstr(p + 1, role))
        if ((p == verb->roles || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
            return true;
    return false;
}

/* What all those asked said. */
struct sum {
    json_t *rows;
    size_t  asked, reached, done, refused;
    char   *not_here;       /* "code reason" of one that only said it is not the owner */
};

/* Several instances share accounts and rooms: whoever does not own the one asked for says so, which
 * is no error while another one answers. */
static bool says_not_here(const char *code)
{
    static const char *const codes[] = { "no_route", "not_here", "not_found" };

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (strcmp(code, codes[i]) == 0)
            return true;
    return false;
}

static void complain(const char *name, const char *code, const char *reason)
{
    fprintf(stderr, "zubrctl: %s: %s (%s)\n", name, reason, code);
}

/* Keeps the more telling one: not_found of the owner says more than no_route of another. */
static void keep_not_here(struct sum *sum, const struct answer *a)
{
    if (sum->not_here && strcmp(a->code, "not_found") != 0)
        return;
    free(sum->not_here);
    sum->not_here = xprintf("%s (%s)", a->reason, a->code);
}

static void add_answer(struct sum *sum, const struct instance *from, const struct answer *a, bool many)
{
    json_t *row;
    size_t  i;

    sum->reached += a->reached;
    if (a->code && says_not_here(a->code)) {
        keep_not_here(sum, a);
        return;
    }
    if (a->code) {
        sum->refused++;
        complain(from->name, a->code, a->reason);
    }
    sum->done += a->reached && !a->code;
    json_array_foreach(a->rows, i, row) {
        json_t *named = json_object();

        if (many && !json_object_get(row, "instance"))
            json_object_set_new(named, "instance", json_string(from->name));
        json_object_update(named, row);
        json_array_append_new(sum->rows, named);
    }
}

static bool is_asked(const struct call *call, const struct instance *i)
{
    return call->instance ? strcmp(call->instance, i->name) == 0 : verb_is_for(call->verb, i->role);
}

static int conclude(const struct call *call, struct sum *sum)
{
    if (!sum->reached) {
        const char *roles = call->verb->roles ? call->verb->roles : "zubr";

        fprintf(stderr, "zubrctl: %s: %s\n", call->instance ? call->instance : roles,
                sum->asked ? "no daemon answers there" : "no such daemon");
        return EXIT_NOT_THERE;
    }
    if (!sum->done && !sum->refused && sum->not_here)
        fprintf(stderr, "zubrctl: %s%s%s: %s\n", call->name, call->argc ? " " : "", call->argc ? call->argv[0] : "",
                sum->not_here);
    if (sum->refused || !sum->done)
        return EXIT_REFUSED;
    return EXIT_DONE;
}

static int forward_line(struct call *call, const char *line)
{
    struct sum sum = { .rows = json_array() };

    for (size_t i = 0; i < call->all.count; i++)
        sum.asked += is_asked(call, &call->all.item[i]);
    for (size_t i = 0; i < call->all.count; i++) {
        const struct instance *whom = &call->all.item[i];
        struct answer          a;

        if (!is_asked(call, whom))
            continue;
        ask(whom, line, ANSWER_MS, &a);
        if (!a.reached && sum.asked > 1)
            fprintf(stderr, "zubrctl: %s does not answer\n", whom->name);
        add_answer(&sum, whom, &a, sum.asked > 1);
        answer_free(&a);
    }
    print_rows(sum.rows, call->json);
    int status = conclude(call, &sum);
    if (status == EXIT_DONE && !call->json && !json_array_size(sum.rows) && !call->verb->quiet)
        printf("done\n");
    json_decref(sum.rows);
    free(sum.not_here);
    return status;
}

int forward(struct call *call)
{
    char *line = request_line(call->name, call->argc, call->argv);
    int   status = forward_line(call, line);

    wipe(line, strlen(line));
    free(line);
    return status;
}

int forward_to_named(struct call *call)
{
    if (call->argc && instances_named(&call->all, call->argv[call->argc - 1]))
        call->instance = call->argv[--call->argc];
    return forward(call);
}

int forward_drain(struct call *call)
{
    char *message[] = { (char *)"--message", (char *)call->message };

    call->instance = call->argv[0];
    call->argc = call->message ? 2 : 0;
    call->argv = message;
    return forward(call);
}

/* ---- status: also of those that do not answer ---- */
static json_t *down(const struct instance *i, const struct answer *a)
{
    json_t *row = json_object();

    json_object_set_new(row, "name", json_string(i->name));
    json_object_set_new(row, "role", json_string(i->role));
    json_object_set_new(row, "pid", json_integer(0));
    json_object_set_new(row, "state", json_string(a->code ? a->code : "down"));
    return row;
}

/* What only some daemons have would make a table of mostly empty columns: it goes into the last one. */
static json_t *folded(json_t *row)
{
    static const char *const common[] = { "name", "role", "pid", "state", "uptime", "version", "link" };
    json_t                  *out = json_object(), *value, *rest = json_copy(row);
    const char              *name;
    struct buf               more = { 0 };

    for (size_t i = 0; i < COUNT_OF(common); i++) {
        value = json_object_get(row, common[i]);
        json_object_set(out, common[i], value);
        json_object_del(rest, common[i]);
    }
    json_object_foreach(rest, name, value) {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

        buf_printf(&more, "%s%s=%s", buf_len(&more) ? " " : "", name, text ? text : "");
        free(text);
    }
    json_object_set_new(out, "more", json_stringn(buf_len(&more) ? (const char *)more.bytes : "", buf_len(&more)));
    buf_free(&more);
    json_decref(rest);
    return out;
}

int show_status(struct call *call)
{
    json_t *rows = json_array(), *row;
    size_t  reached = 0, n;

    if (call->argc)
        call->instance = call->argv[0];
    for (size_t i = 0; i < call->all.count; i++) {
        struct answer a;

        if (!is_asked(call, &call->all.item[i]))
            continue;
        ask(&call->all.item[i], "--json status", STATUS_MS, &a);
        reached += a.reached && !a.code;
        json_array_foreach(a.rows, n, row)
            json_array_append_new(rows, call->json ? json_incref(row) : folded(row));
        if (!json_array_size(a.rows))
            json_array_append_new(rows, down(&call->all.item[i], &a));
        answer_free(&a);
    }
    print_rows(rows, call->json);
    if (!json_array_size(rows))
        fprintf(stderr, "zubrctl: %s\n",
                call->instance ? "no such instance" : "no instance is configured or running");
    json_decref(rows);
    return reached ? EXIT_DONE : EXIT_NOT_THERE;
}
