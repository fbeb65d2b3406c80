/* What is stored (archive_rules.h). Each row answers what it can, the first answer counts. A hint (XEP-0334)
 * is the sender's wish and comes before what we would do ourselves, in the order from "nowhere" to "do". */

#include "archive_rules.h"

enum { NEXT, YES, NO };

enum { ANY_FLAG = 0 };

#define TYPES(type) (1u << TYPE_##type)
enum { ALL_TYPES = 0xFFFF };

static const struct {
    unsigned types;                    /* of messages, 1 << enum stanza_type */
    uint32_t flags;                    /* at least one of them; ANY_FLAG: whatever */
    uint8_t  archive, offline, room;   /* the archive of an account, offline, the archive of a room */
} rules[] = {
    /* 0334 5: hints in errors are those of what came back. 0160 3, 0313 5.1.1.1: errors are nobody's words. */
    { TYPES(ERROR), ANY_FLAG, NO, NO, NO },
    /* 0160 3: who is offline is in no room. 0313 5.1.1.1: "MAY" for an account; the room has it, once. */
    { TYPES(GROUPCHAT), ANY_FLAG, NO, NO, NEXT },
    /* 0160 3: time-sensitive. */
    { TYPES(HEADLINE), ANY_FLAG, NEXT, NO, NEXT },
    /* 0424 5: "MUST store the retraction message". Whoever missed it learns of it here. */
    { TYPES(CHAT) | TYPES(NORMAL) | TYPES(GROUPCHAT), STANZA_RETRACTS, YES, YES, YES },
    /* 0334 4.2: neither permanently nor temporarily. */
    { ALL_TYPES, STANZA_NO_STORE, NO, NO, NO },
    /* 0334 4.1: no archive; for a while, as a part of delivery, is fine. */
    { ALL_TYPES, STANZA_NO_PERM_STORE, NO, NEXT, NO },
    /* 0334 4.4: SHOULD be stored (reactions, calls, retractions: no body, worth keeping). */
    { ALL_TYPES, STANZA_STORE, YES, YES, YES },
    /* 0313 5.1.1.1: "not generally suggested". */
    { TYPES(HEADLINE), ANY_FLAG, NO, NO, NO },
    /* A body that is only there as a fallback (0428) is a body: what it stands for is for clients to know. What we
     * know ourselves has its row above.
     * 0313 5.1.1.1: all normal and chat with a body, private messages of rooms (0045 7.5) among them; 5.1.1.2. */
    { ALL_TYPES, STANZA_HAS_BODY, YES, YES, YES },
    /* 0384, 0380: the body is inside; key transport is needed by the next device, too. */
    { ALL_TYPES, STANZA_ENCRYPTED, YES, YES, YES },
    /* 0313 5.1.1.2: subject changes of a room; of a normal message it is words (RFC 6121 5.2.4). */
    { ALL_TYPES, STANZA_HAS_SUBJECT, YES, YES, YES },
    /* 0184, 0333: other devices learn what was received and read; in a room they are as many as occupants. */
    { ALL_TYPES, STANZA_HAS_RECEIPT | STANZA_HAS_MARKER, YES, YES, NO },
    /* 0045 7.8: an invitation waits for who is invited. */
    { ALL_TYPES, STANZA_MUC_USER, YES, YES, NO },
    /* 0160 3, 0313 3: "state changes such as Chat State Notifications". Carbons (0280) have no body of their
     * own and never come here: they are made when a message has passed. */
    { ALL_TYPES, STANZA_CHAT_STATE | STANZA_EMPTY, NO, NO, NO },
    /* 0160 3: other normal and chat messages SHOULD wait; 0313 3: without meaningful content, no archive. */
    { ALL_TYPES, ANY_FLAG, NO, YES, NO },
};

static void answer(uint8_t *verdict, uint8_t rule)
{
    if (*verdict == NEXT)
        *verdict = rule;
}

struct archive_verdict archive_verdict(enum archive_place place, const struct stanza *s)
{
    uint8_t archive = NEXT, offline = NEXT;

    if (s->name != STANZA_MESSAGE)
        return (struct archive_verdict){ false, false };
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (rules[i].types & 1u << s->type && (!rules[i].flags || s->flags & rules[i].flags)) {
            answer(&archive, place == ARCHIVE_OF_ROOM ? rules[i].room : rules[i].archive);
            answer(&offline, rules[i].offline);
        }
    return (struct archive_verdict){ archive == YES, offline == YES && place == ARCHIVE_OF_ACCOUNT };
}
