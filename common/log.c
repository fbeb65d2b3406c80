/* Log lines to stderr or the journal (log.h). Any thread may call; a line is one write. */

#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#include <unistr.h>

enum {
    LINE_MAX_BYTES = 4096, VALUE_MAX = 512, FIELDS_MAX = 24,
    WARNS_A_MINUTE = 20, WINDOW_S = 60, EVENTS_MAX = 128,
    EXIT_FAILED = 1, EXIT_BAD_CONFIG = 78,
};

static const struct {
    const char *name;
    int         priority;           /* sd-daemon(3), syslog(3) */
} levels[] = {
    [LOG_LEVEL_ERROR] = { "error", 3 },
    [LOG_LEVEL_WARN]  = { "warn", 4 },
    [LOG_LEVEL_INFO]  = { "info", 6 },
    [LOG_LEVEL_DEBUG] = { "debug", 7 },
};

static char           own_name[64] = "-";
static enum log_level wanted = LOG_LEVEL_INFO;
static bool           to_journal, prefixed;

static bool stderr_is_journal(void)
{
    const char  *stream = getenv("JOURNAL_STREAM");
    unsigned long device, inode;
    struct stat  st;

    return stream && sscanf(stream, "%lu:%lu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

void log_open(const char *instance, enum log_level level)
{
    snprintf(own_name, sizeof(own_name), "%s", instance);
    wanted = level;
    to_journal = stderr_is_journal();
    prefixed = !to_journal && !isatty(STDERR_FILENO) && !getenv("JOURNAL_STREAM");
}

void log_set_level(enum log_level level)
{
    wanted = level;
}

enum log_level log_level(void)
{
    return wanted;
}

int log_level_parse(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(levels); i++)
        if (name && strcmp(name, levels[i].name) == 0)
            return (int)i;
    return -1;
}

const char *log_level_name(enum log_level level)
{
    return levels[level].name;
}

bool log_wants(enum log_level level)
{
    return level <= wanted;
}

/* A bounded line; what does not fit is left out. */
struct line {
    char   text[LINE_MAX_BYTES];
    size_t len;
};

static void put(struct line *line, const char *bytes, size_t len)
{
    size_t room = sizeof(line->text) - 1 - line->len;

    if (len > room)
        len = room;
    memcpy(line->text + line->len, bytes, len);
    line->len += len;
}

static void put_str(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Bytes of the next character if it may stand in a log as it is: printable ASCII but quotes and
 * backslash, or a well-formed character above the C1 controls and outside the invisible direction
 * marks that could make a line read other than it is. Else 0. */
static size_t plain(const uint8_t *p, size_t left)
{
    ucs4_t c;

    if (*p < 0x80)
        return *p >= 0x20 && *p != 0x7f && *p != '"' && *p != '\\';
    int bytes = u8_mbtoucr(&c, p, left);
    bool direction = (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
                     (c >= 0x2066 && c <= 0x2069) || c == 0x061c;
    return bytes > 0 && c >= 0xa0 && !direction ? (size_t)bytes : 0;
}

static void put_tamed(struct line *line, const uint8_t *p, size_t len)
{
    for (size_t i = 0, step; i < len; i += step) {
        char escaped[5];

        step = plain(p + i, len - i);
        if (step) {
            put(line, (const char *)p + i, step);
            continue;
        }
        step = 1;
        if (p[i] == '"' || p[i] == '\\')
            put(line, (const char[]){ '\\', (char)p[i] }, 2);
        else {
            snprintf(escaped, sizeof(escaped), "\\x%02x", p[i]);
            put(line, escaped, 4);
        }
    }
}

static bool needs_quotes(const uint8_t *p, size_t len)
{
    for (size_t i = 0, step; i < len; i += step) {
        step = plain(p + i, len - i);
        if (!step || p[i] == ' ' || p[i] == '=')
            return true;
    }
    return len == 0;
}

static void put_value(struct line *line, const char *value)
{
    const uint8_t *p = (const uint8_t *)(value ? value : "-");
    size_t         whole = strlen((const char *)p), len = whole;

    if (len > VALUE_MAX)
        for (len = VALUE_MAX; len > 0 && (p[len] & 0xc0) == 0x80; len--)
            ;
    bool quoted = needs_quotes(p, len);
    if (quoted)
        put(line, "\"", 1);
    put_tamed(line, p, len);
    if (len < whole)
        put_str(line, "...");
    if (quoted)
        put(line, "\"", 1);
}

/* ---- at most 20 warnings of one event a minute ---- */
static struct warned {
    const char *event;
    time_t      since;
    unsigned    written, skipped;
} warned[EVENTS_MAX];
static pthread_mutex_t warned_lock = PTHREAD_MUTEX_INITIALIZER;

static struct warned *warned_row(const char *event)
{
    for (size_t i = 0; i < EVENTS_MAX; i++) {
        if (!warned[i].event)
            warned[i].event = event;
        if (strcmp(warned[i].event, event) == 0)
            return &warned[i];
    }
    return NULL;
}

/* False: leave it out. `skipped`: how many were left out since the last one written. */
static bool may_warn(const char *event, unsigned *skipped)
{
    struct timespec now;
    bool            may = true;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    pthread_mutex_lock(&warned_lock);
    struct warned *row = warned_row(event);
    if (row) {
        if (!row->written || now.tv_sec - row->since >= WINDOW_S) {
            row->since = now.tv_sec;
            row->written = 0;
        }
        may = row->written < WARNS_A_MINUTE;
        if (may) {
            row->written++;
            *skipped = row->skipped;
            row->skipped = 0;
        } else {
            row->skipped++;
        }
    }
    pthread_mutex_unlock(&warned_lock);
    return may;
}

/* ---- one event ---- */
struct field {
    const char *name, *value;
};

static size_t fields_of(va_list args, struct field *fields, unsigned skipped)
{
    size_t count = 0;

    for (const char *name; count < FIELDS_MAX - 1 && (name = va_arg(args, const char *)) != NULL; count++)
        fields[count] = (struct field){ name, va_arg(args, const char *) };
    if (skipped)
        fields[count++] = (struct field){ "skipped", log_num(skipped) };
    return count;
}

static void put_fields(struct line *line, const char *event, const struct field *fields, size_t count)
{
    put_str(line, event);
    for (size_t i = 0; i < count; i++) {
        put(line, " ", 1);
        put_str(line, fields[i].name);
        put(line, "=", 1);
        put_value(line, fields[i].value);
    }
}

static void put_time(struct line *line)
{
    struct timespec now;
    struct tm       utc;
    char            text[32];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    put(line, text, strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc));
    snprintf(text, sizeof(text), ".%03ldZ", now.tv_nsec / 1000000);
    put_str(line, text);
}

/* A lost log line is nobody's error: there is no place left to say so. */
static void send_stderr(enum log_level level, const char *event, const struct field *fields, size_t count)
{
    struct line line = { .len = 0 };

    if (prefixed)
        put(&line, (const char[]){ '<', (char)('0' + levels[level].priority), '>' }, 3);
    put_time(&line);
    put(&line, " ", 1);
    put_str(&line, levels[level].name);
    put(&line, " ", 1);
    put_str(&line, own_name);
    put(&line, " ", 1);
    put_fields(&line, event, fields, count);
    line.text[line.len++] = '\n';
    while (write(STDERR_FILENO, line.text, line.len) < 0 && errno == EINTR)
        ;
}

/* ZUBR_<FIELD>=value beside the readable MESSAGE. The journal takes any bytes in a value. */
static void send_journal(enum log_level level, const char *event, const struct field *fields, size_t count)
{
    static _Thread_local char text[FIELDS_MAX + 4][VALUE_MAX + 64];
    struct iovec              parts[FIELDS_MAX + 4];
    struct line               line = { .len = 0 };
    size_t                    n = 0;

    put_str(&line, "MESSAGE=");
    put_fields(&line, event, fields, count);
    parts[n++] = (struct iovec){ line.text, line.len };
    snprintf(text[n], sizeof(text[n]), "PRIORITY=%d", levels[level].priority);
    n++;
    snprintf(text[n], sizeof(text[n]), "ZUBR_EVENT=%s", event);
    n++;
    snprintf(text[n], sizeof(text[n]), "ZUBR_INSTANCE=%s", own_name);
    n++;
    for (size_t i = 0; i < count; i++, n++) {
        int len = snprintf(text[n], sizeof(text[n]), "ZUBR_%s=%s", fields[i].name,
                           fields[i].value ? fields[i].value : "-");

        for (char *p = text[n]; len > 0 && *p != '=' && *p; p++)
            if (*p >= 'a' && *p <= 'z')
                *p -= 32;
    }
    for (size_t i = 1; i < n; i++)
        parts[i] = (struct iovec){ text[i], strlen(text[i]) };
    sd_journal_sendv(parts, (int)n);
}

static void send_event(enum log_level level, const char *event, unsigned skipped, va_list args)
{
    struct field fields[FIELDS_MAX];
    size_t       count = fields_of(args, fields, skipped);

    (to_journal ? send_journal : send_stderr)(level, event, fields, count);
}

void log_event(enum log_level level, const char *event, ...)
{
    unsigned skipped = 0;
    va_list  args;

    if (!log_wants(level) || (level == LOG_LEVEL_WARN && !may_warn(event, &skipped)))
        return;
    va_start(args, event);
    send_event(level, event, skipped, args);
    va_end(args);
}

void fatal(const char *event, ...)
{
    va_list args;

    va_start(args, event);
    send_event(LOG_LEVEL_ERROR, event, 0, args);
    va_end(args);
    _exit(strncmp(event, "config_", 7) == 0 ? EXIT_BAD_CONFIG : EXIT_FAILED);
}

/* ---- values ---- */
enum { VALUES = 8 };

static char *value_place(void)
{
    static _Thread_local char     place[VALUES][VALUE_MAX + 8];
    static _Thread_local unsigned turn;

    return place[turn++ % VALUES];
}

const char *log_num(int64_t n)
{
    char *text = value_place();

    snprintf(text, VALUE_MAX, "%" PRId64, n);
    return text;
}

const char *log_hex(uint64_t n)
{
    char *text = value_place();

    snprintf(text, VALUE_MAX, "%016" PRIx64, n);
    return text;
}

/* Longer than a value may be: kept one byte over, so that the line shows the cut. A NUL byte is
 * shown as what it is not, a blank, rather than hiding what follows. */
const char *log_slice(struct slice s)
{
    char  *text = value_place();
    size_t len = s.len <= VALUE_MAX ? s.len : VALUE_MAX + 4;

    for (size_t i = 0; i < len; i++)
        text[i] = s.p[i] ? (char)s.p[i] : ' ';
    text[len] = '\0';
    return text;
}
