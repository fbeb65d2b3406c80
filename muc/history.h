#pragma once

/* The last messages of a room, for who enters (XEP-0045 7.2.13): of a room with an archive they are read from
 * it, of another one they are kept in memory (and in live memory). */

#include "archive.h"
#include "keep.h"

/* A record as the ledger would store it. */
struct history_item {
    struct list      link;
    struct keep      keep;
    struct room     *room;
    struct ledger_id id;
    struct slice     bytes;            /* ledger_encode; owned */
};

struct history {
    struct list items;                 /* oldest first */
    size_t      count, bytes;
};

struct history_wish {                  /* 7.2.14; -1 = not said */
    long     chars, stanzas, seconds;
    uint64_t since_us;                 /* 0 = not said */
};

struct session;

void history_init(struct history *h);
void history_free(struct room *room);
/* True: of use to who enters; the rest is only archived. */
bool history_wanted(const struct ledger_record *record);
/* Of a room without an archive. */
void history_add(struct room *room, const struct ledger_record *record);
/* The same of archive_bury: who enters gets it no more. */
enum zerr history_bury(struct room *room, struct ledger_id id, struct slice who);
/* Drops what is over the room's limits now. */
void history_trim(struct room *room);
void history_send(struct room *room, struct outcome *o, const struct session *to, const struct history_wish *wish);
/* The room became stored: what is remembered goes into the archive. */
void history_to_archive(struct room *room, struct outcome *o);
/* It will not be stored any longer: the newest ones are remembered. Before the archive is forgotten. */
void history_from_archive(struct room *room);
/* The room became stored, or is so no longer: which rows are needed in live memory has changed. */
void history_changed(struct room *room);
