/* Names of stanzas and their types (stanza.h). */

#include "stanza.h"

static const struct {
    const char *text;
    unsigned    legal;
} types[TYPE_COUNT] = {
#define X(name, number, text, legal) [number] = { text, legal },
    STANZA_TYPES(X)
#undef X
};

const char *stanza_name_text(unsigned name)
{
    static const char *const names[] = { "", "message", "presence", "iq" };

    return name < COUNT_OF(names) ? names[name] : "";
}

const char *stanza_type_text(unsigned type)
{
    return type < TYPE_COUNT ? types[type].text : "";
}

int stanza_type_parse(unsigned name, struct slice text)
{
    if (text.len == 0 && name != STANZA_IQ)
        return name == STANZA_MESSAGE ? TYPE_NORMAL : TYPE_NONE;
    for (unsigned type = 1; type < TYPE_COUNT; type++)
        if (types[type].legal & 1u << name && slice_is(text, types[type].text))
            return (int)type;
    return name == STANZA_MESSAGE ? TYPE_NORMAL : -1;
}
