/* What is wrong with a configuration: collected, sorted, printed with the nearest known key
 * (settings_priv.h). */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings_priv.h"

void settings_fault(struct settings_faults *faults, int line, const char *format, ...)
{
    va_list args;
    char   *text = NULL;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = xstrdup(format);
    va_end(args);
    for (size_t i = 0; i < faults->count; i++)
        if (faults->fault[i].line == line && strcmp(faults->fault[i].text, text) == 0) {
            free(text);
            return;
        }
    faults->fault = xrealloc(faults->fault, (faults->count + 1) * sizeof(*faults->fault));
    faults->fault[faults->count].line = line;
    faults->fault[faults->count++].text = arena_str(faults->arena, slice_str(text));
    free(text);
}

static int by_line(const void *a, const void *b)
{
    const struct settings_fault *first = a, *second = b;

    return (first->line > second->line) - (first->line < second->line);
}

void settings_faults_print(struct settings_faults *faults, const char *path)
{
    if (faults->count)
        qsort(faults->fault, faults->count, sizeof(*faults->fault), by_line);
    for (size_t i = 0; i < faults->count; i++) {
        const struct settings_fault *f = &faults->fault[i];

        if (f->line > 0)
            fprintf(stderr, "%s:%d: %s\n", path, f->line, f->text);
        else
            fprintf(stderr, "%s%s%s\n", f->line ? "" : path, f->line ? "" : ": ", f->text);
    }
}

unsigned settings_distance(const char *a, const char *b)
{
    unsigned row[64];
    size_t   width = strlen(b);

    if (width >= COUNT_OF(row) || strlen(a) >= COUNT_OF(row))
        return COUNT_OF(row);
    for (size_t j = 0; j <= width; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= width; j++) {
            unsigned changed = diagonal + (a[i - 1] != b[j - 1]);
            unsigned added = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

            diagonal = row[j];
            row[j] = changed < added ? changed : added;
        }
    }
    return row[width];
}

static void nearer(const char *candidate, const char *key, const char **best, unsigned *distance)
{
    unsigned d = settings_distance(candidate, key);

    if (d < *distance) {
        *distance = d;
        *best = candidate;
    }
}

const char *settings_hint(struct arena *arena, const struct settings_section *section, const char *key)
{
    unsigned    distance = strlen(key) / 3 + 2;       /* further away is another word */
    const char *best = NULL;

    for (size_t i = 0; i < SETTINGS_SECTIONS; i++)
        if (&settings_sections[i] != section && settings_row(&settings_sections[i], key))
            return settings_sections[i].name[0]
                       ? arena_printf(arena, "; \"%s\" belongs into %s { }", key, settings_sections[i].name)
                       : arena_printf(arena, "; \"%s\" belongs outside of any section", key);
    for (size_t i = 0; i < section->count; i++)
        nearer(section->rows[i].name, key, &best, &distance);
    for (size_t i = 1; i < SETTINGS_SECTIONS && !section->name[0]; i++)
        nearer(settings_sections[i].name, key, &best, &distance);
    return best ? arena_printf(arena, "; did you mean \"%s\"?", best) : "";
}
