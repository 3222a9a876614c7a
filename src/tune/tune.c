/* Measures, and keeps one database a device. */
#include "tune/tune.h"

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "device/device_impl.h"
#include "tune/check.h"
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
    mica_tune_sample sample; /* of what it computed */
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
    free(c->sample.numbers);
    c->times = NULL;
    c->sample.numbers = NULL;
}

/* What all steps of a choice know. */
typedef struct choice {
    mica_device *device;
    const char *key, *const *names;
    int n, wrong; /* candidates; those of them that computed wrong numbers */
    const mica_tune_problem *problem;
    candidate *candidates;
} choice;

static void drop_wrong(choice *c, int index, uint64_t at) {
    c->wrong++;
    drop(&c->candidates[index]);
    if (c->problem->graph)
        mica_graph_warn(c->problem->graph,
            "the driver of %s computes wrong numbers with the kernel %s (%s, element %llu), which "
            "is not used",
            c->device->info.id, c->names[index], c->key, (unsigned long long)at);
}

/* The first run may compile, so its time does not count. What it computed does. */
static void start(choice *all, int index) {
    candidate *c = &all->candidates[index];
    const mica_tune_problem *problem = all->problem;
    c->best = INFINITY;
    if (problem->record(problem->user, index, &c->commands) != MICA_OK)
        return;
    c->times = mica_alloc(c->commands->count, sizeof *c->times);
    uint64_t at;
    if (!c->times || mica_tune_spoil(problem) != MICA_OK || run(all->device, c) != MICA_OK ||
        mica_tune_read(problem, &c->sample) != MICA_OK)
        drop(c);
    else if (!mica_tune_is_right(problem, &c->sample, &at))
        drop_wrong(all, index, at);
    c->best = INFINITY;
}

/* Drops those whose numbers differ from others' and are wrong. */
static void compare(choice *c) {
    int first = 0;
    for (int i = 1; i < c->n; i++) {
        uint64_t at;
        while (first < i && !c->candidates[first].commands)
            first++;
        if (first == i || !c->candidates[i].commands)
            continue;
        int found = mica_tune_compare(
            c->problem, &c->candidates[first].sample, &c->candidates[i].sample, &at);
        if (found)
            drop_wrong(c, found < 0 ? first : i, at);
        if (found < 0) /* those that agreed with it are compared again */
            i = first = 0;
    }
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

/* Sets *best to the fastest of those that are right, or leaves it where none ran. */
static mica_status fastest(choice *c, int *best) {
    c->candidates = mica_alloc((size_t)c->n, sizeof *c->candidates);
    if (!c->candidates)
        return MICA_E_MEMORY;
    for (int i = 0; i < c->n; i++)
        start(c, i);
    compare(c);
    measure(c->device, c->candidates, c->n);
    int taken = -1;
    for (int i = 0; i < c->n; i++)
        if (c->candidates[i].commands &&
            (taken < 0 || c->candidates[i].best < c->candidates[taken].best * clearly))
            taken = i;
    for (int i = 0; i < c->n; i++)
        drop(&c->candidates[i]);
    free(c->candidates);
    if (taken < 0 && c->wrong)
        return mica_fail(MICA_E_DEVICE,
            "%s: the driver of %s computes wrong numbers with each of the %d kernels that there "
            "are; try another device (mica check tells more)",
            c->key, c->device->info.id, c->wrong);
    *best = taken;
    return MICA_OK;
}

/* What the environment asks for instead of a measurement: the candidate of that name, or the first
 * of all; -1: nothing. */
static int asked_for(const char *const *names, int n) {
    const char *wanted = getenv("MICA_TUNE");
    for (int i = 0; wanted && i < n; i++)
        if (!strcmp(wanted, names[i]))
            return i;
    return wanted && *wanted ? 0 : -1;
}

int mica_tune_choose(mica_device *device, const char *key, const char *const *names, int n,
    const mica_tune_problem *problem) {
    int taken = asked_for(names, n);
    if (taken >= 0)
        return taken;
    if (n < 2 || device->backend == &mica_backend_null)
        return 0;
    tuning *t = tuning_of(device);
    if (!t)
        return 0;
    taken = known(t, key, names, n);
    if (taken >= 0)
        return taken;
    choice c = {.device = device, .key = key, .names = names, .n = n, .problem = problem};
    if (fastest(&c, &taken) == MICA_E_DEVICE)
        return -1;
    if (taken < 0)
        return 0;
    /* Another process may have chosen meanwhile: then all go by what the file says. */
    if (t->path)
        mica_tune_load(&t->database, t->path);
    int theirs = known(t, key, names, n);
    if (theirs >= 0)
        return theirs;
    if (mica_tune_set(&t->database, key, names[taken]) == MICA_OK && t->path)
        mica_tune_save(&t->database, t->path);
    return taken;
}
