/* What each load sends and what it counts as delivered. */

#include <stdio.h>
#include <stdlib.h>

#include "load.h"

/* A client asks for an acknowledgement after so many stanzas, as the usual libraries do. */
enum { PAD_MAX = 4095, ASK_EVERY = 5 };

const char *const mode_names[MODES + 1] = { "register", "subs", "idle", "chat", "muc", "presence", "login",
                                           "fill",     "mam",  NULL };

static char pad[PAD_MAX + 1];

/* In a large room only moderators are shown: two million presences of joining are not what is measured.
 * Who does not know the field shows everybody. */
enum { QUIET_FROM = 1000 };
static const char moderators_only[] = "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>"
                            "<field var='muc#roomconfig_presencebroadcast'><value>moderator</value></field>"
                            "<field var='muc#roomconfig_maxusers'><value>5000</value></field>";

/* ---- text of a stanza ---- */

const char *find(struct slice s, const char *what)
{
    return memmem(s.p, s.len, what, strlen(what));
}

struct slice start_tag(struct slice s)
{
    const char *end = memchr(s.p, '>', s.len);

    return end ? slice_of(s.p, (size_t)(end - (const char *)s.p)) : s;
}

bool attribute(struct slice s, const char *name, char *out, size_t room)
{
    struct slice tag = start_tag(s);
    const char  *text = (const char *)tag.p;
    size_t       len = strlen(name);

    for (size_t i = 1; i + len + 2 < tag.len; i++) {
        if (text[i - 1] != ' ' || memcmp(text + i, name, len) != 0 || text[i + len] != '=')
            continue;
        const char *value = text + i + len + 2;
        const char *end = memchr(value, text[i + len + 1], tag.len - (size_t)(value - text));
        if (!end || (size_t)(end - value) >= room)
            return false;
        snprintf(out, room, "%.*s", (int)(end - value), value);
        return true;
    }
    return false;
}

bool element_text(struct slice s, char *out, size_t room)
{
    const char *begin = memchr(s.p, '>', s.len);
    const char *end;

    if (!begin)
        return false;
    begin++;
    end = memchr(begin, '<', s.len - (size_t)(begin - (const char *)s.p));
    if (!end || (size_t)(end - begin) >= room)
        return false;
    snprintf(out, room, "%.*s", (int)(end - begin), begin);
    return true;
}

/* "T=<16 hex>;U=<sender>;" somewhere in the stanza. */
static bool stamp(struct slice s, uint64_t *sent_ns, int *sender)
{
    const char *p = find(s, "T=");
    char        text[48];

    if (!p)
        return false;
    size_t left = s.len - (size_t)(p - (const char *)s.p);
    snprintf(text, sizeof(text), "%.*s", (int)(left < sizeof(text) ? left : sizeof(text) - 1), p);
    return sscanf(text, "T=%" SCNx64 ";U=%d;", sent_ns, sender) == 2 && *sender >= 0 && *sender < opt.sessions;
}

/* ---- sending ---- */

static void send_chat(struct conn *c)
{
    fig.sent++;
    conn_putf(c, "<message type='chat' id='m%" PRIu64 "' to='user%d@%s'><body>T=%016" PRIx64 ";U=%d;%s</body></message>",
              fig.sent, opt.first + (c->idx ^ 1), opt.domain, now_ns(), c->idx, pad);
    if (opt.managed && ++c->unasked == ASK_EVERY) {
        c->unasked = 0;
        conn_putf(c, "<r xmlns='urn:xmpp:sm:3'/>");
    }
}

/* The oldest page of the archive, or the newest (XEP-0059 2.5). */
static void send_query(struct conn *c)
{
    fig.sent++;
    c->pending = opt.page;
    c->started_ns = now_ns();
    conn_putf(c,
              "<iq type='set' id='m%" PRIu64 "'><query xmlns='urn:xmpp:mam:2' queryid='q'>"
              "<set xmlns='http://jabber.org/protocol/rsm'><max>%d</max>%s</set></query></iq>",
              fig.sent, opt.page, opt.newest ? "<before/>" : "");
}

static void send_room(struct conn *c)
{
    fig.sent++;
    c->pending = opt.sessions;
    conn_putf(c, "<message type='groupchat' id='m%" PRIu64 "' to='bench@%s'><body>T=%016" PRIx64 ";U=%d;%s</body></message>",
              fig.sent, opt.rooms, now_ns(), c->idx, pad);
}

static void send_presence(struct conn *c)
{
    fig.sent++;
    c->pending = opt.roster;
    conn_putf(c, "<presence>%s<status>T=%016" PRIx64 ";U=%d;</status></presence>",
              fig.sent & 1 ? "<show>away</show>" : "", now_ns(), c->idx);
}

/* Edge k of user i goes to user i+k+1 on a ring; both sides end up subscribed. */
static void send_edges(struct conn *c)
{
    while (c->next_edge < opt.roster / 2 && c->inflight < opt.window) {
        int other = (c->idx + ++c->next_edge) % opt.sessions;

        c->inflight++;
        conn_putf(c, "<presence type='subscribe' to='user%d@%s'/>", opt.first + other, opt.domain);
    }
}

static void join_room(struct conn *c)
{
    conn_putf(c,
              "<presence to='bench@%s/nick%d'><x xmlns='http://jabber.org/protocol/muc'>"
              "<history maxstanzas='0'/></x></presence>",
              opt.rooms, c->idx);
}

void mode_ready(struct conn *c)
{
    if (opt.mode == MODE_LOGIN) {
        if (fig.measuring) {
            fig.delivered++;
            measure_latency(now_ns() - c->started_ns);
        }
        return;
    }
    if (opt.mode == MODE_REGISTER) {
        fig.delivered++;
        fig.ready--;
        conn_close(c);
        return;
    }
    conn_putf(c, "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq><presence/>");
}

static void join_everybody(void)
{
    uint64_t end = now_ns() + 60000000000ull;

    for (int i = 0; i < opt.sessions; i++) {
        join_room(&conns[i]);
        /* The first one makes the room; then twenty at a time. */
        while (i % 20 == 0 && !conns[i].joined && now_ns() < end)
            pump(20);
    }
    for (int i = 0; i < opt.sessions; i++)
        while (!conns[i].joined && now_ns() < end)
            pump(20);
    for (int i = 0; i < opt.sessions; i++)
        if (!conns[i].joined)
            die("occupant %d did not join", i);
}

static void settle(void)
{
    run_for(opt.settle);
    for (int quiet = 0; quiet < 3;) {
        uint64_t before = fig.bytes_in;
        run_for(0.2);
        quiet = fig.bytes_in - before < 2000 ? quiet + 1 : 0;
    }
}

void mode_begin(void)
{
    memset(pad, 'x', (size_t)(opt.body < 24 ? 0 : opt.body - 24 > PAD_MAX ? PAD_MAX : opt.body - 24));
    if (opt.mode == MODE_MUC)
        join_everybody();
    settle();
    fig.running = true;
    for (int i = 0; (opt.mode == MODE_CHAT || opt.mode == MODE_FILL) && i < opt.sessions; i += 2)
        for (int k = 0; k < opt.window; k++)
            send_chat(&conns[i]);
    for (int i = 0; opt.mode == MODE_MUC && i < opt.senders; i++)
        send_room(&conns[i]);
    for (int i = 0; opt.mode == MODE_PRESENCE && i < opt.senders; i++)
        send_presence(&conns[i * (opt.sessions / opt.senders)]);
    for (int i = 0; opt.mode == MODE_SUBS && i < opt.sessions; i++)
        send_edges(&conns[i]);
    for (int i = 0; opt.mode == MODE_MAM && i < opt.sessions; i++)
        send_query(&conns[i]);
}

/* ---- receiving ---- */

static void delivered(uint64_t sent_ns)
{
    if (fig.measuring) {
        fig.delivered++;
        measure_latency(now_ns() - sent_ns);
        if (opt.count && fig.delivered >= (uint64_t)opt.count) {
            fig.done = true;
            fig.running = false;
        }
    }
    fig.last_progress_ns = now_ns();
}

/* The <fin/> of a page: the rows came before it. */
static void on_page(struct conn *c, struct slice s)
{
    if (!find(s, "<fin"))
        return;
    if (c->pending)
        die("a page of %d rows lacks %d", opt.page, c->pending);
    delivered(c->started_ns);
    if (fig.running)
        send_query(c);
}

static void on_message(struct conn *c, struct slice s)
{
    uint64_t sent_ns;
    int      sender;

    if (opt.mode == MODE_MAM) {
        c->pending -= find(s, "<result") != NULL;
        return;
    }
    if (!stamp(s, &sent_ns, &sender))
        return;
    if ((opt.mode == MODE_CHAT || opt.mode == MODE_FILL) && sender == (c->idx ^ 1)) {
        delivered(sent_ns);
        if (fig.running)
            send_chat(&conns[sender]);
    } else if (opt.mode == MODE_MUC) {
        delivered(sent_ns);
        if (--conns[sender].pending == 0 && fig.running)
            send_room(&conns[sender]);
    }
}

static void on_status(struct conn *c, struct slice s)
{
    uint64_t sent_ns;
    int      sender;

    if (!stamp(s, &sent_ns, &sender) || sender == c->idx || conns[sender].pending <= 0)
        return;
    delivered(sent_ns);
    if (--conns[sender].pending == 0 && fig.running)
        send_presence(&conns[sender]);
}

static void on_subscription(struct conn *c, struct slice s)
{
    char type[32], from[256];

    if (!attribute(s, "type", type, sizeof(type)) || !attribute(s, "from", from, sizeof(from)))
        return;
    from[strcspn(from, "/")] = 0;
    int other = (int)strtol(from + 4, NULL, 10) - opt.first;
    if (strcmp(type, "subscribe") == 0) {
        int distance = (c->idx - other + opt.sessions) % opt.sessions;
        conn_putf(c, "<presence type='subscribed' to='%s'/>", from);
        if (distance >= 1 && distance <= opt.roster / 2)
            conn_putf(c, "<presence type='subscribe' to='%s'/>", from);
    } else if (strcmp(type, "subscribed") == 0) {
        int distance = (other - c->idx + opt.sessions) % opt.sessions;
        fig.last_progress_ns = now_ns();
        if (distance >= 1 && distance <= opt.roster / 2) {
            c->inflight--;
            send_edges(c);
        }
        fig.done = ++fig.subscribed >= (uint64_t)opt.sessions * (uint64_t)(opt.roster / 2 * 2);
    }
}

static void on_room_presence(struct conn *c, struct slice s)
{
    char from[256], me[32];

    if (find(start_tag(s), "'error'") || find(start_tag(s), "\"error\""))
        die("join refused: %.*s", (int)(s.len < 300 ? s.len : 300), (const char *)s.p);
    snprintf(me, sizeof(me), "/nick%d", c->idx);
    if (c->joined || !find(s, "muc#user") || !attribute(s, "from", from, sizeof(from)) ||
        strlen(from) < strlen(me) || strcmp(from + strlen(from) - strlen(me), me) != 0)
        return;
    c->joined = true;
    fig.last_progress_ns = now_ns();
    if (c->idx == 0)
        conn_putf(c,
                  "<iq type='set' id='cfg' to='bench@%s'><query xmlns='http://jabber.org/protocol/muc#owner'>"
                  "<x xmlns='jabber:x:data' type='submit'>%s</x></query></iq>",
                  opt.rooms, opt.sessions >= QUIET_FROM ? moderators_only : "");
}

/* True: it was about stream management (XEP-0198 4). */
static bool managed(struct conn *c, struct slice s)
{
    if (slice_starts(s, SLICE("<r ")) || slice_starts(s, SLICE("<r>")) || slice_starts(s, SLICE("<r/")))
        conn_putf(c, "<a xmlns='urn:xmpp:sm:3' h='%" PRIu32 "'/>", c->taken);
    else if (!slice_starts(s, SLICE("<a ")))
        c->taken++;
    else
        return true;
    return slice_starts(s, SLICE("<r"));
}

void mode_stanza(struct conn *c, struct slice s)
{
    if (opt.managed && managed(c, s))
        return;
    if (slice_starts(s, SLICE("<message")))
        on_message(c, s);
    else if (opt.mode == MODE_MAM && slice_starts(s, SLICE("<iq")))
        on_page(c, s);
    else if (!slice_starts(s, SLICE("<presence")))
        return;
    else if (opt.mode == MODE_PRESENCE)
        on_status(c, s);
    else if (opt.mode == MODE_SUBS)
        on_subscription(c, s);
    else if (opt.mode == MODE_MUC)
        on_room_presence(c, s);
}
