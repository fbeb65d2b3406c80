/* What an inactive client is told at once (csi.h). */

#include "csi.h"

#include "ns.h"

#define NAMES(name) (1u << STANZA_##name)
#define TYPES(type) (1u << TYPE_##type)
enum { ANY_FLAG = 0, ALL_TYPES = 0xFFFF };

/* What would make somebody look at his phone, or makes the stream go on, is important. The first row that fits
 * decides; a carbon has the flags of what is inside. */
static const struct {
    unsigned    names, types;
    uint32_t    flags;             /* at least one of them; ANY_FLAG: whatever */
    const char *ns;                /* of the first child; NULL: any */
    bool        important;
} rules[] = {
    /* Somebody waits for the answer, or the client asked. */
    { NAMES(IQ), ALL_TYPES, ANY_FLAG, NULL, true },
    /* Who is online, in rooms too, and that presence went nowhere: the latest state is enough, later. */
    { NAMES(PRESENCE), TYPES(NONE) | TYPES(UNAVAILABLE) | TYPES(ERROR), ANY_FLAG, NULL, false },
    /* Subscriptions want a decision. */
    { NAMES(PRESENCE), ALL_TYPES, ANY_FLAG, NULL, true },
    /* What the user wrote did not arrive. */
    { NAMES(MESSAGE), TYPES(ERROR), ANY_FLAG, NULL, true },
    /* Words, readable or not, of persons, rooms (a mention cannot be told from talk when it is encrypted) and
     * operators. A subject also ends the entering of a room. */
    { NAMES(MESSAGE), ALL_TYPES, STANZA_HAS_BODY | STANZA_HAS_SUBJECT | STANZA_ENCRYPTED, NULL, true },
    /* PEP events (XEP-0163), which come as headlines: states, like presence. */
    { NAMES(MESSAGE), TYPES(HEADLINE), ANY_FLAG, NULL, false },
    /* Invitations (XEP-0249, 0045 7.8) and what else rooms say to one person. */
    { NAMES(MESSAGE), ALL_TYPES, ANY_FLAG, NS_CONFERENCE, true },
    { NAMES(MESSAGE), TYPES(NORMAL) | TYPES(CHAT), STANZA_MUC_USER, NULL, true },
    /* A call rings, and stops ringing (XEP-0353). */
    { NAMES(MESSAGE), ALL_TYPES, STANZA_CALL, NULL, true },
    /* Chat states (0085), receipts (0184) and markers (0333) alone, what has no name here. */
    { NAMES(MESSAGE), ALL_TYPES, ANY_FLAG, NULL, false },
};

bool csi_important(const struct stanza *s)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (rules[i].names & 1u << s->name && rules[i].types & 1u << s->type &&
            (!rules[i].flags || s->flags & rules[i].flags) &&
            (!rules[i].ns || slice_is(s->payload_ns, rules[i].ns)))
            return rules[i].important;
    return true;
}
