/* XEP-0215 External Service Discovery: the sections `service` of the configuration. One with a secret gets
 * credentials that end: those of coturn's `use-auth-secret`, name = "<seconds since 1970>:<user>", password =
 * base64(HMAC-SHA1(secret, name)). The user in it is a number that tells the operator's services which account
 * it was, and nobody the address. For the accounts of this host only. */

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "datetime.h"
#include "encode.h"
#include "feature.h"
#include "jid.h"
#include "log.h"
#include "ns.h"

enum { SECRET_MAX = 1024, USER_BYTES = 8 };

/* ---- credentials ---- */

/* The file's first line; empty: there is none. */
static struct slice read_secret(const char *path, char room[SECRET_MAX])
{
    int     fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, room, SECRET_MAX);

    if (fd >= 0)
        close(fd);
    if (got <= 0) {
        log_error("secret_failed", "from", path, NULL);
        return slice_of(NULL, 0);
    }
    const char *end = memchr(room, '\n', (size_t)got);
    return slice_of(room, end ? (size_t)(end - room) : (size_t)got);
}

struct credentials {
    uint64_t    expiry_s;
    struct buf  name, password;
};

static bool credentials_make(const struct settings_service *service, struct slice account, struct credentials *c)
{
    char         room[SECRET_MAX];
    struct slice secret = read_secret(service->secret_file, room);
    uint8_t      mac[32], sum[20];

    if (!secret.len)
        return false;
    c->expiry_s = wall_us() / 1000000 + (uint64_t)service->credentials_seconds;
    hmac_sha256(secret, account, mac);
    buf_printf(&c->name, "%llu:", (unsigned long long)c->expiry_s);
    hex_put(&c->name, slice_of(mac, USER_BYTES));
    hmac_sha1(secret, buf_slice(&c->name), sum);
    base64_put(&c->password, slice_of(sum, sizeof(sum)));
    wipe(room, sizeof(room));
    return true;
}

/* ---- services ---- */

static const char *host_of(const struct settings_service *s)
{
    return s->host[0] ? s->host : s->name;
}

static void service_open(struct xml_writer *w, const struct settings_service *s)
{
    xml_open(w, "service", NULL);
    xml_attr(w, "host", host_of(s));
    xml_attr(w, "type", s->type);
    xml_attr_num(w, "port", s->port);
    xml_attr(w, "transport", s->transport);
    xml_attr(w, "name", s->label[0] ? s->label : NULL);
}

/* False: its secret cannot be read; it is left out. */
static bool service_write(struct iq *iq, const struct settings_service *s)
{
    struct credentials c = { 0 };
    char               expires[DATETIME_MAX];
    bool               restricted = s->secret_file[0] != '\0';

    if (restricted && !credentials_make(s, iq->p->owner, &c))
        return false;
    service_open(iq->reply, s);
    if (restricted) {
        datetime_write(expires, c.expiry_s * 1000000);
        xml_attr(iq->reply, "restricted", "true");
        xml_attr_slice(iq->reply, "username", buf_slice(&c.name));
        xml_attr_slice(iq->reply, "password", buf_slice(&c.password));
        xml_attr(iq->reply, "expires", expires);
    }
    xml_close(iq->reply);
    buf_free(&c.name);
    buf_free(&c.password);
    return true;
}

/* 3.1, 3.2 */
static int services(struct iq *iq)
{
    const struct settings *settings = iq->p->sm->settings;
    struct slice           type = element_attr(iq->payload, "type");

    if (!iq->p->session)
        return ZE_FORBIDDEN;
    xml_open(iq->reply, "services", NS_EXTDISCO);
    xml_attr_slice(iq->reply, "type", type);
    for (size_t i = 0; i < settings->service_count; i++)
        if (!type.p || slice_is(type, settings->service[i].type))
            service_write(iq, &settings->service[i]);
    xml_close(iq->reply);
    return ZE_OK;
}

static bool is_meant(const struct settings_service *s, const struct element *asked)
{
    struct slice port = element_attr(asked, "port");
    char         text[24];

    snprintf(text, sizeof(text), "%ld", s->port);
    return s->secret_file[0] && slice_is(element_attr(asked, "host"), host_of(s)) &&
           slice_is(element_attr(asked, "type"), s->type) && (!port.p || slice_is(port, text));
}

/* 3.3 */
static int credentials(struct iq *iq)
{
    const struct settings *settings = iq->p->sm->settings;
    const struct element  *asked = element_child(iq->payload, NULL, "service");
    unsigned               found = 0;

    if (!iq->p->session)
        return ZE_FORBIDDEN;
    if (!asked || element_next(asked, NULL, "service") || !element_attr(asked, "host").len ||
        !element_attr(asked, "type").len)
        return ZE_BAD_REQUEST;
    xml_open(iq->reply, "credentials", NS_EXTDISCO);
    for (size_t i = 0; i < settings->service_count; i++)
        if (is_meant(&settings->service[i], asked))
            found += service_write(iq, &settings->service[i]);
    xml_close(iq->reply);
    return found ? ZE_OK : ZE_NOT_FOUND;
}

static bool on(const struct sm *sm)
{
    return sm->settings->service_count > 0;
}

static const char *const disco[] = { NS_EXTDISCO, NULL };

static const struct iq_row iqs[] = {
    { IQ_GET, NS_EXTDISCO, "services", TO_SERVER, services },
    { IQ_GET, NS_EXTDISCO, "credentials", TO_SERVER, credentials },
    { 0 },
};

const struct sm_feature sm_external_services = {
    .name = "external_services", .spec = "XEP-0215", .on = on, .disco_server = disco, .iqs = iqs,
};
