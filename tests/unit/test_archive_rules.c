/* proto/archive_rules: what is stored, row by row. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "archive_rules.h"

static const struct {
    const char *what;
    uint8_t     type;
    uint32_t    flags;
    const char *stored;                /* A archive of an account, O offline, R archive of a room */
} rows[] = {
    { "chat", TYPE_CHAT, STANZA_HAS_BODY, "AOR" },
    { "normal", TYPE_NORMAL, STANZA_HAS_BODY, "AOR" },
    { "room", TYPE_GROUPCHAT, STANZA_HAS_BODY, "R" },
    { "room, store", TYPE_GROUPCHAT, STANZA_STORE, "R" },
    { "room, subject", TYPE_GROUPCHAT, STANZA_HAS_SUBJECT, "R" },
    { "room, encrypted", TYPE_GROUPCHAT, STANZA_ENCRYPTED, "R" },
    { "room, marker", TYPE_GROUPCHAT, STANZA_HAS_MARKER, "" },
    { "room, no store", TYPE_GROUPCHAT, STANZA_HAS_BODY | STANZA_NO_STORE, "" },
    { "room, no permanent store", TYPE_GROUPCHAT, STANZA_HAS_BODY | STANZA_NO_PERM_STORE, "" },
    { "headline", TYPE_HEADLINE, STANZA_HAS_BODY, "" },
    { "headline, store", TYPE_HEADLINE, STANZA_HAS_BODY | STANZA_STORE, "AR" },
    { "error", TYPE_ERROR, STANZA_HAS_BODY, "" },
    { "error, store", TYPE_ERROR, STANZA_HAS_BODY | STANZA_STORE, "" },
    { "no store", TYPE_CHAT, STANZA_HAS_BODY | STANZA_NO_STORE, "" },
    { "no store before store", TYPE_CHAT, STANZA_NO_STORE | STANZA_STORE, "" },
    { "no permanent store", TYPE_CHAT, STANZA_HAS_BODY | STANZA_NO_PERM_STORE, "O" },
    { "no permanent store, state", TYPE_CHAT, STANZA_CHAT_STATE | STANZA_NO_PERM_STORE, "" },
    { "store", TYPE_CHAT, STANZA_STORE, "AOR" },
    { "store, state", TYPE_CHAT, STANZA_STORE | STANZA_CHAT_STATE, "AOR" },
    { "subject", TYPE_NORMAL, STANZA_HAS_SUBJECT, "AOR" },
    { "encrypted", TYPE_CHAT, STANZA_ENCRYPTED, "AOR" },
    { "receipt", TYPE_CHAT, STANZA_HAS_RECEIPT, "AO" },
    { "marker", TYPE_CHAT, STANZA_HAS_MARKER, "AO" },
    { "retraction", TYPE_CHAT, STANZA_RETRACTS, "AOR" },
    { "retraction, no store", TYPE_CHAT, STANZA_RETRACTS | STANZA_NO_STORE, "AOR" },
    { "retraction in a room", TYPE_GROUPCHAT, STANZA_RETRACTS, "R" },
    { "retraction, headline", TYPE_HEADLINE, STANZA_RETRACTS, "" },
    { "retraction, error", TYPE_ERROR, STANZA_RETRACTS, "" },
    { "invitation", TYPE_NORMAL, STANZA_MUC_USER, "AO" },
    { "private message of a room", TYPE_CHAT, STANZA_HAS_BODY | STANZA_MUC_USER, "AOR" },
    { "state", TYPE_CHAT, STANZA_CHAT_STATE, "" },
    { "state and body", TYPE_CHAT, STANZA_CHAT_STATE | STANZA_HAS_BODY, "AOR" },
    { "state and receipt", TYPE_CHAT, STANZA_CHAT_STATE | STANZA_HAS_RECEIPT, "AO" },
    { "nothing inside", TYPE_CHAT, STANZA_EMPTY, "" },
    { "nothing we know", TYPE_NORMAL, 0, "O" },
    { "delayed", TYPE_CHAT, STANZA_HAS_BODY | STANZA_HAS_DELAY, "AOR" },
    { "private to carbons", TYPE_CHAT, STANZA_HAS_BODY | STANZA_PRIVATE | STANZA_NO_COPY, "AOR" },
};

static void each_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct stanza          s = { .name = STANZA_MESSAGE, .type = rows[i].type, .flags = rows[i].flags };
        struct archive_verdict account = archive_verdict(ARCHIVE_OF_ACCOUNT, &s);
        struct archive_verdict room = archive_verdict(ARCHIVE_OF_ROOM, &s);
        char                   got[4];

        snprintf(got, sizeof(got), "%s%s%s", account.archive ? "A" : "", account.offline ? "O" : "",
                 room.archive ? "R" : "");
        if (strcmp(got, rows[i].stored) != 0)
            fail_msg("%s: stored as '%s', not '%s'", rows[i].what, got, rows[i].stored);
        assert_false(room.offline);
    }
}

static void only_messages(void **state)
{
    (void)state;
    for (unsigned name = STANZA_PRESENCE; name <= STANZA_IQ; name++) {
        struct stanza          s = { .name = (uint8_t)name, .type = TYPE_NONE, .flags = STANZA_STORE };
        struct archive_verdict v = archive_verdict(ARCHIVE_OF_ACCOUNT, &s);

        assert_false(v.archive || v.offline);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_row), cmocka_unit_test(only_messages) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
