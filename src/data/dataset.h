/* The representation of a data set, shared by the readers of files, the splits and the loader. */
#ifndef MICA_DATA_DATASET_H
#define MICA_DATA_DATASET_H

#include <mica/data.h>

/* Samples and labels as read, owned by the caller until mica_dataset_adopt succeeds. Exactly one of
 * bytes and floats is set; both are made by malloc and hold count * mica_shape_count(sample). */
typedef struct mica_samples {
    int64_t count;
    mica_shape sample;
    uint8_t *bytes;
    float *floats;
    int32_t *labels;
} mica_samples;

/* Frees the three arrays. */
void mica_samples_free(mica_samples *samples);

/* Makes a data set of samples, taking over their arrays. Checks the labels against
 * options->classes, and options->sample (which replaces the shape) against the shape's size.
 * On failure the arrays stay the caller's. options may be NULL. */
mica_status mica_dataset_adopt(
    const mica_samples *samples, const mica_dataset_options *options, mica_dataset **dataset);

/* mica_dataset_sample without the check of index. */
void mica_dataset_copy(const mica_dataset *dataset, int64_t index, float *features, int32_t *label);

/* Writes a permutation of 0 .. count - 1 that depends on the seed and stream alone: Fisher-Yates
 * with Philox. */
void mica_permute(uint64_t seed, uint32_t stream, int32_t *order, int32_t count);

#endif
