#pragma once

/* Outstanding invitations of a room: only who was invited may send a decline through it. */

#include "slice.h"

struct room;

void invite_forget_all(struct room *room);
