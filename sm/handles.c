/* Handles: index and generation (handles.h). Free places are chained through their index. */

#include "handles.h"

#include <stdlib.h>

#include "encode.h"
#include "mem.h"

enum { NO_PLACE = UINT32_MAX };

struct place {
    void    *value;
    uint32_t generation;
    uint32_t next_free;
};

struct handles {
    struct place *places;
    uint32_t      used, room, first_free;
    uint32_t      floor;           /* generations up to this one were given out by an earlier life */
    uint32_t      highest;
    size_t        count;
};

struct handles *handles_new(void)
{
    struct handles *h = xcalloc(1, sizeof(*h));

    h->first_free = NO_PLACE;
    return h;
}

struct handles *handles_new_unguessed(void)
{
    struct handles *h = handles_new();

    handles_restored(h, (uint32_t)random_u64() >> 1);
    return h;
}

void handles_free(struct handles **h)
{
    if (*h)
        free((*h)->places);
    free(*h);
    *h = NULL;
}

static uint32_t place_add(struct handles *h)
{
    if (h->used == h->room) {
        h->room = h->room ? h->room * 2 : 64;
        h->places = xrealloc(h->places, h->room * sizeof(*h->places));
    }
    h->places[h->used] = (struct place){ .generation = h->floor };
    return h->used++;
}

static uint32_t place_take(struct handles *h)
{
    uint32_t index = h->first_free;

    if (index == NO_PLACE)
        return place_add(h);
    h->first_free = h->places[index].next_free;
    return index;
}

uint64_t handles_put(struct handles *h, void *value)
{
    uint32_t      index = place_take(h);
    struct place *p = &h->places[index];

    p->value = value;
    p->generation++;
    if (p->generation > h->highest)
        h->highest = p->generation;
    h->count++;
    return (uint64_t)p->generation << 32 | (index + 1);
}

static struct place *place_of(const struct handles *h, uint64_t handle)
{
    uint32_t index = (uint32_t)handle;

    if (index == 0 || index > h->used)
        return NULL;
    struct place *p = &h->places[index - 1];
    return p->value && p->generation == handle >> 32 ? p : NULL;
}

void *handles_get(const struct handles *h, uint64_t handle)
{
    struct place *p = place_of(h, handle);

    return p ? p->value : NULL;
}

void *handles_remove(struct handles *h, uint64_t handle)
{
    struct place *p = place_of(h, handle);

    if (!p)
        return NULL;
    void *value = p->value;
    p->value = NULL;
    p->next_free = h->first_free;
    h->first_free = (uint32_t)(p - h->places);
    h->count--;
    return value;
}

void handles_restore(struct handles *h, uint64_t handle, void *value)
{
    uint32_t index = (uint32_t)handle;

    while (h->used < index)
        place_add(h);
    h->places[index - 1] = (struct place){ .value = value, .generation = (uint32_t)(handle >> 32) };
    h->count++;
}

void handles_restored(struct handles *h, uint32_t floor)
{
    h->floor = floor;
    if (floor > h->highest)
        h->highest = floor;
    h->first_free = NO_PLACE;
    for (uint32_t i = h->used; i-- > 0;) {
        struct place *p = &h->places[i];
        if (p->value)
            continue;
        p->generation = floor;
        p->next_free = h->first_free;
        h->first_free = i;
    }
}

uint32_t handles_highest(const struct handles *h)
{
    return h->highest;
}

size_t handles_count(const struct handles *h)
{
    return h->count;
}

void *handles_next(const struct handles *h, size_t *place)
{
    while (*place < h->used) {
        void *value = h->places[(*place)++].value;
        if (value)
            return value;
    }
    return NULL;
}
