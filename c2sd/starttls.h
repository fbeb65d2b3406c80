#pragma once

/* RFC 6120 5. */

#include "negotiate.h"

void starttls_begin(struct conn *c, const struct heard *heard);
void starttls_feature(struct conn *c, struct buf *out);
