/* The frame codec (frame.h, DESIGN.md 3). Pure: bytes in, fields out, no allocation on the way in.
 * What a frame may do (who sends which kind) is not judged here but at the gate of routerd. */

#include "frame.h"

#include <endian.h>

/* Where the fields lie; the picture is in frame.h. */
enum {
    AT_LENGTH = 0, AT_VERSION = 4, AT_KIND = 5, AT_FLAGS = 6,
    AT_ORIGIN_ROLE = 8, AT_DEST_ROLE = 9, AT_STANZA_NAME = 10, AT_STANZA_TYPE = 11,
    AT_GENERATION = 12, AT_ORIGIN_INSTANCE = 16, AT_DEST_INSTANCE = 20,
    AT_ORIGIN_LIFE = 24, AT_DEST_LIFE = 32, AT_HANDLE = 40, AT_SENDER = 48,
    AT_NUMBER = 56, AT_TRACE = 64, AT_STANZA_FLAGS = 72, AT_LIST_LEN = 76, AT_PART_LENS = 80,
};

enum { PARTS = 6 };     /* from, to, id, lang, ns, name: each with a u16 length */

const struct frame_kind_info frame_kinds[FRAME_KIND_MAX] = {
#define X(name, number, senders, reach, payload) [number] = { #name, senders, reach },
    FRAME_KINDS(X)
#undef X
};

static const struct {
    enum role   role;
    const char *name;
} role_names[] = {
    { ROLE_C2SD, "c2sd" },
    { ROLE_S2SD, "s2sd" },
    { ROLE_SM, "sm" },
    { ROLE_MUC, "muc" },
    { ROLE_ROUTERD, "routerd" },
};

const char *role_name(unsigned role)
{
    for (size_t i = 0; i < COUNT_OF(role_names); i++)
        if ((unsigned)role_names[i].role == role)
            return role_names[i].name;
    return "none";
}

/* There is one routerd; every other instance is role, dash, rest. */
enum role role_of_instance(const char *name)
{
    size_t prefix = strcspn(name, "-");

    if (strcmp(name, "routerd") == 0)
        return ROLE_ROUTERD;
    if (!name[prefix] || !name[prefix + 1])
        return ROLE_NONE;
    for (size_t i = 0; i < COUNT_OF(role_names); i++)
        if (role_names[i].role != ROLE_ROUTERD && strlen(role_names[i].name) == prefix
            && memcmp(name, role_names[i].name, prefix) == 0)
            return role_names[i].role;
    return ROLE_NONE;
}

uint32_t instance_key(const char *name)
{
    uint32_t hash = 2166136261u;

    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash ? hash : 1;
}

static uint16_t get_u16(const uint8_t *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof(v));
    return le16toh(v);
}

static uint32_t get_u32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return le32toh(v);
}

static uint64_t get_u64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return le64toh(v);
}

static void set_u16(uint8_t *p, uint16_t v)
{
    v = htole16(v);
    memcpy(p, &v, sizeof(v));
}

static void set_u32(uint8_t *p, uint32_t v)
{
    v = htole32(v);
    memcpy(p, &v, sizeof(v));
}

static void set_u64(uint8_t *p, uint64_t v)
{
    v = htole64(v);
    memcpy(p, &v, sizeof(v));
}

static bool names_a_stanza(enum frame_kind kind)
{
    return kind == FRAME_STANZA || kind == FRAME_FANOUT;
}

/* The fixed fields that a table is indexed with must be inside it. */
static bool header_is_sane(const uint8_t *h)
{
    uint8_t kind = h[AT_KIND];

    if (h[AT_VERSION] != FRAME_VERSION || kind >= FRAME_KIND_MAX || !frame_kinds[kind].name)
        return false;
    if (h[AT_STANZA_NAME] > STANZA_IQ || h[AT_STANZA_TYPE] >= TYPE_COUNT)
        return false;
    return h[AT_STANZA_NAME] != STANZA_NONE || !names_a_stanza(kind);
}

static void get_header(const uint8_t *h, struct frame *out)
{
    *out = (struct frame){
        .kind = h[AT_KIND],
        .flags = get_u16(h + AT_FLAGS),
        .origin = { h[AT_ORIGIN_ROLE], get_u32(h + AT_ORIGIN_INSTANCE), get_u64(h + AT_ORIGIN_LIFE) },
        .dest = { h[AT_DEST_ROLE], get_u32(h + AT_DEST_INSTANCE), get_u64(h + AT_DEST_LIFE) },
        .generation = get_u32(h + AT_GENERATION),
        .handle = get_u64(h + AT_HANDLE),
        .sender = get_u64(h + AT_SENDER),
        .number = get_u64(h + AT_NUMBER),
        .trace = get_u64(h + AT_TRACE),
        .stanza = { .name = h[AT_STANZA_NAME], .type = h[AT_STANZA_TYPE],
                    .flags = get_u32(h + AT_STANZA_FLAGS) },
    };
}

ssize_t frame_decode(struct slice in, struct frame *out)
{
    if (in.len < 4)
        return 0;
    size_t length = get_u32(in.p + AT_LENGTH);
    if (length < FRAME_HEADER - 4 || length > FRAME_MAX)
        return ZE_PROTOCOL;
    if (in.len >= FRAME_HEADER && !header_is_sane(in.p))
        return ZE_PROTOCOL;     /* early: 16 MB of junk need not arrive first */
    if (in.len < 4 + length)
        return 0;

    get_header(in.p, out);
    struct slice *parts[PARTS] = { &out->stanza.from, &out->stanza.to, &out->stanza.id, &out->stanza.lang,
                                   &out->stanza.payload_ns, &out->stanza.payload_name };
    const uint8_t *at = in.p + FRAME_HEADER, *end = in.p + 4 + length;
    for (size_t i = 0; i < PARTS; i++) {
        size_t len = get_u16(in.p + AT_PART_LENS + 2 * i);
        if (len > (size_t)(end - at))
            return ZE_PROTOCOL;
        *parts[i] = slice_of(at, len);
        at += len;
    }
    size_t list_len = get_u32(in.p + AT_LIST_LEN);
    if (list_len > (size_t)(end - at))
        return ZE_PROTOCOL;
    out->list = slice_of(at, list_len);
    out->body = slice_of(at + list_len, (size_t)(end - at) - list_len);
    out->stanza.content = out->body;
    return (ssize_t)(4 + length);
}

static void set_header(uint8_t *h, const struct frame *f, uint32_t length)
{
    set_u32(h + AT_LENGTH, length);
    h[AT_VERSION] = FRAME_VERSION;
    h[AT_KIND] = (uint8_t)f->kind;
    set_u16(h + AT_FLAGS, f->flags);
    frame_stamp_origin(h, &f->origin);
    h[AT_DEST_ROLE] = f->dest.role;
    h[AT_STANZA_NAME] = f->stanza.name;
    h[AT_STANZA_TYPE] = f->stanza.type;
    set_u32(h + AT_GENERATION, f->generation);
    set_u32(h + AT_DEST_INSTANCE, f->dest.instance);
    set_u64(h + AT_DEST_LIFE, f->dest.incarnation);
    set_u64(h + AT_HANDLE, f->handle);
    set_u64(h + AT_SENDER, f->sender);
    set_u64(h + AT_NUMBER, f->number);
    set_u64(h + AT_TRACE, f->trace);
    set_u32(h + AT_STANZA_FLAGS, f->stanza.flags);
    set_u32(h + AT_LIST_LEN, (uint32_t)f->list.len);
}

static uint8_t *append(uint8_t *at, struct slice s)
{
    if (s.len)
        memcpy(at, s.p, s.len);
    return at + s.len;
}

/* 0: a part is too long. */
static size_t length_with(const struct frame *f, size_t body)
{
    const size_t parts[PARTS] = { f->stanza.from.len, f->stanza.to.len, f->stanza.id.len, f->stanza.lang.len,
                                  f->stanza.payload_ns.len, f->stanza.payload_name.len };
    size_t total = FRAME_HEADER;

    for (size_t i = 0; i < PARTS; i++) {
        if (parts[i] > FRAME_PART_MAX)
            return 0;
        total += parts[i];
    }
    if (f->list.len > FRAME_MAX || body > FRAME_MAX)
        return 0;
    total += f->list.len + body;
    return total - 4 > FRAME_MAX ? 0 : total;
}

/* All but the body; returns where that goes. */
static uint8_t *write_head(uint8_t *h, const struct frame *f, size_t total)
{
    const struct slice parts[PARTS] = { f->stanza.from, f->stanza.to, f->stanza.id, f->stanza.lang,
                                        f->stanza.payload_ns, f->stanza.payload_name };
    uint8_t *at = h + FRAME_HEADER;

    set_header(h, f, (uint32_t)(total - 4));
    for (size_t i = 0; i < PARTS; i++) {
        set_u16(h + AT_PART_LENS + 2 * i, (uint16_t)parts[i].len);
        at = append(at, parts[i]);
    }
    return append(at, f->list);
}

size_t frame_length(const struct frame *f)
{
    return length_with(f, f->body.len);
}

void frame_write(uint8_t *at, const struct frame *f)
{
    append(write_head(at, f, frame_length(f)), f->body);
}

enum zerr frame_encode2(struct buf *out, const struct frame *f, struct slice body1, struct slice body2)
{
    size_t total = body1.len > FRAME_MAX || body2.len > FRAME_MAX ? 0 : length_with(f, body1.len + body2.len);

    if (!total)
        return ZE_FULL;
    uint8_t *h = buf_reserve(out, total);
    append(append(write_head(h, f, total), body1), body2);
    buf_added(out, total);
    return ZE_OK;
}

enum zerr frame_encode(struct buf *out, const struct frame *f)
{
    return frame_encode2(out, f, f->body, (struct slice){ 0 });
}

void frame_stamp_origin(uint8_t *bytes, const struct address *origin)
{
    bytes[AT_ORIGIN_ROLE] = origin->role;
    set_u32(bytes + AT_ORIGIN_INSTANCE, origin->instance);
    set_u64(bytes + AT_ORIGIN_LIFE, origin->incarnation);
}

void frame_readdress(uint8_t *bytes, const struct frame *f)
{
    set_u16(bytes + AT_FLAGS, f->flags);
    bytes[AT_DEST_ROLE] = f->dest.role;
    set_u32(bytes + AT_GENERATION, f->generation);
    set_u32(bytes + AT_DEST_INSTANCE, f->dest.instance);
    set_u64(bytes + AT_DEST_LIFE, f->dest.incarnation);
    set_u64(bytes + AT_NUMBER, f->number);
}

struct frame frame_make(enum frame_kind kind)
{
    return (struct frame){ .kind = kind };
}
