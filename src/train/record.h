/* What a training measures: the columns of its metrics, sums over the steps of an epoch, and the
 * row that an epoch ends in. Knows no files. */
#ifndef MICA_TRAIN_RECORD_H
#define MICA_TRAIN_RECORD_H

#include "recipe/recipe.h"
#include "train/evaluate.h"
#include "train/metrics.h"

#include <mica/train.h>

/* Zero-initialize. Columns that are not measured are -1. */
typedef struct mica_record {
    mica_metrics metrics;
    double *sums; /* by column, over the steps of the epoch so far */

    size_t n_heads;
    int epoch, step, learning_rate, train_loss, validation_loss, seconds;
    struct mica_head_columns {
        int train_loss, validation_loss;
        int validation[MICA_MEASURES]; /* by place in mica_measures */
    } * heads;

    /* Gradient norms: one a layer, the mean over about 16 steps of an epoch. */
    int64_t norm_every; /* steps; 0: none */
    size_t n_parameters;
    int *norm_columns; /* by parameter: its layer's */
    float *norms;      /* by parameter, room for one step's */
} mica_record;

/* The columns for a network whose epochs have `steps` steps. */
mica_status mica_record_create(const mica_recipe *recipe, const mica_network *network,
    const mica_model *model, int64_t steps, bool validation, mica_record *record);
void mica_record_clear(mica_record *record);

/* True if the norms of the epoch's step `batch` (from 0) are wanted. */
bool mica_record_wants_norms(const mica_record *record, int64_t batch);

/* Adds record->norms to the sums of the layers. */
void mica_record_norms(mica_record *record);

/* Ends an epoch of `steps` steps: appends its row, with validation (by head; NULL: none), and
 * clears the sums. NULL when memory runs out. */
double *mica_record_epoch(mica_record *record, int64_t steps, const mica_evaluation *validation);

#endif
