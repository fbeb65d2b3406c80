#pragma once

/* Allocation that cannot fail (limits come first, DESIGN.md 2.9): when the system has
 * nothing left the process logs once and exits; systemd restarts it. */

#include "slice.h"

void *xmalloc(size_t bytes) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t bytes) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t bytes) __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((malloc, returns_nonnull));
/* A terminated copy; the caller frees it. */
char *xstrndup(struct slice s) __attribute__((malloc, returns_nonnull));
/* printf into fresh memory; the caller frees it. */
char *xprintf(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/* Overwrites secrets; not optimised away. */
void wipe(void *p, size_t len);

/* One arena a stanza (STYLE.md C15): everything taken from it dies at the next reset.
 * Reset keeps the first block (8 KiB) and gives larger ones back. Alignment 16. */
struct arena;
struct arena *arena_new(void);
void          arena_free(struct arena **arena);
void          arena_reset(struct arena *arena);
void         *arena_alloc(struct arena *arena, size_t bytes) __attribute__((returns_nonnull));
struct slice  arena_copy(struct arena *arena, struct slice s);
/* Terminated copy. */
char *arena_str(struct arena *arena, struct slice s) __attribute__((returns_nonnull));
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull));
/* Bytes held by its blocks now. */
size_t arena_size(const struct arena *arena);
