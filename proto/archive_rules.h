#pragma once

/* What is stored: one table with reasons (archive_rules.c) for XEP-0313 (archive) and XEP-0160 (offline). */

#include "stanza.h"

enum archive_place { ARCHIVE_OF_ACCOUNT, ARCHIVE_OF_ROOM };

struct archive_verdict {
    bool archive, offline;             /* offline: should nobody be there to take it */
};

/* Of a message on its way to or from an account, or one that a room reflects to its occupants (which is
 * never offline). Anything but a message: neither. */
struct archive_verdict archive_verdict(enum archive_place place, const struct stanza *s);
