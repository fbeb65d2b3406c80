/* hold read|write|readers DIR: another process in an LMDB environment, for the tests.
 *   read     opens a read transaction, says "holding" and waits to be killed
 *   write    takes the write lock, says "holding" and lets it go when its input ends
 *   readers  prints the table of readers, one pid a line */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lmdb.h>

static void check(int err, const char *what)
{
    if (err) {
        fprintf(stderr, "hold: %s: %s\n", what, mdb_strerror(err));
        exit(1);
    }
}

static int print_row(const char *row, void *out)
{
    long pid = strtol(row, NULL, 10);

    if (pid > 0)
        fprintf(out, "%ld\n", pid);
    return 0;
}

int main(int argc, char **argv)
{
    MDB_env *env;
    MDB_txn *txn;
    char     byte;

    if (argc != 3 || (strcmp(argv[1], "read") != 0 && strcmp(argv[1], "write") != 0 && strcmp(argv[1], "readers") != 0)) {
        fprintf(stderr, "usage: hold read|write|readers DIR\n");
        return 2;
    }
    check(mdb_env_create(&env), "environment");
    check(mdb_env_open(env, argv[2], 0, 0600), argv[2]);
    if (strcmp(argv[1], "readers") == 0)
        return mdb_reader_list(env, print_row, stdout) < 0;
    check(mdb_txn_begin(env, NULL, strcmp(argv[1], "read") == 0 ? MDB_RDONLY : 0, &txn), "transaction");
    puts("holding");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return 0;
}
