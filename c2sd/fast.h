#pragma once

/* XEP-0484 FAST, the stream's side: which mechanisms a token may be used with here. Tokens are sm's. */

#include "conn.h"

void fast_feature(struct conn *c, struct buf *out);
