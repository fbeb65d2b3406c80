/* XEP-0202 Entity Time, in UTC. */

#include "datetime.h"
#include "feature.h"
#include "ns.h"

static int entity_time(struct iq *iq)
{
    char utc[DATETIME_MAX];

    datetime_write(utc, wall_us() / 1000000 * 1000000);
    xml_open(iq->reply, "time", NS_TIME);
    xml_simple(iq->reply, "tzo", NULL, SLICE("+00:00"));
    xml_simple(iq->reply, "utc", NULL, slice_str(utc));
    xml_close(iq->reply);
    return ZE_OK;
}

static const char *const time_disco[] = { NS_TIME, NULL };

static const struct iq_row time_iqs[] = {
    { IQ_GET, NS_TIME, "time", TO_SERVER, entity_time },
    { 0 },
};

const struct sm_feature sm_time = {
    .name = "time", .spec = "XEP-0202", .disco_server = time_disco, .iqs = time_iqs,
};
