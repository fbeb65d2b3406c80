#pragma once

/* Answers kept for the time their owners allow, within bounds of ours; a limited number of them.
 * Pure: time is an argument. */

#include "dns_packet.h"

struct dns_cache;

/* `most`: answers kept. */
struct dns_cache *dns_cache_new(size_t most);
void              dns_cache_free(struct dns_cache **cache);
/* Borrowed until the next call that changes the cache; NULL: not known. */
const struct dns_answer *dns_cache_get(struct dns_cache *cache, const char *name, unsigned type,
                                       uint64_t now_ms);
/* Keeps a copy of what was found, or that there is nothing. Other outcomes are not kept. */
void dns_cache_put(struct dns_cache *cache, const char *name, unsigned type, const struct dns_answer *answer,
                   uint64_t now_ms);
void   dns_cache_forget(struct dns_cache *cache);
size_t dns_cache_count(const struct dns_cache *cache);
