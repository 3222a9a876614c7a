/* Data sets in memory: making, sharing, splitting and reading them. Knows no file format and no
 * batches. */
#include "data/dataset.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/philox.h"
#include "data/image.h"

#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define UNSEEN_STREAM 0x756e7365u /* of Philox: keeps these draws apart from all others */

/* The samples; a data set and its splits share one. */
struct store {
    atomic_int owners;
    mica_samples samples;
    int64_t stride, target_stride; /* elements of a sample as it is kept, of a target */
    char **class_names;
    int32_t classes;
    float *mean, *deviation; /* or NULL */
    pthread_mutex_t mutex;   /* of what follows */
    struct lost *lost;       /* n_lost, in the order in which they were noticed */
    size_t n_lost, lost_capacity;
};

/* A sample whose file could be read when the set was made, but later not. */
struct lost {
    int64_t place;
    char *why;
};

struct mica_dataset {
    mica_dataset_info info;
    struct store *store;
    int32_t *index; /* the store's samples that belong to this set, in order; NULL: all */
};

static void texts_free(char **texts, int64_t count) {
    for (int64_t i = 0; texts && i < count; i++)
        free(texts[i]);
    free(texts);
}

void mica_samples_free(mica_samples *samples) {
    free(samples->bytes);
    free(samples->floats);
    texts_free(samples->files, samples->count);
    free(samples->ids);
    free(samples->starts);
    free(samples->labels);
    free(samples->content);
    free(samples->targets);
    free(samples->seen.start);
    free(samples->seen.item);
    texts_free(samples->skipped, samples->n_skipped);
    free(samples->note);
    *samples = (mica_samples){0};
}

static void store_release(struct store *store) {
    if (!store || atomic_fetch_sub(&store->owners, 1) > 1)
        return;
    mica_samples_free(&store->samples);
    texts_free(store->class_names, store->classes);
    free(store->mean);
    free(store->deviation);
    for (size_t i = 0; i < store->n_lost; i++)
        free(store->lost[i].why);
    free(store->lost);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

void mica_dataset_destroy(mica_dataset **owner) {
    mica_dataset *dataset = *owner;
    if (!dataset)
        return;
    store_release(dataset->store);
    free(dataset->index);
    free(dataset);
    *owner = NULL;
}

/* Of labels that are numbers in a file: each class has a name in memory. */
#define CLASSES_MOST (1 << 20)

static mica_status labels_check(const mica_samples *samples, int32_t *classes) {
    int32_t largest = -1;
    for (int64_t i = 0; i < samples->count && samples->labels; i++) {
        int32_t label = samples->labels[i];
        if (label < 0 || label == INT32_MAX || (*classes && label >= *classes))
            return mica_fail(MICA_E_INVALID,
                "label %d of sample %lld is out of range: wanted 0 to %d; correct the label or the "
                "number of classes",
                label, (long long)i, *classes ? *classes - 1 : INT32_MAX - 1);
        if (label > largest)
            largest = label;
    }
    if (!*classes && largest >= CLASSES_MOST)
        return mica_fail(MICA_E_INVALID,
            "a label is %d: wanted 0 to %d where the number of classes is not given", largest,
            CLASSES_MOST - 1);
    if (!*classes)
        *classes = largest + 1;
    return MICA_OK;
}

static mica_status names_copy(struct store *store, const char *const *names) {
    store->class_names = mica_alloc((size_t)store->classes, sizeof *store->class_names);
    if (!store->class_names)
        return MICA_E_MEMORY;
    for (int32_t i = 0; i < store->classes; i++) {
        store->class_names[i] = names ? mica_strdup(names[i]) : mica_format("%d", i);
        if (!store->class_names[i])
            return MICA_E_MEMORY;
    }
    return MICA_OK;
}

/* Checks the numbers for normalizing samples of that shape. */
static mica_status normalization_check(const mica_dataset_options *options, mica_shape sample) {
    int64_t last = sample.dim[sample.rank - 1];
    if (!options->mean && !options->deviation)
        return MICA_OK;
    if (options->channels != 1 && options->channels != last)
        return mica_fail(MICA_E_INVALID,
            "mean and deviation of %d channels: a sample has %lld; wanted 1 or as many",
            options->channels, (long long)last);
    for (int32_t c = 0; c < options->channels; c++) {
        float mean = options->mean ? options->mean[c] : 0;
        float deviation = options->deviation ? options->deviation[c] : 1;
        if (!isfinite(mean) || !isfinite(deviation) || !(deviation > 0))
            return mica_fail(MICA_E_INVALID,
                "mean %g and deviation %g of channel %d: wanted finite numbers, the deviation above "
                "0",
                (double)mean, (double)deviation, c);
    }
    return MICA_OK;
}

static mica_status normalization_copy(struct store *store, const mica_dataset_options *options) {
    size_t size = (size_t)options->channels * sizeof(float);
    if (options->mean && !(store->mean = mica_copy(options->mean, size)))
        return MICA_E_MEMORY;
    if (options->deviation && !(store->deviation = mica_copy(options->deviation, size)))
        return MICA_E_MEMORY;
    return MICA_OK;
}

mica_status mica_dataset_adopt(
    const mica_samples *samples, const mica_dataset_options *options, mica_dataset **out) {
    static const mica_dataset_options defaults;
    if (!options)
        options = &defaults;
    if (samples->count < 1)
        return mica_fail(MICA_E_INVALID, "no samples: a data set needs at least one");
    if (samples->count > INT32_MAX)
        return mica_fail(MICA_E_INVALID, "%lld samples: a data set holds at most %d",
            (long long)samples->count, INT32_MAX);
    if (options->classes < 0 || !isfinite(options->scale))
        return mica_fail(MICA_E_INVALID,
            "%d classes, scale %g: wanted neither negative classes nor "
            "a scale that is not finite",
            options->classes, (double)options->scale);
    if (options->class_names && !options->classes)
        return mica_fail(MICA_E_INVALID, "class names without their number: set classes too");
    int64_t stride = mica_shape_count(samples->sample);
    if (mica_shape_count(samples->target) < 1 || samples->target.rank >= MICA_MAX_RANK)
        return mica_fail(MICA_E_INVALID,
            "a target of rank %d: wanted at most %d dimensions, none of 0", samples->target.rank,
            MICA_MAX_RANK - 1);
    mica_shape sample = options->sample.rank ? options->sample : samples->sample;
    if (stride < 1 || mica_shape_count(sample) != stride) {
        char text[96];
        return mica_fail(MICA_E_INVALID,
            "a sample has %lld values, which do not make the wanted shape %s", (long long)stride,
            mica_shape_text(sample, text, sizeof text));
    }
    if (sample.rank >= MICA_MAX_RANK)
        return mica_fail(MICA_E_INVALID,
            "a sample of rank %d: wanted at most %d, so that batches have a dimension left",
            sample.rank, MICA_MAX_RANK - 1);
    MICA_TRY(normalization_check(options, sample));
    int32_t classes = options->classes;
    MICA_TRY(labels_check(samples, &classes));

    mica_dataset *dataset = mica_alloc(1, sizeof *dataset);
    struct store *store = mica_alloc(1, sizeof *store);
    if (!dataset || !store) {
        free(dataset);
        free(store);
        return MICA_E_MEMORY;
    }
    atomic_init(&store->owners, 1);
    pthread_mutex_init(&store->mutex, NULL);
    store->stride = stride;
    store->classes = classes;
    store->target_stride = mica_shape_count(samples->target);
    dataset->store = store;
    if (names_copy(store, options->class_names) != MICA_OK ||
        normalization_copy(store, options) != MICA_OK) {
        mica_dataset_destroy(&dataset);
        return MICA_E_MEMORY;
    }
    store->samples = *samples;
    if (samples->seen.start)
        sample.dim[0]++;
    bool numbers = samples->targets || (samples->floats && samples->ahead);
    bool one_unit = samples->ahead && store->deviation && options->channels == 1;
    dataset->info = (mica_dataset_info){
        .count = samples->count,
        .sample = sample,
        .dtype = samples->ids ? MICA_I32 : MICA_F32,
        .target = samples->target,
        .target_dtype = numbers ? MICA_F32 : MICA_I32,
        .target_unit = one_unit ? store->deviation[0] : 1,
        .target_lowest = samples->target_lowest,
        .target_highest = samples->target_highest,
        .ordered = samples->ordered,
        .users = samples->users,
        .items = samples->items,
        .ids_hash = samples->ids_hash,
        .classes = numbers ? 0 : classes,
        .class_names = (const char *const *)store->class_names,
        .scale = options->scale != 0 ? options->scale
                 : samples->floats   ? 1
                                     : 1.0f / 255,
        .mean = store->mean,
        .deviation = store->deviation,
        .channels = store->mean || store->deviation ? options->channels : 0,
        .skipped = (const char *const *)samples->skipped,
        .n_skipped = samples->n_skipped,
        .note = samples->note,
    };
    *out = dataset;
    return MICA_OK;
}

static mica_status finite_check(const float *values, int64_t count, int64_t stride) {
    for (int64_t i = 0; i < count * stride; i++)
        if (!isfinite(values[i]))
            return mica_fail(MICA_E_INVALID, "value %lld of sample %lld is not finite",
                (long long)(i % stride), (long long)(i / stride));
    return MICA_OK;
}

/* Exactly one of bytes and floats is looked at: floats unless NULL. */
static mica_status from_arrays(const uint8_t *bytes, const float *floats, const int32_t *labels,
    int64_t count, const mica_dataset_options *options, mica_dataset **dataset) {
    int64_t stride = options ? mica_shape_count(options->sample) : -1;
    if ((!bytes && !floats) || !labels || stride < 1 || count < 1 || count > INT32_MAX)
        return mica_fail(MICA_E_INVALID,
            "data set from arrays: wanted features, labels, at least one sample and the shape of a "
            "sample; came %lld samples of %lld values%s",
            (long long)count, (long long)stride,
            (bytes || floats) && labels ? "" : " and a NULL array");
    if (floats)
        MICA_TRY(finite_check(floats, count, stride));
    size_t values = (size_t)count * (size_t)stride;
    mica_samples samples = {.count = count, .sample = options->sample};
    if (floats)
        samples.floats = mica_copy(floats, values * sizeof *floats);
    else
        samples.bytes = mica_copy(bytes, values);
    samples.labels = mica_copy(labels, (size_t)count * sizeof *labels);
    mica_status status = (samples.floats || samples.bytes) && samples.labels
                             ? mica_dataset_adopt(&samples, options, dataset)
                             : MICA_E_MEMORY;
    if (status != MICA_OK)
        mica_samples_free(&samples);
    return status;
}

mica_status mica_dataset_from_bytes(const uint8_t *features, const int32_t *labels, int64_t count,
    const mica_dataset_options *options, mica_dataset **dataset) {
    return from_arrays(features, NULL, labels, count, options, dataset);
}

mica_status mica_dataset_from_floats(const float *features, const int32_t *labels, int64_t count,
    const mica_dataset_options *options, mica_dataset **dataset) {
    return from_arrays(NULL, features, labels, count, options, dataset);
}

const mica_dataset_info *mica_dataset_get_info(const mica_dataset *dataset) {
    return &dataset->info;
}

/* The store's number of a sample. */
static int64_t place_of(const mica_dataset *dataset, int64_t index) {
    return dataset->index ? dataset->index[index] : index;
}

/* Where the numbers of a sample begin in the store's array. */
static int64_t start_of(const struct store *store, int64_t at) {
    return store->samples.starts ? store->samples.starts[at] : at * store->stride;
}

mica_status mica_dataset_scaled(const mica_dataset *dataset, int64_t index, float *features) {
    const struct store *store = dataset->store;
    const mica_samples *samples = &store->samples;
    int64_t at = place_of(dataset, index);
    float scale = dataset->info.scale;
    if (samples->bytes) {
        const uint8_t *raw = samples->bytes + at * store->stride;
        for (int64_t i = 0; i < store->stride; i++)
            features[i] = (float)raw[i] * scale;
    } else if (samples->floats) {
        const float *raw = samples->floats + start_of(store, at);
        for (int64_t i = 0; i < store->stride; i++)
            features[i] = raw[i] * scale;
    } else {
        MICA_TRY(mica_image_sample(samples->files[at], samples->sample, &samples->how, features));
        for (int64_t i = 0; i < store->stride; i++)
            features[i] *= scale;
    }
    return MICA_OK;
}

/* The n-th of the items that are not among `count` ascending ones. */
static int32_t nth_unseen(const int32_t *seen, int64_t count, int32_t n) {
    int64_t low = 0, high = count; /* how many seen ones come before it */
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (seen[middle] - middle <= n)
            low = middle + 1;
        else
            high = middle;
    }
    return n + (int32_t)low;
}

void mica_dataset_ids(
    const mica_dataset *dataset, int64_t index, uint64_t seed, int64_t epoch, int32_t *ids) {
    const struct store *store = dataset->store;
    const mica_seen *seen = &store->samples.seen;
    int64_t at = place_of(dataset, index);
    memcpy(ids, store->samples.ids + start_of(store, at), (size_t)store->stride * sizeof *ids);
    if (!seen->start)
        return;
    int64_t first = seen->start[ids[0]], count = seen->start[ids[0] + 1] - first;
    uint32_t words[4];
    mica_philox((const uint32_t[4]){0, (uint32_t)at, (uint32_t)epoch, UNSEEN_STREAM},
        (const uint32_t[2]){(uint32_t)seed, (uint32_t)(seed >> 32)}, words);
    uint64_t unseen = (uint64_t)(store->samples.items - count);
    ids[store->stride] = nth_unseen(seen->item + first, count, (int32_t)(words[0] * unseen >> 32));
}

void mica_dataset_target(const mica_dataset *dataset, int64_t index, void *target) {
    const struct store *store = dataset->store;
    const mica_samples *samples = &store->samples;
    const mica_dataset_info *info = &dataset->info;
    int64_t at = place_of(dataset, index), n = store->target_stride;
    if (samples->labels) {
        *(int32_t *)target = samples->labels[at];
    } else if (samples->targets) {
        memcpy(target, samples->targets + at * n, (size_t)n * sizeof(float));
    } else if (samples->ids) {
        const int32_t *from = samples->ids + start_of(store, at) + samples->ahead;
        memcpy(target, from, (size_t)n * sizeof *from);
    } else {
        const float *from = samples->floats + start_of(store, at) + samples->ahead;
        float *to = target;
        for (int64_t i = 0; i < n; i++)
            to[i] = from[i] * info->scale;
        mica_normalize(info->mean, info->deviation, info->channels, n, to);
    }
}

void mica_normalize(
    const float *mean, const float *deviation, int64_t channels, int64_t count, float *values) {
    for (int64_t c = 0; c < channels; c++) {
        float middle = mean ? mean[c] : 0, width = deviation ? deviation[c] : 1;
        for (int64_t i = c; i < count; i += channels)
            values[i] = (values[i] - middle) / width;
    }
}

void mica_dataset_normalize(const mica_dataset *dataset, float *features) {
    const mica_dataset_info *info = &dataset->info;
    mica_normalize(info->mean, info->deviation, info->channels, dataset->store->stride, features);
}

float mica_dataset_white(const mica_dataset *dataset) {
    return dataset->store->samples.floats ? INFINITY : 255 * dataset->info.scale;
}

bool mica_dataset_is_lazy(const mica_dataset *dataset) {
    return dataset->store->samples.files && !dataset->store->samples.bytes;
}

const char *mica_dataset_file(const mica_dataset *dataset, int64_t index) {
    char **files = dataset->store->samples.files;
    return files && index >= 0 && index < dataset->info.count ? files[place_of(dataset, index)]
                                                              : NULL;
}

/* ---- lost files ---- */

mica_status mica_dataset_lose(const mica_dataset *dataset, int64_t index, const char *why) {
    struct store *store = dataset->store;
    const int64_t place = place_of(dataset, index);
    mica_status status = MICA_OK;
    pthread_mutex_lock(&store->mutex);
    bool known = false;
    for (size_t i = 0; i < store->n_lost && !known; i++)
        known = store->lost[i].place == place;
    struct lost *lost =
        known ? NULL
              : mica_grow(store->lost, store->n_lost, &store->lost_capacity, sizeof *store->lost);
    if (lost) {
        store->lost = lost;
        lost[store->n_lost] = (struct lost){place, mica_strdup(why)};
        known = lost[store->n_lost].why != NULL;
        store->n_lost += known;
    }
    if (!known)
        status = MICA_E_MEMORY;
    pthread_mutex_unlock(&store->mutex);
    return status;
}

const char *mica_dataset_lost(const mica_dataset *dataset, size_t number) {
    struct store *store = dataset->store;
    pthread_mutex_lock(&store->mutex);
    const char *why = number < store->n_lost ? store->lost[number].why : NULL;
    pthread_mutex_unlock(&store->mutex);
    return why;
}

/* ---- content ---- */

static uint64_t floats_hash(uint64_t hash, const float *values, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        float value = values[i] + 0.0f; /* -0 is 0 */
        hash = mica_hash(hash, &value, sizeof value);
    }
    return hash;
}

uint64_t mica_dataset_content(const mica_dataset *dataset, int64_t index) {
    const struct store *store = dataset->store;
    const mica_samples *samples = &store->samples;
    int64_t at = place_of(dataset, index);
    size_t n = (size_t)store->stride;
    if (samples->content)
        return samples->content[at];
    if (samples->bytes)
        return mica_hash(MICA_HASH_START, samples->bytes + (size_t)at * n, n);
    if (samples->ids)
        return mica_hash(
            MICA_HASH_START, samples->ids + start_of(store, at), n * sizeof *samples->ids);
    return floats_hash(MICA_HASH_START, samples->floats + start_of(store, at), store->stride);
}

mica_status mica_dataset_digest(const mica_dataset *dataset, uint64_t *digest) {
    const mica_dataset_info *info = &dataset->info;
    int64_t n = dataset->store->target_stride;
    int32_t *target = mica_alloc((size_t)n, sizeof *target); /* or float32 */
    if (!target)
        return MICA_E_MEMORY;
    uint64_t hash = MICA_HASH_START;
    for (int64_t i = 0; i < info->count; i++) {
        uint64_t content = mica_dataset_content(dataset, i);
        hash = mica_hash(hash, &content, sizeof content);
        mica_dataset_target(dataset, i, target);
        hash = mica_hash(hash, target, (size_t)n * sizeof *target);
    }
    free(target);
    *digest = hash;
    return MICA_OK;
}

mica_status mica_dataset_sample(
    const mica_dataset *dataset, int64_t index, void *sample, void *target) {
    if (index < 0 || index >= dataset->info.count)
        return mica_fail(MICA_E_INVALID, "sample %lld: the data set has samples 0 to %lld",
            (long long)index, (long long)dataset->info.count - 1);
    if (sample && dataset->store->samples.ids) {
        mica_dataset_ids(dataset, index, 0, 0, sample);
    } else if (sample) {
        MICA_TRY(mica_dataset_scaled(dataset, index, sample));
        mica_dataset_normalize(dataset, sample);
    }
    if (target)
        mica_dataset_target(dataset, index, target);
    return MICA_OK;
}

void mica_permute(uint64_t seed, uint32_t stream, int32_t *order, int32_t count) {
    mica_rng rng = {.seed = seed, .stream = stream};
    for (int32_t i = 0; i < count; i++)
        order[i] = i;
    for (int32_t i = count - 1; i > 0; i--) {
        int32_t other = (int32_t)mica_rng_below(&rng, (uint32_t)i + 1), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

/* A set of `count` of the samples: those whose places in `dataset` stand in order. */
static mica_status subset(
    const mica_dataset *dataset, const int32_t *order, int64_t count, mica_dataset **out) {
    mica_dataset *part = mica_alloc(1, sizeof *part);
    int32_t *index = mica_alloc((size_t)count, sizeof *index);
    if (!part || !index) {
        free(part);
        free(index);
        return MICA_E_MEMORY;
    }
    for (int64_t i = 0; i < count; i++)
        index[i] = dataset->index ? dataset->index[order[i]] : order[i];
    part->info = dataset->info;
    part->info.count = count;
    part->index = index;
    part->store = dataset->store;
    atomic_fetch_add(&part->store->owners, 1);
    *out = part;
    return MICA_OK;
}

/* The number of the part that a place in [0, 1) belongs to; `parts`: none. Those with a size lie
 * one behind the other, the rest behind them. */
static size_t part_of(double place, size_t parts, const double *sizes) {
    double end = 0;
    size_t rest = parts;
    for (size_t i = 0; i < parts; i++) {
        end += sizes[i];
        if (sizes[i] == 0)
            rest = i;
        else if (place < end)
            return i;
    }
    return rest;
}

static mica_status sizes_check(size_t parts, const double *sizes) {
    double sum = 0;
    size_t rests = 0;
    for (size_t i = 0; i < parts; i++) {
        if (!(sizes[i] >= 0 && sizes[i] < 1) || (sizes[i] == 0 && rests++))
            return mica_fail(MICA_E_INVALID,
                "split: size %g of part %zu: wanted a fraction above 0 and below 1, or 0 for the "
                "rest (once)",
                sizes[i], i + 1);
        sum += sizes[i];
    }
    return sum <= 1 + 1e-9
               ? MICA_OK
               : mica_fail(MICA_E_INVALID, "split: the sizes add up to %g: wanted at most 1", sum);
}

static mica_status part_make(const mica_dataset *dataset, const size_t *part, size_t number,
    double size, int32_t *order, mica_dataset **out) {
    int64_t count = 0;
    for (int64_t i = 0; i < dataset->info.count; i++)
        if (part[i] == number)
            order[count++] = (int32_t)i;
    if (count)
        return subset(dataset, order, count, out);
    return mica_fail(MICA_E_INVALID,
        "split: none of the %lld samples falls into part %zu, %s%.4g of them: give more samples "
        "that differ, or another size",
        (long long)dataset->info.count, number + 1, size == 0 ? "the rest, " : "", size);
}

mica_status mica_dataset_split(const mica_dataset *dataset, uint64_t seed, size_t parts,
    const double *sizes, mica_dataset **out) {
    MICA_TRY(sizes_check(parts, sizes));
    size_t count = (size_t)dataset->info.count;
    size_t *part = mica_alloc(count, sizeof *part);
    int32_t *order = mica_alloc(count, sizeof *order);
    mica_dataset **made = mica_alloc(parts, sizeof(mica_dataset *));
    mica_status status = part && order && made ? MICA_OK : MICA_E_MEMORY;
    for (size_t i = 0; i < count && status == MICA_OK; i++)
        part[i] =
            part_of(mica_hash_unit(seed, mica_dataset_content(dataset, (int64_t)i)), parts, sizes);
    for (size_t i = 0; i < parts && status == MICA_OK; i++)
        status = part_make(dataset, part, i, sizes[i], order, &made[i]);
    for (size_t i = 0; i < parts && made; i++)
        if (status == MICA_OK)
            out[i] = made[i];
        else
            mica_dataset_destroy(&made[i]);
    free(part);
    free(order);
    free(made);
    return status;
}

mica_status mica_dataset_slice(
    const mica_dataset *dataset, int64_t first, int64_t count, mica_dataset **out) {
    if (first < 0 || count < 1 || first > dataset->info.count - count)
        return mica_fail(MICA_E_INVALID,
            "slice of %lld samples from %lld on: the data set has samples 0 to %lld",
            (long long)count, (long long)first, (long long)dataset->info.count - 1);
    int32_t *order = mica_alloc((size_t)count, sizeof *order);
    if (!order)
        return MICA_E_MEMORY;
    for (int64_t i = 0; i < count; i++)
        order[i] = (int32_t)(first + i);
    mica_status status = subset(dataset, order, count, out);
    free(order);
    return status;
}
