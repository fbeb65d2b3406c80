#pragma once

/* One connection to routerd. Before HELLO it is only a role (by its socket) and a user (checked). */

#include <sys/types.h>

#include "router.h"
#include "wire.h"

struct peer {
    struct list    link;
    struct router *router;
    struct wire   *wire;
    struct address self;        /* stamped on every frame; role by the socket, the rest by HELLO */
    char           name[64];    /* instance; the role's name before HELLO */
    bool           greeted;
    bool           ending;      /* was told to (shutdown.h) */
    bool           congested;   /* everybody was told to PAUSE for it */
    uint64_t       table;       /* the state of the table it was told (router.table) */
    pid_t          pid;
    struct timer   patience;    /* for HELLO */
    uint32_t       ready;       /* generation of the last change of members that it has its slots of */
    uint32_t       released;    /* and after which what it had held has arrived */
    uint64_t       frames_in, frames_out;
};

/* Takes the descriptor of a connection whose user was checked. */
void         peer_new(struct router *r, int fd, unsigned role, pid_t pid);
/* Drops what waits for it, marks it down, closes. */
void         peer_close(struct peer *p);
/* Sends REFUSED with the reason and closes; logged as peer_refused. */
void         peer_refuse(struct peer *p, const char *why);
struct peer *peer_find(const struct router *r, uint32_t instance);     /* greeted ones; NULL */
/* Enters p under its instance key. */
void         peer_enter(struct peer *p);
/* Connections of this role that have not said HELLO. */
size_t       peer_strangers(const struct router *r, unsigned role);

/* A frame made by routerd itself. */
void peer_say(struct peer *p, const struct frame *f);
/* So much waits for it that its senders cannot all have paused when they were told to. */
bool peer_is_flooded(const struct peer *p);
/* Appends an encoded frame; tells everybody to PAUSE when much is waiting. */
void peer_pass(struct peer *p, const uint8_t *bytes, size_t len);

/* ---- dispatch.c ---- */
/* The gate: every frame of p comes through here. */
void peer_dispatch(struct peer *p, const struct frame *f, uint8_t *bytes, size_t len);
