#pragma once

#include "pep.h"

/* The rows of pep_hooks.c for that node, in order. ZE_OK, or what the first refused with. */
enum zerr pep_hook_published(struct passage *p, const struct pep_item *item);
enum zerr pep_hook_retracted(struct passage *p, struct slice node, struct slice id);
enum zerr pep_hook_emptied(struct passage *p, struct slice node);
