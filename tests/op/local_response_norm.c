/* Cases of local response normalization. */
#include "tests/golden/norm.h"
#include "tests/op/harness.h"

#include <math.h>

static mica_value *build_lrn(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    return mica_local_response_norm(in[0], c->attrs);
}

static mica_lrn_options options_of(const mica_op_case *c) {
    return c->attrs ? *(const mica_lrn_options *)c->attrs : (mica_lrn_options){5, 1, 1, 0.5f};
}

/* Element i of x, whose row begins at `row`. */
static double norm_at(const mica_op_case *c, const mica_ref *x, int64_t row, int64_t i) {
    const mica_lrn_options o = options_of(c);
    const int64_t size = x->shape.dim[x->shape.rank - 1];
    double sum = 0;
    for (int64_t k = 0; k < size; k++)
        if (k - i <= o.radius && i - k <= o.radius)
            sum += x->data[row + k] * x->data[row + k];
    return (double)o.bias + (double)o.alpha * sum;
}

static void reference_lrn(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const mica_lrn_options o = options_of(c);
    const int64_t size = in->shape.dim[in->shape.rank - 1];
    for (int64_t i = 0; i < in->count; i++)
        out->data[i] =
            in->data[i] * pow(norm_at(c, in, i / size * size, i % size), -(double)o.beta);
}

/* Each output's derivative in each input of its window. */
static void gradient_lrn(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    const mica_lrn_options o = options_of(c);
    const int64_t size = in->shape.dim[in->shape.rank - 1];
    for (int64_t i = 0; i < in->count; i++) {
        const int64_t row = i / size * size;
        double n = norm_at(c, in, row, i % size), g = dout->data[i] * pow(n, -(double)o.beta);
        din->data[i] += g;
        for (int64_t k = row; k < row + size; k++)
            if (k - i <= o.radius && i - k <= o.radius)
                din->data[k] -=
                    2 * (double)o.alpha * (double)o.beta * g / n * in->data[i] * in->data[k];
    }
}

static void reference_golden(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c, (void)in;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = golden_norm_lrn_y[i];
}

/* lrn(x) * x: a tensor used twice. */
static mica_value *build_twice(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    return mica_mul(build_lrn(graph, in, c), in[0]);
}

static void reference_twice(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    reference_lrn(c, in, out);
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] *= in->data[i];
}

/* Of x_i^2 n_i^-beta. */
static void gradient_twice(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    const mica_lrn_options o = options_of(c);
    const int64_t size = in->shape.dim[in->shape.rank - 1];
    for (int64_t i = 0; i < in->count; i++) {
        const int64_t row = i / size * size;
        double n = norm_at(c, in, row, i % size), g = dout->data[i] * pow(n, -(double)o.beta);
        din->data[i] += 2 * g * in->data[i];
        for (int64_t k = row; k < row + size; k++)
            if (k - i <= o.radius && i - k <= o.radius)
                din->data[k] -= 2 * (double)o.alpha * (double)o.beta * g / n * in->data[i] *
                                in->data[i] * in->data[k];
    }
}

#define X(...)                                                                                     \
    .n_in = 1, .out = {__VA_ARGS__}, .in = {{.shape = {__VA_ARGS__}, .low = -2, .high = 2}}
#define OPTIONS(radius, bias, alpha, beta)                                                         \
    .attrs = &(const mica_lrn_options) {                                                           \
        radius, bias, alpha, beta                                                                  \
    }
#define REFUSED(...) .refused = MICA_E_INVALID, .words = {"local_response_norm", __VA_ARGS__}

static const mica_op_case cases[] = {
    {.name = "1", X(1, {1})},
    {.name = "5x3", X(2, {5, 3})},
    {.name = "3x16", X(2, {3, 16})},
    {.name = "31x31", X(2, {31, 31})},
    {.name = "32x32", X(2, {32, 32})},
    {.name = "33x33", X(2, {33, 33})},
    {.name = "2x3x5x9", X(4, {2, 3, 5, 9})},
    {.name = "7x130", X(2, {7, 130})},
    {.name = "3x1025", X(2, {3, 1025})},
    {.name = "2x27x27x96 of AlexNet", X(4, {2, 27, 27, 96}), OPTIONS(2, 2, 1e-4f, 0.75f)},
    {.name = "radius 0", X(2, {9, 17}), OPTIONS(0, 1, 0.5f, 0.75f)},
    {.name = "radius above the size", X(2, {9, 17}), OPTIONS(INT64_MAX, 1, 0.1f, 0.75f)},
    {.name = "radius 20", X(2, {9, 70}), OPTIONS(20, 1.5f, 0.1f, 1)},
    {.name = "alpha 0", X(2, {9, 5}), OPTIONS(1, 2, 0, 0.75f)},
    {.name = "beta 0", X(2, {9, 5}), OPTIONS(1, 2, 1, 0)},
    {.name = "by PyTorch",
        .n_in = 1,
        .in = {{.shape = {4, {2, 2, 3, 5}}, .values = golden_norm_x}},
        .out = {4, {2, 2, 3, 5}},
        OPTIONS(2, 1.5f, 0.3f, 0.75f),
        .reference = reference_golden},
    {.name = "used twice",
        X(2, {11, 20}),
        .build = build_twice,
        .reference = reference_twice,
        .gradient = gradient_twice},
    {.name = "NaN",
        .n_in = 1,
        .out = {2, {19, 40}},
        .no_gradient = true,
        .in = {{.shape = {2, {19, 40}}, .fill = MICA_FILL_NAN}}},
    {.name = "of a scalar", .n_in = 1, .in = {{.shape = {0}}}, REFUSED("in0", "()")},
    {.name = "of int32",
        .n_in = 1,
        .in = {{.shape = {2, {3, 5}}, .dtype = MICA_I32}},
        REFUSED("float32", "in0")},
    {.name = "negative radius", X(2, {3, 5}), OPTIONS(-1, 1, 1, 1), REFUSED("radius", "-1")},
    {.name = "infinite alpha", X(2, {3, 5}), OPTIONS(1, 1, INFINITY, 1), REFUSED("alpha", "inf")},
};

const mica_op_suite mica_suite_local_response_norm = {.name = "local_response_norm",
    MICA_CASES(cases),
    .build = build_lrn,
    .reference = reference_lrn,
    .gradient = gradient_lrn};
