#pragma once

/* One stanza being handled, with everything its handler may need to know. */

#include "presence.h"
#include "rooms.h"

enum target { TO_SERVICE = 1, TO_ROOM = 2, TO_OCCUPANT = 4 };

struct request {
    struct muc                  *muc;
    const struct settings_rooms *service;
    struct outcome              *out;
    enum target                  target;
    struct room                 *room;        /* NULL: there is none of that name */
    struct session              *session;     /* the sender's, in that room; NULL: not there */
    struct slice                 room_jid, nick;   /* of `to` */
    struct slice                 sender;      /* bare JID of `from` */
    struct address               home;        /* the life of the daemon it came through */
    struct stanza                s;           /* its content is proven */
    struct buf                  *reply;       /* content of the IQ result */
    struct search               *search;      /* mam.c: it goes on; NULL: it is new */
    bool                         answered;
};

/* The content as a tree, in the arena. NULL: over the limits. */
const struct element *request_tree(const struct request *r);
/* Sends the result of an IQ now. */
void request_answer(struct request *r);
/* The sender's affiliation with the room; AFF_NONE when there is no room. */
enum affiliation request_affiliation(const struct request *r);
struct rank      request_rank(const struct request *r);
/* Binds the outcome to a room made while handling. */
void request_room(struct request *r, struct room *room);
/* One more message or presence of this occupant (XEP-0045 14.6). ZE_FULL: too fast. */
enum zerr request_rate(struct request *r, double cost);

/* ---- the handlers of messages and presence (rows of dispatch.c) ---- */
typedef enum zerr stanza_handler(struct request *r);

stanza_handler enter_room;             /* enter.c: available presence to room/nick */
stanza_handler enter_without_nick;
stanza_handler leave_room;             /* leave.c: unavailable */
stanza_handler leave_by_error;         /* an error from an occupant */
stanza_handler message_to_room;        /* message.c: groupchat */
stanza_handler message_private;
stanza_handler message_groupchat_to_one;
stanza_handler invite_or_decline;      /* invite.c: normal message to the room */
stanza_handler forward_iq;             /* forward.c */
stanza_handler forward_reply;

/* leave.c: takes the session out of its room; the occupant too when it was the last. `codes` 0-ended. */
void leave_session(struct outcome *o, struct session *session, struct slice payload, const unsigned *codes);
/* The whole occupant, in two steps, so that the asker can be answered between them (8.2).
 * n->type is UNAVAILABLE. */
void leave_tell_self(struct outcome *o, struct occupant *who, const struct notice *n);
void leave_tell_others(struct outcome *o, struct occupant *who, const struct notice *n);   /* frees who */
/* A creator who leaves before the configuration ends the room (10.1.3). */
void leave_check_locked(struct outcome *o, struct room *room);
/* True when an error of this condition means that nobody is there (16.1.2). */
bool leave_is_lost(enum zerr err);

/* forward.c: frees the questions nobody will answer any more. */
void forward_forget_all(struct muc *m);

/* mam.c: searches that were there before the process, when there is a route table; frees those that go on. */
void searches_go_on(struct muc *m);
void searches_forget(struct muc *m);

/* invite.c */
void invite_send(struct room *room, struct outcome *o, struct slice invitee, struct slice inviter, struct slice reason);
/* owner.c: tells everybody and removes the room. venue, reason: may be empty. */
void destroy_room(struct outcome *o, struct room *room, struct slice venue, struct slice reason,
                  struct slice password);
/* admin.c: kick by the operator. False: no such nick. */
bool admin_kick(struct outcome *o, struct room *room, struct slice nick, struct slice reason);
