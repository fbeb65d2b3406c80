/* common/ctl*.c: request lines, answers, and askers who do not behave. The daemon is a forked process. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl.h"
#include "ctl_priv.h"
#include "log.h"
#include "mem.h"

/* ---- within the process ---- */
static struct said {
    char      rows[256], reason[256];
    enum zerr err;
    unsigned  times;
} said;

static void on_said(void *arg, struct slice rows, enum zerr err, const char *reason)
{
    struct said *to = arg;

    snprintf(to->rows, sizeof(to->rows), "%.*s", SLICE_FMT(rows));
    snprintf(to->reason, sizeof(to->reason), "%s", reason);
    to->err = err;
    to->times++;
}

/* ---- the daemon ---- */
static struct fake {
    struct loop       *loop;
    struct ctl_server *server;
    struct timer       later;
    struct ctl_reply  *waiting;
} fake;

static int run_echo(void *daemon, int argc, char **argv, struct ctl_reply *r)
{
    (void)daemon;
    for (int i = 0; i < argc; i++) {
        ctl_row(r);
        ctl_str(r, "word", argv[i]);
        ctl_int(r, "place", i);
        ctl_bool(r, "last", i == argc - 1);
    }
    return ZE_OK;
}

static int run_fail(void *daemon, int argc, char **argv, struct ctl_reply *r)
{
    (void)daemon;
    if (argc)
        ctl_reason(r, "no %s\nhere", argv[0]);
    return ZE_NOT_FOUND;
}

static void answer_late(void *arg)
{
    struct fake *f = arg;

    ctl_str(f->waiting, "word", "late");
    ctl_finish(f->waiting, ZE_OK);
}

static int run_later(void *daemon, int argc, char **argv, struct ctl_reply *r)
{
    struct fake *f = daemon;

    (void)argv;
    if (argc) {                       /* `later now`: finished before run returns */
        ctl_finish(r, ZE_TIMEOUT);
        return LATER;
    }
    f->waiting = r;
    f->later = (struct timer){ .fire = answer_late, .arg = f };
    timer_arm(f->loop, &f->later, 100);
    return LATER;
}

static int run_big(void *daemon, int argc, char **argv, struct ctl_reply *r)
{
    (void)daemon;
    (void)argc;
    (void)argv;
    for (int i = 0; i < 50000; i++) {
        ctl_row(r);
        ctl_int(r, "row", i);
        ctl_str(r, "text", "sixty-four bytes of text so that an answer fills many buffers...");
    }
    return ZE_OK;
}

static int run_quit(void *daemon, int argc, char **argv, struct ctl_reply *r)
{
    struct fake *f = daemon;

    (void)argc;
    (void)argv;
    (void)r;
    loop_stop(f->loop);
    return ZE_OK;
}

static const struct ctl_verb verbs[] = {
    { "echo", "[WORD...]", "gives the words back", "word place last", "", 0, 63, run_echo },
    { "fail", "[WHAT]", "does not find it", "", "not_found", 0, 1, run_fail },
    { "later", "[now]", "takes a while", "word", "timeout", 0, 1, run_later },
    { "big", "", "a long answer", "row text", "", 0, 0, run_big },
    { 0 },
};
static const struct ctl_verb more_verbs[] = { { "quit", "", "ends it", "", "", 0, 0, run_quit }, { 0 } };
static const struct ctl_verb *const tables[] = { verbs, more_verbs, NULL };

static char  path[] = "/tmp/zubr-test-ctl-XXXXXX/x.sock";
static pid_t daemon_pid;

static int daemon_main(void)
{
    fake.loop = loop_new();
    fake.server = ctl_listen(fake.loop, path, "no-such-group", tables, &fake);
    if (!fake.server)
        return 1;
    loop_run(fake.loop);
    ctl_close(&fake.server);
    loop_free(&fake.loop);
    return 0;
}

/* ---- the asker ---- */
static int dial(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int                fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    for (int tries = 0; tries < 100; tries++) {
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
            return fd;
        usleep(20000);
    }
    fail_msg("the daemon does not listen");
    return -1;
}

/* Everything that comes until the daemon closes; cut at the size of the buffer. */
static char *rest_of(int fd)
{
    static char text[65536];
    size_t      len = 0;
    ssize_t     got;

    while (len < sizeof(text) - 1 && (got = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    close(fd);
    return text;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static char *ask(const char *lines)
{
    int fd = dial();

    say(fd, lines);
    shutdown(fd, SHUT_WR);
    return rest_of(fd);
}

static void answers_come_as_lines_and_end_with_ok(void **state)
{
    (void)state;
    assert_string_equal(ask("echo one \"two words\" \"a\\\"b\\\\c\" \"\"\n"),
                        "word=one place=0 last=false\n"
                        "word=\"two words\" place=1 last=false\n"
                        "word=\"a\\\"b\\\\c\" place=2 last=false\n"
                        "word=\"\" place=3 last=true\n"
                        "ok\n");
    assert_string_equal(ask("echo\n"), "ok\n");
    assert_string_equal(ask("echo x\r\n"), "word=x place=0 last=true\nok\n");
    assert_string_equal(ask("echo unended"), "word=unended place=0 last=true\nok\n");
}

static void json_gives_one_object_a_line(void **state)
{
    (void)state;
    assert_string_equal(ask("--json echo \xd0\xb7 \"q\\\"\"\n"),
                        "{\"word\":\"\xd0\xb7\",\"place\":0,\"last\":false}\n"
                        "{\"word\":\"q\\\"\",\"place\":1,\"last\":true}\n"
                        "ok\n");
    assert_string_equal(ask("--json fail\n"), "error not_found no such item\n");
}

static void errors_carry_code_and_reason(void **state)
{
    (void)state;
    assert_string_equal(ask("fail\n"), "error not_found no such item\n");
    assert_string_equal(ask("fail bison\n"), "error not_found no bison here\n");
    assert_string_equal(ask("fail a b\n"), "error bad_request usage: fail [WHAT]\n");
    assert_string_equal(ask("destroy\n"), "error no_such unknown verb, try help\n");
    assert_string_equal(ask("\n"), "error bad_request empty line, try help\n");
    assert_string_equal(ask("--json\n"), "error bad_request empty line, try help\n");
    assert_non_null(strstr(ask("echo \"open\n"), "error bad_request not a line"));
    assert_non_null(strstr(ask("echo \xff\n"), "error bad_request not a line"));
    assert_non_null(strstr(ask("echo \x01\n"), "error bad_request not a line"));
    assert_string_equal(ask("later now\n"), "error timeout no answer in time\n");
}

static void a_verb_runs_without_a_socket(void **state)
{
    char *echo[] = { (char *)"echo", (char *)"two\nlines" }, *fail[] = { (char *)"fail", (char *)"bison" };
    char *later[] = { (char *)"later", (char *)"now" }, *none[] = { (char *)"destroy" };

    (void)state;
    said = (struct said){ 0 };
    ctl_run(verbs, NULL, 2, echo, on_said, &said);
    assert_string_equal(said.rows, "{\"word\":\"two\\nlines\",\"place\":0,\"last\":true}\n");
    assert_int_equal(said.err, ZE_OK);
    ctl_run(verbs, NULL, 2, fail, on_said, &said);
    assert_int_equal(said.err, ZE_NOT_FOUND);
    assert_non_null(strstr(said.reason, "no bison"));
    ctl_run(verbs, NULL, 2, later, on_said, &said);
    assert_int_equal(said.err, ZE_TIMEOUT);
    assert_string_equal(said.reason, "no answer in time");
    ctl_run(verbs, NULL, 1, none, on_said, &said);
    assert_int_equal(said.err, ZE_NO_SUCH);
    assert_int_equal(said.times, 4);
}

static void requests_of_one_connection_are_answered_in_order(void **state)
{
    (void)state;
    assert_string_equal(ask("echo a\nlater\necho b\nfail\nlater\n"),
                        "word=a place=0 last=true\nok\nword=late\nok\nword=b place=0 last=true\nok\n"
                        "error not_found no such item\nword=late\nok\n");
}

static void a_line_may_come_in_pieces_but_not_without_end(void **state)
{
    char *line = xmalloc(20001);
    int   fd = dial();

    (void)state;
    for (const char *p = "echo in pieces\n"; *p; p++)
        assert_int_equal(write(fd, p, 1), 1);
    shutdown(fd, SHUT_WR);
    assert_string_equal(rest_of(fd), "word=in place=0 last=false\nword=pieces place=1 last=true\nok\n");
    memset(line, 'x', 20000);
    line[20000] = '\0';
    fd = dial();
    send(fd, line, 20000, MSG_NOSIGNAL);
    assert_string_equal(rest_of(fd), "error bad_request a line has at most 8192 bytes\n");
    line[8300] = '\n';
    fd = dial();
    send(fd, line, 8301, MSG_NOSIGNAL);
    assert_string_equal(rest_of(fd), "error bad_request a line has at most 8192 bytes\n");
    free(line);
}

static void a_long_answer_arrives_whole(void **state)
{
    int    fd = dial(), lines = 0;
    char   chunk[4096], last[4] = "";
    size_t total = 0;

    (void)state;
    say(fd, "big\nbig\nbig\n");
    shutdown(fd, SHUT_WR);
    for (ssize_t got; (got = read(fd, chunk, sizeof(chunk))) > 0; total += (size_t)got) {
        for (ssize_t i = 0; i < got; i++)
            lines += chunk[i] == '\n';
        if (got >= 3)
            memcpy(last, chunk + got - 3, 3);
    }
    close(fd);
    assert_int_equal(lines, 3 * 50001);
    assert_string_equal(last, "ok\n");
}

static void who_hangs_up_while_waiting_harms_nobody(void **state)
{
    int fd = dial();

    (void)state;
    say(fd, "later\n");
    usleep(30000);
    close(fd);
    fd = dial();
    say(fd, "big\nbig\nbig\nbig\n");          /* never read */
    usleep(100000);
    close(fd);
    usleep(150000);
    assert_string_equal(ask("echo alive\n"), "word=alive place=0 last=true\nok\n");
}

static void there_is_a_limit_to_connections(void **state)
{
    int fds[64];

    (void)state;
    for (int i = 0; i < 64; i++)
        fds[i] = dial();
    int one_more = dial();
    assert_string_equal(rest_of(one_more), "error full too many connections\n");
    for (int i = 0; i < 64; i++)
        close(fds[i]);
    usleep(50000);
    assert_string_equal(ask("echo again\n"), "word=again place=0 last=true\nok\n");
}

static void help_is_printed_from_the_rows(void **state)
{
    char *text = ask("help\n");

    (void)state;
    assert_non_null(strstr(text, "later [now] "));
    assert_non_null(strstr(text, " takes a while\n"));
    assert_non_null(strstr(text, "quit "));
    assert_non_null(strstr(text, "help [VERB]"));
    assert_non_null(strstr(ask("--json help\n"), "{\"verb\":\"fail\",\"args\":\"[WHAT]\",\"help\":\"does not find it\","
                                                 "\"fields\":\"\",\"errors\":\"not_found\"}\n"));
}

static void strangers_are_refused(void **state)
{
    int   fds[2];
    char  text[200] = "";
    pid_t pid;

    (void)state;
    if (geteuid() != 0 || pipe(fds) < 0)
        skip();
    chmod(path, 0666);
    pid = fork();
    if (pid == 0) {
        if (setuid(65534) < 0)
            _exit(1);
        const char *answer = rest_of(dial());          /* refused before it says anything */
        _exit(write(fds[1], answer, strlen(answer)) < 0);
    }
    waitpid(pid, NULL, 0);
    assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
    assert_non_null(strstr(text, "error forbidden"));
    close(fds[0]);
    close(fds[1]);
}

static void the_socket_is_for_owner_and_group(void **state)
{
    struct stat  st;
    struct loop *loop = loop_new();
    char         long_path[200];

    (void)state;
    assert_string_equal(ask("echo\n"), "ok\n");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    memset(long_path, 'x', sizeof(long_path));
    long_path[0] = '/';
    long_path[108] = '\0';
    log_set_level(LOG_LEVEL_ERROR);
    assert_null(ctl_listen(loop, long_path, "g", tables, NULL));
    assert_null(ctl_listen(loop, "/nonexistent/x.sock", "g", tables, NULL));
    loop_free(&loop);
}

static void quoting_is_undone_by_splitting(void **state)
{
    static const char *const args[] = { "plain", "", "two words", "q\"q", "back\\slash", "both \\\" ", "\xd0\xb7" };
    struct buf               line = { 0 };
    char                    *words[CTL_WORDS_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(args); i++) {
        ctl_quote(&line, args[i]);
        buf_put_u8(&line, ' ');
    }
    buf_put_u8(&line, '\0');
    assert_int_equal(ctl_split((char *)line.bytes, words), COUNT_OF(args));
    for (size_t i = 0; i < COUNT_OF(args); i++)
        assert_string_equal(words[i], args[i]);
    buf_free(&line);
}

static void the_daemon_ends_clean(void **state)
{
    int status, left = dial();

    (void)state;
    ask("quit\n");
    assert_int_equal(waitpid(daemon_pid, &status, 0), daemon_pid);
    daemon_pid = 0;
    assert_int_equal(status, 0);
    assert_int_equal(access(path, F_OK), -1);
    close(left);
}

static void without_asker_nothing_is_written(void **state)
{
    (void)state;
    ctl_row(NULL);
    ctl_str(NULL, "applied", "limits");
    ctl_slice(NULL, "applied", SLICE("limits"));
    ctl_int(NULL, "count", 1);
    ctl_bool(NULL, "done", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_as_lines_and_end_with_ok),
        cmocka_unit_test(json_gives_one_object_a_line),
        cmocka_unit_test(errors_carry_code_and_reason),
        cmocka_unit_test(a_verb_runs_without_a_socket),
        cmocka_unit_test(requests_of_one_connection_are_answered_in_order),
        cmocka_unit_test(a_line_may_come_in_pieces_but_not_without_end),
        cmocka_unit_test(a_long_answer_arrives_whole),
        cmocka_unit_test(who_hangs_up_while_waiting_harms_nobody),
        cmocka_unit_test(there_is_a_limit_to_connections),
        cmocka_unit_test(help_is_printed_from_the_rows),
        cmocka_unit_test(the_socket_is_for_owner_and_group),
        cmocka_unit_test(strangers_are_refused),
        cmocka_unit_test(quoting_is_undone_by_splitting),
        cmocka_unit_test(without_asker_nothing_is_written),
        cmocka_unit_test(the_daemon_ends_clean),
    };
    char *slash = strrchr(path, '/');

    *slash = '\0';
    if (!mkdtemp(path) || chmod(path, 0755) < 0)
        return 1;
    *slash = '/';
    daemon_pid = fork();
    if (daemon_pid == 0)
        exit(daemon_main());
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (daemon_pid > 0)
        kill(daemon_pid, SIGKILL);       /* when a failed test left it */
    unlink(path);
    *slash = '\0';
    rmdir(path);
    return failed;
}
