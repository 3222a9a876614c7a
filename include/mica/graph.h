/* Graphs of values, models that hold a graph's parameters on a device, and compiled programs.
 *
 * A graph is built once, on the host, from inputs, parameters and the operators of ops.h. A model
 * gives its parameters memory on one device. A program is a plan compiled for some outputs of the
 * graph, perhaps with gradients and an optimizer's update, which runs again and again. Several
 * programs (training, evaluation) share one model. */
#ifndef MICA_GRAPH_H
#define MICA_GRAPH_H

#include <mica/device.h>
#include <mica/optim.h>
#include <mica/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mica_graph mica_graph;
typedef struct mica_value mica_value; /* owned by its graph */

MICA_API mica_status mica_graph_create(mica_graph **graph);

/* Destroy models made of the graph first. */
MICA_API void mica_graph_destroy(mica_graph **graph);

/* Builders return NULL on failure and when they are given NULL for a value, and the graph keeps its
 * first error: build a whole network and check here (or at mica_model_create) once. The error's
 * text is set as the last error. */
MICA_API mica_status mica_graph_status(mica_graph *graph);

/* What builders found that works, but hardly as meant. NULL for an index out of range; texts live
 * as long as the graph. */
MICA_API const char *mica_graph_warning(const mica_graph *graph, size_t index);

/* Names given to values from now on are prefixed "scope/": a layer's name. NULL or "" ends it. */
MICA_API void mica_graph_set_scope(mica_graph *graph, const char *scope);

/* Data that the caller writes before a run. Names are unique in a graph. */
MICA_API mica_value *mica_input(
    mica_graph *graph, const char *name, mica_dtype dtype, mica_shape shape);

/* How a parameter starts. fan_in and fan_out are those of the layer that owns it. */
typedef enum mica_init_kind {
    MICA_INIT_ZEROS,
    MICA_INIT_CONSTANT,       /* value */
    MICA_INIT_NORMAL,         /* mean 0, standard deviation `value` */
    MICA_INIT_TRUNCATED,      /* the same, redrawn beyond two deviations */
    MICA_INIT_UNIFORM,        /* -value .. value */
    MICA_INIT_GLOROT_UNIFORM, /* +-sqrt(6 / (fan_in + fan_out)): Glorot and Bengio, 2010 */
    MICA_INIT_HE_NORMAL       /* deviation sqrt(2 / fan_in): He et al., 2015 */
} mica_init_kind;

typedef struct mica_init {
    mica_init_kind kind;
    float value;
    int64_t fan_in, fan_out;
} mica_init;

/* A float32 value that training changes. */
MICA_API mica_value *mica_parameter(
    mica_graph *graph, const char *name, mica_shape shape, mica_init init);

/* A float32 value that is fixed when the graph is built; the data is copied. */
MICA_API mica_value *mica_constant(
    mica_graph *graph, const char *name, mica_shape shape, const float *data);
MICA_API mica_value *mica_full(mica_graph *graph, mica_shape shape, float number);

/* A frozen parameter gets no gradient and no update. Set before the first program is compiled. */
MICA_API void mica_parameter_freeze(mica_value *parameter, bool frozen);

/* The learning rate of a parameter is the optimizer's times `rate`, which is 1 unless set and above
 * 0. Each rate costs an update of its own, so let many parameters have the same. Set before a model
 * is made. */
MICA_API void mica_parameter_rate(mica_value *parameter, float rate);

/* A table (rows, width) that the loss depends on through mica_embedding alone, once or more often,
 * may be sparse: a step then computes the gradients of the rows that it looks up and updates those,
 * so that its time does not grow with the table. Gradient norms, clipping, weight decay and the
 * skipping of a step are as ever, and so is plain SGD without weight decay; but with weight decay,
 * momentum or Adam a row that is not looked up rests, with its state, as if there were no step
 * (PyTorch calls this SparseAdam, TensorFlow LazyAdam). A program whose loss uses the table in
 * another way, such as a penalty on all of it, is MICA_E_INVALID. Set before a model is made. */
MICA_API void mica_parameter_sparse(mica_value *parameter, bool sparse);

/* Freezes a parameter and has each run of a program with an optimizer end in parameter = momentum *
 * parameter + (1 - momentum) * value, unless the update is skipped (mica_program_gradient_norms):
 * running statistics. `value` is float32 of the parameter's shape; 0 <= momentum <= 1. */
MICA_API void mica_parameter_track(mica_value *parameter, mica_value *value, float momentum);

/* Makes a parameter a state that is carried from run to run: each run of any program that needs it
 * ends in parameter = value (float32 of its shape), unless that run's update is skipped. It is no
 * weight: it gets no gradient, and model files leave it out. */
MICA_API void mica_parameter_carry(mica_value *parameter, mica_value *value);

/* The parameters of a graph, in the order of their making. NULL for an index out of range. */
MICA_API size_t mica_graph_count(const mica_graph *graph);
MICA_API mica_value *mica_graph_parameter(const mica_graph *graph, size_t index);

MICA_API mica_shape mica_value_shape(const mica_value *value);
MICA_API mica_dtype mica_value_dtype(const mica_value *value);
MICA_API const char *mica_value_name(const mica_value *value); /* unique in its graph */

/* Adds the nodes that compute d(loss)/d(wrt[i]) and gives their values in grads[i]. The loss is a
 * float32 scalar. A value used several times gets the sum. A wrt that the loss does not depend on
 * is MICA_E_INVALID, and all such are named. Reverse-mode differentiation: Griewank and Walther,
 * "Evaluating Derivatives", 2008. */
MICA_API mica_status mica_gradients(
    mica_value *loss, mica_value *const *wrt, size_t count, mica_value **grads);

/* A graph's parameters on a device, filled by their initializers from `seed`. The graph and the
 * device must outlive the model. The order of parameters is that of their making. */
typedef struct mica_model mica_model;
MICA_API mica_status mica_model_create(
    mica_graph *graph, mica_device *device, uint64_t seed, mica_model **model);
MICA_API void mica_model_destroy(mica_model **model);
MICA_API size_t mica_model_count(const mica_model *model); /* of parameters */
MICA_API mica_value *mica_model_parameter(const mica_model *model, size_t index);

/* Sets what is carried from run to run (mica_parameter_carry) back to its initial values: the start
 * of a sequence. */
MICA_API mica_status mica_model_reset(mica_model *model);

/* Blocking; count is the number of elements, which must be the parameter's. */
MICA_API mica_status mica_model_read(
    mica_model *model, const mica_value *parameter, float *data, size_t count);
MICA_API mica_status mica_model_write(
    mica_model *model, const mica_value *parameter, const float *data, size_t count);

typedef struct mica_program_options {
    mica_value *loss;                /* a float32 scalar; NULL: forward only */
    const mica_optimizer *optimizer; /* NULL: no update. With one, loss must be set */
    bool training;                   /* dropout and the like are active */
    mica_value *const *outputs;      /* values that can be read after a run (the loss always can) */
    size_t n_outputs;
    bool gradients; /* without an optimizer: compute the parameters' gradients all the same */
    bool keep_all;  /* no memory is reused and nothing fused: every value can be read */
    bool timed;     /* launches are timed, for mica_program_report */
} mica_program_options;

typedef struct mica_program mica_program;
MICA_API mica_status mica_program_create(
    mica_model *model, const mica_program_options *options, mica_program **program);
MICA_API void mica_program_destroy(mica_program **program);

/* Writes an input's data (blocking until earlier runs are done); size in bytes must be the
 * input's. int32 inputs take int32_t. */
MICA_API mica_status mica_program_write(
    mica_program *program, const mica_value *input, const void *data, size_t size);

/* Queues one run: waits for the run before, if any, and not for this one. Nothing is allocated,
 * compiled or read. The model's step counter, which seeds dropout and drives schedules, advances by
 * one if the program has an optimizer. */
MICA_API mica_status mica_program_run(mica_program *program);

/* Reads an output (blocking until runs are done). size in bytes must be the value's. */
MICA_API mica_status mica_program_read(
    mica_program *program, const mica_value *output, void *data, size_t size);

/* After a run with an optimizer or gradients: the L2 norm of the gradient of each of the model's
 * parameters (0 for frozen ones) and, in *total, of all together. Where *total is not finite, the
 * update of that run was skipped and the parameters are as before. norms may be NULL. */
MICA_API mica_status mica_program_gradient_norms(
    mica_program *program, float *norms, size_t count, float *total);

/* The first value, in the order of computing, that is not finite in a program with keep_all; NULL
 * if all are. */
MICA_API mica_status mica_program_find_nonfinite(
    mica_program *program, const mica_value **value, const char **where);

/* One launch of a program, for reports. Strings live as long as the program. */
typedef struct mica_program_row {
    const char *phase;  /* "forward", "backward", "update" */
    const char *node;   /* "fc1/matmul+bias+relu" */
    const char *kernel; /* entry name with its constants */
    double flops, bytes;
    double microseconds; /* of the last run; 0 unless timed */
} mica_program_row;
typedef struct mica_program_report {
    size_t n_rows;
    const mica_program_row *rows;
    uint64_t parameter_bytes;  /* parameters, gradients and optimizer state */
    uint64_t activation_bytes; /* the planned arena */
    uint64_t unplanned_bytes;  /* what the same values would take without reuse */
} mica_program_report;
MICA_API mica_status mica_program_get_report(mica_program *program, mica_program_report *report);

/* The number of updates made on the model; part of what a checkpoint keeps. */
MICA_API uint64_t mica_model_step(const mica_model *model);

#ifdef __cplusplus
}
#endif
#endif
