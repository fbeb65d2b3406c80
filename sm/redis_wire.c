/* One Redis connection as bytes (redis_wire.h). */

#include "redis_wire.h"

#include <stdlib.h>

#include <hiredis/hiredis.h>

#include "list.h"
#include "log.h"
#include "mem.h"

/* An answer with more elements than this is none of ours: hiredis would allocate what the header of an
 * array claims before a single element has come. */
enum { ELEMENTS_MAX = 8192, WORDS_MAX = 16 };

struct question {
    struct list   link;
    redis_answer *then;
    void         *arg;
    uint64_t      asked_ms;
};

struct redis_wire {
    struct redis_wire_spec     spec;
    redisReader               *reader;
    redisReplyObjectFunctions  objects;
    void *(*usual_array)(const redisReadTask *task, int elements);
    struct buf                 out;
    struct list                questions;      /* oldest first: Redis answers in order */
};

static void *bounded_array(const redisReadTask *task, int elements)
{
    struct redis_wire *w = task->privdata;

    return elements > ELEMENTS_MAX ? NULL : w->usual_array(task, elements);
}

struct redis_wire *redis_wire_new(const struct redis_wire_spec *spec)
{
    struct redis_wire *w = xcalloc(1, sizeof(*w));

    w->spec = *spec;
    w->reader = redisReaderCreate();
    if (!w->reader)
        fatal("out_of_memory", NULL);
    w->objects = *w->reader->fn;
    w->usual_array = w->objects.createArray;
    w->objects.createArray = bounded_array;
    w->reader->fn = &w->objects;
    w->reader->privdata = w;
    list_init(&w->questions);
    return w;
}

void redis_wire_free(struct redis_wire **wp)
{
    struct redis_wire *w = *wp;

    if (!w)
        return;
    *wp = NULL;
    LIST_EACH(&w->questions, node) {
        struct question *q = LIST_OWNER(node, struct question, link);
        list_remove(&q->link);
        if (q->then)
            q->then(q->arg, NULL);
        free(q);
    }
    redisReaderFree(w->reader);
    buf_free(&w->out);
    free(w);
}

enum zerr redis_wire_ask(struct redis_wire *w, const struct slice *words, size_t count, redis_answer *then,
                         void *arg, uint64_t now_ms)
{
    const char      *argv[WORDS_MAX];
    size_t           lens[WORDS_MAX], bytes = 0;
    struct question *q;
    char            *command;
    int              len;

    for (size_t i = 0; i < count && i < WORDS_MAX; i++) {
        argv[i] = words[i].p ? (const char *)words[i].p : "";
        bytes += lens[i] = words[i].len;
    }
    if (buf_len(&w->out) + bytes > w->spec.out_max || count > WORDS_MAX)
        return ZE_FULL;
    len = redisFormatCommandArgv(&command, (int)count, argv, lens);
    if (len < 0)
        fatal("out_of_memory", NULL);
    buf_put(&w->out, command, (size_t)len);
    redisFreeCommand(command);
    q = xcalloc(1, sizeof(*q));
    *q = (struct question){ .then = then, .arg = arg, .asked_ms = now_ms };
    list_append(&w->questions, &q->link);
    return ZE_OK;
}

struct buf *redis_wire_out(struct redis_wire *w)
{
    return &w->out;
}

uint64_t redis_wire_waiting_since(const struct redis_wire *w)
{
    return list_empty(&w->questions) ? UINT64_MAX
                                     : LIST_OWNER(w->questions.next, struct question, link)->asked_ms;
}

static struct slice text_of(const redisReply *r)
{
    return r->type == REDIS_REPLY_STRING ? slice_of(r->str, (size_t)r->len) : slice_of(NULL, 0);
}

/* RESP2: a message is an array that nobody asked for, and only its first word tells. */
static bool take_message(struct redis_wire *w, const redisReply *r)
{
    if (!w->spec.on_message || r->type != REDIS_REPLY_ARRAY || r->elements != 3 ||
        !slice_is(text_of(r->element[0]), "message"))
        return false;
    w->spec.on_message(w->spec.arg, text_of(r->element[1]), text_of(r->element[2]));
    return true;
}

static enum zerr take_answer(struct redis_wire *w, const redisReply *r)
{
    struct question *q;

    if (list_empty(&w->questions))
        return ZE_PROTOCOL;
    q = LIST_OWNER(w->questions.next, struct question, link);
    list_remove(&q->link);
    if (q->then)
        q->then(q->arg, r);
    free(q);
    return ZE_OK;
}

enum zerr redis_wire_take(struct redis_wire *w, struct slice bytes)
{
    enum zerr err = ZE_OK;
    void     *reply = NULL;

    if (redisReaderFeed(w->reader, (const char *)bytes.p, bytes.len) != REDIS_OK)
        return ZE_PROTOCOL;
    while (!err) {
        if (redisReaderGetReply(w->reader, &reply) != REDIS_OK)
            return ZE_PROTOCOL;
        if (!reply)
            break;
        err = take_message(w, reply) ? ZE_OK : take_answer(w, reply);
        freeReplyObject(reply);
    }
    return err ? err : w->reader->len - w->reader->pos > w->spec.in_max ? ZE_FULL : ZE_OK;
}

bool redis_says(const struct redisReply *reply, const char *status)
{
    return reply && reply->type == REDIS_REPLY_STATUS && slice_is(slice_of(reply->str, (size_t)reply->len), status);
}
