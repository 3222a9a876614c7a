/* Cases of the losses that are made of other operators. */
#include "tests/op/harness.h"

#include <math.h>

static mica_value *build_squared_error(
    mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_mean_squared_error(in[0], in[1]);
}

static void reference_squared_error(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < in[0].count; i++) {
        double d = in[0].data[i] - in[1].data[i % in[1].count];
        out->data[0] += d * d / (double)in[0].count;
    }
}

static void gradient_squared_error(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    (void)c;
    for (int64_t i = 0; i < in[0].count; i++) {
        int64_t k = i % in[1].count;
        double g = 2 * dout->data[0] * (in[0].data[i] - in[1].data[k]) / (double)in[0].count;
        din[0].data[i] += g;
        if (din[1].data)
            din[1].data[k] -= g;
    }
}

static mica_value *build_penalty(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    return mica_l2_penalty(in[0], *(const float *)c->attrs);
}

static void reference_penalty(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    for (int64_t i = 0; i < in->count; i++)
        out->data[0] += 0.5 * (double)*(const float *)c->attrs * in->data[i] * in->data[i];
}

static void gradient_penalty(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    for (int64_t i = 0; i < in->count; i++)
        din->data[i] = dout->data[0] * (double)*(const float *)c->attrs * in->data[i];
}

/* An error and a penalty of the same weights: a tensor used twice. */
static mica_value *build_both(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    return mica_add(build_squared_error(graph, in, c), build_penalty(graph, in, c));
}

static void reference_both(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    reference_squared_error(c, in, out);
    reference_penalty(c, in, out);
}

/* ---- mean absolute error ---- */

static mica_value *build_absolute_error(
    mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_mean_absolute_error(in[0], in[1]);
}

static void reference_absolute_error(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < in[0].count; i++)
        out->data[0] += fabs(in[0].data[i] - in[1].data[i % in[1].count]) / (double)in[0].count;
}

static void gradient_absolute_error(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    (void)c;
    for (int64_t i = 0; i < in[0].count; i++) {
        int64_t k = i % in[1].count;
        double d = in[0].data[i] - in[1].data[k];
        double g = dout->data[0] * (d < 0 ? -1 : d > 0) / (double)in[0].count;
        din[0].data[i] += g;
        if (din[1].data)
            din[1].data[k] -= g;
    }
}

/* ---- binary cross-entropy ---- */

static mica_value *build_cross_entropy(
    mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_binary_cross_entropy(in[0], in[1]);
}

static void reference_cross_entropy(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < out->count; i++) {
        double p = in[0].data[i], t = in[1].data[i];
        double yes = log(p), no = log1p(-p);
        out->data[i] = (yes < -100 ? 100 : -yes) * t + (no < -100 ? 100 : -no) * (1 - t);
    }
}

/* As PyTorch: finite where p is 0 or 1. */
static void gradient_cross_entropy(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    (void)c;
    for (int64_t i = 0; i < dout->count; i++) {
        double p = in[0].data[i], t = in[1].data[i];
        din[0].data[i] = dout->data[i] * (p - t) / fmax(p * (1 - p), 1e-12);
    }
}

static const double ends[] = {0, 0, 1, 1, 0.5, 1e-30, 0x1.fffffep-1, 0.25},
                    ends_targets[] = {0, 1, 0, 1, 0.5, 1, 0, 0.25};

/* ---- label smoothing and the divergence of normals ---- */

static mica_value *build_smooth(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    return mica_smooth_labels(in[0], *(const float *)c->attrs);
}

static void reference_smooth(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const double amount = (double)*(const float *)c->attrs;
    const double classes = (double)in->shape.dim[in->shape.rank - 1];
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = (1 - amount) * in->data[i] + amount / classes;
}

static mica_value *build_divergence(
    mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_kl_divergence(in[0], in[1]);
}

static void reference_divergence(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    const int64_t n = in[0].shape.dim[1];
    for (int64_t i = 0; i < in[0].count; i++) {
        double m = in[0].data[i], v = in[1].data[i];
        out->data[i / n] -= 0.5 * (1 + v - m * m - exp(v));
    }
}

static const float tenth = 0.1f, hundredth = 0.01f, too_much = 1.5f;

#define SQUARED_ERROR(text)                                                                        \
    .name = "mean_squared_error " text, .n_in = 2, .build = build_squared_error,                   \
    .reference = reference_squared_error, .gradient = gradient_squared_error, .tolerance = 1e-6,   \
    .gradient_tolerance = 1e-6
#define PENALTY(text)                                                                              \
    .name = "l2_penalty " text, .n_in = 1, .build = build_penalty, .reference = reference_penalty, \
    .gradient = gradient_penalty, .tolerance = 1e-6, .gradient_tolerance = 1e-6

#define ABSOLUTE_ERROR(text)                                                                       \
    .name = "mean_absolute_error " text, .n_in = 2, .build = build_absolute_error,                 \
    .reference = reference_absolute_error, .gradient = gradient_absolute_error, .tolerance = 1e-6, \
    .gradient_tolerance = 1e-6
#define S(...) __VA_ARGS__
#define CROSS_ENTROPY(text, shape_, low_, high_)                                                   \
    {                                                                                              \
        .name = "binary_cross_entropy " text, .n_in = 2, .build = build_cross_entropy,             \
        .reference = reference_cross_entropy,                                                      \
        .in = {{.shape = shape_, .low = low_, .high = high_},                                      \
            {.shape = shape_, .low = 0, .high = 1, .fixed = true}},                                \
        .out = shape_, .tolerance = 1e-6, .probes = 12                                             \
    }
#define SMOOTH(text, amount, ...)                                                                  \
    {                                                                                              \
        .name = "smooth_labels " text, .n_in = 1, .attrs = &amount, .build = build_smooth,         \
        .reference = reference_smooth,                                                             \
        .in = {{.shape = {__VA_ARGS__}, .fill = MICA_FILL_ONE_HOT}}, .out = {__VA_ARGS__},         \
        .scale = 1, .tolerance = 2e-7                                                              \
    }
#define DIVERGENCE(text, batch, n)                                                                 \
    {                                                                                              \
        .name = "kl_divergence " text, .n_in = 2, .build = build_divergence,                       \
        .reference = reference_divergence, .out = {1, {batch}},                                    \
        .in = {{.shape = {2, {batch, n}}, .low = -2, .high = 2},                                   \
            {.shape = {2, {batch, n}}, .low = -3, .high = 2}},                                     \
        .tolerance = 1e-6                                                                          \
    }

static const mica_op_case cases[] = {
    {ABSOLUTE_ERROR("of scalars"), .in = {{.shape = {0}}, {.shape = {0}}}},
    {ABSOLUTE_ERROR("31"), .in = {{.shape = {1, {31}}}, {.shape = {1, {31}}}}},
    {ABSOLUTE_ERROR("with ties"),
        .in = {{.shape = {2, {32, 33}}, .fill = MICA_FILL_INTEGER, .low = -2, .high = 2},
            {.shape = {2, {32, 33}}, .fill = MICA_FILL_INTEGER, .low = -2, .high = 2}}},
    {ABSOLUTE_ERROR("128x784, fixed targets"),
        .in = {{.shape = {2, {128, 784}}}, {.shape = {2, {128, 784}}, .fixed = true}}},
    {ABSOLUTE_ERROR("5 with 4"), .in = {{.shape = {1, {5}}}, {.shape = {1, {4}}}},
        .refused = MICA_E_INVALID, .words = {"(5)", "(4)"}},
    CROSS_ENTROPY("1", S({1, {1}}), 0.2, 0.8),
    CROSS_ENTROPY("31x33", S({2, {31, 33}}), 0.01, 0.99),
    CROSS_ENTROPY("small", S({2, {9, 7}}), 1e-3, 1e-2),
    CROSS_ENTROPY("40000", S({1, {40000}}), 0.1, 0.9),
    {.name = "binary_cross_entropy at the ends",
        .n_in = 2,
        .in = {{.shape = {1, {8}}, .values = ends},
            {.shape = {1, {8}}, .values = ends_targets, .fixed = true}},
        .out = {1, {8}},
        .build = build_cross_entropy,
        .reference = reference_cross_entropy,
        .gradient = gradient_cross_entropy,
        .tolerance = 1e-6,
        .gradient_tolerance = 1e-6},
    {.name = "binary_cross_entropy of different shapes",
        .n_in = 2,
        .in = {{.shape = {2, {3, 4}}}, {.shape = {1, {4}}}},
        .build = build_cross_entropy,
        .refused = MICA_E_INVALID,
        .words = {"binary_cross_entropy", "(3, 4)", "(4)"}},
    SMOOTH("33x10", tenth, 2, {33, 10}),
    SMOOTH("7", hundredth, 1, {7}),
    {.name = "smooth_labels of a scalar",
        .n_in = 1,
        .in = {{.shape = {0}}},
        .attrs = &tenth,
        .build = build_smooth,
        .refused = MICA_E_INVALID,
        .words = {"smooth_labels", "scalar"}},
    {.name = "smooth_labels by 1.5",
        .n_in = 1,
        .in = {{.shape = {2, {3, 4}}}},
        .attrs = &too_much,
        .build = build_smooth,
        .refused = MICA_E_INVALID,
        .words = {"smooth_labels", "1.5"}},
    DIVERGENCE("1x1", 1, 1),
    DIVERGENCE("33x20", 33, 20),
    DIVERGENCE("128x31", 128, 31),
    {.name = "kl_divergence of vectors",
        .n_in = 2,
        .in = {{.shape = {1, {4}}}, {.shape = {1, {4}}}},
        .build = build_divergence,
        .refused = MICA_E_INVALID,
        .words = {"kl_divergence", "(batch, n)", "(4)"}},
    {SQUARED_ERROR("of scalars"), .in = {{.shape = {0}}, {.shape = {0}}}},
    {SQUARED_ERROR("1"), .in = {{.shape = {1, {1}}}, {.shape = {1, {1}}}}},
    {SQUARED_ERROR("31"), .in = {{.shape = {1, {31}}}, {.shape = {1, {31}}}}},
    {SQUARED_ERROR("32x33"), .in = {{.shape = {2, {32, 33}}}, {.shape = {2, {32, 33}}}}},
    {SQUARED_ERROR("128x784, fixed targets"),
        .in = {{.shape = {2, {128, 784}}}, {.shape = {2, {128, 784}}, .fixed = true}}},
    {SQUARED_ERROR("rows with one row"), .in = {{.shape = {2, {9, 7}}}, {.shape = {1, {7}}}}},
    {SQUARED_ERROR("5 with 4"), .in = {{.shape = {1, {5}}}, {.shape = {1, {4}}}},
        .refused = MICA_E_INVALID, .words = {"(5)", "(4)"}},
    {PENALTY("a scalar"), .in = {{.shape = {0}}}, .attrs = &tenth},
    {PENALTY("1"), .in = {{.shape = {1, {1}}}}, .attrs = &tenth},
    {PENALTY("33"), .in = {{.shape = {1, {33}}}}, .attrs = &hundredth},
    {PENALTY("256x401"), .in = {{.shape = {2, {256, 401}}}}, .attrs = &hundredth},
    {.name = "both of one tensor",
        .n_in = 2,
        .in = {{.shape = {2, {13, 7}}}, {.shape = {2, {13, 7}}}},
        .attrs = &tenth,
        .build = build_both,
        .reference = reference_both},
};

const mica_op_suite mica_suite_losses = {.name = "losses", MICA_CASES(cases)};
