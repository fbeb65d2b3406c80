#pragma once

/* The load generator: N client sessions to one server, one closed-loop load over them, one line of
 * key=value figures. Given the server's pids it reads the CPU time and the PSS they spent over exactly
 * the measured window. One thread, epoll, GnuTLS. It talks to any XMPP server.
 *
 * load_main.c options and the course of a run; load_conn.c sockets, TLS and the stanza splitter;
 * load_login.c from connect to bound; load_modes.c what each load sends and counts;
 * load_measure.c CPU, memory and percentiles. */

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gnutls/gnutls.h>

#include "slice.h"

enum mode { MODE_REGISTER, MODE_SUBS, MODE_IDLE, MODE_CHAT, MODE_MUC, MODE_PRESENCE, MODE_LOGIN, MODE_FILL,
            MODE_MAM, MODES };

enum state {
    S_FREE,
    S_CONNECT,
    S_TLS,
    S_FEATURES,
    S_PROCEED,
    S_REGISTER,
    S_SCRAM,
    S_AUTH,
    S_FEATURES2,
    S_BIND,
    S_SESSION,
    S_ENABLE,
    S_CARBONS,
    S_READY,
    S_LEAVING,
};

struct conn {
    int              fd;
    int              idx;          /* account user<first + idx> */
    enum state       state;
    gnutls_session_t tls;
    bool             tls_done, dirty, want_out, need_session, joined;
    char            *in, *out;
    size_t           in_len, in_room, out_len, out_room;
    /* stanza splitter */
    size_t pos, start;
    int    depth, step;
    char   quote, prev;
    bool   closing, special;
    /* login and load */
    uint64_t started_ns;
    char     nonce[40];
    int      inflight, pending, next_edge;
    uint32_t taken, unasked;       /* stream management: stanzas received; sent since the last <r/> */
};

struct options {
    enum mode   mode;
    const char *host, *from, *domain, *rooms, *auth, *password, *label;
    int         port, sessions, first, roster, window, senders, logins_at_once, body, count, page;
    double      seconds, warm, settle;
    bool        tls, starttls, verbose, managed, carbons, newest, hold;
};

struct figures {
    uint64_t  delivered, sent, bytes_in, bytes_out, subscribed;
    uint64_t  last_progress_ns;
    uint32_t *latency_us;
    size_t    latencies, latency_room;
    int       ready, in_progress, failed, retries, logins_done;
    bool      measuring, running, done;
};

extern struct options opt;
extern struct figures fig;
extern struct conn   *conns;

/* load_main.c */
void     die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
uint64_t now_ns(void);

/* load_conn.c */
void conn_pool(int count);
void conn_open(int place, int idx);
void conn_close(struct conn *c);
void conn_fail(struct conn *c, const char *why);
void conn_putf(struct conn *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void conn_start_tls(struct conn *c);
void conn_reset_stream(struct conn *c);       /* a new stream header is awaited */
void pump(int ms);                            /* one turn of the loop */
void run_for(double seconds);

/* load_login.c */
void login_open_stream(struct conn *c);
void login_stanza(struct conn *c, struct slice s);

/* load_modes.c */
extern const char *const mode_names[MODES + 1];
void mode_ready(struct conn *c);              /* a session is up */
void mode_begin(void);                        /* all are up: the load starts */
void mode_stanza(struct conn *c, struct slice s);

/* load_measure.c */
void     measure_pids(char *list);
bool     measure_has_pids(void);
uint64_t measure_cpu_us(void);
/* Of all server processes; anon: without pages of files, which the kernel can take back. */
struct memory {
    uint64_t pss_kb, anon_kb;
};
struct memory measure_memory(void);
uint64_t measure_own_cpu_us(void);
void     measure_latency(uint64_t ns);
uint32_t measure_percentile(double p);

/* text of a stanza, not terminated */
const char *find(struct slice s, const char *what);
bool        attribute(struct slice s, const char *name, char *out, size_t room);
bool        element_text(struct slice s, char *out, size_t room);
struct slice start_tag(struct slice s);
