#pragma once

/* XEP-0203 Delayed Delivery. */

#include "buf.h"
#include "slice.h"

/* Appends <delay xmlns='urn:xmpp:delay' from='...' stamp='...'/>. */
void delay_write(struct buf *content, struct slice from, uint64_t us);
