/* Options and the course of a run (load.h). */

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "load.h"

struct options opt = {
    .host = "127.0.0.1", .domain = "bench.example", .auth = "plain", .password = "secret", .label = "-",
    .sessions = 100, .first = 1, .roster = 20, .window = 1, .senders = 5, .logins_at_once = 50, .body = 120, .page = 50,
    .seconds = 5, .warm = 1, .settle = 1,
};
struct figures fig;
struct conn   *conns;

struct cost {
    uint64_t ns, cpu_us, own_us;
};

void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "load: ");
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void usage(void)
{
    fprintf(stderr, "usage: load --mode register|subs|idle|chat|muc|presence|login|fill|mam --port P [options]\n"
                    "  --domain D  --rooms HOST  --tls | --starttls | --plain (default)\n"
                    "  --auth plain|scram|scram256  --password W  --n SESSIONS  --first I (accounts userI..)\n"
                    "  --roster CONTACTS  --window W  --senders M  --conc LOGINS-AT-ONCE\n"
                    "  --sm (stream management)  --count MESSAGES (chat, fill: ends then)  --page ROWS  --newest\n"
                    "  --from SOURCE-ADDRESS  --hold (idle: says \"holding\" and stays until TERM)\n"
                    "  --secs S  --warm S  --settle S  --body BYTES  --pids P,P..  --label TEXT  --verbose\n");
    exit(2);
}

static int number(const char *text)
{
    char *end;
    long  n = strtol(text, &end, 10);

    if (*end || n < 0 || n > 10000000)
        usage();
    return (int)n;
}

enum { O_MODE = 1, O_PORT, O_DOMAIN, O_ROOMS, O_TLS, O_STARTTLS, O_PLAIN, O_AUTH, O_PASSWORD, O_N, O_FIRST, O_ROSTER,
       O_WINDOW, O_SENDERS, O_CONC, O_SECS, O_WARM, O_SETTLE, O_BODY, O_PIDS, O_LABEL, O_VERBOSE, O_HOST, O_SM, O_COUNT, O_PAGE,
       O_NEWEST, O_FROM, O_HOLD, O_CARBONS };

static const struct option long_options[] = {
    { "mode", 1, 0, O_MODE },       { "port", 1, 0, O_PORT },         { "domain", 1, 0, O_DOMAIN },
    { "rooms", 1, 0, O_ROOMS },     { "tls", 0, 0, O_TLS },           { "starttls", 0, 0, O_STARTTLS },
    { "plain", 0, 0, O_PLAIN },     { "auth", 1, 0, O_AUTH },         { "password", 1, 0, O_PASSWORD },
    { "n", 1, 0, O_N },             { "first", 1, 0, O_FIRST },       { "roster", 1, 0, O_ROSTER },
    { "window", 1, 0, O_WINDOW },   { "senders", 1, 0, O_SENDERS },   { "conc", 1, 0, O_CONC },
    { "secs", 1, 0, O_SECS },       { "warm", 1, 0, O_WARM },         { "settle", 1, 0, O_SETTLE },
    { "body", 1, 0, O_BODY },       { "pids", 1, 0, O_PIDS },         { "label", 1, 0, O_LABEL },
    { "verbose", 0, 0, O_VERBOSE }, { "host", 1, 0, O_HOST },         { "sm", 0, 0, O_SM },
    { "count", 1, 0, O_COUNT },     { "page", 1, 0, O_PAGE },         { "newest", 0, 0, O_NEWEST },
    { "from", 1, 0, O_FROM },       { "hold", 0, 0, O_HOLD },         { "carbons", 0, 0, O_CARBONS },
    { 0 },
};

static enum mode mode_of(const char *name)
{
    for (int i = 0; mode_names[i]; i++)
        if (strcmp(name, mode_names[i]) == 0)
            return (enum mode)i;
    usage();
    return MODES;
}

static void take_option(int which, char *value)
{
    switch (which) {
    case O_MODE: opt.mode = mode_of(value); break;
    case O_PORT: opt.port = number(value); break;
    case O_DOMAIN: opt.domain = value; break;
    case O_ROOMS: opt.rooms = value; break;
    case O_TLS: opt.tls = true; break;
    case O_STARTTLS: opt.tls = opt.starttls = true; break;
    case O_PLAIN: opt.tls = opt.starttls = false; break;
    case O_AUTH: opt.auth = value; break;
    case O_PASSWORD: opt.password = value; break;
    case O_N: opt.sessions = number(value); break;
    case O_FIRST: opt.first = number(value); break;
    case O_ROSTER: opt.roster = number(value); break;
    case O_WINDOW: opt.window = number(value); break;
    case O_SENDERS: opt.senders = number(value); break;
    case O_CONC: opt.logins_at_once = number(value); break;
    case O_SECS: opt.seconds = strtod(value, NULL); break;
    case O_WARM: opt.warm = strtod(value, NULL); break;
    case O_SETTLE: opt.settle = strtod(value, NULL); break;
    case O_BODY: opt.body = number(value); break;
    case O_PIDS: measure_pids(value); break;
    case O_LABEL: opt.label = value; break;
    case O_VERBOSE: opt.verbose = true; break;
    case O_HOST: opt.host = value; break;
    case O_SM: opt.managed = true; break;
    case O_COUNT: opt.count = number(value); break;
    case O_PAGE: opt.page = number(value); break;
    case O_NEWEST: opt.newest = true; break;
    case O_FROM: opt.from = value; break;
    case O_HOLD: opt.hold = true; break;
    case O_CARBONS: opt.carbons = true; break;
    default: usage();
    }
}

static void parse_options(int argc, char **argv)
{
    static char rooms[256];
    int         which;
    bool        have_mode = false;

    while ((which = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        take_option(which, optarg);
        have_mode |= which == O_MODE;
    }
    if (!have_mode || !opt.port || opt.sessions < 1)
        usage();
    if (!opt.rooms) {
        snprintf(rooms, sizeof(rooms), "muc.%s", opt.domain);
        opt.rooms = rooms;
    }
    if (opt.mode == MODE_CHAT || opt.mode == MODE_FILL)
        opt.sessions &= ~1;
    if (opt.mode == MODE_FILL && !opt.count)
        usage();
    if (opt.senders > opt.sessions)
        opt.senders = opt.sessions;
}

static struct cost cost_now(void)
{
    return (struct cost){ now_ns(), measure_cpu_us(), measure_own_cpu_us() };
}

/* n logins or registrations; the first tenth of the logins is not counted. */
static void churn(struct cost *from)
{
    int started = 0, warm = opt.mode == MODE_LOGIN ? opt.sessions / 10 : 0;
    int places = opt.mode == MODE_REGISTER ? opt.logins_at_once : opt.sessions;

    while (fig.logins_done < opt.sessions) {
        if (!fig.measuring && fig.logins_done >= warm) {
            fig.measuring = true;
            fig.delivered = 0;
            *from = cost_now();
        }
        for (int i = 0; i < places && started < opt.sessions && fig.in_progress < opt.logins_at_once; i++)
            if (conns[i].state == S_FREE)
                conn_open(i, started++);
        pump(20);
    }
}

/* Logs everybody in; refused ones are tried again a moment later. */
static void log_in(void)
{
    int next = 0;

    fig.last_progress_ns = now_ns();
    while (fig.ready < opt.sessions) {
        while (fig.in_progress < opt.logins_at_once && next < opt.sessions) {
            conn_open(next, next);
            next++;
        }
        pump(50);
        if (fig.failed) {
            fig.retries += fig.failed;
            fig.failed = 0;
            if (fig.retries > opt.sessions + 20)
                die("too many refused logins");
            run_for(0.3);
            for (int i = 0; i < next; i++)
                if (conns[i].state == S_FREE)
                    conn_open(i, i);
        }
        if (now_ns() - fig.last_progress_ns > 60000000000ull)
            die("login stalled at %d", fig.ready);
    }
}

static volatile sig_atomic_t told_to_end;

static void on_term(int number)
{
    (void)number;
    told_to_end = 1;
}

static void hold(void)
{
    signal(SIGTERM, on_term);
    printf("holding %d\n", fig.ready);
    fflush(stdout);
    while (!told_to_end)
        pump(200);
}

/* These end by themselves, when all is done, and not after a time. */
static bool counted(void)
{
    return opt.mode == MODE_SUBS || opt.mode == MODE_FILL || opt.count;
}

static void load(struct cost *from)
{
    log_in();
    mode_begin();
    if (opt.hold)
        hold();
    if (opt.mode != MODE_SUBS && opt.mode != MODE_FILL)
        run_for(opt.warm);
    fig.measuring = true;
    fig.delivered = fig.latencies = 0;
    *from = cost_now();
    if (!counted()) {
        run_for(opt.seconds);
        return;
    }
    fig.last_progress_ns = now_ns();
    while (!fig.done && now_ns() - fig.last_progress_ns < 8000000000ull)
        pump(50);
    if (opt.mode == MODE_SUBS)
        fig.delivered = fig.subscribed;
    else if (!fig.done)
        die("stalled at %" PRIu64 " of %d", fig.delivered, opt.count);
}

static void leave(void)
{
    uint64_t end = now_ns() + 3000000000ull;
    bool     left = true;

    fig.running = fig.measuring = fig.done = false;
    for (int i = 0; i < opt.sessions; i++) {
        if (opt.mode == MODE_REGISTER || conns[i].state != S_READY)
            continue;
        conn_putf(&conns[i], "</stream:stream>");
        conns[i].state = S_LEAVING;
    }
    while (left && now_ns() < end) {
        pump(20);
        left = false;
        for (int i = 0; opt.mode != MODE_REGISTER && i < opt.sessions; i++)
            left |= conns[i].state == S_LEAVING;
    }
}

static double a_session(uint64_t before_kb, uint64_t after_kb)
{
    return ((double)after_kb - (double)before_kb) * 1024.0 / opt.sessions;
}

static void report(const struct cost *from, const struct cost *to, const struct memory *before,
                   const struct memory *after)
{
    double   seconds = (double)(to->ns - from->ns) / 1e9;
    double   each = fig.delivered ? 1.0 / (double)fig.delivered : 0;
    uint64_t cpu = to->cpu_us - from->cpu_us;

    printf("label=%s mode=%s tls=%s auth=%s n=%d window=%d secs=%.2f delivered=%" PRIu64 " rate=%.1f", opt.label,
           mode_names[opt.mode], opt.starttls ? "starttls" : opt.tls ? "direct" : "no", opt.auth, opt.sessions,
           opt.window, seconds, fig.delivered, (double)fig.delivered / seconds);
    printf(" p50_us=%u p99_us=%u max_us=%u", measure_percentile(.5), measure_percentile(.99), measure_percentile(1));
    if (measure_has_pids()) {
        printf(" server_cpu_s=%.2f server_us_per=%.2f pss0_kb=%" PRIu64 " pss1_kb=%" PRIu64, (double)cpu / 1e6,
               (double)cpu * each, before->pss_kb, after->pss_kb);
        if (opt.mode == MODE_IDLE)
            printf(" pss_bytes_per_session=%.0f anon_bytes_per_session=%.0f", a_session(before->pss_kb, after->pss_kb),
                   a_session(before->anon_kb, after->anon_kb));
    }
    printf(" client_us_per=%.2f retries=%d failed=%d\n", (double)(to->own_us - from->own_us) * each, fig.retries,
           fig.failed);
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    struct cost   from = { 0 }, to;

    parse_options(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    conn_pool(opt.sessions > opt.logins_at_once ? opt.sessions : opt.logins_at_once);
    struct memory before = measure_memory();
    if (opt.mode == MODE_LOGIN || opt.mode == MODE_REGISTER)
        churn(&from);
    else
        load(&from);
    to = cost_now();
    struct memory after = measure_memory();
    leave();
    report(&from, &to, &before, &after);
    return fig.failed ? 1 : 0;
}
