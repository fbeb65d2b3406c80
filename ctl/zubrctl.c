/* zubrctl: the operator's one client of every control socket (DESIGN.md 8). This file is its verbs and
 * its command line. */

#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "zubrctl.h"

/* The order is the order of the help. A verb that is not here is offered to whoever lists it. */
static const struct verb verbs[] = {
    { "status", NULL, "[INSTANCE]", "every daemon, also those that are down", 0, 1, show_status },
    { "register", "sm", "USER@DOMAIN", "make an account; asks for the password", 1, 3, register_account },
    { "passwd", "sm", "USER@DOMAIN", "set an account's password; asks for it", 1, 1, change_password },
    { "unregister", "sm", "USER@DOMAIN", "remove an account and everything it has", 1, 1, forward },
    { "disable", "sm", "USER@DOMAIN", "end an account's sessions and let nobody log in", 1, 1, forward },
    { "enable", "sm", "USER@DOMAIN", "let a disabled account log in again", 1, 1, forward },
    { "users", "sm", "[DOMAIN [WHICH]]", "accounts: all, disabled, online, active or idle", 0, 3, forward, true },
    { "counts", "sm", "[DOMAIN]", "how many accounts of each kind", 0, 1, forward, true },
    { "user", "sm", "USER@DOMAIN", "one account", 1, 1, forward },
    { "admins", "sm", "[DOMAIN]", "who administers a domain from a client", 0, 1, forward, true },
    { "roster", "sm", "USER@DOMAIN", "the contacts of an account", 1, 1, forward, true },
    { "sessions", "sm", "[JID]", "who is connected", 0, 1, forward, true },
    { "kick", "sm", "JID [TEXT]", "end the sessions of a bare or full JID", 1, 2, forward },
    { "announce", "sm", "TEXT [DOMAIN]", "a message to everybody who is connected", 1, 2, forward },
    { "motd", "sm", "DOMAIN [TEXT]", "show or set the message of the day", 1, 2, forward },
    { "motd-delete", "sm", "DOMAIN", "no message of the day any more", 1, 1, forward },
    { "welcome", "sm", "DOMAIN [TEXT]", "show or set what new accounts are told", 1, 2, forward },
    { "welcome-delete", "sm", "DOMAIN", "no welcome any more", 1, 1, forward },
    { "offline", "sm", "USER@DOMAIN", "messages that wait for an account", 1, 1, forward },
    { "groups", "sm", "", "shared roster groups", 0, 0, forward, true },
    { "group-set", "sm", "GROUP@DOMAIN TITLE [everybody]", "make or change a shared roster group", 2, 3, forward },
    { "group-delete", "sm", "GROUP@DOMAIN", "delete one", 1, 1, forward },
    { "group-members", "sm", "GROUP@DOMAIN", "who was added to one", 1, 1, forward },
    { "group-add", "sm", "GROUP@DOMAIN USER@DOMAIN", "add an account to one", 2, 2, forward },
    { "group-remove", "sm", "GROUP@DOMAIN USER@DOMAIN", "take an account out of one", 2, 2, forward },
    { "rooms", "muc", "[SERVICE]", "rooms", 0, 1, forward, true },
    { "occupants", "muc", "ROOM", "who is in a room", 1, 1, forward, true },
    { "roomkick", "muc", "ROOM NICK [REASON]", "remove somebody from a room", 2, 3, forward },
    { "destroy", "muc", "ROOM [REASON]", "remove a room", 1, 2, forward },
    { "connections", "c2sd", "[FILTER]", "client streams", 0, 1, forward, true },
    { "streams", "s2sd", "[DOMAIN]", "streams to and from other servers", 0, 1, forward, true },
    { "peers", "routerd", "", "every instance and its link", 0, 0, forward, true },
    { "routes", "routerd", "", "who serves which domain", 0, 0, forward, true },
    { "slots", "routerd", "", "how many slots each instance owns", 0, 0, forward, true },
    { "join", "routerd", "INSTANCE", "an sm or muc instance takes its share of the slots", 1, 1, forward, true },
    { "leave", "routerd", "INSTANCE", "it hands its slots and sessions to the others", 1, 1, forward, true },
    { "evict", "routerd", "INSTANCE", "one that is down for good loses its slots", 1, 1, forward, true },
    { "stats", NULL, "[INSTANCE]", "counters and gauges", 0, 1, forward_to_named, true },
    { "log", NULL, "[LEVEL] [INSTANCE]", "show or set the log level: error, warn, info, debug", 0, 2,
      forward_to_named },
    { "reload", NULL, "[INSTANCE]", "read the configuration anew", 0, 1, forward_to_named },
    { "drain", NULL, "INSTANCE", "take no new work and finish what there is", 1, 1, forward_drain, false, TAKES_MESSAGE },
    { "stop", NULL, "[INSTANCE]", "warn users, then stop all daemons (or the one)", 0, 1, stop_daemons, false,
      TAKES_IN | TAKES_MESSAGE },
    { "restart", NULL, "", "warn users, then restart all daemons", 0, 0, restart_daemons, false,
      TAKES_IN | TAKES_MESSAGE },
    { "shutdown", "routerd", "[cancel]", "the stop or restart that is planned; call it off", 0, 3, forward },
};

/* Whatever else a daemon can do: `verbs` of its own. */
static const struct verb any_verb = { .args = "", .help = "", .argc_max = 62, .run = forward };

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static void print_verb(FILE *to, const struct verb *verb)
{
    char *usage = xprintf("%s %s", verb->name, verb->args);

    fprintf(to, "  %-30s %s\n", usage, verb->help);
    free(usage);
}

static void print_help(FILE *to)
{
    fprintf(to, "usage: zubrctl [--dir DIR] [--json] [--instance NAME] VERB [ARGUMENT...]\n\n"
                "  --dir DIR         a development instance (default: the system's)\n"
                "  --json            one JSON object a line instead of a table\n"
                "  --instance NAME   ask only this daemon\n"
                "  --in TIME         stop, restart: warn now, stop then (90, 5m, 1h)\n"
                "  --message TEXT    stop, restart, drain: what users are told\n\n");
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        print_verb(to, &verbs[i]);
    fprintf(to, "\nexit status: 0 done, 1 refused, 2 usage, 3 daemon not there\n");
}

static int help(int argc, char **argv)
{
    const struct verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;

    if (verb)
        print_verb(stdout, verb);
    else
        print_help(argc ? stdout : stderr);
    return argc ? EXIT_DONE : EXIT_USAGE;
}

/* ---- verbs that only the daemons know ---- */
static bool knows(const struct instance *whom, const char *verb)
{
    struct answer a;
    json_t       *row;
    size_t        i;
    bool          found = false;

    ask(whom, "--json help", STATUS_MS, &a);
    json_array_foreach(a.rows, i, row) {
        const char *name = json_string_value(json_object_get(row, "verb"));

        found |= name && strcmp(name, verb) == 0;
    }
    answer_free(&a);
    return found;
}

/* Leaves only those that know the verb; false when nobody does. */
static bool leave_only_who_know(struct instances *all, const char *verb)
{
    size_t kept = 0;

    for (size_t i = 0; i < all->count; i++) {
        struct instance one = all->item[i];

        if (!knows(&one, verb)) {
            free(one.name);
            free(one.role);
            free(one.path);
            continue;
        }
        all->item[kept++] = one;
    }
    all->count = kept;
    return kept > 0;
}

static bool takes_its_options(const struct call *call, const struct verb *verb)
{
    unsigned    given = (call->in ? TAKES_IN : 0) | (call->message ? TAKES_MESSAGE : 0);
    const char *option = given & ~verb->takes & TAKES_IN ? "--in" : "--message";

    if (given & ~verb->takes)
        fprintf(stderr, "zubrctl: %s does not take %s, see zubrctl help\n", call->name, option);
    return !(given & ~verb->takes);
}

static int run(struct call *call)
{
    const struct verb *verb = call->verb = find_verb(call->name);

    if (!verb) {
        bool any = call->all.count > 0;

        if (!leave_only_who_know(&call->all, call->name)) {
            fprintf(stderr, "zubrctl: %s: %s, see zubrctl help\n", call->name,
                    any ? "no running daemon knows this verb" : "unknown verb");
            return EXIT_USAGE;
        }
        verb = call->verb = &any_verb;
    }
    if (call->argc < verb->argc_min || call->argc > verb->argc_max) {
        fprintf(stderr, "usage: zubrctl %s %s\n", verb->name, verb->args);
        return EXIT_USAGE;
    }
    return takes_its_options(call, verb) ? verb->run(call) : EXIT_USAGE;
}

/* -1: go on; else the exit status. */
static int take_options(int argc, char **argv, struct call *call, const char **dir)
{
    static const struct option options[] = {
        { "dir", required_argument, NULL, 'd' },     { "json", no_argument, NULL, 'j' },
        { "instance", required_argument, NULL, 'I' }, { "in", required_argument, NULL, 'i' },
        { "message", required_argument, NULL, 'm' }, { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'v' },       { 0 },
    };

    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (option) {
        case 'd': *dir = optarg; break;
        case 'j': call->json = true; break;
        case 'I': call->instance = optarg; break;
        case 'i': call->in = optarg; break;
        case 'm': call->message = optarg; break;
        case 'h': print_help(stdout); return EXIT_DONE;
        case 'v': printf("zubrctl %s\n", ZUBR_VERSION); return EXIT_DONE;
        default: print_help(stderr); return EXIT_USAGE;
        }
    }
    return -1;
}

int main(int argc, char **argv)
{
    struct call call = { 0 };
    const char *dir = NULL;

    setlocale(LC_CTYPE, "");
    int status = take_options(argc, argv, &call, &dir);
    if (status >= 0)
        return status;
    if (optind == argc || strcmp(argv[optind], "help") == 0)
        return help(argc - optind, argv + optind);
    call.name = argv[optind];
    call.argc = argc - optind - 1;
    call.argv = argv + optind + 1;
    instances_find(&call.all, dir);
    status = run(&call);
    instances_free(&call.all);
    return status;
}
