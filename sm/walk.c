/* walk.h. */

#include "walk.h"

#include <stdlib.h>

#include "mem.h"
#include "session.h"

struct walk {
    struct list      link;           /* sm->walks */
    struct deferred  next;
    struct sm       *sm;
    struct walk_spec spec;
};

static void walk_end(struct walk *w, enum zerr err)
{
    struct walk_spec spec = w->spec;

    list_remove(&w->link);
    loop_undefer(&w->next);
    free(w);
    spec.done(spec.arg, err);
}

static void step(void *arg)
{
    struct walk *w = arg;
    int          did = w->spec.step(w->spec.arg);

    arena_reset(w->sm->arena);
    if (did > 0)
        loop_defer_next(w->sm->loop, &w->next);
    else
        walk_end(w, (enum zerr)did);
}

void walk_begin(struct sm *sm, const struct walk_spec *spec)
{
    struct walk *w = xcalloc(1, sizeof(*w));

    w->sm = sm;
    w->spec = *spec;
    w->next = (struct deferred){ .run = step, .arg = w };
    list_append(&sm->walks, &w->link);
    loop_defer_next(sm->loop, &w->next);
}

size_t walks_count(const struct sm *sm)
{
    size_t count = 0;

    LIST_EACH(&sm->walks, node)
        count++;
    return count;
}

void walks_forget(struct sm *sm)
{
    LIST_EACH(&sm->walks, node)
        walk_end(LIST_OWNER(node, struct walk, link), ZE_UNAVAILABLE);
}

int walk_sessions(struct sm *sm, size_t *place, void (*each)(void *arg, struct session *s), void *arg)
{
    for (unsigned i = 0; i < WALK_SESSIONS; i++) {
        struct session *s = sessions_next(sm->sessions, place);

        if (!s)
            return 0;
        each(arg, s);
    }
    return 1;
}
