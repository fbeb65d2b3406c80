/* What a server cost, read from /proc; latencies. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "load.h"

enum { PIDS_MAX = 64, LATENCY_MAX = 8000000 };

static long   pids[PIDS_MAX];
static size_t pid_count;

void measure_pids(char *list)
{
    for (char *p = list; *p && pid_count < PIDS_MAX;) {
        char *end;
        long  pid = strtol(p, &end, 10);

        if (end == p) {
            p++;
            continue;
        }
        pids[pid_count++] = pid;
        p = end;
    }
}

bool measure_has_pids(void)
{
    return pid_count > 0;
}

/* The clock of another process counts nanoseconds; /proc/PID/stat only ticks of 10 ms, a tenth of what
 * 500 logins cost. */
static uint64_t cpu_of(long pid)
{
    struct timespec t;
    clockid_t       clock;

    if (clock_getcpuclockid((pid_t)pid, &clock) || clock_gettime(clock, &t))
        return 0;
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t measure_cpu_us(void)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < pid_count; i++)
        sum += cpu_of(pids[i]);
    return sum;
}

static void add_memory(struct memory *sum, const char *line)
{
    unsigned long kb;

    if (sscanf(line, "Pss: %lu kB", &kb) == 1)
        sum->pss_kb += kb;
    else if (sscanf(line, "Pss_Anon: %lu kB", &kb) == 1)
        sum->anon_kb += kb;
}

struct memory measure_memory(void)
{
    struct memory sum = { 0 };

    for (size_t i = 0; i < pid_count; i++) {
        char path[64], line[256];

        snprintf(path, sizeof(path), "/proc/%ld/smaps_rollup", pids[i]);
        FILE *f = fopen(path, "r");
        if (!f)
            continue;
        while (fgets(line, sizeof(line), f))
            add_memory(&sum, line);
        fclose(f);
    }
    return sum;
}

uint64_t measure_own_cpu_us(void)
{
    struct rusage r;

    getrusage(RUSAGE_SELF, &r);
    return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000u +
           (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

void measure_latency(uint64_t ns)
{
    uint64_t us = ns / 1000;

    if (!fig.latency_us) {
        fig.latency_room = LATENCY_MAX;
        fig.latency_us = malloc(fig.latency_room * sizeof(*fig.latency_us));
        if (!fig.latency_us)
            die("no memory");
    }
    if (fig.latencies < fig.latency_room)
        fig.latency_us[fig.latencies++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

uint32_t measure_percentile(double p)
{
    if (!fig.latencies)
        return 0;
    qsort(fig.latency_us, fig.latencies, sizeof(*fig.latency_us), by_value);
    return fig.latency_us[(size_t)(p * (double)(fig.latencies - 1))];
}
