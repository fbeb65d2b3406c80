/* How fast this machine is today, in the terms of a server's work: one process takes 200 bytes from each of 100 TLS 1.3
 * connections and sends 300 to 100 others; no XML, no storage. Prints its processor time a message. Figures of different
 * hours are compared by it: budgets were set when it took RELAY_THEN_US (docs/performance.md). */

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAIRS = 100, ROUNDS = 600, BYTES_IN = 200, BYTES_OUT = 300, EVENTS = 64 };
#define RELAY_THEN_US 7.9

struct end {
    int              fd;
    gnutls_session_t tls;
};

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "relay: %s\n", what);
    exit(1);
}

static double cpu_us(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/* Two ends of a TCP connection over loopback. */
static void connection(int ends[2])
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          len = sizeof(at);
    int                listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    must(bind(listener, (struct sockaddr *)&at, len) == 0 && listen(listener, 1) == 0 &&
         getsockname(listener, (struct sockaddr *)&at, &len) == 0 &&
         connect(ends[0], (struct sockaddr *)&at, len) == 0, "no connection over loopback");
    ends[1] = accept(listener, NULL, NULL);
    must(ends[1] >= 0, "no connection over loopback");
    close(listener);
    for (int i = 0; i < 2; i++)
        setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* A self-signed certificate that nobody checks. */
static gnutls_certificate_credentials_t credentials(bool server)
{
    gnutls_certificate_credentials_t c;
    gnutls_x509_privkey_t            key;
    gnutls_x509_crt_t                crt;
    uint8_t                          serial = 1;

    must(gnutls_certificate_allocate_credentials(&c) == 0, "no credentials");
    if (!server)
        return c;
    gnutls_x509_privkey_init(&key);
    gnutls_x509_crt_init(&crt);
    must(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) == 0,
         "no key");
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, &serial, sizeof(serial));
    gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
    gnutls_x509_crt_set_key(crt, key);
    must(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) == 0 &&
         gnutls_certificate_set_x509_key(c, &crt, 1, key) == 0, "no certificate");
    return c;
}

static void begin_tls(struct end *e, bool server, gnutls_certificate_credentials_t c)
{
    int rc;

    must(gnutls_init(&e->tls, (server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NO_TICKETS) == 0 &&
         gnutls_priority_set_direct(e->tls, "NORMAL:-VERS-ALL:+VERS-TLS1.3:%DISABLE_TLS13_COMPAT_MODE", NULL) == 0 &&
         gnutls_credentials_set(e->tls, GNUTLS_CRD_CERTIFICATE, c) == 0, "no TLS");
    gnutls_transport_set_int(e->tls, e->fd);
    do
        rc = gnutls_handshake(e->tls);
    while (rc < 0 && !gnutls_error_is_fatal(rc));
    must(rc == 0, gnutls_strerror(rc));
}

static void take(struct end *e, size_t bytes)
{
    char    room[BYTES_OUT];
    ssize_t n;

    for (size_t got = 0; got < bytes; got += n > 0 ? (size_t)n : 0) {
        n = gnutls_record_recv(e->tls, room, bytes - got);
        must(n > 0 || n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED, "a connection ended");
    }
}

static void give(struct end *e, size_t bytes)
{
    static const char text[BYTES_OUT];

    must(gnutls_record_send(e->tls, text, bytes) == (ssize_t)bytes, "sending failed");
}

/* The processor time of all messages. */
static double serve(struct end *in, struct end *out)
{
    int                ep = epoll_create1(0), ready;
    struct epoll_event e = { .events = EPOLLIN }, events[EVENTS];
    double             began = cpu_us();

    for (uint32_t i = 0; i < PAIRS; i++) {
        e.data.u32 = i;
        must(epoll_ctl(ep, EPOLL_CTL_ADD, in[i].fd, &e) == 0, "no epoll");
    }
    for (int done = 0; done < ROUNDS * PAIRS; done += ready > 0 ? ready : 0) {
        ready = epoll_wait(ep, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            take(&in[events[i].data.u32], BYTES_IN);
            give(&out[events[i].data.u32], BYTES_OUT);
        }
    }
    return cpu_us() - began;
}

static void feed(struct end *in, struct end *out)
{
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < PAIRS; i++)
            give(&in[i], BYTES_IN);
        for (int i = 0; i < PAIRS; i++)
            take(&out[i], BYTES_OUT);
    }
}

int main(void)
{
    static struct end in[PAIRS], out[PAIRS];
    static int        fds[2 * PAIRS][2];
    double           *spent = mmap(NULL, sizeof(*spent), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int               status = 1;

    must(spent != MAP_FAILED, "no memory");
    for (int i = 0; i < 2 * PAIRS; i++)
        connection(fds[i]);
    pid_t server = fork();
    gnutls_certificate_credentials_t c = credentials(server == 0);
    for (int i = 0; i < 2 * PAIRS; i++) {
        struct end *e = i % 2 ? &out[i / 2] : &in[i / 2];
        e->fd = fds[i][server == 0];
        close(fds[i][server != 0]);
        begin_tls(e, server == 0, c);
    }
    if (server == 0) {
        *spent = serve(in, out);
        return 0;
    }
    feed(in, out);
    must(waitpid(server, &status, 0) == server && status == 0, "the relay failed");
    printf("relay_us=%.2f then_us=%.1f\n", *spent / (ROUNDS * PAIRS), RELAY_THEN_US);
    return 0;
}
