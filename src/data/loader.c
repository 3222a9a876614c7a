/* Batches, prepared by a thread of their own.
 *
 * Three slots form a ring: the caller holds at most one while the thread fills the others. The
 * mutex guards the counters; a slot's content belongs to the thread until it is counted as filled,
 * then to the caller until it is released. A seek raises `generation`, so that a batch which was
 * being filled for the old position is thrown away. */
#include "base/error.h"
#include "base/mem.h"
#include "data/dataset.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 3

struct slot {
    float *features;
    int32_t *labels;
    mica_batch batch;
};

struct mica_loader {
    const mica_dataset *dataset;
    mica_loader_options options;
    int64_t count, stride, batches;
    struct slot slots[SLOTS];

    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t filled_up, released_one;
    uint64_t filled, released; /* batches so far: filled - released slots are in use */
    uint64_t generation;
    int64_t epoch, index; /* of the batch to fill next */
    bool held;            /* the caller has the slot of batch `released` */
    bool stop;

    int32_t *order; /* of order_epoch; the thread's own, as order_epoch is */
    int64_t order_epoch;
};

static void batch_fill(mica_loader *loader, struct slot *slot, int64_t epoch, int64_t index) {
    if (loader->options.shuffle && epoch != loader->order_epoch) {
        mica_permute(
            loader->options.seed, (uint32_t)epoch + 1, loader->order, (int32_t)loader->count);
        loader->order_epoch = epoch;
    }
    int64_t size = loader->options.batch, first = index * size;
    int64_t valid = loader->count - first < size ? loader->count - first : size;
    for (int64_t i = 0; i < valid; i++) {
        int64_t sample = loader->options.shuffle ? loader->order[first + i] : first + i;
        mica_dataset_copy(
            loader->dataset, sample, slot->features + i * loader->stride, &slot->labels[i]);
    }
    size_t padding = (size_t)(size - valid);
    memset(slot->features + valid * loader->stride, 0,
        padding * (size_t)loader->stride * sizeof *slot->features);
    memset(slot->labels + valid, 0, padding * sizeof *slot->labels);
    slot->batch = (mica_batch){.features = slot->features,
        .labels = slot->labels,
        .valid = valid,
        .epoch = epoch,
        .index = index};
}

static void *thread_run(void *context) {
    mica_loader *loader = context;
    pthread_mutex_lock(&loader->mutex);
    for (;;) {
        while (!loader->stop && loader->filled - loader->released == SLOTS)
            pthread_cond_wait(&loader->released_one, &loader->mutex);
        if (loader->stop)
            break;
        struct slot *slot = &loader->slots[loader->filled % SLOTS];
        uint64_t generation = loader->generation;
        int64_t epoch = loader->epoch, index = loader->index;
        pthread_mutex_unlock(&loader->mutex);
        batch_fill(loader, slot, epoch, index);
        pthread_mutex_lock(&loader->mutex);
        if (generation != loader->generation)
            continue;
        loader->filled++;
        if (++loader->index == loader->batches)
            loader->index = 0, loader->epoch++;
        pthread_cond_signal(&loader->filled_up);
    }
    pthread_mutex_unlock(&loader->mutex);
    return NULL;
}

static void loader_free(mica_loader *loader) {
    for (int i = 0; i < SLOTS; i++) {
        free(loader->slots[i].features);
        free(loader->slots[i].labels);
    }
    free(loader->order);
    free(loader);
}

static mica_status buffers_make(mica_loader *loader) {
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = &loader->slots[i];
        slot->features =
            mica_alloc((size_t)loader->options.batch, (size_t)loader->stride * sizeof(float));
        slot->labels = mica_alloc((size_t)loader->options.batch, sizeof *slot->labels);
        if (!slot->features || !slot->labels)
            return MICA_E_MEMORY;
    }
    loader->order = mica_alloc((size_t)loader->count, sizeof *loader->order);
    return loader->order ? MICA_OK : MICA_E_MEMORY;
}

/* Signals are the program's: its own threads take them, never this one. */
static mica_status thread_start(mica_loader *loader) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&loader->thread, NULL, thread_run, loader);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code ? mica_fail(MICA_E_MEMORY, "loader: cannot start a thread: %s", strerror(code))
                : MICA_OK;
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
    mica_loader *loader = mica_alloc(1, sizeof *loader);
    if (!loader)
        return MICA_E_MEMORY;
    loader->dataset = dataset;
    loader->options = *options;
    loader->count = info->count;
    loader->stride = mica_shape_count(info->sample);
    loader->batches =
        (info->count + (options->drop_last ? 0 : options->batch - 1)) / options->batch;
    loader->order_epoch = -1;
    mica_status status = buffers_make(loader);
    if (status != MICA_OK) {
        loader_free(loader);
        return status;
    }
    pthread_mutex_init(&loader->mutex, NULL);
    pthread_cond_init(&loader->filled_up, NULL);
    pthread_cond_init(&loader->released_one, NULL);
    status = thread_start(loader);
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
    pthread_mutex_lock(&loader->mutex);
    loader->stop = true;
    pthread_cond_signal(&loader->released_one);
    pthread_mutex_unlock(&loader->mutex);
    pthread_join(loader->thread, NULL);
    pthread_cond_destroy(&loader->released_one);
    pthread_cond_destroy(&loader->filled_up);
    pthread_mutex_destroy(&loader->mutex);
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
    loader->released = loader->filled;
    loader->epoch = index == loader->batches ? epoch + 1 : epoch;
    loader->index = index == loader->batches ? 0 : index;
    pthread_cond_signal(&loader->released_one);
    pthread_mutex_unlock(&loader->mutex);
    return MICA_OK;
}

mica_status mica_loader_next(mica_loader *loader, mica_batch *batch) {
    pthread_mutex_lock(&loader->mutex);
    if (loader->held) {
        loader->released++;
        pthread_cond_signal(&loader->released_one);
    }
    while (loader->filled == loader->released)
        pthread_cond_wait(&loader->filled_up, &loader->mutex);
    loader->held = true;
    *batch = loader->slots[loader->released % SLOTS].batch;
    pthread_mutex_unlock(&loader->mutex);
    return MICA_OK;
}
