/* The commands of XEP-0133 (admin.h): a row each. Not offered: passwords that nobody can read (4.6), black and
 * white lists, and a way to edit the list of admins, which is a setting. */

#include "admin.h"
#include "jid.h"
#include "notices.h"
#include "ns.h"

#define ACCOUNT  { "accountjid", "jid-single", "The Jabber ID of the account" }
#define ACCOUNTS { "accountjids", "jid-multi", "The Jabber ID(s) of the account(s)" }
#define PASSWORD { "password", "text-private", "The password for this account" }

static const struct admin_field add_user_fields[] = {
    ACCOUNT, PASSWORD, { "password-verify", "text-private", "Retype password", .optional = true }, { 0 },
};
static const struct admin_field password_fields[] = { ACCOUNT, PASSWORD, { 0 } };
static const struct admin_field account_fields[] = { ACCOUNT, { 0 } };
static const struct admin_field accounts_fields[] = { ACCOUNTS, { 0 } };
static const struct admin_field sessions_fields[] = {
    { "accountjids", "jid-multi", "The Jabber ID(s) for which to end sessions" }, { 0 },
};

#define LIST_OF(...) (const char *const[]){ __VA_ARGS__, NULL }

static const struct admin_field list_fields[] = {
    { "max_items", "list-single", "Maximum number of items to show", .optional = true, .usual = "100",
      .options = LIST_OF("25", "25", "50", "50", "75", "75", "100", "100", "150", "150", "200", "200", "none", "none") },
    { 0 },
};
#define UNTIL(label)                                                                                              \
    { "delay", "list-single", label, .optional = true, .usual = "60",                                             \
      .options = LIST_OF("30", "30 seconds", "60", "60 seconds", "90", "90 seconds", "120", "2 minutes",          \
                         "180", "3 minutes", "240", "4 minutes", "300", "5 minutes", "600", "10 minutes",         \
                         "1800", "30 minutes", "3600", "1 hour") },                                               \
    { "announcement", "text-multi", "Announcement", .optional = true }, { 0 }
static const struct admin_field restart_fields[] = { UNTIL("Time delay before restarting") };
static const struct admin_field shutdown_fields[] = { UNTIL("Time delay before shutting down") };
static const struct admin_field announce_fields[] = { { "announcement", "text-multi", "Announcement" }, { 0 } };
static const struct admin_field motd_fields[] = { { "motd", "text-multi", "Message of the Day" }, { 0 } };
static const struct admin_field motd_now_fields[] = {
    { "motd", "text-multi", "Message of the Day", .filled = true }, { 0 },
};
static const struct admin_field welcome_fields[] = {
    { "welcome", "text-multi", "Welcome Message", .filled = true }, { 0 },
};

#define WORDS LIST_OF

static const struct admin_spec add_user = {
    "Fill out this form to add a user.", add_user_fields, WORDS("register", "$accountjid", "$password"),
};
static const struct admin_spec delete_user = {
    "Fill out this form to delete users and everything they have.", accounts_fields,
    WORDS("unregister", "*accountjids"),
};
static const struct admin_spec disable_user = {
    "Fill out this form to end the sessions of users and let them log in no more.", accounts_fields,
    WORDS("disable", "*accountjids"),
};
static const struct admin_spec reenable_user = {
    "Fill out this form to let disabled users log in again.", accounts_fields, WORDS("enable", "*accountjids"),
};
static const struct admin_spec end_user_session = {
    "A bare Jabber ID ends all sessions of the user, a full one that session.", sessions_fields,
    WORDS("kick", "*accountjids"),
};
static const struct admin_spec change_user_password = {
    "Fill out this form to change a user's password.", password_fields, WORDS("passwd", "$accountjid", "$password"),
};
static const struct admin_spec get_user_roster = {
    "Fill out this form to get a user's roster.", accounts_fields, WORDS("roster", "*accountjids"),
    .report = admin_report_roster,
};
static const struct admin_spec get_user_lastlogin = {
    "Fill out this form to get a user's last login time.", accounts_fields, WORDS("user", "*accountjids"),
    .report = admin_report_login,
};
static const struct admin_spec user_stats = {
    "Fill out this form to gather user statistics.", account_fields, WORDS("user", "$accountjid"),
    .second = WORDS("sessions", "$accountjid"), .report = admin_report_user,
};

#define COUNT(name, result, of) \
    static const struct admin_spec name = { NULL, NULL, WORDS("counts", "@"), NULL, AT_ALL, admin_report_sum, result, of }
COUNT(registered_num, "registeredusersnum", "registered");
COUNT(disabled_num, "disabledusersnum", "disabled");
COUNT(online_num, "onlineusersnum", "online");
COUNT(active_num, "activeusersnum", "active");
COUNT(idle_num, "idleusersnum", "idle");

#define LIST(name, result, of)                                                                                \
    static const struct admin_spec name = { "Fill out this form to request the users of this service.",        \
                                            list_fields, WORDS("users", "@", of, "$max_items"), NULL, AT_ALL,  \
                                            admin_report_list, result, "jid" }
LIST(registered_list, "registereduserjids", "all");
LIST(disabled_list, "disableduserjids", "disabled");
LIST(online_list, "onlineuserjids", "online");
LIST(active_list, "activeuserjids", "active");
LIST(idle_list, "activeuserjids", "idle");      /* 4.22 names the field so */

static const struct admin_spec announce = {
    "Everybody who is connected gets this text.", announce_fields, WORDS("announce", "$announcement", "@"),
    .where = AT_ALL,
};
static const struct admin_spec set_motd = {
    "Each user gets this text once: now, or at the next login.", motd_fields, WORDS("motd", "@", "$motd"),
    .where = AT_DOMAIN,
};
static const struct admin_spec edit_motd = {
    "Each user gets the changed text once.", motd_now_fields, WORDS("motd", "@", "$motd"), .where = AT_DOMAIN,
};
static const struct admin_spec delete_motd = { NULL, NULL, WORDS("motd-delete", "@"), .where = AT_DOMAIN };
static const struct admin_spec set_welcome = {
    "New users get this text at their first login.", welcome_fields, WORDS("welcome", "@", "$welcome"),
    .where = AT_DOMAIN,
};
static const struct admin_spec delete_welcome = { NULL, NULL, WORDS("welcome-delete", "@"), .where = AT_DOMAIN };

static const struct admin_spec restart = {
    "Everybody is warned now and before it comes; then all daemons end and start again.", restart_fields,
    WORDS("shutdown", "restart", "$delay", "$announcement"), .where = AT_ROUTER,
};
static const struct admin_spec shut_down = {
    "Everybody is warned now and before it comes; then all daemons end until the operator starts them.",
    shutdown_fields, WORDS("shutdown", "stop", "$delay", "$announcement"), .where = AT_ROUTER,
};
static const struct admin_spec call_off = { NULL, NULL, WORDS("shutdown", "cancel"), .where = AT_ROUTER };

static const struct admin_spec get_admins = {
    NULL, NULL, WORDS("admins", "@"), .where = AT_DOMAIN, .report = admin_report_list, .var = "adminjids",
    .column = "jid",
};

/* ---- who may ---- */

static bool administers(struct slice owner, const struct settings_domain *domain)
{
    struct jid admin;

    for (size_t i = 0; i < domain->admins.count; i++)
        if (jid_parse(slice_str(domain->admins.item[i]), &admin) == ZE_OK && slice_eq(jid_slice(&admin), owner))
            return true;
    return false;
}

static bool may(const struct iq *iq)
{
    const struct passage         *p = iq->p;
    const struct settings_domain *domain = sm_domain(p->sm, p->stanza->to);

    return p->session && domain && administers(p->owner, domain);
}

static bool may_all(const struct iq *iq)
{
    const struct settings *settings = iq->p->sm->settings;
    bool                   all = may(iq);

    for (size_t i = 0; i < settings->domain_count && all; i++)
        all = administers(iq->p->owner, &settings->domain[i]);
    return all;
}

/* ---- forms ---- */

static void options_write(struct xml_writer *w, const struct admin_field *f)
{
    form_put_value(w, slice_str(f->usual));
    for (const char *const *o = f->options; *o; o += 2)
        form_put_option(w, o[1], o[0]);
}

static void current_write(struct sm *sm, struct xml_writer *w, struct slice domain, const char *var)
{
    struct slice text = notice_text(sm, domain, strcmp(var, "motd") == 0 ? NOTICE_MOTD : NOTICE_WELCOME);

    while (text.len) {
        const uint8_t *end = memchr(text.p, '\n', text.len);
        size_t         len = end ? (size_t)(end - text.p) : text.len;

        form_put_value(w, slice_cut(text, 0, len));
        text = slice_cut(text, end ? len + 1 : len, text.len);
    }
}

static void field_write(const struct command_call *call, const struct admin_field *f)
{
    struct passage *p = call->iq->p;

    form_field_open(call->w, f->var, f->type, f->label);
    if (!f->optional) {
        xml_open(call->w, "required", NULL);
        xml_close(call->w);
    }
    if (f->filled)
        current_write(p->sm, call->w, p->stanza->to, f->var);
    if (f->options)
        options_write(call->w, f);
    xml_close(call->w);
}

static void ask(struct command_call *call)
{
    const struct admin_spec *spec = call->command->with;

    xml_open(call->w, "x", NS_DATA);
    xml_attr(call->w, "type", "form");
    xml_simple(call->w, "title", NULL, slice_str(call->command->name));
    xml_simple(call->w, "instructions", NULL, slice_str(spec->instructions));
    form_put_str(call->w, "FORM_TYPE", "hidden", NULL, NS_ADMIN);
    for (const struct admin_field *f = spec->fields; f->var; f++)
        field_write(call, f);
    xml_close(call->w);
}

static int run(struct command_call *call)
{
    return admin_job_start(call, call->command->with);
}

#define FORM(node, name, spec) { NS_ADMIN "#" node, name, TO_SERVER, NS_ADMIN, may, ask, run, &spec }
#define AT_ONCE(node, name, spec) { NS_ADMIN "#" node, name, TO_SERVER, NS_ADMIN, may, NULL, run, &spec }
#define OF_ALL(node, name, ask, spec) { node, name, TO_SERVER, NS_ADMIN, may_all, ask, run, &spec }

static const struct command admin_commands[] = {
    FORM("add-user", "Add User", add_user),
    FORM("delete-user", "Delete User", delete_user),
    FORM("disable-user", "Disable User", disable_user),
    FORM("reenable-user", "Re-Enable User", reenable_user),
    FORM("end-user-session", "End User Session", end_user_session),
    FORM("change-user-password", "Change User Password", change_user_password),
    FORM("get-user-roster", "Get User Roster", get_user_roster),
    FORM("get-user-lastlogin", "Get User Last Login Time", get_user_lastlogin),
    FORM("user-stats", "Get User Statistics", user_stats),
    AT_ONCE("get-registered-users-num", "Get Number of Registered Users", registered_num),
    AT_ONCE("get-disabled-users-num", "Get Number of Disabled Users", disabled_num),
    AT_ONCE("get-online-users-num", "Get Number of Online Users", online_num),
    AT_ONCE("get-active-users-num", "Get Number of Active Users", active_num),
    AT_ONCE("get-idle-users-num", "Get Number of Idle Users", idle_num),
    FORM("get-registered-users-list", "Get List of Registered Users", registered_list),
    FORM("get-disabled-users-list", "Get List of Disabled Users", disabled_list),
    FORM("get-online-users-list", "Get List of Online Users", online_list),
    FORM("get-active-users", "Get List of Active Users", active_list),
    FORM("get-idle-users", "Get List of Idle Users", idle_list),
    FORM("announce", "Send Announcement to Online Users", announce),
    FORM("set-motd", "Set Message of the Day", set_motd),
    FORM("edit-motd", "Edit Message of the Day", edit_motd),
    AT_ONCE("delete-motd", "Delete Message of the Day", delete_motd),
    FORM("set-welcome", "Set Welcome Message", set_welcome),
    AT_ONCE("delete-welcome", "Delete Welcome Message", delete_welcome),
    AT_ONCE("get-admins", "Get List of Administrators", get_admins),
    OF_ALL(NS_ADMIN "#restart", "Restart Service", ask, restart),
    OF_ALL(NS_ADMIN "#shutdown", "Shut Down Service", ask, shut_down),
    OF_ALL("cancel-shutdown", "Cancel Restart or Shut Down", NULL, call_off),
    { 0 },
};

const struct sm_feature sm_admin = { .name = "admin", .spec = "XEP-0133", .commands = admin_commands };
