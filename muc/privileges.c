/* XEP-0045 section 5 as tables. Every line of a table is a line of the document. */

#include "privileges.h"

/* 5.1.1:                       none visitor participant moderator */
static const uint8_t by_role[ROLE_PRIVILEGES][MUC_ROLES] = {
    [MAY_BE_PRESENT]          = { NO, YES,     YES,    YES },
    [MAY_RECEIVE_MESSAGES]    = { NO, YES,     YES,    YES },
    [MAY_RECEIVE_PRESENCE]    = { NO, YES,     YES,    YES },
    [MAY_BROADCAST_PRESENCE]  = { NO, UNLESS,  YES,    YES },
    [MAY_CHANGE_AVAILABILITY] = { NO, UNLESS,  YES,    YES },
    [MAY_CHANGE_NICK]         = { NO, UNLESS,  YES,    YES },
    [MAY_SEND_PRIVATE]        = { NO, UNLESS,  YES,    YES },
    [MAY_INVITE]              = { NO, UNLESS,  UNLESS, YES },
    [MAY_SPEAK]               = { NO, NO,      YES,    YES },
    [MAY_SET_SUBJECT]         = { NO, NOT_YET, UNLESS, YES },
    [MAY_KICK]                = { NO, NO,      NO,     YES },
    [MAY_GRANT_VOICE]         = { NO, NO,      NO,     YES },
    [MAY_REVOKE_VOICE]        = { NO, NO,      NO,     YES },
};

/* 5.2.1: outcast none member admin owner. "N/A" of registration is no. */
static const bool by_affiliation[AFFILIATION_PRIVILEGES][AFFILIATIONS] = {
    [MAY_ENTER_OPEN]         = { false, true,  true,  true,  true },
    [MAY_REGISTER]           = { false, true,  false, false, false },
    [MAY_GET_MEMBERS]        = { false, false, true,  true,  true },
    [MAY_ENTER_MEMBERS_ONLY] = { false, false, true,  true,  true },
    [MAY_BAN]                = { false, false, false, true,  true },
    [MAY_EDIT_MEMBERS]       = { false, false, false, true,  true },
    [MAY_SET_MODERATORS]     = { false, false, false, true,  true },
    [MAY_EDIT_ADMINS]        = { false, false, false, false, true },
    [MAY_EDIT_OWNERS]        = { false, false, false, false, true },
    [MAY_CONFIGURE]          = { false, false, false, false, true },
    [MAY_DESTROY]            = { false, false, false, false, true },
};

/* 5.1.2: outcast none member admin owner. */
static const uint8_t entry_moderated[AFFILIATIONS] = { MUC_NONE, MUC_VISITOR, MUC_PARTICIPANT, MUC_MODERATOR,
                                                       MUC_MODERATOR };
static const uint8_t entry_open[AFFILIATIONS] = { MUC_NONE, MUC_PARTICIPANT, MUC_PARTICIPANT, MUC_MODERATOR,
                                                  MUC_MODERATOR };

/* 5.2.2: from (row) to (column): the least affiliation of who may do it. */
static const uint8_t change_needs[AFFILIATIONS][AFFILIATIONS] = {
    [AFF_OUTCAST] = { AFF_ADMIN, AFF_ADMIN, AFF_ADMIN, AFF_OWNER, AFF_OWNER },
    [AFF_NONE]    = { AFF_ADMIN, AFF_ADMIN, AFF_ADMIN, AFF_OWNER, AFF_OWNER },
    [AFF_MEMBER]  = { AFF_ADMIN, AFF_ADMIN, AFF_ADMIN, AFF_OWNER, AFF_OWNER },
    [AFF_ADMIN]   = { AFF_OWNER, AFF_OWNER, AFF_OWNER, AFF_OWNER, AFF_OWNER },
    [AFF_OWNER]   = { AFF_OWNER, AFF_OWNER, AFF_OWNER, AFF_OWNER, AFF_OWNER },
};

static const char *const role_names[MUC_ROLES] = { "none", "visitor", "participant", "moderator" };
static const char *const affiliation_names[AFFILIATIONS] = { "outcast", "none", "member", "admin", "owner" };

enum verdict role_verdict(enum muc_role role, enum role_privilege what)
{
    return (enum verdict)by_role[what][role];
}

bool affiliation_may(enum affiliation affiliation, enum affiliation_privilege what)
{
    return by_affiliation[what][affiliation];
}

enum muc_role role_on_entry(enum affiliation affiliation, bool moderated, bool members_only)
{
    if (members_only && !affiliation_may(affiliation, MAY_ENTER_MEMBERS_ONLY))
        return MUC_NONE;
    return (enum muc_role)(moderated ? entry_moderated : entry_open)[affiliation];
}

static enum zerr change_of_moderator(struct rank actor, struct rank target, enum muc_role to)
{
    if (!affiliation_may(actor.affiliation, MAY_SET_MODERATORS))
        return to == MUC_NONE ? ZE_NOT_ALLOWED : ZE_FORBIDDEN;
    /* 9.7: an admin or owner stays a moderator as long as he is one. */
    if (to != MUC_MODERATOR && to != MUC_NONE && target.affiliation >= AFF_ADMIN)
        return ZE_NOT_ALLOWED;
    return ZE_OK;
}

enum zerr role_change(struct rank actor, struct rank target, enum muc_role to)
{
    if (actor.role != MUC_MODERATOR && !affiliation_may(actor.affiliation, MAY_SET_MODERATORS))
        return ZE_FORBIDDEN;
    if (to == target.role)
        return ZE_OK;
    if (target.affiliation > actor.affiliation && to < target.role)
        return ZE_NOT_ALLOWED;
    if (to == MUC_MODERATOR || target.role == MUC_MODERATOR)
        return change_of_moderator(actor, target, to);
    /* 8.4: never from an admin or owner, nor from one of the moderator's own level or above. "none" is
     * no level here: an unaffiliated moderator could not do his work else. */
    if (to == MUC_VISITOR && (target.affiliation >= AFF_ADMIN ||
                              (target.affiliation >= actor.affiliation && target.affiliation > AFF_NONE)))
        return ZE_NOT_ALLOWED;
    return ZE_OK;
}

enum zerr affiliation_change(enum affiliation actor, enum affiliation target, enum affiliation to, bool self,
                             bool last_owner)
{
    if (!affiliation_may(actor, MAY_EDIT_MEMBERS))
        return ZE_FORBIDDEN;
    if (self && to == AFF_OUTCAST)
        return ZE_CONFLICT;
    if (target == to)
        return ZE_OK;
    if (actor < change_needs[target][to])
        return target >= AFF_ADMIN ? ZE_NOT_ALLOWED : ZE_FORBIDDEN;
    if (target == AFF_OWNER && last_owner)
        return ZE_CONFLICT;
    return ZE_OK;
}

const char *role_text(enum muc_role role)
{
    return role_names[role];
}

const char *affiliation_text(enum affiliation affiliation)
{
    return affiliation_names[affiliation];
}

static int place_of(struct slice name, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (slice_is(name, names[i]))
            return i;
    return -1;
}

int role_from_text(struct slice name)
{
    return place_of(name, role_names, MUC_ROLES);
}

int affiliation_from_text(struct slice name)
{
    return place_of(name, affiliation_names, AFFILIATIONS);
}
