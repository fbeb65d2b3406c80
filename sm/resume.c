/* Stream management (resume.h). */

#include "resume.h"

void resume_row_put(struct buf *out, const struct session *s)
{
    (void)s;
    buf_put_u8(out, 0);
}

enum zerr resume_row_take(struct cursor *c, struct session *s)
{
    (void)s;
    return take_u8(c) == 0 ? ZE_OK : ZE_STORE;
}

bool resume_hibernates(const struct session *s)
{
    (void)s;
    return false;
}

bool resume_lost_socket(struct sm *sm, struct session *s)
{
    (void)sm;
    (void)s;
    return false;
}

void resume_on_kept(struct sm *sm, struct kept *k)
{
    (void)sm;
    (void)k;
}
