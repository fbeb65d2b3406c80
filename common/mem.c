/* Allocation that ends the process when it fails, and the arena (mem.h). No log.h here: with no
 * memory left the one line goes straight to stderr. */

#include "mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, len)   ((void)(p), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(p, len) ((void)(p), (void)(len))
#endif

enum { ARENA_BLOCK = 8192, ARENA_ALIGN = 16 };

struct block {
    struct block *next;
    size_t        used, room;
    _Alignas(ARENA_ALIGN) uint8_t bytes[];
};

struct arena {
    struct block *first;      /* kept for ever */
    struct block *current;    /* the head of the chain that ends at first */
};

static void *checked(void *p)
{
    static const char last_words[] = "<2>out_of_memory\n";

    if (p)
        return p;
    if (write(STDERR_FILENO, last_words, sizeof(last_words) - 1) < 0)
        _exit(2);
    _exit(1);
}

void *xmalloc(size_t bytes)
{
    return checked(malloc(bytes ? bytes : 1));
}

void *xcalloc(size_t count, size_t bytes)
{
    return checked(calloc(count ? count : 1, bytes ? bytes : 1));
}

void *xrealloc(void *p, size_t bytes)
{
    return checked(realloc(p, bytes ? bytes : 1));
}

char *xstrdup(const char *text)
{
    return checked(strdup(text));
}

char *xstrndup(struct slice s)
{
    char *copy = xmalloc(s.len + 1);

    if (s.len)
        memcpy(copy, s.p, s.len);
    copy[s.len] = '\0';
    return copy;
}

char *xprintf(const char *format, ...)
{
    va_list args;
    char   *text = NULL;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    return checked(text);
}

void wipe(void *p, size_t len)
{
    if (len)
        explicit_bzero(p, len);
}

static struct block *block_new(size_t room, struct block *next)
{
    struct block *b = xmalloc(sizeof(*b) + room);

    b->next = next;
    b->used = 0;
    b->room = room;
    ASAN_POISON_MEMORY_REGION(b->bytes, room);
    return b;
}

static void block_free(struct block *b)
{
    ASAN_UNPOISON_MEMORY_REGION(b->bytes, b->room);
    free(b);
}

struct arena *arena_new(void)
{
    struct arena *arena = xmalloc(sizeof(*arena));

    arena->first = arena->current = block_new(ARENA_BLOCK, NULL);
    return arena;
}

void arena_reset(struct arena *arena)
{
    while (arena->current != arena->first) {
        struct block *b = arena->current;

        arena->current = b->next;
        block_free(b);
    }
    arena->first->used = 0;
    ASAN_POISON_MEMORY_REGION(arena->first->bytes, arena->first->room);
}

void arena_free(struct arena **arena)
{
    if (!*arena)
        return;
    arena_reset(*arena);
    block_free((*arena)->first);
    free(*arena);
    *arena = NULL;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    struct block *b = arena->current;

    if (bytes > SIZE_MAX / 2)
        checked(NULL);
    size_t whole = bytes ? (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1) : ARENA_ALIGN;
    if (b->room - b->used < whole) {
        size_t room = b->room * 2 < 65536 ? b->room * 2 : 65536;

        b = arena->current = block_new(whole > room ? whole : room, b);
    }
    void *taken = b->bytes + b->used;
    b->used += whole;
    ASAN_UNPOISON_MEMORY_REGION(taken, bytes);
    return taken;
}

struct slice arena_copy(struct arena *arena, struct slice s)
{
    uint8_t *copy = arena_alloc(arena, s.len);

    if (s.len)
        memcpy(copy, s.p, s.len);
    return slice_of(copy, s.len);
}

char *arena_str(struct arena *arena, struct slice s)
{
    char *copy = arena_alloc(arena, s.len + 1);

    if (s.len)
        memcpy(copy, s.p, s.len);
    copy[s.len] = '\0';
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    char    probe[1];

    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(probe, sizeof(probe), format, args);
    va_end(args);
    char *text = arena_alloc(arena, len < 0 ? 1 : (size_t)len + 1);
    text[0] = '\0';
    if (len > 0)
        vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return text;
}

size_t arena_size(const struct arena *arena)
{
    size_t total = sizeof(*arena);

    for (const struct block *b = arena->current; b; b = b->next)
        total += sizeof(*b) + b->room;
    return total;
}
