/* The control socket itself: who may ask (ctl.h). */

#include "ctl_priv.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"

enum { ASKERS_MAX = 64, GROUPS_MAX = 256 };

/* ---- who may ask ---- */
static bool in_group(uid_t uid, const char *group_name)
{
    struct group   group, *found_group = NULL;
    struct passwd  user, *found_user = NULL;
    char          *text = xmalloc(65536);
    gid_t          groups[GROUPS_MAX];
    int            count = GROUPS_MAX;
    bool           found = false;

    if (getgrnam_r(group_name, &group, text, 65536, &found_group) == 0 && found_group) {
        gid_t wanted = group.gr_gid;

        if (getpwuid_r(uid, &user, text, 65536, &found_user) == 0 && found_user &&
            getgrouplist(user.pw_name, user.pw_gid, groups, &count) >= 0)
            for (int i = 0; i < count && !found; i++)
                found = groups[i] == wanted;
    }
    free(text);
    return found;
}

static bool may_ask(struct ctl_asker *a)
{
    struct ucred peer;
    socklen_t    len = sizeof(peer);
    int          fd;

    if (uv_fileno((uv_handle_t *)&a->pipe, &fd) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return false;
    if (peer.uid == 0 || peer.uid == geteuid() || in_group(peer.uid, a->server->admin_group))
        return true;
    log_warn("ctl_refused", "from", log_num(peer.uid), "why", a->server->admin_group, NULL);
    return false;
}

static void on_asker(uv_stream_t *listener, int status)
{
    struct ctl_server *server = listener->data;

    if (status < 0)
        return;
    struct ctl_asker *a = ctl_asker_new(server);
    if (uv_accept(listener, (uv_stream_t *)&a->pipe) < 0) {
        ctl_hang_up(a);
        return;
    }
    if (!may_ask(a))
        ctl_refuse(a, ZE_FORBIDDEN, "for root, the daemon's user and the administrators' group");
    else if (server->asker_count > ASKERS_MAX)
        ctl_refuse(a, ZE_FULL, "too many connections");
    ctl_serve(a);
}

/* ---- the listener ---- */
/* The administrators' group can reach the socket only if it owns it; a daemon may give it away only
 * to a group it is in itself. */
static void give_to_group(const char *path, const char *group_name)
{
    struct group group, *found = NULL;
    char        *text = xmalloc(65536);

    if (getgrnam_r(group_name, &group, text, 65536, &found) == 0 && found &&
        chown(path, (uid_t)-1, group.gr_gid) < 0)
        log_info("ctl_group_unset", "why", strerror(errno), NULL);
    free(text);
}

static int open_listener(struct ctl_server *server)
{
    struct stat st;

    if (lstat(server->path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(server->path);
    int err = uv_pipe_bind(&server->listener, server->path);
    if (err < 0)
        return err;
    if (chmod(server->path, 0660) < 0)         /* nobody can connect before listen */
        return -errno;
    give_to_group(server->path, server->admin_group);
    return uv_listen((uv_stream_t *)&server->listener, ASKERS_MAX, on_asker);
}

static void on_server_closed(uv_handle_t *handle)
{
    struct ctl_server *server = handle->data;

    free(server->admin_group);
    free(server);
}

struct ctl_server *ctl_listen(struct loop *loop, const char *path, const char *admin_group,
                              const struct ctl_verb *const *tables, void *daemon)
{
    if (strlen(path) >= sizeof(((struct ctl_server *)0)->path)) {
        log_error("ctl_failed", "path", path, "why", "longer than 107 bytes", NULL);
        return NULL;
    }
    struct ctl_server *server = xcalloc(1, sizeof(*server));
    server->loop = loop;
    server->tables = tables;
    server->daemon = daemon;
    server->admin_group = xstrdup(admin_group);
    snprintf(server->path, sizeof(server->path), "%s", path);
    list_init(&server->askers);
    uv_pipe_init(loop_uv(loop), &server->listener, 0);
    server->listener.data = server;
    int err = open_listener(server);
    if (err < 0) {
        log_error("ctl_failed", "path", path, "why",
                  err == UV_EACCES ? "permission denied or no such directory" : uv_strerror(err), NULL);
        uv_close((uv_handle_t *)&server->listener, on_server_closed);
        return NULL;
    }
    return server;
}

void ctl_close(struct ctl_server **server)
{
    if (!*server)
        return;
    LIST_EACH(&(*server)->askers, node)
        ctl_hang_up(LIST_OWNER(node, struct ctl_asker, link));
    unlink((*server)->path);
    uv_close((uv_handle_t *)&(*server)->listener, on_server_closed);
    *server = NULL;
}
