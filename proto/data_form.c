/* XEP-0004 Data Forms (data_form.h). */

#include "data_form.h"

#include <stdio.h>

#include "ns.h"

enum zerr form_take(struct arena *arena, const struct element *parent, const char *form_type,
                    const struct element **form, bool *cancelled)
{
    const struct element *x = element_child(parent, NS_DATA, "x");
    struct slice          type = x ? element_attr(x, "type") : slice_of(NULL, 0);
    bool                  cancel = slice_is(type, "cancel");

    *form = NULL;
    if (cancelled)
        *cancelled = cancel;
    if (!x || cancel)
        return ZE_OK;
    if (!slice_is(type, "submit") || !slice_is(form_value(arena, x, "FORM_TYPE"), form_type))
        return ZE_BAD_REQUEST;
    *form = x;
    return ZE_OK;
}

const struct element *form_field(const struct element *form, const char *var)
{
    const struct element *field = form ? element_child(form, NS_DATA, "field") : NULL;

    while (field && !slice_is(element_attr(field, "var"), var))
        field = element_next(field, NS_DATA, "field");
    return field;
}

struct slice form_value(struct arena *arena, const struct element *form, const char *var)
{
    const struct element *field = form_field(form, var);
    const struct element *value = field ? element_child(field, NS_DATA, "value") : NULL;
    struct slice          text;

    if (!value)
        return slice_of(NULL, 0);
    text = element_text(arena, value);
    return text.p ? text : slice_of("", 0);
}

bool form_bool(struct slice value, bool *out)
{
    *out = slice_is(value, "1") || slice_is(value, "true");
    return *out || slice_is(value, "0") || slice_is(value, "false");
}

bool form_number(struct slice value, uint64_t most, uint64_t *out)
{
    uint64_t n = 0;

    if (value.len == 0 || value.len > 18)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(value.p[i] - '0');
    }
    *out = n;
    return n <= most;
}

/* ---- writing ---- */

void form_open(struct xml_writer *w, const char *type, const char *form_type)
{
    xml_open(w, "x", NS_DATA);
    xml_attr(w, "type", type);
    if (form_type)
        form_put_str(w, "FORM_TYPE", "hidden", NULL, form_type);
}

void form_field_open(struct xml_writer *w, const char *var, const char *type, const char *label)
{
    xml_open(w, "field", NULL);
    xml_attr(w, "var", var);
    xml_attr(w, "type", type);
    xml_attr(w, "label", label);
}

void form_put_value(struct xml_writer *w, struct slice value)
{
    xml_simple(w, "value", NULL, value);
}

void form_put(struct xml_writer *w, const char *var, const char *type, const char *label, struct slice value)
{
    form_field_open(w, var, type, label);
    if (value.p)
        form_put_value(w, value);
    xml_close(w);
}

void form_put_str(struct xml_writer *w, const char *var, const char *type, const char *label, const char *value)
{
    form_put(w, var, type, label, slice_str(value));
}

void form_put_num(struct xml_writer *w, const char *var, const char *type, const char *label, int64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)value);
    form_put_str(w, var, type, label, text);
}

void form_put_option(struct xml_writer *w, const char *label, const char *value)
{
    xml_open(w, "option", NULL);
    xml_attr(w, "label", label);
    xml_simple(w, "value", NULL, slice_str(value));
    xml_close(w);
}
