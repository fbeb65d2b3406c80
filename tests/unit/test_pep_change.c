/* sm/pep_change, pep_store, pep_items: what is kept, in which order, what goes when there is too much, and several
 * changes in one outcome. */

#include "sm_rig.h"

#include "jid.h"
#include "pep.h"
#include "pep_change.h"
#include "pep_store.h"

#define OWNER SLICE("anna@a.org")
#define NODE SLICE("urn:test")

static struct passage now;

static void begin(void)
{
    static struct stanza none;

    none = (struct stanza){ .from = SLICE("anna@a.org/x"), .to = OWNER };
    now = (struct passage){ .sm = &rig, .owner = OWNER, .exists = true, .stanza = &none };
    now.out = outcome_new(&rig, OWNER, 1);
}

static void done(void)
{
    outcome_settle(&now.out);
    arena_reset(rig.arena);
    rig_forget();
}

static enum zerr publish(const char *id, const char *payload, const struct pep_wanted *wanted)
{
    struct pep_item item = { .node = NODE, .id = slice_str(id), .payload = slice_str(payload) };

    return pep_publish(&now, &item, wanted);
}

static int list_row(void *arg, const struct pep_item *item)
{
    buf_printf(arg, "%.*s ", SLICE_FMT(item->id));
    return 0;
}

/* Ids, newest first. */
static const char *listed(void)
{
    static char        text[4096];
    struct store_view *view = store_view(rig.store.accounts);
    struct buf         all = { 0 };

    assert_int_equal(pep_items_each(&rig, view, OWNER, NODE, list_row, &all), 0);
    store_view_end(&view);
    buf_put_u8(&all, 0);
    assert_true(buf_len(&all) <= sizeof text);
    memcpy(text, buf_slice(&all).p, buf_len(&all));
    buf_free(&all);
    arena_reset(rig.arena);
    return text;
}

static struct pep_node node_now(void)
{
    struct store_view *view = store_view(rig.store.accounts);
    struct pep_node    node;

    assert_true(pep_node_find(&rig, view, OWNER, NODE, &node));
    store_view_end(&view);
    return node;
}

static const struct pep_wanted many = { PEP_OPEN, PEP_MAX, PEP_LAST_NEVER };
static const struct pep_wanted three = { PEP_OPEN, 3, PEP_LAST_NEVER };

static int one_user(void **state)
{
    rig_setup(state);
    rig_account("anna@a.org");
    return 0;
}

static void items_come_newest_first_and_the_same_id_is_the_same_item(void **state)
{
    (void)state;
    for (const char *id = "a\0b\0c\0a\0"; *id; id += 2) {
        begin();
        assert_int_equal(publish(id, "<p xmlns='x'/>", &many), ZE_OK);
        done();
    }
    assert_string_equal(listed(), "a c b ");
    assert_int_equal(node_now().items, 3);
    assert_int_equal(node_now().bytes, 3 * (1 + 4 + 1 + 4 + 14));
}

static void several_changes_in_one_outcome_add_up(void **state)
{
    (void)state;
    begin();
    assert_int_equal(publish("a", "1", &three), ZE_OK);
    assert_int_equal(publish("b", "2", &three), ZE_OK);
    assert_int_equal(publish("a", "33", &three), ZE_OK);
    assert_int_equal(publish("c", "4", &three), ZE_OK);
    assert_int_equal(pep_retract(&now, NODE, SLICE("b")), ZE_OK);
    assert_int_equal(pep_retract(&now, NODE, SLICE("b")), ZE_NOT_FOUND);
    assert_int_equal(publish("b", "5", &three), ZE_OK);
    done();
    assert_string_equal(listed(), "b c a ");
    assert_int_equal(node_now().items, 3);
    begin();
    assert_int_equal(publish("d", "6", &three), ZE_OK);
    assert_int_equal(publish("e", "7", &three), ZE_OK);
    assert_int_equal(publish("b", "8", &three), ZE_OK);
    done();
    assert_string_equal(listed(), "b e d ");
    assert_int_equal(node_now().items, 3);
    assert_int_equal(node_now().bytes, 3 * (1 + 4 + 1 + 4 + 1));
}

static void a_node_is_made_with_one_item_by_default(void **state)
{
    (void)state;
    for (const char *id = "a\0b\0c\0"; *id; id += 2) {
        begin();
        assert_int_equal(publish(id, "1", NULL), ZE_OK);
        done();
    }
    assert_string_equal(listed(), "c ");
    assert_int_equal(node_now().config.access, PEP_PRESENCE);
}

static void what_does_not_fit_is_refused_and_changes_nothing(void **state)
{
    char id[8], large[3000];

    (void)state;
    memset(large, 'x', sizeof large);
    large[sizeof large - 1] = 0;
    begin();
    assert_int_equal(publish("large", large, &many), ZE_NOT_ACCEPTABLE);
    outcome_abandon(now.out);
    done();
    for (int i = 0; i < 10; i++) {
        snprintf(id, sizeof id, "%d", i);
        begin();
        assert_int_equal(publish(id, "1", &many), ZE_OK);
        done();
    }
    begin();
    assert_int_equal(publish("over", "1", &many), ZE_CONFLICT);      /* nothing the owner wanted to keep is dropped */
    outcome_abandon(now.out);
    done();
    begin();
    assert_int_equal(publish("3", "again", &many), ZE_OK);
    done();
    assert_string_equal(listed(), "3 9 8 7 6 5 4 2 1 0 ");
}

static void an_account_has_so_many_nodes_and_bytes(void **state)
{
    char payload[1900], name[8];

    (void)state;
    memset(payload, 'x', sizeof payload);
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "n%d", i);
        struct pep_item item = { .node = slice_str(name), .id = SLICE("a"), .payload = slice_of(payload, sizeof payload) };
        begin();
        assert_int_equal(pep_publish(&now, &item, NULL), ZE_OK);
        done();
    }
    struct pep_item more = { .node = SLICE("n0"), .id = SLICE("b"), .payload = slice_of(payload, 1000) };
    struct pep_node node;
    struct store_view *view = store_view(rig.store.accounts);
    assert_true(pep_node_find(&rig, view, OWNER, SLICE("n0"), &node));
    store_view_end(&view);
    node.config.max_items = 3;
    begin();
    pep_node_put(&rig, outcome_accounts(now.out), OWNER, &node);
    done();
    begin();
    assert_int_equal(pep_publish(&now, &more, NULL), ZE_FULL);
    outcome_abandon(now.out);
    done();
    more.node = SLICE("n5");
    begin();
    assert_int_equal(pep_publish(&now, &more, NULL), ZE_FULL);
    outcome_abandon(now.out);
    done();
}

static void one_item_is_read_by_its_id_and_the_newest_without(void **state)
{
    struct store_view *view;
    struct pep_item    item;

    (void)state;
    begin();
    publish("a", "<p/>", &many);
    publish("b", "<q/>", &many);
    done();
    view = store_view(rig.store.accounts);
    assert_true(pep_item_get(&rig, view, OWNER, NODE, SLICE("a"), &item));
    assert_true(slice_is(item.payload, "<p/>"));
    assert_true(pep_item_get(&rig, view, OWNER, NODE, slice_of(NULL, 0), &item));
    assert_true(slice_is(item.id, "b"));
    assert_false(pep_item_get(&rig, view, OWNER, NODE, SLICE("c"), &item));
    assert_false(pep_item_get(&rig, view, OWNER, SLICE("none"), slice_of(NULL, 0), &item));
    assert_false(pep_item_get(&rig, view, SLICE("ben@a.org"), NODE, SLICE("a"), &item));
    store_view_end(&view);
}

static void an_item_expires(void **state)
{
    struct store_view *view;
    struct pep_node    node;
    struct pep_item    item, old = { .node = NODE, .id = SLICE("old"), .payload = SLICE("x"), .time_us = 1000000 };

    (void)state;
    begin();
    publish("a", "<p/>", &many);
    done();
    node = node_now();
    node.config.expire = 3600;
    node.items++;
    begin();
    pep_node_put(&rig, outcome_accounts(now.out), OWNER, &node);
    pep_item_put(&rig, outcome_accounts(now.out), OWNER, &old);
    done();
    assert_string_equal(listed(), "a ");
    view = store_view(rig.store.accounts);
    assert_false(pep_item_get(&rig, view, OWNER, NODE, SLICE("old"), &item));
    store_view_end(&view);
    begin();
    publish("b", "1", &many);
    done();
    assert_int_equal(node_now().items, 2);
    view = store_view(rig.store.accounts);
    assert_int_equal(pep_item_order(&rig, view, OWNER, NODE, SLICE("old")), 0);
    store_view_end(&view);
}

static int count_key(void *arg, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(int *)arg;
    return 0;
}

static void a_removed_account_leaves_no_nodes(void **state)
{
    static const uint8_t tables[] = { T_NODE, T_ITEM, T_ITEM_ID, T_NODE_SUB };
    struct pep_sub       sub = { SLICE("ben@a.org"), PEP_SUBSCRIBED, PEP_MEMBER };
    struct store_view   *view;
    int                  left = 0;

    (void)state;
    begin();
    publish("a", "<p/>", &many);
    pep_sub_put(&rig, outcome_accounts(now.out), OWNER, NODE, &sub);
    done();
    begin();
    features_removed(&now);
    done();
    view = store_view(rig.store.accounts);
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        store_each(view, tables[i], slice_of(NULL, 0), slice_of(NULL, 0), false, count_key, &left);
    store_view_end(&view);
    assert_int_equal(left, 0);
}

/* One payload and one list for all who live behind the same daemon (spread.h). */
static void an_event_is_one_frame_for_each_next_daemon(void **state)
{
    static const char *const subscribers[] = { "ben@a.org/x", "ben@a.org/y", "c@b.org", "d@b.org/1", "e@c.org/1" };
    const char              *out;
    struct pep_node          node;

    (void)state;
    rig_account("ben@a.org");
    rig_bind("ben@a.org/x", 1);
    rig_bind("ben@a.org/y", 2);
    begin();
    publish("a", "<p xmlns='x'/>", &many);
    done();
    node = node_now();
    node.subscribers = COUNT_OF(subscribers);
    begin();
    pep_node_put(&rig, outcome_accounts(now.out), OWNER, &node);
    for (size_t i = 0; i < COUNT_OF(subscribers); i++) {
        struct pep_sub sub = { .jid = slice_str(subscribers[i]), .subscription = PEP_SUBSCRIBED };
        pep_options_preset(&sub.options);
        pep_sub_put(&rig, outcome_accounts(now.out), OWNER, NODE, &sub);
    }
    done();
    begin();
    publish("b", "<q xmlns='x'/>", &many);
    outcome_settle(&now.out);
    assert_string_equal(rig_log, "");                  /* nothing before the commit */
    out = rig_took();
    size_t frames = 0;
    for (const char *at = out; (at = strchr(at, '\n')); at++)
        frames++;
    assert_int_equal(frames, 2);                       /* c2sd, s2sd */
    assert_says(out, "c@b.org d@b.org/1 e@c.org/1");
    assert_says(out, "type='headline'");
    assert_silent_about(out, "replyto");
    arena_reset(rig.arena);
}

/* Names longer than what the store keeps as it is (store_inner.h). */
static void long_names_are_kept_apart(void **state)
{
    char               one[600], two[600];
    struct store_view *view;
    struct pep_item    item;

    (void)state;
    memset(one, 'n', sizeof one);
    memcpy(two, one, sizeof one);
    two[599] = 'm';
    begin();
    struct pep_item a = { .node = slice_of(one, 600), .id = slice_of(one, 500), .payload = SLICE("1") };
    struct pep_item b = { .node = slice_of(two, 600), .id = slice_of(one, 500), .payload = SLICE("2") };
    assert_int_equal(pep_publish(&now, &a, NULL), ZE_OK);
    assert_int_equal(pep_publish(&now, &b, NULL), ZE_OK);
    done();
    view = store_view(rig.store.accounts);
    assert_true(pep_item_get(&rig, view, OWNER, a.node, slice_of(NULL, 0), &item));
    assert_true(slice_is(item.payload, "1"));
    assert_true(pep_item_get(&rig, view, OWNER, b.node, b.id, &item));
    assert_true(slice_is(item.payload, "2"));
    store_view_end(&view);
}

/* ---- what is made of something else ---- */

static bool fits(const char *node, const char *id, size_t len)
{
    char           *text = arena_alloc(rig.arena, len + 1);
    struct pep_item item = { .node = slice_str(node), .id = slice_str(id), .payload = slice_of(text, len) };

    memset(text, 'x', len);
    return pep_fits(&now, &item);
}

static void whether_it_fits_is_known_before(void **state)
{
    char name[8];

    (void)state;
    begin();
    assert_true(fits("urn:test", "a", 2000));
    assert_false(fits("urn:test", "a", 2001));
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "n%d", i);
        struct pep_item item = { .node = slice_str(name), .id = SLICE("a"), .payload = SLICE("1") };
        assert_int_equal(pep_publish(&now, &item, NULL), ZE_OK);
    }
    done();
    begin();
    assert_true(fits("urn:test", "a", 1));
    assert_int_equal(publish("a", "1", NULL), ZE_OK);
    done();
    begin();
    assert_true(fits("urn:test", "a", 2000));
    assert_false(fits("urn:sixth", "a", 1));
    done();
}

/* ---- subscriptions ---- */

static void put_sub(const struct pep_sub *sub)
{
    struct pep_node node = node_now();

    begin();
    node.subscribers += !sub->stored;
    pep_node_put(&rig, outcome_accounts(now.out), OWNER, &node);
    pep_sub_put(&rig, outcome_accounts(now.out), OWNER, NODE, sub);
    done();
}

static struct pep_sub sub_now(const char *jid)
{
    struct store_view *view = store_view(rig.store.accounts);
    struct pep_sub     sub = pep_sub_get(&rig, view, OWNER, NODE, slice_str(jid));

    store_view_end(&view);
    return sub;
}

static void a_subscription_ends_with_its_time(void **state)
{
    struct pep_sub sub = { .jid = SLICE("c@b.org"), .subscription = PEP_SUBSCRIBED, .affiliation = PEP_MEMBER };

    (void)state;
    begin();
    publish("a", "<p xmlns='x'/>", &many);
    done();
    pep_options_preset(&sub.options);
    sub.options.deliver = false;
    sub.options.expire_us = wall_us() + 3600ull * 1000000;
    put_sub(&sub);
    assert_int_equal(sub_now("c@b.org").subscription, PEP_SUBSCRIBED);
    assert_false(sub_now("c@b.org").options.deliver);
    sub.options.expire_us = wall_us() - 1000000;
    sub.stored = true;
    put_sub(&sub);
    assert_int_equal(sub_now("c@b.org").subscription, PEP_SUB_NONE);
    assert_int_equal(sub_now("c@b.org").affiliation, PEP_MEMBER);
    assert_true(sub_now("c@b.org").stored && sub_now("c@b.org").options.deliver);
}

/* Those whose time is over take nobody's place. */
static void a_full_node_forgets_what_is_over(void **state)
{
    static const char *const jids[] = { "c@b.org", "d@b.org", "e@b.org" };
    struct store_view       *view;
    struct pep_open         *open;

    (void)state;
    begin();
    publish("a", "<p xmlns='x'/>", &many);
    done();
    for (size_t i = 0; i < COUNT_OF(jids); i++) {
        struct pep_sub sub = { .jid = slice_str(jids[i]), .subscription = PEP_SUBSCRIBED };
        pep_options_preset(&sub.options);
        sub.options.expire_us = i ? 0 : wall_us() - 1000000;
        put_sub(&sub);
    }
    assert_int_equal(node_now().subscribers, 3);
    begin();
    view = store_view(rig.store.accounts);
    open = pep_open(&now, view, NODE);
    assert_false(pep_subs_full(&now, view, open));
    assert_int_equal(pep_open_node(open)->subscribers, 2);
    store_view_end(&view);
    done();
    assert_false(sub_now("c@b.org").stored);
}

static void rows_without_options_are_read(void **state)
{
    const uint8_t  row[] = { 1, PEP_SUBSCRIBED, PEP_AFF_NONE };
    struct pep_sub sub;

    (void)state;
    begin();
    store_put(outcome_accounts(now.out), T_NODE_SUB, pep_key_in_node(&rig, OWNER, NODE, SLICE("c@b.org")),
              slice_of(row, sizeof row));
    done();
    sub = sub_now("c@b.org");
    assert_int_equal(sub.subscription, PEP_SUBSCRIBED);
    assert_true(sub.options.deliver && !sub.options.expire_us);
}

#define CHANGE(test) cmocka_unit_test_setup_teardown(test, one_user, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHANGE(items_come_newest_first_and_the_same_id_is_the_same_item),
        CHANGE(several_changes_in_one_outcome_add_up),
        CHANGE(a_node_is_made_with_one_item_by_default),
        CHANGE(what_does_not_fit_is_refused_and_changes_nothing),
        CHANGE(an_account_has_so_many_nodes_and_bytes),
        CHANGE(one_item_is_read_by_its_id_and_the_newest_without),
        CHANGE(an_item_expires),
        CHANGE(a_removed_account_leaves_no_nodes),
        CHANGE(an_event_is_one_frame_for_each_next_daemon),
        CHANGE(long_names_are_kept_apart),
        CHANGE(whether_it_fits_is_known_before),
        CHANGE(a_subscription_ends_with_its_time),
        CHANGE(a_full_node_forgets_what_is_over),
        CHANGE(rows_without_options_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
