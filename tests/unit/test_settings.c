/* common/settings*.c: what a configuration means, and what an operator is told about a wrong one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "settings.h"
#include "slice.h"

static char path[] = "/tmp/zubr-test-settings-XXXXXX";
static char said[16384];

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Loads `text`; what it says on stderr is in said[]. */
static struct settings *load(const char *text, const char *const *overrides)
{
    FILE *file = tmpfile();
    int   kept = dup(STDERR_FILENO);

    write_file(text);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    struct settings *s = settings_load(path, overrides);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
    fclose(file);
    return s;
}

static void refused(const char *text, const char *expected)
{
    struct settings *s = load(text, NULL);

    if (s || !strstr(said, expected))
        print_message("%s---- expected: %s\n---- said: %s\n", text, expected, said);
    assert_null(s);
    assert_non_null(strstr(said, expected));
}

static void a_domain_is_enough(void **state)
{
    struct settings *s = load("domain \"example.org\" { }\n", NULL);

    (void)state;
    assert_non_null(s);
    assert_string_equal(said, "");
    assert_int_equal(s->domain_count, 1);
    assert_string_equal(s->domain[0].registration, "closed");
    assert_int_equal(s->domain[0].admins.count, 0);
    assert_int_equal(s->rooms_count, 1);
    assert_string_equal(s->rooms[0].name, "muc.example.org");
    assert_int_equal(s->rooms[0].history, 20);
    assert_int_equal(s->listen.c2s, 5222);
    assert_int_equal(s->listen.address.count, 1);
    assert_string_equal(s->listen.address.item[0], "::");
    assert_true(s->server.require_tls);
    assert_string_equal(s->server.redis, "off");
    assert_string_equal(s->dir.run, "/run/zubr");
    assert_int_equal(s->limits.stanza_max, 262144);
    assert_null(settings_instance(s, "c2sd-web"));
    assert_null(settings_domain(s, "example.com"));
    settings_free(&s);
    assert_null(s);
    settings_free(&s);
}

static void everything_written_is_read(void **state)
{
    struct settings *s = load("# comment\n"
                              "domain \"a.org\" { admins = {\"x@a.org\", \"y@a.org\"} registration = \"review\" }\n"
                              "domain b.org { }\n"
                              "rooms \"conference.a.org\" { create = everybody history = 0 }\n"
                              "component \"icq.a.org\" { secret_file = \"/etc/zubr/secrets/icq\" }\n"
                              "listen { address = {\"127.0.0.1\", \"::1\"}  c2s = 0 }\n"
                              "instances { sm = 2 c2sd = 2 }\n"
                              "instance \"c2sd-web\" { c2s = 0  c2s_tls = 6223 }\n"
                              "instance \"sm-2\" { }\n"
                              "dir { run = \"/tmp/x/run\" }\n"
                              "limits { stanza_max = 1000000 }\n"
                              "require_tls = no\n"
                              "resolver = \"[::1]:5353\"\n"
                              "redis = \"unix:/run/redis.sock\"\n",
                              NULL);
    static const char *const expected[] = { "routerd", "sm-1", "sm-2", "muc-1", "c2sd-1", "c2sd-2", "s2sd-1",
                                            "c2sd-web" };
    const char *names[3];

    (void)state;
    assert_string_equal(said, "");
    assert_non_null(s);
    assert_int_equal(s->domain_count, 2);
    assert_string_equal(settings_domain(s, "a.org")->admins.item[1], "y@a.org");
    assert_int_equal(s->rooms_count, 1);
    assert_string_equal(s->rooms[0].create, "everybody");
    assert_int_equal(s->rooms[0].history, 0);
    assert_string_equal(s->component[0].secret_file, "/etc/zubr/secrets/icq");
    assert_string_equal(s->listen.address.item[1], "::1");
    assert_int_equal(settings_instance(s, "c2sd-web")->c2s_tls, 6223);
    assert_int_equal(settings_instance(s, "c2sd-web")->s2s, -1);
    assert_int_equal(s->limits.stanza_max, 1000000);
    assert_false(s->server.require_tls);
    assert_int_equal(settings_instances(s, names, 3), 8);
    assert_string_equal(names[2], "sm-2");
    const char *all[8];
    settings_instances(s, all, 8);
    for (size_t i = 0; i < 8; i++)
        assert_string_equal(all[i], expected[i]);
    assert_int_equal(settings_share(s, "c2sd-web", 100), 34);      /* three of that role */
    assert_int_equal(settings_share(s, "sm-1", 10), 5);
    assert_int_equal(settings_share(s, "s2sd-1", 10), 10);
    assert_int_equal(settings_share(s, "c2sd-1", 0), 0);
    settings_free(&s);
}

static void relative_paths_begin_where_the_file_lies(void **state)
{
    struct settings *s = load("domain \"example.org\" { }\ndir { run = \"r\" data = \"/abs\" }\n"
                              "component \"c.example.org\" { secret_file = \"s/c\" }\n", NULL);

    assert_string_equal(s->dir.run, "/tmp/r");
    assert_string_equal(s->dir.data, "/abs");
    assert_string_equal(s->component[0].secret_file, "/tmp/s/c");
    settings_free(&s);
}

static void an_empty_list_replaces_the_default(void **state)
{
    struct settings *s = load("domain a.org { } listen { address = {} }", NULL);

    (void)state;
    assert_non_null(s);
    assert_int_equal(s->listen.address.count, 0);
    settings_free(&s);
}

static void every_fault_is_told_with_its_line(void **state)
{
    (void)state;
    refused("domain \"a.org\" {\n    registraton = \"open\"\n}\n",
            ":2: unknown key \"registraton\" in domain; did you mean \"registration\"?");
    refused("domain a.org { }\nredsi = off\n", ":2: unknown key \"redsi\"; did you mean \"redis\"?");
    refused("domain a.org { }\n\nlisten { c2s = 99999 }\n",
            ":3: listen: c2s = \"99999\": expected a whole number from 0 to 65535 (port)");
    refused("domain a.org { }\nlisten { c2s = 52x }\n", "expected a whole number");
    refused("domain a.org {\n registration = \"maybe\"\n}\n",
            ":2: domain \"a.org\": registration = \"maybe\": expected closed, invite, review or open");
    refused("domain a.org { }\nlog = loud\n", ":2: log = \"loud\": expected error, warn, info or debug");
    refused("domain a.org { }\nrequire_tls = perhaps\n", ":2: require_tls = \"perhaps\": expected true or false");
    refused("domain a.org { }\nlisten { address = {\"127.0.0.1\", \"localhost\"} }\n", "expected an IP address");
    refused("domain a.org { admins = { nobody } }\n", "expected a JID user@domain");
    refused("domain a.org { }\nc2s = 5\n", ":2: unknown key \"c2s\"; \"c2s\" belongs into listen { }");
    refused("domain a.org { }\nredis = \"here\"\n", "expected \"off\", \"unix:/PATH\" or \"HOST:PORT\"");
    refused("domain a.org { }\nresolver = \"::1:53\"\n", "expected \"ADDRESS:PORT\"");
    refused("# nothing\n", ": no domain: expected domain \"your.domain\" { }");
    refused("domain a.org { }\nlisten { c2s = 5223 }\n", "listen: c2s and c2s_tls are both 5223");
    refused("domain a.org { }\nlisten c2s = 5\n", ":2: ");
    refused("\ndomain a.org {\n log = x\n\n", ":2: section \"domain\" is not closed: expected }");
    refused("domain a.org { }\nlisten {\n", ":3: section \"listen\" is not closed: expected }");
    refused("domain a.org { }\n}\n", ":2: unexpected closing brace");
    refused("domain a.org { }\nlog = \"info\n", "");
    refused("domain a.org { }\nsection \"x\" { }\n", ":2: unknown key \"section\"");
}

static void names_are_checked_where_they_stand(void **state)
{
    (void)state;
    refused("\ndomain \"Example.org\" {\n registration = open\n}\n", ":2: domain \"Example.org\": write it in lower case");
    refused("domain \"a b\" { }\n", "only letters, digits, hyphens and dots");
    refused("domain \"-a.org\" { }\n", "hyphen");
    refused("domain \"a-.org\" { }\n", "a label does not end with a hyphen");
    refused("domain \"a-\" { }\n", "a label does not end with a hyphen");
    refused("domain \"a..org\" { }\n", "a label is not empty");
    refused("domain \"a.org.\" { }\n", "does not end with a dot");
    refused("domain \"xn--90ais\" { }\n", "write it in Unicode");
    refused("domain \"\xff\" { }\n", "it is not UTF-8");
    refused("domain a.org { }\ndomain a.org { }\n", ":2: \"a.org\" was there before");
    refused("domain a.org { }\n\nrooms a.org { }\n", ":3: rooms \"a.org\" is a domain already");
    refused("domain a.org { }\ndomain muc.a.org { }\n", "rooms \"muc.a.org\" is a domain already");
    refused("domain a.org { }\ncomponent x.a.org { }\n", ":2: component \"x.a.org\": expected a secret_file");
    refused("domain a.org { }\ninstance \"web-1\" { }\n", ":2: instance \"web-1\": expected routerd");
    refused("domain a.org { }\ninstance \"sm-/../x\" { }\n", "instance \"sm-/../x\": expected routerd");
    struct settings *s = load("domain \"\xd0\xb7\xd1\x83\xd0\xb1\xd1\x80.\xd0\xb1\xd0\xb5\xd0\xbb\" { }\n"
                              "domain \"a-b.127.0.0.1\" { }\n", NULL);
    assert_non_null(s);
    settings_free(&s);
}

static void all_faults_of_a_file_come_at_once(void **state)
{
    (void)state;
    assert_null(load("domain a.org { colour = red\n registration = x }\n"
                     "shape = { round, \"flat\" }\n"
                     "listen { c2s = -3\n stanza_max = 3 }\n"
                     "domain a.org { }\n"
                     "instance foo { }\n",
                     NULL));
    static const char *const expected[] = {
        ":1: unknown key \"colour\"", ":2: domain \"a.org\": registration", ":3: unknown key \"shape\"",
        ":4: listen: c2s = \"-3\"", ":5: unknown key \"stanza_max\" in listen; \"stanza_max\" belongs into limits { }",
        ":6: \"a.org\" was there before", ":7: instance \"foo\"",
    };
    const char *last = said;
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        last = strstr(last, expected[i]);                 /* in the order of the file */
        if (!last)
            print_message("missing: %s\nsaid: %s\n", expected[i], said);
        assert_non_null(last);
    }
    size_t lines = 0;
    for (const char *p = said; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, COUNT_OF(expected));
}

static void a_broken_file_does_not_spoil_the_next(void **state)
{
    (void)state;
    static const char *const broken[] = { "domain \"a", "domain 'a", "/* x", "domain a.org { redis = \"", "= {{{" };

    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        assert_null(load(broken[i], NULL));
        assert_true(strlen(said) > 0);
        struct settings *s = load("domain a.org { }\n", NULL);
        if (!s)
            print_message("after %s: %s\n", broken[i], said);
        assert_non_null(s);
        settings_free(&s);
    }
    unlink(path);
    assert_null(settings_load("/nonexistent/zubr.conf", NULL));
}

static void overrides_win(void **state)
{
    const char *const overrides[] = {
        "listen.c2s=6222", "domain[a.org].registration=open", "redis=127.0.0.1:6379", "listen.address=127.0.0.1,::1",
        "instance[c2sd-web].c2s=7222", "rooms[muc.a.org].history=3", "domain[a.org].admins=", "require_tls=off", NULL,
    };
    struct settings *s = load("domain a.org { admins = { x@a.org } }\nlisten { c2s = 5 }\n", overrides);

    (void)state;
    assert_string_equal(said, "");
    assert_non_null(s);
    assert_int_equal(s->listen.c2s, 6222);
    assert_string_equal(s->domain[0].registration, "open");
    assert_int_equal(s->domain[0].admins.count, 0);
    assert_string_equal(s->server.redis, "127.0.0.1:6379");
    assert_int_equal(s->listen.address.count, 2);
    assert_string_equal(s->listen.address.item[1], "::1");
    assert_int_equal(settings_instance(s, "c2sd-web")->c2s, 7222);
    assert_int_equal(s->rooms[0].history, 3);
    assert_false(s->server.require_tls);
    settings_free(&s);
}

static void wrong_overrides_are_refused(void **state)
{
    static const char *const rows[][2] = {
        { "listen.c2s", "expected section.key=value" },
        { "listen.c2s=x", "--set 'listen.c2s=x': expected a whole number" },
        { "listen.c2x=1", "did you mean \"c2s\"?" },
        { "nowhere.c2s=1", "expected section.key=value, section[name].key=value or key=value" },
        { "domain.registration=open", "expected section[name].key=value" },
        { "domain[b.org].registration=open", "there is no domain \"b.org\"" },
        { "listen[a].c2s=1", "expected section.key=value" },
        { "listen.address=127.0.0.1,nonsense", "expected an IP address" },
        { "domain[a.org=x", "expected section.key=value" },
        { "instance[x].c2s=1", "instance \"x\": expected routerd" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *const overrides[] = { rows[i][0], NULL };
        struct settings  *s = load("domain a.org { }\n", overrides);

        if (s || !strstr(said, rows[i][1]))
            print_message("%s: %s\n", rows[i][0], said);
        assert_null(s);
        assert_non_null(strstr(said, rows[i][1]));
    }
}

static void the_printed_rows_are_a_configuration(void **state)
{
    static char text[65536];
    FILE       *file = tmpfile();
    int         kept = dup(STDOUT_FILENO);

    (void)state;
    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    settings_print_rows();
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    rewind(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    struct settings *s = load(text, NULL);
    assert_string_equal(said, "");
    assert_non_null(s);
    assert_string_equal(s->listen.address.item[0], "::");
    assert_int_equal(s->limits.disk_floor_mb, 200);
    settings_free(&s);
    assert_non_null(strstr(text, "# in-band registration: closed, invite, review, open (mode)\n"));
    assert_non_null(strstr(text, "#     c2s_tls = -1\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_domain_is_enough),
        cmocka_unit_test(everything_written_is_read),
        cmocka_unit_test(relative_paths_begin_where_the_file_lies),
        cmocka_unit_test(an_empty_list_replaces_the_default),
        cmocka_unit_test(every_fault_is_told_with_its_line),
        cmocka_unit_test(names_are_checked_where_they_stand),
        cmocka_unit_test(all_faults_of_a_file_come_at_once),
        cmocka_unit_test(a_broken_file_does_not_spoil_the_next),
        cmocka_unit_test(overrides_win),
        cmocka_unit_test(wrong_overrides_are_refused),
        cmocka_unit_test(the_printed_rows_are_a_configuration),
    };
    int fd = mkstemp(path);

    if (fd < 0)
        return 1;
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
