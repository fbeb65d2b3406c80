/* XEP-0377 Spam Reporting: a report in a block goes to the admins of the reporter's domain, as a message to
 * read and with the report itself in it. What clients of before its version 0.3 send (namespace :0) is read as well,
 * and not announced. Nothing is passed on to other servers: the opt-ins of 5 need no
 * answer from who does no such processing. */

#include "reports.h"

#include "jid.h"
#include "log.h"
#include "ns.h"
#include "register.h"

static uint64_t reports, reports_dropped;

static const struct stat_row stats[] = {
    { "abuse_reports", "reports of abuse that were handed to admins", &reports },
    { "abuse_reports_dropped", "reports without a reason, or more than reports_per_hour", &reports_dropped },
    { 0 },
};

static bool reports_on(const struct sm *sm)
{
    return sm->settings->server.reports;
}

/* Of version 0.1, 4: a reason was an element, and "MAY" be there. */
static const struct { const char *element, *reason; } elder_reasons[] = {
    { "spam", "urn:xmpp:reporting:spam" },
    { "abuse", "urn:xmpp:reporting:abuse" },
};

/* Empty: it has none and is no report. */
static struct slice reason_of(const struct element *report)
{
    if (!slice_is(report->ns, NS_REPORTING_0))
        return element_attr(report, "reason");
    for (size_t i = 0; i < COUNT_OF(elder_reasons); i++)
        if (element_child(report, NS_REPORTING_0, elder_reasons[i].element))
            return slice_str(elder_reasons[i].reason);
    return slice_str("no reason given");
}

static const struct element *report_of(const struct element *item)
{
    const struct element *report = element_child(item, NS_REPORTING, "report");

    return report ? report : element_child(item, NS_REPORTING_0, "report");
}

/* What an admin reads in any client. */
static void put_text(struct buf *out, struct passage *p, struct slice jid, const struct element *report)
{
    struct slice said = element_child_text(p->sm->arena, report, "text");

    buf_printf(out, "%.*s reports %.*s: %.*s", SLICE_FMT(p->owner), SLICE_FMT(jid),
               SLICE_FMT(reason_of(report)));
    if (said.len)
        buf_printf(out, "\n%.*s", SLICE_FMT(said));
}

static struct slice content_of(struct passage *p, struct slice jid, const struct element *report)
{
    struct buf        content = { 0 }, text = { 0 };
    struct xml_writer w;

    put_text(&text, p, jid, report);
    xml_begin(&w, &content, NS_CLIENT);
    xml_simple(&w, "subject", NULL, SLICE("Report of abuse"));
    xml_simple(&w, "body", NULL, buf_slice(&text));
    xml_open(&w, "item", NS_BLOCKING);
    xml_attr_slice(&w, "jid", jid);
    xml_element(&w, report);
    xml_close(&w);
    buf_free(&text);
    return outcome_keep(p->out, &content);
}

static void tell_admins(struct passage *p, struct slice jid, const struct element *report)
{
    const struct settings_domain *domain = sm_domain(p->sm, jid_domain(p->owner));
    struct stanza                 s = {
        .name = STANZA_MESSAGE, .type = TYPE_NORMAL, .flags = STANZA_HAS_BODY | STANZA_MANY,
        .from = jid_domain(p->owner), .content = content_of(p, jid, report),
    };
    struct jid admin;

    for (size_t i = 0; domain && i < domain->admins.count; i++)
        if (jid_parse(slice_str(domain->admins.item[i]), &admin) == ZE_OK) {
            s.to = arena_copy(p->sm->arena, jid_bare(jid_slice(&admin)));
            outcome_route(p->out, AFTER_COMMIT, &s);
        }
}

static void take_one(struct passage *p, struct slice raw_jid, const struct element *report)
{
    struct jid j;
    long       per_hour = p->sm->settings->limits.reports_per_hour;

    if (!reason_of(report).len || jid_parse(raw_jid, &j) ||
        !throttle_take(p->sm->reporters, p->owner, loop_now_ms(p->sm->loop), per_hour)) {
        reports_dropped++;
        return;
    }
    reports++;
    log_info("abuse_reported", "jid", log_slice(jid_slice(&j)), "from", log_slice(p->owner), "why",
             log_slice(reason_of(report)), NULL);
    tell_admins(p, jid_slice(&j), report);
}

void reports_take(struct iq *iq)
{
    const struct element *item = element_child(iq->payload, NS_BLOCKING, "item"), *report;

    if (!reports_on(iq->p->sm))
        return;
    for (; item; item = element_next(item, NS_BLOCKING, "item"))
        if ((report = report_of(item)))
            take_one(iq->p, element_attr(item, "jid"), report);
}

static const char *const reports_disco[] = { NS_REPORTING, NULL };

const struct sm_feature sm_reports = {
    .name = "reports", .spec = "XEP-0377", .disco_server = reports_disco, .stats = stats, .on = reports_on,
};
