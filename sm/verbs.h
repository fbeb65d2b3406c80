#pragma once

/* Control verbs of sm (DESIGN.md 8). */

#include "ctl.h"

extern const struct ctl_verb sm_verbs[];
