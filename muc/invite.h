#pragma once

/* Outstanding invitations of a room: only who was invited may send a decline through it. */

#include "keep.h"
#include "slice.h"

struct room;

void invite_forget_all(struct room *room);
void invite_each_keep(const struct room *room, void (*each)(void *arg, const struct keep *k), void *arg);
