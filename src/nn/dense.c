/* The dense (fully connected) layer and the activations. */
#include <mica/nn.h>

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
    }
    return mica_graph_failed(mica_value_graph(x),
        mica_fail(MICA_E_INVALID, "activation %d is not one of mica_activation", (int)activation));
}

static mica_init weight_init(const mica_dense_options *options, int64_t in, int64_t units) {
    mica_init init = {.kind = MICA_INIT_GLOROT_UNIFORM};
    if (options->init)
        init = *options->init;
    else if (options->activation == MICA_RELU)
        init.kind = MICA_INIT_HE_NORMAL;
    if (!init.fan_in)
        init.fan_in = in;
    if (!init.fan_out)
        init.fan_out = units;
    return init;
}

mica_value *mica_dense(
    mica_value *x, const char *name, int64_t units, const mica_dense_options *options) {
    static const mica_dense_options defaults;
    if (!x)
        return NULL;
    if (!options)
        options = &defaults;
    mica_graph *graph = mica_value_graph(x);
    if (!name || !*name)
        return mica_graph_failed(graph, mica_fail(MICA_E_INVALID, "dense: the layer needs a name"));
    mica_shape shape = mica_value_shape(x);
    char text[96];
    if (shape.rank < 2 || mica_value_dtype(x) != MICA_F32)
        return mica_graph_failed(
            graph, mica_fail(MICA_E_INVALID,
                       "dense %s: wanted float32 values (batch, ..., features), got %s %s", name,
                       mica_value_dtype(x) == MICA_F32 ? "float32" : "int32",
                       mica_shape_text(shape, text, sizeof text)));

    int64_t in = shape.dim[shape.rank - 1];
    mica_graph_set_scope(graph, name);
    mica_value *weight =
        mica_parameter(graph, "weight", MICA_SHAPE(in, units), weight_init(options, in, units));
    mica_parameter_freeze(weight, options->frozen);
    mica_value *y = mica_matmul(x, weight, NULL);
    if (!options->no_bias) {
        mica_value *bias = mica_parameter(graph, "bias", MICA_SHAPE(units), (mica_init){0});
        mica_parameter_freeze(bias, options->frozen);
        y = mica_bias_add(y, bias);
    }
    y = mica_activate(y, options->activation);
    mica_graph_set_scope(graph, NULL);
    return y;
}
