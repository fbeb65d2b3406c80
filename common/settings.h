#pragma once

/* The configuration (DESIGN.md 7): one file, read whole by every daemon. All rows live in
 * settings_rows.h; this header turns them into one struct. Read only after settings_load; a
 * reload makes a new struct and swaps it. */

#include <stdbool.h>
#include <stddef.h>

#include "settings_rows.h"

/* Members generated from the rows. INT: long; BOOL: bool; STR: const char *; LIST: struct str_list. */
struct str_list {
    const char **item;
    size_t       count;
};

#define SETTING_TYPE_INT  long
#define SETTING_TYPE_BOOL bool
#define SETTING_TYPE_STR  const char *
#define SETTING_TYPE_LIST struct str_list
#define SETTING_MEMBER(type, name, def, min, max, unit, help) SETTING_TYPE_##type name;

struct settings_domain   { const char *name; DOMAIN_SETTINGS(SETTING_MEMBER) };
struct settings_rooms    { const char *name; ROOMS_SETTINGS(SETTING_MEMBER) };
struct settings_component { const char *name; COMPONENT_SETTINGS(SETTING_MEMBER) };
struct settings_service  { const char *name; SERVICE_SETTINGS(SETTING_MEMBER) };
struct settings_instance { const char *name; INSTANCE_SETTINGS(SETTING_MEMBER) };

struct settings {
    struct settings_domain    *domain;        /* prepared names (lower case, A-labels are not used) */
    size_t                     domain_count;  /* >= 1 */
    struct settings_rooms     *rooms;         /* default: muc.<each domain> */
    size_t                     rooms_count;
    struct settings_component *component;
    size_t                     component_count;
    struct settings_service   *service;       /* outside of XMPP (XEP-0215) */
    size_t                     service_count;
    struct settings_instance  *instance;      /* sections `instance "NAME"` as written */
    size_t                     instance_count;
    struct { DIR_SETTINGS(SETTING_MEMBER) } dir;
    struct { LISTEN_SETTINGS(SETTING_MEMBER) } listen;
    struct { INSTANCES_SETTINGS(SETTING_MEMBER) } instances;
    struct { LIMITS_SETTINGS(SETTING_MEMBER) } limits;
    struct { SERVER_SETTINGS(SETTING_MEMBER) } server;
};

/* Reads `path`, then applies `overrides` ("section.key=value", "domain[a.org].key=value"; NULL-ended,
 * may be NULL). Relative paths in it are meant from the directory of the file. On a fault prints
 * file:line, what was expected and the nearest known key to stderr (every fault, not only the first)
 * and returns NULL: the caller exits with status 78. */
struct settings *settings_load(const char *path, const char *const *overrides);
void             settings_free(struct settings **s);

const struct settings_domain *settings_domain(const struct settings *s, const char *name);
/* The section of that instance, or NULL. */
const struct settings_instance *settings_instance(const struct settings *s, const char *name);

/* All instances this configuration asks for, in order: routerd, sm-1.., muc-1.., c2sd-1.., s2sd-1..,
 * then the `instance` sections with names of their own ("c2sd-web": role before the first '-').
 * Fills names[] (borrowed from s) up to max and returns how many there are. */
size_t settings_instances(const struct settings *s, const char **names, size_t max);

/* What one instance may take of a limit that all instances of its role have together: an equal part,
 * rounded up. 0 stays 0 (no limit). */
long settings_share(const struct settings *s, const char *instance, long value);

/* Prints every row as a commented configuration file (docs, `zubr-sm --print-config`). */
void settings_print_rows(void);
