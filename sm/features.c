/* What this server does for an account.
 * THE ORDER IS THE ORDER IN WHICH A STANZA PASSES. What is blocked goes no further (XEP-0191 3.3).
 * Subscription sees its four presence types before presence sees the rest; both come before delivery. Archive
 * sees what nobody took or refused; carbons copy what was archived, with its id. At login, waiting subscription
 * requests (RFC 6121
 * 3.1.3) come before waiting messages (XEP-0160). At the end of an account the contacts are told first
 * (register -> roster), then the rows go. */

#include "feature.h"

#define FEATURES(X)                        \
    X(anonymous)     /* XEP-0175: what a session without an account may not do is refused before all else */ \
    X(blocking)      /* XEP-0191 */         \
    X(reports)       /* XEP-0377 */         \
    X(groups)        /* shared roster groups */ \
    X(roster)        /* RFC 6121 2 */       \
    X(pep)           /* XEP-0163, 0060: sees subscriptions that are granted, and takes answers to its forms */ \
    X(subscription)  /* RFC 6121 3 */       \
    X(last)          /* XEP-0012 */         \
    X(avatars)       /* XEP-0398: completes presence before it is kept and shown */ \
    X(presence)      /* RFC 6121 4 */       \
    X(caps)          /* XEP-0115, 0390: takes the answers to its questions */ \
    X(archive)       /* XEP-0313, 0359 */   \
    X(carbons)       /* XEP-0280 */         \
    X(csi)           /* XEP-0352 */         \
    X(push)          /* XEP-0357 */         \
    X(offline)       /* XEP-0160 */         \
    X(offline_retrieval) /* XEP-0013 */     \
    X(mam)           /* XEP-0313 */         \
    X(retraction)    /* XEP-0424 */         \
    X(preferences)   /* XEP-0441 */         \
    X(archive_command) /* XEP-0441 2.2 */   \
    X(data_policy)   /* XEP-0504 */         \
    X(disco)         /* XEP-0030 */         \
    X(register)      /* XEP-0077 */         \
    X(commands)      /* XEP-0050 */         \
    X(admin)         /* XEP-0133 */         \
    X(notices)       /* XEP-0133 4.23 */    \
    X(clients)       /* rows of XEP-0494, tokens of XEP-0484 */ \
    X(cam)           /* XEP-0494 */         \
    X(account_commands) /* XEP-0050: one's own account */ \
    X(contacts)      /* XEP-0157, 0455 */   \
    X(external_services) /* XEP-0215 */     \
    X(search)        /* XEP-0055 */         \
    X(ping)          /* XEP-0199 */         \
    X(version)       /* XEP-0092 */         \
    X(time)          /* XEP-0202 */         \
    X(vcard)         /* XEP-0054 */         \
    X(vcard4)        /* XEP-0292 */         \
    X(bookmarks)     /* XEP-0402, 0411 */   \
    X(private)       /* XEP-0049 */

#define X(name) extern const struct sm_feature sm_##name;
FEATURES(X)
#undef X

const struct sm_feature *const sm_features[] = {
#define X(name) &sm_##name,
    FEATURES(X)
#undef X
};

const size_t sm_feature_count = COUNT_OF(sm_features);

void features_register_stats(void)
{
    for (size_t i = 0; i < sm_feature_count; i++)
        if (sm_features[i]->stats)
            stats_register(sm_features[i]->stats);
}

void features_online(struct passage *p, struct session *s)
{
    for (size_t i = 0; i < sm_feature_count; i++)
        if (sm_features[i]->online && feature_sees(sm_features[i], p))
            sm_features[i]->online(p, s);
}

void features_receptive(struct passage *p, struct session *s)
{
    for (size_t i = 0; i < sm_feature_count; i++)
        if (sm_features[i]->receptive && feature_sees(sm_features[i], p))
            sm_features[i]->receptive(p, s);
}

void features_caps_known(struct sm *sm, struct slice owner, struct slice full, struct slice nodes)
{
    for (size_t i = 0; i < sm_feature_count; i++)
        if (sm_features[i]->caps_known)
            sm_features[i]->caps_known(sm, owner, full, nodes);
}

void features_contact_changed(struct sm *sm, enum zerr err, struct slice owner, struct slice contact)
{
    for (size_t i = 0; !err && i < sm_feature_count; i++)
        if (sm_features[i]->contact_changed)
            sm_features[i]->contact_changed(sm, owner, contact);
}

void features_offline(struct passage *p, struct session *s)
{
    for (size_t i = 0; i < sm_feature_count; i++)
        if (sm_features[i]->offline && feature_sees(sm_features[i], p))
            sm_features[i]->offline(p, s);
}

void features_removed(struct passage *p)
{
    for (size_t i = 0; i < sm_feature_count; i++)
        if (sm_features[i]->removed)
            sm_features[i]->removed(p);
}
