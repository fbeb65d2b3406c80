/* What the owner of an account may do as ad-hoc commands (XEP-0050), a row each, for clients that have no windows of
 * their own for it: the password and the end of the account (XEP-0077 3.2, 3.3), the clients that have access to it
 * and the end of one (XEP-0494). */

#include <stdlib.h>

#include "clients.h"
#include "commands.h"
#include "datetime.h"
#include "ns.h"
#include "register.h"

static bool may(const struct iq *iq)
{
    return iq->p->session && !iq->p->guest;
}

static void form_begin(struct command_call *call, const char *instructions)
{
    xml_open(call->w, "x", NS_DATA);
    xml_attr(call->w, "type", "form");
    xml_simple(call->w, "title", NULL, slice_str(call->command->name));
    xml_simple(call->w, "instructions", NULL, slice_str(instructions));
    form_put_str(call->w, "FORM_TYPE", "hidden", NULL, call->command->form_type);
}

static void required_open(struct xml_writer *w, const char *var, const char *type, const char *label)
{
    form_field_open(w, var, type, label);
    xml_open(w, "required", NULL);
    xml_close(w);
}

static void required(struct xml_writer *w, const char *var, const char *type, const char *label)
{
    required_open(w, var, type, label);
    xml_close(w);
}

static struct slice value_of(const struct command_call *call, const char *var)
{
    return form_value(call->iq->p->sm->arena, call->form, var);
}

static void write_done(struct xml_writer *w, void *note)
{
    command_note(w, "info", note);
}

/* ---- the password ---- */

static void ask_password(struct command_call *call)
{
    form_begin(call, "All your other clients are logged out and need the new password.");
    required(call->w, "password", "text-private", "The new password");
    required(call->w, "password-verify", "text-private", "The new password again");
    xml_close(call->w);
}

static void password_changed(void *arg, enum zerr err)
{
    struct command_later *later = arg;

    if (err)
        command_fail(&later, err, "The password was not changed.");
    else
        command_complete(&later, write_done, (char *)"The password is changed.");
}

static int change_password(struct command_call *call)
{
    struct passage *p = call->iq->p;
    struct slice    password = value_of(call, "password");

    p->stanza->content = slice_of("", 0);      /* no error shows what was sent */
    if (!password.len || !slice_eq(password, value_of(call, "password-verify")))
        return ZE_BAD_REQUEST;
    register_set_password(p, password, password_changed, command_defer(call));
    return LATER;
}

/* ---- clients ---- */

static void put_column(struct xml_writer *w, const char *var, struct slice value)
{
    form_field_open(w, var, NULL, NULL);
    form_put_value(w, value);
    xml_close(w);
}

static void put_time(struct xml_writer *w, const char *var, uint64_t us)
{
    char text[DATETIME_MAX];

    datetime_write(text, us / 1000000 * 1000000);
    put_column(w, var, slice_str(text));
}

static void put_client(void *arg, const struct client_info *info)
{
    struct xml_writer *w = arg;

    xml_open(w, "item", NULL);
    put_column(w, "client", slice_str(info->ref));
    put_column(w, "connected", slice_str(info->sessions ? "true" : "false"));
    put_column(w, "software", info->software);
    put_column(w, "device", info->device);
    put_time(w, "first-seen", info->first_us);
    put_time(w, "last-seen", info->last_us);
    xml_close(w);
}

static int list_clients(struct command_call *call)
{
    static const char *const columns[][2] = {
        { "client", "Id" },     { "connected", "Connected" },   { "software", "Program" },
        { "device", "Device" }, { "first-seen", "First seen" }, { "last-seen", "Last seen" },
    };

    form_open(call->w, "result", NS_CAM);
    xml_open(call->w, "reported", NULL);
    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        form_field_open(call->w, columns[i][0], i == 1 ? "boolean" : "text-single", columns[i][1]);
        xml_close(call->w);
    }
    xml_close(call->w);
    clients_each(call->iq->p->sm, call->iq->p->owner, put_client, call->w);
    xml_close(call->w);
    return ZE_OK;
}

static void put_choice(void *arg, const struct client_info *info)
{
    struct slice program = info->software.len ? info->software : SLICE("A program that says no name");
    char         seen[DATETIME_MAX], *label;

    datetime_write(seen, info->last_us / 1000000 * 1000000);
    label = xprintf("%.*s%s%.*s, %s %s", SLICE_FMT(program), info->device.len ? " on " : "", SLICE_FMT(info->device),
                    info->sessions ? "connected since" : "last seen", seen);
    form_put_option(arg, label, info->ref);
    free(label);
}

static void ask_client(struct command_call *call)
{
    form_begin(call, "The client is logged out, and can log in no more but with the password.");
    required_open(call->w, "client", "list-single", "The client");
    clients_each(call->iq->p->sm, call->iq->p->owner, put_choice, call->w);
    xml_close(call->w);
    xml_close(call->w);
}

static void write_revoked(struct xml_writer *w, void *password)
{
    command_note(w, "info", "The client is logged out.");
    if (*(bool *)password)
        command_note(w, "warn", "It knows the password: change that to keep it out.");
}

/* XEP-0494 3.2. It may be the one that asks. */
static int revoke_client(struct command_call *call)
{
    struct passage *p = call->iq->p;
    const char     *ref = arena_str(p->sm->arena, value_of(call, "client"));
    bool            password;
    enum zerr       err = *ref ? clients_find(p->sm, p->owner, ref, &password) : ZE_BAD_REQUEST;

    if (err)
        return err;
    command_complete_now(call, write_revoked, &password);
    clients_revoke(p, ref);
    return LATER;
}

/* ---- the end ---- */

static void ask_end(struct command_call *call)
{
    form_begin(call, "Your account, your contacts, your messages and all that you stored here are deleted for good.");
    required_open(call->w, "confirm", "boolean", "Delete my account");
    form_put_value(call->w, SLICE("false"));
    xml_close(call->w);
    xml_close(call->w);
}

/* XEP-0077 3.2: the result first, then the streams end. */
static int delete_account(struct command_call *call)
{
    struct passage *p = call->iq->p;
    bool            sure = false;

    if (!form_bool(value_of(call, "confirm"), &sure) || !sure)
        return ZE_BAD_REQUEST;
    command_complete_now(call, write_done, (char *)"The account is deleted.");
    p->session = NULL;
    register_remove_account(p);
    return LATER;
}

static const struct command account_commands[] = {
    { "change-password", "Change My Password", TO_OWN_ACCOUNT, NS_REGISTER, may, ask_password, change_password, NULL },
    { "list-clients", "List My Clients", TO_OWN_ACCOUNT, NS_CAM, may, NULL, list_clients, NULL },
    { "revoke-client", "Log Out One of My Clients", TO_OWN_ACCOUNT, NS_CAM, may, ask_client, revoke_client, NULL },
    { "delete-account", "Delete My Account", TO_OWN_ACCOUNT, NS_REGISTER, may, ask_end, delete_account, NULL },
    { 0 },
};

const struct sm_feature sm_account_commands = {
    .name = "account_commands", .spec = "XEP-0050 for one's own account", .commands = account_commands,
};
