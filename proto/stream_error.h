#pragma once

/* RFC 6120 4.9.3, X(NAME, condition). */

#include "buf.h"
#include "slice.h"

#define STREAM_ERRORS(X)                                        \
    X(BAD_FORMAT,               "bad-format")                   \
    X(BAD_NAMESPACE_PREFIX,     "bad-namespace-prefix")         \
    X(CONFLICT,                 "conflict")                     \
    X(CONNECTION_TIMEOUT,       "connection-timeout")           \
    X(HOST_GONE,                "host-gone")                    \
    X(HOST_UNKNOWN,             "host-unknown")                 \
    X(IMPROPER_ADDRESSING,      "improper-addressing")          \
    X(INTERNAL_SERVER_ERROR,    "internal-server-error")        \
    X(INVALID_FROM,             "invalid-from")                 \
    X(INVALID_NAMESPACE,        "invalid-namespace")            \
    X(INVALID_XML,              "invalid-xml")                  \
    X(NOT_AUTHORIZED,           "not-authorized")               \
    X(NOT_WELL_FORMED,          "not-well-formed")              \
    X(POLICY_VIOLATION,         "policy-violation")             \
    X(REMOTE_CONNECTION_FAILED, "remote-connection-failed")     \
    X(RESET,                    "reset")                        \
    X(RESOURCE_CONSTRAINT,      "resource-constraint")          \
    X(RESTRICTED_XML,           "restricted-xml")               \
    X(SEE_OTHER_HOST,           "see-other-host")               \
    X(SYSTEM_SHUTDOWN,          "system-shutdown")              \
    X(UNDEFINED_CONDITION,      "undefined-condition")          \
    X(UNSUPPORTED_ENCODING,     "unsupported-encoding")         \
    X(UNSUPPORTED_FEATURE,      "unsupported-feature")          \
    X(UNSUPPORTED_STANZA_TYPE,  "unsupported-stanza-type")      \
    X(UNSUPPORTED_VERSION,      "unsupported-version")

enum stream_error {
    SE_NONE,
#define X(name, condition) SE_##name,
    STREAM_ERRORS(X)
#undef X
    SE_COUNT,
};

const char *stream_error_name(enum stream_error error);
/* SE_UNDEFINED_CONDITION for an unknown name. */
enum stream_error stream_error_parse(struct slice condition);
/* <stream:error>...</stream:error></stream:stream>; text may be NULL. */
void stream_error_write(struct buf *out, enum stream_error error, const char *text);
/* The same with an application-specific condition (4.9.4), XML that stands alone; NULL: none. */
void stream_error_write_with(struct buf *out, enum stream_error error, const char *text, const char *element);
