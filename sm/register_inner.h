#pragma once

/* What the two files of XEP-0077 share: register.c, before login, and register_own.c, after it. */

#include "register.h"

/* `registered_as`: the name of the account; empty before there is one. */
void register_form_write(struct xml_writer *w, struct slice registered_as);

extern const struct stat_row register_stats[];
extern uint64_t              register_removed;     /* accounts */
