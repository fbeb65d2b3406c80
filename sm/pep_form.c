/* Fields of forms (pep_form.h). */

#include "pep_form.h"

#include "data_form.h"
#include "datetime.h"
#include "mem.h"

enum { TEXT_MAX = 1024, GROUPS_MAX = 100 };

static const struct pep_field *row_by_var(const struct pep_form *f, struct slice var)
{
    for (size_t i = 0; i < f->count; i++)
        if (slice_is(var, f->rows[i].var))
            return &f->rows[i];
    return NULL;
}

static const struct pep_field *row_by_number(const struct pep_form *f, unsigned number)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->rows[i].number == number)
            return &f->rows[i];
    return NULL;
}

/* ---- kinds: a value of a form into its place, and back ---- */

typedef bool take_value(const struct pep_field *row, struct slice value, void *at);
typedef struct slice give_value(const struct pep_field *row, struct arena *arena, const void *at);

static int choice_of(const struct pep_field *row, struct slice value)
{
    for (int i = 0; row->values[i]; i++)
        if (slice_is(value, row->values[i]))
            return i;
    return -1;
}

static bool take_flag(const struct pep_field *row, struct slice value, void *at)
{
    (void)row;
    return form_bool(value, at);
}

static bool take_choice(const struct pep_field *row, struct slice value, void *at)
{
    int choice = choice_of(row, value);

    if (choice >= 0)
        *(uint8_t *)at = (uint8_t)choice;
    return choice >= 0;
}

static bool take_number(const struct pep_field *row, struct slice value, void *at)
{
    uint64_t n = PEP_MAX;

    (void)row;
    if (!slice_is(value, "max") && !form_number(value, PEP_MAX - 1, &n))
        return false;
    *(uint32_t *)at = (uint32_t)n;
    return n > 0;
}

static bool take_text(const struct pep_field *row, struct slice value, void *at)
{
    (void)row;
    *(struct slice *)at = value;
    return value.len <= TEXT_MAX;
}

static bool take_groups(const struct pep_field *row, struct slice value, void *at)
{
    struct cursor c = { value, false };
    size_t        count = 0;

    (void)row;
    for (; c.rest.len && !c.bad; count++)
        take_limited(&c, TEXT_MAX);
    *(struct slice *)at = value;
    return !c.bad && count <= GROUPS_MAX;
}

static bool take_date(const struct pep_field *row, struct slice value, void *at)
{
    (void)row;
    *(uint64_t *)at = 0;
    return !value.len || datetime_parse(value, at) == ZE_OK;
}

static bool take_fixed(const struct pep_field *row, struct slice value, void *at)
{
    (void)at;
    return choice_of(row, value) >= 0;
}

static struct slice give_flag(const struct pep_field *row, struct arena *arena, const void *at)
{
    (void)row;
    (void)arena;
    return slice_str(*(const bool *)at ? "1" : "0");
}

static struct slice give_choice(const struct pep_field *row, struct arena *arena, const void *at)
{
    (void)arena;
    return slice_str(row->values[*(const uint8_t *)at]);
}

static struct slice give_number(const struct pep_field *row, struct arena *arena, const void *at)
{
    uint32_t n = *(const uint32_t *)at;

    (void)row;
    return slice_str(n == PEP_MAX ? "max" : arena_printf(arena, "%u", n));
}

static struct slice give_text(const struct pep_field *row, struct arena *arena, const void *at)
{
    (void)row;
    (void)arena;
    return *(const struct slice *)at;
}

static struct slice give_date(const struct pep_field *row, struct arena *arena, const void *at)
{
    uint64_t us = *(const uint64_t *)at;
    char     text[DATETIME_MAX];

    (void)row;
    if (!us)
        return slice_of(NULL, 0);
    datetime_write(text, us);
    return arena_copy(arena, slice_str(text));
}

static struct slice give_fixed(const struct pep_field *row, struct arena *arena, const void *at)
{
    (void)arena;
    (void)at;
    return slice_str(row->preset);
}

static const struct {
    const char *type;                  /* XEP-0004 3.3 */
    take_value *take;
    give_value *give;
} kinds[] = {
    [PEP_FLAG] = { "boolean", take_flag, give_flag },
    [PEP_CHOICE] = { "list-single", take_choice, give_choice },
    [PEP_NUMBER] = { "text-single", take_number, give_number },
    [PEP_TEXT] = { "text-single", take_text, give_text },
    [PEP_GROUPS] = { "text-multi", take_groups, give_text },
    [PEP_DATE] = { "text-single", take_date, give_date },
    [PEP_FIXED] = { "text-single", take_fixed, give_fixed },
};

static bool take(const struct pep_field *row, struct slice value, void *at)
{
    return kinds[row->kind].take(row, value, (char *)at + row->at);
}

static struct slice given(const void *at, const struct pep_field *row, struct arena *arena)
{
    return kinds[row->kind].give(row, arena, (const char *)at + row->at);
}

void pep_form_preset(const struct pep_form *f, void *at)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->rows[i].preset)
            take(&f->rows[i], slice_str(f->rows[i].preset), at);
}

/* ---- forms ---- */

/* The one value, or for groups all of them, each sized. */
static struct slice value_of(struct arena *arena, const struct pep_field *row, const struct element *field)
{
    const struct element *value = element_child(field, NULL, "value");
    struct buf            all = { 0 };
    struct slice          values;

    if (row->kind != PEP_GROUPS)
        return value ? element_text(arena, value) : slice_of("", 0);
    for (; value; value = element_next(value, NULL, "value"))
        buf_put_sized(&all, element_text(arena, value));
    values = arena_copy(arena, buf_slice(&all));
    buf_free(&all);
    return values;
}

/* An empty value of a field that has a default leaves it as it is (XEP-0004 3.2: fields may be left out). */
static bool left_out(const struct pep_field *row, struct slice value)
{
    return !value.len && row->preset;
}

enum zerr pep_form_read(const struct pep_form *f, struct arena *arena, const struct element *form, bool strict, void *at,
                        const struct pep_field **refused)
{
    const struct element *field = form ? element_child(form, NULL, "field") : NULL;

    *refused = NULL;
    for (; field; field = element_next(field, NULL, "field")) {
        struct slice            var = element_attr(field, "var");
        const struct pep_field *row = row_by_var(f, var);
        struct slice            value = row ? value_of(arena, row, field) : slice_of("", 0);
        if (!row && strict && !slice_is(var, "FORM_TYPE"))
            return ZE_BAD_REQUEST;
        if (row && !left_out(row, value) && !take(row, value, at)) {
            *refused = row;
            return ZE_NOT_ACCEPTABLE;
        }
    }
    return ZE_OK;
}

bool pep_form_same(const struct pep_form *f, struct arena *arena, const void *a, const void *b)
{
    for (size_t i = 0; i < f->count; i++)
        if (!slice_eq(given(a, &f->rows[i], arena), given(b, &f->rows[i], arena)))
            return false;
    return true;
}

static void values_write(struct xml_writer *w, const struct pep_field *row, struct slice value)
{
    struct cursor c = { value, false };

    if (row->kind != PEP_GROUPS && value.p)
        form_put_value(w, value);
    while (row->kind == PEP_GROUPS && c.rest.len && !c.bad)
        form_put_value(w, take_sized(&c));
}

void pep_form_write(const struct pep_form *f, struct xml_writer *w, struct arena *arena, const void *at, bool options)
{
    for (const struct pep_field *row = f->rows; row < f->rows + f->count; row++) {
        if (row->kind == PEP_FIXED && options)
            continue;
        form_field_open(w, row->var, kinds[row->kind].type, row->label);
        values_write(w, row, given(at, row, arena));
        for (size_t v = 0; options && row->kind == PEP_CHOICE && row->values[v]; v++)
            form_put_option(w, row->values[v], row->values[v]);
        xml_close(w);
    }
}

/* ---- as it is stored ---- */

void pep_form_put(const struct pep_form *f, struct buf *out, struct arena *arena, const void *at)
{
    for (const struct pep_field *row = f->rows; row < f->rows + f->count; row++) {
        struct slice value = given(at, row, arena);
        if (slice_eq(value, slice_str(row->preset)))
            continue;
        buf_put_u8(out, row->number);
        buf_put_sized(out, value);
    }
}

bool pep_form_take(const struct pep_form *f, struct cursor *cur, void *at)
{
    pep_form_preset(f, at);
    while (cur->rest.len && !cur->bad) {
        const struct pep_field *row = row_by_number(f, take_u8(cur));
        struct slice            value = take_sized(cur);
        if (!row || cur->bad || !take(row, value, at))
            return false;
    }
    return !cur->bad;
}
