/* fill --data DIR --domain D --accounts N --messages M [--first I] [--password W]
 *
 * Fills a store that no daemon has open, through the code of the daemons: accounts userI..., each with
 * M / N archived messages of some 120 characters from ever the same twenty contacts. The passwords go
 * through one round of PBKDF2 instead of 10,000: they are read at a login alone, which is as dear then. */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "account.h"
#include "ledger.h"
#include "log.h"

enum { IN_FLIGHT = 48, CONTACTS = 20, WORDS = 22, BATCH_MOST = 500 };

static const char *const words[] = { "and", "the", "you", "for", "not", "that", "with", "room", "have", "this", "will",
                                     "your", "from", "they", "know", "want", "been", "good", "much", "some", "time",
                                     "very", "when", "come", "here", "just", "like", "long", "make", "many", "more",
                                     "only", "over", "such", "take", "than", "them", "well", "were", "what" };

static struct {
    const char     *data, *domain, *password;
    long            accounts, messages, first;
    struct loop    *loop;
    struct sm_store store;
    long            begun, done, in_flight, left_of_owner, written;
    char            owner[256];
    uint64_t        time_us, seed;
    struct buf      text;
} fill = { .domain = "bench.example", .password = "secret", .first = 1, .seed = 1 };

static void die(const char *what)
{
    fprintf(stderr, "fill: %s\n", what);
    exit(1);
}

static unsigned pick(unsigned below)
{
    fill.seed = fill.seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(fill.seed >> 33) % below;
}

static void finished(void *arg, enum zerr err)
{
    (void)arg;
    if (err)
        die("a batch failed; its reason is above");
    fill.in_flight--;
    fill.done++;
}

static void turn(long most)
{
    while (fill.in_flight > most)
        uv_run(loop_uv(fill.loop), UV_RUN_ONCE);
}

static struct slice owner_name(long i)
{
    snprintf(fill.owner, sizeof(fill.owner), "user%ld@%s", fill.first + i, fill.domain);
    return slice_str(fill.owner);
}

static void make_accounts(void)
{
    for (long i = 0; i < fill.accounts; i++) {
        account_create(&fill.store, fill.loop, owner_name(i), slice_str(fill.password), 1, finished, NULL);
        fill.in_flight++;
        turn(IN_FLIGHT);
    }
    turn(0);
}

/* One message: in and out in turn, three words of the text change what the others would compress to. */
static void one_record(struct ledger *l, struct store_batch *batch)
{
    static const struct ledger_limits unlimited = { 1 << 30, 1L << 40 };
    char                              peer[300];
    struct buf                       *text = &fill.text;
    bool                              in = pick(2);

    buf_reset(text, SIZE_MAX);
    buf_put_str(text, "<body>");
    for (int i = 0; i < WORDS; i++)
        buf_printf(text, "%s ", words[pick(COUNT_OF(words))]);
    buf_put_str(text, "</body>");
    snprintf(peer, sizeof(peer), "contact%u@elsewhere.example/phone", pick(CONTACTS));
    struct ledger_record r = {
        .views = LEDGER_ARCHIVE,
        .direction = in ? LEDGER_IN : LEDGER_OUT,
        .stanza = { .name = STANZA_MESSAGE, .type = TYPE_CHAT, .flags = STANZA_HAS_BODY, .id = SLICE("0b2c4e6a"),
                    .from = in ? slice_str(peer) : l->owner, .to = in ? l->owner : slice_str(peer),
                    .content = buf_slice(text) },
    };
    fill.time_us += 1000 + pick(1000);
    r.id = ledger_next_id(l, fill.time_us);
    if (ledger_append(l, batch, &unlimited, &r))
        die("a message was refused (the disk?)");
    fill.written++;
}

/* One batch: what is left of this owner, within bounds. */
static void one_batch(void)
{
    struct ledger       l;
    struct store_view  *view = store_view(fill.store.archive);
    struct store_batch *batch = store_batch(slice_str(fill.owner));

    if (ledger_open(&l, sm_ledger(&fill.store), view, slice_str(fill.owner)))
        die("the ledger cannot be opened");
    for (int n = 0; n < BATCH_MOST && fill.left_of_owner > 0; n++, fill.left_of_owner--)
        one_record(&l, batch);
    store_view_end(&view);
    store_commit(fill.store.archive, &batch, finished, NULL);
    fill.in_flight++;
}

static void make_messages(void)
{
    time_t shown = time(NULL);

    fill.time_us = wall_us() - (uint64_t)fill.messages * 1500;
    for (long i = 0; i < fill.accounts && fill.messages; i++) {
        owner_name(i);
        fill.left_of_owner = fill.messages / fill.accounts;
        while (fill.left_of_owner > 0) {
            one_batch();
            turn(IN_FLIGHT);
        }
        if (time(NULL) >= shown + 20) {
            shown = time(NULL);
            fprintf(stderr, "fill: %ld messages\n", fill.written);
        }
    }
    turn(0);
}

static struct store *open_store(const char *name, const char *const *tables, uint32_t schema,
                                uint64_t runs)
{
    char  path[4096];
    struct store_spec spec = { .path = path, .tables = tables, .schema = schema, .runs = runs };

    snprintf(path, sizeof(path), "%s/%s", fill.data, name);
    struct store *store = store_open(fill.loop, &spec);
    if (!store)
        die("the store cannot be opened");
    return store;
}

static long number(const char *text)
{
    char *end;
    long  n = strtol(text, &end, 10);

    if (*end || n < 0)
        die("a number was expected");
    return n;
}

static void parse_options(int argc, char **argv)
{
    static const struct option options[] = { { "data", 1, 0, 'd' },     { "domain", 1, 0, 'D' }, { "accounts", 1, 0, 'a' },
                                             { "messages", 1, 0, 'm' }, { "first", 1, 0, 'f' },  { "password", 1, 0, 'p' },
                                             { 0 } };
    int                        which;

    while ((which = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (which) {
        case 'd': fill.data = optarg; break;
        case 'D': fill.domain = optarg; break;
        case 'a': fill.accounts = number(optarg); break;
        case 'm': fill.messages = number(optarg); break;
        case 'f': fill.first = number(optarg); break;
        case 'p': fill.password = optarg; break;
        default: die("usage: fill --data DIR --accounts N --messages M [--domain D] [--first I] [--password W]");
        }
    }
    if (!fill.data || !fill.accounts)
        die("--data and --accounts are needed");
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);
    log_set_level(LOG_LEVEL_WARN);
    fill.loop = loop_new();
    mkdir(fill.data, 0700);
    fill.store.accounts = open_store("accounts", sm_account_tables, ACCOUNTS_SCHEMA, 0);
    fill.store.archive = open_store("archive", sm_archive_tables, ARCHIVE_SCHEMA, ARCHIVE_RUNS);
    make_accounts();
    make_messages();
    store_close(&fill.store.archive);
    store_close(&fill.store.accounts);
    printf("accounts=%ld messages=%ld\n", fill.accounts, fill.written);
    return 0;
}
