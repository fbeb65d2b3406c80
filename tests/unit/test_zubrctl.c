/* ctl/: zubrctl against forked daemons that answer their control sockets. Its path is argv[1],
 * or where the build put it, seen from this program. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl.h"
#include "log.h"
#include "mem.h"

/* ---- daemons ---- */
static char dir[] = "/tmp/zubr-test-zubrctl-XXXXXX";

static struct fake {
    const char  *name, *role;
    pid_t        pid;
    struct loop *loop;
} fakes[] = { { "routerd", "routerd" }, { "sm-1", "sm" }, { "sm-2", "sm" }, { "muc-1", "muc" },
              { "c2sd-1", "c2sd" } };

/* Every request a daemon got, in the order of time: "sm-1 announce text". */
static void note(const struct fake *f, const char *verb, int argc, char **argv)
{
    char *path = xprintf("%s/notes", dir);
    FILE *file = fopen(path, "a");

    fprintf(file, "%s %s", f->name, verb);
    for (int i = 0; i < argc; i++)
        fprintf(file, " %s", argv[i]);
    fprintf(file, "\n");
    fclose(file);
    free(path);
}

static int run_status(void *daemon, int argc, char **argv, struct ctl_reply *r)
{
    const struct fake *f = daemon;

    (void)argc;
    (void)argv;
    ctl_str(r, "name", f->name);
    ctl_str(r, "role", f->role);
    ctl_int(r, "pid", getpid());
    ctl_str(r, "state", "running");
    return ZE_OK;
}

static int run_stop(void *daemon, int argc, char **argv, struct ctl_reply *r)
{
    struct fake *f = daemon;

    (void)r;
    note(f, "stop", argc, argv);
    loop_stop(f->loop);
    return ZE_OK;
}

static int run_drain(void *daemon, int argc, char **argv, struct ctl_reply *r)
{
    (void)r;
    note(daemon, "drain", argc, argv);
    return ZE_OK;
}

/* sm-1 owns jids that begin with a, sm-2 the others. */
static int run_register(void *daemon, int argc, char **argv, struct ctl_reply *r)
{
    const struct fake *f = daemon;

    note(f, "register", argc, argv);
    if ((argv[0][0] == 'a') != (strcmp(f->name, "sm-1") == 0))
        return ZE_NO_ROUTE;
    if (strcmp(argv[0], "anna@a.org") == 0) {
        ctl_reason(r, "%s is taken", argv[0]);
        return ZE_CONFLICT;
    }
    ctl_str(r, "jid", argv[0]);
    return ZE_OK;
}

/* routerd ends with the third look at what it was told, and does not answer it; "oops" is called off by somebody else. */
static int run_shutdown(void *daemon, int argc, char **argv, struct ctl_reply *r)
{
    static int  left;
    static bool planned;

    if (argc) {
        note(daemon, "shutdown", argc, argv);
        planned = strcmp(argv[argc - 1], "oops") != 0;
        left = 2;
    } else if (planned && !left--) {
        _exit(0);
    }
    ctl_str(r, "kind", planned ? argc ? argv[0] : "stop" : "none");
    return argc > 1 && strcmp(argv[1], "13") == 0 ? ZE_CONFLICT : ZE_OK;
}

static int run_users(void *daemon, int argc, char **argv, struct ctl_reply *r)
{
    const struct fake *f = daemon;

    (void)argc;
    (void)argv;
    ctl_row(r);
    ctl_str(r, "jid", strcmp(f->name, "sm-1") ? "\xd0\xb7\xd1\x83\xd0\xb1\xd1\x80@a.org" : "anna@a.org");
    ctl_int(r, "sessions", 12);
    ctl_row(r);
    ctl_str(r, "jid", "x\x1b[31m");
    ctl_int(r, "sessions", 1);
    return ZE_OK;
}

static int run_log(void *daemon, int argc, char **argv, struct ctl_reply *r)
{
    note(daemon, "log", argc, argv);
    ctl_str(r, "level", argc ? argv[0] : "info");
    return ZE_OK;
}

static int run_refuse(void *daemon, int argc, char **argv, struct ctl_reply *r)
{
    (void)daemon;
    (void)argc;
    (void)argv;
    (void)r;
    return ZE_NOT_FOUND;
}

static const struct ctl_verb every_daemon[] = {
    { "status", "", "", "", "", 0, 0, run_status },    { "stop", "", "", "", "", 0, 2, run_stop },
    { "drain", "", "", "", "", 0, 2, run_drain },      { "log", "[LEVEL]", "", "", "", 0, 1, run_log },
    { 0 },
};
static const struct ctl_verb sm_verbs[] = {
    { "register", "JID PASSWORD", "", "jid", "", 2, 2, run_register },
    { "users", "", "", "jid sessions", "", 0, 1, run_users },
    { "kick", "JID", "", "", "", 1, 2, run_refuse },
    { "special", "", "known to sm only", "jid", "", 0, 1, run_users },
    { 0 },
};
static const struct ctl_verb routerd_verbs[] = {
    { "shutdown", "", "", "kind", "", 0, 3, run_shutdown },
    { 0 },
};
static const struct ctl_verb *const routerd_tables[] = { every_daemon, routerd_verbs, NULL };
static const struct ctl_verb *const sm_tables[] = { every_daemon, sm_verbs, NULL };
static const struct ctl_verb *const other_tables[] = { every_daemon, NULL };

static void start(struct fake *f)
{
    f->pid = fork();
    if (f->pid)
        return;
    char *path = xprintf("%s/run/ctl/%s.sock", dir, f->name);
    f->loop = loop_new();
    const struct ctl_verb *const *tables = strcmp(f->role, "sm") == 0        ? sm_tables
                                           : strcmp(f->role, "routerd") == 0 ? routerd_tables
                                                                             : other_tables;
    struct ctl_server *server = ctl_listen(f->loop, path, "no-such-group", tables, f);
    if (!server)
        _exit(1);
    loop_run(f->loop);
    ctl_close(&server);
    loop_free(&f->loop);
    free(path);
    exit(0);
}

/* ---- zubrctl ---- */
static const char *zubrctl;
static char        out[65536], err[65536];

static void read_back(FILE *file, char *text)
{
    rewind(file);
    text[fread(text, 1, 65535, file)] = '\0';
    fclose(file);
}

/* Runs it with `input` on standard input; its output is in out[] and err[]. Returns its status. */
static int run(const char *input, const char *const *args)
{
    FILE       *in_file = tmpfile(), *out_file = tmpfile(), *err_file = tmpfile();
    const char *argv[16] = { zubrctl, "--dir", dir };
    int         status;

    for (size_t i = 0; args[i]; i++)
        argv[i + 3] = args[i];
    fputs(input, in_file);
    rewind(in_file);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fileno(in_file), STDIN_FILENO);
        dup2(fileno(out_file), STDOUT_FILENO);
        dup2(fileno(err_file), STDERR_FILENO);
        execv(zubrctl, (char *const *)argv);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    fclose(in_file);
    read_back(out_file, out);
    read_back(err_file, err);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define RUN(input, ...) run(input, (const char *const[]){ __VA_ARGS__, NULL })

static char *notes(void)
{
    static char text[65536];
    char       *path = xprintf("%s/notes", dir);
    FILE       *file = fopen(path, "r");

    text[file ? fread(text, 1, sizeof(text) - 1, file) : 0] = '\0';
    if (file)
        fclose(file);
    unlink(path);
    free(path);
    return text;
}

static int lines(const char *text)
{
    int count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

static int start_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(fakes); i++)
        start(&fakes[i]);
    for (int tries = 0; tries < 100; tries++) {
        if (RUN("", "status", "--json") == 0 && !strstr(out, "\"down\"") && lines(out) == (int)COUNT_OF(fakes))
            return 0;
        usleep(20000);
    }
    return -1;
}

static int kill_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(fakes); i++) {
        if (fakes[i].pid <= 0)
            continue;
        kill(fakes[i].pid, SIGKILL);
        waitpid(fakes[i].pid, NULL, 0);
        fakes[i].pid = 0;
    }
    notes();
    return 0;
}

static void status_lists_also_the_dead(void **state)
{
    (void)state;
    kill(fakes[2].pid, SIGKILL);
    waitpid(fakes[2].pid, NULL, 0);
    fakes[2].pid = 0;
    assert_int_equal(RUN("", "status", "--json"), 0);
    assert_int_equal(lines(out), 5);
    assert_non_null(strstr(out, "{\"name\": \"sm-2\", \"role\": \"sm\", \"pid\": 0, \"state\": \"down\"}\n"));
    assert_int_equal(RUN("", "status"), 0);
    assert_int_equal(lines(out), 6);
    assert_int_equal(strncmp(out, "name ", 5), 0);
    assert_int_equal(RUN("", "status", "sm-2"), 3);
    assert_int_equal(RUN("", "status", "sm-1"), 0);
    assert_int_equal(RUN("", "status", "nobody"), 3);
}

static void the_configuration_says_who_should_be_there(void **state)
{
    char *path = xprintf("%s/zubr.conf", dir);
    FILE *file = fopen(path, "w");

    (void)state;
    fprintf(file, "domain a.org { }\ninstances { c2sd = 2 }\ndir { run = \"%s/run\" }\n", dir);
    fclose(file);
    assert_int_equal(RUN("", "--json", "status"), 0);
    assert_non_null(strstr(out, "\"name\": \"s2sd-1\", \"role\": \"s2sd\", \"pid\": 0, \"state\": \"down\""));
    assert_non_null(strstr(out, "\"name\": \"c2sd-2\""));
    assert_int_equal(lines(out), 7);
    unlink(path);
    free(path);
}

static void the_owner_s_answer_counts(void **state)
{
    (void)state;
    assert_int_equal(RUN("secret word\n", "register", "boris@a.org"), 0);
    assert_string_equal(err, "");
    assert_non_null(strstr(out, "boris@a.org"));
    assert_non_null(strstr(notes(), "sm-2 register boris@a.org secret word\n"));
    assert_int_equal(RUN("x\n", "register", "anna@a.org"), 1);
    assert_string_equal(err, "zubrctl: sm-1: anna@a.org is taken (conflict)\n");
    assert_int_equal(RUN("", "kick", "nobody@a.org"), 1);
    assert_string_equal(err, "zubrctl: kick nobody@a.org: no such item (not_found)\n");
}

static void passwords_come_from_standard_input(void **state)
{
    (void)state;
    assert_int_equal(RUN("", "register", "boris@a.org"), 2);
    assert_non_null(strstr(err, "expected a password on standard input"));
    assert_int_equal(RUN("x\n", "register", "boris"), 2);
    assert_int_equal(RUN("x\n", "register", "boris@a.org", "secret"), 2);
    assert_string_equal(notes(), "");
    assert_int_equal(RUN("", "register", "boris", "a.org", "se\"cret\\"), 0);
    assert_non_null(strstr(err, "warning"));
    assert_non_null(strstr(notes(), "sm-2 register boris@a.org se\"cret\\\n"));
}

static void options_of_other_verbs_are_refused(void **state)
{
    (void)state;
    assert_int_equal(RUN("", "kick", "boris@a.org", "--in", "5"), 2);
    assert_string_equal(err, "zubrctl: kick does not take --in, see zubrctl help\n");
    assert_int_equal(RUN("", "--message", "bye", "status"), 2);
    assert_string_equal(err, "zubrctl: status does not take --message, see zubrctl help\n");
    assert_int_equal(RUN("", "drain", "sm-1", "--in", "5"), 2);
    assert_string_equal(notes(), "");
}

static void help_is_of_all_verbs_or_of_one(void **state)
{
    (void)state;
    assert_int_equal(RUN("", "help"), 0);
    assert_true(lines(out) > 40);
    assert_int_equal(RUN("", "help", "kick"), 0);
    assert_string_equal(out, "  kick JID [TEXT]                end the sessions of a bare or full JID\n");
    assert_int_equal(RUN("", "help", "nonsense"), 0);
    assert_true(lines(out) > 40);
    assert_int_equal(run("", (const char *const[]){ NULL }), 2);
    assert_true(lines(err) > 40);
}

static void tables_are_aligned_and_harmless(void **state)
{
    (void)state;
    assert_int_equal(RUN("", "users"), 0);
    assert_string_equal(out, "instance  jid         sessions\n"
                             "sm-1      anna@a.org        12\n"
                             "sm-1      x?[31m             1\n"
                             "sm-2      \xd0\xb7\xd1\x83\xd0\xb1\xd1\x80@a.org        12\n"
                             "sm-2      x?[31m             1\n");
    assert_int_equal(RUN("", "users", "--json"), 0);
    assert_int_equal(lines(out), 4);
    assert_non_null(strstr(out, "{\"instance\": \"sm-1\", \"jid\": \"anna@a.org\", \"sessions\": 12}\n"));
}

static void a_verb_goes_where_it_belongs(void **state)
{
    (void)state;
    assert_int_equal(RUN("", "log", "debug", "sm-2"), 0);
    assert_string_equal(notes(), "sm-2 log debug\n");
    assert_int_equal(RUN("", "log"), 0);
    assert_int_equal(lines(notes()), 5);
    assert_int_equal(RUN("", "drain", "c2sd-1", "--message", "good bye"), 0);
    assert_string_equal(notes(), "c2sd-1 drain --message good bye\n");
    assert_int_equal(RUN("", "special"), 0);
    assert_int_equal(lines(out), 5);
    assert_int_equal(RUN("", "nonsense"), 2);
    assert_int_equal(RUN("", "drain"), 2);
    assert_int_equal(RUN("", "--nonsense"), 2);
    assert_int_equal(RUN("", "streams"), 3);             /* no s2sd here */
    assert_int_equal(RUN("", "--instance", "sm-2", "log"), 0);
    assert_string_equal(notes(), "sm-2 log\n");
}

static void stop_closes_from_the_outside_in(void **state)
{
    (void)state;
    assert_int_equal(RUN("", "stop"), 0);
    assert_string_equal(notes(), "muc-1 stop\nc2sd-1 stop\nsm-1 stop\nsm-2 stop\nrouterd stop\n");
    for (size_t i = 0; i < COUNT_OF(fakes); i++) {
        int status;

        waitpid(fakes[i].pid, &status, 0);
        fakes[i].pid = 0;
        assert_int_equal(status, 0);
    }
    assert_int_equal(RUN("", "stop"), 3);
    assert_int_equal(RUN("", "stop", "--in", "soon"), 2);
}

static void routerd_warns_and_stops_and_may_be_told_otherwise(void **state)
{
    int status;

    (void)state;
    assert_int_equal(RUN("", "stop", "--in", "13s"), 1);
    assert_int_equal(RUN("", "restart", "--in", "2m", "--message", "oops"), 1);
    assert_int_equal(RUN("", "shutdown", "cancel"), 0);
    assert_int_equal(RUN("", "stop", "--in", "1h", "--message", "see you"), 0);
    assert_string_equal(notes(), "routerd shutdown stop 13\nrouterd shutdown restart 120 oops\n"
                                 "routerd shutdown cancel\nrouterd shutdown stop 3600 see you\n");
    waitpid(fakes[0].pid, &status, 0);
    fakes[0].pid = 0;
    assert_int_equal(RUN("", "stop", "--message", "see you"), 3);
    assert_int_equal(RUN("", "restart"), 3);
    assert_int_equal(RUN("", "restart", "--in", "soon"), 2);
}

static void one_daemon_is_stopped_alone(void **state)
{
    (void)state;
    assert_int_equal(RUN("", "stop", "muc-1"), 0);
    assert_string_equal(notes(), "muc-1 stop\n");
    assert_int_equal(RUN("", "stop", "muc-7"), 3);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_all, kill_all)
    const struct CMUnitTest tests[] = {
        TEST(status_lists_also_the_dead),
        TEST(the_configuration_says_who_should_be_there),
        TEST(the_owner_s_answer_counts),
        TEST(passwords_come_from_standard_input),
        TEST(options_of_other_verbs_are_refused),
        TEST(help_is_of_all_verbs_or_of_one),
        TEST(tables_are_aligned_and_harmless),
        TEST(a_verb_goes_where_it_belongs),
        TEST(stop_closes_from_the_outside_in),
        TEST(routerd_warns_and_stops_and_may_be_told_otherwise),
        TEST(one_daemon_is_stopped_alone),
    };

    char beside[4096];

    snprintf(beside, sizeof(beside), "%.*s../../zubrctl", (int)(strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 - argv[0] : 0), argv[0]);
    if (!mkdtemp(dir))
        return 1;
    zubrctl = argc > 1 ? argv[1] : beside;
    setenv("LC_ALL", "C.UTF-8", 1);
    char *run_dir = xprintf("%s/run", dir), *ctl_dir = xprintf("%s/run/ctl", dir);
    if (mkdir(run_dir, 0755) < 0 || mkdir(ctl_dir, 0755) < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(fakes); i++) {
        char *path = xprintf("%s/%s.sock", ctl_dir, fakes[i].name);

        unlink(path);
        free(path);
    }
    rmdir(ctl_dir);
    rmdir(run_dir);
    rmdir(dir);
    free(run_dir);
    free(ctl_dir);
    return failed;
}
