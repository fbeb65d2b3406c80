/* RFC 6121 8.5 from end to end for what comes from other servers and from rooms: each kind of stanza, to each kind
 * of address, by who is online. What local accounts and components send is in tests/e2e/test_delivery.py. */

#include "sm_rig.h"

/* In the order of the letters below. */
static const struct { const char *name, *type, *content; } kinds[] = {
    { "message", NULL, "<body>1</body>" },       { "message", "chat", "<body>1</body>" },
    { "message", "groupchat", "<body>1</body>" }, { "message", "headline", "<body>1</body>" },
    { "message", "error", "" },                  { "presence", NULL, "" },
    { "presence", "unavailable", "" },           { "iq", "get", "<q xmlns='u'/>" },
    { "iq", "set", "<q xmlns='u'/>" },           { "iq", "result", "" },
    { "iq", "error", "" },
};

/* S nothing leaves, E service-unavailable to the sender, O the same as S (kept), D to c1, A to all available ones,
 * M to those with priority >= 0, R a room is told that its occupant is gone, another sender nothing. */
static const struct row {
    const char *name, *priorities;       /* of the sessions c1, c2..; x: no presence; NULL: no account */
    const char *to, *letters;
} rows[] = {
    { "no such account", NULL,        "nobody@a.org",      "OOESSSSEESS" },
    { "no such account", NULL,        "nobody@a.org/gone", "EOESSRSEESS" },
    { "nobody",          "",          "anna@a.org",        "OOESSSSEESS" },
    { "nobody",          "",          "anna@a.org/gone",   "EOESSRSEESS" },
    { "no presence",     "x",         "anna@a.org",        "OOESSSSEESS" },
    { "no presence",     "x",         "anna@a.org/1",      "DDDDDDDEEDD" },
    { "no presence",     "x",         "anna@a.org/gone",   "EOESSRSEESS" },
    { "negative",        "-1 -5",     "anna@a.org",        "OOESSAAEESS" },
    { "negative",        "-1 -5",     "anna@a.org/1",      "DDDDDDDEEDD" },
    { "negative",        "-1 -5",     "anna@a.org/gone",   "EOESSRSEESS" },
    { "negative and not", "-1 0 5",   "anna@a.org",        "MMEMSAAEESS" },
    { "negative and not", "-1 0 5",   "anna@a.org/1",      "DDDDDDDEEDD" },
    { "negative and not", "-1 0 5",   "anna@a.org/gone",   "EMESSRSEESS" },
};

static void sessions_of(const char *priorities)
{
    char     full[32], content[64];
    uint64_t conn = 0;

    for (const char *at = priorities; at && *at; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : "") {
        snprintf(full, sizeof(full), "anna@a.org/%llu", (unsigned long long)++conn);
        struct session *s = rig_bind(full, conn);
        snprintf(content, sizeof(content), "<priority>%d</priority>", (int)strtol(at, NULL, 10));
        if (*at != 'x')
            rig_client(s, "presence", NULL, NULL, content);
    }
    rig_forget();
}

/* Which connections a frame went to, as "c1", "c2,c3" in any order: as a bit each. */
static unsigned receivers(const char *out)
{
    unsigned    bits = 0;
    const char *at = out;

    while (*at == 'c' && at[1] >= '1' && at[1] <= '9') {
        bits |= 1u << (at[1] - '1');
        at += 2 + (at[2] == ',');
    }
    return bits;
}

static unsigned expected(const struct row *row, char letter)
{
    unsigned bits = 0, bit = 1;

    if (letter == 'D')
        return 1;
    for (const char *at = row->priorities; (letter == 'A' || letter == 'M') && at && *at; bit <<= 1) {
        if (*at != 'x' && (letter == 'A' || *at != '-'))
            bits |= bit;
        at = strchr(at, ' ') ? strchr(at, ' ') + 1 : "";
    }
    return bits;
}

static void check(const struct row *row, const char *origin, const char *from, unsigned kind)
{
    char        letter = row->letters[kind];
    bool        room = origin[0] == 'm', told = letter == 'E' || (letter == 'R' && room);
    const char *out;

    rig_from(origin, kinds[kind].name, kinds[kind].type, from, row->to, kinds[kind].content);
    out = rig_took();
    bool answered = strncmp(out, origin, strlen(origin)) == 0 && strstr(out, "type='error'");
    bool right = letter == 'E' ? strstr(out, "service-unavailable") != NULL : true;
    if (receivers(out) != expected(row, letter) || answered != told || !right)
        fail_msg("%s to %s, %s %s from %s: wanted %c, got:\n%s", row->name, row->to, kinds[kind].name,
                 kinds[kind].type ? kinds[kind].type : "", from, letter, out);
}

static void row_by_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        rig_setup(NULL);
        rig_account("anna@a.org");
        sessions_of(rows[i].priorities);
        for (unsigned kind = 0; kind < COUNT_OF(kinds); kind++) {
            check(&rows[i], "s2sd-1", "stranger@far.org/r", kind);
            check(&rows[i], "muc-1", "room@rooms.a.org/nick", kind);
        }
        rig_teardown(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(row_by_row) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
