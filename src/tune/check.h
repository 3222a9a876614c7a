/* Whether what a candidate computed is right. Knows numbers, no kernels. */
#ifndef MICA_TUNE_CHECK_H
#define MICA_TUNE_CHECK_H

#include "tune/tune.h"

/* Parts of a result, spread over all of it; the whole where that is small. */
typedef struct mica_tune_sample {
    uint64_t count; /* numbers */
    float *numbers; /* free() */
} mica_tune_sample;

/* Makes the result NaN, so that what a candidate leaves out shows. */
mica_status mica_tune_spoil(const mica_tune_problem *problem);

/* Reads the sample of a result. */
mica_status mica_tune_read(const mica_tune_problem *problem, mica_tune_sample *sample);

/* Compares some elements with what is expected. False: *at is one that is wrong. */
bool mica_tune_is_right(
    const mica_tune_problem *problem, const mica_tune_sample *sample, uint64_t *at);

/* Compares two candidates' numbers, and where they differ with what is expected. Returns 0 where
 * both are right, -1 where a, and 1 where b is wrong at *at. */
int mica_tune_compare(const mica_tune_problem *problem, const mica_tune_sample *a,
    const mica_tune_sample *b, uint64_t *at);

#endif
