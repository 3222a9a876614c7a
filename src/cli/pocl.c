#include "cli/pocl.h"

#include "base/file.h"
#include "base/mem.h"

#include <ftw.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *folder; /* the private one; NULL: there is none */

/* Left alone, two of PoCL's threads may share a core for a while after each pause, at half the
 * speed. It pins thread i to CPU i, so only where all CPUs are ours. */
static void pin_threads(void) {
    cpu_set_t ours;
    if (sched_getaffinity(0, sizeof ours, &ours))
        return;
    for (long i = 0; i < sysconf(_SC_NPROCESSORS_ONLN); i++)
        if (i >= CPU_SETSIZE || !CPU_ISSET((size_t)i, &ours))
            return;
    setenv("POCL_AFFINITY", "1", 0);
}

/* The folder that PoCL takes; NULL where no variable names one. */
static char *usual_folder(void) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache)
        return mica_format("%s/pocl/kcache", cache);
    return home && *home ? mica_format("%s/.cache/pocl/kcache", home) : NULL;
}

static void give_folder(void) {
    const char *theirs = getenv("POCL_CACHE_DIR"), *base = getenv("TMPDIR");
    if (theirs && *theirs)
        return;
    char *usual = usual_folder();
    const bool good = usual && mica_private_folder(usual) == MICA_OK && !access(usual, W_OK | X_OK);
    free(usual);
    if (good)
        return;
    folder = mica_format("%s/mica-pocl-XXXXXX", base && *base ? base : "/tmp");
    if (folder && mkdtemp(folder) && !setenv("POCL_CACHE_DIR", folder, 1))
        return;
    free(folder); /* `mica devices` and errors then say what PoCL lacks */
    folder = NULL;
}

void mica_cli_pocl_begin(void) {
    pin_threads();
    give_folder();
}

static int entry_remove(const char *path, const struct stat *info, int kind, struct FTW *place) {
    (void)info, (void)kind, (void)place;
    return remove(path);
}

void mica_cli_pocl_end(void) {
    if (folder)
        nftw(folder, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
    free(folder);
    folder = NULL;
}
