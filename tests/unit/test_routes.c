/* proto/routes.c: slots, owners, domains, and a published table that lies. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "routes.h"

static struct routes *sample(void)
{
    static const char *const names[] = { "sm-1", "sm-2", "sm-3", "muc-1", "c2sd-1", "s2sd-1", "s2sd-2" };
    struct routes *r = routes_new();

    for (size_t i = 0; i < COUNT_OF(names); i++)
        routes_add_instance(r, names[i]);
    assert_int_equal(routes_add_domain(r, SLICE("localhost"), ROLE_SM, 0), ZE_OK);
    assert_int_equal(routes_add_domain(r, SLICE("muc.localhost"), ROLE_MUC, 0), ZE_OK);
    assert_int_equal(routes_add_domain(r, SLICE("icq.localhost"), ROLE_S2SD, instance_key("s2sd-2")), ZE_OK);
    routes_set_generation(r, 42);
    routes_set_router(r, 99);
    routes_set_up(r, instance_key("sm-2"), 0x1234, true);
    return r;
}

static void slots_are_stable(void **state)
{
    (void)state;
    static const struct { const char *jid; unsigned slot; } vectors[] = {
        { "", 4033 }, { "localhost", 1614 }, { "juliet@localhost", 3000 }, { "romeo@montague.net", 481 },
        { "mend0za@jabber.org.by", 1543 }, { "\xd0\xbd\xd0\xbe\xd1\x87\xd1\x8c@jabber.org.by", 2295 },
        { "room@muc.localhost", 1127 },
    };

    for (size_t i = 0; i < COUNT_OF(vectors); i++)
        assert_int_equal(slot_of(slice_str(vectors[i].jid)), vectors[i].slot);
}

static const char *owner(const struct routes *r, unsigned role, unsigned slot)
{
    const struct route_instance *it = routes_slot_owner(r, role, slot);

    return it ? it->name : "nobody";
}

static void owners_are_stable(void **state)
{
    (void)state;
    struct routes *r = sample();

    assert_string_equal(owner(r, ROLE_SM, 0), "sm-3");
    assert_string_equal(owner(r, ROLE_SM, 2), "sm-2");
    assert_string_equal(owner(r, ROLE_SM, 1000), "sm-1");
    assert_string_equal(owner(r, ROLE_SM, 4095), "sm-3");
    assert_string_equal(owner(r, ROLE_MUC, 77), "muc-1");
    assert_string_equal(owner(r, ROLE_SM, SLOTS), "nobody");
    assert_string_equal(owner(r, ROLE_C2SD, 0), "nobody");
    routes_free(&r);
    assert_null(r);
}

static void a_new_member_takes_only_for_itself(void **state)
{
    (void)state;
    struct routes *before = sample(), *after = sample();
    unsigned moved = 0;

    routes_add_instance(after, "sm-4");
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        const char *now = owner(after, ROLE_SM, slot);
        if (strcmp(now, owner(before, ROLE_SM, slot)) == 0)
            continue;
        assert_string_equal(now, "sm-4");
        moved++;
    }
    assert_in_range(moved, SLOTS / 4 - 150, SLOTS / 4 + 150);
    routes_free(&before);
    routes_free(&after);
}

static void nobody_moves_when_a_member_is_down(void **state)
{
    (void)state;
    struct routes *r = sample();

    routes_set_up(r, instance_key("sm-3"), 5, true);
    assert_string_equal(owner(r, ROLE_SM, 0), "sm-3");
    routes_set_up(r, instance_key("sm-3"), 5, false);
    assert_string_equal(owner(r, ROLE_SM, 0), "sm-3");
    routes_free(&r);
}

static uint32_t found(const struct routes *r, const char *jid)
{
    struct address dest = { 0 };
    uint32_t generation = 0;

    if (routes_find(r, slice_str(jid), &dest, &generation))
        return 0;
    assert_int_equal(generation, routes_generation(r));
    assert_int_equal(dest.incarnation, 0);
    assert_int_equal(dest.role, routes_instance(r, dest.instance)->role);
    return dest.instance;
}

static void a_jid_finds_its_owner(void **state)
{
    (void)state;
    struct routes *r = sample();
    const struct route_instance *it = routes_slot_owner(r, ROLE_SM, slot_of(SLICE("juliet@localhost")));

    assert_int_equal(found(r, "juliet@localhost"), it->key);
    assert_int_equal(found(r, "juliet@localhost/balcony"), it->key);
    assert_int_equal(found(r, "localhost"), routes_slot_owner(r, ROLE_SM, 1614)->key);
    assert_int_equal(found(r, "room@muc.localhost/nick"), instance_key("muc-1"));
    assert_int_equal(found(r, "123@icq.localhost"), instance_key("s2sd-2"));
    assert_int_equal(found(r, ""), 0);
    routes_free(&r);
}

static void a_remote_domain_goes_to_an_s2sd_that_is_up(void **state)
{
    (void)state;
    struct routes *r = sample();
    struct routes *empty = routes_new();

    assert_int_equal(routes_instance(r, found(r, "romeo@montague.net"))->role, ROLE_S2SD);
    routes_set_up(r, instance_key("s2sd-1"), 1, true);
    assert_int_equal(found(r, "romeo@montague.net"), instance_key("s2sd-1"));
    assert_int_equal(found(r, "a@capulet.net"), instance_key("s2sd-1"));
    assert_int_equal(found(empty, "romeo@montague.net"), 0);
    assert_null(routes_any(empty, ROLE_SM, 3));
    routes_free(&r);
    routes_free(&empty);
}

static void domains_have_one_server(void **state)
{
    (void)state;
    struct routes *r = sample();
    struct slice domain;
    unsigned role;
    uint32_t instance;

    assert_int_equal(routes_domain_role(r, SLICE("localhost")), ROLE_SM);
    assert_int_equal(routes_domain_role(r, SLICE("muc.localhost")), ROLE_MUC);
    assert_int_equal(routes_domain_role(r, SLICE("montague.net")), ROLE_NONE);
    assert_int_equal(routes_add_domain(r, SLICE("localhost"), ROLE_SM, 0), ZE_OK);
    assert_int_equal(routes_add_domain(r, SLICE("localhost"), ROLE_S2SD, 7), ZE_CONFLICT);
    assert_int_equal(routes_add_domain(r, SLICE(""), ROLE_SM, 0), ZE_BAD_REQUEST);
    assert_int_equal(routes_add_domain(r, SLICE("x"), ROLE_C2SD, 0), ZE_BAD_REQUEST);
    routes_remove_domain(r, SLICE("icq.localhost"));
    routes_remove_domain(r, SLICE("never.there"));
    assert_int_equal(routes_domain_role(r, SLICE("icq.localhost")), ROLE_NONE);
    assert_true(routes_domain_at(r, 1, &domain, &role, &instance));
    assert_true(slice_is(domain, "muc.localhost") && role == ROLE_MUC && instance == 0);
    assert_false(routes_domain_at(r, 2, &domain, &role, &instance));
    routes_free(&r);
}

static void a_published_table_is_the_same_table(void **state)
{
    (void)state;
    struct routes *r = sample(), *copy = routes_new();
    struct buf body = { 0 }, again = { 0 };

    routes_encode(r, &body);
    assert_int_equal(routes_decode(copy, buf_slice(&body)), ZE_OK);
    routes_encode(copy, &again);
    assert_true(slice_eq(buf_slice(&body), buf_slice(&again)));
    assert_int_equal(routes_generation(copy), 42);
    assert_true(routes_router(copy) == 99);
    const struct route_instance *it = routes_instance(copy, instance_key("sm-2"));
    assert_true(it->up && it->incarnation == 0x1234 && strcmp(it->name, "sm-2") == 0);
    for (unsigned slot = 0; slot < SLOTS; slot++)
        assert_string_equal(owner(r, ROLE_SM, slot), owner(copy, ROLE_SM, slot));
    assert_string_equal(routes_at(copy, 0)->name, "sm-1");
    assert_null(routes_at(copy, 7));
    assert_int_equal(routes_decode(copy, buf_slice(&body)), ZE_OK);     /* the same members again */
    assert_string_equal(owner(copy, ROLE_SM, 4095), "sm-3");
    buf_free(&body);
    buf_free(&again);
    routes_free(&r);
    routes_free(&copy);
}

/* Cut anywhere, or one byte changed anywhere: refused or read, never a crash, and refused means untouched. */
static void a_damaged_table_changes_nothing(void **state)
{
    (void)state;
    struct routes *r = sample(), *copy = routes_new();
    struct buf body = { 0 };

    routes_encode(r, &body);
    for (size_t n = 0; n < buf_len(&body); n++)
        assert_int_equal(routes_decode(copy, slice_of(buf_slice(&body).p, n)), ZE_PROTOCOL);
    assert_null(routes_at(copy, 0));
    for (size_t i = 14; i < buf_len(&body); i++) {
        uint8_t *bytes = body.bytes + body.start;
        bytes[i] ^= 0xff;
        enum zerr err = routes_decode(copy, buf_slice(&body));
        assert_true(err == ZE_OK || err == ZE_PROTOCOL);
        bytes[i] ^= 0xff;
    }
    buf_put_u8(&body, 0);
    assert_int_equal(routes_decode(copy, buf_slice(&body)), ZE_PROTOCOL);
    buf_free(&body);
    routes_free(&r);
    routes_free(&copy);
}

static void a_name_cannot_claim_another_role(void **state)
{
    (void)state;
    struct routes *r = routes_new(), *copy = routes_new();
    struct buf body = { 0 };

    routes_add_instance(r, "c2sd-1");
    routes_encode(r, &body);
    body.bytes[body.start + 14] = ROLE_SM;
    assert_int_equal(routes_decode(copy, buf_slice(&body)), ZE_PROTOCOL);
    buf_free(&body);
    routes_free(&r);
    routes_free(&copy);
}

static void a_change_of_members_moves_their_share_only(void **state)
{
    struct routes *r = routes_new(), *got = routes_new();
    struct buf     body = { 0 };
    unsigned       moving = 0;

    (void)state;
    for (unsigned i = 1; i <= 3; i++) {
        char name[8];
        snprintf(name, sizeof(name), "sm-%u", i);
        routes_add_instance(r, name);
    }
    routes_add_domain(r, slice_str("example.org"), ROLE_SM, 0);
    assert_true(routes_settled(r));
    routes_set_member(r, instance_key("sm-3"), MEMBER_BEFORE);
    routes_encode(r, &body);
    assert_int_equal(routes_decode(got, buf_slice(&body)), ZE_OK);
    assert_false(routes_settled(got));
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        const struct route_instance *now = routes_slot_owner(got, ROLE_SM, slot);
        const struct route_instance *before = routes_slot_owner_before(got, ROLE_SM, slot);
        assert_string_not_equal(now->name, "sm-3");
        assert_int_equal(now != before, strcmp(before->name, "sm-3") == 0);
        moving += now != before;
    }
    assert_in_range(moving, SLOTS / 4, SLOTS / 2);
    for (unsigned i = 0; i < 100; i++) {
        char jid[32];
        snprintf(jid, sizeof(jid), "user%u@example.org/a", i);
        unsigned slot = slot_of(slice_of(jid, strlen(jid) - 2));
        assert_int_equal(routes_moving(got, slice_str(jid)),
                         strcmp(routes_slot_owner_before(got, ROLE_SM, slot)->name, "sm-3") == 0);
    }
    assert_false(routes_moving(got, slice_str("user1@elsewhere.org")));
    routes_set_member(got, instance_key("sm-3"), 0);
    assert_true(routes_settled(got));
    assert_false(routes_moving(got, slice_str("user1@example.org")));
    buf_free(&body);
    routes_free(&r);
    routes_free(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_stable),
        cmocka_unit_test(owners_are_stable),
        cmocka_unit_test(a_new_member_takes_only_for_itself),
        cmocka_unit_test(nobody_moves_when_a_member_is_down),
        cmocka_unit_test(a_jid_finds_its_owner),
        cmocka_unit_test(a_remote_domain_goes_to_an_s2sd_that_is_up),
        cmocka_unit_test(domains_have_one_server),
        cmocka_unit_test(a_published_table_is_the_same_table),
        cmocka_unit_test(a_damaged_table_changes_nothing),
        cmocka_unit_test(a_name_cannot_claim_another_role),
        cmocka_unit_test(a_change_of_members_moves_their_share_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
