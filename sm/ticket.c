/* Tickets: what an sm that did the login tells the owner of the bare JID (DESIGN.md 4), by way of a
 * c2sd that cannot make one. Bytes: u8 version 1, u64 expiry in microseconds, 16 of nonce, 32 of
 * HMAC-SHA-256 over these, u32 c2sd instance, u64 its incarnation, u64 connection handle, bare JID. */

#include "sasl.h"

#include <stdlib.h>

#include "cursor.h"
#include "encode.h"
#include "list.h"
#include "mem.h"
#include "secrets.h"
#include "table.h"

enum { TICKET_VERSION = 1, NONCE_BYTES = 16, MAC_BYTES = 32, HEAD_BYTES = 1 + 8 + NONCE_BYTES };
#define TICKET_LIFE_US (60ULL * 1000000)

static void ticket_mac(struct sm_store *s, struct slice head, const struct ticket_claim *claim,
                       uint8_t mac[MAC_BYTES])
{
    uint8_t    key[SECRET_BYTES];
    struct buf text = { 0 };

    buf_put_slice(&text, head);
    buf_put_u32(&text, claim->instance);
    buf_put_u64(&text, claim->incarnation);
    buf_put_u64(&text, claim->handle);
    buf_put_slice(&text, claim->jid);
    secret_get(s, SECRET_TICKET, key);
    hmac_sha256(slice_of(key, sizeof key), buf_slice(&text), mac);
    wipe(key, sizeof key);
    buf_free(&text);
}

void ticket_make(struct sm_store *s, const struct ticket_claim *claim, uint64_t now_us, struct buf *ticket)
{
    struct buf head = { 0 };
    uint8_t    nonce[NONCE_BYTES], mac[MAC_BYTES];

    random_bytes(nonce, sizeof nonce);
    buf_put_u8(&head, TICKET_VERSION);
    buf_put_u64(&head, now_us + TICKET_LIFE_US);
    buf_put(&head, nonce, sizeof nonce);
    ticket_mac(s, buf_slice(&head), claim, mac);
    buf_put_slice(ticket, buf_slice(&head));
    buf_put(ticket, mac, sizeof mac);
    buf_free(&head);
}

/* ---- used ones, until they expire; oldest use first ---- */

struct used {
    struct list link;
    uint64_t    expiry_us;
    uint8_t     nonce[NONCE_BYTES];
};

static struct table *used_table;
static struct list   used_list;

static void used_forget(uint64_t now_us)
{
    while (used_table && !list_empty(&used_list)) {
        struct used *u = LIST_OWNER(used_list.next, struct used, link);

        if (u->expiry_us >= now_us)
            return;
        table_remove(used_table, slice_of(u->nonce, NONCE_BYTES));
        list_remove(&u->link);
        free(u);
    }
}

/* False: used before. */
static bool use_once(struct slice nonce, uint64_t expiry_us, uint64_t now_us)
{
    if (!used_table) {
        used_table = table_new();
        list_init(&used_list);
    }
    used_forget(now_us);
    if (table_get(used_table, nonce))
        return false;
    struct used *u = xcalloc(1, sizeof *u);
    u->expiry_us = expiry_us;
    memcpy(u->nonce, nonce.p, NONCE_BYTES);
    table_put(used_table, nonce, u);
    list_append(&used_list, &u->link);
    return true;
}

static enum zerr prove(struct sm_store *s, struct slice ticket, const struct ticket_claim *claim,
                       uint64_t now_us, bool use)
{
    struct cursor c = { ticket, false };
    uint8_t       version = take_u8(&c), mac[MAC_BYTES];
    uint64_t      expiry_us = take_u64(&c);
    struct slice  nonce = take_bytes(&c, NONCE_BYTES), theirs = take_bytes(&c, MAC_BYTES);

    if (!cursor_done(&c) || version != TICKET_VERSION)
        return ZE_NOT_AUTHORIZED;
    ticket_mac(s, slice_cut(ticket, 0, HEAD_BYTES), claim, mac);
    if (!same_secret(slice_of(mac, MAC_BYTES), theirs) || expiry_us < now_us)
        return ZE_NOT_AUTHORIZED;
    bool fresh = use ? use_once(nonce, expiry_us, now_us) : !used_table || !table_get(used_table, nonce);
    return fresh ? ZE_OK : ZE_NOT_AUTHORIZED;
}

enum zerr ticket_check(struct sm_store *s, struct slice ticket, const struct ticket_claim *claim,
                       uint64_t now_us)
{
    return prove(s, ticket, claim, now_us, true);
}

enum zerr ticket_look(struct sm_store *s, struct slice ticket, const struct ticket_claim *claim,
                      uint64_t now_us)
{
    return prove(s, ticket, claim, now_us, false);
}
