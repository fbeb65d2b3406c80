#pragma once

/* A XEP is one file and one line in features.c (STYLE.md C8). */

#include "request.h"

enum iq_type { IQ_GET = 1, IQ_SET = 2 };

/* A handler fills r->reply and returns ZE_OK (the dispatcher sends the result), or an error (the
 * dispatcher sends that). It may answer itself before it goes on: request_answer. */
struct iq_row {
    unsigned         types;           /* IQ_GET | IQ_SET; 0 ends the rows */
    const char      *ns, *element;
    unsigned         targets;         /* enum target */
    enum affiliation needs;           /* least affiliation with the room (AFF_OUTCAST: anybody) */
    enum zerr (*handle)(struct request *r, const struct element *payload);
};

struct muc_feature {
    const char              *name;
    const char              *spec;
    const char *const       *service_disco;   /* features of the service, NULL-ended; may be NULL */
    const char *const       *room_disco;      /* of every room that it is in */
    /* False: that room does not have it: it is not announced, and its IQs find nobody. NULL: every room. */
    bool                   (*in_room)(const struct room *room);
    const struct iq_row     *iqs;             /* may be NULL */
};

extern const struct muc_feature *const muc_features[];       /* NULL-ended */

static inline bool feature_in_room(const struct muc_feature *f, const struct room *room)
{
    return !f->in_room || (room && f->in_room(room));
}
