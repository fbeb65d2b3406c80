#pragma once

/* Log lines: an event and fields, the same words everywhere (STYLE.md C18). To the journal when
 * stderr is the journal, else to stderr as `<n>time level instance event field=value ...`.
 * The event is a constant noun_verbed that grep finds. Field names are fixed: trace conn peer
 * instance jid domain kind state from to bytes count ms err why (add only what none of them says).
 * Never a stanza body, a password, a SASL byte or a certificate. WARN lines of one event are
 * limited to 20 a minute; what was left out is counted in the next one (skipped=N). Any thread. */

#include "slice.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_open(const char *instance, enum log_level level);
void log_set_level(enum log_level level);
enum log_level log_level(void);
/* "error", "warn", "info", "debug"; -1 for anything else. */
int         log_level_parse(const char *name);
const char *log_level_name(enum log_level level);
bool        log_wants(enum log_level level);

/* log_warn("frame_refused", "peer", name, "kind", kind, NULL): pairs of strings, NULL-ended.
 * A NULL value is written as "-"; quotes, control bytes and long values (over 512) are tamed. */
#define log_error(...) log_event(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_event(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_event(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) (log_wants(LOG_LEVEL_DEBUG) ? log_event(LOG_LEVEL_DEBUG, __VA_ARGS__) : (void)0)
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));

/* Values for log_event, good until eight more were made. */
const char *log_num(int64_t n);
const char *log_hex(uint64_t n);
const char *log_slice(struct slice s);

/* Our own mistake or an environment we cannot work in: logs and exits 1 (78 when the event begins
 * with "config_"). */
void fatal(const char *event, ...) __attribute__((sentinel, noreturn));
