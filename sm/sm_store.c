/* Names of the tables (sm_store.h), for whoever opens the environments. */

#include "sm_store.h"

#define X(name) #name,
const char *const sm_account_tables[] = { ACCOUNT_TABLES(X) NULL };
const char *const sm_archive_tables[] = { ARCHIVE_TABLES(X) NULL };
#undef X
