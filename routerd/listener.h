#pragma once

/* The socket of one role: who comes through it is that role (DESIGN.md 1). */

#include "router.h"

/* From systemd, or made at <run>/router/<role>.sock (mode 0660). NULL: logged why. */
struct listener *listener_new(struct router *r, unsigned role);
void             listener_free(struct listener **l);
