/* Listening sockets of c2sd (listener.h): which ones the settings or systemd want. */

#include "listener.h"

#include <stdlib.h>

#include "conn.h"
#include "listen.h"

struct listeners {
    char              *wanted;        /* what the settings said, as text */
    struct listen_set *set;
};

enum { TAG_STARTTLS, TAG_DIRECT_TLS };

struct ports {
    long c2s, c2s_tls;
};

static struct ports ports_of(const struct c2sd *s)
{
    const struct settings          *all = c2sd_settings(s);
    const struct settings_instance *own = settings_instance(all, s->daemon->instance);
    struct ports                    p = { all->listen.c2s, all->listen.c2s_tls };

    if (own && own->c2s >= 0)
        p.c2s = own->c2s;
    if (own && own->c2s_tls >= 0)
        p.c2s_tls = own->c2s_tls;
    return p;
}

static char *wanted(const struct c2sd *s)
{
    const struct settings *all = c2sd_settings(s);
    struct ports           p = ports_of(s);
    struct buf             text = { 0 };

    for (size_t i = 0; i < all->listen.address.count; i++)
        buf_printf(&text, "%s ", all->listen.address.item[i]);
    buf_printf(&text, "c2s %ld tls %ld", p.c2s, p.c2s_tls);
    char *out = xstrndup(buf_slice(&text));
    buf_free(&text);
    return out;
}

static void on_client(void *owner, uv_stream_t *stream, int tag)
{
    conn_accept(owner, stream, tag == TAG_DIRECT_TLS);
}

/* Sockets of systemd: any number under each name. */
static size_t take_handed_over(struct listeners *all)
{
    static const struct {
        const char *name;
        int         tag;
    } names[] = { { "c2s", TAG_STARTTLS }, { "c2s-tls", TAG_DIRECT_TLS } };
    size_t taken = 0;

    for (size_t i = 0; i < COUNT_OF(names); i++)
        for (int fd; (fd = daemon_socket(names[i].name)) >= 0; taken++)
            listen_set_take(all->set, fd, names[i].tag);
    return taken;
}

static bool open_address(struct listeners *all, const struct c2sd *s, const char *address)
{
    struct ports ports = ports_of(s);
    bool         fine = true;

    if (ports.c2s)
        fine = listen_set_open(all->set, address, ports.c2s, TAG_STARTTLS, "starttls");
    if (ports.c2s_tls && s->certs)
        fine &= listen_set_open(all->set, address, ports.c2s_tls, TAG_DIRECT_TLS, "tls");
    return fine;
}

struct listeners *listeners_open(struct c2sd *s)
{
    const struct settings *set = c2sd_settings(s);
    struct listeners      *all = xcalloc(1, sizeof(*all));
    bool                   fine = true;

    all->wanted = wanted(s);
    all->set = listen_set_new(s->daemon->loop, on_client, s);
    if (take_handed_over(all) > 0)
        return all;
    for (size_t i = 0; i < set->listen.address.count; i++)
        fine &= open_address(all, s, set->listen.address.item[i]);
    if (!fine)
        listeners_close(&all);
    return all;
}

void listeners_close(struct listeners **listeners)
{
    struct listeners *all = *listeners;

    *listeners = NULL;
    if (!all)
        return;
    listen_set_close(&all->set);
    free(all->wanted);
    free(all);
}

bool listeners_differ(const struct listeners *listeners, const struct c2sd *s)
{
    char *now = wanted(s);
    bool  differ = !listeners || strcmp(now, listeners->wanted) != 0;

    free(now);
    return differ;
}

void listeners_pause(struct listeners *listeners, bool paused)
{
    if (listeners)
        listen_set_pause(listeners->set, paused);
}

size_t listeners_count(const struct listeners *listeners)
{
    return listeners ? listen_set_count(listeners->set) : 0;
}
