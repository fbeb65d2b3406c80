#pragma once

/* What everybody who is connected here is told. */

struct ctl_reply;
struct frame;

/* Control verb `announce`. */
int  verb_announce(void *sm, int argc, char **argv, struct ctl_reply *r);
/* Frame WARN: routerd says so of the end of the suite (routerd/shutdown.h). */
void on_warn(void *sm, const struct frame *f);
