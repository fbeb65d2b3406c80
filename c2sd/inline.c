/* Resumption and binding inside a login (inline.h): XEP-0388 2.6.1, XEP-0198 10, XEP-0386. */

#include "inline.h"

#include <stdlib.h>

#include "bind.h"
#include "encode.h"
#include "fast.h"
#include "log.h"
#include "management.h"
#include "ns.h"
#include "sasl_list.h"
#include "xml_write.h"

struct inlines {
    struct buf for_sm;           /* content for AUTH_START */
    bool       resumes, binds;   /* asked for and not done yet */
    bool       runs;
    enum zerr  resume_err;       /* why it cannot be passed on */
    struct buf previd;
    uint32_t   h;
    struct buf tag, features;    /* of <bind/>: its tag, prepared; its children in other namespaces */
    struct buf data;             /* <additional-data/>, or empty */
    struct buf results;          /* what follows the identifier in <success/> */
};

/* ---- rows ---- */

static void feature_sm(struct conn *c, struct buf *out)
{
    (void)c;
    buf_put_str(out, "<sm xmlns='" NS_SM "'/>");
}

static void take_resume(struct conn *c, struct inlines *in, const struct element *e)
{
    struct slice previd;

    (void)c;
    in->resumes = true;
    in->resume_err = management_take_resume(e, &previd, &in->h);
    buf_reset(&in->previd, RESUME_ID_MAX);
    if (!in->resume_err)
        buf_put_slice(&in->previd, previd);
}

/* XEP-0386 3.1. sm/bind2.c has a row for each. */
static const char *const bind_inlines[] = { NS_CARBONS, NS_CSI, NS_SM };

static void feature_bind(struct conn *c, struct buf *out)
{
    buf_put_str(out, "<bind xmlns='" NS_BIND2 "'><inline>");
    for (size_t i = 0; i < COUNT_OF(bind_inlines); i++)
        if (strcmp(bind_inlines[i], NS_CSI) != 0 || csi_offered(c))
            buf_printf(out, "<feature var='%s'/>", bind_inlines[i]);
    buf_put_str(out, "</inline></bind>");
}

/* XEP-0386 3.2.1: "subject to the necessary validation"; a tag that no resource can hold is left out. */
static void take_tag(struct inlines *in, struct slice raw)
{
    size_t len = BIND_TAG_MAX;

    buf_reset(&in->tag, BIND_TAG_MAX);
    if (raw.len && raw.len <= BIND_TAG_MAX &&
        jid_prep_resource(raw, (char *)buf_reserve(&in->tag, BIND_TAG_MAX), &len) == ZE_OK)
        buf_added(&in->tag, len);
}

/* XEP-0480 2.1: not among the inlines. */
static void upgrades(struct conn *c, struct buf *out)
{
    (void)c;
    for (size_t i = 0; i < SASL_UPGRADES; i++)
        buf_printf(out, "<upgrade xmlns='" NS_SASL_UPGRADE "'>%s</upgrade>", sasl_upgrades[i]);
}

static void keep(struct buf *out, const struct element *e, const char *ns_around)
{
    struct xml_writer w;

    xml_begin(&w, out, ns_around);
    xml_element(&w, e);
}

static void take_bind(struct conn *c, struct inlines *in, const struct element *e)
{
    in->binds = true;
    take_tag(in, element_child_text(c->c2sd->arena, e, "tag"));
    buf_reset(&in->features, 0);
    for (const struct element *child = e->children; child; child = child->next)
        if (!slice_is(child->ns, NS_BIND2))
            keep(&in->features, child, NS_BIND2);
}

static const struct inline_row rows[] = {
    /* element                      for sm  in <inline/>  beside it  here */
    { NS_SM, "resume",              false,  feature_sm,   NULL,      take_resume },
    { NS_BIND2, "bind",             false,  feature_bind, NULL,      take_bind },
    { NS_SASL_UPGRADE, "upgrade",   true,   NULL,         upgrades,  NULL },
    { NS_FAST, "fast",              true,   fast_feature, NULL,      NULL },
    { NS_FAST, "request-token",     true,   NULL,         NULL,      NULL },
};

void inline_features(struct conn *c, struct buf *out)
{
    buf_put_str(out, "<inline>");
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].feature)
            rows[i].feature(c, out);
    buf_put_str(out, "</inline>");
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].beside)
            rows[i].beside(c, out);
}

static const struct inline_row *row_of(const struct element *e)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (element_is(e, rows[i].ns, rows[i].element))
            return &rows[i];
    return NULL;
}

struct inlines *inlines_take(struct conn *c, const struct element *authenticate)
{
    struct inlines *in = xcalloc(1, sizeof(*in));

    for (const struct element *e = authenticate->children; e; e = e->next) {
        const struct inline_row *row = row_of(e);

        if (row && row->for_sm)
            keep(&in->for_sm, e, NS_SASL2);
        if (row && row->take)
            row->take(c, in, e);
    }
    return in;
}

void inlines_free(struct inlines **in)
{
    if (!*in)
        return;
    buf_free(&(*in)->for_sm);
    buf_free(&(*in)->previd);
    buf_free(&(*in)->tag);
    buf_free(&(*in)->features);
    buf_free(&(*in)->data);
    buf_free(&(*in)->results);
    free(*in);
    *in = NULL;
}

struct slice inlines_for_sm(const struct inlines *in)
{
    return buf_slice(&in->for_sm);
}

/* ---- one after the other ---- */

/* XEP-0388 2.6.1: data of the mechanism, who it is, then what became of the inlines. */
static void write_success(struct conn *c, struct slice jid)
{
    struct inlines *in = c->login->inlines;
    struct buf     *out = conn_out(c);

    buf_put_str(out, "<success xmlns='" NS_SASL2 "'>");
    buf_put_slice(out, buf_slice(&in->data));
    buf_put_str(out, "<authorization-identifier>");
    xml_escape(out, jid);
    buf_put_str(out, "</authorization-identifier>");
    buf_put_slice(out, buf_slice(&in->results));
    buf_put_str(out, "</success>");
    in->runs = false;
}

static enum zerr ask_bind(struct conn *c, const struct inlines *in)
{
    return bind_send(c, &(struct bind_request){
        .resource = buf_slice(&in->tag), .bind2 = true, .inlines = buf_slice(&in->features),
    });
}

/* The next thing that was asked for and can be; at the end <success/>, and the features of a stream that is
 * not bound. */
static void go_on(struct conn *c)
{
    struct inlines *in = c->login->inlines;
    enum zerr       err;

    if (in->resumes) {
        in->resumes = false;
        err = in->resume_err ? in->resume_err : management_send_resume(c, buf_slice(&in->previd), in->h);
        if (!err) {
            conn_enter(c, CONN_RESUMING);
            conn_wait(c);
            return;
        }
        management_put_failed(&in->results, err, NULL);
    }
    if (in->binds) {
        in->binds = false;
        err = ask_bind(c, in);
        if (!err) {
            conn_enter(c, CONN_BINDING);
            conn_wait(c);
            return;
        }
    }
    write_success(c, conn_jid(c));
    conn_enter(c, CONN_FEATURES);
    negotiate_features(c);
}

void inline_begin(struct conn *c, const struct auth_done *done)
{
    struct inlines *in = c->login->inlines;

    in->runs = true;
    if (done->has_data) {
        buf_put_str(&in->data, "<additional-data>");
        base64_put(&in->data, done->data);
        buf_put_str(&in->data, "</additional-data>");
    }
    buf_put_slice(&in->results, done->content);
    go_on(c);
}

bool inline_runs(const struct conn *c)
{
    return c->login && c->login->inlines && c->login->inlines->runs;
}

/* The identifier is bare: no resource was bound on this stream (XEP-0388 2.6.1 and its example). */
void inline_resumed(struct conn *c, const struct resumed *r)
{
    management_put_resumed(&c->login->inlines->results, r);
    write_success(c, jid_bare(conn_jid(c)));
}

void inline_not_resumed(struct conn *c, enum zerr why, const uint32_t *h)
{
    management_put_failed(&c->login->inlines->results, why, h);
    go_on(c);
}

void inline_bound(struct conn *c, const struct bound *b, const struct manage *managed)
{
    struct buf *results = &c->login->inlines->results;

    buf_put_str(results, "<bound xmlns='" NS_BIND2 "'>");
    if (managed->op == MANAGE_ENABLED)
        management_put_enabled(results, managed);
    else if (managed->op == MANAGE_FAILED)
        management_put_failed(results, managed->err, NULL);
    buf_put_slice(results, b->content);
    buf_put_str(results, "</bound>");
    write_success(c, conn_jid(c));
}

void inline_not_bound(struct conn *c)
{
    go_on(c);
}
