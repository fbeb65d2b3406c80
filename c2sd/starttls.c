/* STARTTLS, RFC 6120 5.4. */

#include "starttls.h"

#include "ns.h"

void starttls_begin(struct conn *c, const struct heard *heard)
{
    (void)heard;
    buf_put_str(conn_out(c), "<proceed xmlns='" NS_TLS "'/>");
    conn_enter(c, CONN_TLS);
    conn_start_tls(c);
}

/* RFC 6120 5.3.1: <required/> unless login in clear is allowed. */
void starttls_feature(struct conn *c, struct buf *out)
{
    bool required = c2sd_settings(c->c2sd)->server.require_tls;

    buf_put_str(out, "<starttls xmlns='" NS_TLS "'>");
    buf_put_str(out, required ? "<required/></starttls>" : "</starttls>");
}
