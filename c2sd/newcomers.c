/* Streams that have not logged in yet (newcomers.h). Waiting rather than refusing: after a restart all
 * clients come at once, each is quick, and none did anything wrong. */

#include "newcomers.h"

#include "listener.h"
#include "log.h"

enum { LOOK_MS = 100 };

static bool full(const struct c2sd *s)
{
    return s->newcomer_count >= (size_t)c2sd_settings(s)->limits.logins_max;
}

static void make_room(struct c2sd *s)
{
    uint64_t now = c2sd_now(s);

    while (full(s) && !list_empty(&s->newcomers)) {
        struct login *oldest = LIST_OWNER(s->newcomers.next, struct login, link);

        if (now < oldest->begun_ms + NEWCOMER_MS)
            return;
        conn_fail(oldest->conn, SE_RESOURCE_CONSTRAINT, "others wait to log in");
    }
}

static void look(void *arg)
{
    struct c2sd *s = arg;

    make_room(s);
    if (s->draining)
        return;
    listeners_pause(s->listeners, full(s));
    if (full(s))
        timer_arm(s->daemon->loop, &s->newcomers_timer, LOOK_MS);
}

void newcomers_init(struct c2sd *s)
{
    list_init(&s->newcomers);
    s->newcomers_timer = (struct timer){ .fire = look, .arg = s };
}

void newcomers_end(struct c2sd *s)
{
    timer_disarm(&s->newcomers_timer);
}

void newcomer_comes(struct conn *c)
{
    struct c2sd *s = c->c2sd;

    c->login->conn = c;
    c->login->begun_ms = c2sd_now(s);
    list_append(&s->newcomers, &c->login->link);
    s->newcomer_count++;
    if (!full(s) || timer_armed(&s->newcomers_timer))
        return;
    log_info("logins_crowded", "count", log_num((int64_t)s->newcomer_count), NULL);
    look(s);
}

void newcomer_leaves(struct conn *c)
{
    if (!c->login || !c->login->link.next)
        return;
    list_remove(&c->login->link);
    c->c2sd->newcomer_count--;
}
