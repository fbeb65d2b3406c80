/* The rows of ROOM_CONFIG: form out, form in, record. */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "cursor.h"
#include "ns.h"
#include "xml_write.h"

#define FORM_TYPE "http://jabber.org/protocol/muc#roomconfig"

enum kind { TEXT, SECRET, BOOL, COUNT, CHOICE };

static const struct config_row {
    enum kind   kind;
    const char *field;
    long        def, least, most;
    const char *label;
} rows[CONFIG_KEYS] = {
#define X(name, kind, field, def, least, most, label) [CONFIG_##name] = { kind, field, def, least, most, label },
    ROOM_CONFIG(X)
#undef X
};

static const char *const form_types[] = { "text-single", "text-private", "boolean", "text-single", "list-single" };

struct choice {
    const char *value, *label;
};

static const struct choice whois[] = { { "moderators", "Moderators only" }, { "anyone", "Anyone" }, { 0 } };
static const struct choice allow_pm[] = { { "anyone", "Anyone" }, { "participants", "Anyone with voice" },
                                          { "moderators", "Moderators only" }, { "none", "Nobody" }, { 0 } };
static const struct choice *const choices[CONFIG_KEYS] = { [CONFIG_WHOIS] = whois, [CONFIG_PRIVATE] = allow_pm };

static bool is_text(enum config_key key)
{
    return rows[key].kind == TEXT || rows[key].kind == SECRET;
}

void config_init(struct config *c, const struct settings_rooms *service)
{
    *c = (struct config){ 0 };
    for (int key = 0; key < CONFIG_KEYS; key++)
        c->number[key] = rows[key].def;
    c->number[CONFIG_HISTORY] = service->history;
}

void config_free(struct config *c)
{
    for (int key = 0; key < CONFIG_KEYS; key++)
        free(c->text[key]);
    *c = (struct config){ 0 };
}

void config_copy(struct config *to, const struct config *from)
{
    *to = *from;
    for (int key = 0; key < CONFIG_KEYS; key++)
        to->text[key] = from->text[key] ? xstrdup(from->text[key]) : NULL;
}

struct slice config_text(const struct config *c, enum config_key key)
{
    return slice_str(c->text[key]);
}

bool parse_count(struct slice text, long most, long *out)
{
    long value = 0;

    if (text.len == 0 || text.len > 9)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        value = value * 10 + (text.p[i] - '0');
    }
    if (value > most)
        return false;
    *out = value;
    return true;
}

static bool parse_bool(struct slice text, long *out)
{
    *out = slice_is(text, "1") || slice_is(text, "true");
    return *out || slice_is(text, "0") || slice_is(text, "false");
}

static bool parse_choice(const struct choice *list, struct slice text, long *out)
{
    for (long i = 0; list[i].value; i++)
        if (slice_is(text, list[i].value)) {
            *out = i;
            return true;
        }
    return false;
}

static bool set_text(struct config *c, enum config_key key, struct slice value)
{
    if (value.len > (size_t)rows[key].most || (value.len && memchr(value.p, 0, value.len)))
        return false;
    free(c->text[key]);
    c->text[key] = value.len ? xstrndup(value) : NULL;
    return true;
}

static bool set(struct config *c, enum config_key key, struct slice value)
{
    switch (rows[key].kind) {
    case TEXT:
    case SECRET:
        return set_text(c, key, value);
    case BOOL:
        return parse_bool(value, &c->number[key]);
    case CHOICE:
        return parse_choice(choices[key], value, &c->number[key]);
    case COUNT:
        if (key == CONFIG_OCCUPANTS && slice_is(value, "none"))        /* 10.1.3: no limit of its own */
            value = SLICE("0");
        return parse_count(value, rows[key].most, &c->number[key]);
    }
    return false;
}

static int key_of(struct slice field)
{
    for (int key = 0; key < CONFIG_KEYS; key++)
        if (slice_is(field, rows[key].field))
            return key;
    return -1;
}

static enum zerr submit_field(struct config *c, struct arena *arena, const struct element *field)
{
    struct slice var = element_attr(field, "var"), value = element_child_text(arena, field, "value");
    int          key = key_of(var);

    if (slice_is(var, "FORM_TYPE"))
        return slice_is(value, FORM_TYPE) ? ZE_OK : ZE_BAD_REQUEST;
    if (key < 0 || (!is_text((enum config_key)key) && !element_child(field, NULL, "value")))
        return ZE_OK;
    return set(c, (enum config_key)key, value) ? ZE_OK : ZE_BAD_REQUEST;
}

enum zerr config_submit(struct config *c, struct arena *arena, const struct element *form)
{
    struct config next;
    enum zerr     err = ZE_OK;

    config_copy(&next, c);
    for (const struct element *f = element_child(form, NULL, "field"); f && !err; f = element_next(f, NULL, "field"))
        err = submit_field(&next, arena, f);
    if (!err && next.number[CONFIG_PROTECTED] && !next.text[CONFIG_PASSWORD])
        err = ZE_NOT_ACCEPTABLE;                       /* 10.1.3 */
    if (err) {
        config_free(&next);
        return err;
    }
    config_free(c);
    *c = next;
    return ZE_OK;
}

static struct slice value_of(const struct config *c, enum config_key key, char number[24])
{
    if (is_text(key))
        return slice_str(c->text[key]);
    if (rows[key].kind == CHOICE)
        return slice_str(choices[key][c->number[key]].value);
    snprintf(number, 24, "%ld", c->number[key]);
    return slice_str(number);
}

static void form_field(struct xml_writer *w, const struct config *c, enum config_key key)
{
    const struct config_row *r = &rows[key];
    char                     number[24];

    xml_open(w, "field", NULL);
    xml_attr(w, "type", form_types[r->kind]);
    xml_attr(w, "var", r->field);
    xml_attr(w, "label", r->label);
    xml_simple(w, "value", NULL, value_of(c, key, number));
    for (const struct choice *o = choices[key]; o && o->value; o++) {
        xml_open(w, "option", NULL);
        xml_attr(w, "label", o->label);
        xml_simple(w, "value", NULL, slice_str(o->value));
        xml_close(w);
    }
    xml_close(w);
}

void config_form(const struct config *c, struct slice room_jid, struct buf *out)
{
    struct xml_writer w;
    struct buf        title = { 0 };

    buf_put_str(&title, "Configuration of ");
    buf_put_slice(&title, room_jid);
    xml_begin(&w, out, NS_CLIENT);
    xml_open(&w, "x", NS_DATA);
    xml_attr(&w, "type", "form");
    xml_simple(&w, "title", NULL, buf_slice(&title));
    xml_open(&w, "field", NULL);
    xml_attr(&w, "type", "hidden");
    xml_attr(&w, "var", "FORM_TYPE");
    xml_simple(&w, "value", NULL, SLICE(FORM_TYPE));
    xml_close(&w);
    for (int key = 0; key < CONFIG_KEYS; key++)
        form_field(&w, c, (enum config_key)key);
    xml_close(&w);
    buf_free(&title);
}

void config_encode(const struct config *c, struct buf *out)
{
    char number[24];

    buf_put_u16(out, CONFIG_KEYS);
    for (int key = 0; key < CONFIG_KEYS; key++) {
        buf_put_sized(out, slice_str(rows[key].field));
        buf_put_sized(out, value_of(c, (enum config_key)key, number));
    }
}

enum zerr config_decode(struct config *c, struct cursor *in)
{
    unsigned count = take_u16(in);

    for (unsigned i = 0; i < count && !in->bad; i++) {
        struct slice field = take_sized(in), value = take_sized(in);
        int          key = key_of(field);

        if (!in->bad && key >= 0 && !set(c, (enum config_key)key, value))
            return ZE_STORE;
    }
    return in->bad ? ZE_STORE : ZE_OK;
}
