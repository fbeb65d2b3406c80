/* The error list as tables (err.h). */

#include "err.h"

#include "slice.h"

static const struct error_row {
    int         number;
    const char *name, *text, *condition, *type;
} rows[] = {
#define X(name, number, text, condition, type) { number, #name, text, condition, type },
    ERRORS(X)
#undef X
};

static const struct error_row *row_of(int err)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].number == err)
            return &rows[i];
    return NULL;
}

const char *err_text(int err)
{
    const struct error_row *row = row_of(err);

    return err == 0 ? "ok" : row ? row->text : "unknown error";
}

const char *err_name(int err)
{
    static char              lower[COUNT_OF(rows)][24];
    const struct error_row *row = row_of(err);

    if (!row)
        return err == 0 ? "ok" : "unknown";
    char *name = lower[row - rows];
    for (size_t i = 0; !name[0] || row->name[i]; i++)
        name[i] = (char)(row->name[i] >= 'A' && row->name[i] <= 'Z' ? row->name[i] + 32 : row->name[i]);
    return name;
}

const char *err_condition(int err)
{
    const struct error_row *row = row_of(err);

    return row ? row->condition : "undefined-condition";
}

const char *err_type(int err)
{
    const struct error_row *row = row_of(err);

    return row ? row->type : "cancel";
}
