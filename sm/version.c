/* XEP-0092 Software Version: name and version; the operating system is nobody's business (5). */

#include "feature.h"
#include "ns.h"

static int version(struct iq *iq)
{
    xml_open(iq->reply, "query", NS_VERSION);
    xml_simple(iq->reply, "name", NULL, SLICE("Zubr"));
    xml_simple(iq->reply, "version", NULL, SLICE(ZUBR_VERSION));
    xml_close(iq->reply);
    return ZE_OK;
}

static const char *const version_disco[] = { NS_VERSION, NULL };

static const struct iq_row version_iqs[] = {
    { IQ_GET, NS_VERSION, "query", TO_SERVER, version },
    { 0 },
};

const struct sm_feature sm_version = {
    .name = "version", .spec = "XEP-0092", .disco_server = version_disco, .iqs = version_iqs,
};
