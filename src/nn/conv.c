/* The layers of convolutions: mica_conv2d and mica_conv2d_transpose with their parameters. */
#include "nn/layer.h"

#include "base/error.h"
#include "graph/graph_impl.h"

static int64_t or_one(int64_t number) {
    return number ? number : 1;
}

static mica_value *conv_layer(bool transpose, mica_value *x, const char *name, int64_t filters,
    const mica_conv2d_layer_options *options) {
    static const mica_conv2d_layer_options defaults;
    const char *layer = transpose ? "conv2d_transpose" : "conv2d";
    mica_graph *graph = mica_layer_begin(layer, name, x, 4, "(batch, height, width, depth)");
    if (!graph)
        return NULL;
    if (!options)
        options = &defaults;
    const mica_conv2d_options *conv = &options->conv;
    int64_t depth = mica_value_shape(x).dim[3], groups = or_one(conv->groups);
    int64_t height = options->kernel[0] ? options->kernel[0] : 3;
    int64_t width = options->kernel[1] ? options->kernel[1] : height;
    int64_t shared = transpose ? filters : depth; /* what the groups cut up */
    if (height < 1 || width < 1 || filters < 1 || groups < 1 || shared % groups)
        return mica_graph_failed(graph,
            mica_fail(MICA_E_INVALID,
                "%s %s: wanted a kernel and filters of at least 1 and %s that %lld groups divide, "
                "got a %lldx%lld kernel, %lld filters and depth %lld",
                layer, name, transpose ? "filters" : "a depth", (long long)groups,
                (long long)height, (long long)width, (long long)filters, (long long)depth));

    /* A result of the transpose is a sum over the windows that reach it. */
    int64_t reach = height * width, fan_in = reach * depth / groups, fan_out = reach * filters;
    if (transpose)
        fan_in /= or_one(conv->strides[1]) * or_one(conv->strides[2]);
    mica_graph_set_scope(graph, name);
    mica_shape shape = transpose ? MICA_SHAPE(height, width, filters / groups, depth)
                                 : MICA_SHAPE(height, width, depth / groups, filters);
    mica_value *weight = mica_layer_weight(graph, shape, options->init, options->activation,
        fan_in > 0 ? fan_in : 1, fan_out, options->frozen);
    mica_value *y =
        transpose ? mica_conv2d_transpose(x, weight, conv) : mica_conv2d(x, weight, conv);
    y = mica_layer_end(y, filters, options->no_bias, options->frozen, options->activation);
    mica_graph_set_scope(graph, NULL);
    return y;
}

mica_value *mica_conv2d_layer(
    mica_value *x, const char *name, int64_t filters, const mica_conv2d_layer_options *options) {
    return conv_layer(false, x, name, filters, options);
}

mica_value *mica_conv2d_transpose_layer(
    mica_value *x, const char *name, int64_t filters, const mica_conv2d_layer_options *options) {
    return conv_layer(true, x, name, filters, options);
}
