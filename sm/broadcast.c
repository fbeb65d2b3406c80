/* broadcast.h. In steps (walk.h): who connects meanwhile may hear it or not. */

#include "broadcast.h"

#include <stdlib.h>

#include "blob.h"
#include "cursor.h"
#include "encode.h"
#include "jid.h"
#include "log.h"
#include "ns.h"
#include "spread.h"
#include "verbs.h"
#include "walk.h"
#include "xml_write.h"

struct broadcast {
    struct sm        *sm;
    struct ctl_reply *reply;       /* NULL: nobody asked */
    char             *text;
    struct slice      domain;      /* of the settings; empty: all */
    size_t            domains, place;
    int64_t           sessions;
    /* of one step: a stanza from each domain */
    struct slice      content;
    struct stanza    *stanza;
    struct spread    *spread;
};

static struct slice content_of(struct outcome *o, const char *text)
{
    struct buf        content = { 0 };
    struct xml_writer w;

    xml_begin(&w, &content, NS_CLIENT);
    xml_simple(&w, "subject", NULL, SLICE("Announcement"));
    xml_simple(&w, "body", NULL, slice_str(text));
    return outcome_keep(o, &content);
}

static void tell(void *arg, struct session *session)
{
    struct broadcast *b = arg;
    struct slice      domain = jid_domain(session_jid(session));

    if (b->domain.len && !slice_eq(b->domain, domain))
        return;
    for (size_t i = 0; i < b->domains; i++)
        if (slice_eq(b->stanza[i].from, domain)) {
            spread_session(&b->spread[i], session);
            b->sessions++;
        }
}

static int tell_some(void *arg)
{
    struct broadcast *b = arg;
    struct sm        *sm = b->sm;
    struct outcome   *o = outcome_new(sm, slice_of(NULL, 0), random_u64());
    int               more;

    b->domains = sm->settings->domain_count;
    b->content = content_of(o, b->text);
    b->stanza = arena_alloc(sm->arena, b->domains * sizeof(*b->stanza));
    b->spread = arena_alloc(sm->arena, b->domains * sizeof(*b->spread));
    for (size_t i = 0; i < b->domains; i++) {
        b->stanza[i] = (struct stanza){
            .name = STANZA_MESSAGE, .type = TYPE_HEADLINE, .from = slice_str(sm->settings->domain[i].name),
            .content = b->content,
        };
        spread_begin(&b->spread[i], sm, o, AHEAD, &b->stanza[i]);
    }
    more = walk_sessions(sm, &b->place, tell, b);
    for (size_t i = 0; i < b->domains; i++)
        spread_end(&b->spread[i]);
    outcome_settle(&o);
    return more;
}

static void told(void *arg, enum zerr err)
{
    struct broadcast *b = arg;

    ctl_row(b->reply);
    ctl_int(b->reply, "sessions", b->sessions);
    if (b->reply)
        ctl_finish(b->reply, err);
    free(b->text);
    free(b);
}

static void begin(struct sm *sm, struct slice text, struct slice domain, struct ctl_reply *r)
{
    struct broadcast *b = xcalloc(1, sizeof(*b));

    b->sm = sm;
    b->reply = r;
    b->text = xstrndup(text);
    b->domain = domain;
    walk_begin(sm, &(struct walk_spec){ tell_some, told, b });
}

int verb_announce(void *self, int argc, char **argv, struct ctl_reply *r)
{
    const struct settings_domain *domain = argc > 1 ? sm_domain(self, slice_str(argv[1])) : NULL;

    if (argc > 1 && !domain) {
        ctl_reason(r, "%s is no domain of accounts here", argv[1]);
        return ZE_NOT_FOUND;
    }
    begin(self, slice_str(argv[0]), slice_str(domain ? domain->name : NULL), r);
    return LATER;
}

void on_warn(void *self, const struct frame *f)
{
    struct cursor c = { f->body, false };
    struct slice  text = take_sized(&c);

    if (f->origin.role != ROLE_ROUTERD || !cursor_done(&c)) {
        log_warn("frame_refused", "kind", "WARN", "why", "malformed", NULL);
        return;
    }
    begin(self, text, slice_of(NULL, 0), NULL);
}
