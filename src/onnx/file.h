/* An open ONNX file: the parsed messages and, for each name, the value that it stands for. */
#ifndef MICA_ONNX_FILE_H
#define MICA_ONNX_FILE_H

#include "onnx/tensor.h"

#include <mica/onnx.h>

typedef Mica__Onnx__Node mica_onnx_pb_node;
typedef Mica__Onnx__Attribute mica_onnx_pb_attribute;

#define MICA_ONNX_NONE UINT32_MAX /* an optional input or output that is left out */

/* A name of the graph and where its value comes from. */
typedef struct mica_onnx_symbol {
    const char *name;
    const mica_stored_tensor *input; /* NULL: no input of the network */
    const mica_onnx_tensor *tensor;  /* NULL: not stored in the file */
} mica_onnx_symbol;

/* A node with its names resolved to symbols. */
typedef struct mica_onnx_node {
    const mica_onnx_pb_node *proto;
    size_t n_in, n_out;
    const uint32_t *in, *out; /* numbers of symbols, or MICA_ONNX_NONE */
} mica_onnx_node;

struct mica_onnx {
    char *path;
    int folder; /* descriptor of the folder that the file is in */
    Mica__Onnx__Model *model;
    int64_t opset;
    size_t n_symbols;
    mica_onnx_symbol *symbols; /* by name */
    size_t n_nodes;
    mica_onnx_node *nodes; /* each after those whose results it takes */
    uint32_t *links;       /* what the nodes' in and out point into */
    size_t n_inputs;
    mica_stored_tensor *inputs;
    int *input_types; /* TensorProto.DataType, by input */
    size_t n_tensors;
    mica_onnx_tensor *tensors;
    size_t n_outputs;
    uint32_t *outputs; /* symbols */
    char **refusals;   /* of the last build */
    size_t n_refusals, refusals_capacity;
};

/* MICA_ONNX_NONE if there is no such name. */
uint32_t mica_onnx_symbol_find(const mica_onnx *file, const char *name);

#endif
