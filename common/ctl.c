/* A connection to the control socket: lines in, answers out, in order (ctl.h). Who comes is in ctl_listen.c. */

#include "ctl_priv.h"

#include <stdlib.h>

#include "mem.h"

enum { PATIENCE_MS = 30000, QUIET_MAX = 20, OUT_PAUSE = 1 << 20 };

static void read_or_pause(struct ctl_asker *a);

/* ---- end of a connection ---- */
static void on_asker_closed(uv_handle_t *handle)
{
    struct ctl_asker *a = handle->data;

    buf_free(&a->in);
    buf_free(&a->out);
    buf_free(&a->sending);
    free(a);
}

void ctl_hang_up(struct ctl_asker *a)
{
    if (!a->server)
        return;
    if (a->request)
        a->request->asker = NULL;
    a->server->asker_count--;
    a->server = NULL;
    list_remove(&a->link);
    timer_disarm(&a->patience);
    uv_close((uv_handle_t *)&a->pipe, on_asker_closed);
}

/* ---- out ---- */
static void flush(struct ctl_asker *a);

static void on_sent(uv_write_t *write, int status)
{
    struct ctl_asker *a = write->data;

    buf_reset(&a->sending, 0);
    if (!a->server)
        return;
    if (status < 0) {
        ctl_hang_up(a);
        return;
    }
    flush(a);
    if (a->server)
        ctl_serve(a);
}

static void flush(struct ctl_asker *a)
{
    if (buf_len(&a->sending))
        return;
    if (!buf_len(&a->out)) {
        if (a->ended && !a->request && !buf_len(&a->in))
            ctl_hang_up(a);
        return;
    }
    struct buf empty = a->sending;
    a->sending = a->out;
    a->out = empty;
    uv_buf_t bytes = uv_buf_init((char *)a->sending.bytes + a->sending.start, (unsigned)buf_len(&a->sending));
    a->write.data = a;
    if (uv_write(&a->write, (uv_stream_t *)&a->pipe, &bytes, 1, on_sent) < 0)
        ctl_hang_up(a);
    else
        timer_arm(a->server->loop, &a->patience, PATIENCE_MS);
}

/* ---- one request ---- */
static void reply_free(struct ctl_reply *r)
{
    buf_free(&r->text);
    json_decref(r->object);
    if (r->words)
        wipe(r->words, r->words_len);
    free(r->words);
    free(r);
}

static void reply_end(struct ctl_reply *r, int err)
{
    struct ctl_asker *a = r->asker;

    if (r->answered) {
        ctl_row_end(r);
        err = !err && r->too_long ? ZE_FULL : err;
        r->answered(r->arg, buf_slice(&r->text), (enum zerr)err, r->reason[0] ? r->reason : err_text(err));
    } else if (a) {
        ctl_last_line(r, err);
        buf_put_slice(&a->out, buf_slice(&r->text));
        a->request = NULL;
    }
    reply_free(r);
    if (!a || a->serving)
        return;
    flush(a);
    if (a->server)
        ctl_serve(a);
}

void ctl_finish(struct ctl_reply *r, int err)
{
    if (r->running) {
        r->finished = true;
        r->err = err;
        return;
    }
    reply_end(r, err);
}

static int run(const struct ctl_verb *const *tables, void *daemon, struct ctl_reply *r, int argc, char **argv)
{
    const struct ctl_verb *verb = argc > 0 ? ctl_find(tables, argv[0]) : NULL;

    if (argc < 0) {
        ctl_reason(r, "not a line of UTF-8 words with closed quotes, at most %d", CTL_WORDS_MAX);
        return ZE_BAD_REQUEST;
    }
    if (!verb) {
        ctl_reason(r, argc ? "unknown verb, try help" : "empty line, try help");
        return argc ? ZE_NO_SUCH : ZE_BAD_REQUEST;
    }
    if (argc - 1 < verb->argc_min || argc - 1 > verb->argc_max) {
        ctl_reason(r, "usage: %s %s", verb->name, verb->args ? verb->args : "");
        return ZE_BAD_REQUEST;
    }
    if (verb->run)
        return verb->run(daemon, argc - 1, argv + 1, r);
    ctl_help(r, tables);
    return ZE_OK;
}

static void run_and_end(const struct ctl_verb *const *tables, void *daemon, struct ctl_reply *r, int argc,
                        char **argv)
{
    int err;

    r->running = true;
    err = run(tables, daemon, r, argc, argv);
    r->running = false;
    if (err != LATER || r->finished)
        reply_end(r, err == LATER ? r->err : err);
}

void ctl_run(const struct ctl_verb *verbs, void *daemon, int argc, char *const *argv, ctl_answered *answered,
             void *arg)
{
    const struct ctl_verb *const tables[] = { verbs, NULL };
    struct ctl_reply            *r = xcalloc(1, sizeof(*r));
    char                        *words[CTL_WORDS_MAX + 1] = { NULL };
    size_t                       at = 0;

    r->answered = answered;
    r->arg = arg;
    r->json = true;
    if (argc > CTL_WORDS_MAX)
        argc = ZE_BAD_REQUEST;
    for (int i = 0; i < argc; i++)
        r->words_len += strlen(argv[i]) + 1;
    r->words = xcalloc(1, r->words_len + 1);
    for (int i = 0; i < argc; i++) {
        words[i] = r->words + at;
        memcpy(words[i], argv[i], strlen(argv[i]));
        at += strlen(argv[i]) + 1;
    }
    run_and_end(tables, daemon, r, argc, words);
}

static void request(struct ctl_asker *a, struct slice line)
{
    struct ctl_reply *r = xcalloc(1, sizeof(*r));
    char             *words[CTL_WORDS_MAX + 1] = { NULL };

    r->asker = a;
    r->words = xstrndup(line);
    r->words_len = strlen(r->words);
    a->request = r;
    bool nul = strlen(r->words) != line.len;
    int  argc = nul ? ZE_BAD_REQUEST : ctl_split(r->words, words);
    int  skip = argc > 0 && strcmp(words[0], "--json") == 0;
    r->json = skip;
    run_and_end(a->server->tables, a->server->daemon, r, argc - skip, words + skip);
}

/* The next line without its end, or false. What comes before the end of the connection is a line
 * even without newline. */
static bool next_line(struct ctl_asker *a, struct slice *line, size_t *used)
{
    struct slice   in = buf_slice(&a->in);
    const uint8_t *newline = in.len ? memchr(in.p, '\n', in.len) : NULL;

    if (!newline && !(a->ended && in.len))
        return false;
    line->p = in.p;
    line->len = newline ? (size_t)(newline - in.p) : in.len;
    *used = line->len + (newline != NULL);
    if (line->len && line->p[line->len - 1] == '\r')
        line->len--;
    return true;
}

void ctl_refuse(struct ctl_asker *a, enum zerr why, const char *text)
{
    buf_reset(&a->in, 0);
    a->ended = true;
    buf_printf(&a->out, "error %s %s\n", err_name(why), text);
    uv_read_stop((uv_stream_t *)&a->pipe);
}

/* Serves lines one after the other, until one takes longer, or answers pile up unread. */
void ctl_serve(struct ctl_asker *a)
{
    struct slice line;
    size_t       used;

    if (a->serving)
        return;
    a->serving = true;
    while (a->server && !a->request && buf_len(&a->out) + buf_len(&a->sending) < OUT_PAUSE &&
           next_line(a, &line, &used)) {
        if (line.len > CTL_LINE_MAX)
            break;
        request(a, line);
        if (a->server)
            buf_consume(&a->in, used);
    }
    if (a->server && !a->request && buf_len(&a->in) > CTL_LINE_MAX &&
        (!next_line(a, &line, &used) || line.len > CTL_LINE_MAX))
        ctl_refuse(a, ZE_BAD_REQUEST, "a line has at most 8192 bytes");
    a->serving = false;
    if (a->server)
        flush(a);
    if (a->server)
        read_or_pause(a);
}

/* ---- in ---- */
static void give_chunk(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct ctl_asker *a = handle->data;

    (void)suggested;
    *buf = uv_buf_init((char *)a->chunk, sizeof(a->chunk));
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct ctl_asker *a = stream->data;

    if (got == 0)
        return;
    if (got < 0) {
        a->ended = true;
        uv_read_stop(stream);
        if (got != UV_EOF) {
            ctl_hang_up(a);
            return;
        }
    } else {
        buf_put(&a->in, buf->base, (size_t)got);
    }
    a->quiet = 0;
    timer_arm(a->server->loop, &a->patience, PATIENCE_MS);
    ctl_serve(a);
}

static void read_or_pause(struct ctl_asker *a)
{
    if (a->ended || buf_len(&a->in) > CTL_LINE_MAX)
        uv_read_stop((uv_stream_t *)&a->pipe);
    else
        uv_read_start((uv_stream_t *)&a->pipe, give_chunk, on_read);
}

/* Nothing came for a while. While a daemon works on the answer, that is ours; half a line or an
 * answer not read is the asker's, and one who just sits there may do so for ten minutes. */
static void on_patience(void *arg)
{
    struct ctl_asker *a = arg;
    size_t            unsent = uv_stream_get_write_queue_size((uv_stream_t *)&a->pipe);
    bool              stuck = unsent ? unsent == a->unsent : buf_len(&a->in) > 0 || ++a->quiet > QUIET_MAX;

    if (!a->request && stuck) {
        ctl_hang_up(a);
        return;
    }
    a->unsent = unsent;
    timer_arm(a->server->loop, &a->patience, PATIENCE_MS);
}

struct ctl_asker *ctl_asker_new(struct ctl_server *server)
{
    struct ctl_asker *a = xcalloc(1, sizeof(*a));

    a->server = server;
    a->patience = (struct timer){ .fire = on_patience, .arg = a };
    uv_pipe_init(loop_uv(server->loop), &a->pipe, 0);
    a->pipe.data = a;
    list_append(&server->askers, &a->link);
    server->asker_count++;
    timer_arm(server->loop, &a->patience, PATIENCE_MS);
    return a;
}
