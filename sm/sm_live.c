/* Names of the live tables (sm_live.h). */

#include "sm_live.h"

#include "buf.h"

const char *const sm_live_tables[] = {
    LINK_LIVE_TABLES,
#define X(name) #name,
    SM_LIVE_TABLES(X)
#undef X
    NULL,
};

bool sm_live_check(struct live *live, uint64_t incarnation)
{
    struct slice key = SLICE("incarnation"), found = live_get(live, L_INSTANCE, key);
    struct buf   row = { 0 };
    bool         same;

    buf_put_u64(&row, incarnation);
    same = found.p && slice_eq(found, buf_slice(&row));
    if (!same) {
        for (unsigned table = L_BEFORE_SM + 1; table < L_END; table++)
            live_forget(live, table);
        live_put(live, L_INSTANCE, key, buf_slice(&row));
    }
    buf_free(&row);
    return same;
}
