#pragma once

/* What tests of parsers need around each group: an arena and the pool of parsers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mem.h"
#include "xml_stream.h"

static const struct xml_limits limits = { 262144, 64, 128, 1024 };
static struct arena           *arena;

static int begin(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(&arena);
    xml_pool_free();
    return 0;
}
