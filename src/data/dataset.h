/* The representation of a data set, shared by the readers of files, the splits and the loader. */
#ifndef MICA_DATA_DATASET_H
#define MICA_DATA_DATASET_H

#include <mica/data.h>

/* Samples and labels as read, owned by the caller until mica_dataset_adopt succeeds. Exactly one of
 * bytes, floats and files is set. All are made by malloc, the texts too. */
typedef struct mica_samples {
    int64_t count;
    mica_shape sample;
    uint8_t *bytes;  /* count * mica_shape_count(sample) */
    float *floats;   /* the same */
    char **files;    /* `count` pictures, for mica_image_sample */
    int32_t *labels; /* `count` */
    char **skipped;  /* n_skipped: see mica_dataset_info */
    int64_t n_skipped;
} mica_samples;

/* Frees the arrays and the texts. */
void mica_samples_free(mica_samples *samples);

/* Makes a data set of samples, taking over their arrays. Checks the labels against
 * options->classes, and options->sample (which replaces the shape) against the shape's size.
 * On failure the arrays stay the caller's. options may be NULL. */
mica_status mica_dataset_adopt(
    const mica_samples *samples, const mica_dataset_options *options, mica_dataset **dataset);

/* mica_dataset_sample without the check of index, and without subtracting the mean and dividing by
 * the deviation, which mica_dataset_normalize does. */
mica_status mica_dataset_scaled(
    const mica_dataset *dataset, int64_t index, float *features, int32_t *label);
void mica_dataset_normalize(const mica_dataset *dataset, float *features);

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
