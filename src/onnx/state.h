/* The build's own state, which operators see only through build.h. */
#ifndef MICA_ONNX_STATE_H
#define MICA_ONNX_STATE_H

#include "onnx/build.h"

#define MICA_ONNX_KNOWN_MOST 65536       /* elements of a value that is worked out on the host */
#define MICA_ONNX_SCRATCH    (32u << 20) /* bytes of numbers on the host, in all */
#define MICA_ONNX_WORK       (1 << 24)   /* numbers read or made on the host, in all */

/* A parameter and the stored tensor that it starts from. */
typedef struct mica_onnx_weight {
    mica_value *parameter;
    const mica_onnx_tensor *tensor;
    mica_onnx_arrangement arrangement;
} mica_onnx_weight;

struct mica_onnx_network {
    const mica_onnx *file;
    mica_value **inputs; /* by input of the file */
    size_t n_outputs;
    mica_onnx_result *outputs;
    mica_value **found; /* by symbol */
    mica_onnx_weight *weights;
    size_t n_weights, weights_capacity;
    void **blocks; /* what the outputs' pointers point into, and scratch memory */
    size_t n_blocks, blocks_capacity;
};

struct mica_onnx_build_state {
    mica_onnx *file;
    mica_graph *graph;
    mica_onnx_options options;
    mica_onnx_value *values; /* by symbol */
    mica_onnx_network *network;
    size_t scratch_left;
    int64_t work_left;
};

/* Makes a value known by a tensor. */
void mica_onnx_store(const mica_onnx_tensor *tensor, mica_onnx_value *value);

/* Names what is made from now on after the call's node. */
void mica_onnx_scope_set(const mica_onnx_call *call);

/* Writes a tensor's floats in the order of an arrangement. */
void mica_onnx_arrange(const mica_onnx_arrangement *arrangement, const float *from, float *to);

#endif
