#pragma once

#include "feature.h"

/* Functions of the disco rows of pep.c (feature.h). */
bool pep_disco_is(struct iq *iq, struct slice name);
int  pep_disco_info(struct iq *iq, struct slice name);
int  pep_disco_items(struct iq *iq, struct slice name);
/* Nodes of the account that show themselves to who asks; how many. */
int  pep_disco_nodes(struct iq *iq);
