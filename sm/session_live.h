#pragma once

/* Sessions outlive this process: each is a row in live memory, written at the end of the loop turn that
 * changed it. */

#include "session.h"
#include "sm.h"

/* Brings back the sessions of the earlier life of this instance, and writes changes from now on. Once,
 * before the link connects. */
void sessions_live_start(struct sm *sm);
void sessions_live_stop(struct sm *sm);
