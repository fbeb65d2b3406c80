#pragma once

/* The instance: what every part of s2sd shares. */

#include "address_limits.h"
#include "daemon.h"
#include "dialback.h"
#include "mem.h"
#include "table.h"
#include "transport.h"

struct dns;
struct listen_set;

struct s2sd_counters {
    uint64_t streams_in, streams_out, components, refused, handshakes, handshakes_failed, connects_failed,
        stanzas_in, stanzas_out, queued, queued_bytes, returned, stanzas_refused, dialbacks_valid,
        dialbacks_failed, verified_for_others, bytes_in, bytes_out, remotes;
};

struct s2sd {
    struct daemon       *daemon;
    struct transports   *transports;
    struct listen_set   *listeners;
    struct limits       *limits;
    struct tls_certs    *certs;          /* NULL: none usable; then only streams in clear, if allowed */
    struct dns          *dns;
    struct arena        *arena;          /* of the element being read */
    struct table        *remotes;        /* struct remote by domain */
    struct table        *components;     /* connected ones: struct stream by domain */
    struct list          streams;        /* struct stream */
    struct table        *by_handle;      /* the same */
    struct list          held;           /* receipts behind replies that nobody has confirmed, deliver.c */
    struct list          lookups;        /* of the verb `dns`, verbs.c */
    size_t               incoming;       /* streams and connections taken from listeners */
    uint64_t             serial;         /* of stream handles */
    struct timer         sweep;
    struct dialback      dialback;
    bool                 draining;
    struct s2sd_counters counters;
};

static inline const struct settings *s2sd_settings(const struct s2sd *s)
{
    return s->daemon->settings;
}

static inline uint64_t s2sd_now(const struct s2sd *s)
{
    return loop_now_ms(s->daemon->loop);
}

/* True for a domain served here: accounts, rooms, components (also one that is not connected). */
bool s2sd_is_ours(const struct s2sd *s, struct slice domain);
/* It ends and is going to be started again: what is not done stays with the daemons that sent it. */
static inline bool s2sd_leaves(const struct s2sd *s)
{
    return s->draining && !s->daemon->for_good;
}

/* The section of an external component, or NULL. */
const struct settings_component *s2sd_component(const struct s2sd *s, struct slice domain);

extern frame_handler *const  s2sd_handlers[FRAME_KIND_MAX];
extern const struct ctl_verb s2sd_verbs[];
/* Answers the verbs that are still waiting. */
void s2sd_end_verbs(struct s2sd *s);
