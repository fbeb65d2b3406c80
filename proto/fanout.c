/* Recipient lists of FANOUT frames (fanout.h, DESIGN.md 2.5). */

#include "fanout.h"

#include "jid.h"
#include "log.h"

void fanout_put(struct buf *list, uint64_t handle, struct slice jid)
{
    if (jid.len > JID_MAX || (!handle && !jid.len))
        fatal("fanout_entry_invalid", "bytes", log_num((int64_t)jid.len), NULL);
    buf_put_u64(list, handle);
    buf_put_u16(list, (uint16_t)jid.len);
    buf_put_slice(list, jid);
}

bool fanout_next(struct cursor *c, struct fanout_entry *out)
{
    if (c->bad || c->rest.len == 0)
        return false;
    out->handle = take_u64(c);
    out->jid = take_bytes(c, take_u16(c));
    if (out->jid.len > JID_MAX || (!out->handle && !out->jid.len))
        c->bad = true;
    return !c->bad;
}
