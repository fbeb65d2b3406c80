/* Which daemons there should be, and where their control sockets are. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mem.h"
#include "settings.h"
#include "zubrctl.h"

enum { NAMES_MAX = 512 };

const struct instance *instances_named(const struct instances *all, const char *name)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->item[i].name, name) == 0)
            return &all->item[i];
    return NULL;
}

static void add(struct instances *all, const char *run, struct slice name)
{
    char *text = xstrndup(name);

    if (instances_named(all, text)) {
        free(text);
        return;
    }
    all->item = xrealloc(all->item, (all->count + 1) * sizeof(*all->item));
    all->item[all->count++] = (struct instance){
        .name = text,
        .role = xstrndup(slice_of(text, strcspn(text, "-"))),
        .path = xprintf("%s/ctl/%s.sock", run, text),
    };
}

static void add_configured(struct instances *all, const struct settings *s, const char *run)
{
    const char *names[NAMES_MAX];
    size_t      count = settings_instances(s, names, NAMES_MAX);

    for (size_t i = 0; i < count && i < NAMES_MAX; i++)
        add(all, run, slice_str(names[i]));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strverscmp((*a)->d_name, (*b)->d_name);
}

static void add_sockets(struct instances *all, const char *run)
{
    char           *path = xprintf("%s/ctl", run);
    struct dirent **entries;
    int             count = scandir(path, &entries, NULL, by_name);

    for (int i = 0; i < count; i++) {
        size_t len = strlen(entries[i]->d_name);

        if (len > 5 && strcmp(entries[i]->d_name + len - 5, ".sock") == 0)
            add(all, run, slice_of(entries[i]->d_name, len - 5));
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    free(path);
}

/* A configuration that cannot be read (another user's, or one being edited) is no reason not to talk
 * to the daemons that run. */
void instances_find(struct instances *all, const char *dir)
{
    char            *conf = dir ? xprintf("%s/zubr.conf", dir) : xstrdup("/etc/zubr/zubr.conf");
    struct settings *s = access(conf, R_OK) == 0 ? settings_load(conf, NULL) : NULL;
    char            *run = s     ? xstrdup(s->dir.run)
                           : dir ? xprintf("%s/run", dir)
                                 : xstrdup("/run/zubr");

    if (s)
        add_configured(all, s, run);
    add_sockets(all, run);
    settings_free(&s);
    free(run);
    free(conf);
}

void instances_free(struct instances *all)
{
    for (size_t i = 0; i < all->count; i++) {
        free(all->item[i].name);
        free(all->item[i].role);
        free(all->item[i].path);
    }
    free(all->item);
    *all = (struct instances){ 0 };
}
