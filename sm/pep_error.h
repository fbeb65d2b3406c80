#pragma once

/* Errors of XEP-0060 with the condition that explains them (its namespace pubsub#errors).
 * X(NAME, enum zerr, condition or NULL, feature of <unsupported/> or NULL) */

#include "feature.h"

#define PEP_ERRORS(X)                                                                                   \
    X(NODEID_REQUIRED,       ZE_BAD_REQUEST,    "nodeid-required", NULL)                  /* 7.2.3.3 */ \
    X(ITEM_REQUIRED,         ZE_BAD_REQUEST,    "item-required", NULL)                    /* 7.1.3.6 */ \
    X(ITEM_FORBIDDEN,        ZE_BAD_REQUEST,    "item-forbidden", NULL)                   /* 7.1.3.6 */ \
    X(PAYLOAD_REQUIRED,      ZE_BAD_REQUEST,    "payload-required", NULL)                 /* 7.1.3.6 */ \
    X(INVALID_PAYLOAD,       ZE_BAD_REQUEST,    "invalid-payload", NULL)                  /* 7.1.3.5 */ \
    X(PAYLOAD_TOO_BIG,       ZE_NOT_ACCEPTABLE, "payload-too-big", NULL)                  /* 7.1.3.4 */ \
    X(NODE_FULL,             ZE_CONFLICT,       "node-full", NULL)                        /* 7.1.3.4 */ \
    X(PRECONDITION,          ZE_CONFLICT,       "precondition-not-met", NULL)             /* 7.1.5 */   \
    X(INVALID_OPTIONS,       ZE_BAD_REQUEST,    "invalid-options", NULL)                  /* 7.1.5 */   \
    X(MAX_NODES,             ZE_FULL,           "max-nodes-exceeded", NULL)               /* 8.1.1.4 */ \
    X(NO_ROOM,               ZE_FULL,           NULL, NULL)             /* limits.pep_bytes_max */      \
    X(LONG_ID,               ZE_BAD_REQUEST,    NULL, NULL)             /* longer than a JID's part */  \
    X(ACCESS_MODEL,          ZE_NOT_ACCEPTABLE, "unsupported-access-model", NULL)         /* 8.1.2 */   \
    X(NO_COLLECTIONS,        ZE_FEATURE,        "unsupported", "collections")        /* XEP-0248 7.1 */ \
    X(NO_PERSISTENT_ITEMS,   ZE_FEATURE,        "unsupported", "persistent-items")        /* 6.5.9.4 */ \
    X(NO_SUBSCRIBE,          ZE_FEATURE,        "unsupported", "subscribe")               /* 6.1.3.10 */\
    X(JID_REQUIRED,          ZE_BAD_REQUEST,    "jid-required", NULL)                     /* 6.3.4.3 */ \
    X(INVALID_SUBID,         ZE_NOT_ACCEPTABLE, "invalid-subid", NULL)                    /* 6.2.3.5 */ \
    X(NO_PUBLISHER,          ZE_FEATURE,        "unsupported", "publisher-affiliation")   /* 8.9.2.4 */ \
    X(NO_PUBLISH_ONLY,       ZE_FEATURE,        "unsupported", "publish-only-affiliation") /* 8.9.2.4 */\
    X(INVALID_JID,           ZE_BAD_REQUEST,    "invalid-jid", NULL)                      /* 6.1.3.1 */ \
    X(PRESENCE_REQUIRED,     ZE_NOT_AUTHORIZED, "presence-subscription-required", NULL)   /* 6.1.3.2 */ \
    X(NOT_IN_GROUP,          ZE_NOT_AUTHORIZED, "not-in-roster-group", NULL)              /* 6.1.3.3 */ \
    X(CLOSED_NODE,           ZE_NOT_ALLOWED,    "closed-node", NULL)                      /* 6.1.3.4 */ \
    X(PENDING,               ZE_NOT_AUTHORIZED, "pending-subscription", NULL)             /* 6.1.3.7 */ \
    X(OUTCAST,               ZE_FORBIDDEN,      NULL, NULL)                               /* 6.1.3.8 */ \
    X(TOO_MANY,              ZE_POLICY,         "too-many-subscriptions", NULL)           /* 6.1.3.9 */ \
    X(NOT_SUBSCRIBED,        ZE_UNEXPECTED,     "not-subscribed", NULL)                   /* 6.2.3.2 */ \
    X(SUBSCRIBERS_ONLY,      ZE_NOT_AUTHORIZED, "not-subscribed", NULL)                   /* 6.5.9.3 */

enum pep_error {
    PEP_OK,
#define X(name, err, condition, feature) PEP_E_##name,
    PEP_ERRORS(X)
#undef X
    PEP_ERROR_COUNT,
};

/* What a field of a configuration that was not taken means (pep_config_read); err: where it means nothing more. */
enum zerr pep_fail_field(struct passage *p, enum zerr err, struct slice refused);
/* Returns the error for the dispatcher; its condition is in p->out (outcome_detail). PEP_OK: ZE_OK. */
enum zerr pep_fail(struct passage *p, enum pep_error e);
