/* Reading zubr.conf with libconfuse (settings.h). libconfuse stops at its first fault; an operator
 * wants all of them. So values are taken as text and judged in a callback that never fails, and for
 * an unknown key the file is read again with that key known. What the sections mean together is
 * settings_check.c's business. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <confuse.h>

#include "settings_check.h"
#include "settings_priv.h"

enum { READ_AGAIN_MAX = 50, FILE_MAX = 1 << 20 };

/* libconfuse takes the end of the file for the end of a section. So the text ends with a key that is
 * known outside of sections only. */
#define END_MARK " end"
#define END_LINE "\n\"" END_MARK "\" = \"\"\n"

/* libconfuse's callbacks take no argument of ours: one file is read at a time. */
static struct reading {
    struct settings_held  *held;
    struct arena          *scratch;      /* dies with the reading */
    struct settings_faults faults;
    struct stranger {
        const struct settings_section *section;
        const char                    *key;
    }     *strangers;                /* unknown keys met so far */
    size_t stranger_count;
    struct settings_begins begins;
    bool   same_title;               /* a title came twice: take it, the fault is noted */
    bool   again;                    /* a fault that one can read on behind */
} *reading;

static const struct settings_section *section_of(const cfg_t *cfg)
{
    return settings_section(strcmp(cfg->name, "root") == 0 ? "" : cfg->name);
}

static const char *label(const struct settings_section *section, const char *title, const char *key)
{
    struct arena *arena = reading->scratch;

    if (!section->name[0])
        return key;
    return title ? arena_printf(arena, "%s \"%s\": %s", section->name, title, key)
                 : arena_printf(arena, "%s: %s", section->name, key);
}

/* ---- libconfuse's callbacks ---- */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    const struct settings_section *section = section_of(cfg);
    const struct setting          *row = settings_row(section, opt->name);
    const char                    *fault = row ? setting_fault(row, value) : NULL;

    if (fault)
        settings_fault(&reading->faults, cfg->line, "%s = \"%s\": %s", label(section, cfg->title, opt->name),
                       value, fault);
    *(const char **)result = value;
    return 0;
}

static int on_stranger_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    (void)cfg;
    (void)opt;
    *(const char **)result = value;
    return 0;
}

/* libconfuse forgets where a section began. It does give a new section its defaults there and then:
 * a hidden list with a default makes it tell us. */
static int on_section_begin(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    (void)opt;
    settings_begin_add(&reading->begins, section_of(cfg), cfg->title ? cfg->title : "", cfg->line);
    *(const char **)result = value;
    return 0;
}

static void on_unknown_key(const cfg_t *cfg, const char *key)
{
    const struct settings_section *section = section_of(cfg);
    size_t                         count = reading->stranger_count;

    settings_fault(&reading->faults, cfg->line, "unknown key \"%s\"%s%s%s", key,
                   section->name[0] ? " in " : "", section->name,
                   settings_hint(reading->scratch, section, key));
    struct stranger *more = arena_alloc(reading->scratch, (count + 1) * sizeof(*more));
    if (count)
        memcpy(more, reading->strangers, count * sizeof(*more));
    more[count] = (struct stranger){ section, arena_str(reading->scratch, slice_str(key)) };
    reading->strangers = more;
    reading->stranger_count++;
    reading->again = true;
}

/* The text between the quotes of libconfuse's message. */
static const char *quoted(const char *text)
{
    const char *begin = strchr(text, '\''), *end = begin ? strrchr(text, '\'') : NULL;

    if (!begin || end == begin)
        return "";
    return arena_str(reading->scratch, slice_of(begin + 1, (size_t)(end - begin - 1)));
}

static bool is_stranger(const cfg_t *cfg, const char *key)
{
    for (size_t i = 0; i < reading->stranger_count; i++)
        if (reading->strangers[i].section == section_of(cfg) && strcmp(reading->strangers[i].key, key) == 0)
            return true;
    return false;
}

static void on_open_end(const cfg_t *cfg)
{
    int line = settings_begin_line(&reading->begins, section_of(cfg), cfg->title ? cfg->title : "");

    settings_fault(&reading->faults, line ? line : cfg->line - 1, "section \"%s\" is not closed: expected }",
                   cfg->name);
}

static void on_error(cfg_t *cfg, const char *format, va_list args)
{
    char text[1024];

    vsnprintf(text, sizeof(text), format, args);
    const char *word = quoted(text);
    if (strncmp(text, "no such option", 14) == 0) {
        if (strcmp(word, END_MARK) == 0)
            on_open_end(cfg);
        else
            on_unknown_key(cfg, word);
    } else if (strncmp(text, "found duplicate title", 21) == 0) {
        settings_fault(&reading->faults, cfg->line, "\"%s\" was there before", word);
        reading->again = reading->same_title = true;
    } else if (strncmp(text, "missing equal sign", 18) != 0 || !is_stranger(cfg, word)) {
        settings_fault(&reading->faults, cfg->line, "%s", text);
    }
}

/* ---- the rows as libconfuse's options ---- */
static cfg_opt_t option(const struct setting *row)
{
    cfg_opt_t one = CFG_STR_CB(row->name, NULL, CFGF_NODEFAULT, on_value);
    cfg_opt_t list = CFG_STR_LIST_CB(row->name, NULL, CFGF_NONE, on_value);

    return row->type == SETTING_LIST ? list : one;
}

static char                 begun[] = "{begin}";
static const struct setting end_mark = { SETTING_STR, END_MARK, "", 0, 0, "", "", 0 };

static cfg_opt_t *options_of(const struct settings_section *section)
{
    size_t     room = section->count + SETTINGS_SECTIONS + reading->stranger_count + 2, n = 0;
    cfg_opt_t *options = arena_alloc(reading->scratch, room * sizeof(*options));
    cfg_opt_t  begin = CFG_STR_LIST_CB("", begun, CFGF_NONE, on_section_begin), end = CFG_END();

    for (size_t i = 0; i < section->count; i++)
        options[n++] = option(&section->rows[i]);
    if (section->name[0])
        options[n++] = begin;
    else
        options[n++] = option(&end_mark);
    for (size_t i = 0; i < reading->stranger_count; i++) {
        cfg_opt_t stranger = CFG_STR_LIST_CB(reading->strangers[i].key, NULL, CFGF_NONE, on_stranger_value);

        if (reading->strangers[i].section == section)
            options[n++] = stranger;
    }
    for (size_t i = 1; i < SETTINGS_SECTIONS && !section->name[0]; i++) {
        const struct settings_section *s = &settings_sections[i];
        cfg_flag_t titled = CFGF_MULTI | CFGF_TITLE | (reading->same_title ? 0 : CFGF_NO_TITLE_DUPES);
        cfg_opt_t  opt = CFG_SEC(s->name, options_of(s), s->example ? titled : CFGF_NONE);

        options[n++] = opt;
    }
    options[n] = end;
    return options;
}

static cfg_t *read_once(const char *text)
{
    cfg_t *cfg = cfg_init(options_of(settings_section("")), CFGF_NONE);

    reading->again = false;
    cfg_set_error_function(cfg, on_error);
    if (cfg_parse_buf(cfg, text) == CFG_SUCCESS)
        return cfg;
    if (!reading->faults.count)
        settings_fault(&reading->faults, 0, "cannot be understood");
    cfg_free(cfg);
    return NULL;
}

/* ---- from libconfuse's tree into the struct ---- */
static void take_row(cfg_t *cfg, void *base, const struct setting *row)
{
    cfg_opt_t *opt = cfg_getopt(cfg, row->name);

    if (!(opt->flags & CFGF_MODIFIED))
        return;
    if (row->type == SETTING_LIST)
        setting_list_clear(base, row);
    for (unsigned i = 0; i < cfg_opt_size(opt); i++) {
        const char *value = cfg_opt_getnstr(opt, i);

        if (value && !setting_fault(row, value))
            setting_store(reading->held->arena, base, row, value);
    }
}

static void take_section(cfg_t *root, const struct settings_section *section)
{
    unsigned count = section->name[0] ? cfg_size(root, section->name) : 1;

    for (unsigned n = 0; n < count; n++) {
        cfg_t *cfg = section->name[0] ? cfg_getnsec(root, section->name, n) : root;
        void  *base = section->example ? settings_add(reading->held, section, cfg_title(cfg))
                                       : &reading->held->s;

        for (size_t i = 0; i < section->count; i++)
            take_row(cfg, base, &section->rows[i]);
    }
}

static void set_defaults(struct settings_held *held)
{
    for (size_t i = 0; i < SETTINGS_SECTIONS; i++)
        for (size_t r = 0; r < settings_sections[i].count && !settings_sections[i].example; r++)
            setting_store_text(held->arena, &held->s, &settings_sections[i].rows[r],
                               settings_sections[i].rows[r].def);
}

/* The file into `text` (FILE_MAX bytes); 0 or an errno. */
static int read_file(const char *path, char *text, size_t *len)
{
    FILE *file = fopen(path, "re");

    if (!file)
        return errno;
    *len = fread(text, 1, FILE_MAX, file);
    int why = ferror(file) ? EIO : *len == FILE_MAX ? EFBIG : 0;
    fclose(file);
    return why;
}

/* The file and the end mark; NULL: a fault was noted. */
static char *text_of(const char *path)
{
    char  *text = arena_alloc(reading->scratch, FILE_MAX + sizeof(END_LINE));
    size_t len = 0;

    int why = read_file(path, text, &len);
    if (why) {
        settings_fault(&reading->faults, 0, "cannot be read: %s", strerror(why));
        return NULL;
    }
    memcpy(text + len, END_LINE, sizeof(END_LINE));
    if (strlen(text) != len + sizeof(END_LINE) - 1) {
        settings_fault(&reading->faults, 0, "is no text: it has NUL bytes");
        return NULL;
    }
    return text;
}

static void read_all(const char *path)
{
    const char *text = text_of(path);
    cfg_t      *cfg = NULL;

    for (int turn = 0; text && turn < READ_AGAIN_MAX; turn++) {
        cfg = read_once(text);
        if (cfg || !reading->again)
            break;
    }
    set_defaults(reading->held);
    if (!cfg)
        return;
    for (size_t i = 0; i < SETTINGS_SECTIONS; i++)
        take_section(cfg, &settings_sections[i]);
    cfg_free(cfg);
}

/* A relative path is meant from where the file lies, so that a whole instance can be moved. */
static void anchor(struct arena *arena, const char *file, const char **path)
{
    const char *slash = strrchr(file, '/');

    if (slash && (*path)[0] && (*path)[0] != '/')
        *path = arena_printf(arena, "%.*s/%s", (int)(slash - file), file, *path);
}

static void anchor_all(struct settings_held *held, const char *file)
{
    anchor(held->arena, file, &held->s.dir.run);
    anchor(held->arena, file, &held->s.dir.data);
    anchor(held->arena, file, &held->s.dir.certs);
    for (size_t i = 0; i < held->s.domain_count; i++) {
        anchor(held->arena, file, &held->s.domain[i].client_certificates);
        anchor(held->arena, file, &held->s.domain[i].client_revocations);
    }
    for (size_t i = 0; i < held->s.component_count; i++)
        anchor(held->arena, file, &held->s.component[i].secret_file);
    for (size_t i = 0; i < held->s.service_count; i++)
        anchor(held->arena, file, &held->s.service[i].secret_file);
}

struct settings *settings_load(const char *path, const char *const *overrides)
{
    struct settings_held *held = xcalloc(1, sizeof(*held));

    held->arena = arena_new();
    struct arena  *scratch = arena_new();
    struct reading now = { .held = held, .scratch = scratch, .faults = { .arena = scratch },
                           .begins = { .arena = scratch } };
    reading = &now;
    read_all(path);
    bool readable = now.faults.count == 0 || held->s.domain_count > 0;
    if (readable)
        settings_complete(held, &now.faults, &now.begins, overrides);
    anchor_all(held, path);
    reading = NULL;

    struct settings *s = &held->s;
    if (now.faults.count) {
        settings_faults_print(&now.faults, path);
        settings_free(&s);
    }
    free(now.faults.fault);
    arena_free(&scratch);
    return s;
}
