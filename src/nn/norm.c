/* The layers of batch and layer normalization. */
#include "nn/layer.h"

#include "graph/graph_impl.h"

static mica_value *vector(
    mica_graph *graph, const char *name, int64_t size, float start, bool frozen) {
    mica_value *made = mica_parameter(
        graph, name, MICA_SHAPE(size), (mica_init){MICA_INIT_CONSTANT, .value = start});
    mica_parameter_freeze(made, frozen);
    return made;
}

mica_value *mica_batch_norm_layer(
    mica_value *x, const char *name, const mica_batch_norm_options *options) {
    mica_graph *graph = mica_layer_begin("batch_norm", name, x, 2, "(..., channels)");
    if (!graph)
        return NULL;
    mica_shape shape = mica_value_shape(x);
    int64_t channels = shape.dim[shape.rank - 1];
    bool frozen = options && options->frozen;
    mica_graph_set_scope(graph, name);
    mica_value *gamma = vector(graph, "weight", channels, 1, frozen);
    mica_value *beta = vector(graph, "bias", channels, 0, frozen);
    mica_value *mean = vector(graph, "running_mean", channels, 0, true);
    mica_value *variance = vector(graph, "running_var", channels, 1, true);
    mica_value *y = mica_batch_norm(x, gamma, beta, mean, variance, options);
    if (y && !frozen && mica_shape_count(shape) == channels)
        mica_graph_warn(graph,
            "each channel has one value in a batch, which becomes 0 whatever it is, so that nothing "
            "before it learns: take a batch of 2 or more");
    mica_graph_set_scope(graph, NULL);
    return y;
}

mica_value *mica_layer_norm_layer(mica_value *x, const char *name, float epsilon) {
    mica_graph *graph = mica_layer_begin("layer_norm", name, x, 1, "(..., size)");
    if (!graph)
        return NULL;
    mica_shape shape = mica_value_shape(x);
    int64_t size = shape.dim[shape.rank - 1];
    mica_graph_set_scope(graph, name);
    mica_value *gamma = vector(graph, "weight", size, 1, false);
    mica_value *beta = vector(graph, "bias", size, 0, false);
    mica_value *y = mica_layer_norm(x, gamma, beta, epsilon);
    mica_graph_set_scope(graph, NULL);
    return y;
}
