#pragma once

/* Secrets of the server itself, made once at random and kept in T_SECRET (accounts environment), so
 * that all sm instances of a host share them. Row: slot 0, name -> u8 format 1, 32 bytes. */

#include "sm_store.h"

enum { SECRET_BYTES = 32 };

/* Names in use. */
#define SECRET_TICKET  "ticket"          /* sm/ticket.c */
#define SECRET_RESOURCE "resource"       /* sm/bind2.c */
#define SECRET_ANONYMOUS "anonymous"     /* sm/anonymous.c */
#define SECRET_UNKNOWN "unknown-user"    /* sm/credentials.c */

/* Reads the secret; when there is none, makes one and commits it (it is visible at once). */
void secret_get(struct sm_store *s, const char *name, uint8_t out[SECRET_BYTES]);
/* Only reads. False: there is none. */
bool secret_read(struct store_view *view, const char *name, uint8_t out[SECRET_BYTES]);
