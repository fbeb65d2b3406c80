#pragma once

/* XEP-0004 Data Forms with the FORM_TYPE of XEP-0068: read what a client submits, write what it fills in. */

#include "element.h"
#include "err.h"
#include "xml_write.h"

/* The form of that type within `parent` (what is submitted, or what a publisher asks for): *form is NULL and
 * ZE_OK when there is none. ZE_BAD_REQUEST: there is one that is neither `submit` nor `cancel`, or of another
 * FORM_TYPE (XEP-0068 3.3). A form of type `cancel` counts as none; *cancelled (may be NULL) tells. */
enum zerr form_take(struct arena *arena, const struct element *parent, const char *form_type,
                    const struct element **form, bool *cancelled);
/* The first value of a field, p == NULL: no such field or no value. form may be NULL. */
struct slice form_value(struct arena *arena, const struct element *form, const char *var);
/* The field itself, for its many values (element_child(field, NULL, "value")); NULL. */
const struct element *form_field(const struct element *form, const char *var);
/* XEP-0004 3.3: "1", "true", "0", "false". False when it is none of these. */
bool form_bool(struct slice value, bool *out);
/* Decimal digits, at most `most`. */
bool form_number(struct slice value, uint64_t most, uint64_t *out);

/* type: "form", "result", "submit". Ends with xml_close. form_type NULL: without one. */
void form_open(struct xml_writer *w, const char *type, const char *form_type);
/* One field with one value (p NULL: none). type and label may be NULL. */
void form_put(struct xml_writer *w, const char *var, const char *type, const char *label, struct slice value);
void form_put_str(struct xml_writer *w, const char *var, const char *type, const char *label, const char *value);
void form_put_num(struct xml_writer *w, const char *var, const char *type, const char *label, int64_t value);
/* A field with many values or options: form_field_open, then form_put_value and form_put_option, then
 * xml_close. */
void form_field_open(struct xml_writer *w, const char *var, const char *type, const char *label);
void form_put_value(struct xml_writer *w, struct slice value);
void form_put_option(struct xml_writer *w, const char *label, const char *value);
