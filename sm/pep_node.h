#pragma once

/* Configuration of a node (XEP-0060 8.2, 16.4.4), as a table of fields (pep_form.h), which compares preconditions
 * (7.1.5) too. */

#include "pep_form.h"

/* In the order of the values in the rows' lists. */
enum pep_access { PEP_PRESENCE, PEP_OPEN, PEP_ROSTER, PEP_AUTHORIZE, PEP_WHITELIST, PEP_ACCESS_MODELS };
enum pep_send_last { PEP_LAST_ON_PRESENCE, PEP_LAST_ON_SUB, PEP_LAST_NEVER };
enum pep_node_full { PEP_RETRACT_OLDEST, PEP_DISCARD_OLDEST, PEP_REJECT };
enum pep_notification { PEP_HEADLINE, PEP_NORMAL };
enum pep_item_reply { PEP_REPLY_NONE, PEP_REPLY_PUBLISHER };   /* items tell their publisher (12.17) */

/* Slices borrow from what it was read from. */
struct pep_config {
    uint8_t      access;               /* enum pep_access */
    uint8_t      send_last;            /* enum pep_send_last */
    uint8_t      node_full;            /* enum pep_node_full */
    uint8_t      notification;         /* enum pep_notification */
    uint8_t      item_reply;           /* enum pep_item_reply */
    bool         persist, deliver, payloads, subscribe;
    bool         notify_config, notify_delete, notify_retract;
    uint32_t     max_items, max_payload;
    uint32_t     expire;               /* seconds */
    struct slice title, description, type, language;
    struct slice groups;               /* each sized */
};

/* The defaults of a personal eventing service (XEP-0163 5). */
void pep_config_preset(struct pep_config *c);

enum pep_form_use { PEP_FORM_CONFIGURE, PEP_FORM_PRECONDITIONS };
/* Reads what a submitted form says into *c, which keeps the rest. Fields that are no rows are ignored in a
 * configuration (XEP-0004 3.2) and refused among preconditions (7.1.5): ZE_BAD_REQUEST. ZE_NOT_ACCEPTABLE: a
 * value that a row does not allow; *refused is its name, else empty. */
enum zerr pep_config_read(struct arena *arena, const struct element *form, enum pep_form_use use,
                          struct pep_config *c, struct slice *refused);
/* Preconditions are met when reading them over what a node has changes nothing. */
bool pep_config_same(struct arena *arena, const struct pep_config *a, const struct pep_config *b);
/* The fields with their options (a form to fill in) or values alone (a result). */
void pep_config_write(struct xml_writer *w, struct arena *arena, const struct pep_config *c, bool options);

/* As it is stored: u8 number of a row, sized value, for each value that is not the default. */
void pep_config_put(struct buf *out, struct arena *arena, const struct pep_config *c);
/* Takes all that is left. False: unreadable. */
bool pep_config_take(struct cursor *cur, struct pep_config *c);

/* Is the group (of a roster item) among those allowed? */
bool pep_config_group(const struct pep_config *c, struct slice group);
