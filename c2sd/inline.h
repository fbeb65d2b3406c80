#pragma once

/* What a client asks for together with its login (XEP-0388 2.6.1): done after the exchange and before
 * <success/>, in this order: resumption (XEP-0198 10.2), and when there is none or it fails, binding
 * (XEP-0386). Whatever becomes of it, the login stands. */

#include "login.h"
#include "manage.h"
#include "negotiate.h"

struct inlines;

/* An element of <authenticate/>: one row in inline.c. */
struct inline_row {
    const char *ns, *element;
    bool        for_sm;                                     /* handed to sm with AUTH_START (sm/login_inline.c) */
    void      (*feature)(struct conn *c, struct buf *out);  /* in <inline/>; NULL: another row says it */
    void      (*beside)(struct conn *c, struct buf *out);   /* next to <inline/>; NULL: nothing */
    void      (*take)(struct conn *c, struct inlines *in, const struct element *e);     /* NULL: nothing here */
};

void inline_features(struct conn *c, struct buf *out);
/* Of an <authenticate/>, in the place of those of an earlier one. Unknown elements are left alone. */
struct inlines *inlines_take(struct conn *c, const struct element *authenticate);
void            inlines_free(struct inlines **in);
/* The content for sm. */
struct slice inlines_for_sm(const struct inlines *in);

/* The exchange succeeded; the rest, <success/> included, is said from here. */
void inline_begin(struct conn *c, const struct auth_done *done);
/* True from then on until <success/>. */
bool inline_runs(const struct conn *c);

/* What became of it; the first and the third before the state is ACTIVE. managed->op 0: not asked for. */
void inline_resumed(struct conn *c, const struct resumed *r);
void inline_not_resumed(struct conn *c, enum zerr why, const uint32_t *h);
void inline_bound(struct conn *c, const struct bound *b, const struct manage *managed);
/* The client sees no <bound/> and may bind as RFC 6120 7 says. */
void inline_not_bound(struct conn *c);
