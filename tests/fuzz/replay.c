/* Puts each input of the corpus through its target once, so that what fuzzing found stays mended.
 *
 * replay CORPUS */
#include "base/file.h"
#include "tests/fuzz/targets.h"

#include <dirent.h>
#include <mica/status.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SIZE_MOST    (1 << 20)
#define SECONDS_MOST 10 /* of the processor, under a sanitizer; it should take a tenth of one */

/* How many inputs were put through; -1: one could not be read, or took too long. */
static int replay(
    const char *corpus, const char *name, void (*target)(const uint8_t *data, size_t size)) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", corpus, name);
    struct dirent **list = NULL;
    int count = scandir(path, &list, NULL, alphasort), done = 0;
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", corpus, name, list[i]->d_name);
        char *data = NULL;
        size_t size = 0;
        if (list[i]->d_name[0] != '.' && done >= 0) {
            printf("%s\n", path);
            fflush(stdout);
            bool read = mica_file_read(path, SIZE_MOST, &data, &size) == MICA_OK;
            clock_t begin = clock();
            if (read)
                target((const uint8_t *)data, size);
            double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
            if (seconds > SECONDS_MOST) {
                printf("it took %.1f s\n", seconds);
                read = false;
            }
            done = read ? done + 1 : -1;
        }
        free(data);
        free(list[i]);
    }
    free(list);
    return done;
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    int failed = 0;
#define REPLAY(name) failed += replay(argv[1], #name, fuzz_##name) < 1;
    FUZZ_TARGETS(REPLAY)
    return failed != 0;
}
