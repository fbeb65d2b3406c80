/* XEP-0494 Client Access Management: an account's owner sees which clients have access, and ends that of one. */

#include "clients.h"
#include "datetime.h"
#include "ns.h"
#include "stanza_error.h"

static void time_write(struct xml_writer *w, const char *name, uint64_t us)
{
    char text[DATETIME_MAX];

    datetime_write(text, us / 1000000 * 1000000);
    xml_simple(w, name, NULL, slice_str(text));
}

static void mark_write(struct xml_writer *w, const char *name, bool wanted)
{
    if (!wanted)
        return;
    xml_open(w, name, NULL);
    xml_close(w);
}

static void text_write(struct xml_writer *w, const char *name, struct slice text)
{
    if (text.len)
        xml_simple(w, name, NULL, text);
}

/* 3.1. Whoever is in may do everything: there are no restricted clients here. */
static void client_write(void *arg, const struct client_info *info)
{
    struct xml_writer *w = arg;

    xml_open(w, "client", NULL);
    xml_attr(w, "connected", info->sessions ? "true" : "false");
    xml_attr(w, "id", info->ref);
    xml_attr(w, "type", "session");
    time_write(w, "first-seen", info->first_us);
    time_write(w, "last-seen", info->last_us);
    xml_open(w, "auth", NULL);
    mark_write(w, "password", info->password);
    mark_write(w, "fast", info->token);
    xml_close(w);
    xml_open(w, "permission", NULL);
    xml_attr(w, "status", "unrestricted");
    xml_close(w);
    xml_open(w, "user-agent", NULL);
    text_write(w, "software", info->software);
    text_write(w, "device", info->device);
    xml_close(w);
    xml_close(w);
}

static int list(struct iq *iq)
{
    if (!iq->p->session)
        return ZE_FORBIDDEN;
    xml_open(iq->reply, "clients", NS_CAM);
    clients_each(iq->p->sm, iq->p->owner, client_write, iq->reply);
    xml_close(iq->reply);
    return ZE_OK;
}

/* The reply is recorded before the session it goes to may end. */
static void tell_password_is_known(struct passage *p)
{
    const struct error_detail detail = { .ns = NS_CAM, .condition = "password-reset-required" };
    struct stanza             reply;
    struct buf                bytes = { 0 };

    if (!stanza_error_reply_detailed(p->stanza, ZE_NO_SUCH, &detail, &bytes, &reply))
        return;
    reply.content = outcome_keep(p->out, &bytes);
    outcome_session(p->out, AFTER_COMMIT, p->session, &reply);
}

/* 3.2. Sessions and tokens end in any case; the error tells that this alone does not keep the client out. */
static int revoke_one(struct iq *iq)
{
    struct passage *p = iq->p;
    const char     *ref = arena_str(p->sm->arena, element_attr(iq->payload, "id"));
    bool            password;

    if (!p->session)
        return ZE_FORBIDDEN;
    enum zerr err = *ref ? clients_find(p->sm, p->owner, ref, &password) : ZE_BAD_REQUEST;
    if (err)
        return err;
    if (password)
        tell_password_is_known(p);
    else
        iq_reply_now(p);
    clients_revoke(p, ref);
    return LATER;
}

static const char *const cam_disco[] = { NS_CAM, NULL };

static const struct iq_row cam_iqs[] = {
    { IQ_GET, NS_CAM, "list", TO_OWN_ACCOUNT, list },
    { IQ_SET, NS_CAM, "revoke", TO_OWN_ACCOUNT, revoke_one },
    { 0 },
};

const struct sm_feature sm_cam = {
    .name = "cam", .spec = "XEP-0494", .disco_account = cam_disco, .iqs = cam_iqs,
};
