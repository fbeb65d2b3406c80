/* afters.h: u8 which, then sized: a, b. */

#include "afters.h"

#include "cursor.h"
#include "log.h"
#include "sm.h"

static after_fn *const functions[] = {
#define X(name, function) function,
    AFTERS(X)
#undef X
};

void afters_put(struct buf *out, enum after what, struct slice a, struct slice b)
{
    buf_put_u8(out, (uint8_t)what);
    buf_put_sized(out, a);
    buf_put_sized(out, b);
}

void afters_run(struct sm *sm, struct slice afters, enum zerr err)
{
    struct cursor c = { afters.len ? arena_copy(sm->arena, afters) : afters, false };

    while (c.rest.len) {
        unsigned     what = take_u8(&c);
        struct slice a = take_sized(&c), b = take_sized(&c);

        if (c.bad || what >= COUNT_OF(functions)) {
            log_error("after_unreadable", "which", log_num(what), NULL);
            return;
        }
        functions[what](sm, err, a, b);
    }
}
