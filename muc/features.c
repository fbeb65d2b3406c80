/* What a room service does. THE ORDER IS THE ORDER in which an IQ looks for its row and disco lists. */

#include "feature.h"

#define FEATURES(X)        \
    X(disco)  /* XEP-0030 */ \
    X(ping)   /* XEP-0199, 0410 */ \
    X(admin)  /* XEP-0045 8, 9 */ \
    X(owner)  /* XEP-0045 10 */ \
    X(mam)    /* XEP-0313 */ \
    X(retraction)  /* XEP-0424 */ \
    X(tombstones)  /* XEP-0424 4 */

#define X(name) extern const struct muc_feature muc_##name;
FEATURES(X)
#undef X

const struct muc_feature *const muc_features[] = {
#define X(name) &muc_##name,
    FEATURES(X)
#undef X
    NULL,
};
