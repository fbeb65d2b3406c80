/* The settings as tables made from the rows, and looking things up in them (settings.h). Reading a
 * file is settings_load.c. */

#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings_priv.h"

#define DEFAULT_INT(def)  #def
#define DEFAULT_BOOL(def) ((def) ? "true" : "false")
#define DEFAULT_STR(def)  def
#define DEFAULT_LIST(def) def
#define ROW(type, name, def, min, max, unit, help) \
    { SETTING_##type, #name, DEFAULT_##type(def), min, max, unit, help, offsetof(BASE, AT(name)) },

#define AT(name) name
#define BASE     struct settings_domain
static const struct setting domain_rows[] = { DOMAIN_SETTINGS(ROW) };
#undef BASE
#define BASE struct settings_rooms
static const struct setting rooms_rows[] = { ROOMS_SETTINGS(ROW) };
#undef BASE
#define BASE struct settings_component
static const struct setting component_rows[] = { COMPONENT_SETTINGS(ROW) };
#undef BASE
#define BASE struct settings_service
static const struct setting service_rows[] = { SERVICE_SETTINGS(ROW) };
#undef BASE
#define BASE struct settings_instance
static const struct setting instance_rows[] = { INSTANCE_SETTINGS(ROW) };
#undef BASE
#undef AT

#define BASE     struct settings
#define AT(name) dir.name
static const struct setting dir_rows[] = { DIR_SETTINGS(ROW) };
#undef AT
#define AT(name) listen.name
static const struct setting listen_rows[] = { LISTEN_SETTINGS(ROW) };
#undef AT
#define AT(name) instances.name
static const struct setting instances_rows[] = { INSTANCES_SETTINGS(ROW) };
#undef AT
#define AT(name) limits.name
static const struct setting limits_rows[] = { LIMITS_SETTINGS(ROW) };
#undef AT
#define AT(name) server.name
static const struct setting server_rows[] = { SERVER_SETTINGS(ROW) };
#undef AT
#undef BASE

#define TITLED(section, example)                                                        \
    { #section, example, section##_rows, COUNT_OF(section##_rows),                      \
      offsetof(struct settings, section), offsetof(struct settings, section##_count),   \
      sizeof(struct settings_##section) }
#define PLAIN(section) { #section, NULL, section##_rows, COUNT_OF(section##_rows), 0, 0, 0 }

const struct settings_section settings_sections[SETTINGS_SECTIONS] = {
    { "", NULL, server_rows, COUNT_OF(server_rows), 0, 0, 0 },
    TITLED(domain, "example.org"),
    TITLED(rooms, "muc.example.org"),
    TITLED(component, "icq.example.org"),
    TITLED(service, "turn.example.org"),
    PLAIN(dir),
    PLAIN(listen),
    PLAIN(instances),
    TITLED(instance, "c2sd-web"),
    PLAIN(limits),
};

const struct settings_section *settings_section(const char *name)
{
    for (size_t i = 0; i < SETTINGS_SECTIONS; i++)
        if (strcmp(settings_sections[i].name, name) == 0)
            return &settings_sections[i];
    return NULL;
}

const struct setting *settings_row(const struct settings_section *section, const char *name)
{
    for (size_t i = 0; i < section->count; i++)
        if (strcmp(section->rows[i].name, name) == 0)
            return &section->rows[i];
    return NULL;
}

/* Every titled section's struct begins with its name. */
void *settings_base(struct settings *s, const struct settings_section *section, const char *title)
{
    if (!section->example)
        return s;
    char  *item = *(char **)((char *)s + section->items);
    size_t count = *(size_t *)((char *)s + section->items_count);

    for (; count > 0; count--, item += section->item_size)
        if (strcmp(*(const char **)item, title) == 0)
            return item;
    return NULL;
}

void *settings_add(struct settings_held *held, const struct settings_section *section, const char *title)
{
    char  **items = (char **)((char *)&held->s + section->items);
    size_t *count = (size_t *)((char *)&held->s + section->items_count);
    char   *moved = arena_alloc(held->arena, (*count + 1) * section->item_size);
    char   *item = moved + *count * section->item_size;

    if (*count)
        memcpy(moved, *items, *count * section->item_size);
    memset(item, 0, section->item_size);
    *items = moved;
    ++*count;
    *(const char **)item = arena_str(held->arena, slice_str(title));
    for (size_t i = 0; i < section->count; i++)
        setting_store_text(held->arena, item, &section->rows[i], section->rows[i].def);
    return item;
}

void settings_free(struct settings **s)
{
    struct settings_held *held = (struct settings_held *)*s;

    if (!held)
        return;
    arena_free(&held->arena);
    free(held);
    *s = NULL;
}

const struct settings_domain *settings_domain(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->domain_count; i++)
        if (strcmp(s->domain[i].name, name) == 0)
            return &s->domain[i];
    return NULL;
}

const struct settings_instance *settings_instance(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->instance_count; i++)
        if (strcmp(s->instance[i].name, name) == 0)
            return &s->instance[i];
    return NULL;
}

size_t settings_instances(const struct settings *s, const char **names, size_t max)
{
    const struct settings_held *held = (const struct settings_held *)s;

    for (size_t i = 0; i < held->instance_count && i < max; i++)
        names[i] = held->instances[i];
    return held->instance_count;
}

/* "c2sd-web" and "c2sd-1" are of one role. */
static bool same_role(const char *a, const char *b)
{
    size_t len = strcspn(a, "-");

    return len == strcspn(b, "-") && memcmp(a, b, len) == 0;
}

long settings_share(const struct settings *s, const char *instance, long value)
{
    const struct settings_held *held = (const struct settings_held *)s;
    long                        peers = 0;

    for (size_t i = 0; i < held->instance_count; i++)
        peers += same_role(held->instances[i], instance);
    return peers > 1 ? (value + peers - 1) / peers : value;
}

/* ---- the rows as a configuration file ---- */
static void print_default(const struct setting *row)
{
    const char *comma = "";

    if (row->type == SETTING_INT || row->type == SETTING_BOOL)
        printf("%s", row->def);
    if (row->type == SETTING_STR)
        printf("\"%s\"", row->def);
    if (row->type != SETTING_LIST)
        return;
    printf("{");
    for (const char *p = row->def; *p;) {
        size_t len = strcspn(p, ",");

        printf("%s\"%.*s\"", comma, (int)len, p);
        comma = ", ";
        p += len + (p[len] == ',');
    }
    printf("}");
}

static void print_row(const struct setting *row, const char *indent)
{
    printf("%s# %s", indent, row->help);
    if (row->unit[0])
        printf(" (%s)", row->unit);
    if (row->type == SETTING_INT)
        printf(", %ld to %ld", row->min, row->max);
    printf("\n%s%s = ", indent, row->name);
    print_default(row);
    printf("\n");
}

/* Sections that exist only when somebody wants one are shown behind `#`. */
static void print_section(const struct settings_section *section)
{
    bool        optional = section->example && strcmp(section->name, "domain") != 0 &&
                    strcmp(section->name, "rooms") != 0;
    const char *indent = optional ? "#     " : section->name[0] ? "    " : "";

    if (section->name[0])
        printf("%s%s %s%s%s{\n", optional ? "# " : "", section->name, section->example ? "\"" : "",
               section->example ? section->example : "", section->example ? "\" " : "");
    for (size_t i = 0; i < section->count; i++)
        print_row(&section->rows[i], indent);
    printf(section->name[0] ? optional ? "# }\n\n" : "}\n\n" : "\n");
}

void settings_print_rows(void)
{
    printf("# Every setting of Zubr with its default. A configuration needs one domain, nothing else.\n"
           "# Without a rooms section, rooms live at muc.<each domain>.\n\n");
    for (size_t i = 0; i < SETTINGS_SECTIONS; i++)
        print_section(&settings_sections[i]);
}
