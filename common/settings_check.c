/* Default rooms, overrides, cross checks and the list of instances (settings_check.h). */

#include "settings_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void settings_begin_add(struct settings_begins *begins, const struct settings_section *section,
                        const char *title, int line)
{
    struct settings_begin *more = arena_alloc(begins->arena, (begins->count + 1) * sizeof(*more));

    if (begins->count)
        memcpy(more, begins->item, begins->count * sizeof(*more));
    more[begins->count++] =
        (struct settings_begin){ section, arena_str(begins->arena, slice_str(title)), line };
    begins->item = more;
}

int settings_begin_line(const struct settings_begins *begins, const struct settings_section *section,
                        const char *title)
{
    for (size_t i = begins->count; i > 0; i--)
        if (begins->item[i - 1].section == section && strcmp(begins->item[i - 1].title, title) == 0)
            return begins->item[i - 1].line;
    return 0;
}

/* ---- --set section.key=value, section[title].key=value, key=value ---- */
enum { NO_FILE = -1 };       /* a fault of the command line: printed without the file's name */

struct override {
    const char *text, *section, *title, *key, *value;
};

static bool split(struct arena *arena, const char *text, struct override *o)
{
    const char *equals = strchr(text, '='), *bracket = strchr(text, '['), *closing = NULL, *dot;

    if (!equals || equals == text)
        return false;
    *o = (struct override){ .text = text, .section = "", .value = equals + 1 };
    if (bracket && bracket < equals) {
        closing = strchr(bracket, ']');
        if (!closing || closing > equals || closing[1] != '.')
            return false;
        o->title = arena_str(arena, slice_of(bracket + 1, (size_t)(closing - bracket - 1)));
        o->section = arena_str(arena, slice_of(text, (size_t)(bracket - text)));
        text = closing + 2;
    } else if ((dot = memchr(text, '.', (size_t)(equals - text)))) {
        o->section = arena_str(arena, slice_of(text, (size_t)(dot - text)));
        text = dot + 1;
    }
    o->key = arena_str(arena, slice_of(text, (size_t)(equals - text)));
    return true;
}

/* Where it goes; NULL and a fault if nowhere. An instance without a section gets one. */
static void *target(struct settings_held *held, struct settings_faults *faults, const struct override *o,
                    const struct settings_section *section)
{
    if (!section || (section->example != NULL) != (o->title != NULL)) {
        settings_fault(faults, NO_FILE, "--set '%s': expected %s", o->text,
                       !section         ? "section.key=value, section[name].key=value or key=value"
                       : section->example ? "section[name].key=value"
                                          : "section.key=value");
        return NULL;
    }
    void *base = settings_base(&held->s, section, o->title);
    if (!base && strcmp(section->name, "instance") == 0)
        base = settings_add(held, section, o->title);
    if (!base)
        settings_fault(faults, NO_FILE, "--set '%s': there is no %s \"%s\"", o->text, section->name,
                       o->title);
    return base;
}

/* Checks a value as --set takes it: each item of a list by itself. */
static bool value_fits(struct settings_faults *faults, const struct override *o, const struct setting *row)
{
    const char *fault = NULL;

    if (row->type != SETTING_LIST)
        fault = setting_fault(row, o->value);
    for (const char *p = o->value; row->type == SETTING_LIST && *p && !fault;) {
        size_t len = strcspn(p, ",");

        fault = setting_fault(row, arena_str(faults->arena, slice_of(p, len)));
        p += len + (p[len] == ',');
    }
    if (fault)
        settings_fault(faults, NO_FILE, "--set '%s': %s", o->text, fault);
    return !fault;
}

static void apply(struct settings_held *held, struct settings_faults *faults, const char *text)
{
    struct override o;

    if (!split(held->arena, text, &o)) {
        settings_fault(faults, NO_FILE, "--set '%s': expected section.key=value", text);
        return;
    }
    const struct settings_section *section = settings_section(o.section);
    void                          *base = target(held, faults, &o, section);
    if (!base)
        return;
    const struct setting *row = settings_row(section, o.key);
    if (!row)
        settings_fault(faults, NO_FILE, "--set '%s': unknown key \"%s\"%s", text, o.key,
                       settings_hint(held->arena, section, o.key));
    else if (value_fits(faults, &o, row))
        setting_store_text(held->arena, base, row, o.value);
}

/* ---- what must not be together ---- */
static void add_default_rooms(struct settings_held *held)
{
    if (held->s.rooms_count)
        return;
    for (size_t i = 0; i < held->s.domain_count; i++)
        settings_add(held, settings_section("rooms"),
                     arena_printf(held->arena, "muc.%s", held->s.domain[i].name));
}

static const char *title_of(const struct settings *s, const struct settings_section *section, size_t n)
{
    return *(const char **)(*(char **)((const char *)s + section->items) + n * section->item_size);
}

static size_t titles(const struct settings *s, const struct settings_section *section)
{
    return *(const size_t *)((const char *)s + section->items_count);
}

/* Domains, rooms and components: each a fit name, none of them twice. */
static void check_names(const struct settings *s, struct settings_faults *faults,
                        const struct settings_begins *begins)
{
    const struct settings_section *kinds[] = { settings_section("domain"), settings_section("rooms"),
                                               settings_section("component") };

    for (size_t k = 0; k < COUNT_OF(kinds); k++)
        for (size_t n = 0; n < titles(s, kinds[k]); n++) {
            const char *name = title_of(s, kinds[k], n), *fault = domain_fault(name);
            int         line = settings_begin_line(begins, kinds[k], name);

            if (fault)
                settings_fault(faults, line, "%s \"%s\": %s", kinds[k]->name, name, fault);
            for (size_t earlier = 0; earlier < k; earlier++)
                if (settings_base((struct settings *)s, kinds[earlier], name))
                    settings_fault(faults, line, "%s \"%s\" is a %s already", kinds[k]->name, name,
                                   kinds[earlier]->name);
        }
}

static const char *const roles[] = { "routerd", "sm", "muc", "c2sd", "s2sd" };

static bool is_instance(const char *name)
{
    size_t role = strcspn(name, "-"), len = strlen(name);

    for (size_t i = 0; i < COUNT_OF(roles); i++)
        if (slice_is(slice_of(name, role), roles[i]))
            return i == 0 ? len == role
                          : len > role + 1 && len <= 32 &&
                                strspn(name + role, "abcdefghijklmnopqrstuvwxyz0123456789-") == len - role;
    return false;
}

static void check_sections(const struct settings *s, struct settings_faults *faults,
                           const struct settings_begins *begins)
{
    const struct settings_section *component = settings_section("component");
    const struct settings_section *instance = settings_section("instance");

    if (!s->domain_count)
        settings_fault(faults, 0, "no domain: expected domain \"your.domain\" { }");
    for (size_t i = 0; i < s->component_count; i++)
        if (!s->component[i].secret_file[0])
            settings_fault(faults, settings_begin_line(begins, component, s->component[i].name),
                           "component \"%s\": expected a secret_file", s->component[i].name);
    for (size_t i = 0; i < s->instance_count; i++)
        if (!is_instance(s->instance[i].name))
            settings_fault(faults, settings_begin_line(begins, instance, s->instance[i].name),
                           "instance \"%s\": expected routerd, or sm-, muc-, c2sd- or s2sd- and a name of "
                           "small letters and digits, up to 32 characters",
                           s->instance[i].name);
}

static void check_ports(const struct settings *s, struct settings_faults *faults)
{
    const struct settings_section *listen = settings_section("listen");

    for (size_t a = 0; a < listen->count; a++)
        for (size_t b = a + 1; b < listen->count; b++) {
            const struct setting *first = &listen->rows[a], *second = &listen->rows[b];

            if (first->type != SETTING_INT || second->type != SETTING_INT)
                continue;
            long port = *(const long *)((const char *)s + first->offset);
            if (port && port == *(const long *)((const char *)s + second->offset))
                settings_fault(faults, 0, "listen: %s and %s are both %ld", first->name, second->name, port);
        }
}

/* ---- who runs ---- */
static void add_instance(struct settings_held *held, const char *name)
{
    for (size_t i = 0; i < held->instance_count; i++)
        if (strcmp(held->instances[i], name) == 0)
            return;
    held->instances[held->instance_count++] = name;
}

static void list_instances(struct settings_held *held)
{
    const long counts[COUNT_OF(roles)] = { 0, held->s.instances.sm, held->s.instances.muc,
                                           held->s.instances.c2sd, held->s.instances.s2sd };
    size_t     room = 1 + held->s.instance_count;

    for (size_t r = 0; r < COUNT_OF(roles); r++)
        room += (size_t)counts[r];
    held->instances = arena_alloc(held->arena, room * sizeof(*held->instances));
    add_instance(held, roles[0]);
    for (size_t r = 1; r < COUNT_OF(roles); r++)
        for (long n = 1; n <= counts[r]; n++)
            add_instance(held, arena_printf(held->arena, "%s-%ld", roles[r], n));
    for (size_t i = 0; i < held->s.instance_count; i++)
        add_instance(held, held->s.instance[i].name);
}

void settings_complete(struct settings_held *held, struct settings_faults *faults,
                       const struct settings_begins *begins, const char *const *overrides)
{
    add_default_rooms(held);
    for (; overrides && *overrides; overrides++)
        apply(held, faults, *overrides);
    check_names(&held->s, faults, begins);
    check_sections(&held->s, faults, begins);
    check_ports(&held->s, faults);
    list_instances(held);
}
