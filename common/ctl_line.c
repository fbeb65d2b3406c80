/* Words of a request line and lines of an answer (ctl.h), without any socket. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <unistr.h>

#include "ctl_priv.h"
#include "mem.h"

static bool is_text(const char *line)
{
    for (const char *p = line; *p; p++)
        if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
            return false;
    return u8_check((const uint8_t *)line, strlen(line)) == NULL;
}

/* Takes one word off *from and writes it to its front. False: its quotes are not closed. */
static bool take_word(char **from)
{
    char *to = *from, *p = *from;
    bool  quoted = false;

    for (; *p && (quoted || (*p != ' ' && *p != '\t')); p++) {
        if (*p == '"') {
            quoted = !quoted;
            continue;
        }
        if (*p == '\\' && quoted && (p[1] == '"' || p[1] == '\\'))
            p++;
        *to++ = *p;
    }
    *from = *p ? p + 1 : p;
    *to = '\0';
    return !quoted;
}

int ctl_split(char *line, char *words[CTL_WORDS_MAX])
{
    int count = 0;

    if (!is_text(line))
        return ZE_BAD_REQUEST;
    for (;;) {
        line += strspn(line, " \t");
        if (!*line)
            return count;
        if (count == CTL_WORDS_MAX)
            return ZE_BAD_REQUEST;
        words[count++] = line;
        if (!take_word(&line))
            return ZE_BAD_REQUEST;
    }
}

void ctl_quote(struct buf *out, const char *arg)
{
    if (*arg && !strpbrk(arg, " \t\"")) {
        buf_put_str(out, arg);
        return;
    }
    buf_put_u8(out, '"');
    for (; *arg; arg++) {
        if (*arg == '"' || *arg == '\\')
            buf_put_u8(out, '\\');
        buf_put_u8(out, (uint8_t)*arg);
    }
    buf_put_u8(out, '"');
}

/* ---- rows ---- */
static bool has_room(struct ctl_reply *r)
{
    if (buf_len(&r->text) > CTL_ANSWER_MAX)
        r->too_long = true;
    return !r->too_long;
}

void ctl_row_end(struct ctl_reply *r)
{
    if (!r->row_open)
        return;
    if (r->json && has_room(r)) {
        char *line = json_dumps(r->object, JSON_COMPACT);

        buf_put_str(&r->text, line ? line : "{}");
        free(line);
    }
    if (has_room(r))
        buf_put_u8(&r->text, '\n');
    json_decref(r->object);
    r->object = NULL;
    r->row_open = false;
}

void ctl_row(struct ctl_reply *r)
{
    if (!r)
        return;
    ctl_row_end(r);
    r->row_open = true;
    if (r->json)
        r->object = json_object();
}

static void put_value(struct buf *out, struct slice value)
{
    bool quoted = value.len == 0;

    for (size_t i = 0; i < value.len && !quoted; i++)
        quoted = value.p[i] <= ' ' || value.p[i] == '"' || value.p[i] == '\\' || value.p[i] == 0x7f;
    if (quoted)
        buf_put_u8(out, '"');
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.p[i];

        if (c < ' ' || c == 0x7f)
            buf_printf(out, "\\x%02x", c);
        else
            buf_printf(out, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    if (quoted)
        buf_put_u8(out, '"');
}

/* Takes the new reference to `value` over. */
static void put_field(struct ctl_reply *r, const char *field, json_t *value, struct slice text)
{
    if (!r->row_open)
        ctl_row(r);
    if (r->json) {
        json_object_set_new(r->object, field, value);
        return;
    }
    json_decref(value);
    if (!has_room(r))
        return;
    if (buf_len(&r->text) && r->text.bytes[r->text.end - 1] != '\n')
        buf_put_u8(&r->text, ' ');
    buf_put_str(&r->text, field);
    buf_put_u8(&r->text, '=');
    put_value(&r->text, text);
}

/* Stored text is UTF-8; should it not be, the answer still must. */
static struct slice as_utf8(struct slice s, struct buf *kept)
{
    const uint8_t *bad;

    if (!s.len || !u8_check(s.p, s.len))
        return s;
    buf_put_slice(kept, s);
    while ((bad = u8_check(kept->bytes, s.len)) != NULL)
        kept->bytes[bad - kept->bytes] = '?';
    return buf_slice(kept);
}

void ctl_slice(struct ctl_reply *r, const char *field, struct slice value)
{
    struct buf   kept = { 0 };

    if (!r)
        return;
    struct slice text = as_utf8(value, &kept);
    put_field(r, field, r->json ? json_stringn(text.len ? (const char *)text.p : "", text.len) : NULL, text);
    buf_free(&kept);
}

void ctl_str(struct ctl_reply *r, const char *field, const char *value)
{
    ctl_slice(r, field, slice_str(value));
}

void ctl_int(struct ctl_reply *r, const char *field, int64_t value)
{
    char text[24];

    if (!r)
        return;
    snprintf(text, sizeof(text), "%" PRId64, value);
    put_field(r, field, r->json ? json_integer(value) : NULL, slice_str(text));
}

void ctl_bool(struct ctl_reply *r, const char *field, bool value)
{
    if (!r)
        return;
    put_field(r, field, r->json ? json_boolean(value) : NULL, value ? SLICE("true") : SLICE("false"));
}

void ctl_reason(struct ctl_reply *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(r->reason, sizeof(r->reason), format, args);
    va_end(args);
    for (char *p = r->reason; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = ' ';
}

void ctl_line(struct ctl_reply *r, const char *format, ...)
{
    va_list args;
    char   *text = NULL;

    va_start(args, format);
    if (vasprintf(&text, format, args) >= 0) {
        buf_put_str(&r->text, text);
        buf_put_u8(&r->text, '\n');
        free(text);
    }
    va_end(args);
}

void ctl_last_line(struct ctl_reply *r, int err)
{
    ctl_row_end(r);
    if (!err && r->too_long) {
        err = ZE_FULL;
        ctl_reason(r, "the answer is longer than %d MiB", CTL_ANSWER_MAX >> 20);
    }
    if (err)
        buf_printf(&r->text, "error %s %s\n", err_name(err), r->reason[0] ? r->reason : err_text(err));
    else
        buf_put_str(&r->text, "ok\n");
}

/* ---- what the rows say ---- */
static const struct ctl_verb help_verb = {
    .name = "help", .args = "[VERB]", .help = "what can be asked here", .argc_max = 1,
    .fields = "verb args help fields errors", .errors = "no_such",
};

const struct ctl_verb *ctl_find(const struct ctl_verb *const *tables, const char *name)
{
    for (; *tables; tables++)
        for (const struct ctl_verb *verb = *tables; verb->name; verb++)
            if (strcmp(verb->name, name) == 0)
                return verb;
    return strcmp(name, help_verb.name) == 0 ? &help_verb : NULL;
}

static const char *or_nothing(const char *text)
{
    return text ? text : "";
}

static void help_row(struct ctl_reply *r, const struct ctl_verb *verb)
{
    if (!r->json) {
        char *usage = xprintf("%s %s", verb->name, or_nothing(verb->args));

        ctl_line(r, "%-34s %s", usage, or_nothing(verb->help));
        free(usage);
        return;
    }
    ctl_row(r);
    ctl_str(r, "verb", verb->name);
    ctl_str(r, "args", verb->args);
    ctl_str(r, "help", verb->help);
    ctl_str(r, "fields", verb->fields);
    ctl_str(r, "errors", verb->errors);
}

void ctl_help(struct ctl_reply *r, const struct ctl_verb *const *tables)
{
    bool shown = false;

    for (; *tables; tables++)
        for (const struct ctl_verb *verb = *tables; verb->name; verb++) {
            shown |= strcmp(verb->name, help_verb.name) == 0;
            help_row(r, verb);
        }
    if (!shown)
        help_row(r, &help_verb);
}

static void print_verb(const struct ctl_verb *verb)
{
    const char *args = or_nothing(verb->args);

    printf("### `%s%s%s`\n\n%s.\n\n", verb->name, *args ? " " : "", args, or_nothing(verb->help));
    if (verb->fields && *verb->fields)
        printf("- fields: `%s`\n", verb->fields);
    printf("- errors: `%s%sbad_request`\n\n", or_nothing(verb->errors),
           verb->errors && *verb->errors ? " " : "");
}

void ctl_print_docs(const char *daemon_name, const struct ctl_verb *const *tables)
{
    bool shown = false;

    printf("## %s\n\n", daemon_name);
    for (; *tables; tables++)
        for (const struct ctl_verb *verb = *tables; verb->name; verb++) {
            shown |= strcmp(verb->name, help_verb.name) == 0;
            print_verb(verb);
        }
    if (!shown)
        print_verb(&help_verb);
}
