#pragma once

/* A stanza as it travels (DESIGN.md 2.4): header fields, and the content: the bytes between start
 * and end tag, untouched, standing alone (default namespace jabber:client, no prefix from outside).
 * from, to, id, type and lang exist only in the header. All slices are borrowed. */

#include "slice.h"

enum stanza_name { STANZA_NONE, STANZA_MESSAGE, STANZA_PRESENCE, STANZA_IQ };

/* X(NAME, number on the wire, text, stanza names it is legal for as bits 1<<stanza_name)
 * A message of unknown type is NORMAL (RFC 6121 5.2.2); NONE is presence without a type. */
#define STANZA_TYPES(X)                        \
    X(NONE,          0, "",             1 << STANZA_PRESENCE) \
    X(NORMAL,        1, "normal",       1 << STANZA_MESSAGE)  \
    X(CHAT,          2, "chat",         1 << STANZA_MESSAGE)  \
    X(GROUPCHAT,     3, "groupchat",    1 << STANZA_MESSAGE)  \
    X(HEADLINE,      4, "headline",     1 << STANZA_MESSAGE)  \
    X(ERROR,         5, "error",        1 << STANZA_MESSAGE | 1 << STANZA_PRESENCE | 1 << STANZA_IQ) \
    X(GET,           6, "get",          1 << STANZA_IQ)       \
    X(SET,           7, "set",          1 << STANZA_IQ)       \
    X(RESULT,        8, "result",       1 << STANZA_IQ)       \
    X(UNAVAILABLE,   9, "unavailable",  1 << STANZA_PRESENCE) \
    X(SUBSCRIBE,    10, "subscribe",    1 << STANZA_PRESENCE) \
    X(SUBSCRIBED,   11, "subscribed",   1 << STANZA_PRESENCE) \
    X(UNSUBSCRIBE,  12, "unsubscribe",  1 << STANZA_PRESENCE) \
    X(UNSUBSCRIBED, 13, "unsubscribed", 1 << STANZA_PRESENCE) \
    X(PROBE,        14, "probe",        1 << STANZA_PRESENCE)

enum stanza_type {
#define X(name, number, text, legal) TYPE_##name = number,
    STANZA_TYPES(X)
#undef X
    TYPE_COUNT,
};

/* What the border daemon saw among the first-level children; sm recomputes nothing from trust:
 * a flag decides only what the sender could have decided himself. */
enum stanza_flag {
    STANZA_HAS_BODY      = 1 << 0,    /* a non-empty or empty <body/> */
    STANZA_HAS_SUBJECT   = 1 << 1,
    STANZA_HAS_THREAD    = 1 << 2,
    STANZA_NO_STORE      = 1 << 3,    /* XEP-0334 */
    STANZA_NO_PERM_STORE = 1 << 4,
    STANZA_NO_COPY       = 1 << 5,
    STANZA_STORE         = 1 << 6,
    STANZA_PRIVATE       = 1 << 7,    /* XEP-0280 */
    STANZA_HAS_DELAY     = 1 << 8,    /* XEP-0203 */
    STANZA_HAS_ID        = 1 << 9,    /* XEP-0359 stanza-id present (perhaps forged) */
    STANZA_CHAT_STATE    = 1 << 10,   /* XEP-0085 */
    STANZA_HAS_RECEIPT   = 1 << 11,   /* XEP-0184 */
    STANZA_HAS_MARKER    = 1 << 12,   /* XEP-0333 */
    STANZA_ENCRYPTED     = 1 << 13,   /* XEP-0384, 0380 */
    STANZA_MUC_USER      = 1 << 14,   /* XEP-0045 muc#user */
    STANZA_EMPTY         = 1 << 15,   /* no child element */
    STANZA_MANY          = 1 << 16,   /* more than one child element */
    /* Not of the content: sm to c2sd, a copy of a record that waits in the ledger (sm/offline.h) until the
     * client has acknowledged it. Nothing is lost when the copy is; the frame's trace names the record. */
    STANZA_WAITS         = 1 << 17,
    /* Likewise: a carbon (XEP-0280); who the message is for has it in another way. */
    STANZA_COPY          = 1 << 18,
    STANZA_RETRACTS      = 1 << 19,   /* XEP-0424 retract */
    /* Of a record only: its content was retracted (retract.h). */
    STANZA_TOMBSTONE     = 1 << 20,
    STANZA_CALL          = 1 << 21,   /* XEP-0353, any step of it */
    STANZA_RINGS         = 1 << 22,   /* its propose */
};

struct stanza {
    uint8_t      name;            /* enum stanza_name */
    uint8_t      type;            /* enum stanza_type */
    uint32_t     flags;           /* enum stanza_flag */
    struct slice from, to;        /* canonical JIDs (RFC 7622); empty = absent */
    struct slice id, lang;        /* as sent, unescaped */
    struct slice payload_ns;      /* of the first child element; empty = none */
    struct slice payload_name;
    struct slice content;         /* XML */
};

const char *stanza_name_text(unsigned name);       /* "message" */
const char *stanza_type_text(unsigned type);       /* "chat"; "" for NONE */
/* -1: not legal for this stanza name (an iq without type, a presence of unknown type). An empty
 * text is NORMAL for a message, NONE for a presence. */
int stanza_type_parse(unsigned name, struct slice text);
