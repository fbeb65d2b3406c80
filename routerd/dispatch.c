/* What happens to a frame (STYLE.md C5, C6; DESIGN.md 3): the gate by kind and sender, the check of
 * `from`, and passing on. Bytes are passed as they came, only the origin is stamped. */

#include "cursor.h"
#include "jid.h"
#include "log.h"
#include "members.h"
#include "shutdown.h"

typedef void link_handler(struct peer *p, const struct frame *f);

static link_handler on_hello, on_route_bind, on_route_unbind;

/* The LINK kinds that routerd answers itself. */
static link_handler *const handlers[FRAME_KIND_MAX] = {
    [FRAME_HELLO]        = on_hello,
    [FRAME_ROUTE_BIND]   = on_route_bind,
    [FRAME_ROUTE_UNBIND] = on_route_unbind,
    [FRAME_SLOT_READY]   = members_on_ready,
    [FRAME_PLAN]         = shutdown_on_plan,
};

static bool carries_a_stanza(const struct frame *f)
{
    return f->kind == FRAME_STANZA || f->kind == FRAME_FANOUT;
}

/* ---- who may say whose words ---- */

/* An empty `from` is the session behind the handle; only those who hold sessions have that. */
static bool from_is_empty_or_local(const struct router *r, const struct frame *f)
{
    struct slice from = f->stanza.from;

    return from.len == 0 || routes_domain_role(r->routes, jid_domain(from)) == ROLE_SM;
}

/* What sm gives to a client may come from anybody; what it sends further is of its own accounts. */
static bool sm_may_say(const struct peer *p, const struct frame *f)
{
    return f->dest.role == ROLE_C2SD || from_is_empty_or_local(p->router, f);
}

static bool c2sd_may_say(const struct peer *p, const struct frame *f)
{
    return from_is_empty_or_local(p->router, f);
}

static bool muc_may_say(const struct peer *p, const struct frame *f)
{
    return routes_domain_role(p->router->routes, jid_domain(f->stanza.from)) == ROLE_MUC;
}

/* Anybody outside; a component only by the s2sd that holds its stream. */
static bool s2sd_may_say(const struct peer *p, const struct frame *f)
{
    struct slice   domain = jid_domain(f->stanza.from);
    struct address owner;
    uint32_t       generation;

    if (!domain.len)
        return false;
    if (routes_domain_role(p->router->routes, domain) == ROLE_S2SD)
        return routes_find(p->router->routes, domain, &owner, &generation) == ZE_OK
               && owner.instance == p->self.instance;
    return routes_domain_role(p->router->routes, domain) == ROLE_NONE
           && !route_table_is_component(p->router, domain);
}

static bool may_say(const struct peer *p, const struct frame *f)
{
    switch (p->self.role) {
    case ROLE_C2SD: return c2sd_may_say(p, f);
    case ROLE_SM:   return sm_may_say(p, f);
    case ROLE_MUC:  return muc_may_say(p, f);
    case ROLE_S2SD: return s2sd_may_say(p, f);
    default:        return false;
    }
}

/* ---- passing on ---- */

/* NULL: it is not there, or not the one that is meant: the sender keeps the frame and sends it again to
 * whoever comes, or learns by the table that nobody will. */
static struct peer *receiver(struct router *r, const struct frame *f)
{
    struct peer *to = peer_find(r, f->dest.instance);

    if (to && (!f->dest.incarnation || f->dest.incarnation == to->self.incarnation))
        return to;
    r->counts.dropped++;
    log_debug("frame_dropped", "kind", frame_kinds[f->kind].name, "instance", log_hex(f->dest.instance), "trace",
              log_hex(f->trace), NULL);
    return NULL;
}

/* A VOID takes the place of a numbered frame, so that those behind it can be taken. */
static void refuse(struct peer *p, struct peer *to, const struct frame *f, const char *why)
{
    struct frame blank = frame_make(FRAME_VOID);
    struct buf   out = { 0 };

    p->router->counts.refused++;
    log_warn("frame_refused", "peer", p->name, "kind", frame_kinds[f->kind].name,
             "from", log_slice(f->stanza.from), "trace", log_hex(f->trace), "why", why, NULL);
    if (!f->number)
        return;
    blank.origin = p->self;
    blank.dest = to->self;
    blank.number = f->number;
    blank.trace = f->trace;
    frame_encode(&out, &blank);
    peer_pass(to, buf_slice(&out).p, buf_len(&out));
    buf_free(&out);
}

static void pass_on(struct peer *p, const struct frame *f, uint8_t *bytes, size_t len)
{
    struct router *r = p->router;
    struct peer   *to = receiver(r, f);

    if (!to)
        return;
    if (to->self.role != f->dest.role) {
        refuse(p, to, f, "not the role of that instance");
        return;
    }
    if (carries_a_stanza(f) && !may_say(p, f)) {
        refuse(p, to, f, "may not speak for that domain");
        return;
    }
    if (peer_is_flooded(to)) {
        peer_refuse(p, "does not pause when it is told to");
        return;
    }
    frame_stamp_origin(bytes, &p->self);
    peer_pass(to, bytes, len);
    r->counts.frames++;
    r->counts.bytes += len;
    log_debug("frame_passed", "trace", log_hex(f->trace), "kind", frame_kinds[f->kind].name, "from", p->name,
              "instance", log_hex(f->dest.instance), NULL);
}

/* ---- what ends here ---- */

/* NULL: welcome. */
static const char *why_not(const struct peer *p, const struct frame *f, struct slice name, char *text,
                           size_t room)
{
    const struct route_instance *it;

    if (name.len == 0 || name.len >= room || memchr(name.p, 0, name.len))
        return "HELLO without a name";
    memcpy(text, name.p, name.len);
    text[name.len] = 0;
    if (p->greeted)
        return "HELLO said twice";
    if (role_of_instance(text) != p->self.role || f->origin.role != p->self.role)
        return "another role's socket";
    it = routes_instance(p->router->routes, instance_key(text));
    if (!it || strcmp(it->name, text) != 0)
        return "no such instance in the configuration";
    if (!f->origin.incarnation)
        return "HELLO without an incarnation";
    if (peer_find(p->router, it->key))
        return "this instance has a link already";
    return NULL;
}

/* A newcomer must not feed those that are full. */
static void say_pauses(struct peer *p)
{
    LIST_EACH(&p->router->peers, node) {
        const struct peer *other = LIST_OWNER(node, struct peer, link);
        struct frame f = frame_make(FRAME_PAUSE);
        struct buf   body = { 0 };
        if (!other->congested)
            continue;
        buf_put_u32(&body, other->self.instance);
        f.body = buf_slice(&body);
        peer_say(p, &f);
        buf_free(&body);
    }
}

static void on_hello(struct peer *p, const struct frame *f)
{
    struct cursor c = { f->body, false };
    struct slice  name = take_sized(&c);
    char          text[sizeof(p->name)] = "";
    const char   *why = cursor_done(&c) ? why_not(p, f, name, text, sizeof(text)) : "unreadable HELLO";

    if (why) {
        peer_refuse(p, why);
        return;
    }
    memcpy(p->name, text, sizeof(p->name));
    p->self.instance = instance_key(p->name);
    p->self.incarnation = f->origin.incarnation;
    peer_enter(p);
    routes_set_up(p->router->routes, p->self.instance, p->self.incarnation, true);
    log_info("peer_up", "peer", p->name, NULL);
    route_table_changed(p->router);
    route_table_say(p->router, p);
    say_pauses(p);
    shutdown_peer_came(p->router->shutdown, p);
}

static bool take_domain(struct peer *p, const struct frame *f, struct slice *domain)
{
    struct cursor c = { f->body, false };

    *domain = take_sized(&c);
    if (cursor_done(&c) && domain->len && domain->len <= JID_PART_MAX)
        return true;
    peer_refuse(p, "unreadable ROUTE_BIND or ROUTE_UNBIND");
    return false;
}

static void on_route_bind(struct peer *p, const struct frame *f)
{
    struct slice domain;

    if (!take_domain(p, f, &domain))
        return;
    enum zerr err = route_table_bind(p->router, p, domain);
    if (!err)
        return;
    p->router->counts.refused++;
    log_warn("route_refused", "peer", p->name, "domain", log_slice(domain), "err", err_name(err), NULL);
}

static void on_route_unbind(struct peer *p, const struct frame *f)
{
    struct slice domain;

    if (take_domain(p, f, &domain))
        route_table_unbind(p->router, p, domain);
}

/* ---- the gate ---- */

void peer_dispatch(struct peer *p, const struct frame *f, uint8_t *bytes, size_t len)
{
    const struct frame_kind_info *kind = &frame_kinds[f->kind];

    if (!p->greeted && f->kind != FRAME_HELLO) {
        peer_refuse(p, "a frame before HELLO");
        return;
    }
    if (!(kind->senders & p->self.role) || (kind->reach == LINK && !handlers[f->kind])) {
        p->router->counts.refused++;
        log_warn("frame_refused", "peer", p->name, "kind", kind->name, "why", "may not send this kind", NULL);
        peer_refuse(p, "forbidden kind");
        return;
    }
    if (kind->reach == ROUTED)
        pass_on(p, f, bytes, len);
    else
        handlers[f->kind](p, f);
}
