/* XEP-0199 XMPP Ping of service and room. The self-ping of XEP-0410 is answered in forward.c. */

#include "feature.h"
#include "ns.h"

static enum zerr ping(struct request *r, const struct element *payload)
{
    (void)r;
    (void)payload;                     /* the empty result is the answer */
    return ZE_OK;
}

static const char *const service_disco[] = { NS_PING, NULL };
static const char *const room_disco[] = { NS_PING, "http://jabber.org/protocol/muc#self-ping-optimization", NULL };

static const struct iq_row iqs[] = {
    { IQ_GET, NS_PING, "ping", TO_SERVICE | TO_ROOM, AFF_OUTCAST, ping },
    { 0 },
};

const struct muc_feature muc_ping = {
    .name = "ping", .spec = "XEP-0199, XEP-0410", .service_disco = service_disco, .room_disco = room_disco, .iqs = iqs,
};
