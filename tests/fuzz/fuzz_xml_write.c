/* parse(write(x)) = x: a content that is taken, written from its tree and parsed again, is written as
 * the same bytes. */

#include <stdlib.h>

#include "ns.h"
#include "xml_stream.h"
#include "xml_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct xml_limits limits = {
    .element_max = 1 << 20, .depth_max = 64, .attributes_max = 128, .name_max = 1024,
};

static void write_tree(struct buf *out, const struct element *root)
{
    struct xml_writer w;

    xml_begin(&w, out, NS_CLIENT);
    xml_element(&w, root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct xml_limits     wide = limits;
    struct arena         *arena = arena_new();
    const struct element *root = xml_parse_content(arena, slice_of(data, size), NS_CLIENT, &limits);
    struct buf            first = { 0 }, second = { 0 }, text = { 0 };

    xml_escape(&text, slice_of(data, size));
    if (!xml_parse_content(arena, buf_slice(&text), NS_CLIENT,
                           &(struct xml_limits){ .element_max = SIZE_MAX }))
        abort();   /* whatever is escaped is text */
    if (root) {
        wide.element_max = SIZE_MAX;
        wide.attributes_max = 1024;   /* each namespaced attribute brings its declaration */
        write_tree(&first, root);
        root = xml_parse_content(arena, buf_slice(&first), NS_CLIENT, &wide);
        if (!root)
            abort();
        write_tree(&second, root);
        if (!slice_eq(buf_slice(&first), buf_slice(&second)))
            abort();
    }
    buf_free(&text);
    buf_free(&first);
    buf_free(&second);
    arena_free(&arena);
    return 0;
}
