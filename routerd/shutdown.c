/* shutdown.h. */

#include "shutdown.h"

#include <stdlib.h>

#include "cursor.h"
#include "log.h"
#include "mem.h"

enum {
    DELAY_MAX_S = 86400, TEXT_MAX = 4096, WORDS_MAX = 4,
    ANSWER_LEAVES_MS = 200,         /* to a client, by way of sm and c2sd */
    GONE_MS = 15000,                /* what a role may take: a daemon ends within 5 s of its drain, or is made to */
};

/* Rooms first, while those who are told to leave can still hear it; then clients and servers, so that nothing new
 * comes in while the rest finishes. */
static const unsigned order[] = { ROLE_MUC, ROLE_C2SD, ROLE_S2SD, ROLE_SM };

struct shutdown {
    struct router *r;
    struct timer   timer;           /* until it begins, and then for the patience with one role */
    bool           planned, begun, again;
    uint64_t       at_ms;           /* of the loop's clock */
    long           delay;           /* seconds, as planned */
    long           warning;         /* seconds left at the next one; 0: none comes before it begins */
    size_t         next;            /* in `order` */
    char          *text;            /* for users, or NULL */
};

/* ---- frames ---- */

static void say(struct peer *p, enum frame_kind kind, uint64_t handle, struct slice body)
{
    struct frame f = frame_make(kind);

    f.handle = handle;
    f.body = body;
    peer_say(p, &f);
}

/* Rows are said while at least as long again has gone by since the first warning. */
static const long warnings_s[] = { 3600, 1800, 600, 300, 60, 10 };

static const struct unit { long seconds; const char *one, *many; } units[] = {
    { 3600, "hour", "hours" }, { 60, "minute", "minutes" }, { 1, "second", "seconds" },
};

/* In the largest unit that tells it exactly. */
static char *in_words(long seconds)
{
    const struct unit *u = units;
    long               n;

    if (seconds == 0)
        return xstrdup("now");
    while (seconds % u->seconds)
        u++;
    n = seconds / u->seconds;
    return xprintf("in %ld %s", n, n == 1 ? u->one : u->many);
}

static void say_to_users(const struct shutdown *s, const char *sentence, const char *more)
{
    struct buf body = { 0 };
    char      *text = xprintf("%s%s%s", sentence, more ? "\n" : "", more ? more : "");

    buf_put_sized(&body, slice_str(text));
    free(text);
    LIST_EACH(&s->r->peers, node) {
        struct peer *p = LIST_OWNER(node, struct peer, link);
        if (p->greeted && p->self.role == ROLE_SM)
            say(p, FRAME_WARN, 0, buf_slice(&body));
    }
    buf_free(&body);
}

static void warn(const struct shutdown *s, long seconds)
{
    char *when = in_words(seconds), *sentence = xprintf("The server %s %s.", s->again ? "restarts" : "stops", when);

    say_to_users(s, sentence, s->text);
    free(sentence);
    free(when);
}

static void end_peer(const struct shutdown *s, struct peer *p)
{
    struct buf body = { 0 };

    buf_put_u8(&body, s->again);
    buf_put_sized(&body, slice_str(s->text));
    say(p, FRAME_END, 0, buf_slice(&body));
    buf_free(&body);
    p->ending = true;
}

/* How many of that role were told. */
static unsigned end_role(const struct shutdown *s, unsigned role)
{
    unsigned told = 0;

    LIST_EACH(&s->r->peers, node) {
        struct peer *p = LIST_OWNER(node, struct peer, link);
        if (!p->greeted || p->self.role != role)
            continue;
        end_peer(s, p);
        told++;
    }
    return told;
}

static const char *name_of(const struct shutdown *s)
{
    return !s->planned ? "none" : s->again ? "restart" : "stop";
}

/* ---- in order ---- */

/* Until the next warning, or until it begins. */
static void wait_on(struct shutdown *s, long left, long delay)
{
    s->warning = 0;
    for (size_t i = 0; i < COUNT_OF(warnings_s) && !s->warning; i++)
        if (warnings_s[i] < left && warnings_s[i] * 2 <= delay)
            s->warning = warnings_s[i];
    timer_arm(s->r->d->loop, &s->timer, (uint64_t)(left - s->warning) * 1000 + (s->warning ? 0 : ANSWER_LEAVES_MS));
}

static void go_on(struct shutdown *s)
{
    while (s->next < COUNT_OF(order)) {
        if (!end_role(s, order[s->next++]))
            continue;
        timer_arm(s->r->d->loop, &s->timer, GONE_MS);
        return;
    }
    timer_disarm(&s->timer);
    daemon_end(s->r->d, s->again, s->text);
}

static void on_time(void *arg)
{
    struct shutdown *s = arg;

    if (s->warning) {
        warn(s, s->warning);
        wait_on(s, s->warning, s->delay);
        return;
    }
    if (!s->begun)
        log_info("shutdown_begins", "kind", name_of(s), NULL);
    else
        log_warn("shutdown_waits_no_longer", "peer", role_name(order[s->next - 1]), NULL);
    s->begun = true;
    go_on(s);
}

/* One that was away when its role was told, and would stay behind. (One that restarts comes in new.) */
void shutdown_peer_came(struct shutdown *s, struct peer *p)
{
    if (!s || !s->begun || s->again)
        return;
    for (size_t i = 0; i < s->next; i++)
        if (order[i] == p->self.role)
            end_peer(s, p);
}

/* Who comes back at once is another connection. */
void shutdown_peer_gone(struct shutdown *s)
{
    if (!s || !s->begun)
        return;
    LIST_EACH(&s->r->peers, node)
        if (LIST_OWNER(node, struct peer, link)->ending)
            return;
    go_on(s);
}

/* ---- plans ---- */

static int refuse(struct ctl_reply *reply, enum zerr err, const char *why)
{
    ctl_reason(reply, "%s", why);
    return err;
}

static int64_t seconds_left(const struct shutdown *s)
{
    uint64_t now = loop_now_ms(s->r->d->loop);

    return s->at_ms > now ? (int64_t)(s->at_ms - now + 999) / 1000 : 0;
}

static int show(const struct shutdown *s, struct ctl_reply *reply)
{
    ctl_row(reply);
    ctl_str(reply, "kind", name_of(s));
    ctl_int(reply, "seconds", s->planned ? seconds_left(s) : 0);
    ctl_str(reply, "text", s->planned ? s->text : NULL);
    return ZE_OK;
}

static int cancel(struct shutdown *s, struct ctl_reply *reply)
{
    if (!s->planned)
        return refuse(reply, ZE_NOT_FOUND, "nothing is planned");
    if (s->begun)
        return refuse(reply, ZE_CONFLICT, "it has begun");
    timer_disarm(&s->timer);
    s->planned = false;
    log_info("shutdown_cancelled", NULL);
    say_to_users(s, s->again ? "The server does not restart after all." : "The server does not stop after all.", NULL);
    return show(s, reply);
}

static bool read_seconds(const char *text, long *out)
{
    char *end;

    *out = strtol(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && *out <= DELAY_MAX_S;
}

static int plan(struct shutdown *s, bool again, long seconds, const char *text, struct ctl_reply *reply)
{
    s->planned = true;
    s->again = again;
    s->delay = seconds;
    free(s->text);
    s->text = text && *text ? xstrdup(text) : NULL;
    s->at_ms = loop_now_ms(s->r->d->loop) + (uint64_t)seconds * 1000;
    log_info("shutdown_planned", "kind", name_of(s), "seconds", log_num(seconds), NULL);
    if (seconds || s->text)
        warn(s, seconds);
    wait_on(s, seconds, seconds);
    return show(s, reply);
}

int verb_shutdown(void *self, int argc, char **argv, struct ctl_reply *reply)
{
    struct router   *r = self;
    struct shutdown *s = r->shutdown;
    bool             again = argc && strcmp(argv[0], "restart") == 0;
    long             seconds;

    if (!argc)
        return show(s, reply);
    if (argc == 1 && strcmp(argv[0], "cancel") == 0)
        return cancel(s, reply);
    if (argc < 2 || (!again && strcmp(argv[0], "stop") != 0) || !read_seconds(argv[1], &seconds))
        return refuse(reply, ZE_BAD_REQUEST, "expected stop or restart, seconds up to a day, and a text; or cancel");
    if (argc > 2 && strlen(argv[2]) > TEXT_MAX)
        return refuse(reply, ZE_NOT_ACCEPTABLE, "a text has at most 4096 bytes");
    if (s->planned)
        return refuse(reply, ZE_CONFLICT, "a stop or restart is planned already");
    return plan(s, again, seconds, argc > 2 ? argv[2] : NULL, reply);
}

/* ---- asked by an administrator ---- */

static const struct ctl_verb for_administrators[] = {
    { "shutdown", "", "", "", "", 0, 3, verb_shutdown },
    { 0 },
};

struct asked {
    struct router *r;
    struct address by;
    uint64_t       errand;
};

static void on_answered(void *arg, struct slice rows, enum zerr err, const char *reason)
{
    struct asked *a = arg;
    struct peer  *p = peer_find(a->r, a->by.instance);
    struct buf    body = { 0 };

    buf_put_u32(&body, (uint32_t)err);
    buf_put_sized(&body, slice_str(reason));
    buf_put_slice(&body, rows);
    if (p && same_life(&p->self, &a->by))
        say(p, FRAME_PLANNED, a->errand, buf_slice(&body));
    buf_free(&body);
    free(a);
}

void shutdown_on_plan(struct peer *p, const struct frame *f)
{
    struct cursor c = { f->body, false };
    unsigned      count = take_u8(&c);
    char         *words[WORDS_MAX];
    struct asked *a;

    if (count > WORDS_MAX) {
        peer_refuse(p, "unreadable PLAN");
        return;
    }
    for (unsigned i = 0; i < count; i++)
        words[i] = xstrndup(take_sized(&c));
    if (cursor_done(&c)) {
        a = xcalloc(1, sizeof(*a));
        *a = (struct asked){ p->router, p->self, f->sender };
        ctl_run(for_administrators, p->router, (int)count, words, on_answered, a);
    }
    for (unsigned i = 0; i < count; i++)
        free(words[i]);
    if (!cursor_done(&c))
        peer_refuse(p, "unreadable PLAN");
}

struct shutdown *shutdown_new(struct router *r)
{
    struct shutdown *s = xcalloc(1, sizeof(*s));

    s->r = r;
    s->timer = (struct timer){ .fire = on_time, .arg = s };
    return s;
}

void shutdown_free(struct shutdown **s)
{
    if (!*s)
        return;
    timer_disarm(&(*s)->timer);
    free((*s)->text);
    free(*s);
    *s = NULL;
}
