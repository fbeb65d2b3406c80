/* XEP-0441 (preferences.h). */

#include "preferences.h"

#include "cursor.h"
#include "jid.h"
#include "log.h"
#include "ns.h"
#include "roster.h"

enum { FORMAT_WITHOUT_WISH = 1, FORMAT = 2 };

static const char *const texts[PREFER_COUNT] = { "", "always", "never", "roster" };

const char *preference_text(unsigned value)
{
    return texts[value];
}

static enum preference_default preference_parse(struct slice text)
{
    for (unsigned i = PREFER_ALWAYS; i < PREFER_COUNT; i++)
        if (slice_is(text, texts[i]))
            return (enum preference_default)i;
    return PREFER_DOMAIN;
}

/* ---- the row ---- */

static struct slice take_list(struct cursor *c, uint32_t *count)
{
    struct cursor start;

    *count = take_u32(c);
    start = *c;
    for (uint32_t i = 0; i < *count && !c->bad; i++)
        take_sized(c);
    return slice_cut(start.rest, 0, start.rest.len - c->rest.len);
}

static bool take_row(struct slice row, struct preferences *out)
{
    struct cursor c = { row, false };
    unsigned      format = take_u8(&c);

    out->fallback = (enum preference_default)take_u8(&c);
    out->days = (long)take_u32(&c) - 1;
    out->wish = format == FORMAT ? (long)take_u32(&c) - 1 : DAYS_OF_DOMAIN;
    out->always = take_list(&c, &out->always_count);
    out->never = take_list(&c, &out->never_count);
    return cursor_done(&c) && (format == FORMAT || format == FORMAT_WITHOUT_WISH) && (unsigned)out->fallback < PREFER_COUNT;
}

static const struct preferences nothing_said = { .days = DAYS_OF_DOMAIN, .wish = DAYS_OF_DOMAIN };

void preferences_read(struct sm *sm, struct store_view *view, struct slice owner, struct preferences *out)
{
    struct slice row = store_get(view, T_PREFERENCE, sm_key(sm, owner, slice_of(NULL, 0)));

    *out = nothing_said;
    if (!row.p || take_row(row, out))
        return;
    log_error("preferences_unreadable", "jid", log_slice(owner), NULL);
    *out = nothing_said;
}

void preferences_put(struct outcome *o, struct sm *sm, struct slice owner, const struct preferences *p)
{
    struct buf row = { 0 };

    buf_put_u8(&row, FORMAT);
    buf_put_u8(&row, (uint8_t)p->fallback);
    buf_put_u32(&row, (uint32_t)(p->days + 1));
    buf_put_u32(&row, (uint32_t)(p->wish + 1));
    buf_put_u32(&row, p->always_count);
    buf_put_slice(&row, p->always);
    buf_put_u32(&row, p->never_count);
    buf_put_slice(&row, p->never);
    store_put(outcome_accounts(o), T_PREFERENCE, sm_key(sm, owner, slice_of(NULL, 0)), buf_slice(&row));
    buf_free(&row);
}

/* ---- what they say ---- */

/* 2: it itself; 1: its bare JID; 0: it is not there. */
static int place_in(struct slice list, struct slice jid)
{
    struct cursor c = { list, false };
    int           best = 0;

    while (c.rest.len && !c.bad) {
        struct slice listed = take_sized(&c);
        if (slice_eq(listed, jid))
            return 2;
        if (slice_eq(listed, jid_bare(jid)))
            best = 1;
    }
    return best;
}

int preferences_match(const struct preferences *p, struct slice jid)
{
    int always = place_in(p->always, jid), never = place_in(p->never, jid);

    return !always && !never ? 0 : always > never ? 1 : -1;
}

static const struct settings_domain *domain_of(const struct sm *sm, struct slice domain)
{
    for (size_t i = 0; i < sm->settings->domain_count; i++)
        if (slice_is(domain, sm->settings->domain[i].name))
            return &sm->settings->domain[i];
    return NULL;
}

enum preference_default preferences_default(const struct sm *sm, struct slice owner, const struct preferences *p)
{
    const struct settings_domain *domain = domain_of(sm, jid_domain(owner));
    enum preference_default       said = p->fallback;

    if (said == PREFER_DOMAIN && domain && domain->archive_default)
        said = preference_parse(slice_str(domain->archive_default));
    return said == PREFER_DOMAIN ? PREFER_ALWAYS : said;
}

static bool in_roster(struct sm *sm, struct store_view *view, struct slice owner, struct slice jid)
{
    struct roster_item item;

    return roster_find(sm, view, owner, jid_bare(jid), &item);
}

bool preferences_allow(struct sm *sm, struct slice owner, struct slice jid)
{
    struct store_view      *view = store_view(sm->store.accounts);
    struct preferences      p;
    enum preference_default by_default;
    int                     said;
    bool                    allowed;

    preferences_read(sm, view, owner, &p);
    said = preferences_match(&p, jid);
    by_default = preferences_default(sm, owner, &p);
    allowed = said > 0 || (!said && (by_default == PREFER_ALWAYS ||
                                     (by_default == PREFER_ROSTER && in_roster(sm, view, owner, jid))));
    store_view_end(&view);
    return allowed;
}

long preferences_domain_days(const struct sm *sm, struct slice domain)
{
    const struct settings_domain *d = domain_of(sm, domain);

    return d && d->archive_days >= 0 ? d->archive_days : sm->settings->server.archive_days;
}

long preferences_days_granted(struct sm *sm, struct slice owner, long *wish)
{
    struct store_view *view = store_view(sm->store.accounts);
    struct preferences p;

    preferences_read(sm, view, owner, &p);
    store_view_end(&view);
    if (wish)
        *wish = p.wish;
    return p.days == DAYS_OF_DOMAIN ? preferences_domain_days(sm, jid_domain(owner)) : p.days;
}

long preferences_days(struct sm *sm, struct slice owner)
{
    long wish, granted = preferences_days_granted(sm, owner, &wish);

    return wish > 0 && (!granted || wish < granted) ? wish : granted;
}

/* ---- the protocol (2.1) ---- */

static void list_write(struct xml_writer *w, const char *name, struct slice list)
{
    struct cursor c = { list, false };

    xml_open(w, name, NULL);
    while (c.rest.len && !c.bad)
        xml_simple(w, "jid", NULL, take_sized(&c));
    xml_close(w);
}

static void prefs_write(struct iq *iq, const struct preferences *p)
{
    xml_open(iq->reply, "prefs", NS_MAM);
    xml_attr(iq->reply, "default", preference_text(preferences_default(iq->p->sm, iq->p->owner, p)));
    list_write(iq->reply, "always", p->always);
    list_write(iq->reply, "never", p->never);
    xml_close(iq->reply);
}

static enum zerr parse_list(struct arena *arena, const struct element *list, long most, struct slice *out,
                            uint32_t *count)
{
    struct buf sized = { 0 };
    struct jid jid;
    enum zerr  err = ZE_OK;

    *count = 0;
    for (const struct element *e = list ? element_child(list, NULL, "jid") : NULL; e && !err;
         e = element_next(e, NULL, "jid")) {
        err = *count >= (uint32_t)most ? ZE_FULL : jid_parse(element_text(arena, e), &jid) ? ZE_BAD_JID : ZE_OK;
        if (err || place_in(buf_slice(&sized), jid_slice(&jid)) == 2)
            continue;
        buf_put_sized(&sized, jid_slice(&jid));
        ++*count;
    }
    *out = arena_copy(arena, buf_slice(&sized));
    buf_free(&sized);
    return err;
}

static enum zerr parse(struct iq *iq, struct preferences *p)
{
    struct arena *arena = iq->p->sm->arena;
    long          most = iq->p->sm->settings->limits.archive_preferences_max;
    enum zerr     err;

    p->fallback = preference_parse(element_attr(iq->payload, "default"));
    if (p->fallback == PREFER_DOMAIN)
        return ZE_BAD_REQUEST;
    err = parse_list(arena, element_child(iq->payload, NULL, "always"), most, &p->always, &p->always_count);
    if (err)
        return err;
    return parse_list(arena, element_child(iq->payload, NULL, "never"), most - (long)p->always_count, &p->never,
                      &p->never_count);
}

static int get(struct iq *iq)
{
    struct store_view *view;
    struct preferences p;

    if (iq->target != TO_OWN_ACCOUNT)
        return ZE_FORBIDDEN;
    view = store_view(iq->p->sm->store.accounts);
    preferences_read(iq->p->sm, view, iq->p->owner, &p);
    prefs_write(iq, &p);
    store_view_end(&view);
    return ZE_OK;
}

static int set(struct iq *iq)
{
    struct sm         *sm = iq->p->sm;
    struct store_view *view;
    struct preferences p;
    enum zerr          err;

    if (iq->target != TO_OWN_ACCOUNT)
        return ZE_FORBIDDEN;
    view = store_view(sm->store.accounts);
    preferences_read(sm, view, iq->p->owner, &p);
    err = parse(iq, &p);
    store_view_end(&view);
    if (err)
        return err;
    preferences_put(iq->p->out, sm, iq->p->owner, &p);
    prefs_write(iq, &p);
    return ZE_OK;
}

static bool preferences_on(const struct sm *sm)
{
    return sm->settings->server.archive;
}

static void preferences_removed(struct passage *p)
{
    store_delete(outcome_accounts(p->out), T_PREFERENCE, sm_key(p->sm, p->owner, slice_of(NULL, 0)));
}

static const struct iq_row iqs[] = {
    { IQ_GET, NS_MAM, "prefs", TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT, get },
    { IQ_SET, NS_MAM, "prefs", TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT, set },
    { 0 },
};

const struct sm_feature sm_preferences = {
    .name = "preferences", .spec = "XEP-0441", .iqs = iqs, .on = preferences_on, .removed = preferences_removed,
};
