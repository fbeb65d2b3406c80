/* Dialback keys and elements (dialback.h). */

#include "dialback.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "encode.h"
#include "jid.h"
#include "log.h"
#include "mem.h"
#include "ns.h"
#include "stanza_error.h"
#include "xml_write.h"

enum { SECRET_MIN = 16, SECRET_MAX = 256 };

/* ---- keys ---- */

static void put_hex(const uint8_t hash[32], char out[DIALBACK_KEY])
{
    struct buf text = { 0 };

    hex_put(&text, slice_of(hash, 32));
    memcpy(out, buf_slice(&text).p, DIALBACK_KEY);
    buf_free(&text);
}

/* XEP-0185 2: the HMAC key is the hash in hexadecimal. */
void dialback_init(struct dialback *d, struct slice secret)
{
    uint8_t hash[32];

    sha256(secret, hash);
    put_hex(hash, d->secret_hash);
}

void dialback_key(const struct dialback *d, struct slice receiving, struct slice originating, struct slice id,
                  char out[DIALBACK_KEY])
{
    struct buf text = { 0 };
    uint8_t    mac[32];

    buf_put_slice(&text, receiving);
    buf_put_u8(&text, ' ');
    buf_put_slice(&text, originating);
    buf_put_u8(&text, ' ');
    buf_put_slice(&text, id);
    hmac_sha256(slice_of(d->secret_hash, DIALBACK_KEY), buf_slice(&text), mac);
    put_hex(mac, out);
    buf_free(&text);
}

bool dialback_key_is(const struct dialback *d, struct slice receiving, struct slice originating,
                     struct slice id, struct slice key)
{
    char mine[DIALBACK_KEY];

    dialback_key(d, receiving, originating, id, mine);
    return same_secret(slice_of(mine, sizeof(mine)), key);
}

/* ---- the secret ---- */

static enum zerr read_secret(struct dialback *d, const char *path)
{
    char secret[SECRET_MAX];
    int  fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return ZE_NOT_FOUND;
    ssize_t n = read(fd, secret, sizeof(secret));
    close(fd);
    if (n >= SECRET_MIN)
        dialback_init(d, slice_of(secret, (size_t)n));
    wipe(secret, sizeof(secret));
    return n >= SECRET_MIN ? ZE_OK : ZE_STORE;
}

static bool write_secret(const char *path)
{
    char secret[RANDOM_ID * 2];
    int  fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return false;
    random_id(secret);
    random_id(secret + RANDOM_ID - 1);
    size_t len = strlen(secret);
    bool   written = write(fd, secret, len) == (ssize_t)len && fsync(fd) == 0;
    wipe(secret, sizeof(secret));
    return close(fd) == 0 && written;
}

/* Whole or not at all, and the first of several instances wins: a link never replaces. */
static void make_secret(const char *dir, const char *path)
{
    char id[RANDOM_ID];

    random_id(id);
    char *fresh = xprintf("%s/.dialback.%s", dir, id);
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        log_error("secret_failed", "to", dir, "why", strerror(errno), NULL);
    else if (!write_secret(fresh) || (link(fresh, path) < 0 && errno != EEXIST))
        log_error("secret_failed", "to", path, "why", strerror(errno), NULL);
    unlink(fresh);
    free(fresh);
}

enum zerr dialback_open(struct dialback *d, const char *data_dir)
{
    char     *dir = xprintf("%s/s2s", data_dir);
    char     *path = xprintf("%s/dialback.secret", dir);
    enum zerr err = read_secret(d, path);

    if (err == ZE_NOT_FOUND) {
        make_secret(dir, path);
        err = read_secret(d, path);
    }
    if (err)
        log_error("secret_failed", "from", path, "why", "cannot be read, or too short", NULL);
    free(path);
    free(dir);
    return err ? ZE_STORE : ZE_OK;
}

/* ---- elements ---- */

static const char *const type_names[] = { "", "valid", "invalid", "error" };

static enum dialback_type type_of(struct slice text)
{
    for (enum dialback_type type = DIALBACK_REQUEST; type < DIALBACK_STRANGE; type++)
        if (slice_is(text, type_names[type]))
            return type;
    return DIALBACK_STRANGE;
}

static bool take_domain(struct arena *arena, const struct element *e, const char *name, struct slice *out)
{
    struct slice raw_jid = element_attr(e, name);
    struct jid   jid;

    if (raw_jid.len == 0 || jid_parse(raw_jid, &jid) != ZE_OK || !jid_is_domain(jid_slice(&jid)))
        return false;
    *out = arena_copy(arena, jid_slice(&jid));
    return true;
}

static struct slice trim(struct slice s)
{
    while (s.len && memchr(" \t\r\n", s.p[0], 4))
        s = slice_cut(s, 1, s.len);
    while (s.len && memchr(" \t\r\n", s.p[s.len - 1], 4))
        s.len--;
    return s;
}

/* XEP-0220 2.5: the <error/> is in the namespace of the stream's stanzas. */
static enum zerr error_of(const struct element *e)
{
    const struct element *error = element_child(e, NS_SERVER, "error");

    return stanza_error_parse(error ? error : element_child(e, NS_CLIENT, "error"));
}

enum zerr dialback_read(struct arena *arena, const struct element *e, struct dialback_said *out)
{
    *out = (struct dialback_said){ .verify = slice_is(e->name, "verify"), .id = element_attr(e, "id") };
    out->type = type_of(element_attr(e, "type"));
    if (!take_domain(arena, e, "from", &out->from) || !take_domain(arena, e, "to", &out->to) ||
        out->type == DIALBACK_STRANGE || (out->verify && out->id.len == 0))
        return ZE_BAD_REQUEST;
    if (out->type == DIALBACK_REQUEST) {
        out->key = trim(element_text(arena, e));
        if (out->key.len == 0 || out->key.len > DIALBACK_KEY_MAX)
            return ZE_BAD_REQUEST;
    }
    if (out->type == DIALBACK_ERROR)
        out->err = error_of(e);
    return ZE_OK;
}

static void put_attribute(struct buf *out, const char *name, struct slice value)
{
    if (value.len == 0)
        return;
    buf_printf(out, " %s='", name);
    xml_escape(out, value);
    buf_put_u8(out, '\'');
}

/* The prefix is the one our stream headers declare: some peers know no other (XEP-0220 2). */
void dialback_write(struct buf *out, const struct dialback_said *said)
{
    const char *name = said->verify ? "verify" : "result";

    buf_printf(out, "<db:%s", name);
    put_attribute(out, "from", said->from);
    put_attribute(out, "to", said->to);
    put_attribute(out, "id", said->id);
    if (said->type != DIALBACK_REQUEST)
        put_attribute(out, "type", slice_str(type_names[said->type]));
    if (said->type == DIALBACK_REQUEST || said->type == DIALBACK_ERROR) {
        buf_put_u8(out, '>');
        xml_escape(out, said->key);
        if (said->type == DIALBACK_ERROR)
            stanza_error_write(out, said->err, NULL, (struct slice){ 0 });
        buf_printf(out, "</db:%s>", name);
    } else {
        buf_put_str(out, "/>");
    }
}
