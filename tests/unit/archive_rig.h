#pragma once

/* The whole of sm with two users and their archives: anna and ben are online, carl only has an account. */

#include "sm_rig.h"

#include "archive.h"
#include "ns.h"
#include "retention.h"

#define DAY_US (UINT64_C(86400) * 1000000)

static struct session       *anna, *ben;
static struct retention     *retention;
static struct settings_rooms archive_rooms[1] = { { .name = "rooms.a.org" } };

static int two_users(void **state)
{
    rig_setup(state);
    rig_settings.server.archive = true;
    rig_settings.server.archive_days = 0;
    rig_settings.limits.retraction_search = 10;
    rig_settings.rooms = archive_rooms;
    rig_settings.rooms_count = 1;
    rig_domains[0].archive_default = "always";
    anna = rig_user("anna@a.org/x", 1);
    ben = rig_user("ben@a.org/y", 2);
    rig_account("carl@a.org");
    rig_forget();
    retention = retention_new(&rig);
    return 0;
}

static int end(void **state)
{
    rig_settings.server.archive = false;
    rig_settings.rooms_count = 0;
    rig_wait();
    store_close(&rig.store.archive);
    store_close(&rig.store.accounts);
    retention_free(&retention);
    return rig_teardown(state);
}

#define FLOW(name) cmocka_unit_test_setup_teardown(name, two_users, end)

/* A session of a user who was away; what it is sent when it becomes available. */
RIG const char *come_back(struct session **s, const char *full)
{
    rig_forget();
    *s = rig_bind(full, 4);
    rig_client(*s, "presence", "", NULL, "");
    return rig_took();
}

/* The first page of the archive, as its owner gets it. */
RIG const char *archive_of(const struct session *s)
{
    rig_forget();
    rig_client(s, "iq", "set", NULL, "<query xmlns='" NS_MAM "'/>");
    return rig_took();
}

RIG unsigned archived(const struct session *s)
{
    return occurrences(archive_of(s), "<result xmlns='" NS_MAM "'");
}

RIG bool archive_is_quiet(void)
{
    struct store_figures f;

    store_figures(rig.store.archive, &f);
    return f.pending_batches == 0;
}

/* Retention, once over everything. */
RIG void walk(uint64_t now_us)
{
    for (bool more = true; more;) {
        more = retention_step(retention, now_us);
        rig_wait();
        while (!archive_is_quiet())
            uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
    }
}
