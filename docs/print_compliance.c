/* Prints docs/compliance.md (`markdown`) or docs/zubr.doap (`doap`, XEP-0453) from docs/xeps.def. */

#include <stdio.h>
#include <string.h>

#include "xeps.h"

static const char *const status_names[] = { "complete", "partial", "planned" };

static const char *const rfcs[] = {
    "6120", "6121", "7622", "7590", "5802", "7677", "5929", "9266", "7712",
};

static void print_row(const struct xep *x)
{
    printf("| [%s](https://xmpp.org/extensions/xep-%s.html) | %s | %s | %s | %s | ", x->number, x->number, x->title,
           x->version, status_names[x->status], x->where);
    if (x->file[0])
        printf("tests/%s%s%s", x->file, x->test[0] ? ": " : "", x->test);
    printf(" | %s |\n", x->note);
}

static void print_status(enum status status, const char *heading)
{
    printf("\n## %s\n\n| XEP | title | version | status | where | proven by | note |\n|---|---|---|---|---|---|---|\n",
           heading);
    for (unsigned i = 0; i < XEPS; i++)
        if (xeps[i].status == status)
            print_row(&xeps[i]);
}

static void print_markdown(void)
{
    printf("# What this server implements\n\n"
           "Printed from docs/xeps.def by `./dev docs`; that each test exists, and that each feature has its row, is\n"
           "checked by tests/unit/test_compliance.c. The version is that of the document as it was read.\n\n"
           "Beside the extensions: RFC 6120, RFC 6121 (tests/e2e/test_delivery.py, test_presence.py, test_roster.py),\n"
           "RFC 7622, RFC 7590, SCRAM (RFC 5802, 7677) with channel binding (RFC 5929, 9266).\n");
    print_status(COMPLETE, "Complete");
    print_status(PARTIAL, "In part");
    print_status(PLANNED, "Not claimed yet");
}

static void print_supported(const struct xep *x)
{
    printf("    <implements>\n      <xmpp:SupportedXep>\n"
           "        <xmpp:xep rdf:resource='https://xmpp.org/extensions/xep-%s.html'/>\n"
           "        <xmpp:status>%s</xmpp:status>\n        <xmpp:version>%s</xmpp:version>\n", x->number,
           status_names[x->status], x->version);
    if (x->note[0])
        printf("        <xmpp:note xml:lang='en'>%s</xmpp:note>\n", x->note);
    printf("      </xmpp:SupportedXep>\n    </implements>\n");
}

static void print_doap(void)
{
    printf("<?xml version='1.0' encoding='UTF-8'?>\n"
           "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://usefulinc.com/ns/doap#'\n"
           "         xmlns:xmpp='https://linkmauve.fr/ns/xmpp-doap#'>\n"
           "  <Project>\n    <name>Zubr</name>\n"
           "    <shortdesc xml:lang='en'>XMPP server suite of small daemons, in C</shortdesc>\n"
           "    <license rdf:resource='https://www.gnu.org/licenses/gpl-3.0.html'/>\n"
           "    <programming-language>C</programming-language>\n    <os>Linux</os>\n"
           "    <category rdf:resource='https://linkmauve.fr/ns/xmpp-doap#category-server'/>\n");
    for (unsigned i = 0; i < sizeof(rfcs) / sizeof(rfcs[0]); i++)
        printf("    <implements rdf:resource='https://www.rfc-editor.org/info/rfc%s'/>\n", rfcs[i]);
    for (unsigned i = 0; i < XEPS; i++)
        print_supported(&xeps[i]);
    printf("  </Project>\n</rdf:RDF>\n");
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "markdown") == 0)
        print_markdown();
    else if (argc == 2 && strcmp(argv[1], "doap") == 0)
        print_doap();
    else
        return fprintf(stderr, "usage: print-compliance markdown|doap\n") < 0 ? 1 : 2;
    return 0;
}
