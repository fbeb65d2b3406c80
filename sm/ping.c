/* XEP-0199 XMPP Ping: the empty result is the answer (4.2). */

#include "feature.h"
#include "ns.h"

static int ping(struct iq *iq)
{
    (void)iq;
    return ZE_OK;
}

static const char *const ping_disco[] = { NS_PING, NULL };

static const struct iq_row ping_iqs[] = {
    { IQ_GET, NS_PING, "ping", TO_OWN_ACCOUNT | TO_SERVER, ping },
    { 0 },
};

const struct sm_feature sm_ping = {
    .name = "ping", .spec = "XEP-0199", .disco_server = ping_disco, .iqs = ping_iqs,
};
