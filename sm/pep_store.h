#pragma once

/* Nodes of accounts as they are kept. Times are microseconds; the order of items is the time when they were
 * published, made unique within the node.
 *
 * T_NODE      slot, owner NUL node -> u8 format 1, u64 time made, u64 order of the newest item ever, u32 items,
 *             u64 bytes of their rows, u32 subscriptions and affiliations, configuration (pep_config_put)
 * T_ITEM      slot, owner NUL node NUL u64 order (big-endian) -> u8 format 1, sized id, sized publisher, payload
 * T_ITEM_ID   slot, owner NUL node NUL id -> u8 format 1, u64 order
 * T_NODE_SUB  slot, owner NUL node NUL jid -> u8 format 2, u8 subscription, u8 affiliation, options (pep_form_put);
 *             format 1 ends before them */

#include "pep.h"

struct pep_node {
    struct slice      name;
    uint64_t          made_us, newest, bytes;
    uint32_t          items, subscribers;
    struct pep_config config;
};

/* Its row, copied to the arena. False: there is none (or it is unreadable: logged). */
bool pep_node_find(const struct sm *sm, struct store_view *view, struct slice owner, struct slice name,
                   struct pep_node *node);
void pep_node_put(const struct sm *sm, struct store_batch *b, struct slice owner, const struct pep_node *node);
/* Every node of the account, by name. */
int pep_nodes_each(const struct sm *sm, struct store_view *view, struct slice owner,
                   int (*each)(void *arg, const struct pep_node *node), void *arg);
/* The node, its items and subscriptions. */
void pep_node_remove(const struct sm *sm, struct store_view *view, struct store_batch *b, struct slice owner,
                     struct slice name);

/* ---- items ---- */

/* Oldest first from `from` on (inclusive), newest first below `from` (0: from the end). */
struct pep_walk {
    uint64_t from;
    bool     newest_first;
};
/* item->time_us is its order; bytes: of its row. */
int pep_items_walk(const struct sm *sm, struct store_view *view, struct slice owner, struct slice node,
                   const struct pep_walk *walk, int (*each)(void *arg, const struct pep_item *item), void *arg);
/* 0: no such item. */
uint64_t pep_item_order(const struct sm *sm, struct store_view *view, struct slice owner, struct slice node,
                        struct slice id);
/* False: no such item. */
bool   pep_item_at(const struct sm *sm, struct store_view *view, struct slice owner, struct slice node, uint64_t order,
                   struct pep_item *item);
void   pep_item_put(const struct sm *sm, struct store_batch *b, struct slice owner, const struct pep_item *item);
void   pep_item_remove(const struct sm *sm, struct store_batch *b, struct slice owner, const struct pep_item *item);
size_t pep_item_bytes(const struct pep_item *item);

/* ---- subscribers and affiliations ---- */

enum pep_subscription { PEP_SUB_NONE, PEP_SUB_PENDING, PEP_SUBSCRIBED };
enum pep_affiliation { PEP_AFF_NONE, PEP_MEMBER, PEP_OUTCAST };
/* "subscribed", "member"; -1: no such (or one that is not for PEP). */
const char *pep_subscription_name(unsigned subscription);
const char *pep_affiliation_name(unsigned affiliation);
int         pep_subscription_parse(struct slice name);
int         pep_affiliation_parse(struct slice name);

/* XEP-0060 6.3, 16.4.2. */
struct pep_options {
    bool     deliver;
    uint64_t expire_us;                /* when the subscription ends; 0: never */
};
void pep_options_preset(struct pep_options *o);
/* Reads a submitted form (NULL: none) over *o. False: something that is no option here, or not of this value. */
bool pep_options_read(struct arena *arena, const struct element *form, struct pep_options *o);
/* The fields with their options (a form to fill in) or values alone (a result). */
void pep_options_write(struct xml_writer *w, struct arena *arena, const struct pep_options *o, bool options);

struct pep_sub {
    struct slice       jid;            /* full or bare; affiliations are of bare ones */
    uint8_t            subscription, affiliation;
    bool               stored;         /* there is a row: though the subscription's time may be over */
    struct pep_options options;        /* of a subscription */
};

/* None: both are NONE. */
struct pep_sub pep_sub_get(const struct sm *sm, struct store_view *view, struct slice owner, struct slice node,
                           struct slice jid);
/* A row with nothing to say is removed. */
void pep_sub_put(const struct sm *sm, struct store_batch *b, struct slice owner, struct slice node,
                 const struct pep_sub *sub);
int  pep_subs_each(const struct sm *sm, struct store_view *view, struct slice owner, struct slice node,
                   int (*each)(void *arg, const struct pep_sub *sub), void *arg);

/* ---- between pep_store.c and pep_subs.c ---- */

struct slice pep_key_in_node(const struct sm *sm, struct slice owner, struct slice node, struct slice rest);
void         pep_unreadable(const char *what, struct slice owner, struct slice node);

/* All that the account has. */
void pep_store_removed(const struct sm *sm, struct store_view *view, struct store_batch *b, struct slice owner);
