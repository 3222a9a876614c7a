/* The measured choice among kernels that compute the same: once per device and class of shapes,
 * kept in a database file. Knows no operator.
 *
 * The file is $XDG_CACHE_HOME/mica/tuning/<hash of device and driver>. It is loaded when a device's
 * first choice is made, counts only for the kernels it was measured with, and is replaced whole
 * after each measurement. One that is missing, damaged or of another build is as if empty; where it
 * cannot be written, each process measures for itself. */
#ifndef MICA_TUNE_TUNE_H
#define MICA_TUNE_TUNE_H

#include "graph/graph_impl.h"

/* Makes the commands, `timed`, that run candidate `index` on memory filled by mica_tune_fill. */
typedef mica_status mica_tune_record(void *user, int index, mica_commands **commands);

/* What the candidates compute, and how it is known to be right. */
typedef struct mica_tune_problem {
    mica_tune_record *record;
    mica_buffer *(*result)(void *user); /* where they leave it; asked for behind a record */
    uint64_t count;                     /* elements of the result */
    uint64_t terms;                     /* that are added up for one, about */
    /* Element `at` in double precision, and in *slack how far float32 may be from it. */
    double (*expect)(void *user, uint64_t at, double *slack);
    void *user;
    mica_graph *graph; /* is warned of candidates that are wrong; may be NULL */
} mica_tune_problem;

/* Returns which of n candidates (named, the one expected best first) was fastest for `key`, which
 * stands for the operator and a class of shapes that has these candidates; no tabs or line ends in
 * it. Measures where the database does not know, some 30 ms beside the first runs; what cannot be
 * recorded or run drops out, and so does, with a warning, what computes wrong numbers. It is 0
 * where nothing was measured, as on the null device and with MICA_TUNE=0 in the environment.
 * MICA_TUNE=NAME takes the candidate of that name wherever there is one, unchecked, for tests;
 * elsewhere nothing is measured with it. -1: every candidate that ran was wrong (last error set).
 */
int mica_tune_choose(mica_device *device, const char *key, const char *const *names, int n,
    const mica_tune_problem *problem);

/* Random numbers in [-1, 1): element `at` of a stream, and a buffer full of them. */
float mica_tune_number(uint32_t stream, uint64_t at);
mica_status mica_tune_fill(mica_buffer *buffer, uint32_t stream);

/* How far a float32 sum of so many terms may be from the right one, if their magnitudes add up to
 * `magnitude`: for any order of summation, and for Winograd's method. */
double mica_tune_slack(uint64_t terms, double magnitude);

#endif
