#pragma once

/* What may come before a stream header: a byte order mark, an XML declaration, white space
 * (RFC 6120 11.4 to 11.7). Resumable at any byte. */

#include "slice.h"
#include "stream_error.h"

enum { XML_DECLARATION_MAX = 128 };

struct xml_prolog {
    uint8_t           state, len;
    enum stream_error error;
    char              declaration[XML_DECLARATION_MAX];
};

enum prologue { PROLOGUE_MORE, PROLOGUE_TAG, PROLOGUE_ERROR };

/* A zeroed struct begins. Takes bytes from *in up to and including the '<' of the first tag
 * (PROLOGUE_TAG); after PROLOGUE_ERROR p->error says why. */
enum prologue xml_prolog_feed(struct xml_prolog *p, struct slice *in);
