/* Cases of layer normalization. */
#include "tests/op/harness.h"

#include <math.h>

static mica_value *build_layer_norm(
    mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    const float *epsilon = c->attrs;
    return mica_layer_norm(in[0], in[1], in[2], epsilon ? *epsilon : 0);
}

/* The mean of a row and one over its deviation. */
static void row_of(
    const mica_op_case *c, const double *x, int64_t size, double *mean, double *inverse) {
    const float *epsilon = c->attrs;
    double variance = 0;
    *mean = 0;
    for (int64_t i = 0; i < size; i++)
        *mean += x[i] / (double)size;
    for (int64_t i = 0; i < size; i++)
        variance += (x[i] - *mean) * (x[i] - *mean) / (double)size;
    *inverse = 1 / sqrt(variance + (double)(epsilon ? *epsilon : 1e-5f));
}

static void reference_layer_norm(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const int64_t size = in[1].count;
    for (int64_t at = 0; at < out->count; at += size) {
        double mean, inverse;
        row_of(c, in[0].data + at, size, &mean, &inverse);
        for (int64_t i = 0; i < size; i++)
            out->data[at + i] =
                (in[0].data[at + i] - mean) * inverse * in[1].data[i] + in[2].data[i];
    }
}

/* The derivative of (x - m) * inverse in x, m and inverse each by themselves, put together. */
static void gradient_layer_norm(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    const int64_t size = in[1].count;
    for (int64_t at = 0; at < dout->count; at += size) {
        double mean, inverse, dmean = 0, dvariance = 0;
        row_of(c, in[0].data + at, size, &mean, &inverse);
        for (int64_t i = 0; i < size; i++) {
            double d = in[0].data[at + i] - mean, g = dout->data[at + i];
            din[1].data[i] += g * d * inverse;
            din[2].data[i] += g;
            dmean -= g * in[1].data[i] * inverse;
            dvariance -= g * in[1].data[i] * d * pow(inverse, 3) / 2;
        }
        for (int64_t i = 0; i < size; i++)
            din[0].data[at + i] = dout->data[at + i] * in[1].data[i] * inverse +
                                  dmean / (double)size +
                                  dvariance * 2 * (in[0].data[at + i] - mean) / (double)size;
    }
}

/* layer_norm(x) + x: a tensor used twice. */
static mica_value *build_twice(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    return mica_add(build_layer_norm(graph, in, c), in[0]);
}

static void reference_twice(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    reference_layer_norm(c, in, out);
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] += in[0].data[i];
}

static void gradient_twice(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    gradient_layer_norm(c, in, dout, din);
    for (int64_t i = 0; i < dout->count; i++)
        din[0].data[i] += dout->data[i];
}

static const float half = 0.5f, negative = -1;

#define VECTOR(c, from, to)                                                                        \
    { .shape = {1, {c}}, .low = from, .high = to }
#define X(c, from, to, ...)                                                                        \
    .n_in = 3, .out = {__VA_ARGS__},                                                               \
    .in = {{.shape = {__VA_ARGS__}, .low = from, .high = to}, VECTOR(c, 0.5, 2), VECTOR(c, -1, 1)}
#define REFUSED(...) .refused = MICA_E_INVALID, .words = {"layer_norm", __VA_ARGS__}

static const mica_op_case cases[] = {
    {.name = "7", X(7, -2, 2, 1, {7})},
    {.name = "5x1", X(1, -2, 2, 2, {5, 1}), .gradient_scale = 1},
    {.name = "5x3", X(3, -2, 2, 2, {5, 3})},
    {.name = "1x16", X(16, -2, 2, 2, {1, 16})},
    {.name = "31x31", X(31, -2, 2, 2, {31, 31})},
    {.name = "32x32", X(32, -2, 2, 2, {32, 32})},
    {.name = "33x33", X(33, -2, 2, 2, {33, 33})},
    {.name = "2x3x5x9", X(9, -2, 2, 4, {2, 3, 5, 9})},
    {.name = "129x130", X(130, -2, 2, 2, {129, 130})},
    {.name = "3x1025", X(1025, -2, 2, 2, {3, 1025})},
    {.name = "1x20000", X(20000, -2, 2, 2, {1, 20000})},
    {.name = "3000x10", X(10, -2, 2, 2, {3000, 10})},
    {.name = "64x128x96", X(96, -2, 2, 3, {64, 128, 96})},
    {.name = "large epsilon", X(9, -2, 2, 2, {21, 9}), .attrs = &half},
    {.name = "equal elements",
        X(9, 0.999999, 1, 2, {21, 9}),
        .attrs = &half,
        .scale = 1,
        .gradient_scale = 1},
    {.name = "far from 0",
        X(100, 999, 1001, 2, {21, 100}),
        .tolerance = 2e-4,
        .gradient_tolerance = 5e-4},
    {.name = "used twice",
        X(20, -2, 2, 2, {33, 20}),
        .build = build_twice,
        .reference = reference_twice,
        .gradient = gradient_twice},
    {.name = "NaN",
        .n_in = 3,
        .out = {2, {19, 5}},
        .no_gradient = true,
        .in = {{.shape = {2, {19, 5}}, .fill = MICA_FILL_NAN}, VECTOR(5, 0.5, 2),
            VECTOR(5, -1, 1)}},
    {.name = "of a scalar",
        .n_in = 3,
        REFUSED("in0", "()"),
        .in = {{.shape = {0}}, VECTOR(1, 0, 1), VECTOR(1, 0, 1)}},
    {.name = "of int32",
        .n_in = 3,
        REFUSED("float32", "in0"),
        .in = {{.shape = {2, {3, 5}}, .dtype = MICA_I32}, VECTOR(5, 0, 1), VECTOR(5, 0, 1)}},
    {.name = "gamma too short",
        .n_in = 3,
        REFUSED("gamma", "(4)", "(3, 5)"),
        .in = {{.shape = {2, {3, 5}}}, VECTOR(4, 0, 1), VECTOR(5, 0, 1)}},
    {.name = "beta of rank 2",
        .n_in = 3,
        REFUSED("beta", "(1, 5)"),
        .in = {{.shape = {2, {3, 5}}}, VECTOR(5, 0, 1), {.shape = {2, {1, 5}}}}},
    {.name = "negative epsilon",
        X(5, -1, 1, 2, {3, 5}),
        REFUSED("epsilon", "-1"),
        .attrs = &negative},
};

const mica_op_suite mica_suite_layer_norm = {.name = "layer_norm",
    MICA_CASES(cases),
    .build = build_layer_norm,
    .reference = reference_layer_norm,
    .gradient = gradient_layer_norm};
