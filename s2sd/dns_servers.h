#pragma once

/* Which DNS servers to ask: the setting server.resolver, else /etc/resolv.conf. Pure. */

#include <sys/socket.h>

#include "slice.h"

enum { DNS_SERVERS_MAX = 2, DNS_PORT = 53 };

struct dns_servers {
    struct sockaddr_storage server[DNS_SERVERS_MAX];
    size_t                  count;
};

/* "192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353". False: none of these. */
bool dns_server_parse(struct slice text, struct sockaddr_storage *out);
/* The first `nameserver` lines of a resolv.conf (resolv.conf(5)); everything else in it is ignored. */
void dns_servers_of_conf(struct slice conf, struct dns_servers *out);
/* `setting` when it is not empty, else the file at `conf_path`, else 127.0.0.1. False: a setting
 * that is no address. */
bool dns_servers_find(const char *setting, const char *conf_path, struct dns_servers *out);
