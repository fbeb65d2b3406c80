#pragma once

/* Presence over Redis in this instance (DESIGN.md 5): the bus (bus.h), the sessions' keys
 * (presence_keys.h) and the connections they share (redis.h), tied to sm. Trust: docs/design.md 5. */

#include "ctl.h"
#include "frame.h"
#include "session.h"

struct link;
struct sm;
struct presence_bus;

/* When sm->live is there. Without server.redis it only takes what others send. */
struct presence_bus *presence_bus_new(struct sm *sm, struct link *link);
void                 presence_bus_free(struct presence_bus **pb);
/* The settings changed. */
void                 presence_bus_settings(struct presence_bus *pb);
/* routerd published a table; before the first one nothing is sent. */
void                 presence_bus_routes(struct presence_bus *pb);

/* True: f was presence for another instance, and the bus has it. */
bool presence_bus_take(struct presence_bus *pb, const struct frame *f);
/* The session has shown itself, changed its presence or gone unavailable. pb may be NULL. */
void presence_bus_shown(struct presence_bus *pb, const struct session *s);

/* Frame handler. */
void on_presence_bus(void *sm, const struct frame *f);

/* redis: "up", "down" or "off"; presence_roads: instances reached by it. */
void presence_bus_status(const struct presence_bus *pb, struct ctl_reply *r);
