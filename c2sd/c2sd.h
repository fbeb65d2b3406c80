#pragma once

/* The instance: what every part of c2sd shares. */

#include "daemon.h"
#include "address_limits.h"
#include "mem.h"
#include "transport.h"

struct conn;
struct listeners;

struct c2sd_counters {
    uint64_t accepted, refused, handshakes, handshakes_failed, logins, logins_failed, resumptions,
        stanzas_in, stanzas_out,
        stanzas_refused, stray_frames, bytes_in, bytes_out, connections;
};

struct c2sd {
    struct daemon       *daemon;
    struct transports   *transports;
    struct listeners    *listeners;
    struct limits       *limits;
    struct table        *authorities;    /* domain -> struct tls_authorities (certificates.h) */
    struct tls_certs    *certs;          /* NULL: none usable, only clear streams if allowed */
    struct arena        *arena;          /* of the element being read */
    struct conn        **slots;          /* by the low bits of a handle */
    size_t               slots_room, slots_used;
    uint64_t             serial;
    struct list          slowed;         /* connections paused for rate or congestion */
    struct timer         slowed_timer;
    struct list          newcomers;      /* struct login, oldest first (newcomers.h) */
    size_t               newcomer_count;
    struct timer         newcomers_timer;
    struct table        *caps;           /* domain -> struct blob: what sm said of the server (negotiate.h) */
    bool                 draining;
    bool                 settled;        /* no change of members is under way, as of the last table */
    struct c2sd_counters counters;
};

static inline const struct settings *c2sd_settings(const struct c2sd *s)
{
    return s->daemon->settings;
}

static inline uint64_t c2sd_now(const struct c2sd *s)
{
    return loop_now_ms(s->daemon->loop);
}

extern const struct ctl_verb c2sd_verbs[];
