#include "nn/layer.h"

#include "base/error.h"
#include "graph/graph_impl.h"

mica_graph *mica_layer_begin(
    const char *layer, const char *name, mica_value *x, int rank, const char *wanted) {
    if (!x)
        return NULL;
    mica_graph *graph = mica_value_graph(x);
    mica_shape shape = mica_value_shape(x);
    char text[96];
    if (!name || !*name)
        mica_graph_failed(graph, mica_fail(MICA_E_INVALID, "%s: the layer needs a name", layer));
    else if (shape.rank < rank || mica_value_dtype(x) != MICA_F32)
        mica_graph_failed(
            graph, mica_fail(MICA_E_INVALID, "%s %s: wanted float32 values %s, got %s %s", layer,
                       name, wanted, mica_value_dtype(x) == MICA_F32 ? "float32" : "int32",
                       mica_shape_text(shape, text, sizeof text)));
    else
        return graph;
    return NULL;
}

static bool like_relu(mica_activation activation) {
    return activation == MICA_RELU || activation == MICA_LEAKY_RELU || activation == MICA_ELU ||
           activation == MICA_GELU || activation == MICA_SILU || activation == MICA_HARD_SWISH;
}

mica_value *mica_layer_weight(mica_graph *graph, mica_shape shape, const mica_init *init,
    mica_activation activation, int64_t fan_in, int64_t fan_out, bool frozen) {
    mica_init start = {
        .kind = like_relu(activation) ? MICA_INIT_HE_NORMAL : MICA_INIT_GLOROT_UNIFORM};
    if (init)
        start = *init;
    if (!start.fan_in)
        start.fan_in = fan_in;
    if (!start.fan_out)
        start.fan_out = fan_out;
    mica_value *weight = mica_parameter(graph, "weight", shape, start);
    mica_parameter_freeze(weight, frozen);
    return weight;
}

mica_value *mica_layer_end(
    mica_value *y, int64_t units, bool no_bias, bool frozen, mica_activation activation) {
    if (!y)
        return NULL;
    if (!no_bias) {
        mica_value *bias =
            mica_parameter(mica_value_graph(y), "bias", MICA_SHAPE(units), (mica_init){0});
        mica_parameter_freeze(bias, frozen);
        y = mica_bias_add(y, bias);
    }
    return mica_activate(y, activation);
}
