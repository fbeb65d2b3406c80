#pragma once

/* Shared groups: what an operator puts together appears in the rosters of all members, who see each other's
 * presence without having asked (as other servers' shared roster groups).
 *
 * T_GROUP  slot, domain NUL group            -> u8 format 1, u8 everybody, then the title
 *          slot, domain NUL group NUL member -> u8 format 1
 *          slot, account                     -> u8 format 1: its roster has items of groups
 *          slot 0, "version"                 -> u8 format 1, u64: another one after each change
 *
 * A change is written by the owner of the domain's slot alone. Each instance looks at the version once a second
 * and brings the rosters of its accounts in line (groups_sync.c): so it does not matter who died when. */

#include "outcome.h"

struct ctl_reply;

struct groups;                 /* sm->groups: the looking and bringing in line */
struct groups *groups_new(struct sm *sm);
void           groups_free(struct groups **g);

/* An account of the domain is in the batch: it may be a member of a group of everybody. */
void groups_account_made(struct store *accounts, struct store_batch *batch);

/* What a walk over all rows finds. Slices borrow from the view. */
struct groups_walk {
    void (*group)(void *arg, struct slice domain, struct slice group, bool everybody, struct slice title);
    void (*member)(void *arg, struct slice domain, struct slice group, struct slice member);
    void (*account)(void *arg, struct slice account);      /* has items of groups */
    void  *arg;
};
void groups_walk(struct store_view *view, const struct groups_walk *walk);
/* 0: there never were groups. */
uint64_t groups_version(struct store_view *view);
/* The account's row. */
void groups_mark(const struct sm *sm, struct store_batch *batch, struct slice account, bool has);

/* Verbs of zubrctl. */
int verb_groups(void *sm, int argc, char **argv, struct ctl_reply *r);
int verb_group_set(void *sm, int argc, char **argv, struct ctl_reply *r);
int verb_group_delete(void *sm, int argc, char **argv, struct ctl_reply *r);
int verb_group_members(void *sm, int argc, char **argv, struct ctl_reply *r);
int verb_group_add(void *sm, int argc, char **argv, struct ctl_reply *r);
int verb_group_remove(void *sm, int argc, char **argv, struct ctl_reply *r);
