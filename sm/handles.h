#pragma once

/* Handles that other daemons present: index and generation, so that a handle of something gone never
 * matches what took its place. 0 is never given out. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct handles;

struct handles *handles_new(void);
/* Frees the table, not the values. */
void     handles_free(struct handles **h);
uint64_t handles_put(struct handles *h, void *value);
/* NULL: not given out, or gone. */
void    *handles_get(const struct handles *h, uint64_t handle);
void    *handles_remove(struct handles *h, uint64_t handle);
size_t   handles_count(const struct handles *h);
/* Walks the values; *place starts at 0. Removing the one just returned is allowed. NULL at the end. */
void    *handles_next(const struct handles *h, size_t *place);
