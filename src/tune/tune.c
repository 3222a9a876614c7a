/* Measures, and keeps one database a device. */
#include "tune/tune.h"

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "device/device_impl.h"
#include "tune/database.h"
#include "tune/stamp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What is kept with the device. */
typedef struct tuning {
    mica_tune_database database;
    char *scope, *path; /* path is NULL where there is no cache folder */
} tuning;

static void tuning_destroy(void *data) {
    tuning *t = data;
    mica_tune_clear(&t->database);
    free(t->scope);
    free(t->path);
    free(t);
}

/* The device's tuning, loaded at the first call. NULL when memory runs out. */
static tuning *tuning_of(mica_device *device) {
    if (device->tuning)
        return device->tuning;
    tuning *t = mica_alloc(1, sizeof *t);
    if (!t)
        return NULL;
    const mica_device_info *info = &device->info;
    t->scope = mica_format(
        "%s, %s, %s, kernels %s", info->backend, info->name, info->driver, mica_tune_stamp);
    uint64_t hash = mica_hash_text(MICA_HASH_START, info->backend);
    hash = mica_hash_text(mica_hash_text(hash, info->name), info->driver);
    char *name = mica_format("tuning/%016llx", (unsigned long long)hash);
    t->path = name ? mica_cache_path(name) : NULL;
    free(name);
    if (!t->scope) {
        tuning_destroy(t);
        return NULL;
    }
    t->database.scope = t->scope;
    if (t->path)
        mica_tune_load(&t->database, t->path);
    device->tuning = t;
    device->tuning_destroy = tuning_destroy;
    return t;
}

/* The place of a known choice among the candidates, or -1. */
static int known(const tuning *t, const char *key, const char *const *names, int n) {
    const char *choice = mica_tune_find(&t->database, key);
    for (int i = 0; choice && i < n; i++)
        if (!strcmp(choice, names[i]))
            return i;
    return -1;
}

/* ---- measuring ---- */

enum { ROUNDS_LEAST = 3, ROUNDS_MOST = 20 };
static const double budget_seconds = 30e-3; /* after which no round begins */
static const double clearly = 0.95;         /* a later candidate must be that much faster */
static const double hopeless = 4;           /* times slower than another: not measured further */

typedef struct candidate {
    mica_commands *commands; /* NULL: it dropped out */
    uint64_t *times;         /* of its launches */
    double best;             /* nanoseconds, the least of all runs */
} candidate;

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* By the device's clock: what the host needs to wake up says nothing about a kernel. */
static mica_status run(mica_device *device, candidate *c) {
    double sum = 0;
    MICA_TRY(mica_commands_submit(c->commands));
    MICA_TRY(mica_device_wait(device));
    MICA_TRY(mica_commands_times(c->commands, c->times));
    for (size_t i = 0; i < c->commands->count; i++)
        sum += (double)c->times[i];
    c->best = fmin(c->best, sum);
    return MICA_OK;
}

static void drop(candidate *c) {
    mica_commands_destroy(&c->commands);
    free(c->times);
    c->times = NULL;
}

/* The first run may compile, so its time does not count. */
static void start(
    mica_device *device, candidate *c, int index, mica_tune_record *record, void *user) {
    if (record(user, index, &c->commands) != MICA_OK)
        return;
    c->times = mica_alloc(c->commands->count, sizeof *c->times);
    if (!c->times || run(device, c) != MICA_OK)
        drop(c);
    c->best = INFINITY;
}

/* In turn, so that a slow moment of the machine is no candidate's own. */
static void measure(mica_device *device, candidate *candidates, int n) {
    double end = seconds() + budget_seconds, best = INFINITY;
    for (int r = 0; r < ROUNDS_MOST && (r < ROUNDS_LEAST || seconds() < end); r++)
        for (int i = 0; i < n; i++) {
            candidate *c = &candidates[i];
            if (!c->commands || (r > 0 && c->best > hopeless * best))
                continue;
            if (run(device, c) != MICA_OK)
                drop(c);
            else
                best = fmin(best, c->best);
        }
}

/* Returns the fastest, or -1 if none ran. */
static int fastest(mica_device *device, int n, mica_tune_record *record, void *user) {
    candidate *candidates = mica_alloc((size_t)n, sizeof *candidates);
    if (!candidates)
        return -1;
    for (int i = 0; i < n; i++)
        start(device, &candidates[i], i, record, user);
    measure(device, candidates, n);
    int best = -1;
    for (int i = 0; i < n; i++)
        if (candidates[i].commands &&
            (best < 0 || candidates[i].best < candidates[best].best * clearly))
            best = i;
    for (int i = 0; i < n; i++)
        drop(&candidates[i]);
    free(candidates);
    return best;
}

/* What the environment asks for instead of a measurement: the first of all, or the one of that
 * name; -1: nothing. */
static int asked_for(const char *const *names, int n) {
    const char *wanted = getenv("MICA_TUNE");
    for (int i = 0; wanted && i < n; i++)
        if (!strcmp(wanted, names[i]))
            return i;
    return wanted && !strcmp(wanted, "0") ? 0 : -1;
}

int mica_tune_choose(mica_device *device, const char *key, const char *const *names, int n,
    mica_tune_record *record, void *user) {
    int choice = asked_for(names, n);
    if (choice >= 0)
        return choice;
    if (n < 2 || device->backend == &mica_backend_null)
        return 0;
    tuning *t = tuning_of(device);
    if (!t)
        return 0;
    choice = known(t, key, names, n);
    if (choice >= 0)
        return choice;
    choice = fastest(device, n, record, user);
    if (choice < 0)
        return 0;
    /* Another process may have chosen meanwhile: then all go by what the file says. */
    if (t->path)
        mica_tune_load(&t->database, t->path);
    int theirs = known(t, key, names, n);
    if (theirs >= 0)
        return theirs;
    if (mica_tune_set(&t->database, key, names[choice]) == MICA_OK && t->path)
        mica_tune_save(&t->database, t->path);
    return choice;
}
