/* What was decided about notifications, for the operator (verb push): memory of this process. */

#include "push_inner.h"

#include <stdlib.h>

#include "datetime.h"
#include "log.h"
#include "table.h"

enum { NOTES = 16, NOTED_ACCOUNTS = 10000 };

struct note {
    uint64_t    us;
    const char *what;
    char        why[NOTE_TEXT];
    char       *about;             /* service, blank, node */
};

struct notes {
    unsigned    next;
    struct note list[NOTES];
};

static void notes_free(void *notes)
{
    struct notes *n = notes;

    for (unsigned i = 0; i < NOTES; i++)
        free(n->list[i].about);
    free(n);
}

void push_notes_free(struct push *all)
{
    table_free_values(&all->notes, notes_free);
}

static struct notes *notes_of(struct push *all, struct slice owner)
{
    struct notes *n = table_get(all->notes, owner);

    if (n)
        return n;
    if (table_count(all->notes) >= NOTED_ACCOUNTS) {
        push_notes_free(all);
        all->notes = table_new();
    }
    n = xcalloc(1, sizeof(*n));
    table_put(all->notes, owner, n);
    return n;
}

static void put_about(struct buf *about, const struct registration *r)
{
    buf_put_slice(about, r->service);
    buf_put_u8(about, ' ');
    buf_put_slice(about, r->node);
}

void push_note(struct sm *sm, struct slice owner, const struct registration *r, const char *what, const char *why)
{
    struct notes *n = notes_of(sm->push, owner);
    struct note  *note = &n->list[n->next++ % NOTES];
    struct buf    about = { 0 };

    free(note->about);
    put_about(&about, r);
    *note = (struct note){ .us = wall_us(), .what = what, .about = xstrndup(buf_slice(&about)) };
    snprintf(note->why, sizeof(note->why), "%s", why);
    buf_free(&about);
    log_debug("push_decided", "jid", log_slice(owner), "peer", log_slice(r->service), "state", what, "why", why, NULL);
}

static void put_row(struct ctl_reply *out, const char *when, const char *what, struct slice about, const char *why)
{
    ctl_row(out);
    ctl_str(out, "when", when);
    ctl_str(out, "what", what);
    ctl_slice(out, "service", about);
    ctl_str(out, "why", why);
}

void push_notes(struct sm *sm, struct slice owner, struct ctl_reply *out)
{
    const struct notes *n = table_get(sm->push->notes, owner);
    char                when[DATETIME_MAX];

    for (unsigned i = 0; n && i < NOTES; i++) {
        const struct note *note = &n->list[(n->next + i) % NOTES];
        if (!note->about)
            continue;
        datetime_write(when, note->us / 1000000 * 1000000);
        put_row(out, when, note->what, slice_str(note->about), note->why);
    }
}

void push_fares(struct sm *sm, struct slice owner, const struct registration *r, struct ctl_reply *out)
{
    const struct pushing *t = push_find(sm, owner, r);
    struct buf            about = { 0 };
    char                  why[NOTE_TEXT], when[DATETIME_MAX] = "";

    put_about(&about, r);
    snprintf(why, sizeof(why), "failures=%u waiting=%u%s", t ? t->failures : 0, t ? t->waiting : 0,
             !t ? "" : t->on_its_way ? " on its way" : " tried again then");
    if (t && !t->on_its_way)
        datetime_write(when, t->due_us / 1000000 * 1000000);
    put_row(out, when, "registered", buf_slice(&about), why);
    buf_free(&about);
}
