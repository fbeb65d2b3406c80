#pragma once

/* The configuration of a room, one row an option (XEP-0045 10.1.3, 15.5.3).
 * X(NAME, kind, field, default, least, most, label)
 * TEXT: bytes up to `most`; SECRET: the same, never shown but to owners; BOOL; COUNT: a number;
 * CHOICE: place in the list of choices (config.c). The names are on-disk format: never reuse one. */

#include "buf.h"
#include "element.h"
#include "err.h"
#include "mem.h"
#include "settings.h"

#define ROOM_CONFIG(X)                                                                                          \
    X(NAME,         TEXT,   "muc#roomconfig_roomname",              0, 0, 256,  "Natural-language room name")   \
    X(DESCRIPTION,  TEXT,   "muc#roomconfig_roomdesc",              0, 0, 1024, "Short description of the room") \
    X(LANG,         TEXT,   "muc#roomconfig_lang",                  0, 0, 35,   "Natural language of the discussions") \
    X(PERSISTENT,   BOOL,   "muc#roomconfig_persistentroom",        0, 0, 1,    "Make the room persistent?")    \
    X(PUBLIC,       BOOL,   "muc#roomconfig_publicroom",            1, 0, 1,    "Make the room publicly searchable?") \
    X(MEMBERS_ONLY, BOOL,   "muc#roomconfig_membersonly",           0, 0, 1,    "Make the room members-only?")  \
    X(MODERATED,    BOOL,   "muc#roomconfig_moderatedroom",         0, 0, 1,    "Make the room moderated?")     \
    X(PROTECTED,    BOOL,   "muc#roomconfig_passwordprotectedroom", 0, 0, 1,    "Password required to enter?")  \
    X(PASSWORD,     SECRET, "muc#roomconfig_roomsecret",            0, 0, 256,  "Password")                     \
    X(WHOIS,        CHOICE, "muc#roomconfig_whois",                 0, 0, 1,    "Who may discover real JIDs?")  \
    X(SUBJECT,      BOOL,   "muc#roomconfig_changesubject",         0, 0, 1,    "Allow occupants to change the subject?") \
    X(INVITES,      BOOL,   "muc#roomconfig_allowinvites",          0, 0, 1,    "Allow members to invite others?") \
    X(PRIVATE,      CHOICE, "muc#roomconfig_allowpm",               0, 0, 3,    "Who can send private messages?") \
    X(OCCUPANTS,    COUNT,  "muc#roomconfig_maxusers",              0, 0, 100000, "Maximum number of occupants (0: the service's)") \
    X(HISTORY,      COUNT,  "muc#maxhistoryfetch",                  0, 0, 500,  "Messages of history sent to who enters")

enum config_key {
#define X(name, kind, field, def, least, most, label) CONFIG_##name,
    ROOM_CONFIG(X)
#undef X
    CONFIG_KEYS
};

enum whois { WHOIS_MODERATORS, WHOIS_ANYONE };
enum allow_pm { PM_ANYONE, PM_PARTICIPANTS, PM_MODERATORS, PM_NOBODY };

struct config {
    long  number[CONFIG_KEYS];
    char *text[CONFIG_KEYS];          /* owned; NULL = empty */
};

void         config_init(struct config *c, const struct settings_rooms *service);
void         config_free(struct config *c);
void         config_copy(struct config *to, const struct config *from);
struct slice config_text(const struct config *c, enum config_key key);

/* The submitted form over *c. Unknown fields and absent ones change nothing. ZE_BAD_REQUEST: not a
 * form of this type, or a value out of its range; ZE_NOT_ACCEPTABLE: a combination that makes no sense.
 * On an error *c is untouched. */
enum zerr config_submit(struct config *c, struct arena *arena, const struct element *form);
/* Appends the <x/> of type form. */
void config_form(const struct config *c, struct slice room_jid, struct buf *out);

/* As the store has it: u16 count, then sized field, sized value each. */
void config_encode(const struct config *c, struct buf *out);
/* ZE_STORE when malformed. *c must be initialised. */
struct cursor;
enum zerr config_decode(struct config *c, struct cursor *in);

/* Decimal; false: no digits, more than nine, or over `most`. */
bool parse_count(struct slice text, long most, long *out);
