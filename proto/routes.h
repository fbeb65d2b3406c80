#pragma once

/* The route table that routerd publishes to every daemon (DESIGN.md 2.1, 2.3), and the one function
 * that says where a JID lives. Members of sm and muc own slots whether they are up or not; "up" only says
 * whether frames for them can be passed on now. While members change the table says both who they were
 * and who they are: a slot whose owner differs is moving, and frames for it are held (slots.h).
 *
 * ROUTES body: u32 generation, u64 routerd incarnation, u16 instances { u8 role, u32 key, u64
 * incarnation (0 = never seen), u8 up, u8 member, u32 joins, sized name }, u16 domains { u8 role, u32
 * instance key (0 = by slot or any), sized domain }. */

#include "buf.h"
#include "err.h"
#include "frame.h"

enum { SLOTS = 4096 };

struct route_instance {
    char     name[64];
    uint8_t  role;
    uint32_t key;
    uint64_t incarnation;
    bool     up;
    uint8_t  member;        /* enum route_member bits; of other roles both */
    uint32_t joins;         /* to this routerd: a new one means that frames on the way were lost */
};

/* Of sm and muc: does it own slots now, did it before the change that is under way. */
enum route_member { MEMBER_NOW = 1, MEMBER_BEFORE = 2 };

struct routes;

/* Slot of a bare JID (or a bare domain): on-disk format. XXH64-like quality is not needed, stability
 * is: FNV-1a 64 of the canonical bare JID, folded: (h ^ h >> 32) % 4096. Test vectors in docs/design.md. */
unsigned slot_of(struct slice bare_jid);

/* sm and muc: their members own slots. */
static inline bool role_owns_slots(unsigned role)
{
    return role == ROLE_SM || role == ROLE_MUC;
}

struct routes *routes_new(void);
void           routes_free(struct routes **r);
/* routerd builds: */
void routes_add_instance(struct routes *r, const char *name);                 /* recorded, down */
/* Members of sm and muc; routes_add_instance makes both bits. */
void routes_set_member(struct routes *r, uint32_t key, unsigned bits);
/* From down to up is a join, and so is another life. */
void routes_set_up(struct routes *r, uint32_t key, uint64_t incarnation, bool up);
/* What `from` knows of the instances that both record. */
void routes_copy_lives(struct routes *to, const struct routes *from);
/* ZE_CONFLICT: served by somebody else. Saying the same again is fine. */
enum zerr routes_add_domain(struct routes *r, struct slice domain, unsigned role, uint32_t instance);
void routes_remove_domain(struct routes *r, struct slice domain);
void routes_set_generation(struct routes *r, uint32_t generation);
void routes_set_router(struct routes *r, uint64_t incarnation);
void routes_encode(const struct routes *r, struct buf *body);
/* everybody else reads: ZE_PROTOCOL leaves *r as it was. */
enum zerr routes_decode(struct routes *r, struct slice body);

uint32_t routes_generation(const struct routes *r);
/* Incarnation of the routerd that published it; 0 before the first table. */
uint64_t routes_router(const struct routes *r);
/* NULL: no such instance. */
const struct route_instance *routes_instance(const struct routes *r, uint32_t key);
/* The i-th instance, NULL at the end. */
const struct route_instance *routes_at(const struct routes *r, size_t i);
/* The recorded member of `role` (ROLE_SM or ROLE_MUC) that owns the slot, by rendezvous hash; NULL: no member. */
const struct route_instance *routes_slot_owner(const struct routes *r, unsigned role, unsigned slot);
/* The same by keys alone: 0 when there are none. Safe in any thread. */
uint32_t routes_owner_key(const uint32_t *members, size_t count, unsigned slot);
/* The keys of the members of `role`, now or before: their count, at most room. */
size_t routes_members(const struct routes *r, unsigned role, enum route_member when, uint32_t *keys, size_t room);
/* The same before the change of members that is under way; the same instance when none is. */
const struct route_instance *routes_slot_owner_before(const struct routes *r, unsigned role, unsigned slot);
/* No change of members is under way. */
bool routes_settled(const struct routes *r);
/* Members of this role are changing: what is routed to it waits. */
bool routes_changing(const struct routes *r, unsigned role);
/* The owner of this JID is changing. */
bool routes_moving(const struct routes *r, struct slice jid);
/* Role that serves the domain: ROLE_SM, ROLE_MUC, ROLE_S2SD for a bound component; ROLE_NONE: nobody
 * here, that is a remote domain. */
unsigned routes_domain_role(const struct routes *r, struct slice domain);
/* Where a stanza for `jid` (canonical, bare, full or domain) goes: its owner's instance; for remote
 * domains an s2sd chosen by hash of the domain among those up (else among recorded). Fills dest
 * (incarnation 0) and generation. ZE_NO_ROUTE: nobody. */
enum zerr routes_find(const struct routes *r, struct slice jid, struct address *dest, uint32_t *generation);
/* Any instance of the role that is up, else a recorded one; `hash` spreads. NULL: none. */
const struct route_instance *routes_any(const struct routes *r, unsigned role, uint64_t hash);
/* The i-th domain in byte order; instance 0 = by slot. False at the end. `domain` is borrowed until
 * the table changes. */
bool routes_domain_at(const struct routes *r, size_t i, struct slice *domain, unsigned *role,
                      uint32_t *instance);
