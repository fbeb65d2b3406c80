/* Accounts made and changed: the password comes from the terminal or from standard input. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "mem.h"
#include "zubrctl.h"

enum { PASSWORD_MAX = 1024 };

/* One line without its end. False: nothing there, or too long. */
static bool read_line(char text[PASSWORD_MAX])
{
    size_t len = 0;

    for (int c; (c = getchar()) != EOF && c != '\n';) {
        if (len == PASSWORD_MAX - 1)
            return false;
        text[len++] = (char)c;
    }
    if (len && text[len - 1] == '\r')
        len--;
    text[len] = '\0';
    return len > 0;
}

static bool prompt(const char *question, char text[PASSWORD_MAX])
{
    struct termios shown, hidden;

    fprintf(stderr, "%s", question);
    if (tcgetattr(STDIN_FILENO, &shown) < 0)
        return false;
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    bool got = read_line(text);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    fprintf(stderr, "\n");
    return got;
}

static bool get_password(char text[PASSWORD_MAX])
{
    char again[PASSWORD_MAX] = "";
    bool same;

    setvbuf(stdin, NULL, _IONBF, 0);          /* no second copy in stdio's buffer */
    if (!isatty(STDIN_FILENO)) {
        if (read_line(text))
            return true;
        fprintf(stderr, "zubrctl: expected a password on standard input: one line, up to %d bytes\n",
                PASSWORD_MAX - 1);
        return false;
    }
    same = prompt("Password: ", text) && prompt("Once more: ", again) && strcmp(text, again) == 0;
    wipe(again, sizeof(again));
    if (!same)
        fprintf(stderr, "zubrctl: empty, too long, or not twice the same\n");
    return same;
}

static int with_password(struct call *call, char *jid, char *password)
{
    char *argv[] = { jid, password };

    call->argc = 2;
    call->argv = argv;
    return forward(call);
}

static int ask_and_send(struct call *call)
{
    char password[PASSWORD_MAX] = "";

    if (!strchr(call->argv[0], '@')) {
        fprintf(stderr, "zubrctl: %s: expected USER@DOMAIN\n", call->argv[0]);
        return EXIT_USAGE;
    }
    int status = get_password(password) ? with_password(call, call->argv[0], password) : EXIT_USAGE;
    wipe(password, sizeof(password));
    return status;
}

int change_password(struct call *call)
{
    return ask_and_send(call);
}

/* The three-argument form of the classic lab sheet. */
int register_account(struct call *call)
{
    if (call->argc == 1)
        return ask_and_send(call);
    if (call->argc == 2) {
        fprintf(stderr, "zubrctl: a password is not an argument: register USER@DOMAIN asks for it\n");
        return EXIT_USAGE;
    }
    fprintf(stderr, "zubrctl: warning: whoever lists the processes or reads the shell's history sees this "
                    "password\n");
    char *jid = xprintf("%s@%s", call->argv[0], call->argv[1]);
    int   status = with_password(call, jid, call->argv[2]);
    free(jid);
    return status;
}
