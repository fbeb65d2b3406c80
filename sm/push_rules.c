/* Tables of push (push_rules.h). */

#include "push_rules.h"

#include "ns.h"

#define TYPES(type) (1u << TYPE_##type)
enum { ANY_FLAG = 0, ALL_TYPES = 0xFFFF };

/* ---- what ---- */

static const struct {
    unsigned    types;             /* of messages */
    uint32_t    flags;             /* at least one of them; ANY_FLAG: whatever */
    const char *ns;                /* of the first child; NULL: any */
    bool        worthy;
} contents[] = {
    /* The client hears of it when it is back; PEP events and announcements are for who is there. */
    { TYPES(ERROR) | TYPES(HEADLINE), ANY_FLAG, NULL, false },
    /* 0334 4.2: it is not even kept. */
    { ALL_TYPES, STANZA_NO_STORE, NULL, false },
    /* A waiting message handed out: it was told of when it came. */
    { ALL_TYPES, STANZA_WAITS, NULL, false },
    /* XEP-0353 3.1: a call that is proposed rings; what becomes of it is for devices that ring already. */
    { ALL_TYPES, STANZA_RINGS, NULL, true },
    { ALL_TYPES, STANZA_CALL, NULL, false },
    /* Words, readable or not; of rooms to who is in them. */
    { ALL_TYPES, STANZA_HAS_BODY | STANZA_ENCRYPTED, NULL, true },
    /* Invitations (0249, 0045 7.8). */
    { ALL_TYPES, ANY_FLAG, NS_CONFERENCE, true },
    { TYPES(NORMAL), STANZA_MUC_USER, NULL, true },
    /* Chat states, receipts, markers, subjects of rooms. */
    { ALL_TYPES, ANY_FLAG, NULL, false },
};

bool push_worthy(const struct stanza *s)
{
    for (size_t i = 0; s->name == STANZA_MESSAGE && i < COUNT_OF(contents); i++)
        if (contents[i].types & 1u << s->type && (!contents[i].flags || s->flags & contents[i].flags) &&
            (!contents[i].ns || slice_is(s->payload_ns, contents[i].ns)))
            return contents[i].worthy;
    return false;
}

/* ---- to whom ---- */

static const struct push_verdict verdicts[PUSH_CLIENTS][2][2] = {
    /*                     nobody awake gets it                    somebody awake gets it */
    [CLIENT_AWAY] = {
        [false] = { { true, "no client is awake" },          { false, "another client is awake" } },
        [true]  = { { true, "no client is awake" },          { false, "another client is awake" } },
    },
    [CLIENT_ASLEEP] = {
        [false] = { { true, "no client is awake" },          { false, "another client is awake" } },
        [true]  = { { true, "the client sleeps" },           { true, "the client sleeps" } },
    },
    [CLIENT_AWAKE] = {
        [false] = { { false, "the client is awake" },        { false, "the client is awake" } },
        [true]  = { { false, "the client is awake" },        { false, "the client is awake" } },
    },
};

struct push_verdict push_verdict(enum push_client client, bool got, bool awake)
{
    return verdicts[client][got][awake];
}

/* ---- errors ---- */

/* Conditions that say that the service cannot be reached or cannot do it now, whatever type they came with. */
static const char *const temporary[] = {
    "remote-server-not-found", "remote-server-timeout", "service-unavailable", "internal-server-error",
    "resource-constraint", "recipient-unavailable", "undefined-condition",
};

/* RFC 6120 8.3.2: auth and cancel are final; wait, modify and continue are not. */
enum push_fate push_fate(struct slice type, struct slice condition)
{
    for (size_t i = 0; i < COUNT_OF(temporary); i++)
        if (slice_is(condition, temporary[i]))
            return PUSH_RETRY;
    return slice_is(type, "cancel") || slice_is(type, "auth") ? PUSH_DROP : PUSH_RETRY;
}

uint64_t push_backoff_ms(unsigned failures, unsigned first_seconds)
{
    enum { MOST_MS = 3600 * 1000 };
    uint64_t ms = first_seconds * 1000ull;

    for (unsigned i = 1; i < failures && ms < MOST_MS; i++)
        ms *= 2;
    return ms < MOST_MS ? ms : MOST_MS;
}
