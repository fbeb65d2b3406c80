/* Who owns slots (members.h, DESIGN.md 2.3): the verbs that change it, and the record of it. The record is
 * the encoded table in <run>/routerd/members, so that a routerd that comes back deals the slots as before.
 * It does not outlive a boot, and need not: then no live state is left to be handed over, and the
 * configuration decides. */

#include "members.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cursor.h"
#include "log.h"
#include "mem.h"

enum { RECORD_MAX = 1 << 20 };

/* ---- the record ---- */

static char *record_path(const struct router *r, const char *suffix)
{
    char *dir = xprintf("%s/routerd", r->d->settings->dir.run), *path;

    if (mkdir(dir, 0700) && errno != EEXIST)
        log_warn("members_not_recorded", "err", strerror(errno), "path", dir, NULL);
    path = xprintf("%s/members%s", dir, suffix);
    free(dir);
    return path;
}

static bool write_whole(const char *path, struct slice bytes)
{
    int  fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool done = fd >= 0 && write(fd, bytes.p, bytes.len) == (ssize_t)bytes.len;

    if (fd >= 0 && close(fd))
        done = false;
    return done;
}

void members_record(const struct router *r)
{
    char      *fresh = record_path(r, ".new"), *path = record_path(r, "");
    struct buf bytes = { 0 };

    routes_encode(r->routes, &bytes);
    if (!write_whole(fresh, buf_slice(&bytes)) || rename(fresh, path))
        log_warn("members_not_recorded", "err", strerror(errno), "path", path, NULL);
    buf_free(&bytes);
    free(fresh);
    free(path);
}

/* NULL: none, or unreadable (logged). */
struct routes *members_recorded(const struct router *r)
{
    char          *path = record_path(r, "");
    int            fd = open(path, O_RDONLY | O_CLOEXEC);
    struct buf     bytes = { 0 };
    struct routes *found = NULL;
    ssize_t        n;

    while (fd >= 0 && buf_len(&bytes) < RECORD_MAX && (n = read(fd, buf_reserve(&bytes, 65536), 65536)) > 0)
        buf_added(&bytes, (size_t)n);
    if (fd >= 0) {
        found = routes_new();
        if (routes_decode(found, buf_slice(&bytes))) {
            log_warn("members_record_unreadable", "path", path, NULL);
            routes_free(&found);
        }
        close(fd);
    }
    buf_free(&bytes);
    free(path);
    return found;
}

/* ---- the table under construction ---- */

void members_carry_over(struct routes *fresh, const struct routes *from)
{
    const struct route_instance *it, *old;

    for (size_t i = 0; (it = routes_at(fresh, i)); i++)
        if (role_owns_slots(it->role)) {
            old = routes_instance(from, it->key);
            routes_set_member(fresh, it->key, old ? old->member : 0);
        }
    for (size_t i = 0; (it = routes_at(from, i)); i++) {
        if (!role_owns_slots(it->role) || !it->member || routes_instance(fresh, it->key))
            continue;
        log_warn("member_still_needed", "peer", it->name, "why",
                 "gone from the configuration, but it owns slots: leave or evict it", NULL);
        routes_add_instance(fresh, it->name);
        routes_set_member(fresh, it->key, it->member);
    }
}

/* ---- changes ---- */

static void changed(struct router *r)
{
    members_record(r);
    route_table_changed(r);
}

static void begin(struct router *r, const struct route_instance *it, unsigned bits, const char *what)
{
    log_info("members_change", "peer", it->name, "why", what, "generation",
             log_num(routes_generation(r->routes) + 1), NULL);
    routes_set_member(r->routes, it->key, bits);
    routes_set_generation(r->routes, routes_generation(r->routes) + 1);
    r->releasing = false;
    changed(r);
}

/* Every new member of a role whose members change has said that it has all that is its own now. */
static bool all_ready(const struct router *r)
{
    const struct route_instance *it;

    for (size_t i = 0; (it = routes_at(r->routes, i)); i++) {
        const struct peer *p = peer_find(r, it->key);
        if (routes_changing(r->routes, it->role) && it->member & MEMBER_NOW &&
            (!p || p->ready != routes_generation(r->routes)))
            return false;
    }
    return true;
}

/* And every old and new one that what it held has arrived. One that has left and is not there now is not waited for. */
static bool all_released(const struct router *r)
{
    const struct route_instance *it;

    for (size_t i = 0; (it = routes_at(r->routes, i)); i++) {
        const struct peer *p = peer_find(r, it->key);
        if (routes_changing(r->routes, it->role) && it->member && p && p->released != routes_generation(r->routes))
            return false;
    }
    return true;
}

static void make_settled(struct routes *routes)
{
    const struct route_instance *it;

    for (size_t i = 0; (it = routes_at(routes, i)); i++)
        if (role_owns_slots(it->role))
            routes_set_member(routes, it->key, it->member & MEMBER_NOW ? MEMBER_NOW | MEMBER_BEFORE : 0);
}

/* First for members alone, then for everybody (slots.h). */
static void settle(struct router *r)
{
    if (routes_settled(r->routes) || !all_ready(r))
        return;
    if (!r->releasing) {
        r->releasing = true;
        route_table_changed(r);
    }
    if (!all_released(r))
        return;
    r->releasing = false;
    make_settled(r->routes);
    log_info("members_settled", "generation", log_num(routes_generation(r->routes)), NULL);
    changed(r);
}

void members_encode_table(const struct router *r, unsigned role, struct buf *body)
{
    struct routes *copy;
    struct buf     bytes = { 0 };

    routes_encode(r->routes, &bytes);
    if (!r->releasing || !routes_changing(r->routes, role)) {
        buf_put_slice(body, buf_slice(&bytes));
    } else {
        copy = routes_new();
        routes_decode(copy, buf_slice(&bytes));
        make_settled(copy);
        routes_encode(copy, body);
        routes_free(&copy);
    }
    buf_free(&bytes);
}

void members_on_ready(struct peer *p, const struct frame *f)
{
    struct cursor c = { f->body, false };
    uint32_t      generation = take_u32(&c);
    bool          released = take_bool(&c);

    if (!cursor_done(&c)) {
        peer_refuse(p, "unreadable SLOT_READY");
        return;
    }
    p->ready = generation;
    if (released)
        p->released = generation;
    settle(p->router);
}

void members_on_peer_gone(struct router *r)
{
    settle(r);
}

/* ---- verbs ---- */

static size_t others_of_role(const struct router *r, const struct route_instance *it)
{
    const struct route_instance *other;
    size_t                       count = 0;

    for (size_t i = 0; (other = routes_at(r->routes, i)); i++)
        count += other != it && other->role == it->role && other->member & MEMBER_NOW;
    return count;
}

static const struct route_instance *find(const struct router *r, const char *name, struct ctl_reply *reply)
{
    const struct route_instance *it = routes_instance(r->routes, instance_key(name));

    if (it && strcmp(it->name, name) == 0 && role_owns_slots(it->role))
        return it;
    ctl_reason(reply, "no sm or muc instance %s in the configuration", name);
    return NULL;
}

static int refuse(struct ctl_reply *reply, enum zerr err, const char *why)
{
    ctl_reason(reply, "%s", why);
    return err;
}

int verb_join(void *self, int argc, char **argv, struct ctl_reply *reply)
{
    struct router               *r = self;
    const struct route_instance *it = find(r, argv[0], reply);

    (void)argc;
    if (!it)
        return ZE_NOT_FOUND;
    if (it->member)
        return refuse(reply, ZE_CONFLICT, "it is a member");
    if (!routes_settled(r->routes))
        return refuse(reply, ZE_CONFLICT, "another change is under way");
    if (!peer_find(r, it->key))
        return refuse(reply, ZE_UNAVAILABLE, "it is not running");
    begin(r, it, MEMBER_NOW, "join");
    return ZE_OK;
}

int verb_leave(void *self, int argc, char **argv, struct ctl_reply *reply)
{
    struct router               *r = self;
    const struct route_instance *it = find(r, argv[0], reply);

    (void)argc;
    if (!it)
        return ZE_NOT_FOUND;
    if (!(it->member & MEMBER_NOW))
        return refuse(reply, ZE_CONFLICT, "it is no member");
    if (!routes_settled(r->routes))
        return refuse(reply, ZE_CONFLICT, "another change is under way");
    if (!others_of_role(r, it))
        return refuse(reply, ZE_NOT_ALLOWED, "it is the last one");
    if (!peer_find(r, it->key))
        return refuse(reply, ZE_UNAVAILABLE, "it is not running: wait for it, or evict it");
    begin(r, it, MEMBER_BEFORE, "leave");
    return ZE_OK;
}

int verb_evict(void *self, int argc, char **argv, struct ctl_reply *reply)
{
    struct router               *r = self;
    const struct route_instance *it = find(r, argv[0], reply);

    (void)argc;
    if (!it)
        return ZE_NOT_FOUND;
    if (!it->member)
        return refuse(reply, ZE_CONFLICT, "it is no member");
    if (!others_of_role(r, it))
        return refuse(reply, ZE_NOT_ALLOWED, "it is the last one");
    if (peer_find(r, it->key))
        return refuse(reply, ZE_NOT_ALLOWED, "it is running: let it leave");
    begin(r, it, 0, "evict");
    settle(r);
    return ZE_OK;
}
