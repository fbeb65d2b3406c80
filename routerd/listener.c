/* The role sockets and who may connect (listener.h).
 *
 * Installed, each daemon is a user of its own, and only zubr-<role> may come through the socket of its
 * role: not even root, not routerd's own user. Installed means that systemd made the socket, or that
 * we run as the user zubr-routerd. Anything else is a development instance, where all daemons run as
 * one user: then exactly our own user may connect. */

#include "listener.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"
#include "peer.h"

enum { BACKLOG = 128, ACCEPTS_A_TURN = 16, STRANGERS_MAX = 64 };

struct listener {
    uv_poll_t      poll;
    struct router *router;
    unsigned       role;
    int            fd;
    char          *path;        /* of a socket that we made; else NULL */
    bool           has_user;    /* there is a user who may come */
    uid_t          user;        /* who */
};

static bool user_id(const char *role, uid_t *uid)
{
    char name[32];

    snprintf(name, sizeof(name), "zubr-%s", role);
    struct passwd *pw = getpwnam(name);
    if (pw)
        *uid = pw->pw_uid;
    return pw != NULL;
}

static void decide_user(struct listener *l, bool from_systemd)
{
    uid_t routerd;
    bool  installed = from_systemd || (user_id("routerd", &routerd) && routerd == geteuid());

    l->user = geteuid();
    l->has_user = installed ? user_id(role_name(l->role), &l->user) : true;
    if (!l->has_user)
        log_error("user_missing", "peer", role_name(l->role), "why", "nobody can connect as this role", NULL);
}

static bool may_come(const struct listener *l, int fd, struct ucred *who)
{
    socklen_t len = sizeof(*who);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &len) || !l->has_user || who->uid != l->user) {
        log_warn("peer_refused", "peer", role_name(l->role), "why", "wrong user", "from",
                 log_num(who->uid), NULL);
        return false;
    }
    if (peer_strangers(l->router, l->role) < STRANGERS_MAX)
        return true;
    log_warn("peer_refused", "peer", role_name(l->role), "why", "too many without HELLO", NULL);
    return false;
}

static void on_connections(uv_poll_t *poll, int status, int events)
{
    struct listener *l = poll->data;

    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct ucred who = { .uid = (uid_t)-1 };
        int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        if (may_come(l, fd, &who))
            peer_new(l->router, fd, l->role, who.pid);
        else
            close(fd);
    }
}

/* A socket file without has_user behind it is left over; one that answers is another routerd's. */
static bool path_is_free(const struct sockaddr_un *address, const char *path)
{
    int  fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool answered = fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0
                                || errno == EAGAIN);

    if (fd >= 0)
        close(fd);
    if (answered)
        log_error("socket_taken", "why", "another routerd answers there", "peer", path, NULL);
    else
        unlink(path);
    return !answered;
}

static int make_socket(const char *path)
{
    struct sockaddr_un address;

    if (!wire_address(path, &address) || !path_is_free(&address, path))
        return -1;
    int    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t old = umask(0117);
    int    failed = fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, BACKLOG);
    umask(old);
    if (!failed)
        return fd;
    log_error("socket_failed", "peer", path, "err", strerror(errno), NULL);
    if (fd >= 0)
        close(fd);
    return -1;
}

struct listener *listener_new(struct router *r, unsigned role)
{
    struct listener *l = xcalloc(1, sizeof(*l));

    l->router = r;
    l->role = role;
    l->fd = daemon_socket(role_name(role));
    bool from_systemd = l->fd >= 0;
    if (!from_systemd) {
        l->path = xprintf("%s/router/%s.sock", r->d->settings->dir.run, role_name(role));
        l->fd = make_socket(l->path);
    }
    if (l->fd < 0) {
        free(l->path);
        free(l);
        return NULL;
    }
    decide_user(l, from_systemd);
    int err = uv_poll_init(loop_uv(r->d->loop), &l->poll, l->fd);
    if (err)
        fatal("listener_failed", "err", uv_strerror(err), NULL);
    l->poll.data = l;
    uv_poll_start(&l->poll, UV_READABLE, on_connections);
    return l;
}

static void on_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;

    free(l->path);
    free(l);
}

void listener_free(struct listener **l)
{
    if (!*l)
        return;
    if ((*l)->path)
        unlink((*l)->path);
    uv_close((uv_handle_t *)&(*l)->poll, on_closed);
    close((*l)->fd);
    *l = NULL;
}
