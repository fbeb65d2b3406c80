#pragma once

/* What a room says about an occupant: presence with the muc#user extension (XEP-0045 7.2, 13.2). */

#include "room.h"

struct notice {
    uint8_t         type;          /* TYPE_NONE or TYPE_UNAVAILABLE */
    struct slice    payload;       /* the occupant's own; may be empty */
    const unsigned *codes;         /* to everybody, 0-ended; NULL: none */
    const unsigned *self_codes;    /* more, to the occupant's own sessions (110 goes there anyway) */
    struct slice    jid;           /* full JID when not that of the main session */
    struct slice    new_nick;      /* 303; also then the role stays */
    struct slice    actor;         /* nick */
    struct slice    reason;        /* plain text */
    struct slice    extra;         /* XML inside <x/>, after the item */
    struct slice    id;
};

/* The occupant as he is now, with his last presence. */
struct notice notice_now(const struct occupant *who);
/* The notice to one session, as somebody else sees it, or as self-presence. */
void notice_to(struct outcome *o, const struct session *to, const struct occupant *who, const struct notice *n,
               bool self);
/* To all sessions of the occupant but `except` (may be NULL). */
void notice_to_self(struct outcome *o, const struct occupant *who, const struct notice *n,
                    const struct session *except);
/* To all other occupants: one content for who sees real JIDs, one for the rest. */
void notice_to_others(struct outcome *o, const struct occupant *who, const struct notice *n);

/* Payload of a presence without what only the room may say: muc, muc#user. In the arena. */
struct slice presence_payload(struct arena *arena, const struct element *content);
