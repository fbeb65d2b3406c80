#pragma once

/* Every function that can fail returns 0, or one of these (all negative).
 * X(NAME, number, text for the log, RFC 6120 8.3.3 condition, 8.3.2 type)
 * errno, MDB_*, UV_*, GNUTLS_E_* stop at the wrapper that met them: it logs the
 * foreign text once and returns one of these. */
#define ERRORS(X)                                                                              \
    X(PROTOCOL,       -1, "peer broke the protocol",        "bad-request",             "modify") \
    X(NOT_FOUND,      -2, "no such item",                   "item-not-found",          "cancel") \
    X(FORBIDDEN,      -3, "not allowed",                    "forbidden",               "auth")   \
    X(FULL,           -4, "limit reached",                  "resource-constraint",     "wait")   \
    X(NO_ROUTE,       -5, "nobody serves this domain",      "remote-server-not-found", "cancel") \
    X(STORE,          -6, "storage failed",                 "internal-server-error",   "cancel") \
    X(TIMEOUT,        -7, "no answer in time",              "remote-server-timeout",   "wait")   \
    X(NO_SUCH,        -8, "not served here",                "service-unavailable",     "cancel") \
    X(BLOCKED,        -9, "the account blocks this JID",    "not-acceptable",          "cancel") \
    X(BAD_REQUEST,   -10, "malformed request",              "bad-request",             "modify") \
    X(BAD_JID,       -11, "not a JID",                      "jid-malformed",           "modify") \
    X(CONFLICT,      -12, "taken by somebody else",         "conflict",                "cancel") \
    X(NOT_ALLOWED,   -13, "nobody may do this",             "not-allowed",             "cancel") \
    X(NOT_AUTHORIZED,-14, "credentials needed",             "not-authorized",          "auth")   \
    X(NOT_ACCEPTABLE,-15, "does not meet the criteria",     "not-acceptable",          "modify") \
    X(UNEXPECTED,    -16, "out of order",                   "unexpected-request",      "wait")   \
    X(REGISTRATION,  -17, "registration required",          "registration-required",   "auth")   \
    X(SUBSCRIPTION,  -18, "subscription required",          "subscription-required",   "auth")   \
    X(POLICY,        -19, "against local policy",           "policy-violation",        "modify") \
    X(UNAVAILABLE,   -20, "recipient not here just now",    "recipient-unavailable",   "wait")   \
    X(FEATURE,       -21, "feature not implemented",        "feature-not-implemented", "cancel") \
    X(INTERNAL,      -22, "internal error",                 "internal-server-error",   "cancel") \
    X(REMOTE,        -23, "remote server cannot be reached","remote-server-not-found", "cancel") \
    X(STALE,         -24, "sent by an old route table",     "resource-constraint",     "wait")   \
    X(GONE,          -25, "no longer here",                 "gone",                    "cancel") \
    X(CONFIG,        -26, "bad configuration",              "internal-server-error",   "cancel") \
    X(UNDEFINED,     -27, "no such condition",              "undefined-condition",     "cancel")

enum zerr {
    ZE_OK = 0,
#define X(name, number, text, condition, type) ZE_##name = number,
    ERRORS(X)
#undef X
    ZE_LAST = -28,
};

/* Not an error: the answer comes later (control verbs, IQ handlers). */
enum { LATER = 1 };

/* Text for logs; "ok" for 0, "unknown error" outside the list. */
const char *err_text(int err);
/* The name without ZE_, lower case: "not_found" (control sockets, logs). */
const char *err_name(int err);
/* RFC 6120 8.3.3 condition and 8.3.2 type; for 0 or unknown: undefined-condition, cancel. */
const char *err_condition(int err);
const char *err_type(int err);
