#pragma once

/* Asks DNS servers without blocking: UDP with a random id, a random port and mixed case, three times
 * (1, 2, 4 s, over the servers in turn), TCP for what was truncated, aliases, the cache. */

#include "dns_packet.h"
#include "loop.h"

struct dns;
struct dns_question;

/* `answer`: found or nothing (borrowed for the call); NULL: nobody answered, `why` is ZE_TIMEOUT or
 * ZE_FULL (too many questions at once). The question is gone when this runs. */
typedef void dns_fn(void *owner, const struct dns_answer *answer, enum zerr why);

/* `resolver`: the setting; NULL or "": the system's. NULL: no address (logged). */
struct dns *dns_new(struct loop *loop, const char *resolver);
void        dns_free(struct dns **dns);
/* Reads the servers anew and forgets what is cached. False: the old ones stay. */
bool dns_reload(struct dns *dns, const char *resolver);

/* `name`: an A-label name. The answer always comes later, never within this call. */
struct dns_question *dns_ask(struct dns *dns, const char *name, unsigned type, dns_fn *then, void *owner);
/* Nobody waits any more. NULL is fine. */
void dns_forget(struct dns_question **question);

struct dns_figures { uint64_t questions, cached, sent, timeouts, tcp, refused_packets; };
const struct dns_figures *dns_figures(const struct dns *dns);
