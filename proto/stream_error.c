/* Stream errors (RFC 6120 4.9): names and the closing bytes. */

#include "stream_error.h"

#include "ns.h"
#include "xml_write.h"

static const char *const names[SE_COUNT] = {
    [SE_NONE] = "",
#define X(name, condition) [SE_##name] = condition,
    STREAM_ERRORS(X)
#undef X
};

const char *stream_error_name(enum stream_error error)
{
    return (unsigned)error < SE_COUNT ? names[error] : names[SE_UNDEFINED_CONDITION];
}

enum stream_error stream_error_parse(struct slice condition)
{
    for (int error = SE_NONE + 1; error < SE_COUNT; error++)
        if (slice_is(condition, names[error]))
            return (enum stream_error)error;
    return SE_UNDEFINED_CONDITION;
}

void stream_error_write(struct buf *out, enum stream_error error, const char *text)
{
    stream_error_write_with(out, error, text, NULL);
}

void stream_error_write_with(struct buf *out, enum stream_error error, const char *text, const char *element)
{
    const char *name = error == SE_NONE ? names[SE_UNDEFINED_CONDITION] : stream_error_name(error);

    buf_put_str(out, "<stream:error><");
    buf_put_str(out, name);
    buf_put_str(out, " xmlns='" NS_STREAMS "'/>");
    if (text) {
        buf_put_str(out, "<text xmlns='" NS_STREAMS "' xml:lang='en'>");
        xml_escape(out, slice_str(text));
        buf_put_str(out, "</text>");
    }
    if (element)
        buf_put_str(out, element);
    buf_put_str(out, "</stream:error></stream:stream>");
}
