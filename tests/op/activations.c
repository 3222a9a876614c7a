/* Cases of the elementwise functions that networks use as activations, and of bounds and powers:
 * each over its range, at its kinks and at the ends of float32; activations behind a matrix
 * product, which computes them itself. */
#include "tests/op/harness.h"

#include <math.h>
#include <mica/nn.h>

typedef struct function {
    mica_value *(*build)(mica_value *a);
    double (*value)(double a);
    double (*slope)(double a); /* where kinks are tried */
} function;

static mica_value *build(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    return ((const function *)c->attrs)->build(in[0]);
}

static void reference(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const function *f = c->attrs;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = f->value(in->data[i]);
}

static void gradient(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    const function *f = c->attrs;
    for (int64_t i = 0; i < in->count; i++)
        din->data[i] = dout->data[i] * f->slope(in->data[i]);
}

/* ---- the functions ---- */

static double abs_slope(double a) {
    return a < 0 ? -1 : a > 0;
}

static mica_value *build_pow3(mica_value *a) {
    return mica_pow(a, 3);
}

/* What float32 makes of results beyond its range. */
static double pow3(double a) {
    return fabs(a) > 6e12 ? copysign(INFINITY, a) : a * a * a;
}

static double pow3_slope(double a) {
    return 3 * a * a;
}

static mica_value *build_pow_low(mica_value *a) {
    return mica_pow(a, -0.75f);
}

static double pow_low(double a) {
    return pow(a, -0.75);
}

static mica_value *build_pow_high(mica_value *a) {
    return mica_pow(a, 7.3f);
}

static double pow_high(double a) {
    return pow(a, (double)7.3f);
}

static mica_value *build_pow2(mica_value *a) {
    return mica_pow(a, 2);
}

static double pow2(double a) {
    return a * a;
}

static mica_value *build_pow_half(mica_value *a) {
    return mica_pow(a, 0.5f);
}

static mica_value *build_pow1(mica_value *a) {
    return mica_pow(a, 1);
}

static double pow1(double a) {
    return a;
}

static mica_value *build_pow0(mica_value *a) {
    return mica_pow(a, 0);
}

static double pow0(double a) {
    (void)a;
    return 1;
}

static double pow0_slope(double a) {
    (void)a;
    return 0;
}

static mica_value *build_clip(mica_value *a) {
    return mica_clip(a, -0.5f, 2);
}

static double clip(double a) {
    return a < -0.5 ? -0.5 : a > 2 ? 2 : a;
}

static double clip_slope(double a) {
    return a >= -0.5 && a <= 2;
}

static double hard_tanh(double a) {
    return a < -1 ? -1 : a > 1 ? 1 : a;
}

static double hard_tanh_slope(double a) {
    return a >= -1 && a <= 1;
}

#define LEAK ((double)0.01f)

static mica_value *build_leaky_relu(mica_value *a) {
    return mica_leaky_relu(a, 0.01f);
}

static double leaky_relu(double a) {
    return a < 0 ? a * LEAK : a;
}

static double leaky_relu_slope(double a) {
    return a > 0 ? 1 : LEAK;
}

static mica_value *build_folded_relu(mica_value *a) {
    return mica_leaky_relu(a, -0.25f);
}

static double folded_relu(double a) {
    return a < 0 ? a * -0.25 : a;
}

static mica_value *build_elu(mica_value *a) {
    return mica_elu(a, 1.5f);
}

static double elu(double a) {
    return a < 0 ? 1.5 * expm1(a) : a;
}

static double elu_slope(double a) {
    return a <= 0 ? 1.5 * exp(a) : 1;
}

static double gelu(double a) {
    return a * 0.5 * erfc(a * -0.70710678118654752);
}

static double silu(double a) {
    return a / (1 + exp(-a));
}

static double softplus(double a) {
    return (a > 0 ? a : 0) + log1p(exp(-fabs(a)));
}

static double ramp(double a) {
    return a < 0 ? 0 : a > 1 ? 1 : a;
}

static mica_value *build_hard_sigmoid(mica_value *a) {
    return mica_hard_sigmoid(a, 1.0f / 6, 0.5f);
}

static double hard_sigmoid(double a) {
    return ramp((double)(1.0f / 6) * a + 0.5);
}

static double hard_sigmoid_slope(double a) {
    return a > -3 && a < 3 ? (double)(1.0f / 6) : 0;
}

static mica_value *build_ramp(mica_value *a) {
    return mica_hard_sigmoid(a, -0.75f, 0.25f);
}

static double falling_ramp(double a) {
    return ramp(-0.75 * a + 0.25);
}

static double hard_swish(double a) {
    return a <= -3 ? 0 : a >= 3 ? a : a * (a + 3) / 6;
}

static double hard_swish_slope(double a) {
    return a <= -3 ? 0 : a >= 3 ? 1 : a / 3 + 0.5;
}

static const function f_abs = {mica_abs, fabs, abs_slope}, f_pow3 = {build_pow3, pow3, pow3_slope},
                      f_pow_low = {build_pow_low, pow_low, NULL},
                      f_pow_high = {build_pow_high, pow_high, NULL},
                      f_pow2 = {build_pow2, pow2, NULL}, f_pow_half = {build_pow_half, sqrt, NULL},
                      f_pow1 = {build_pow1, pow1, NULL}, f_pow0 = {build_pow0, pow0, pow0_slope},
                      f_clip = {build_clip, clip, clip_slope},
                      f_hard_tanh = {mica_hard_tanh, hard_tanh, hard_tanh_slope},
                      f_leaky_relu = {build_leaky_relu, leaky_relu, leaky_relu_slope},
                      f_folded_relu = {build_folded_relu, folded_relu, NULL},
                      f_elu = {build_elu, elu, elu_slope}, f_gelu = {mica_gelu, gelu, NULL},
                      f_erf = {mica_erf, erf, NULL}, f_silu = {mica_silu, silu, NULL},
                      f_softplus = {mica_softplus, softplus, NULL},
                      f_hard_sigmoid = {build_hard_sigmoid, hard_sigmoid, hard_sigmoid_slope},
                      f_ramp = {build_ramp, falling_ramp, NULL},
                      f_hard_swish = {mica_hard_swish, hard_swish, hard_swish_slope};

#define S(...) __VA_ARGS__
#define CASE(f, text, shape_, ...)                                                                 \
    .name = #f " " text, .n_in = 1, .attrs = &f_##f, .build = build, .reference = reference,       \
    .in = {{.shape = shape_, __VA_ARGS__}}, .out = shape_
/* `error` is relative to each number. */
#define RANGE(f, error, ...)                                                                       \
    {CASE(f, "1", S({1, {1}}), __VA_ARGS__), .scale = 1e-30, .tolerance = error},                  \
        {CASE(f, "33x31", S({2, {33, 31}}), __VA_ARGS__), .scale = 1e-30, .tolerance = error,      \
            .gradient_scale = 0.1},                                                                \
    {                                                                                              \
        CASE(f, "100003", S({1, {100003}}), __VA_ARGS__), .scale = 1e-30, .tolerance = error,      \
                                                          .gradient_scale = 0.1, .probes = 8       \
    }
#define SPECIAL(f)                                                                                 \
    {                                                                                              \
        CASE(f, "special numbers", S({1, {10}}), .values = special),                               \
            .scale = 1e-30, .tolerance = 2e-6, .no_gradient = true, .alone = true                  \
    }
#define KINKS(f, ...)                                                                              \
    {                                                                                              \
        CASE(f, "kinks", S({1, {6}}), .values = (const double[]){__VA_ARGS__}),                    \
            .gradient = gradient, .tolerance = 1e-6, .gradient_tolerance = 1e-6                    \
    }

static const double special[] = {0, -0.0, 1e-30, -1e-30, INFINITY, -INFINITY, NAN, 100, -100, 3e38};
static const double powers[] = {0, -0.0, 1e-30, 7, INFINITY, 1e20, NAN, 1e38, 1.5e-38, 0.99999994};

/* ---- functions of two operands ---- */

static mica_value *build_bounds(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_minimum(mica_maximum(in[0], in[1]), in[2]);
}

static void reference_bounds(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < out->count; i++) {
        const double a = in[0].data[i], low = in[1].data[i % in[1].count],
                     high = in[2].data[i % in[2].count];
        const double most = isnan(a) || isnan(low) ? NAN : a < low ? low : a;
        out->data[i] = isnan(most) || isnan(high) ? NAN : high < most ? high : most;
    }
}

/* Of equals the slope is the first's. */
static void gradient_bounds(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    (void)c;
    for (int64_t i = 0; i < dout->count; i++) {
        const int64_t l = i % in[1].count, h = i % in[2].count;
        const double a = in[0].data[i], most = a < in[1].data[l] ? in[1].data[l] : a;
        if (in[2].data[h] < most)
            din[2].data[h] += dout->data[i];
        else if (a < in[1].data[l])
            din[1].data[l] += dout->data[i];
        else
            din[0].data[i] += dout->data[i];
    }
}

#define BOUNDS(text, shape_, low_shape, high_shape, ...)                                           \
    {                                                                                              \
        .name = "bounds " text, .n_in = 3, .build = build_bounds, .reference = reference_bounds,   \
        .gradient = gradient_bounds, .out = shape_, .tolerance = -1, .gradient_tolerance = 1e-6,   \
        .in = {                                                                                    \
            {.shape = shape_, __VA_ARGS__},                                                        \
            {.shape = low_shape, __VA_ARGS__},                                                     \
            {.shape = high_shape, __VA_ARGS__}                                                     \
        }                                                                                          \
    }

/* ---- behind a matrix product ---- */

typedef struct layer {
    mica_activation activation;
    double (*value)(double a);
} layer;

static mica_value *build_layer(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    return mica_activate(mica_bias_add(mica_matmul(in[0], in[1], NULL), in[2]),
        ((const layer *)c->attrs)->activation);
}

static void reference_layer(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const int64_t inner = in[0].shape.dim[1], units = out->shape.dim[1];
    for (int64_t i = 0; i < out->count; i++) {
        double sum = in[2].data[i % units];
        for (int64_t k = 0; k < inner; k++)
            sum += in[0].data[i / units * inner + k] * in[1].data[k * units + i % units];
        out->data[i] = ((const layer *)c->attrs)->value(sum);
    }
}

static double elu1(double a) {
    return a < 0 ? expm1(a) : a;
}

static double sigmoid(double a) {
    return 1 / (1 + exp(-a));
}

static const layer linear = {MICA_LINEAR, pow1}, l_sigmoid = {MICA_SIGMOID, sigmoid},
                   l_leaky_relu = {MICA_LEAKY_RELU, leaky_relu}, l_elu = {MICA_ELU, elu1},
                   l_gelu = {MICA_GELU, gelu}, l_silu = {MICA_SILU, silu},
                   l_hard_sigmoid = {MICA_HARD_SIGMOID, hard_sigmoid},
                   l_hard_swish = {MICA_HARD_SWISH, hard_swish},
                   no_layer = {(mica_activation)99, NULL};

/* Few elements come so near to a kink that central differences of 1e-4 would see it. */
#define LAYER(l)                                                                                   \
    {                                                                                              \
        .name = #l " layer", .n_in = 3, .attrs = &l, .build = build_layer,                         \
        .reference = reference_layer, .out = {2, {9, 33}}, .gradient_tolerance = 1e-3, .in = {     \
            {.shape = {2, {9, 21}}},                                                               \
            {.shape = {2, {21, 33}}},                                                              \
            {.shape = {1, {33}}}                                                                   \
        }                                                                                          \
    }

static mica_value *build_wrong_clip(
    mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_clip(in[0], 2, 1);
}

static mica_value *build_wrong_elu(
    mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_elu(in[0], -1);
}

static const mica_op_case cases[] = {
    RANGE(abs, 6e-7, .fill = MICA_FILL_APART, .low = 0.01, .high = 3),
    RANGE(pow3, 6e-7, .fill = MICA_FILL_APART, .low = 0.1, .high = 3),
    RANGE(pow_low, 1e-6, .low = 0.1, .high = 9),
    RANGE(pow_high, 2e-6, .low = 0.5, .high = 3),
    RANGE(pow2, 6e-7, .low = -3, .high = 3),
    RANGE(pow_half, 6e-7, .low = 0.1, .high = 9),
    RANGE(pow1, 6e-7, .fill = MICA_FILL_APART, .low = 0.1, .high = 3),
    RANGE(clip, 6e-7, .fill = MICA_FILL_APART, .low = 2.01, .high = 9),
    RANGE(hard_tanh, 6e-7, .low = -0.99, .high = 0.99),
    RANGE(leaky_relu, 6e-7, .fill = MICA_FILL_APART, .low = 0.01, .high = 3),
    RANGE(folded_relu, 6e-7, .fill = MICA_FILL_APART, .low = 0.01, .high = 3),
    RANGE(elu, 1e-6, .fill = MICA_FILL_APART, .low = 0.01, .high = 6),
    RANGE(gelu, 3e-6, .low = -6, .high = 6),
    RANGE(erf, 3e-6, .low = -4, .high = 4),
    RANGE(silu, 1e-6, .low = -12, .high = 12),
    RANGE(softplus, 1e-6, .low = -20, .high = 20),
    RANGE(hard_sigmoid, 2e-6, .low = -2.9, .high = 9),
    RANGE(ramp, 2e-6, .low = -9, .high = 0.3),
    RANGE(hard_swish, 2e-6, .fill = MICA_FILL_APART, .low = 0.01, .high = 2.8),
    KINKS(abs, -1, -0.0, 0, 1e-30, -1e-30, 2),
    KINKS(pow3, -2, -0.0, 0, 1e-3, -1, 2),
    KINKS(pow0, -2, -0.0, 0, 1e-3, -1, 2),
    KINKS(clip, -0.5, 2, -0.50001, 2.00001, 0, 7),
    KINKS(hard_tanh, -1, 1, -1.00001, 1.00001, 0, 7),
    KINKS(leaky_relu, -1, -0.0, 0, 1e-30, -1e-30, 2),
    KINKS(elu, -1, -0.0, 0, 1e-30, -1e-30, 2),
    KINKS(hard_sigmoid, -3.0001, 3.0001, -2.9999, 2.9999, -100, 100),
    KINKS(hard_swish, -3, 3, -2.9999, 2.9999, -100, 100),
    SPECIAL(abs),
    SPECIAL(pow3),
    SPECIAL(clip),
    SPECIAL(hard_tanh),
    SPECIAL(leaky_relu),
    SPECIAL(elu),
    SPECIAL(gelu),
    SPECIAL(erf),
    SPECIAL(silu),
    SPECIAL(softplus),
    SPECIAL(hard_sigmoid),
    SPECIAL(hard_swish),
    {CASE(pow_low, "special numbers", S({1, {10}}), .values = powers), .scale = 1e-30,
        .tolerance = 2e-6, .no_gradient = true, .alone = true},
    {CASE(gelu, "far out", S({1, {4099}}), .low = -12, .high = 12), .scale = 1e-33,
        .tolerance = 2e-5, .no_gradient = true, .alone = true},
    {CASE(elu, "near 0", S({1, {4099}}), .low = -1e-3, .high = 0), .scale = 1e-30,
        .tolerance = 6e-7, .no_gradient = true},
    {CASE(clip, "NaN", S({2, {33, 7}}), .fill = MICA_FILL_NAN), .no_gradient = true},

    BOUNDS("33x16", S({2, {33, 16}}), S({2, {33, 16}}), S({2, {33, 16}}), .low = -1, .high = 1),
    BOUNDS("by rows", S({3, {5, 7, 9}}), S({1, {9}}), S({2, {7, 9}}), .low = -1, .high = 1),
    BOUNDS("by scalars", S({2, {31, 3}}), S({0}), S({0}), .low = -1, .high = 1),
    BOUNDS("with ties", S({2, {40, 9}}), S({2, {40, 9}}), S({2, {40, 9}}),
        .fill = MICA_FILL_INTEGER, .low = -2, .high = 2),
    {.name = "bounds NaN",
        .n_in = 3,
        .build = build_bounds,
        .reference = reference_bounds,
        .out = {2, {33, 7}},
        .tolerance = -1,
        .no_gradient = true,
        .in = {{.shape = {2, {33, 7}}, .fill = MICA_FILL_NAN},
            {.shape = {2, {33, 7}}, .fill = MICA_FILL_NAN},
            {.shape = {2, {33, 7}}, .fill = MICA_FILL_NAN}}},

    LAYER(linear),
    LAYER(l_sigmoid),
    LAYER(l_leaky_relu),
    LAYER(l_elu),
    LAYER(l_gelu),
    LAYER(l_silu),
    LAYER(l_hard_sigmoid),
    LAYER(l_hard_swish),

    {.name = "clip to nothing",
        .n_in = 1,
        .in = {{.shape = {1, {3}}}},
        .build = build_wrong_clip,
        .refused = MICA_E_INVALID,
        .words = {"clip", "2", "1"}},
    {.name = "elu with a negative alpha",
        .n_in = 1,
        .in = {{.shape = {1, {3}}}},
        .build = build_wrong_elu,
        .refused = MICA_E_INVALID,
        .words = {"elu", "alpha", "-1"}},
    {.name = "gelu of int32",
        .n_in = 1,
        .in = {{.shape = {1, {3}}, .dtype = MICA_I32}},
        .attrs = &f_gelu,
        .build = build,
        .refused = MICA_E_INVALID,
        .words = {"gelu", "in0", "float32"}},
    {.name = "an unknown activation",
        .n_in = 3,
        .attrs = &no_layer,
        .build = build_layer,
        .in = {{.shape = {2, {9, 21}}}, {.shape = {2, {21, 33}}}, {.shape = {1, {33}}}},
        .refused = MICA_E_INVALID,
        .words = {"99", "mica_activation"}},
};

const mica_op_suite mica_suite_activations = {.name = "activations", MICA_CASES(cases)};
