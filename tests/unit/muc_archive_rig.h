#pragma once

/* A room with an archive, and asking for it. */

#include "muc_harness.h"

#include "archive.h"

#define DAVE "dave@a.org/1"        /* never in the room */
#define QUERY(inner) "<query xmlns='" NS_MAM "' queryid='q'>" inner "</query>"
#define FORM(fields) "<x xmlns='" NS_DATA "' type='submit'><field var='FORM_TYPE'><value>" NS_MAM "</value></field>" \
                     fields "</x>"
#define WHERE(name, value) "<field var='" name "'><value>" value "</value></field>"
#define SET(inner) "<set xmlns='" NS_RSM "'>" inner "</set>"
#define IN_STORE FIELD("roomconfig_persistentroom", "1")

/* Alice's room, stored; Bob and Carol are in it. */
static inline void stored(void)
{
    made();
    iq_set(ALICE, ROOM, CONFIG(IN_STORE));
    enter(BOB, "B");
    enter(CAROL, "C");
}

static inline void ask(const char *who, const char *content)
{
    iq_set(who, ROOM, content);
}

static inline size_t results(void)
{
    size_t count = 0;

    for (size_t i = 0; i < t.lines; i++)
        count += strstr(t.line[i], "<result xmlns='" NS_MAM "'") != NULL;
    return count;
}

/* The value behind `mark` in the line; up to the next quote. */
static inline void value_after(const char *line, const char *mark, char out[64])
{
    const char *at = strstr(line, mark);

    assert_non_null(at);
    snprintf(out, 64, "%.*s", (int)strcspn(at + strlen(mark), "'<"), at + strlen(mark));
}
