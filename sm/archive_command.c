/* What the owner of an archive may say of it, as an ad-hoc command on the node of XEP-0441 2.2: for how long
 * messages stay, and that what is there goes now. */

#include "archive_purge.h"
#include "commands.h"
#include "datetime.h"
#include "jid.h"
#include "log.h"
#include "mem.h"
#include "ns.h"
#include "preferences.h"

#include <stdio.h>
#include <stdlib.h>

static bool may(const struct iq *iq)
{
    return iq->p->session && iq->p->sm->settings->server.archive;
}

/* ---- the form ---- */

static void ask(struct command_call *call)
{
    struct xml_writer *w = call->w;
    struct passage    *p = call->iq->p;
    long               wish, granted = preferences_days_granted(p->sm, p->owner, &wish);
    char               days[24], usual[80] = "The server keeps messages for ever.";

    if (granted)
        snprintf(usual, sizeof(usual), "The server keeps messages for %ld days.", granted);
    xml_open(w, "x", NS_DATA);
    xml_attr(w, "type", "form");
    xml_simple(w, "title", NULL, slice_str(call->command->name));
    xml_simple(w, "instructions", NULL, slice_str(usual));
    form_put_str(w, "FORM_TYPE", "hidden", NULL, NS_MAM_CONFIGURE);
    snprintf(days, sizeof(days), "%ld", wish);
    form_put_str(w, "days", "text-single", "Delete messages after so many days (empty: as the server does)",
                 wish == DAYS_OF_DOMAIN ? NULL : days);
    form_put_str(w, "purge", "boolean", "Delete what is in the archive now", "false");
    form_put_str(w, "before", "text-single", "Of that, only what is older than this date (empty: everything)", NULL);
    xml_close(w);
}

/* ---- what is submitted ---- */

struct configuring {
    struct command_later *later;
    char                 *jid;
    uint64_t              removed;
};

static void write_result(struct xml_writer *w, void *arg)
{
    const struct configuring *c = arg;
    char                      text[64];

    snprintf(text, sizeof(text), "Messages deleted: %llu", (unsigned long long)c->removed);
    command_note(w, "info", text);
}

static void over(struct configuring *c, enum zerr err)
{
    if (err)
        command_fail(&c->later, err, "Not everything could be deleted.");
    else
        command_complete(&c->later, write_result, c);
    free(c->jid);
    free(c);
}

static void purged(void *arg, enum zerr err, uint64_t count)
{
    struct configuring *c = arg;

    log_info("archive_purged", "jid", c->jid, "count", log_num((int64_t)count), "err", err_name(err), NULL);
    c->removed = count;
    over(c, err);
}

struct submitted {
    bool     has_days, purge;
    long     days;                     /* DAYS_OF_DOMAIN: none */
    uint64_t before_us;
};

static bool read_days(struct slice text, long *days)
{
    uint64_t number;

    *days = DAYS_OF_DOMAIN;
    if (!text.len)
        return true;
    if (!form_number(text, DAYS_MOST, &number) || !number)
        return false;
    *days = (long)number;
    return true;
}

static bool read_form(struct arena *arena, const struct element *form, struct submitted *out)
{
    struct slice days = form_value(arena, form, "days"), purge = form_value(arena, form, "purge");
    struct slice before = form_value(arena, form, "before");

    *out = (struct submitted){ .has_days = form_field(form, "days"), .before_us = wall_us() };
    return read_days(days, &out->days) && (!purge.len || form_bool(purge, &out->purge)) &&
           (!before.len || archive_date(before, &out->before_us));
}

static void put_wish(struct passage *p, long days)
{
    struct store_view *view = store_view(p->sm->store.accounts);
    struct preferences now;

    preferences_read(p->sm, view, p->owner, &now);
    now.wish = days;
    preferences_put(p->out, p->sm, p->owner, &now);
    store_view_end(&view);
}

static int run(struct command_call *call)
{
    struct passage     *p = call->iq->p;
    struct submitted    said;
    struct configuring *c;

    if (!read_form(p->sm->arena, call->form, &said))
        return ZE_BAD_REQUEST;
    if (said.has_days)
        put_wish(p, said.days);
    if (!said.purge)
        return ZE_OK;
    c = xcalloc(1, sizeof(*c));
    *c = (struct configuring){ .later = command_defer(call), .jid = xstrndup(p->owner) };
    archive_purge(p->sm, p->owner, said.before_us, purged, c);
    return LATER;
}

static const struct command commands[] = {
    { NS_MAM_CONFIGURE, "Message archive", TO_OWN_ACCOUNT, NS_MAM_CONFIGURE, may, ask, run, NULL },
    { 0 },
};

const struct sm_feature sm_archive_command = { .name = "archive_command", .spec = "XEP-0441 2.2", .commands = commands };
