/* Runs a fuzz target over a folder of inputs, each as it is and, when a number is given, that many
 * times with changes from a fixed seed. A target that finds a fault aborts.
 * Usage: fuzz_X FOLDER [CHANGES] */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20 };

static uint64_t state;

static uint32_t pick(size_t count)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return count ? (uint32_t)((state >> 33) % count) : 0;
}

/* A block of its own size, so that a sanitizer sees the first byte too far. */
static void run(const uint8_t *bytes, size_t len)
{
    uint8_t *exact = malloc(len ? len : 1);

    memcpy(exact, bytes, len);
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
}

static size_t change(uint8_t *bytes, size_t len)
{
    static const char special[] = "<>/='\"&;:@[]!?- x\0\xFF\xC3\xE2";
    size_t            at = pick(len), other = pick(len), run_len = 1 + pick(16);

    if (len == 0 || len > INPUT_MAX / 2)
        return len;
    switch (pick(6)) {
    case 0:   /* another byte */
        bytes[at] = (uint8_t)pick(256);
        return len;
    case 1:
        bytes[at] = (uint8_t)special[pick(sizeof(special) - 1)];
        return len;
    case 2:   /* bytes left out */
        run_len = run_len < len - at ? run_len : len - at;
        memmove(bytes + at, bytes + at + run_len, len - at - run_len);
        return len - run_len;
    case 3:   /* a byte more */
        memmove(bytes + at + 1, bytes + at, len - at);
        bytes[at] = (uint8_t)special[pick(sizeof(special) - 1)];
        return len + 1;
    case 4:   /* a piece twice */
        run_len = run_len < len - other ? run_len : len - other;
        memmove(bytes + at + run_len, bytes + at, len - at);
        memmove(bytes + at, bytes + other, run_len);
        return len + run_len;
    default:  /* the end cut off */
        return pick(4) ? len : at;
    }
}

static void run_file(const char *path, long changes)
{
    uint8_t *original = malloc(INPUT_MAX), *bytes = malloc(INPUT_MAX);
    FILE    *file = fopen(path, "rb");
    size_t   len = file ? fread(original, 1, INPUT_MAX / 2, file) : 0;

    if (file)
        fclose(file);
    run(original, len);
    for (; changes > 0; changes--) {
        size_t now = len;
        memcpy(bytes, original, len);
        for (uint32_t n = 1 + pick(4); n; n--)
            now = change(bytes, now);
        run(bytes, now);
    }
    free(original);
    free(bytes);
}

int main(int argc, char **argv)
{
    DIR           *folder = argc > 1 ? opendir(argv[1]) : NULL;
    long           changes = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    struct dirent *entry;
    unsigned       files = 0;

    if (!folder) {
        fprintf(stderr, "usage: %s FOLDER [CHANGES]\n", argv[0]);
        return 2;
    }
    while ((entry = readdir(folder))) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        run_file(path, changes);
        files++;
    }
    closedir(folder);
    printf("%u inputs\n", files);
    return files ? 0 : 1;
}
