#pragma once

/* XEP-0045 section 5: roles, affiliations and what they may, as tables. Pure. */

#include "err.h"
#include "slice.h"

/* In the order of their power. (enum role of proto/ is a daemon's.) */
enum muc_role { MUC_NONE, MUC_VISITOR, MUC_PARTICIPANT, MUC_MODERATOR, MUC_ROLES };
enum affiliation { AFF_OUTCAST, AFF_NONE, AFF_MEMBER, AFF_ADMIN, AFF_OWNER, AFFILIATIONS };

/* 5.1.1, in the order of its table. */
enum role_privilege {
    MAY_BE_PRESENT,
    MAY_RECEIVE_MESSAGES,
    MAY_RECEIVE_PRESENCE,
    MAY_BROADCAST_PRESENCE,
    MAY_CHANGE_AVAILABILITY,
    MAY_CHANGE_NICK,
    MAY_SEND_PRIVATE,
    MAY_INVITE,
    MAY_SPEAK,
    MAY_SET_SUBJECT,
    MAY_KICK,
    MAY_GRANT_VOICE,
    MAY_REVOKE_VOICE,
    ROLE_PRIVILEGES
};

/* 5.2.1, in the order of its table. */
enum affiliation_privilege {
    MAY_ENTER_OPEN,
    MAY_REGISTER,
    MAY_GET_MEMBERS,
    MAY_ENTER_MEMBERS_ONLY,
    MAY_BAN,
    MAY_EDIT_MEMBERS,
    MAY_SET_MODERATORS,
    MAY_EDIT_ADMINS,
    MAY_EDIT_OWNERS,
    MAY_CONFIGURE,
    MAY_DESTROY,
    AFFILIATION_PRIVILEGES
};

/* NOT_YET: the configuration can grant it ("No*"); UNLESS: it can take it away ("Yes*"). */
enum verdict { NO, NOT_YET, UNLESS, YES };

enum verdict role_verdict(enum muc_role role, enum role_privilege what);
bool         affiliation_may(enum affiliation affiliation, enum affiliation_privilege what);
/* 5.1.2; MUC_NONE: may not enter. */
enum muc_role role_on_entry(enum affiliation affiliation, bool moderated, bool members_only);

/* 5.1.3, 8.2-8.4, 9.6, 9.7. Who acts upon whom. */
struct rank {
    enum muc_role    role;
    enum affiliation affiliation;
};
/* ZE_OK, ZE_FORBIDDEN (no such right), ZE_NOT_ALLOWED (not upon somebody of that rank). */
enum zerr role_change(struct rank actor, struct rank target, enum muc_role to);
/* 5.2.2. `self`: the actor changes himself; `last_owner`: the target is the only owner.
 * ZE_OK, ZE_FORBIDDEN, ZE_NOT_ALLOWED, ZE_CONFLICT (bans himself; nobody would own the room). */
enum zerr affiliation_change(enum affiliation actor, enum affiliation target, enum affiliation to, bool self,
                             bool last_owner);

/* The names of the document: "moderator", "none"; -1 for anything else. */
const char *role_text(enum muc_role role);
const char *affiliation_text(enum affiliation affiliation);
int         role_from_text(struct slice name);
int         affiliation_from_text(struct slice name);
