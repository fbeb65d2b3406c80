/* One question to one daemon over its control socket (DESIGN.md 8), and its answer. */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "buf.h"
#include "ctl.h"
#include "mem.h"
#include "zubrctl.h"

/* A connected descriptor or -1. */
static int dial(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(address.sun_path)) {
        fprintf(stderr, "zubrctl: %s: a socket's path has at most 107 bytes\n", path);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        if (errno == EACCES || errno == EPERM)
            fprintf(stderr, "zubrctl: %s: %s (it is for root and the group of administrators)\n", path,
                    strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_line(int fd, const char *line)
{
    size_t len = strlen(line);

    while (len > 0) {
        ssize_t sent = send(fd, line, len, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        line += sent;
        len -= (size_t)sent;
    }
    return send(fd, "\n", 1, MSG_NOSIGNAL) == 1;
}

/* Takes one line of the answer. True when it was the last one. */
static bool take_line(struct answer *a, struct slice line)
{
    if (slice_is(line, "ok")) {
        a->reached = true;
        return true;
    }
    if (slice_starts(line, SLICE("error "))) {
        struct slice   rest = slice_cut(line, 6, line.len);
        const uint8_t *blank = rest.len ? memchr(rest.p, ' ', rest.len) : NULL;
        size_t         code = blank ? (size_t)(blank - rest.p) : rest.len;

        a->reached = true;
        a->code = xstrndup(slice_cut(rest, 0, code));
        a->reason = xstrndup(slice_cut(rest, blank ? code + 1 : code, rest.len));
        return true;
    }
    json_t *row = json_loadb((const char *)line.p, line.len, JSON_ALLOW_NUL, NULL);
    if (json_is_object(row))
        json_array_append(a->rows, row);
    json_decref(row);
    return false;
}

static bool take_lines(struct answer *a, struct buf *in)
{
    for (;;) {
        struct slice   all = buf_slice(in);
        const uint8_t *end = all.len ? memchr(all.p, '\n', all.len) : NULL;

        if (!end)
            return false;
        bool last = take_line(a, slice_cut(all, 0, (size_t)(end - all.p)));
        buf_consume(in, (size_t)(end - all.p) + 1);
        if (last)
            return true;
    }
}

static void read_answer(int fd, int quiet_ms, struct answer *a)
{
    struct pollfd readable = { .fd = fd, .events = POLLIN };
    struct buf    in = { 0 };

    for (;;) {
        int ready = poll(&readable, 1, quiet_ms);

        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            break;
        ssize_t got = read(fd, buf_reserve(&in, 65536), 65536);
        if (got <= 0)
            break;
        buf_added(&in, (size_t)got);
        if (take_lines(a, &in))
            break;
    }
    buf_free(&in);
}

void ask(const struct instance *whom, const char *line, int quiet_ms, struct answer *out)
{
    *out = (struct answer){ .rows = json_array() };
    int fd = dial(whom->path);
    if (fd < 0)
        return;
    send_line(fd, line);        /* who was refused at once has an answer to read all the same */
    read_answer(fd, quiet_ms, out);
    close(fd);
}

void answer_free(struct answer *a)
{
    json_decref(a->rows);
    free(a->code);
    free(a->reason);
    *a = (struct answer){ 0 };
}

char *request_line(const char *verb, int argc, char *const *argv)
{
    struct buf line = { 0 };

    buf_put_str(&line, "--json ");
    ctl_quote(&line, verb);
    for (int i = 0; i < argc; i++) {
        buf_put_u8(&line, ' ');
        ctl_quote(&line, argv[i]);
    }
    buf_put_u8(&line, '\0');
    char *text = xstrdup((char *)line.bytes);
    wipe(line.bytes, line.room);
    buf_free(&line);
    return text;
}
