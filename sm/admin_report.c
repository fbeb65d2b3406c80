/* What the verbs said, as the results of XEP-0133 (admin.h). */

#include "admin.h"
#include "ns.h"

static const char *text_of(const json_t *row, const char *column)
{
    const char *text = json_string_value(json_object_get(row, column));

    return text ? text : "";
}

void admin_report_sum(struct xml_writer *w, const struct admin_job *job)
{
    int64_t sum = 0;
    size_t  i;
    json_t *row;

    json_array_foreach(job->rows, i, row)
        sum += json_integer_value(json_object_get(row, job->spec->column));
    form_open(w, "result", NS_ADMIN);
    form_put_num(w, job->spec->var, NULL, NULL, sum);
    xml_close(w);
}

static void field_of_column(struct xml_writer *w, const struct admin_job *job, const char *var, const char *type,
                            const char *column, size_t most)
{
    size_t  i;
    json_t *row;

    form_field_open(w, var, type, NULL);
    json_array_foreach(job->rows, i, row) {
        if (i == most)
            break;
        if (json_object_get(row, column))
            form_put_value(w, slice_str(text_of(row, column)));
    }
    xml_close(w);
}

void admin_report_list(struct xml_writer *w, const struct admin_job *job)
{
    form_open(w, "result", NS_ADMIN);
    field_of_column(w, job, job->spec->var, "jid-multi", job->spec->column, job->most);
    xml_close(w);
    if (json_array_size(job->rows) > job->most)
        command_note(w, "warn", "There are more than are shown");
}

static void groups_write(struct xml_writer *w, const char *names)
{
    while (*names) {
        size_t len = strcspn(names, "\n");

        xml_simple(w, "group", NULL, slice_of(names, len));
        names += len + (names[len] == '\n');
    }
}

static void contact_write(struct xml_writer *w, const json_t *row)
{
    const char *name = text_of(row, "name");

    xml_open(w, "item", NULL);
    xml_attr(w, "jid", text_of(row, "jid"));
    xml_attr(w, "name", name[0] ? name : NULL);
    xml_attr(w, "subscription", text_of(row, "subscription"));
    groups_write(w, text_of(row, "groups"));
    xml_close(w);
}

/* 4.8: the roster stands inside the form. */
void admin_report_roster(struct xml_writer *w, const struct admin_job *job)
{
    size_t  i;
    json_t *row;

    form_open(w, "result", NS_ADMIN);
    xml_open(w, "query", NS_ROSTER);
    json_array_foreach(job->rows, i, row)
        contact_write(w, row);
    xml_close(w);
    xml_close(w);
}

/* 4.9: of each account that was asked for, in the order of the answers. */
void admin_report_login(struct xml_writer *w, const struct admin_job *job)
{
    form_open(w, "result", NS_ADMIN);
    field_of_column(w, job, "accountjids", "jid-multi", "jid", SIZE_MAX);
    field_of_column(w, job, "lastlogin", "text-multi", "login", SIZE_MAX);
    xml_close(w);
}

/* 4.10: of the rows, one is the account's (verb `user`), the others its sessions'. */
void admin_report_user(struct xml_writer *w, const struct admin_job *job)
{
    size_t  i;
    json_t *row;

    form_open(w, "result", NS_ADMIN);
    field_of_column(w, job, "ipaddresses", "text-multi", "address", SIZE_MAX);
    field_of_column(w, job, "onlineresources", "text-multi", "resource", SIZE_MAX);
    json_array_foreach(job->rows, i, row)
        if (json_object_get(row, "roster"))
            form_put_num(w, "rostersize", NULL, NULL, json_integer_value(json_object_get(row, "roster")));
    xml_close(w);
}
