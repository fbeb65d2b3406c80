/* What the ledger costs: appends, pages, bytes. In one process, without daemons; processor time of the process, its
 * writer thread included.
 *
 *     tests/bench/archive/corpus.py eval 5000 > CORPUS
 *     build/tests/bench/bench-archive CORPUS DIRECTORY [RECORDS]      (RECORDS of the large archive: 1000000) */

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "mam.h"
#include "mem.h"
#include "sm_store.h"

enum { LINES = 5000, PAGES = 2000, START_US = 1000000 };

static struct {
    struct loop    *loop;
    struct sm_store store;
    struct arena   *arena;
    char           *line[LINES];       /* id, TAB, content */
    size_t          len[LINES], lines, next;
    uint64_t        now_us;
    unsigned        waiting;
} b;

static double cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void on_commit(void *arg, enum zerr err)
{
    (void)arg;
    if (err)
        exit(1);
    b.waiting--;
}

static void wait_until(unsigned left)
{
    while (b.waiting > left)
        uv_run(loop_uv(b.loop), UV_RUN_ONCE);
}

static struct ledger_record next_record(const char *owner)
{
    static char  peer[64];
    size_t       n = b.next++ % b.lines;
    struct slice id = slice_of(b.line[n], (size_t)(strchr(b.line[n], '\t') - b.line[n]));
    struct slice content = slice_cut(slice_of(b.line[n], b.len[n]), id.len + 1, b.len[n]);

    snprintf(peer, sizeof peer, "friend%u@im.example.net/Conversations.%04zx", (unsigned)(n % 30), n);
    return (struct ledger_record){
        .views = LEDGER_ARCHIVE, .direction = n % 2 ? LEDGER_IN : LEDGER_OUT,
        .stanza = { .name = STANZA_MESSAGE, .type = TYPE_CHAT, .flags = STANZA_HAS_BODY,
                    .id = id, .content = content,
                    .from = n % 2 ? slice_str(peer) : slice_str(owner),
                    .to = n % 2 ? slice_str(owner) : slice_str(peer) },
    };
}

/* `number` records of the owner, handed in as one batch. */
static void append(const char *owner, unsigned number)
{
    static const struct ledger_limits limits = { 1000, 1 << 20 };
    struct store_batch               *batch = store_batch(slice_str(owner));
    struct store_view                *view = store_view(b.store.archive);
    struct ledger                     l;

    if (ledger_open(&l, sm_ledger(&b.store), view, slice_str(owner)))
        exit(1);
    for (unsigned i = 0; i < number; i++) {
        struct ledger_record r = next_record(owner);
        r.id = ledger_next_id(&l, b.now_us += 1000);
        if (ledger_append(&l, batch, &limits, &r))
            exit(1);
    }
    store_view_end(&view);
    b.waiting++;
    store_commit(b.store.archive, &batch, on_commit, NULL);
}

static void fill(const char *owner, unsigned number)
{
    for (unsigned done = 0; done < number; done += 1000) {
        append(owner, number - done < 1000 ? number - done : 1000);
        wait_until(4);
    }
    wait_until(0);
}

/* ---- figures ---- */

static void appends(const char *owner, const char *what)
{
    static const unsigned groups[] = { 1, 16, 256 };

    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        unsigned rounds = groups[i] == 1 ? 100 : 2048 / groups[i];
        double   start = cpu_us();
        for (unsigned r = 0; r < rounds; r++) {
            for (unsigned n = 0; n < groups[i]; n++)
                append(owner, 1);
            wait_until(0);
        }
        printf("append to an archive of %s, %u a commit: %.1f us\n", what, groups[i],
               (cpu_us() - start) / rounds / groups[i]);
    }
}

static size_t page(const char *owner, const struct ledger_query *q)
{
    struct store_view *view = store_view(b.store.archive);
    struct mam_request m = { .queryid = SLICE("f27") };
    struct buf         out = { 0 };
    struct ledger_page p;
    struct ledger      l;
    char               id[LEDGER_ID_TEXT];

    if (ledger_open(&l, sm_ledger(&b.store), view, slice_str(owner)) || ledger_query(&l, q, b.arena, &p))
        exit(1);
    for (unsigned i = 0; i < p.count; i++) {
        if (ledger_unpack(&p.records[i], b.arena))
            exit(1);
        ledger_id_write(id, p.records[i].id);
        mam_result_write(&out, &m, slice_str(id), p.records[i].id.time_us, &p.records[i].stanza);
    }
    store_view_end(&view);
    size_t len = buf_len(&out);
    buf_free(&out);
    arena_reset(b.arena);
    return len;
}

static void pages(const char *owner, const char *what, uint64_t first_us, uint64_t last_us)
{
    static const char *const forms[] = { "in the middle", "the last one", "in the middle, with a contact" };

    for (size_t form = 0; form < COUNT_OF(forms); form++) {
        size_t bytes = 0;
        double start = cpu_us();
        for (unsigned i = 0; i < PAGES; i++) {
            struct ledger_query q = { .max = 50, .bytes_max = 1 << 20, .backwards = form == 1 };
            if (form != 1)
                q.start_us = first_us + (last_us - first_us) / PAGES * i;
            if (form == 2)
                q.with = SLICE("friend7@im.example.net");
            bytes += page(owner, &q);
        }
        printf("page of 50 of %s, %s: %.1f us, %zu bytes\n", what, forms[form], (cpu_us() - start) / PAGES,
               bytes / PAGES);
    }
}

static double used_bytes(void)
{
    struct store_figures f;

    store_figures(b.store.archive, &f);
    return (double)f.map_used;
}

static void sizes(void)
{
    struct buf value = { 0 };
    struct buf whole = { 0 };
    size_t     xml = 0, packed = 0;

    for (size_t i = 0; i < b.lines; i++) {
        struct ledger_record r = next_record("owner@example.org");
        stanza_write(&whole, &r.stanza, slice_of(NULL, 0));
        xml += buf_len(&whole);
        buf_reset(&whole, 65536);
        buf_reset(&value, 65536);
        ledger_encode(&value, &r, SLICE("owner@example.org"));
        packed += buf_len(&value);
    }
    buf_free(&value);
    buf_free(&whole);
    printf("a message: %zu bytes of XML; its record: %zu\n", xml / b.lines, packed / b.lines);
}

/* ---- */

static void read_corpus(const char *path)
{
    FILE  *f = fopen(path, "r");
    size_t room = 0;

    if (!f)
        exit(1);
    for (ssize_t n; b.lines < LINES && (room = 0, (n = getline(&b.line[b.lines], &room, f)) > 0); b.lines++)
        b.len[b.lines] = (size_t)n - 1;
    fclose(f);
}

static void interleaved(void)
{
    double   before = used_bytes();
    unsigned owners = 2000, each = 100;
    char     owner[64];

    for (unsigned n = 0; n < each; n++) {
        for (unsigned i = 0; i < owners; i++) {
            snprintf(owner, sizeof owner, "user%u@example.org", i);
            append(owner, 1);
        }
        wait_until(0);
    }
    printf("disk, %u owners by turns: %.0f bytes a record\n", owners, (used_bytes() - before) / owners / each);
}

int main(int argc, char **argv)
{
    unsigned large = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 1000000;

    if (argc < 3)
        return 2;
    struct store_spec spec = { .path = argv[2], .tables = sm_archive_tables, .schema = ARCHIVE_SCHEMA, .runs = ARCHIVE_RUNS };
    read_corpus(argv[1]);
    mkdir(argv[2], 0700);
    b.loop = loop_new();
    b.arena = arena_new();
    b.now_us = START_US;
    b.store.archive = store_open(b.loop, &spec);
    if (!b.store.archive)
        return 1;
    sizes();
    fill("small@example.org", 100);
    fill("middle@example.org", 100000);
    appends("small@example.org", "100");
    appends("middle@example.org", "100,000");
    uint64_t first = b.now_us;
    fill("ten@example.org", 10000);
    pages("ten@example.org", "10,000", first, b.now_us - 100000);
    first = b.now_us;
    double before = used_bytes();
    fill("large@example.org", large);
    printf("disk, one owner: %.0f bytes a record\n", (used_bytes() - before) / large);
    pages("large@example.org", "the large one", first, b.now_us - 100000);
    interleaved();
    store_close(&b.store.archive);
    arena_free(&b.arena);
    loop_free(&b.loop);
    for (size_t i = 0; i < b.lines; i++)
        free(b.line[i]);
    return 0;
}
