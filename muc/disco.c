/* XEP-0030 of the service and of rooms; XEP-0045 6.2 to 6.5. Occupants are not listed (6.5 advises so);
 * the list of rooms is cut at a limit without paging (XEP-0059 comes with the archive). */

#include <stdio.h>

#include "feature.h"
#include "ns.h"
#include "xml_write.h"

enum { ITEMS_MAX = 500 };

static void feature(struct xml_writer *w, const char *var)
{
    xml_open(w, "feature", NULL);
    xml_attr(w, "var", var);
    xml_close(w);
}

static void identity(struct xml_writer *w, struct slice name)
{
    xml_open(w, "identity", NULL);
    xml_attr(w, "category", "conference");
    xml_attr(w, "type", "text");
    xml_attr_slice(w, "name", name);
    xml_close(w);
}

/* room NULL: of the service. */
static void features(struct xml_writer *w, const struct room *room)
{
    for (size_t i = 0; muc_features[i]; i++) {
        const struct muc_feature *f = muc_features[i];
        const char *const        *list = room ? f->room_disco : f->service_disco;

        for (; list && *list && (!room || feature_in_room(f, room)); list++)
            feature(w, *list);
    }
}

/* 6.4, 15.3: what each option is called when it is off and when it is on. */
static const struct {
    enum config_key key;
    const char     *off, *on;
} room_types[] = {
    { CONFIG_PUBLIC, "muc_hidden", "muc_public" },
    { CONFIG_PERSISTENT, "muc_temporary", "muc_persistent" },
    { CONFIG_MEMBERS_ONLY, "muc_open", "muc_membersonly" },
    { CONFIG_MODERATED, "muc_unmoderated", "muc_moderated" },
    { CONFIG_PROTECTED, "muc_unsecured", "muc_passwordprotected" },
    { CONFIG_WHOIS, "muc_semianonymous", "muc_nonanonymous" },
};

static struct slice room_name(struct slice jid, const struct config *config)
{
    struct slice name = config_text(config, CONFIG_NAME);
    const void  *at = memchr(jid.p, '@', jid.len);

    return name.len || !at ? name : slice_cut(jid, 0, (size_t)((const uint8_t *)at - jid.p));
}

static void info_field(struct xml_writer *w, const char *type, const char *var, struct slice value)
{
    xml_open(w, "field", NULL);
    xml_attr(w, "type", type);
    xml_attr(w, "var", var);
    xml_simple(w, "value", NULL, value);
    xml_close(w);
}

/* 6.4, 15.5.4 (XEP-0128). The subject is told to those who are in the room, not here (13.4). */
static void room_info(struct xml_writer *w, const struct room *room)
{
    char occupants[24], history[24];

    snprintf(occupants, sizeof(occupants), "%zu", room_occupants(room));
    snprintf(history, sizeof(history), "%ld", room->config.number[CONFIG_HISTORY]);
    xml_open(w, "x", NS_DATA);
    xml_attr(w, "type", "result");
    info_field(w, "hidden", "FORM_TYPE", SLICE("http://jabber.org/protocol/muc#roominfo"));
    info_field(w, "text-single", "muc#roominfo_description", config_text(&room->config, CONFIG_DESCRIPTION));
    info_field(w, "text-single", "muc#roominfo_lang", config_text(&room->config, CONFIG_LANG));
    info_field(w, "text-single", "muc#roominfo_occupants", slice_str(occupants));
    info_field(w, "boolean", "muc#roomconfig_changesubject",
               slice_str(room->config.number[CONFIG_SUBJECT] ? "1" : "0"));
    info_field(w, "text-single", "muc#maxhistoryfetch", slice_str(history));
    xml_close(w);
}

static void info_of_room(struct xml_writer *w, const struct room *room)
{
    identity(w, room_name(room->jid, &room->config));
    features(w, room);
    for (size_t i = 0; i < COUNT_OF(room_types); i++)
        feature(w, room->config.number[room_types[i].key] ? room_types[i].on : room_types[i].off);
    room_info(w, room);
}

/* A locked room does not exist yet for anybody but its creator (7.2.11). */
static bool room_is_there(const struct request *r)
{
    return r->room && (!r->room->locked || request_affiliation(r) == AFF_OWNER);
}

/* 7.12: an unsupported well-known node is feature-not-implemented; 16.1.1 wants service-unavailable of
 * a service that filters nothing. */
static enum zerr known_node(struct slice node)
{
    if (!node.len)
        return ZE_OK;
    if (slice_is(node, "x-roomuser-item"))
        return ZE_FEATURE;
    return slice_is(node, "http://jabber.org/protocol/muc#traffic") ? ZE_NO_SUCH : ZE_NOT_FOUND;
}

static enum zerr info(struct request *r, const struct element *payload)
{
    struct xml_writer w;
    enum zerr         err;

    if (r->target == TO_ROOM && !room_is_there(r))
        return ZE_NOT_FOUND;
    err = known_node(element_attr(payload, "node"));
    if (err)
        return err;
    xml_begin(&w, r->reply, NS_CLIENT);
    xml_open(&w, "query", NS_DISCO_INFO);
    if (r->target == TO_ROOM) {
        info_of_room(&w, r->room);
    } else {
        identity(&w, SLICE("Chat rooms"));
        features(&w, NULL);
    }
    xml_close(&w);
    return ZE_OK;
}

struct items {
    struct xml_writer *w;
    size_t             count;
};

static int item(void *arg, const struct room_summary *room)
{
    struct items *items = arg;

    if (!room->config->number[CONFIG_PUBLIC] || room->locked)
        return 0;
    xml_open(items->w, "item", NULL);
    xml_attr_slice(items->w, "jid", room->jid);
    xml_attr_slice(items->w, "name", room_name(room->jid, room->config));
    xml_close(items->w);
    return ++items->count == ITEMS_MAX;
}

static enum zerr items(struct request *r, const struct element *payload)
{
    struct xml_writer w;
    struct items      list = { &w, 0 };

    if (r->target == TO_ROOM && !room_is_there(r))
        return ZE_NOT_FOUND;
    if (element_attr(payload, "node").len)
        return ZE_NOT_FOUND;
    xml_begin(&w, r->reply, NS_CLIENT);
    xml_open(&w, "query", NS_DISCO_ITEMS);
    if (r->target == TO_SERVICE)
        rooms_each(r->muc, r->service->name, item, &list);
    xml_close(&w);
    return ZE_OK;
}

static const char *const service_disco[] = { NS_DISCO_INFO, NS_DISCO_ITEMS, NS_MUC, "muc_rooms",
                                             "http://jabber.org/protocol/muc#stable_id", NULL };
static const char *const room_disco[] = { NS_DISCO_INFO, NS_DISCO_ITEMS, NS_MUC,
                                          "http://jabber.org/protocol/muc#stable_id", NULL };

static const struct iq_row iqs[] = {
    { IQ_GET, NS_DISCO_INFO, "query", TO_SERVICE | TO_ROOM, AFF_OUTCAST, info },
    { IQ_GET, NS_DISCO_ITEMS, "query", TO_SERVICE | TO_ROOM, AFF_OUTCAST, items },
    { 0 },
};

const struct muc_feature muc_disco = {
    .name = "disco", .spec = "XEP-0030", .service_disco = service_disco, .room_disco = room_disco, .iqs = iqs,
};
