/* What the server tells the client it has handled (resume.h): a stanza counts when nothing is owed for it
 * and for those before it. */

#include "resume_inner.h"

#include <stdlib.h>

enum { OWED_ROOM = 8 };

static const uint64_t DEBT_MARK = 1ull << 63;

void resume_debt_mark(struct frame *f, const struct debt *debt)
{
    f->sender = debt->session;
    f->number = DEBT_MARK | debt->number;
}

struct debt resume_debt_of(const struct frame *f)
{
    if (f->kind != FRAME_STANZA || f->dest.role == ROLE_C2SD || !(f->number & DEBT_MARK))
        return (struct debt){ 0 };
    return (struct debt){ f->sender, (uint32_t)f->number };
}

static void make_room(struct resume *r)
{
    if (r->owed_first + r->owed_count < r->owed_room)
        return;
    if (r->owed_first > r->owed_room / 2) {
        memmove(r->owed, r->owed + r->owed_first, r->owed_count * sizeof(*r->owed));
        r->owed_first = 0;
        return;
    }
    r->owed_room = r->owed_room ? r->owed_room * 2 : OWED_ROOM;
    r->owed = xrealloc(r->owed, r->owed_room * sizeof(*r->owed));
}

uint32_t resume_took(struct session *s)
{
    struct resume *r = s->resume;

    make_room(r);
    r->owed[r->owed_first + r->owed_count++] = 1;
    session_changed(s);
    return r->paid + r->owed_count;
}

/* Numbers before the first that is owed come back only after a restart. */
static void owe_from(struct resume *r, uint32_t number)
{
    uint32_t more = r->paid + 1 - number;
    uint32_t room = r->owed_count + more;

    uint16_t *owed = xcalloc(room, sizeof(*owed));
    if (r->owed_count)
        memcpy(owed + more, r->owed + r->owed_first, r->owed_count * sizeof(*owed));
    free(r->owed);
    r->owed = owed;
    r->owed_first = 0;
    r->owed_count = r->owed_room = room;
    r->paid = number - 1;
}

void resume_owe_again(struct session *s, uint32_t number)
{
    struct resume *r = s ? s->resume : NULL;

    if (!r || (int32_t)(number - (r->paid + r->owed_count)) > 0)
        return;
    if ((int32_t)(number - r->paid) <= 0)
        owe_from(r, number);
    uint16_t *owed = &r->owed[r->owed_first + (number - r->paid - 1)];
    if (*owed < UINT16_MAX)
        ++*owed;
}

static bool advance(struct resume *r)
{
    uint32_t before = r->paid;

    while (r->owed_count && !r->owed[r->owed_first]) {
        r->owed_first++;
        r->owed_count--;
        r->paid++;
    }
    if (r->owed_count)
        return r->paid != before;
    r->owed_first = 0;
    if (r->owed_room > OWED_ROOM) {
        free(r->owed);
        r->owed = NULL;
        r->owed_room = 0;
    }
    return r->paid != before;
}

void resume_paid(struct sm *sm, uint64_t handle, uint32_t number)
{
    struct session *s = handle ? session_by_handle(sm->sessions, handle) : NULL;
    struct resume  *r = s ? s->resume : NULL;
    uint32_t        i = r ? number - r->paid - 1 : 0;

    if (!r || i >= r->owed_count || !r->owed[r->owed_first + i])
        return;
    r->owed[r->owed_first + i]--;
    if (!advance(r))
        return;
    session_changed(s);
    if (r->asked || r->resuming)
        resume_speak(r);
}

static void pay(struct sm *sm, const struct frame *f, uint64_t tag)
{
    if (f->dest.role != ROLE_C2SD && tag & DEBT_MARK)
        resume_paid(sm, f->sender, (uint32_t)tag);
}

void resume_on_confirmed(struct sm *sm, const struct kept *k)
{
    struct frame f;

    if (kept_tag(k) & DEBT_MARK && frame_decode(kept_bytes(k), &f) > 0)
        pay(sm, &f, kept_tag(k));
}

void resume_returned(struct sm *sm, const struct frame *bounce, const struct frame *original)
{
    pay(sm, original, bounce->number);
}
