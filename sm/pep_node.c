/* Configuration of a node (pep_node.h). */

#include "pep_node.h"

#include <stddef.h>
#include <stdio.h>

#include "data_form.h"
#include "mem.h"

enum { TEXT_MAX = 1024, GROUPS_MAX = 100 };

enum kind { FLAG, CHOICE, NUMBER, TEXT, GROUPS, FIXED };

struct row {
    uint8_t     number;                /* as it is stored; never given anew */
    uint8_t     kind;
    const char *var, *label;
    size_t      at;                    /* in struct pep_config; FIXED: nothing is kept */
    const char *values[6];             /* CHOICE: all, the default first */
    const char *preset;                /* as in a form; NULL: nothing */
};

#define AT(member) offsetof(struct pep_config, member)

static const struct row rows[] = {
    { 1, CHOICE, "pubsub#access_model", "Who may subscribe and retrieve items", AT(access),
      { "presence", "open", "roster", "authorize", "whitelist" }, "presence" },
    { 2, GROUPS, "pubsub#roster_groups_allowed", "Roster groups that may subscribe and retrieve items", AT(groups),
      { NULL }, NULL },
    { 3, FLAG, "pubsub#persist_items", "Items are kept", AT(persist), { NULL }, "1" },
    { 4, NUMBER, "pubsub#max_items", "How many items are kept, or max", AT(max_items), { NULL }, "1" },
    { 5, NUMBER, "pubsub#item_expire", "Seconds until an item is forgotten, or max", AT(expire), { NULL }, "max" },
    { 6, CHOICE, "pubsub#publish_node_full", "What happens when more are published", AT(node_full),
      { "retract-oldest", "discard-oldest", "reject" }, "retract-oldest" },
    { 7, NUMBER, "pubsub#max_payload_size", "Largest payload in bytes, or max", AT(max_payload), { NULL }, "max" },
    { 8, CHOICE, "pubsub#send_last_published_item", "When the last item is sent", AT(send_last),
      { "on_sub_and_presence", "on_sub", "never" }, "on_sub_and_presence" },
    { 9, FLAG, "pubsub#deliver_notifications", "Events are sent", AT(deliver), { NULL }, "1" },
    { 10, FLAG, "pubsub#deliver_payloads", "Events carry the payload", AT(payloads), { NULL }, "1" },
    { 11, FLAG, "pubsub#notify_retract", "Subscribers hear of items that are removed", AT(notify_retract), { NULL },
      "1" },
    { 12, FLAG, "pubsub#notify_delete", "Subscribers hear of the end of the node", AT(notify_delete), { NULL }, "1" },
    { 13, FLAG, "pubsub#notify_config", "Subscribers hear of a new configuration", AT(notify_config), { NULL }, "0" },
    { 14, CHOICE, "pubsub#notification_type", "Type of the messages that carry events", AT(notification),
      { "headline", "normal" }, "headline" },
    { 15, FLAG, "pubsub#subscribe", "Subscriptions are allowed", AT(subscribe), { NULL }, "1" },
    { 16, TEXT, "pubsub#title", "Name of the node", AT(title), { NULL }, NULL },
    { 17, TEXT, "pubsub#description", "What is in the node", AT(description), { NULL }, NULL },
    { 18, TEXT, "pubsub#type", "Namespace of its payloads", AT(type), { NULL }, NULL },
    { 19, TEXT, "pubsub#language", "Language of its items", AT(language), { NULL }, NULL },
    /* An account has one publisher and no collections (XEP-0163 2.2). */
    { 20, FIXED, "pubsub#node_type", "Type of the node", 0, { "leaf" }, "leaf" },
    { 21, FIXED, "pubsub#publish_model", "Who may publish", 0, { "publishers" }, "publishers" },
    { 22, CHOICE, "pubsub#itemreply", "Whether items tell who published them", AT(item_reply),
      { "none", "publisher" }, "none" },
    { 23, FIXED, "pubsub#presence_based_delivery", "Events go to available resources only", 0, { "0", "false" }, "0" },
    { 24, FIXED, "pubsub#purge_offline", "Items end with the publisher's session", 0, { "0", "false" }, "0" },
    { 25, FIXED, "pubsub#tempsub", "Subscriptions end with the subscriber's session", 0, { "0", "false" }, "0" },
    { 26, FIXED, "pubsub#notify_sub", "The owner hears of subscriptions", 0, { "0", "false" }, "0" },
};

static const struct row *row_by_var(struct slice var)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (slice_is(var, rows[i].var))
            return &rows[i];
    return NULL;
}

static const struct row *row_by_number(unsigned number)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].number == number)
            return &rows[i];
    return NULL;
}

/* ---- kinds: a value of a form into its place, and back ---- */

typedef bool take_value(const struct row *row, struct slice value, void *at);
typedef struct slice give_value(const struct row *row, struct arena *arena, const void *at);

static int choice_of(const struct row *row, struct slice value)
{
    for (int i = 0; row->values[i]; i++)
        if (slice_is(value, row->values[i]))
            return i;
    return -1;
}

static bool take_flag(const struct row *row, struct slice value, void *at)
{
    (void)row;
    return form_bool(value, at);
}

static bool take_choice(const struct row *row, struct slice value, void *at)
{
    int choice = choice_of(row, value);

    if (choice >= 0)
        *(uint8_t *)at = (uint8_t)choice;
    return choice >= 0;
}

static bool take_number(const struct row *row, struct slice value, void *at)
{
    uint64_t n = PEP_MAX;

    (void)row;
    if (!slice_is(value, "max") && !form_number(value, PEP_MAX - 1, &n))
        return false;
    *(uint32_t *)at = (uint32_t)n;
    return n > 0;
}

static bool take_text(const struct row *row, struct slice value, void *at)
{
    (void)row;
    *(struct slice *)at = value;
    return value.len <= TEXT_MAX;
}

static bool take_groups(const struct row *row, struct slice value, void *at)
{
    struct cursor c = { value, false };
    size_t        count = 0;

    (void)row;
    for (; c.rest.len && !c.bad; count++)
        take_limited(&c, TEXT_MAX);
    *(struct slice *)at = value;
    return !c.bad && count <= GROUPS_MAX;
}

static bool take_fixed(const struct row *row, struct slice value, void *at)
{
    (void)at;
    return choice_of(row, value) >= 0;
}

static struct slice give_flag(const struct row *row, struct arena *arena, const void *at)
{
    (void)row;
    (void)arena;
    return slice_str(*(const bool *)at ? "1" : "0");
}

static struct slice give_choice(const struct row *row, struct arena *arena, const void *at)
{
    (void)arena;
    return slice_str(row->values[*(const uint8_t *)at]);
}

static struct slice give_number(const struct row *row, struct arena *arena, const void *at)
{
    uint32_t n = *(const uint32_t *)at;

    (void)row;
    return slice_str(n == PEP_MAX ? "max" : arena_printf(arena, "%u", n));
}

static struct slice give_text(const struct row *row, struct arena *arena, const void *at)
{
    (void)row;
    (void)arena;
    return *(const struct slice *)at;
}

static struct slice give_fixed(const struct row *row, struct arena *arena, const void *at)
{
    (void)arena;
    (void)at;
    return slice_str(row->preset);
}

static const struct {
    const char *type;                  /* XEP-0004 3.3 */
    take_value *take;
    give_value *give;
} kinds[] = {
    [FLAG] = { "boolean", take_flag, give_flag },
    [CHOICE] = { "list-single", take_choice, give_choice },
    [NUMBER] = { "text-single", take_number, give_number },
    [TEXT] = { "text-single", take_text, give_text },
    [GROUPS] = { "text-multi", take_groups, give_text },
    [FIXED] = { "text-single", take_fixed, give_fixed },
};

static void *place(struct pep_config *c, const struct row *row)
{
    return (char *)c + row->at;
}

static struct slice given(const struct pep_config *c, const struct row *row, struct arena *arena)
{
    return kinds[row->kind].give(row, arena, (const char *)c + row->at);
}

void pep_config_preset(struct pep_config *c)
{
    *c = (struct pep_config){ 0 };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].preset)
            kinds[rows[i].kind].take(&rows[i], slice_str(rows[i].preset), place(c, &rows[i]));
}

bool pep_config_group(const struct pep_config *c, struct slice group)
{
    struct cursor cur = { c->groups, false };

    while (cur.rest.len && !cur.bad)
        if (slice_eq(take_sized(&cur), group))
            return true;
    return false;
}

/* ---- forms ---- */

/* The one value, or for groups all of them, each sized. */
static struct slice value_of(struct arena *arena, const struct row *row, const struct element *field)
{
    const struct element *value = element_child(field, NULL, "value");
    struct buf            all = { 0 };
    struct slice          values;

    if (row->kind != GROUPS)
        return value ? element_text(arena, value) : slice_of("", 0);
    for (; value; value = element_next(value, NULL, "value"))
        buf_put_sized(&all, element_text(arena, value));
    values = arena_copy(arena, buf_slice(&all));
    buf_free(&all);
    return values;
}

/* An empty value of a field that has a default leaves it as it is (XEP-0004 3.2: fields may be left out). */
static bool left_out(const struct row *row, struct slice value)
{
    return !value.len && row->kind != TEXT && row->kind != GROUPS;
}

enum zerr pep_config_read(struct arena *arena, const struct element *form, enum pep_form_use use,
                          struct pep_config *c, bool *access_model)
{
    const struct element *field = form ? element_child(form, NULL, "field") : NULL;

    *access_model = false;
    for (; field; field = element_next(field, NULL, "field")) {
        struct slice      var = element_attr(field, "var");
        const struct row *row = row_by_var(var);
        struct slice      value = row ? value_of(arena, row, field) : slice_of("", 0);
        if (!row && use == PEP_FORM_PRECONDITIONS && !slice_is(var, "FORM_TYPE"))
            return ZE_BAD_REQUEST;
        if (row && !left_out(row, value) && !kinds[row->kind].take(row, value, place(c, row))) {
            *access_model = row->at == AT(access) && row->kind == CHOICE;
            return ZE_NOT_ACCEPTABLE;
        }
    }
    return ZE_OK;
}

bool pep_config_same(struct arena *arena, const struct pep_config *a, const struct pep_config *b)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (!slice_eq(given(a, &rows[i], arena), given(b, &rows[i], arena)))
            return false;
    return true;
}

static void values_write(struct xml_writer *w, const struct row *row, struct slice value)
{
    struct cursor c = { value, false };

    if (row->kind != GROUPS && value.p)
        form_put_value(w, value);
    while (row->kind == GROUPS && c.rest.len && !c.bad)
        form_put_value(w, take_sized(&c));
}

void pep_config_write(struct xml_writer *w, struct arena *arena, const struct pep_config *c, bool options)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        if (row->kind == FIXED && options)
            continue;
        form_field_open(w, row->var, kinds[row->kind].type, row->label);
        values_write(w, row, given(c, row, arena));
        for (size_t v = 0; options && row->kind == CHOICE && row->values[v]; v++)
            form_put_option(w, row->values[v], row->values[v]);
        xml_close(w);
    }
}

/* ---- as it is stored ---- */

void pep_config_put(struct buf *out, struct arena *arena, const struct pep_config *c)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice value = given(c, &rows[i], arena);
        if (slice_eq(value, slice_str(rows[i].preset)))
            continue;
        buf_put_u8(out, rows[i].number);
        buf_put_sized(out, value);
    }
}

bool pep_config_take(struct cursor *cur, struct pep_config *c)
{
    pep_config_preset(c);
    while (cur->rest.len && !cur->bad) {
        const struct row *row = row_by_number(take_u8(cur));
        struct slice      value = take_sized(cur);
        if (!row || cur->bad || !kinds[row->kind].take(row, value, place(c, row)))
            return false;
    }
    return !cur->bad;
}
