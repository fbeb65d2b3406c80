/* Ad-hoc commands: the list, execution and its sessions (commands.h). Numbers are sections of XEP-0050. */

#include "commands.h"

#include <stdlib.h>

#include "disco.h"
#include "encode.h"
#include "ns.h"
#include "table.h"

struct commands {
    struct table *open;                  /* session id -> struct execution */
};

/* A form that was given out. */
struct execution {
    struct commands      *all;
    struct timer          expiry;
    const struct command *command;
    char                 *requester;     /* full JID */
    char                  id[RANDOM_ID];
};

struct command_later {
    struct iq_later      *iq;
    const struct command *command;
    char                  id[RANDOM_ID];
};

struct commands *commands_new(void)
{
    struct commands *c = xcalloc(1, sizeof(*c));

    c->open = table_new();
    return c;
}

static void execution_end(struct execution *e)
{
    table_remove(e->all->open, slice_str(e->id));
    timer_disarm(&e->expiry);
    free(e->requester);
    free(e);
}

void commands_free(struct commands **cp)
{
    if (!*cp)
        return;
    for (struct table_iter i = { 0 }; table_next((*cp)->open, &i);)
        execution_end(i.value);
    table_free(&(*cp)->open);
    free(*cp);
    *cp = NULL;
}

/* ---- which there are ---- */

typedef bool command_each_fn(void *arg, const struct command *c);

/* Those of this target, in the order of the features, until each() says that it is enough. */
static void commands_each(const struct iq *iq, command_each_fn *each, void *arg)
{
    for (size_t i = 0; i < sm_feature_count; i++)
        for (const struct command *c = sm_features[i]->commands; c && c->node; c++)
            if (c->targets & iq->target && feature_on(sm_features[i], iq->p->sm) && each(arg, c))
                return;
}

struct search {
    struct slice          node;
    const struct command *found;
};

static bool is_it(void *arg, const struct command *c)
{
    struct search *s = arg;

    if (slice_is(s->node, c->node))
        s->found = c;
    return s->found != NULL;
}

static const struct command *command_find(const struct iq *iq, struct slice node)
{
    struct search s = { node, NULL };

    commands_each(iq, is_it, &s);
    return s.found;
}

static bool list_one(void *arg, const struct command *c)
{
    struct iq *iq = arg;

    if (c->may(iq))
        disco_item_write(iq->reply, iq->p->stanza->to.len ? iq->p->stanza->to : iq->p->owner, slice_str(c->node),
                         slice_str(c->name));
    return false;
}

static int list_items(struct iq *iq, struct slice node)
{
    (void)node;
    commands_each(iq, list_one, iq);
    return ZE_OK;
}

static int list_info(struct iq *iq, struct slice node)
{
    (void)node;
    disco_identity_write(iq->reply, "automation", "command-list", "Commands");
    disco_feature_write(iq->reply, NS_COMMANDS);
    return ZE_OK;
}

static bool is_command(struct iq *iq, struct slice node)
{
    return command_find(iq, node) != NULL;
}

/* 2.2: who may not execute it may not look at it either. */
static int command_info(struct iq *iq, struct slice node)
{
    const struct command *c = command_find(iq, node);

    if (!c->may(iq))
        return ZE_FORBIDDEN;
    disco_identity_write(iq->reply, "automation", "command-node", c->name);
    disco_feature_write(iq->reply, NS_COMMANDS);
    disco_feature_write(iq->reply, NS_DATA);
    return ZE_OK;
}

/* ---- what is said ---- */

void command_note(struct xml_writer *w, const char *type, const char *text)
{
    xml_open(w, "note", NULL);
    xml_attr(w, "type", type);
    xml_text_str(w, text);
    xml_close(w);
}

static void command_open(struct xml_writer *w, const struct command *c, const char *id, const char *status)
{
    xml_open(w, "command", NS_COMMANDS);
    xml_attr(w, "node", c->node);
    xml_attr(w, "sessionid", id);
    xml_attr(w, "status", status);
    xml_attr(w, "xml:lang", "en");
}

struct command_later *command_defer(const struct command_call *call)
{
    struct command_later *later = xcalloc(1, sizeof(*later));

    later->iq = iq_defer(call->iq);
    later->command = call->command;
    snprintf(later->id, sizeof(later->id), "%s", call->session);
    return later;
}

static void completed_write(struct buf *content, const struct command *c, const char *id, command_write *write, void *arg)
{
    struct xml_writer w;

    xml_begin(&w, content, NS_CLIENT);
    command_open(&w, c, id, "completed");
    write(&w, arg);
    xml_close(&w);
}

void command_complete_now(const struct command_call *call, command_write *write, void *arg)
{
    struct buf content = { 0 };

    completed_write(&content, call->command, call->session, write, arg);
    iq_reply_with(call->iq->p, outcome_keep(call->iq->p->out, &content));
}

void command_complete(struct command_later **later, command_write *write, void *arg)
{
    struct buf content = { 0 };

    completed_write(&content, (*later)->command, (*later)->id, write, arg);
    iq_answer(&(*later)->iq, ZE_OK, buf_slice(&content));
    buf_free(&content);
    free(*later);
    *later = NULL;
}

void command_fail(struct command_later **later, enum zerr err, const char *text)
{
    iq_answer_error(&(*later)->iq, err, &(struct error_detail){ .text = text });
    free(*later);
    *later = NULL;
}

/* ---- the first stage ---- */

static void execution_expired(void *arg)
{
    execution_end(arg);
}

static unsigned open_of(const struct commands *all, struct slice requester)
{
    unsigned count = 0;

    for (struct table_iter i = { 0 }; table_next(all->open, &i);)
        count += slice_is(requester, ((struct execution *)i.value)->requester);
    return count;
}

/* 3.3: too many of one requester are not allowed; too many of all must wait. */
static int execution_begin(struct iq *iq, const struct command *c, struct execution **out)
{
    struct sm        *sm = iq->p->sm;
    struct slice      requester = iq->p->stanza->from;
    struct execution *e;

    if (open_of(sm->commands, requester) >= (unsigned)sm->settings->limits.commands_per_session)
        return ZE_NOT_ALLOWED;
    if (table_count(sm->commands->open) >= (size_t)sm->settings->limits.commands_max)
        return ZE_FULL;
    e = xcalloc(1, sizeof(*e));
    e->all = sm->commands;
    e->command = c;
    e->requester = xstrndup(requester);
    random_id(e->id);
    e->expiry = (struct timer){ .fire = execution_expired, .arg = e };
    timer_arm(sm->loop, &e->expiry, (uint64_t)sm->settings->limits.command_seconds * 1000);
    table_put(e->all->open, slice_str(e->id), e);
    *out = e;
    return ZE_OK;
}

static void actions_write(struct xml_writer *w)
{
    xml_open(w, "actions", NULL);
    xml_attr(w, "execute", "complete");
    xml_open(w, "complete", NULL);
    xml_close(w);
    xml_close(w);
}

static int ask(struct iq *iq, const struct command *c)
{
    struct execution *e;
    int               err = execution_begin(iq, c, &e);

    if (err)
        return err;
    command_open(iq->reply, c, e->id, "executing");
    actions_write(iq->reply);
    c->ask(&(struct command_call){ .iq = iq, .command = c, .session = e->id, .w = iq->reply });
    xml_close(iq->reply);
    return ZE_OK;
}

static int run(struct iq *iq, const struct command *c, const struct element *form, const char *id)
{
    struct command_call call = { .iq = iq, .command = c, .form = form, .session = id, .w = iq->reply };
    int                 err;

    command_open(iq->reply, c, id, "completed");
    err = c->run(&call);
    xml_close(iq->reply);
    return err == ZE_BAD_REQUEST ? iq_error(iq, err, NS_COMMANDS, "bad-payload") : err;
}

static int begin(struct iq *iq, const struct command *c)
{
    char id[RANDOM_ID];

    if (c->ask)
        return ask(iq, c);
    random_id(id);
    return run(iq, c, NULL, id);
}

/* ---- what follows ---- */

/* 3.3: ids of ours that are no longer open are told from those that never were. */
static int unknown_session(const struct iq *iq, struct slice id)
{
    bool ours = id.len == RANDOM_ID - 1;

    for (size_t i = 0; i < id.len && ours; i++)
        ours = (id.p[i] >= 'a' && id.p[i] <= 'z') || (id.p[i] >= '2' && id.p[i] <= '7');
    return ours ? iq_error(iq, ZE_NOT_ALLOWED, NS_COMMANDS, "session-expired")
                : iq_error(iq, ZE_BAD_REQUEST, NS_COMMANDS, "bad-sessionid");
}

static int cancel(struct iq *iq, struct execution *e)
{
    command_open(iq->reply, e->command, e->id, "canceled");
    xml_close(iq->reply);
    execution_end(e);
    return ZE_OK;
}

/* A form of type `cancel` counts as submitted (3.5.1), with nothing in it. */
static int submit(struct iq *iq, struct execution *e)
{
    const struct command *c = e->command;
    const struct element *form;
    char                  id[RANDOM_ID];
    int                   err = form_take(iq->p->sm->arena, iq->payload, c->form_type, &form, NULL);

    if (err)
        return iq_error(iq, err, NS_COMMANDS, "bad-payload");
    snprintf(id, sizeof(id), "%s", e->id);
    err = run(iq, c, form, id);
    e = table_get(iq->p->sm->commands->open, slice_str(id));        /* it may have ended with its requester */
    if (e && err != ZE_BAD_REQUEST)
        execution_end(e);
    return err;
}

enum action { EXECUTE = 1, CANCEL, COMPLETE, NEXT, PREV };

static unsigned action_of(const struct element *command)
{
    static const char *const names[] = { "execute", "cancel", "complete", "next", "prev" };
    struct slice             said = element_attr(command, "action");

    for (unsigned i = 0; i < COUNT_OF(names); i++)
        if (slice_is(said, names[i]))
            return i + 1;
    return said.p ? 0 : EXECUTE;
}

static int go_on(struct iq *iq, const struct command *c, struct slice id, unsigned action)
{
    struct execution *e = table_get(iq->p->sm->commands->open, id);

    if (!e)
        return unknown_session(iq, id);
    if (e->command != c || !slice_is(iq->p->stanza->from, e->requester))
        return iq_error(iq, ZE_BAD_REQUEST, NS_COMMANDS, "bad-sessionid");
    if (action == CANCEL)
        return cancel(iq, e);
    if (action == NEXT || action == PREV)
        return iq_error(iq, ZE_BAD_REQUEST, NS_COMMANDS, "bad-action");
    return submit(iq, e);
}

/* XEP-0133 6: a node of its own that is not there is a command not supported. */
static int no_command(const struct iq *iq, struct slice node)
{
    return iq->target == TO_SERVER && slice_starts(node, SLICE(NS_ADMIN "#")) ? ZE_FEATURE : ZE_NOT_FOUND;
}

static int command_iq(struct iq *iq)
{
    struct slice          node = element_attr(iq->payload, "node"), id = element_attr(iq->payload, "sessionid");
    const struct command *c = command_find(iq, node);
    unsigned              action = action_of(iq->payload);

    if (!node.len)
        return ZE_BAD_REQUEST;
    if (!c)
        return no_command(iq, node);
    if (!c->may(iq))
        return ZE_FORBIDDEN;
    if (!action)
        return iq_error(iq, ZE_BAD_REQUEST, NS_COMMANDS, "malformed-action");
    if (id.p)
        return go_on(iq, c, id, action);
    if (action != EXECUTE)
        return iq_error(iq, ZE_BAD_REQUEST, NS_COMMANDS, "bad-action");
    return begin(iq, c);
}

static void commands_offline(struct passage *p, struct session *s)
{
    for (struct table_iter i = { 0 }; table_next(p->sm->commands->open, &i);) {
        struct execution *e = i.value;

        if (slice_is(session_jid(s), e->requester))
            execution_end(e);
    }
}

static const char *const commands_disco[] = { NS_COMMANDS, NULL };

static const struct disco_node commands_nodes[] = {
    { TO_SERVER | TO_OWN_ACCOUNT, NS_COMMANDS, NULL, list_info, list_items },
    { TO_SERVER | TO_OWN_ACCOUNT, NULL, is_command, command_info, NULL },
    { 0 },
};

static const struct iq_row commands_iqs[] = {
    { IQ_SET, NS_COMMANDS, "command", TO_SERVER | TO_OWN_ACCOUNT, command_iq },
    { 0 },
};

const struct sm_feature sm_commands = {
    .name = "commands", .spec = "XEP-0050", .disco_server = commands_disco, .disco_account = commands_disco,
    .disco_nodes = commands_nodes, .iqs = commands_iqs, .offline = commands_offline,
};
