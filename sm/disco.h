#pragma once

/* Pieces of answers of XEP-0030, for the features that write some themselves (feature.h). */

#include "feature.h"

void disco_feature_write(struct xml_writer *w, const char *var);
void disco_identity_write(struct xml_writer *w, const char *category, const char *type, const char *name);
/* node and name: p NULL: none. */
void disco_item_write(struct xml_writer *w, struct slice jid, struct slice node, struct slice name);
/* Identities, features and forms of whom iq->target says, into the open <query/>; nobody's permission is asked. */
void disco_info_write(struct iq *iq);
