/* Contents of stanzas (DESIGN.md 2.4): parsed or proved on their own, as the content of one element of
 * ours that must end exactly where the bytes do. */

#include "xml_stream.h"

#include "ns.h"
#include "xml_parse.h"
#include "xml_write.h"

static bool within_limits(struct slice content, const struct xml_limits *limits)
{
    static _Thread_local struct xml_framer f;

    if (content.len > limits->element_max)
        return false;
    xml_framer_begin(&f, FRAMER_CONTENT, limits);
    return xml_framer_feed(&f, &content) == FRAMED_MORE && xml_framer_closed(&f);
}

static bool run(struct xml_job *job, struct arena *arena, struct slice content, const char *default_ns,
                bool tree)
{
    struct buf   start = { 0 };
    struct slice pieces[] = { SLICE("<w>"), content, SLICE("</w>") };

    if (default_ns && strcmp(default_ns, NS_CLIENT) != 0) {
        buf_put_str(&start, "<w xmlns='");
        xml_escape(&start, slice_str(default_ns));
        buf_put_str(&start, "'>");
        pieces[0] = buf_slice(&start);
    }
    xml_job_begin(job, JOB_CONTENT, arena, tree);
    bool good = xml_job_run(job, PRIME_CLIENT, (struct slice){ 0 }, pieces, COUNT_OF(pieces));
    buf_free(&start);
    return good;
}

const struct element *xml_parse_content(struct arena *arena, struct slice content, const char *default_ns,
                                        const struct xml_limits *limits)
{
    struct xml_job job;

    return within_limits(content, limits) && run(&job, arena, content, default_ns, true) ? job.root : NULL;
}

enum zerr xml_check_content(struct arena *arena, struct stanza *s, const struct xml_limits *limits)
{
    struct xml_job job;

    if (!within_limits(s->content, limits) || !run(&job, arena, s->content, NS_CLIENT, false))
        return ZE_BAD_REQUEST;
    s->payload_ns = job.stanza.payload_ns;
    s->payload_name = job.stanza.payload_name;
    s->flags = job.stanza.flags;
    return ZE_OK;
}
