/* Dialback keys and elements (s2sd/dialback.h), what waits (queue.h, backoff.h), component digests, the
 * edges of a stream. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "backoff.h"
#include "component.h"
#include "dialback.h"
#include "ns.h"
#include "queue.h"
#include "xml_stream.h"

static const struct xml_limits limits = { 10000, 20, 20, 100 };

/* ---- keys ---- */

static void the_keys_are_those_of_the_specifications(void **state)
{
    static const struct {
        const char *secret, *receiving, *originating, *id, *key;
    } rows[] = {
        /* XEP-0185 3 */
        { "s3cr3tf0rd14lb4ck", "xmpp.example.com", "example.org", "D60000229F",
          "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643" },
        /* XEP-0220 2.1.1 and 2.2.2 */
        { "s3cr3tf0rd14lb4ck", "montague.example", "capulet.example", "D60000229F",
          "b4835385f37fe2895af6c196b59097b16862406db80559900d96bf6fa7d23df3" },
        { "d14lb4ck43v3r", "capulet.example", "montague.example", "417GAF25",
          "225cc5aa6a071133249d25fef42ae516fc7a86c523aa1c6980a7f73e784c972d" },
    };
    struct dialback d;
    char            key[DIALBACK_KEY];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        dialback_init(&d, slice_str(rows[i].secret));
        dialback_key(&d, slice_str(rows[i].receiving), slice_str(rows[i].originating), slice_str(rows[i].id),
                     key);
        assert_memory_equal(key, rows[i].key, sizeof(key));
    }
}

static void a_key_is_good_for_its_pair_and_stream_alone(void **state)
{
    struct dialback d, other;
    char            text[DIALBACK_KEY];
    struct slice    key = slice_of(text, sizeof(text));

    (void)state;
    dialback_init(&d, SLICE("one secret"));
    dialback_init(&other, SLICE("another secret"));
    dialback_key(&d, SLICE("r.example"), SLICE("o.example"), SLICE("id"), text);
    assert_true(dialback_key_is(&d, SLICE("r.example"), SLICE("o.example"), SLICE("id"), key));
    assert_false(dialback_key_is(&d, SLICE("r.example"), SLICE("o.example"), SLICE("id2"), key));
    assert_false(dialback_key_is(&d, SLICE("o.example"), SLICE("r.example"), SLICE("id"), key));
    assert_false(dialback_key_is(&other, SLICE("r.example"), SLICE("o.example"), SLICE("id"), key));
    assert_false(
        dialback_key_is(&d, SLICE("r.example"), SLICE("o.example"), SLICE("id"), slice_cut(key, 0, 63)));
    assert_false(dialback_key_is(&d, SLICE("r.example"), SLICE("o.example"), SLICE("id"), SLICE("")));
}

static void the_secret_is_made_once_and_shared(void **state)
{
    char            dir[] = "/tmp/zubr-dialback-XXXXXX", path[64];
    struct dialback one, two;
    struct stat     st;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(dialback_open(&one, dir), ZE_OK);
    assert_int_equal(dialback_open(&two, dir), ZE_OK);
    assert_memory_equal(&one, &two, sizeof(one));
    snprintf(path, sizeof(path), "%s/s2s/dialback.secret", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(truncate(path, 3), 0);
    assert_int_equal(dialback_open(&two, dir), ZE_STORE);         /* never a weak one */
    unlink(path);
    snprintf(path, sizeof(path), "%s/s2s", dir);
    assert_int_equal(rmdir(path), 0);                             /* nothing else was left there */
    rmdir(dir);
}

/* ---- elements ---- */

static enum zerr read_element(struct arena *arena, const char *xml, struct dialback_said *said)
{
    const struct element *root = xml_parse_content(arena, slice_str(xml), NS_SERVER, &limits);

    assert_non_null(root);
    return dialback_read(arena, root->children, said);
}

static void elements_are_written_and_read(void **state)
{
    static const struct dialback_said rows[] = {
        {false, DIALBACK_REQUEST, SLICE_INIT("a.example"), SLICE_INIT("b.example"), {0},                SLICE_INIT("k"), 0},
        {false, DIALBACK_VALID,   SLICE_INIT("a.example"), SLICE_INIT("b.example"), {0},                {0},             0},
        {true,  DIALBACK_REQUEST, SLICE_INIT("a.example"), SLICE_INIT("b.example"), SLICE_INIT("i'd<"),
         SLICE_INIT("k&k"),                                                                                              0},
        {true,  DIALBACK_INVALID, SLICE_INIT("a.example"), SLICE_INIT("b.example"), SLICE_INIT("id"),   {0},             0},
        {true,
         DIALBACK_ERROR,          SLICE_INIT("a.example"),
         SLICE_INIT("b.example"),
         SLICE_INIT("id"),
         {0},
         ZE_NOT_FOUND                                                                                                     },
    };
    struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf           out = { 0 };
        struct dialback_said said;
        dialback_write(&out, &rows[i]);
        char *xml = xprintf("<x xmlns:db='" NS_DIALBACK "'>%.*s</x>", SLICE_FMT(buf_slice(&out)));
        const struct element *root = xml_parse_content(arena, slice_str(xml), NS_SERVER, &limits);
        assert_non_null(root);
        assert_int_equal(dialback_read(arena, root->children->children, &said), ZE_OK);
        assert_int_equal(said.verify, rows[i].verify);
        assert_int_equal(said.type, rows[i].type);
        assert_true(slice_eq(said.from, rows[i].from) && slice_eq(said.to, rows[i].to));
        assert_true(slice_eq(said.id, rows[i].id) && slice_eq(said.key, rows[i].key));
        assert_int_equal(said.err, rows[i].err);
        free(xml);
        buf_free(&out);
        arena_reset(arena);
    }
    arena_free(&arena);
}

static void white_space_around_a_key_is_not_of_the_key(void **state)
{
    struct arena        *arena = arena_new();
    struct dialback_said said;

    (void)state;
    assert_int_equal(read_element(arena,
                                  "<result xmlns='" NS_DIALBACK
                                  "' from='A.example' to='b.example'>\n  key\t\n"
                                  "</result>",
                                  &said),
                     ZE_OK);
    assert_true(slice_is(said.key, "key"));
    assert_true(slice_is(said.from, "a.example"));
    arena_free(&arena);
}

static void what_lacks_a_part_is_refused(void **state)
{
    static const char *const bad[] = {
        "<result xmlns='" NS_DIALBACK "' to='b.example'>k</result>",
        "<result xmlns='" NS_DIALBACK "' from='a.example'>k</result>",
        "<result xmlns='" NS_DIALBACK "' from='user@a.example' to='b.example'>k</result>",
        "<result xmlns='" NS_DIALBACK "' from='a.example' to='b.example/r'>k</result>",
        "<result xmlns='" NS_DIALBACK "' from='a b' to='b.example'>k</result>",
        "<result xmlns='" NS_DIALBACK "' from='a.example' to='b.example'/>",
        "<result xmlns='" NS_DIALBACK "' from='a.example' to='b.example'> \n </result>",
        "<result xmlns='" NS_DIALBACK "' from='a.example' to='b.example' type='perhaps'/>",
        "<verify xmlns='" NS_DIALBACK "' from='a.example' to='b.example'>k</verify>",
    };
    struct arena        *arena = arena_new();
    struct dialback_said said;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(read_element(arena, bad[i], &said), ZE_BAD_REQUEST);
    arena_free(&arena);
}

/* ---- what waits ---- */

static void a_queue_keeps_order_and_counts_bytes(void **state)
{
    static const char *const names[] = { "b@x.example", "c@x.example", "a@x.example" };
    static const char *const order[] = { "a@x.example", "b@x.example", "c@x.example" };
    struct queue             q;
    struct blob             *frame = blob_copy(SLICE("frame"));

    (void)state;
    queue_init(&q);
    assert_null(queue_first(&q));
    assert_null(queue_last(&q));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct queued *item = queued_new(frame, slice_str(names[i]), NULL);
        if (i < 2)
            queue_push(&q, item);
        else
            queue_push_first(&q, item);
    }
    assert_int_equal(q.count, 3);
    assert_int_equal(q.bytes, 3 * queue_cost(frame, SLICE("a@x.example")));
    assert_int_equal(frame->refs, 4);
    assert_true(slice_is(queued_to(queue_last(&q)), "c@x.example"));
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        struct queued *item = queue_first(&q);
        queue_remove(&q, item);
        assert_true(slice_is(queued_to(item), order[i]));
        queued_free(&item);
        assert_null(item);
    }
    assert_int_equal(q.bytes, 0);
    assert_int_equal(frame->refs, 1);
    blob_unref(&frame);
}

static void failures_in_a_row_double_the_wait(void **state)
{
    struct backoff b = { 0 };
    uint64_t       now = 1000, expected = BACKOFF_FIRST_MS;

    (void)state;
    assert_false(backoff_active(&b, now));
    for (int i = 0; i < 40; i++) {
        backoff_failed(&b, now);
        assert_int_equal(b.until_ms, now + expected);
        assert_true(backoff_active(&b, b.until_ms - 1));
        assert_false(backoff_active(&b, b.until_ms));
        now = b.until_ms;
        expected = expected * 2 < BACKOFF_MOST_MS ? expected * 2 : BACKOFF_MOST_MS;
    }
    backoff_clear(&b);
    assert_false(backoff_active(&b, 0));
    backoff_failed(&b, 0);
    assert_int_equal(b.until_ms, BACKOFF_FIRST_MS);
}

/* ---- components, streams ---- */

static void the_digest_is_sha_1_of_id_and_secret(void **state)
{
    char digest[COMPONENT_DIGEST];

    (void)state;
    component_digest(SLICE("a"), SLICE("bc"), digest);           /* FIPS 180-2, "abc" */
    assert_memory_equal(digest, "a9993e364706816aba3e25717850c26c9cd0d89d", sizeof(digest));
}

static void a_closed_stream_stays_closed_and_stanzas_need_negotiation(void **state)
{
    (void)state;
    for (enum stream_state to = 0; to < STREAM_STATES; to++) {
        assert_false(stream_may_enter(STREAM_CLOSED, to));
        assert_int_equal(stream_may_enter(STREAM_CLOSING, to), to == STREAM_CLOSED);
        if (to < STREAM_CLOSED)
            assert_true(stream_may_enter(to, STREAM_CLOSED));
    }
    assert_false(stream_may_enter(STREAM_OPENING, STREAM_TLS));
    assert_false(stream_may_enter(STREAM_STARTTLS, STREAM_READY));
    assert_false(stream_may_enter(STREAM_TLS, STREAM_READY));
    assert_false(stream_may_enter(STREAM_READY, STREAM_TLS));
}

static int free_parsers(void **state)
{
    (void)state;
    xml_pool_free();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_keys_are_those_of_the_specifications),
        cmocka_unit_test(a_key_is_good_for_its_pair_and_stream_alone),
        cmocka_unit_test(the_secret_is_made_once_and_shared),
        cmocka_unit_test(elements_are_written_and_read),
        cmocka_unit_test(white_space_around_a_key_is_not_of_the_key),
        cmocka_unit_test(what_lacks_a_part_is_refused),
        cmocka_unit_test(a_queue_keeps_order_and_counts_bytes),
        cmocka_unit_test(failures_in_a_row_double_the_wait),
        cmocka_unit_test(the_digest_is_sha_1_of_id_and_secret),
        cmocka_unit_test(a_closed_stream_stays_closed_and_stanzas_need_negotiation),
    };

    return cmocka_run_group_tests(tests, NULL, free_parsers);
}
