/* XEP-0203 Delayed Delivery. */

#include "delay.h"

#include "datetime.h"
#include "ns.h"
#include "xml_write.h"

void delay_write(struct buf *content, struct slice from, uint64_t us)
{
    struct xml_writer w;
    char              stamp[DATETIME_MAX];

    datetime_write(stamp, us);
    xml_begin(&w, content, NS_CLIENT);
    xml_open(&w, "delay", NS_DELAY);
    xml_attr_slice(&w, "from", from.len ? from : (struct slice){ 0 });
    xml_attr(&w, "stamp", stamp);
    xml_close(&w);
}
