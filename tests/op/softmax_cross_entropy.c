/* Cases of the cross-entropy of softmax, with class numbers and with probabilities. */
#include "tests/op/harness.h"

#include <math.h>

static double log_sum_exp(const double *x, int64_t size) {
    double top = -INFINITY, sum = 0;
    for (int64_t i = 0; i < size; i++)
        top = fmax(top, x[i]);
    for (int64_t i = 0; i < size; i++)
        sum += exp(x[i] - top);
    return top + log(sum);
}

static bool is_dense(const mica_op_case *c) {
    return c->in[1].dtype == MICA_F32;
}

/* The probability of a class in a row, from either kind of label; NaN where a number names none. */
static double label(
    const mica_op_case *c, const mica_ref *labels, int64_t row, int64_t i, int64_t size) {
    if (is_dense(c))
        return labels->data[row * size + i];
    const double number = labels->data[row];
    return number < 0 || number >= (double)size ? NAN : number == (double)i;
}

/* -sum t (x - log sum exp x), where a class of probability 0 adds nothing. */
static void reference(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const int64_t size = in->shape.dim[in->shape.rank - 1];
    for (int64_t row = 0; row < out->count; row++) {
        const double *x = in->data + row * size, shift = log_sum_exp(x, size);
        double sum = isnan(shift) ? NAN : 0;
        for (int64_t i = 0; i < size; i++) {
            const double t = label(c, &in[1], row, i, size);
            sum -= t == 0 ? 0 : t * (x[i] - shift);
        }
        out->data[row] = sum;
    }
}

/* dy (softmax(x) sum(t) - t) */
static void gradient(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    const int64_t size = in->shape.dim[in->shape.rank - 1];
    for (int64_t row = 0; row < dout->count; row++) {
        const double *x = in->data + row * size, shift = log_sum_exp(x, size);
        double weight = 0;
        for (int64_t i = 0; i < size; i++)
            weight += label(c, &in[1], row, i, size);
        for (int64_t i = 0; i < size; i++)
            din->data[row * size + i] =
                dout->data[row] * (weight * exp(x[i] - shift) - label(c, &in[1], row, i, size));
    }
}

static mica_value *build(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_softmax_cross_entropy(in[0], in[1]);
}

/* The logits pass through two losses. */
static mica_value *build_twice(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_add(
        mica_softmax_cross_entropy(in[0], in[1]), mica_softmax_cross_entropy(in[0], in[1]));
}

static void reference_twice(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    reference(c, in, out);
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] *= 2;
}

static const double out_of_range[] = {0, -1, 2, 3, 1, 1000000};
static const double far_apart[] = {1e4, -1e4, 0, -1e4, 1e4, 0, -1e4, -1e4, 0};
static const double first_classes[] = {0, 0, 2};

#define LOGITS(rows, size)                                                                         \
    { .shape = {2, {rows, size}}, .low = -4, .high = 4 }
#define NUMBERS(rows, size)                                                                        \
    { .shape = {1, {rows}}, .dtype = MICA_I32, .low = 0, .high = (size)-1 }
#define NUMBERED(rows, size)                                                                       \
    {                                                                                              \
        .name = #rows "x" #size, .n_in = 2, .in = {LOGITS(rows, size), NUMBERS(rows, size)},       \
        .out = {                                                                                   \
            1,                                                                                     \
            {rows}                                                                                 \
        }                                                                                          \
    }
#define ONE_HOT(rows, size)                                                                        \
    {                                                                                              \
        .name = "one-hot " #rows "x" #size, .n_in = 2,                                             \
        .in = {LOGITS(rows, size),                                                                 \
            {.shape = {2, {rows, size}}, .fill = MICA_FILL_ONE_HOT, .fixed = true}},               \
        .out = {                                                                                   \
            1,                                                                                     \
            {rows}                                                                                 \
        }                                                                                          \
    }

static const mica_op_case cases[] = {
    NUMBERED(1, 1),
    NUMBERED(5, 1),
    NUMBERED(1, 7),
    NUMBERED(4, 2),
    NUMBERED(31, 31),
    NUMBERED(32, 32),
    NUMBERED(33, 33),
    NUMBERED(128, 10),
    NUMBERED(129, 17),
    NUMBERED(7, 1000),
    NUMBERED(2, 1025),
    ONE_HOT(1, 1),
    ONE_HOT(1, 7),
    ONE_HOT(32, 10),
    ONE_HOT(33, 33),
    ONE_HOT(129, 17),
    ONE_HOT(3, 1000),
    {.name = "one row of 100000",
        .n_in = 2,
        .in = {LOGITS(1, 100000), NUMBERS(1, 100000)},
        .out = {1, {1}},
        .gradient = gradient},
    {.name = "100000 rows of 10",
        .n_in = 2,
        .in = {LOGITS(100000, 10), NUMBERS(100000, 10)},
        .out = {1, {100000}},
        .gradient = gradient},
    {.name = "probabilities that do not add up to 1",
        .n_in = 2,
        .in = {LOGITS(33, 9), {.shape = {2, {33, 9}}, .low = 0.1, .high = 1, .fixed = true}},
        .out = {1, {33}}},
    {.name = "2x3x5x9",
        .n_in = 2,
        .in = {{.shape = {4, {2, 3, 5, 9}}},
            {.shape = {3, {2, 3, 5}}, .dtype = MICA_I32, .low = 0, .high = 8}},
        .out = {3, {2, 3, 5}}},
    {.name = "a single sample",
        .n_in = 2,
        .in = {{.shape = {1, {10}}}, {.dtype = MICA_I32, .low = 3, .high = 3}}},
    {.name = "logits of 1e4",
        .n_in = 2,
        .in = {{.shape = {2, {33, 10}}, .low = -1e4, .high = 1e4}, NUMBERS(33, 10)},
        .out = {1, {33}},
        .gradient = gradient,
        .gradient_scale = 1},
    {.name = "logits of exactly 1e4",
        .n_in = 2,
        .in = {{.shape = {2, {3, 3}}, .values = far_apart},
            {.shape = {1, {3}}, .dtype = MICA_I32, .values = first_classes}},
        .out = {1, {3}},
        .scale = 1,
        .gradient = gradient,
        .gradient_scale = 1},
    {.name = "used twice",
        .n_in = 2,
        .in = {LOGITS(33, 10), NUMBERS(33, 10)},
        .out = {1, {33}},
        .build = build_twice,
        .reference = reference_twice},
    {.name = "NaN",
        .n_in = 2,
        .in = {{.shape = {2, {33, 6}}, .fill = MICA_FILL_NAN}, NUMBERS(33, 6)},
        .out = {1, {33}},
        .no_gradient = true},
    {.name = "class numbers out of range",
        .n_in = 2,
        .in = {LOGITS(6, 3), {.shape = {1, {6}}, .dtype = MICA_I32, .values = out_of_range}},
        .out = {1, {6}},
        .gradient = gradient},
    {.name = "labels of another number of samples",
        .n_in = 2,
        .in = {LOGITS(6, 3), NUMBERS(5, 3)},
        .refused = MICA_E_INVALID,
        .words = {"softmax_cross_entropy", "(6, 3)", "(5)", "in1"}},
    {.name = "one-hot labels of another number of classes",
        .n_in = 2,
        .in = {LOGITS(6, 3), {.shape = {2, {6, 4}}, .fixed = true}},
        .refused = MICA_E_INVALID,
        .words = {"(6, 3)", "(6, 4)", "in1"}},
    {.name = "logits of int32",
        .n_in = 2,
        .in = {{.shape = {2, {6, 3}}, .dtype = MICA_I32}, NUMBERS(6, 3)},
        .refused = MICA_E_INVALID,
        .words = {"logits", "float32", "in0"}},
    {.name = "a scalar for logits",
        .n_in = 2,
        .in = {{.shape = {0}}, {.dtype = MICA_I32}},
        .refused = MICA_E_INVALID,
        .words = {"logits", "classes"}},
};

const mica_op_suite mica_suite_softmax_cross_entropy = {
    .name = "softmax_cross_entropy", MICA_CASES(cases), .build = build, .reference = reference};
