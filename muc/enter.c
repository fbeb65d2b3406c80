/* XEP-0045 7.2 in its order: presences of others, self-presence, history, subject; 7.6 new nick, 7.7 new
 * availability. Groupchat 1.0 entry is refused as 7.2.16 says. */

#include "datetime.h"
#include "delay.h"
#include "encode.h"
#include "ns.h"
#include "request.h"
#include "xml_write.h"

enum zerr enter_without_nick(struct request *r)
{
    (void)r;
    return ZE_BAD_JID;                 /* 7.2.1 */
}

/* 7.2.16: not in the room and not asking to enter it. */
static enum zerr not_in_the_room(struct request *r)
{
    static const char content[] = "<x xmlns='" NS_MUC_USER "'><item affiliation='none' role='none'>"
                                  "<reason>You are not in the room.</reason></item>"
                                  "<status code='110'/><status code='307'/><status code='333'/></x>";
    struct stanza     s = { .name = STANZA_PRESENCE, .type = TYPE_UNAVAILABLE, .flags = STANZA_MUC_USER,
                            .from = r->s.to, .to = r->s.from, .content = slice_str(content) };

    outcome_send(r->out, &s);
    return ZE_OK;
}

/* ---- who may enter (7.2.5 to 7.2.11): each check is a row, the first that refuses answers ---- */

struct entry {
    struct request       *r;
    const struct element *x;           /* <x xmlns='.../muc'/> */
    enum affiliation      affiliation;
    struct occupant      *holder;      /* of the nick; NULL: free */
};

static bool is_locked(const struct entry *e)
{
    return e->r->room->locked && e->affiliation != AFF_OWNER;
}

static bool is_banned(const struct entry *e)
{
    return e->affiliation == AFF_OUTCAST;
}

static bool lacks_password(const struct entry *e)
{
    const struct config *config = &e->r->room->config;

    return config->number[CONFIG_PROTECTED] &&
           !same_secret(config_text(config, CONFIG_PASSWORD),
                        element_child_text(e->r->muc->arena, e->x, "password"));
}

static bool is_no_member(const struct entry *e)
{
    return e->r->room->config.number[CONFIG_MEMBERS_ONLY] &&
           !affiliation_may(e->affiliation, MAY_ENTER_MEMBERS_ONLY);
}

static bool nick_is_taken(const struct entry *e)
{
    return e->holder && !slice_eq(e->holder->bare, e->r->sender);       /* 7.2.9: one's own may be shared */
}

static bool room_is_full(const struct entry *e)
{
    const struct room *room = e->r->room;
    size_t             most = (size_t)e->r->service->occupants_max;
    size_t             own = (size_t)room->config.number[CONFIG_OCCUPANTS];
    size_t             spare = e->affiliation >= AFF_ADMIN ? 20 : 0;    /* 7.2.10: admins still fit in */

    if (own && own < most)
        most = own;
    return table_count(room->sessions) >= most + spare;
}

static const struct {
    bool (*refuses)(const struct entry *e);
    enum zerr err;
} entry_checks[] = {
    { is_locked,      ZE_NOT_FOUND },
    { is_banned,      ZE_FORBIDDEN },
    { is_no_member,   ZE_REGISTRATION },
    { lacks_password, ZE_NOT_AUTHORIZED },
    { nick_is_taken,  ZE_CONFLICT },
    { room_is_full,   ZE_NO_SUCH },
};

static enum zerr check_entry(const struct entry *e)
{
    for (size_t i = 0; i < COUNT_OF(entry_checks); i++)
        if (entry_checks[i].refuses(e))
            return entry_checks[i].err;
    return ZE_OK;
}

static enum zerr check_nick(const struct request *r)
{
    bool visible = false;

    for (size_t i = 0; i < r->nick.len; i++)
        visible = visible || r->nick.p[i] != ' ';                        /* 16.1 */
    return visible && (long)r->nick.len <= r->muc->settings->limits.nick_max ? ZE_OK : ZE_NOT_ACCEPTABLE;
}

/* ---- what who enters gets ---- */

static void send_others(struct request *r, const struct session *to)
{
    LIST_EACH(&r->room->occupants, node) {
        struct occupant *who = LIST_OWNER(node, struct occupant, link);
        struct notice    n = notice_now(who);

        if (who != to->occupant)
            notice_to(r->out, to, who, &n, false);
    }
}

static void send_self(struct request *r, const struct session *to, bool created)
{
    struct notice n = notice_now(to->occupant);
    unsigned      codes[3] = { 0 }, count = 0;

    if (r->room->config.number[CONFIG_WHOIS] == WHOIS_ANYONE)
        codes[count++] = 100;
    if (created)
        codes[count++] = 201;
    n.self_codes = codes;
    n.id = r->s.id;
    n.jid = to->jid;
    notice_to(r->out, to, to->occupant, &n, true);
}

static void send_subject(struct request *r, const struct session *to)
{
    const struct room *room = r->room;
    struct buf         content = { 0 }, from = { 0 };
    struct xml_writer  w;
    struct stanza      s = { .name = STANZA_MESSAGE, .type = TYPE_GROUPCHAT, .flags = STANZA_HAS_SUBJECT,
                             .to = to->jid };

    buf_put_slice(&from, room->jid);
    if (room->subject_nick.len) {
        buf_put_u8(&from, '/');
        buf_put_slice(&from, room->subject_nick);
    }
    xml_begin(&w, &content, NS_CLIENT);
    xml_simple(&w, "subject", NULL, room->subject);
    if (room->subject_us)
        delay_write(&content, room->jid, room->subject_us);
    s.from = buf_slice(&from);
    s.content = buf_slice(&content);
    outcome_send(r->out, &s);
    buf_free(&content);
    buf_free(&from);
}

static struct history_wish wish_of(const struct entry *e)
{
    struct history_wish   wish = { -1, -1, -1, 0 };
    const struct element *history = e->x ? element_child(e->x, NULL, "history") : NULL;

    if (!history)
        return wish;
    parse_count(element_attr(history, "maxchars"), 999999999, &wish.chars);
    parse_count(element_attr(history, "maxstanzas"), 999999999, &wish.stanzas);
    parse_count(element_attr(history, "seconds"), 999999999, &wish.seconds);
    if (datetime_parse(element_attr(history, "since"), &wish.since_us))
        wish.since_us = 0;
    return wish;
}

/* 7.2.3 and on, in this order and no other. */
static void welcome(const struct entry *e, struct session *session, bool created)
{
    struct history_wish wish = wish_of(e);

    send_others(e->r, session);
    send_self(e->r, session, created);
    history_send(e->r->room, e->r->out, session, &wish);
    send_subject(e->r, session);
}

static void announce(struct request *r, struct occupant *who, const struct session *except)
{
    struct notice n = notice_now(who);

    n.id = r->s.id;
    notice_to_others(r->out, who, &n);
    notice_to_self(r->out, who, &n, except);
}

static enum zerr keep_presence(struct request *r, const struct element *content, struct slice *payload)
{
    *payload = presence_payload(r->muc->arena, content);
    return (long)payload->len <= r->muc->settings->limits.room_presence_max ? ZE_OK : ZE_POLICY;
}

static enum zerr join(struct request *r, const struct element *content, const struct element *x)
{
    struct entry e = { .r = r, .x = x };
    struct slice payload;
    bool         created = !r->room;
    enum zerr    err = check_nick(r);

    if (!err)
        err = keep_presence(r, content, &payload);
    if (!err && created) {
        struct room *room;
        err = rooms_create(r->muc, r->service, r->room_jid, r->sender, &room);
        if (!err)
            request_room(r, room);
    }
    if (err)
        return err;
    e.affiliation = request_affiliation(r);
    e.holder = room_occupant(r->room, r->nick);
    if (!created && (err = check_entry(&e)))
        return err;

    struct occupant *who = e.holder ? e.holder : occupant_new(r->room, r->nick, r->sender);

    if (!e.holder) {
        who->affiliation = e.affiliation;
        who->role = role_on_entry(e.affiliation, r->room->config.number[CONFIG_MODERATED], false);
    }
    r->session = session_new(who, r->s.from, &r->home);
    session_presence(r->session, payload);
    r->muc->figures.entered++;
    announce(r, who, r->session);
    welcome(&e, r->session, created);
    return ZE_OK;
}

/* ---- who is already in ---- */

/* 17.3: asks to enter once more: everything again. */
static enum zerr enter_again(struct request *r, const struct element *content, const struct element *x)
{
    struct entry e = { .r = r, .x = x };
    struct slice payload;
    enum zerr    err = keep_presence(r, content, &payload);

    if (err)
        return err;

    struct slice before = r->session->presence ? blob_slice(r->session->presence) : (struct slice){ 0 };
    bool         changed = !slice_eq(before, payload) || r->session->occupant->main != r->session;

    session_presence(r->session, payload);
    if (changed)
        announce(r, r->session->occupant, r->session);
    welcome(&e, r->session, false);
    return ZE_OK;
}

static enum zerr new_presence(struct request *r, const struct element *content)
{
    struct slice payload;
    enum zerr    err = request_rate(r, 1);

    if (!err)
        err = keep_presence(r, content, &payload);
    if (err)
        return err;
    session_presence(r->session, payload);
    announce(r, r->session->occupant, NULL);
    return ZE_OK;
}

/* 7.6: all sessions of the occupant move to the new nick together. */
static enum zerr new_nick(struct request *r, const struct element *content)
{
    static const unsigned codes[] = { 303, 0 };
    struct occupant      *who = r->session->occupant;
    struct slice          payload;
    enum zerr             err = check_nick(r);

    if (!err && room_occupant(r->room, r->nick))
        err = ZE_CONFLICT;
    if (!err)
        err = keep_presence(r, content, &payload);
    if (!err)
        err = request_rate(r, 5);
    if (err)
        return err;

    struct notice n = { .type = TYPE_UNAVAILABLE, .codes = codes, .new_nick = r->nick };

    notice_to_others(r->out, who, &n);
    notice_to_self(r->out, who, &n, NULL);
    occupant_rename(who, r->nick);
    session_presence(r->session, payload);
    announce(r, who, NULL);
    return ZE_OK;
}

enum zerr enter_room(struct request *r)
{
    const struct element *content = request_tree(r);
    const struct element *x = content ? element_child(content, NS_MUC, "x") : NULL;

    r->muc->figures.presences++;
    if (!content)
        return ZE_BAD_REQUEST;
    if (!r->session)
        return x ? join(r, content, x) : not_in_the_room(r);
    if (!slice_eq(r->session->occupant->nick, r->nick))
        return new_nick(r, content);
    return x ? enter_again(r, content, x) : new_presence(r, content);
}
