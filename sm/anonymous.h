#pragma once

/* Sessions without an account (SASL ANONYMOUS: RFC 4505, XEP-0175), where domain[].anonymous admits them.
 *
 * The bare JID is drawn at random for one login and is nobody's afterwards. Its localpart is a UUID of version 8
 * (RFC 9562 5.8), half random, half a MAC under a secret of the server: every instance knows such a name for what it
 * is, with no row anywhere, and no account can be made under one. Nothing of such an owner is stored. */

#include "jid.h"
#include "sm.h"

enum { ANONYMOUS_NAME = 36 };        /* bytes of the localpart */

struct auth_start;

/* Writes a localpart for this domain, with a NUL. */
void anonymous_name(struct sm_store *s, struct slice domain, char out[ANONYMOUS_NAME + 1]);
/* Whether this server made the name for a session without an account, now or ever. */
bool anonymous_is(struct sm_store *s, struct slice bare);

/* A login begins (sasl_admit_fn): *out is who it will be, owned by this instance. Else the condition of RFC 6120 6.5
 * and, or NULL, *text. */
const char *anonymous_admit(void *sm, const struct auth_start *start, struct jid *out, const char **text);
/* At BIND: ZE_OK; ZE_FULL: too many such sessions, here or of that address. */
enum zerr anonymous_may_bind(const struct sm *sm, struct slice address);
