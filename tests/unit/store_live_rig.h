#pragma once

/* A store with live memory (store_fixture.h without): what is handed in waits for the end of the loop's turn. */

#include "live.h"
#include "store_fixture.h"

enum { WAITING };

static const char *const live_tables[] = { "waiting", NULL };

struct rig {
    struct fixture f;
    struct live   *live;
    char           live_path[80], record[80];
};

static struct rig rig;

static inline void rig_open(void)
{
    struct live_spec spec = { .path = rig.live_path, .tables = live_tables, .map_bytes = 16 << 20,
                              .reserve_bytes = 1 << 16 };

    rig.live = live_open(rig.f.loop, &spec);
    assert_non_null(rig.live);
    rig.f.spec.live = rig.live;
    fixture_open(&rig.f);
}

static inline void rig_close(void)
{
    store_close(&rig.f.store);
    live_close(&rig.live);
}

static inline int rig_start(void **state)
{
    (void)state;
    memset(&rig, 0, sizeof(rig));
    fixture_start(&rig.f);
    snprintf(rig.live_path, sizeof(rig.live_path), "%s/live", rig.f.path);
    snprintf(rig.record, sizeof(rig.record), "%s/record", rig.f.path);
    rig.f.spec.writer = "sm-1";
    return 0;
}

static inline int rig_end(void **state)
{
    static const char *const files[] = { "live/data.mdb", "live/owner.lock", "live/boot_id", "record" };

    (void)state;
    store_close(&rig.f.store);
    live_close(&rig.live);
    for (size_t i = 0; i < COUNT_OF(files); i++)
        fixture_unlink(rig.f.path, files[i]);
    rmdir(rig.live_path);
    fixture_end(&rig.f);
    return 0;
}

static inline void turn(void)
{
    uv_run(loop_uv(rig.f.loop), UV_RUN_NOWAIT);
}
