#pragma once

/* Every setting, one row: X(TYPE, name, default, min, max, unit, help).
 * INT has a range; BOOL, STR and LIST ignore min and max. A LIST default is "" (empty) or "a,b". */

#define DOMAIN_SETTINGS(X)                                                                         \
    X(LIST, admins,       "",       0, 0, "JIDs",  "who may administer this domain from a client")   \
    X(STR,  registration, "closed", 0, 0, "mode",  "in-band registration: closed, invite, review, open") \
    X(STR,  client_certificates, "", 0, 0, "path", "PEM file of the authorities whose certificates let clients log in (SASL EXTERNAL); empty = none is asked for") \
    X(STR,  client_revocations,  "", 0, 0, "path", "PEM file of what these authorities revoked")  \
    X(STR,  anonymous, "off",      0, 0, "mode", "logins without an account (SASL ANONYMOUS, XEP-0175): off; local = they reach what this server hosts; anywhere = other servers, too") \
    X(STR,  archive_default, "always", 0, 0, "whose messages", "archived for an account that has not said (XEP-0441): always, never, roster") \
    X(INT,  archive_days, -1,      -1, 36500, "days", "messages stay in archives of this domain; 0 = for ever; -1 = as server.archive_days") \
    X(LIST, abuse_addresses,    "", 0, 0, "URIs", "of the operator, told in disco (XEP-0157): for abusive traffic") \
    X(LIST, admin_addresses,    "", 0, 0, "URIs", "for the administrators")                        \
    X(LIST, feedback_addresses, "", 0, 0, "URIs", "for feedback")                                  \
    X(LIST, sales_addresses,    "", 0, 0, "URIs", "for sales")                                     \
    X(LIST, security_addresses, "", 0, 0, "URIs", "for security")                                  \
    X(LIST, status_addresses,   "", 0, 0, "URIs", "of the state of the service")                   \
    X(LIST, support_addresses,  "", 0, 0, "URIs", "for support")                                   \
    X(LIST, outage_addresses,   "", 0, 0, "URIs", "of the file that tells of outages (XEP-0455)")

#define ROOMS_SETTINGS(X)                                                                          \
    X(LIST, admins,        "",      0, 0,       "JIDs",     "owners of every room")                \
    X(STR,  create,        "local", 0, 0,       "who",      "who may create rooms: local, everybody, admins") \
    X(INT,  history,       20,      0, 500,     "messages", "history sent to who enters")           \
    X(INT,  archive_days,     0,    0, 36500,   "days",     "messages stay in the archive of a room; 0 = for ever") \
    X(INT,  archive_messages, 0,    0, 1000000000, "messages", "stay in the archive of a room, the newest ones; 0 = all") \
    X(INT,  occupants_max, 5000,    2, 100000,  "occupants", "in one room")

#define COMPONENT_SETTINGS(X)                                                                      \
    X(STR, secret_file, "", 0, 0, "path", "file with the shared secret of XEP-0114")

#define SERVICE_SETTINGS(X)                                                                        \
    X(STR, host,        "",     0, 0,     "name or IP address", "of the service; empty = the section's name")  \
    X(STR, type,        "turn", 0, 0,     "type", "stun, stuns, turn, turns, or another one")        \
    X(INT, port,        3478,   1, 65535, "port", "")                                              \
    X(STR, transport,   "udp",  0, 0,     "transport", "udp or tcp")                                 \
    X(STR, label,       "",     0, 0,     "text", "its name for people")                             \
    X(STR, secret_file, "",     0, 0,     "path", "file with the secret shared with coturn (static-auth-secret); empty = no credentials") \
    X(INT, credentials_seconds, 86400, 60, 2592000, "seconds", "that credentials are good for")

#define DIR_SETTINGS(X)                                                                            \
    X(STR, run,   "/run/zubr",           0, 0, "path", "sockets")                                  \
    X(STR, data,  "/var/lib/zubr",       0, 0, "path", "LMDB environments")                        \
    X(STR, certs, "/etc/zubr/certs",     0, 0, "path", "one directory a domain: fullchain.pem, privkey.pem")

#define LISTEN_SETTINGS(X)                                                                         \
    X(LIST, address,   "::", 0, 0,     "addresses", "where to listen (:: takes IPv4 as well)")      \
    X(INT,  c2s,       5222, 0, 65535, "port", "clients, STARTTLS; 0 = off")                         \
    X(INT,  c2s_tls,   5223, 0, 65535, "port", "clients, direct TLS (XEP-0368); 0 = off")            \
    X(INT,  s2s,       5269, 0, 65535, "port", "other servers; 0 = off")                             \
    X(INT,  component, 5347, 0, 65535, "port", "external components (XEP-0114); 0 = off")            \
    X(INT,  http,      5280, 0, 65535, "port", "HTTP; 0 = off")

#define INSTANCE_SETTINGS(X)                                                                       \
    X(INT, c2s,     -1, -1, 65535, "port", "own client port of this instance; -1 = the common one")  \
    X(INT, c2s_tls, -1, -1, 65535, "port", "own direct-TLS port; -1 = the common one")               \
    X(INT, s2s,     -1, -1, 65535, "port", "own server port; -1 = the common one")

#define INSTANCES_SETTINGS(X)                                                                      \
    X(INT, sm,   1, 1, 64, "processes", "session managers")                                        \
    X(INT, muc,  1, 1, 64, "processes", "group chat")                                              \
    X(INT, c2sd, 1, 1, 64, "processes", "client connections")                                      \
    X(INT, s2sd, 1, 1, 64, "processes", "federation")

#define LIMITS_SETTINGS(X)                                                                         \
    X(INT, stanza_max,          262144, 10000, 1048576, "bytes",   "largest stanza from a client or server") \
    X(INT, stanza_max_early,     10000,  1000,  262144, "bytes",   "largest element before login")  \
    X(INT, depth_max,               64,     8,    1000, "elements", "nesting inside a stanza")      \
    X(INT, attributes_max,         128,     8,    1000, "attributes", "of one element")             \
    X(INT, name_max,              1024,    64,    8192, "bytes",   "name of an element or attribute") \
    X(INT, connections_max,      19000,     1,  200000, "streams", "held at once by one instance")  \
    X(INT, connections_per_address, 100,    0,  100000, "streams", "from one address (/64 for IPv6), shared among the instances of a role; 0 = no limit") \
    X(INT, connect_rate,            20,     0,  100000, "a second", "new streams from one address, shared among the instances of a role; 0 = no limit") \
    X(INT, logins_max,            1000,    10,  200000, "streams", "that have not logged in yet, in one instance: then who took over 5 s makes room, and more wait to be taken") \
    X(INT, auth_failures_max,        5,     1,     100, "failures", "on one stream before it is closed") \
    X(INT, login_failures_max,      10,     0, 1000000, "failures", "to log in to one account from one address until it is refused there for login_refuse_seconds; 0 = no limit") \
    X(INT, login_failures_per_address, 50,  0, 1000000, "failures", "to log in from one address, whichever the account, until it is refused, shared among the instances of sm; accounts that logged in from it before are not; 0 = no limit") \
    X(INT, login_failures_per_account, 30,  0, 1000000, "failures", "to log in to one account, from everywhere, until the answers to addresses that it was not used from are delayed; 0 = no limit") \
    X(INT, login_refuse_seconds,    30,     1,   86400, "seconds", "of the first refusal; each failure after it doubles it") \
    X(INT, login_refuse_max,      1800,     1,   86400, "seconds", "of a refusal at most; after as long without a failure all is forgotten") \
    X(INT, login_delay_max,          5,     0,      15, "seconds", "an answer is delayed at most") \
    X(INT, anonymous_sessions,    1000,     0,  200000, "sessions", "without an account (XEP-0175), in one instance of sm; 0 = no limit") \
    X(INT, anonymous_per_address,   10,     0,  100000, "sessions", "without an account, from one address (/64 for IPv6); 0 = no limit") \
    X(INT, anonymous_per_hour,     100,     0, 1000000, "logins",   "without an account, from one address; 0 = no limit") \
    X(INT, clients_per_account,     50,     1,   10000, "clients", "remembered of one account (XEP-0494)") \
    X(INT, client_days,            180,     0,   36500, "days",    "a client that is not connected and has no token is remembered") \
    X(INT, token_days,              30,     1,    3650, "days",    "a token for logins without a password is good (XEP-0484)") \
    X(INT, token_rotate_hours,      24,     0,   87600, "hours",   "after which a token is replaced by a new one at its next use; 0 = at each use") \
    X(INT, stanza_rate,            100,     0, 1000000, "a second", "stanzas of one client, burst ten times that; 0 = no limit") \
    X(INT, byte_rate,            65536,     0, 1000000000, "bytes a second", "read from one client, burst ten times that; 0 = no limit") \
    X(INT, output_max,         4194304, 65536, 1073741824, "bytes", "waiting for a client or server that does not read") \
    X(INT, unconfirmed_max,      65536,  4096, 16777216, "bytes",  "of stanzas of one client or server that the next daemon has not taken over: then it is not read") \
    X(INT, idle_ping,              300,    10,   86400, "seconds", "of silence until a client is pinged; cut after as much again") \
    X(INT, sessions_per_account,    20,     1,    1000, "sessions", "of one account")               \
    X(INT, roster_items_max,      2000,     1,  100000, "items",   "of one roster")                 \
    X(INT, roster_groups_max,       50,     1,    1000, "groups",  "of one item of a roster")       \
    X(INT, roster_name_max,       1023,    16,    4096, "bytes",   "of an item's name in a roster, or of a group's") \
    X(INT, groups_max,             100,     0,   10000, "groups",  "shared roster groups of this server") \
    X(INT, group_members_max,      500,     2,   10000, "accounts", "of one shared roster group: each gets an item for each other one") \
    X(INT, requests_max,           500,     1,   10000, "requests", "of presence subscription that wait for an answer of one account; more are ignored") \
    X(INT, request_size,          4096,     0,   65536, "bytes",   "of content that such a request keeps; longer content is left out") \
    X(INT, directed_max,           500,     1,   10000, "JIDs",    "to whom one session has sent directed presence (RFC 6121 4.6)") \
    X(INT, blocklist_max,         1000,     1,  100000, "JIDs",    "blocked by one account (XEP-0191)") \
    X(INT, reports_per_hour,        20,     0,   10000, "reports", "of abuse from one account that admins hear of (XEP-0377); 0 = no limit") \
    X(INT, offline_messages_max,  1000,     0, 1000000, "messages", "waiting for one account")      \
    X(INT, offline_bytes_max,  4194304,     0, 1073741824, "bytes", "waiting for one account")      \
    X(INT, archive_page_max,        50,     1,     250, "messages", "of one page of an archive (XEP-0313)") \
    X(INT, archive_gather_ms,       50,     0,    1000, "ms",      "under load the archive lets more messages gather before it commits, and acknowledgements wait so long at most; 0 = never") \
    X(INT, archive_preferences_max, 200,    0,   10000, "JIDs",    "in the preferences of one archive (XEP-0441)") \
    X(INT, retraction_search,     1000,     0,  100000, "messages", "with one contact, the newest, among which a retraction (XEP-0424) looks for what it names; 0 = retractions leave archives alone") \
    X(INT, resume_seconds,         600,     0,   86400, "seconds", "a session without its socket waits to be resumed (XEP-0198); 0 = never") \
    X(INT, push_registrations,      10,     1,    1000, "registrations", "of push services (XEP-0357), of one account") \
    X(INT, push_options_bytes,    4096,   256,   65536, "bytes", "of what one of them wants with each notification") \
    X(INT, push_failing_hours,     168,     0,    8760, "hours", "of nothing but failures until a push service is no longer told; 0 = at the second in a row") \
    X(INT, push_retry_seconds,      30,     1,    3600, "seconds", "until a push service that failed is tried again; each failure doubles it, up to an hour") \
    X(INT, csi_stanzas,            300,     0,  100000, "stanzas", "unimportant ones held back for one inactive client (XEP-0352); 0 = none") \
    X(INT, csi_bytes,           262144,  4096, 1073741824, "bytes", "held back for one inactive client") \
    X(INT, resume_queue_bytes, 1048576, 65536, 1073741824, "bytes", "sent to one session and not acknowledged by its client") \
    X(INT, resume_queue_stanzas, 5000,    100, 1000000, "stanzas", "sent to one session and not acknowledged by its client") \
    X(INT, resume_remembered,    10000,     0, 1000000, "sessions", "that ended, whose last count a late resume is told") \
    X(INT, vcard_max,           131072,  1000, 1048576, "bytes",   "of one vCard")                  \
    X(INT, private_max,         131072,  1000, 1048576, "bytes",   "of one private XML element")    \
    X(INT, private_items_max,       50,     1,   10000, "items",   "private XML elements of one account") \
    X(INT, caps_stored,          10000,   256, 1000000, "capabilities", "of clients, kept in the store for all (XEP-0115)") \
    X(INT, caps_remembered,       1000,    10, 1000000, "capabilities", "of clients, kept in memory by one instance") \
    X(INT, caps_waiting,         10000,     1, 1000000, "clients", "whose capabilities one instance is asking for") \
    X(INT, caps_contacts,      1000000,   100, 100000000, "pairs",  "of an account and an available client of a contact elsewhere, whose wishes one instance remembers") \
    X(INT, caps_contact_resources,  20,     1,    1000, "clients", "of one contact elsewhere, whose wishes are remembered") \
    X(INT, pep_item_max,        131072,  1000, 1048576, "bytes",   "of the payload of one item of a node (XEP-0060)") \
    X(INT, pep_items_max,         1000,     1, 1000000, "items",   "kept by one node")             \
    X(INT, pep_nodes_max,          250,     1,   10000, "nodes",   "of one account")               \
    X(INT, pep_bytes_max,     16777216, 65536, 1073741824, "bytes", "of the items of one account")  \
    X(INT, pep_subscriptions_max, 1000,     0,  100000, "subscriptions", "and affiliations of one node") \
    X(INT, registrations_per_hour,  10,     0, 1000000, "accounts", "from one address in-band; 0 = no limit") \
    X(INT, s2s_byte_rate,       524288,     0, 1000000000, "bytes a second", "read from one stream of another server, burst ten times that; 0 = no limit") \
    X(INT, component_byte_rate, 4194304,    0, 1000000000, "bytes a second", "read from one external component, burst ten times that; 0 = no limit") \
    X(INT, search_bytes,       4194304,  1000, 1073741824, "bytes", "of vCards that one search looks at (XEP-0055)") \
    X(INT, search_results,          50,     1,    1000, "accounts", "that one search gives") \
    X(INT, notice_max,            8192,     1,   65536, "bytes",   "of a message of the day or a welcome") \
    X(INT, commands_max,          1000,     1, 1000000, "forms",   "of ad-hoc commands given out by one instance and not submitted") \
    X(INT, commands_per_session,    10,     1,    1000, "forms",   "of ad-hoc commands given to one client and not submitted") \
    X(INT, command_seconds,        600,     1,   86400, "seconds", "until such a form is void") \
    X(INT, s2s_queue_bytes,    1048576,  1000, 1073741824, "bytes", "waiting for one remote domain") \
    X(INT, s2s_queue_seconds,       60,     5,    3600, "seconds", "a stanza waits for a remote domain before it is returned") \
    X(INT, s2s_idle_seconds,       600,     1,   86400, "seconds", "until a stream of another server, or to one, that carries nothing is closed") \
    X(INT, rooms_max,            10000,     1, 10000000, "rooms",  "kept by one service")           \
    X(INT, rooms_per_creator,      100,     0, 10000000, "rooms",  "in memory made by one account; 0 = no limit") \
    X(INT, nick_max,               128,     8,    1023, "bytes",   "of a nick in a room")           \
    X(INT, subject_max,           4096,    64,   65536, "bytes",   "of a room's subject, or of a reason given") \
    X(INT, room_message_rate,       10,     0,  100000, "a second", "messages and presences of one occupant, burst ten times that; 0 = no limit") \
    X(INT, room_presence_max,     8192,   256,  262144, "bytes",   "of an occupant's presence")     \
    X(INT, room_history_bytes, 1048576,     0, 1073741824, "bytes", "of history kept by one room")  \
    X(INT, room_affiliations_max, 10000,   10, 1000000, "JIDs",    "with an affiliation to one room") \
    X(INT, router_queue_bytes, 16777216, 65536, 1073741824, "bytes", "waiting between two daemons") \
    X(INT, presence_bus_bytes, 4194304, 65536, 1073741824, "bytes", "of presence sent to one instance by Redis and not confirmed; more goes by routerd") \
    X(INT, presence_bus_ms,       1000,   100,   60000, "ms",      "presence may take by Redis; then it goes by routerd as well") \
    X(INT, presence_key_seconds,   600,    10,   86400, "seconds", "a session's presence stays in Redis; it is written anew after a third of that") \
    X(INT, presence_key_rate,      500,     1,  100000, "sessions a second", "written to Redis anew, at most (also when it is back)") \
    X(INT, presence_grace,          10,     0,    3600, "seconds", "from a start until contacts hear that sessions which Redis still names are gone") \
    X(INT, disk_floor_mb,          200,     0, 1000000, "MB",      "free disk below which the archive and offline storage refuse")

#define SERVER_SETTINGS(X)                                                                         \
    X(BOOL, require_tls,     true,  0, 0, "",     "no login before TLS")                            \
    X(BOOL, s2s_require_tls, true,  0, 0, "",     "no federation in clear")                         \
    X(STR,  redis,           "off", 0, 0, "unix:PATH, HOST:PORT or off", "presence bus between instances") \
    X(STR,  resolver,        "",    0, 0, "ADDR:PORT", "DNS server that s2sd asks; empty = the system's") \
    X(BOOL, reports,         true,  0, 0, "",     "reports of abuse (XEP-0377) go to the admins of the reporter's domain") \
    X(STR,  log,             "info", 0, 0, "level", "error, warn, info, debug")                     \
    X(BOOL, push_sender,     false, 0, 0, "",     "push services are told who sent the last message") \
    X(BOOL, push_body,       false, 0, 0, "",     "push services are told what it says, unless it is encrypted") \
    X(STR,  push_text,  "New message", 0, 0, "text", "what they are told in place of the body; empty = nothing") \
    X(BOOL, search,          false, 0, 0, "",     "accounts may be found by their vCards (XEP-0055)") \
    X(BOOL, archive,         true,  0, 0, "",     "keep an archive of messages")                    \
    X(INT,  archive_days,    0, 0, 36500, "days", "messages stay in the archive; 0 = for ever")     \
    X(INT,  scram_iterations, 10000, 4096, 10000000, "rounds", "of PBKDF2 for new passwords")        \
    X(INT,  pace_us,         250, 0, 10000, "us", "between two looks of a busy daemon for work, so that more comes together; 0 = it never waits") \
    X(STR,  admin_group,     "zubr-admin", 0, 0, "group", "whose members may use the control sockets")
