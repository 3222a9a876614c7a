/* Cases of softmax and log-softmax. */
#include "tests/op/harness.h"

#include <math.h>

/* One row, with the largest element taken out, as anybody would write it down. */
static void reference_row(const double *x, double *y, int64_t size, bool log_) {
    double top = -INFINITY, sum = 0;
    for (int64_t i = 0; i < size; i++)
        top = x[i] > top ? x[i] : top;
    for (int64_t i = 0; i < size; i++)
        sum += exp(x[i] - top);
    for (int64_t i = 0; i < size; i++)
        y[i] = log_ ? x[i] - top - log(sum) : exp(x[i] - top) / sum;
}

static void reference_rows(const mica_ref *in, mica_ref *out, bool log_) {
    const int64_t size = in->shape.rank ? in->shape.dim[in->shape.rank - 1] : 1;
    for (int64_t at = 0; at < in->count; at += size)
        reference_row(in->data + at, out->data + at, size, log_);
}

static void reference_softmax(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    reference_rows(in, out, false);
}

static void reference_log_softmax(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    reference_rows(in, out, true);
}

/* softmax(a) * a: one tensor used twice. */
static void reference_product(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    reference_rows(in, out, false);
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] *= in->data[i];
}

/* The gradients by their formulas: central differences of 100000 x 10 would take minutes. */
static void gradient_rows(const mica_ref *in, const mica_ref *dout, mica_ref *din, bool log_) {
    const int64_t size = in->shape.dim[in->shape.rank - 1];
    for (int64_t at = 0; at < in->count; at += size) {
        double *dx = din->data + at, dot = 0;
        const double *dy = dout->data + at;
        reference_row(in->data + at, dx, size, false);
        for (int64_t i = 0; i < size; i++)
            dot += log_ ? dy[i] : dy[i] * dx[i];
        for (int64_t i = 0; i < size; i++)
            dx[i] = log_ ? dy[i] - dx[i] * dot : dx[i] * (dy[i] - dot);
    }
}

static void gradient_softmax(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    (void)c;
    gradient_rows(in, dout, din, false);
}

static void gradient_log_softmax(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    (void)c;
    gradient_rows(in, dout, din, true);
}

static mica_value *build_softmax(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_softmax(in[0]);
}

static mica_value *build_log_softmax(
    mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_log_softmax(in[0]);
}

static mica_value *build_product(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_mul(mica_softmax(in[0]), in[0]);
}

static void reference_known(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c, (void)in;
    static const double known[] = {
        0.02364054, 0.06426166, 0.1746813, 0.474833, 0.02364054, 0.06426166, 0.1746813};
    for (int i = 0; i < 7; i++)
        out->data[i] = known[i];
}

static const double one_to_four[] = {1, 2, 3, 4, 1, 2, 3};
static const double infinite[] = {0, INFINITY, 1, -INFINITY, 2, 3, -INFINITY, -INFINITY, -INFINITY};

#define ROWS(rows, size)                                                                           \
    { .shape = {2, {rows, size}}, .low = -4, .high = 4 }

/* The same cases for both: `f` is softmax or log_softmax. */
#define CASE(f, text) .name = #f " " text, .n_in = 1, .build = build_##f, .reference = reference_##f
#define SIZES(f, rows, size)                                                                       \
    {                                                                                              \
        CASE(f, #rows "x" #size), .in = {ROWS(rows, size)}, .out = { 2, {rows, size} }             \
    }
#define COMMON_CASES(f)                                                                            \
    SIZES(f, 1, 1), SIZES(f, 5, 1), SIZES(f, 1, 7), SIZES(f, 3, 8), SIZES(f, 31, 31),              \
        SIZES(f, 32, 32), SIZES(f, 33, 33), SIZES(f, 128, 10), SIZES(f, 129, 17),                  \
        SIZES(f, 7, 1000), SIZES(f, 2, 1025),                                                      \
        {CASE(f, "one row of 100000"), .in = {ROWS(1, 100000)}, .out = {2, {1, 100000}},           \
            .gradient = gradient_##f},                                                             \
        {CASE(f, "100000 rows of 10"), .in = {ROWS(100000, 10)}, .out = {2, {100000, 10}},         \
            .gradient = gradient_##f},                                                             \
        {CASE(f, "2x3x5x9"), .in = {{.shape = {4, {2, 3, 5, 9}}}}, .out = {4, {2, 3, 5, 9}}},      \
        {CASE(f, "19"), .in = {{.shape = {1, {19}}}}, .out = {1, {19}}},                           \
        {CASE(f, "a scalar"), .in = {{.shape = {0}}}},                                             \
        {CASE(f, "logits of 1e4"), .in = {{.shape = {2, {33, 10}}, .low = -1e4, .high = 1e4}},     \
            .out = {2, {33, 10}}, .scale = 1, .gradient = gradient_##f, .gradient_scale = 1},      \
        {CASE(f, "NaN"), .in = {{.shape = {2, {33, 6}}, .fill = MICA_FILL_NAN}},                   \
            .out = {2, {33, 6}}, .no_gradient = true},                                             \
        {CASE(f, "infinities"), .in = {{.shape = {2, {3, 3}}, .values = infinite}},                \
            .out = {2, {3, 3}}, .no_gradient = true},                                              \
    {                                                                                              \
        CASE(f, "of int32"), .in = {{.shape = {2, {3, 3}}, .dtype = MICA_I32}},                    \
                             .refused = MICA_E_INVALID, .words = {                                 \
                                 "softmax",                                                        \
                                 "float32",                                                        \
                                 "in0"                                                             \
                             }                                                                     \
    }

static const mica_op_case cases[] = {
    COMMON_CASES(softmax),
    COMMON_CASES(log_softmax),
    {.name = "known values",
        .n_in = 1,
        .in = {{.shape = {1, {7}}, .values = one_to_four}},
        .out = {1, {7}},
        .build = build_softmax,
        .reference = reference_known,
        .tolerance = 1e-6,
        .no_gradient = true},
    {.name = "used twice",
        .n_in = 1,
        .in = {ROWS(33, 10)},
        .out = {2, {33, 10}},
        .build = build_product,
        .reference = reference_product},
};

const mica_op_suite mica_suite_softmax = {.name = "softmax", MICA_CASES(cases)};
