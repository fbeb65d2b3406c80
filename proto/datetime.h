#pragma once

/* XEP-0082 date-times, UTC. Pure. */

#include "err.h"
#include "slice.h"

enum { DATETIME_MAX = 32 };
/* "2026-11-21T03:04:05.678901Z"; fraction left out when 0. */
void datetime_write(char out[DATETIME_MAX], uint64_t us);
/* Any XEP-0082 profile with offset and fraction; ZE_BAD_REQUEST. */
enum zerr datetime_parse(struct slice text, uint64_t *us);
