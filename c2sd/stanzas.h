#pragma once

/* ACTIVE: stanzas from the client as frames to its session; frames back to the socket. */

#include "conn.h"

void stanzas_from_client(struct conn *c, struct xml_item *item);
/* An error reply to the client for a stanza of its own. */
void stanzas_refuse(struct conn *c, const struct stanza *s, enum zerr why);

/* The handlers of this daemon, by frame kind. */
extern frame_handler *const c2sd_handlers[FRAME_KIND_MAX];
