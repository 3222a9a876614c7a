/* The representation of a data set, shared by the readers of files, the splits and the loader. */
#ifndef MICA_DATA_DATASET_H
#define MICA_DATA_DATASET_H

#include <mica/data.h>
#include <mica/io.h>

/* What a user (the first id of a sample) has seen: items start[u] .. start[u + 1] - 1 of `item`, in
 * ascending order. One more id is then put behind each sample, of an item that its user has not
 * seen; so nobody may have seen all. */
typedef struct mica_seen {
    int64_t *start; /* NULL: nothing is put behind */
    int32_t *item;
} mica_seen;

/* Samples and targets as read, owned by the caller until mica_dataset_adopt succeeds. Exactly one
 * of bytes, floats, files and ids is set (but files may be with bytes), and one of labels, targets
 * and ahead. All are made by malloc, the texts too. */
typedef struct mica_samples {
    int64_t count;
    mica_shape sample;
    uint8_t *bytes; /* count * mica_shape_count(sample) */
    float *floats;  /* the same */
    char **files;   /* `count` pictures, for mica_image_sample; with bytes, which they became */
    mica_preprocess how; /* likewise */
    int32_t *ids;        /* count * mica_shape_count(sample) */
    int64_t *starts; /* floats and ids: sample i begins at starts[i] of the array; NULL: they stand
                        one behind the other */
    int32_t *labels; /* `count` */
    uint64_t *content; /* `count`, of samples with files: hashes of these; else NULL */
    float *targets;    /* count * mica_shape_count(target) */
    int64_t ahead; /* with starts: the target of a sample begins so far behind it, in the array */
    mica_shape target;
    int32_t users, items;                /* of ratings, else 0 */
    uint64_t ids_hash;                   /* likewise */
    float target_lowest, target_highest; /* see mica_dataset_info */
    mica_seen seen;
    bool ordered;   /* see mica_dataset_info */
    char **skipped; /* n_skipped: see mica_dataset_info */
    int64_t n_skipped;
    char *note; /* see mica_dataset_info */
} mica_samples;

/* Frees the arrays and the texts. */
void mica_samples_free(mica_samples *samples);

/* Makes a data set of samples, taking over their arrays. Checks the labels against
 * options->classes, and options->sample (which replaces the shape) against the shape's size.
 * On failure the arrays stay the caller's. options may be NULL. */
mica_status mica_dataset_adopt(
    const mica_samples *samples, const mica_dataset_options *options, mica_dataset **dataset);

/* The sample of mica_dataset_sample without the check of index, and without subtracting the mean
 * and dividing by the deviation, which mica_dataset_normalize does. */
mica_status mica_dataset_scaled(const mica_dataset *dataset, int64_t index, float *features);
void mica_dataset_normalize(const mica_dataset *dataset, float *features);

/* The same of a sample of ids. An item that the user has not seen, where one belongs to the sample,
 * is drawn from the seed, the epoch and the sample's number. */
void mica_dataset_ids(
    const mica_dataset *dataset, int64_t index, uint64_t seed, int64_t epoch, int32_t *ids);

/* Notes that a sample's file, which was read once, is lost: `why` names it. For any thread. */
mica_status mica_dataset_lose(const mica_dataset *dataset, int64_t index, const char *why);

/* A hash of the sample's own content as it was read, which neither its place nor its label change:
 * of a picture its file's bytes. */
uint64_t mica_dataset_content(const mica_dataset *dataset, int64_t index);

/* A hash of all samples and targets in their order. */
mica_status mica_dataset_digest(const mica_dataset *dataset, uint64_t *digest);

/* The target, int32 or float32. */
void mica_dataset_target(const mica_dataset *dataset, int64_t index, void *target);

/* Subtracts the mean (NULL: 0) and divides by the deviation (NULL: 1) of each of `channels`. */
void mica_normalize(
    const float *mean, const float *deviation, int64_t channels, int64_t count, float *values);

/* The largest value that scaled samples can have, or infinity where that is not known. */
float mica_dataset_white(const mica_dataset *dataset);

/* Are samples read from files whenever they are used? */
bool mica_dataset_is_lazy(const mica_dataset *dataset);

/* Writes a permutation of 0 .. count - 1 that depends on the seed and stream alone: Fisher-Yates
 * with Philox. */
void mica_permute(uint64_t seed, uint32_t stream, int32_t *order, int32_t count);

#endif
