/* Rows of answers as a table for people, or as lines of JSON for programs. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unictype.h>
#include <unistr.h>
#include <uniwidth.h>

#include "mem.h"
#include "zubrctl.h"

/* What users chose (nicks, resources) must not move the operator's cursor or hide text: control and
 * format characters are shown as `?`. The caller frees it. */
static char *visible(const char *text)
{
    size_t  len = strlen(text), out = 0;
    char   *shown = xmalloc(len + 1);
    ucs4_t  c;

    for (size_t i = 0, step; i < len; i += step) {
        step = (size_t)u8_mbtouc(&c, (const uint8_t *)text + i, len - i);
        if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cf |
                                                    UC_CATEGORY_MASK_Zl | UC_CATEGORY_MASK_Zp))
            shown[out++] = '?';
        else
            for (size_t k = 0; k < step; k++)
                shown[out++] = text[i + k];
    }
    shown[out] = '\0';
    return shown;
}

/* One cell as text; the caller frees it. */
static char *cell(json_t *row, const char *column)
{
    json_t *value = json_object_get(row, column);

    if (json_is_string(value))
        return visible(json_string_value(value));
    if (json_is_integer(value))
        return xprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (json_is_boolean(value))
        return xstrdup(json_is_true(value) ? "yes" : "no");
    return xstrdup(value && !json_is_null(value) ? "?" : "");
}

static int width_of(const char *text)
{
    return u8_strwidth((const uint8_t *)text, "UTF-8");
}

struct column {
    const char *name;
    int         width;
    bool        numbers;
};

static struct column *find_column(struct column *columns, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(columns[i].name, name) == 0)
            return &columns[i];
    return NULL;
}

/* Columns in the order in which they first come. The caller frees them. */
static struct column *columns_of(json_t *rows, size_t *count)
{
    struct column *columns = NULL;
    const char    *name;
    json_t        *row, *value;
    size_t         i;

    *count = 0;
    json_array_foreach(rows, i, row) {
        json_object_foreach(row, name, value) {
            struct column *column = find_column(columns, *count, name);

            if (!column) {
                columns = xrealloc(columns, (*count + 1) * sizeof(*columns));
                column = &columns[(*count)++];
                *column = (struct column){ name, width_of(name), true };
            }
            char *text = cell(row, name);
            if (width_of(text) > column->width)
                column->width = width_of(text);
            column->numbers &= json_is_integer(value);
            free(text);
        }
    }
    return columns;
}

static void print_cell(const struct column *column, const char *text, bool last)
{
    int pad = column->width - width_of(text);

    if (column->numbers)
        printf("%*s%s", pad, "", text);
    else
        printf("%s%*s", text, last ? 0 : pad, "");
    printf(last ? "\n" : "  ");
}

static void print_table(json_t *rows)
{
    size_t         count, i;
    struct column *columns = columns_of(rows, &count);
    json_t        *row;

    for (size_t c = 0; c < count; c++)
        print_cell(&columns[c], columns[c].name, c + 1 == count);
    json_array_foreach(rows, i, row) {
        for (size_t c = 0; c < count; c++) {
            char *text = cell(row, columns[c].name);

            print_cell(&columns[c], text, c + 1 == count);
            free(text);
        }
    }
    free(columns);
}

void print_rows(json_t *rows, bool json)
{
    json_t *row;
    size_t  i;

    if (!json && json_array_size(rows))
        print_table(rows);
    json_array_foreach(rows, i, row) {
        if (!json)
            break;
        char *line = json_dumps(row, 0);
        printf("%s\n", line ? line : "{}");
        free(line);
    }
}
