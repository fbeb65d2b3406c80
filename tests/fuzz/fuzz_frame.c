/* Everything that reads bytes of another daemon: frames, bounces, recipient lists, the route table and
 * the login bodies. The corpus holds a frame of each kind. */

#include <stdlib.h>

#include "bounce.h"
#include "buf.h"
#include "fanout.h"
#include "login.h"
#include "routes.h"

/* What was decoded is encoded to the same bytes: there is one way to write a frame. */
static void check_round_trip(const struct frame *f, struct slice bytes)
{
    struct buf out = { 0 };

    if (frame_encode(&out, f) || !slice_eq(buf_slice(&out), bytes))
        abort();
    buf_free(&out);
}

static void read_bodies(const struct frame *f)
{
    union {
        struct auth_start   start;
        struct auth_step    step;
        struct auth_done    done;
        struct bind_request bind;
        struct bound        bound;
        struct session_end  end;
    } body;
    struct cursor       list = { f->list, false };
    struct fanout_entry entry;
    struct frame        original;
    enum zerr           why;
    struct routes      *routes = routes_new();

    while (fanout_next(&list, &entry))
        continue;
    if (bounce_decode(f, &why, &original) == ZE_OK && original.kind == FRAME_BOUNCE)
        abort();
    auth_start_take(f->body, &body.start);
    auth_step_take(f->body, &body.step);
    auth_done_take(f->body, &body.done);
    bind_request_take(f->body, &body.bind);
    bound_take(f->body, &body.bound);
    session_end_take(f->body, &body.end);
    if (routes_decode(routes, f->body) == ZE_OK)
        routes_slot_owner(routes, ROLE_SM, 1);
    routes_free(&routes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct frame f;
    ssize_t      n;

    while ((n = frame_decode(rest, &f)) > 0) {
        check_round_trip(&f, slice_cut(rest, 0, (size_t)n));
        read_bodies(&f);
        rest = slice_cut(rest, (size_t)n, rest.len);
    }
    return 0;
}
