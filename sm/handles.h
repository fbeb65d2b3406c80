#pragma once

/* Handles that other daemons present: index and generation, so that a handle of something gone never
 * matches what took its place. 0 is never given out. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct handles;

struct handles *handles_new(void);
/* For what does not survive this process: handles of an earlier one do not match. */
struct handles *handles_new_unguessed(void);
/* Frees the table, not the values. */
void     handles_free(struct handles **h);
uint64_t handles_put(struct handles *h, void *value);
/* NULL: not given out, or gone. */
void    *handles_get(const struct handles *h, uint64_t handle);
void    *handles_remove(struct handles *h, uint64_t handle);
/* A value under the handle it had in an earlier life of this instance. All of them first, then
 * handles_restored: from then on no generation up to `floor` is given out. */
void     handles_restore(struct handles *h, uint64_t handle, void *value);
void     handles_restored(struct handles *h, uint32_t floor);
/* The highest generation given out so far. */
uint32_t handles_highest(const struct handles *h);
size_t   handles_count(const struct handles *h);
/* Walks the values; *place starts at 0. Removing the one just returned is allowed. NULL at the end. */
void    *handles_next(const struct handles *h, size_t *place);
