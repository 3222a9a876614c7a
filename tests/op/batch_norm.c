/* Cases of batch normalization. Its running statistics have tests/graph/batch_norm.c. */
#include "tests/op/harness.h"

#include <math.h>
#include <stdlib.h>

/* What the running statistics start with where the case does not give them. */
#define MEAN     0.3f
#define VARIANCE 1.7f

typedef struct batch_norm {
    mica_batch_norm_options options;
    bool relu;
} batch_norm;

/* Inputs: x, gamma, beta and, for cases with statistics of their own, mean and variance. */
static mica_value *build_batch_norm(
    mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    const batch_norm *attrs = c->attrs;
    mica_shape shape = mica_value_shape(in[1]);
    mica_value *mean = c->n_in > 3 ? in[3]
                                   : mica_parameter(graph, "mean", shape,
                                         (mica_init){MICA_INIT_CONSTANT, .value = MEAN});
    mica_value *variance = c->n_in > 3 ? in[4]
                                       : mica_parameter(graph, "variance", shape,
                                             (mica_init){MICA_INIT_CONSTANT, .value = VARIANCE});
    mica_value *y =
        mica_batch_norm(in[0], in[1], in[2], mean, variance, attrs ? &attrs->options : NULL);
    return attrs && attrs->relu ? mica_relu(y) : y;
}

/* Of one channel. */
typedef struct channel {
    double mean, inverse, gamma, beta;
    bool of_batch;
} channel;

static channel channel_of(const mica_op_case *c, const mica_ref *in, int64_t k) {
    const batch_norm *attrs = c->attrs;
    const double epsilon =
        attrs && attrs->options.epsilon > 0 ? (double)attrs->options.epsilon : (double)1e-5f;
    const int64_t channels = in[1].count, rows = in[0].count / channels;
    double mean = c->n_in > 3 ? in[3].data[k] : (double)MEAN;
    double variance = c->n_in > 3 ? in[4].data[k] : (double)VARIANCE;
    bool of_batch = c->training && !(attrs && attrs->options.frozen);
    if (of_batch) {
        mean = variance = 0;
        for (int64_t i = 0; i < rows; i++)
            mean += in[0].data[i * channels + k] / (double)rows;
        for (int64_t i = 0; i < rows; i++) {
            double d = in[0].data[i * channels + k] - mean;
            variance += d * d / (double)rows;
        }
    }
    return (channel){mean, 1 / sqrt(variance + epsilon), in[1].data[k], in[2].data[k], of_batch};
}

static void reference_batch_norm(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const batch_norm *attrs = c->attrs;
    const int64_t channels = in[1].count;
    for (int64_t k = 0; k < channels; k++) {
        channel ch = channel_of(c, in, k);
        for (int64_t i = k; i < out->count; i += channels) {
            double y = (in[0].data[i] - ch.mean) * ch.inverse * ch.gamma + ch.beta;
            out->data[i] = attrs && attrs->relu && y < 0 ? 0 : y;
        }
    }
}

/* The derivative of ((x - m) * inverse) in x, m and inverse each by themselves, put together. */
static void gradient_batch_norm(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    const batch_norm *attrs = c->attrs;
    const int64_t channels = in[1].count, n = in[0].count / channels;
    for (int64_t k = 0; k < channels; k++) {
        channel ch = channel_of(c, in, k);
        double dmean = 0, dvariance = 0;
        for (int64_t i = k; i < dout->count; i += channels) {
            double d = in[0].data[i] - ch.mean, normal = d * ch.inverse;
            bool off = attrs && attrs->relu && normal * ch.gamma + ch.beta <= 0;
            double g = off ? 0 : dout->data[i];
            if (din[1].data)
                din[1].data[k] += g * normal;
            if (din[2].data)
                din[2].data[k] += g;
            din[0].data[i] = g * ch.gamma * ch.inverse;
            dmean -= g * ch.gamma * ch.inverse;
            dvariance -= g * ch.gamma * d * pow(ch.inverse, 3) / 2;
        }
        for (int64_t i = k; ch.of_batch && i < dout->count; i += channels)
            din[0].data[i] +=
                dmean / (double)n + dvariance * 2 * (in[0].data[i] - ch.mean) / (double)n;
    }
}

/* batch_norm(x) * x: a tensor used twice. */
static mica_value *build_twice(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    return mica_mul(build_batch_norm(graph, in, c), in[0]);
}

static void reference_twice(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    reference_batch_norm(c, in, out);
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] *= in[0].data[i];
}

static void gradient_twice(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    mica_ref scaled = *dout;
    scaled.data = calloc((size_t)dout->count, sizeof(double));
    for (int64_t i = 0; scaled.data && i < dout->count; i++)
        scaled.data[i] = dout->data[i] * in[0].data[i];
    if (scaled.data)
        gradient_batch_norm(c, in, &scaled, din);
    for (int64_t i = 0; i < dout->count; i++) {
        channel ch = channel_of(c, in, i % in[1].count);
        double y = (in[0].data[i] - ch.mean) * ch.inverse * ch.gamma + ch.beta;
        din[0].data[i] += dout->data[i] * y;
    }
    free(scaled.data);
}

#define FROZEN                                                                                     \
    &(const batch_norm) {                                                                          \
        .options.frozen = true                                                                     \
    }
#define RELU                                                                                       \
    &(const batch_norm) {                                                                          \
        .relu = true                                                                               \
    }
#define LOOSE                                                                                      \
    &(const batch_norm) {                                                                          \
        .options.epsilon = 0.5f                                                                    \
    }
#define VECTOR(c, from, to)                                                                        \
    { .shape = {1, {c}}, .low = from, .high = to }
#define X(c, from, to, ...)                                                                        \
    .n_in = 3, .out = {__VA_ARGS__},                                                               \
    .in = {{.shape = {__VA_ARGS__}, .low = from, .high = to}, VECTOR(c, 0.5, 2), VECTOR(c, -1, 1)}
#define STATISTICS(c, from, to, ...)                                                               \
    .n_in = 5, .out = {__VA_ARGS__},                                                               \
    .in = {{.shape = {__VA_ARGS__}, .low = from, .high = to}, VECTOR(c, 0.5, 2), VECTOR(c, -1, 1), \
        {.shape = {1, {c}}, .fixed = true},                                                        \
        {.shape = {1, {c}}, .low = 0.3, .high = 2, .fixed = true}}
#define SIZES(text, c, ...)                                                                        \
    {.name = text, X(c, -2, 2, __VA_ARGS__)}, {                                                    \
        .name = text " training", X(c, -2, 2, __VA_ARGS__), .training = true                       \
    }
#define REFUSED(...) .refused = MICA_E_INVALID, .words = {"batch_norm", __VA_ARGS__}

static const mica_op_case cases[] = {
    {.name = "2x1", X(1, -2, 2, 2, {2, 1})},
    {.name = "2x1 training", X(1, -2, 2, 2, {2, 1}), .training = true, .gradient_scale = 1},
    SIZES("5x3", 3, 2, {5, 3}),
    SIZES("32x32", 32, 2, {32, 32}),
    SIZES("33x31", 31, 2, {33, 31}),
    SIZES("31x33", 33, 2, {31, 33}),
    SIZES("7x130", 130, 2, {7, 130}),
    SIZES("300x17", 17, 2, {300, 17}),
    SIZES("2x3x5x6", 6, 4, {2, 3, 5, 6}),
    SIZES("4x9x7x64", 64, 4, {4, 9, 7, 64}),
    SIZES("20000x3", 3, 2, {20000, 3}),
    SIZES("8x32x32x32", 32, 4, {8, 32, 32, 32}),
    SIZES("8x4x4x512", 512, 4, {8, 4, 4, 512}),
    {.name = "one row training", X(5, -2, 2, 2, {1, 5}), .training = true, .gradient_scale = 1},
    {.name = "equal rows training",
        X(5, 0.999999, 1, 2, {9, 5}),
        .attrs = LOOSE,
        .training = true,
        .scale = 1,
        .gradient_scale = 1},
    {.name = "far from 0 training",
        X(19, 999, 1001, 3, {40, 9, 19}),
        .training = true,
        .tolerance = 2e-4,
        .gradient_tolerance = 5e-4},
    {.name = "large epsilon", X(9, -2, 2, 2, {21, 9}), .attrs = LOOSE},
    {.name = "large epsilon training", X(9, -2, 2, 2, {21, 9}), .attrs = LOOSE, .training = true},
    {.name = "frozen", STATISTICS(17, -2, 2, 3, {3, 11, 17}), .attrs = FROZEN},
    {.name = "frozen training",
        STATISTICS(35, -2, 2, 2, {33, 35}),
        .attrs = FROZEN,
        .training = true},
    {.name = "before relu", X(20, -2, 2, 3, {3, 11, 20}), .attrs = RELU},
    {.name = "before relu training", X(37, -2, 2, 3, {3, 11, 37}), .attrs = RELU, .training = true},
    {.name = "used twice training",
        X(9, 1, 2, 2, {33, 9}),
        .training = true,
        .build = build_twice,
        .reference = reference_twice,
        .gradient = gradient_twice},
    {.name = "NaN training",
        .n_in = 3,
        .out = {2, {9, 5}},
        .training = true,
        .no_gradient = true,
        .in = {{.shape = {2, {9, 5}}, .fill = MICA_FILL_NAN}, VECTOR(5, 0.5, 2), VECTOR(5, -1, 1)}},
    {.name = "of a vector", X(5, -1, 1, 1, {5}), REFUSED("in0", "(5)")},
    {.name = "of int32",
        .n_in = 3,
        REFUSED("float32", "in0"),
        .in = {{.shape = {2, {3, 5}}, .dtype = MICA_I32}, VECTOR(5, 0, 1), VECTOR(5, 0, 1)}},
    {.name = "gamma too long",
        .n_in = 3,
        REFUSED("gamma", "(6)", "(3, 5)"),
        .in = {{.shape = {2, {3, 5}}}, VECTOR(6, 0, 1), VECTOR(5, 0, 1)}},
    {.name = "beta of rank 2",
        .n_in = 3,
        REFUSED("beta", "(1, 5)"),
        .in = {{.shape = {2, {3, 5}}}, VECTOR(5, 0, 1), {.shape = {2, {1, 5}}}}},
    {.name = "negative epsilon",
        X(5, -1, 1, 2, {3, 5}),
        REFUSED("epsilon", "-1"),
        .attrs = &(const batch_norm){.options.epsilon = -1}},
    {.name = "momentum above 1",
        X(5, -1, 1, 2, {3, 5}),
        .refused = MICA_E_INVALID,
        .words = {"mean", "momentum", "1.5"},
        .attrs = &(const batch_norm){.options.momentum = 1.5f}},
    {.name = "statistics that are no parameters",
        STATISTICS(5, -1, 1, 2, {3, 5}),
        .refused = MICA_E_INVALID,
        .words = {"in3", "parameter"}},
};

const mica_op_suite mica_suite_batch_norm = {.name = "batch_norm",
    MICA_CASES(cases),
    .build = build_batch_norm,
    .reference = reference_batch_norm,
    .gradient = gradient_batch_norm};
