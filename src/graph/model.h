/* A model's memory: flat arenas of parameters, gradients and optimizer state, each parameter at the
 * same place in all of them. Trainable parameters come first, those of one learning rate together
 * and of them those that decay before the others, so that the optimizer's update is one launch a
 * rate over the front of the arenas. Then come sparse ones (graph/sparse.h), which have no place in
 * the gradients' arena, and frozen ones, which have one among the parameters alone. */
#ifndef MICA_GRAPH_MODEL_H
#define MICA_GRAPH_MODEL_H

#include "graph/graph.h"

#define MICA_MAX_STATES 2

/* Parts of the sum of squares of a sparse parameter's gradient: enough to keep a device busy, few
 * enough for one work-item to add them. */
#define MICA_SPARSE_SUMS 64

/* A part of the arenas that one launch may update, cut between parameters; all of a learning rate
 * unless the device's bindings are small. In elements. */
typedef struct mica_window {
    uint64_t offset, count;
    float rate;           /* the parameters' (mica_parameter_rate), the same for all */
    uint64_t decayed;     /* how many of these, from the front, decay */
    uint32_t first_chunk; /* of the norm's chunks */
    uint32_t n_chunks;
} mica_window;

struct mica_model {
    mica_graph *graph;
    mica_device *device;
    uint64_t seed, step;
    size_t n_parameters;
    uint64_t *offsets;  /* in elements, by parameter */
    uint64_t elements;  /* of all parameters */
    uint64_t dense;     /* of those with a gradient as large as themselves */
    uint64_t trainable; /* of those and of sparse ones */
    mica_buffer *weights, *gradients, *states[MICA_MAX_STATES];
    int n_states;
    const char *state_names[MICA_MAX_STATES];
    mica_window *windows;
    size_t n_windows;
    /* The gradients' norms (optim/norm.c): chunks of the arena, their sums, to which those of
     * sparse parameters are added, and the result, which is the total and then each parameter's. */
    mica_buffer *chunks, *sums, *owners, *norms;
    uint32_t n_chunks;
    uint32_t *sparse_sums; /* by parameter, where its sums stand; of sparse ones */
};

/* mica_model_create for a model that gets its weights from elsewhere: only what is carried from run
 * to run has its initial value, since drawing tens of millions of numbers takes seconds. */
mica_status mica_model_create_empty(
    mica_graph *graph, mica_device *device, uint64_t seed, mica_model **model);

/* Makes the gradient arena and the norm's tables, and `n` arenas of optimizer state (zeroed), if
 * they are not there yet. */
mica_status mica_model_need_gradients(mica_model *model);
mica_status mica_model_need_states(mica_model *model, int n, const char *const *names);

/* The range of a parameter in an arena. */
mica_range mica_model_range(
    const mica_model *model, mica_buffer *arena, const mica_value *parameter);

/* ---- for checkpoints ---- */

/* The optimizer's state: arrays as long as each parameter, "momentum" or "adam_m" and "adam_v".
 * 0 before the first program with an optimizer was made. */
int mica_model_state_count(const mica_model *model);
const char *mica_model_state_name(const mica_model *model, int state);
mica_status mica_model_state_read(
    mica_model *model, int state, const mica_value *parameter, float *data, size_t count);
mica_status mica_model_state_write(
    mica_model *model, int state, const mica_value *parameter, const float *data, size_t count);
uint64_t mica_model_seed(const mica_model *model);
void mica_model_set_step(mica_model *model, uint64_t step, uint64_t seed);

#endif
