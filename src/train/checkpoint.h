/* A model's weights, and all of a training, as safetensors. Knows no loop and no folders. */
#ifndef MICA_TRAIN_CHECKPOINT_H
#define MICA_TRAIN_CHECKPOINT_H

#include "train/metrics.h"

#include <mica/train.h>

/* Where a training stands, beside weights and optimizer state. Numbers of steps and epochs are of
 * the whole run. */
typedef struct mica_position {
    int64_t seed;         /* of the shuffle and the model's random numbers */
    int64_t step;         /* updates made */
    int64_t epoch, batch; /* epochs finished, steps done in the next */
    int64_t batch_size, steps_per_epoch, samples; /* must be the same to continue */
    int64_t best_epoch;                           /* from 1; 0: none yet */
    double best;                                  /* its validation loss */
    double seconds;
} mica_position;

/* Writes everything that continuing needs. sums: by column of the metrics, what this epoch has
 * summed up so far. Blocking. */
mica_status mica_checkpoint_save(const char *path, mica_model *model, const mica_position *position,
    const mica_metrics *metrics, const double *sums);

/* The reverse. The model has its optimizer's state arrays, metrics its columns and no rows. A file
 * of another model, optimizer or table is MICA_E_FORMAT and nothing is changed. */
mica_status mica_checkpoint_load(const char *path, mica_model *model, mica_position *position,
    mica_metrics *metrics, double *sums);

#endif
