/* The dense (fully connected) layer and the activations. */
#include "nn/layer.h"

#include "base/error.h"
#include "graph/graph_impl.h"

mica_value *mica_activate(mica_value *x, mica_activation activation) {
    if (!x)
        return NULL;
    switch (activation) {
    case MICA_LINEAR:
        return x;
    case MICA_RELU:
        return mica_relu(x);
    case MICA_SIGMOID:
        return mica_sigmoid(x);
    case MICA_TANH:
        return mica_tanh(x);
    case MICA_LEAKY_RELU:
        return mica_leaky_relu(x, 0.01f);
    case MICA_ELU:
        return mica_elu(x, 1);
    case MICA_GELU:
        return mica_gelu(x);
    case MICA_SILU:
        return mica_silu(x);
    case MICA_HARD_SIGMOID:
        return mica_hard_sigmoid(x, 1.0f / 6, 0.5f);
    case MICA_HARD_SWISH:
        return mica_hard_swish(x);
    }
    return mica_graph_failed(mica_value_graph(x),
        mica_fail(MICA_E_INVALID, "activation %d is not one of mica_activation", (int)activation));
}

mica_value *mica_dense(
    mica_value *x, const char *name, int64_t units, const mica_dense_options *options) {
    static const mica_dense_options defaults;
    mica_graph *graph = mica_layer_begin("dense", name, x, 2, "(batch, ..., features)");
    if (!graph)
        return NULL;
    if (!options)
        options = &defaults;
    mica_shape shape = mica_value_shape(x);
    int64_t in = shape.dim[shape.rank - 1];
    mica_graph_set_scope(graph, name);
    mica_value *weight = mica_layer_weight(graph, MICA_SHAPE(in, units), options->init,
        options->activation, in, units, options->frozen);
    mica_value *y = mica_layer_end(mica_matmul(x, weight, NULL), units, options->no_bias,
        options->frozen, options->activation);
    mica_graph_set_scope(graph, NULL);
    return y;
}
