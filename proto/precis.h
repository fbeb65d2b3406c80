#pragma once

/* The two PRECIS profiles of RFC 8265 that RFC 7622 needs, on UTF-8. Pure. */

#include "err.h"
#include "slice.h"

/* Longest raw string looked at: three bytes may become one (full-width ASCII, conjoining jamo). */
enum { PRECIS_RAW_MAX = 3 * 1023 };

/* RFC 8265 3.3, for localparts (without the characters that RFC 7622 3.3.1 excludes on top), and
 * RFC 8265 4.2, for resourceparts. *len in: room of `out`, out: bytes written. ZE_BAD_JID when the
 * string is not UTF-8, empty, not allowed or longer than the room. */
enum zerr precis_username(struct slice raw, char *out, size_t *len);
enum zerr precis_opaque(struct slice raw, char *out, size_t *len);
/* Only the mappings (width, lower case, NFC) of RFC 5895 2, for domain names. */
enum zerr precis_fold(struct slice raw, char *out, size_t *len);
