/* The steps of daemon_main before there is a loop: command line, privileges, limits, directories and
 * the sockets systemd hands over. */

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "daemon_runtime.h"
#include "log.h"
#include "mem.h"

enum { INSTANCES_MAX = 1024, EXIT_CONFIG = 78 };

enum {
    OPT_CONFIG = 'c', OPT_INSTANCE = 'i', OPT_SET = 's', OPT_HELP = 'h', OPT_VERSION = 'V',
    OPT_PRINT_CONFIG = 256, OPT_PRINT_CONTROL, OPT_PRINT_INSTANCES,
};

static const struct option long_options[] = {
    { "config",          required_argument, NULL, OPT_CONFIG },
    { "instance",        required_argument, NULL, OPT_INSTANCE },
    { "set",             required_argument, NULL, OPT_SET },
    { "help",            no_argument,       NULL, OPT_HELP },
    { "version",         no_argument,       NULL, OPT_VERSION },
    { "print-config",    no_argument,       NULL, OPT_PRINT_CONFIG },
    { "print-control",   no_argument,       NULL, OPT_PRINT_CONTROL },
    { "print-instances", no_argument,       NULL, OPT_PRINT_INSTANCES },
    { 0 },
};

static void usage(FILE *to, const char *name)
{
    fprintf(to,
            "usage: zubr-%s --config FILE [--instance NAME] [--set section.key=value]...\n"
            "       zubr-%s --help | --version | --print-config | --print-control\n"
            "       zubr-%s --config FILE --print-instances\n"
            "NAME is %s unless said.\n",
            name, name, name, strcmp(name, "routerd") == 0 ? "routerd" : "the first instance of this role");
}

static int print_instances(const struct options *o)
{
    const char *names[INSTANCES_MAX];
    struct settings *s = o->config ? settings_load(o->config, o->overrides) : NULL;

    if (!s)
        return EXIT_CONFIG;
    size_t count = settings_instances(s, names, INSTANCES_MAX);
    for (size_t i = 0; i < count && i < INSTANCES_MAX; i++)
        puts(names[i]);
    settings_free(&s);
    return 0;
}

static int print_control(const struct daemon_spec *spec)
{
    const struct ctl_verb *const tables[] = { daemon_verbs, spec->verbs, NULL };

    ctl_print_docs(spec->name, tables);
    return 0;
}

static void add_override(struct options *o, const char *text)
{
    size_t count = 0;

    while (o->overrides && o->overrides[count])
        count++;
    o->overrides = xrealloc(o->overrides, (count + 2) * sizeof(*o->overrides));
    o->overrides[count] = text;
    o->overrides[count + 1] = NULL;
}

/* Printing waits until every option was read: --print-instances needs --config. */
static int leave_after(int what, const struct options *o, const struct daemon_spec *spec)
{
    switch (what) {
    case OPT_HELP:            usage(stdout, spec->name); return 0;
    case OPT_VERSION:         printf("zubr-%s %s\n", spec->name, ZUBR_VERSION); return 0;
    case OPT_PRINT_CONFIG:    settings_print_rows(); return 0;
    case OPT_PRINT_CONTROL:   return print_control(spec);
    case OPT_PRINT_INSTANCES: return print_instances(o);
    case 0:                   break;
    default:                  usage(stderr, spec->name); return 1;
    }
    if (o->config)
        return -1;
    fprintf(stderr, "zubr-%s: --config FILE is needed\n", spec->name);
    return 1;
}

struct options daemon_options(int argc, char **argv, const struct daemon_spec *spec)
{
    struct options o = { 0 };
    int            opt, what = 0;

    while ((opt = getopt_long(argc, argv, "c:i:s:hV", long_options, NULL)) != -1) {
        if (opt == OPT_CONFIG)
            o.config = optarg;
        else if (opt == OPT_INSTANCE)
            o.instance = optarg;
        else if (opt == OPT_SET)
            add_override(&o, optarg);
        else
            what = opt;
    }
    if (optind < argc)
        what = '?';
    o.leave = leave_after(what, &o, spec);
    return o;
}

void daemon_check_instance(const struct settings *s, const char *instance, unsigned role)
{
    const char *names[INSTANCES_MAX];
    size_t count = settings_instances(s, names, INSTANCES_MAX);

    for (size_t i = 0; i < count && i < INSTANCES_MAX; i++)
        if (strcmp(names[i], instance) == 0 && (unsigned)role_of_instance(instance) == role)
            return;
    fprintf(stderr, "zubr-%s: the configuration has no instance \"%s\" of this role; it asks for:",
            role_name(role), instance);
    for (size_t i = 0; i < count && i < INSTANCES_MAX; i++)
        fprintf(stderr, " %s", names[i]);
    fputc('\n', stderr);
    exit(EXIT_CONFIG);
}

/* systemd and ./dev start us as the right user. By hand as root we become zubr-<role>, or refuse. */
void daemon_drop_root(const struct daemon_spec *spec)
{
    char name[32];

    if (geteuid() != 0)
        return;
    snprintf(name, sizeof(name), "zubr-%s", spec->name);
    struct passwd *pw = getpwnam(name);
    if (!pw || pw->pw_uid == 0)
        fatal("root_refused", "why", "started as root and there is no such user to become", "peer", name,
              NULL);
    if (initgroups(name, pw->pw_gid) || setgid(pw->pw_gid) || setuid(pw->pw_uid))
        fatal("root_not_dropped", "err", strerror(errno), NULL);
    if (setuid(0) == 0 || geteuid() == 0)
        fatal("root_not_dropped", "why", "it could be taken back", NULL);
}

void daemon_raise_limits(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void make_place(const char *path)
{
    if (mkdir(path, 0750) && errno != EEXIST)
        fatal("directory_not_made", "err", strerror(errno), "why", path, NULL);
}

void daemon_make_places(const struct settings *s)
{
    static const char *const below[] = { "", "/ctl", "/router" };

    for (size_t i = 0; i < COUNT_OF(below); i++) {
        char *path = xprintf("%s%s", s->dir.run, below[i]);
        make_place(path);
        free(path);
    }
}

struct store *daemon_open_store(struct daemon *d, const char *name, const struct store_spec *own)
{
    char             *path = xprintf("%s/%s", d->settings->dir.data, name);
    char             *record = xprintf("%s/records/%s", d->settings->dir.data, name);
    struct store_spec spec = {
        .path = path, .tables = own->tables, .schema = own->schema, .runs = own->runs, .gather_ms = own->gather_ms,
        .writer = d->instance, .owner_of = routes_owner_key, .instance = instance_key(d->instance), .live = d->live,
        .record = record, .disk_floor_mb = d->settings->limits.disk_floor_mb,
    };
    struct store *store = store_open(d->loop, &spec);

    if (store && daemon_runtime.store_count < COUNT_OF(daemon_runtime.stores))
        daemon_runtime.stores[daemon_runtime.store_count++] = store;
    free(path);
    free(record);
    return store;
}

/* Names are kept as long as the process lives; each socket is given out once. */
int daemon_socket(const char *name)
{
    static char **names;
    static int    count = -1;

    if (count < 0)
        count = sd_listen_fds_with_names(1, &names);
    for (int i = 0; i < count; i++) {
        int fd = SD_LISTEN_FDS_START + i;
        if (!names[i] || strcmp(names[i], name) != 0 || sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
            continue;
        free(names[i]);
        names[i] = NULL;
        return fd;
    }
    return -1;
}
