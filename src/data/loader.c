/* Batches, prepared by threads of their own.
 *
 * The slots form a ring, and batch number n lies in slot n % n_slots: the caller holds at most one
 * while each thread fills one and two more may be ready. The mutex guards the counters; a slot's
 * content belongs to a thread while it is busy, then to the caller until it is released. A seek
 * raises `generation`, so that a batch which was being filled for the old position is thrown away.
 */
#include "base/error.h"
#include "base/mem.h"
#include "data/augment.h"
#include "data/dataset.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MOST = 64, THREADS_DECODING = 8, SLOTS_SPARE = 2, PROBLEM_SIZE = 512 };

struct slot {
    void *samples, *targets; /* of 4 bytes a number, whichever type they have */
    mica_batch batch;
    bool busy, ready;
    mica_status status; /* of filling it */
    char problem[PROBLEM_SIZE];
};

/* A thread and what it alone uses. */
struct worker {
    mica_loader *loader;
    pthread_t thread;
    int32_t *order;      /* of order_epoch; NULL: the set's */
    int64_t order_epoch; /* -1: of none yet */
    float *sample;       /* before its changes; NULL: there are none */
};

struct mica_loader {
    const mica_dataset *dataset;
    mica_loader_options options;
    mica_shape shape;
    bool ids; /* samples are int32 */
    int64_t count, stride, target_stride, batches;
    int n_slots, n_workers, n_started;
    struct slot *slots;
    struct worker *workers;

    pthread_mutex_t mutex;
    pthread_cond_t filled_up, released_one;
    uint64_t claimed, released; /* batches so far: claimed - released slots are in use */
    uint64_t generation;
    int64_t epoch, index; /* of the batch to fill next */
    bool held;            /* the caller has the slot of batch `released` */
    bool stop;
    double waited;
};

/* ---- a thread ---- */

static mica_status sample_fill(
    struct worker *worker, int64_t epoch, int64_t sample, float *features) {
    const mica_loader *loader = worker->loader;
    const mica_augment *augment = &loader->options.augment;
    float *values = worker->sample ? worker->sample : features;
    MICA_TRY(mica_dataset_scaled(loader->dataset, sample, values));
    if (!worker->sample) {
        mica_dataset_normalize(loader->dataset, values);
        return MICA_OK;
    }
    mica_augment_draw draw =
        mica_augment_roll(augment, loader->shape, loader->options.seed, epoch, sample);
    mica_augment_light(&draw, mica_dataset_white(loader->dataset), loader->stride, values);
    mica_dataset_normalize(loader->dataset, values);
    mica_augment_move(augment, &draw, loader->shape, values, features);
    return MICA_OK;
}

enum { REPLACE_MOST = 64 }; /* more in a row are no accident: the disk is gone */

/* sample_fill of *sample or, if that is lost and may be replaced, of the next that is there. */
static mica_status sample_take(
    struct worker *worker, int64_t epoch, int64_t *sample, float *features) {
    const mica_loader *loader = worker->loader;
    mica_status status = sample_fill(worker, epoch, *sample, features);
    for (int64_t tries = 1;
         status != MICA_OK && status != MICA_E_MEMORY && loader->options.replace &&
         tries <= REPLACE_MOST && tries < loader->count;
         tries++) {
        MICA_TRY(mica_dataset_lose(loader->dataset, *sample, mica_last_error()));
        *sample = (*sample + 1) % loader->count;
        status = sample_fill(worker, epoch, *sample, features);
    }
    return status;
}

static mica_status batch_fill(
    struct worker *worker, struct slot *slot, int64_t epoch, int64_t index) {
    const mica_loader *loader = worker->loader;
    if (worker->order && epoch != worker->order_epoch) {
        mica_permute(
            loader->options.seed, (uint32_t)epoch + 1, worker->order, (int32_t)loader->count);
        worker->order_epoch = epoch;
    }
    int64_t size = loader->options.batch, first = index * size;
    int64_t valid = loader->count - first < size ? loader->count - first : size;
    const size_t row = (size_t)loader->stride * 4, target_row = (size_t)loader->target_stride * 4;
    char *samples = slot->samples, *targets = slot->targets;
    for (int64_t i = 0; i < valid; i++) {
        int64_t sample = worker->order ? worker->order[first + i] : first + i;
        void *to = samples + (size_t)i * row;
        if (loader->ids)
            mica_dataset_ids(loader->dataset, sample, loader->options.seed, epoch, to);
        else
            MICA_TRY(sample_take(worker, epoch, &sample, to));
        mica_dataset_target(loader->dataset, sample, targets + (size_t)i * target_row);
    }
    memset(samples + (size_t)valid * row, 0, (size_t)(size - valid) * row);
    memset(targets + (size_t)valid * target_row, 0, (size_t)(size - valid) * target_row);
    bool numbers = mica_dataset_get_info(loader->dataset)->target_dtype == MICA_F32;
    slot->batch = (mica_batch){.features = loader->ids ? NULL : slot->samples,
        .ids = loader->ids ? slot->samples : NULL,
        .labels = numbers ? NULL : slot->targets,
        .targets = numbers ? slot->targets : NULL,
        .valid = valid,
        .epoch = epoch,
        .index = index};
    return MICA_OK;
}

/* The slot of the next batch to fill; NULL while there is none that is free. After a seek a slot
 * may still be busy with what nobody wants any more. */
static struct slot *slot_free(mica_loader *loader) {
    struct slot *slot = &loader->slots[loader->claimed % (uint64_t)loader->n_slots];
    bool room = loader->claimed - loader->released < (uint64_t)loader->n_slots;
    return room && !slot->busy ? slot : NULL;
}

static void *thread_run(void *context) {
    struct worker *worker = context;
    mica_loader *loader = worker->loader;
    pthread_mutex_lock(&loader->mutex);
    for (;;) {
        struct slot *slot;
        while (!loader->stop && !(slot = slot_free(loader)))
            pthread_cond_wait(&loader->released_one, &loader->mutex);
        if (loader->stop)
            break;
        uint64_t generation = loader->generation;
        int64_t epoch = loader->epoch, index = loader->index;
        loader->claimed++;
        if (++loader->index == loader->batches)
            loader->index = 0, loader->epoch++;
        slot->busy = true;
        slot->ready = false;
        pthread_mutex_unlock(&loader->mutex);
        slot->status = batch_fill(worker, slot, epoch, index);
        if (slot->status != MICA_OK)
            strncpy(slot->problem, mica_last_error(), PROBLEM_SIZE - 1);
        pthread_mutex_lock(&loader->mutex);
        slot->busy = false;
        slot->ready = generation == loader->generation;
        /* the slot is news to whoever waits for its batch, or for the slot after a seek */
        pthread_cond_broadcast(slot->ready ? &loader->filled_up : &loader->released_one);
    }
    pthread_mutex_unlock(&loader->mutex);
    return NULL;
}

/* ---- beginning and end ---- */

static void loader_free(mica_loader *loader) {
    for (int i = 0; loader->slots && i < loader->n_slots; i++) {
        free(loader->slots[i].samples);
        free(loader->slots[i].targets);
    }
    for (int i = 0; loader->workers && i < loader->n_workers; i++) {
        free(loader->workers[i].order);
        free(loader->workers[i].sample);
    }
    free(loader->slots);
    free(loader->workers);
    free(loader);
}

static mica_status buffers_make(mica_loader *loader) {
    loader->slots = mica_alloc((size_t)loader->n_slots, sizeof *loader->slots);
    loader->workers = mica_alloc((size_t)loader->n_workers, sizeof *loader->workers);
    if (!loader->slots || !loader->workers)
        return MICA_E_MEMORY;
    size_t stride = (size_t)loader->stride, target_stride = (size_t)loader->target_stride;
    for (int i = 0; i < loader->n_slots; i++) {
        struct slot *slot = &loader->slots[i];
        slot->samples = mica_alloc((size_t)loader->options.batch, stride * 4);
        slot->targets = mica_alloc((size_t)loader->options.batch, target_stride * 4);
        if (!slot->samples || !slot->targets)
            return MICA_E_MEMORY;
    }
    for (int i = 0; i < loader->n_workers; i++) {
        struct worker *worker = &loader->workers[i];
        worker->loader = loader;
        worker->order_epoch = -1;
        if (loader->options.shuffle &&
            !(worker->order = mica_alloc((size_t)loader->count, sizeof *worker->order)))
            return MICA_E_MEMORY;
        if (mica_augment_wanted(&loader->options.augment) &&
            !(worker->sample = mica_alloc(stride, sizeof *worker->sample)))
            return MICA_E_MEMORY;
    }
    return MICA_OK;
}

static void threads_end(mica_loader *loader) {
    pthread_mutex_lock(&loader->mutex);
    loader->stop = true;
    pthread_cond_broadcast(&loader->released_one);
    pthread_mutex_unlock(&loader->mutex);
    for (int i = 0; i < loader->n_started; i++)
        pthread_join(loader->workers[i].thread, NULL);
    pthread_cond_destroy(&loader->released_one);
    pthread_cond_destroy(&loader->filled_up);
    pthread_mutex_destroy(&loader->mutex);
}

/* Signals are the program's: its own threads take them, never these. */
static mica_status threads_start(mica_loader *loader) {
    pthread_mutex_init(&loader->mutex, NULL);
    pthread_cond_init(&loader->filled_up, NULL);
    pthread_cond_init(&loader->released_one, NULL);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = 0;
    while (!code && loader->n_started < loader->n_workers) {
        struct worker *worker = &loader->workers[loader->n_started];
        code = pthread_create(&worker->thread, NULL, thread_run, worker);
        loader->n_started += !code;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!code)
        return MICA_OK;
    threads_end(loader);
    return mica_fail(MICA_E_MEMORY, "loader: cannot start a thread: %s", strerror(code));
}

/* Copying and changing samples is quick; only decoding is worth more than one thread. */
static int threads_count(const mica_dataset *dataset, const mica_loader_options *options) {
    if (options->threads)
        return options->threads;
    long processors = mica_dataset_is_lazy(dataset) ? sysconf(_SC_NPROCESSORS_ONLN) : 1;
    return processors < 1 ? 1 : processors < THREADS_DECODING ? (int)processors : THREADS_DECODING;
}

mica_status mica_loader_create(
    const mica_dataset *dataset, const mica_loader_options *options, mica_loader **out) {
    const mica_dataset_info *info = mica_dataset_get_info(dataset);
    if (options->batch < 1 || options->batch > INT32_MAX)
        return mica_fail(MICA_E_INVALID, "loader: batch of %lld: wanted 1 to %d",
            (long long)options->batch, INT32_MAX);
    if (options->drop_last && options->batch > info->count)
        return mica_fail(MICA_E_INVALID,
            "loader: a batch of %lld, but the data set has only %lld samples: wanted a smaller "
            "batch",
            (long long)options->batch, (long long)info->count);
    if (options->threads < 0 || options->threads > THREADS_MOST)
        return mica_fail(
            MICA_E_INVALID, "loader: %d threads: wanted 0 to %d", options->threads, THREADS_MOST);
    MICA_TRY(mica_augment_check(&options->augment, info->sample));
    mica_loader *loader = mica_alloc(1, sizeof *loader);
    if (!loader)
        return MICA_E_MEMORY;
    loader->dataset = dataset;
    loader->options = *options;
    loader->options.shuffle &= !info->ordered;
    loader->shape = info->sample;
    loader->ids = info->dtype == MICA_I32;
    loader->count = info->count;
    loader->stride = mica_shape_count(info->sample);
    loader->target_stride = mica_shape_count(info->target);
    loader->batches =
        (info->count + (options->drop_last ? 0 : options->batch - 1)) / options->batch;
    loader->n_workers = threads_count(dataset, options);
    loader->n_slots = loader->n_workers + SLOTS_SPARE;
    mica_status status = buffers_make(loader);
    if (status == MICA_OK)
        status = threads_start(loader);
    if (status != MICA_OK) {
        loader_free(loader);
        return status;
    }
    *out = loader;
    return MICA_OK;
}

void mica_loader_destroy(mica_loader **owner) {
    mica_loader *loader = *owner;
    if (!loader)
        return;
    threads_end(loader);
    loader_free(loader);
    *owner = NULL;
}

int64_t mica_loader_batches(const mica_loader *loader) {
    return loader->batches;
}

mica_status mica_loader_seek(mica_loader *loader, int64_t epoch, int64_t index) {
    if (epoch < 0 || index < 0 || index > loader->batches)
        return mica_fail(MICA_E_INVALID,
            "loader: position epoch %lld, batch %lld: wanted an epoch from 0 on and a batch from 0 "
            "to %lld",
            (long long)epoch, (long long)index, (long long)loader->batches);
    pthread_mutex_lock(&loader->mutex);
    loader->generation++;
    loader->held = false;
    loader->released = loader->claimed;
    loader->epoch = index == loader->batches ? epoch + 1 : epoch;
    loader->index = index == loader->batches ? 0 : index;
    for (int i = 0; i < loader->n_slots; i++)
        loader->slots[i].ready = false;
    pthread_cond_broadcast(&loader->released_one);
    pthread_mutex_unlock(&loader->mutex);
    return MICA_OK;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

mica_status mica_loader_next(mica_loader *loader, mica_batch *batch) {
    pthread_mutex_lock(&loader->mutex);
    if (loader->held) {
        loader->slots[loader->released++ % (uint64_t)loader->n_slots].ready = false;
        pthread_cond_broadcast(&loader->released_one);
    }
    struct slot *slot = &loader->slots[loader->released % (uint64_t)loader->n_slots];
    double start = slot->ready ? 0 : now();
    while (!slot->ready)
        pthread_cond_wait(&loader->filled_up, &loader->mutex);
    loader->waited += start > 0 ? now() - start : 0;
    loader->held = slot->status == MICA_OK;
    if (loader->held)
        *batch = slot->batch;
    pthread_mutex_unlock(&loader->mutex);
    return loader->held ? MICA_OK : mica_fail(slot->status, "%s", slot->problem);
}

double mica_loader_waited(const mica_loader *loader) {
    return loader->waited;
}
