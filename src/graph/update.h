/* What a program needs of the optimizers. Declared here and implemented in optim/, so that imports
 * keep pointing one way. */
#ifndef MICA_GRAPH_UPDATE_H
#define MICA_GRAPH_UPDATE_H

#include "graph/model.h"

/* What changes from step to step, written by the host before each run. The first words are the
 * value of mica_step_input; optimizers bind all of it. */
typedef struct mica_hyper {
    uint32_t step[2], seed[2]; /* low word first */
    float learning_rate;
    float correction1, correction2; /* Adam: 1 / (1 - beta^t) */
} mica_hyper;

/* The optimizer's state arrays and their names. */
int mica_optimizer_states(const mica_optimizer *optimizer, const char **names);
mica_hyper mica_optimizer_hyper(const mica_optimizer *optimizer, uint64_t step);

/* The launch that updates one window of the arenas. */
mica_status mica_optimizer_launch(const mica_optimizer *optimizer, mica_model *model,
    const mica_window *window, mica_range hyper, mica_launch *launch);

/* The launch that updates the rows of a sparse parameter: rows[i] by gradient[i] unless it is
 * negative. */
mica_status mica_optimizer_rows_launch(const mica_optimizer *optimizer, mica_model *model,
    const mica_value *parameter, mica_range rows, mica_range gradient, mica_range hyper,
    mica_launch *launch);

/* Cuts the gradients' arena into windows and chunks, and makes the norm's tables. */
mica_status mica_norm_prepare(mica_model *model);

/* Where a program leaves the MICA_SPARSE_SUMS sums of squares of a sparse parameter's gradient. */
mica_range mica_norm_place(const mica_model *model, size_t parameter);

/* The launch that moves a tracked parameter towards the value in a range, or, without an update to
 * look at, sets it to that. */
mica_status mica_track_launch(mica_model *model, const mica_value *parameter, mica_range value,
    bool updates, mica_launch *launch);

/* One launch a window, then one that finishes: n_windows + 1 launches. */
mica_status mica_norm_launches(mica_model *model, mica_launch *launches);

#endif
