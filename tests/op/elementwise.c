/* Cases of the elementwise functions: each function over its range, stretched inputs, fused chains.
 */
#include "tests/op/harness.h"

#include <math.h>

/* ---- functions of one operand ---- */

typedef struct unary {
    mica_value *(*build)(mica_value *a);
    double (*function)(double a);
} unary;

static mica_value *build_unary(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    return ((const unary *)c->attrs)->build(in[0]);
}

static void reference_unary(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const unary *f = c->attrs;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = f->function(in->data[i]);
}

static mica_value *build_scale(mica_value *a) {
    return mica_scale(a, -0.75f);
}

static double scale(double a) {
    return -0.75 * a;
}

static double square(double a) {
    return a * a;
}

static double neg(double a) {
    return -a;
}

static double relu(double a) {
    return a < 0 ? 0 : a;
}

static double sigmoid(double a) {
    return 1 / (1 + exp(-a));
}

/* What float32 makes of results beyond its range. */
static double exp_of_float(double a) {
    return a > 88.8 ? INFINITY : exp(a);
}

static const unary unary_scale = {build_scale, scale}, unary_square = {mica_square, square},
                   unary_sqrt = {mica_sqrt, sqrt}, unary_neg = {mica_neg, neg},
                   unary_relu = {mica_relu, relu}, unary_sigmoid = {mica_sigmoid, sigmoid},
                   unary_tanh = {mica_tanh, tanh}, unary_exp = {mica_exp, exp_of_float},
                   unary_log = {mica_log, log};

#define CASE(f, text)                                                                              \
    .name = #f " " text, .n_in = 1, .attrs = &unary_##f, .build = build_unary,                     \
    .reference = reference_unary
/* Relative errors: five units in the last place of float32. */
#define RELATIVE .scale = 1e-30, .tolerance = 6e-7, .gradient_scale = 0.1
#define SHAPED(f, text, shape_, ...)                                                               \
    { CASE(f, text), .in = {{.shape = shape_, __VA_ARGS__}}, .out = shape_, RELATIVE }
#define S(...) __VA_ARGS__
#define UNARY(f, ...)                                                                              \
    SHAPED(f, "1", S({1, {1}}), __VA_ARGS__), SHAPED(f, "31", S({1, {31}}), __VA_ARGS__),          \
        SHAPED(f, "32x33", S({2, {32, 33}}), __VA_ARGS__),                                         \
        SHAPED(f, "3x5x7", S({3, {3, 5, 7}}), __VA_ARGS__),                                        \
        SHAPED(f, "a scalar", {0}, __VA_ARGS__), {                                                 \
        CASE(f, "100003"), .in = {{.shape = {1, {100003}}, __VA_ARGS__}}, .out = {1, {100003}},    \
                           RELATIVE, .probes = 4                                                   \
    }

static const double special[] = {0, -0.0, 1e-30, -1e-30, INFINITY, -INFINITY, NAN, 100, -100, 3e38};

#define SPECIAL(f)                                                                                 \
    {                                                                                              \
        CASE(f, "special numbers"), .in = {{.shape = {1, {10}}, .values = special}},               \
                                    .out = {1, {10}}, .scale = 1e-30, .tolerance = 1e-6,           \
                                    .no_gradient = true, .alone = true                             \
    }

/* ---- functions of two operands ---- */

typedef struct binary {
    mica_value *(*build)(mica_value *a, mica_value *b);
    double (*function)(double a, double b);
} binary;

static mica_value *build_binary(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    return ((const binary *)c->attrs)->build(in[0], in[1]);
}

/* The element of `in` that output element i is made of. */
static double element(const mica_ref *in, const mica_ref *out, int64_t i) {
    int64_t at = 0, stride = 1;
    for (int k = 0; k < in->shape.rank; k++) {
        int64_t size = in->shape.dim[in->shape.rank - 1 - k];
        int64_t whole = out->shape.dim[out->shape.rank - 1 - k];
        at += size == 1 ? 0 : i % whole * stride;
        stride *= size;
        i /= whole;
    }
    return in->data[at];
}

static void reference_binary(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const binary *f = c->attrs;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = f->function(element(&in[0], out, i), element(&in[1], out, i));
}

static double add(double a, double b) {
    return a + b;
}

static double sub(double a, double b) {
    return a - b;
}

static double mul(double a, double b) {
    return a * b;
}

static double divide(double a, double b) {
    return a / b;
}

static const binary binary_add = {mica_add, add}, binary_sub = {mica_sub, sub},
                    binary_mul = {mica_mul, mul}, binary_div = {mica_div, divide},
                    binary_bias_add = {mica_bias_add, add};

#define BINARY(f, text, a, b, y)                                                                   \
    {                                                                                              \
        .name = #f " " text, .n_in = 2, .attrs = &binary_##f, .build = build_binary,               \
        .reference = reference_binary,                                                             \
        .in = {{.shape = a}, {.shape = b, .fill = MICA_FILL_APART, .low = 0.5, .high = 2}},        \
        .out = y, .tolerance = 1e-6, .gradient_scale = 1                                           \
    }
#define ALIKE(f, text, shape) BINARY(f, text, S(shape), S(shape), S(shape))
#define SIZES(f)                                                                                   \
    ALIKE(f, "1", S({1, {1}})), ALIKE(f, "31", S({1, {31}})), ALIKE(f, "33", S({1, {33}})),        \
        ALIKE(f, "5x32", S({2, {5, 32}})), ALIKE(f, "of scalars", {0}),                            \
        BINARY(f, "by a scalar", S({2, {7, 9}}), {0}, S({2, {7, 9}}))
#define STRETCHED(text, a, b, y)                                                                   \
    BINARY(mul, "stretched, " text, S(a), S(b), S(y)),                                             \
        BINARY(sub, "stretched, " text, S(b), S(a), S(y))

#define LARGE(f)                                                                                   \
    {                                                                                              \
        .name = #f " 1000x101", .n_in = 2, .attrs = &binary_##f, .build = build_binary,            \
        .reference = reference_binary,                                                             \
        .in = {{.shape = {2, {1000, 101}}},                                                        \
            {.shape = {1, {101}}, .fill = MICA_FILL_APART, .low = 0.5, .high = 2}},                \
        .out = {2, {1000, 101}}, .tolerance = 1e-6, .probes = 3                                    \
    }

/* ---- what fusion makes longer programs of ---- */

static mica_value *build_twice(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_mul(mica_add(mica_tanh(in[0]), in[0]), in[0]);
}

static void reference_twice(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = (tanh(in->data[i]) + in->data[i]) * in->data[i];
}

static mica_value *build_itself(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    mica_value *y = mica_exp(in[0]);
    return mica_div(mica_mul(y, y), mica_add(in[0], in[0]));
}

static void reference_itself(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = exp(2 * in->data[i]) / (2 * in->data[i]);
}

/* More steps than a program has. */
static mica_value *build_chain(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    mica_value *y = in[0];
    for (int i = 0; i < 7; i++)
        y = mica_scale(mica_tanh(mica_mul(y, in[1])), 1.25f);
    return y;
}

static void reference_chain(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < out->count; i++) {
        double y = element(&in[0], out, i);
        for (int k = 0; k < 7; k++)
            y = 1.25 * tanh(y * element(&in[1], out, i));
        out->data[i] = y;
    }
}

/* More inputs than a program has, each stretched in its own way. */
static mica_value *build_many(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    mica_value *y = in[0];
    for (int i = 1; i < c->n_in; i++)
        y = i % 2 ? mica_mul(y, in[i]) : mica_sub(y, in[i]);
    return y;
}

static void reference_many(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    for (int64_t i = 0; i < out->count; i++) {
        double y = element(&in[0], out, i);
        for (int k = 1; k < c->n_in; k++)
            y = k % 2 ? y * element(&in[k], out, i) : y - element(&in[k], out, i);
        out->data[i] = y;
    }
}

/* A scalar and a row that are computed, and stretch where they are used. */
static mica_value *build_small(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_add(mica_mul(in[0], mica_exp(in[1])), mica_sigmoid(in[2]));
}

static void reference_small(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = element(&in[0], out, i) * exp(element(&in[1], out, i)) +
                       sigmoid(element(&in[2], out, i));
}

/* ---- the cross-entropy of a sigmoid ---- */

static mica_value *build_cross_entropy(
    mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_sigmoid_cross_entropy(in[0], in[1]);
}

static void reference_cross_entropy(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < out->count; i++) {
        double x = in[0].data[i], t = in[1].data[i];
        out->data[i] = fmax(x, 0) - x * t + log1p(exp(-fabs(x)));
    }
}

#define CROSS_ENTROPY(text, shape_, range)                                                         \
    {                                                                                              \
        .name = "sigmoid_cross_entropy " text, .n_in = 2, .build = build_cross_entropy,            \
        .reference = reference_cross_entropy,                                                      \
        .in = {{.shape = shape_, .low = -(range), .high = range},                                  \
            {.shape = shape_, .low = 0, .high = 1, .fixed = true}},                                \
        .out = shape_, .tolerance = 1e-6, .probes = 12                                             \
    }

static const mica_op_case cases[] = {
    UNARY(scale, .low = -3, .high = 3),
    UNARY(square, .low = -3, .high = 3),
    UNARY(sqrt, .low = 0.01, .high = 9),
    UNARY(neg, .low = -3, .high = 3),
    UNARY(relu, .fill = MICA_FILL_APART, .low = 0.01, .high = 3),
    UNARY(sigmoid, .low = -12, .high = 12),
    UNARY(tanh, .low = -6, .high = 6),
    UNARY(exp, .low = -20, .high = 20),
    UNARY(log, .low = 1e-3, .high = 30),
    SPECIAL(sqrt),
    SPECIAL(neg),
    SPECIAL(relu),
    SPECIAL(sigmoid),
    SPECIAL(tanh),
    SPECIAL(log),
    {CASE(exp, "over all of float32"), .in = {{.shape = {1, {4099}}, .low = -87, .high = 104}},
        .out = {1, {4099}}, RELATIVE, .no_gradient = true, .alone = true},
    {CASE(log, "near 1"), .in = {{.shape = {1, {4099}}, .low = 0.9, .high = 1.1}},
        .out = {1, {4099}}, RELATIVE, .no_gradient = true},
    {CASE(log, "of large numbers"), .in = {{.shape = {1, {513}}, .low = 1, .high = 1e30}},
        .out = {1, {513}}, RELATIVE, .no_gradient = true},
    {CASE(tanh, "near 0"), .in = {{.shape = {1, {4099}}, .low = -1, .high = 1}}, .out = {1, {4099}},
        RELATIVE, .no_gradient = true},
    {CASE(relu, "of NaN"), .in = {{.shape = {2, {33, 7}}, .fill = MICA_FILL_NAN}},
        .out = {2, {33, 7}}, .no_gradient = true},

    SIZES(add),
    SIZES(sub),
    SIZES(mul),
    SIZES(div),
    LARGE(add),
    LARGE(div),
    STRETCHED("row", S({2, {33, 16}}), S({1, {16}}), S({2, {33, 16}})),
    STRETCHED("odd row", S({2, {5, 33}}), S({2, {1, 33}}), S({2, {5, 33}})),
    STRETCHED("column", S({2, {9, 32}}), S({2, {9, 1}}), S({2, {9, 32}})),
    STRETCHED("odd column", S({3, {2, 9, 7}}), S({3, {2, 9, 1}}), S({3, {2, 9, 7}})),
    STRETCHED("middle", S({3, {3, 5, 16}}), S({2, {5, 1}}), S({3, {3, 5, 16}})),
    STRETCHED(
        "outside and inside", S({4, {3, 1, 5, 1}}), S({4, {1, 2, 1, 7}}), S({4, {3, 2, 5, 7}})),
    STRETCHED("row by column", S({2, {1, 17}}), S({2, {13, 1}}), S({2, {13, 17}})),
    STRETCHED("pictures by channels", S({4, {2, 4, 4, 32}}), S({4, {2, 1, 1, 32}}),
        S({4, {2, 4, 4, 32}})),
    STRETCHED("every second", S({6, {2, 1, 3, 1, 2, 1}}), S({6, {1, 2, 1, 3, 1, 2}}),
        S({6, {2, 2, 3, 3, 2, 2}})),
    STRETCHED("more dimensions", S({1, {1}}), S({3, {1, 1, 1}}), S({3, {1, 1, 1}})),
    STRETCHED("leading ones", S({2, {3, 4}}), S({4, {1, 1, 3, 4}}), S({4, {1, 1, 3, 4}})),
    BINARY(bias_add, "33x7", S({2, {33, 7}}), S({1, {7}}), S({2, {33, 7}})),
    BINARY(bias_add, "2x3x4x32", S({4, {2, 3, 4, 32}}), S({1, {32}}), S({4, {2, 3, 4, 32}})),
    BINARY(bias_add, "5x1", S({2, {5, 1}}), S({1, {1}}), S({2, {5, 1}})),

    {.name = "a tensor used three times",
        .n_in = 1,
        .in = {{.shape = {2, {33, 5}}}},
        .out = {2, {33, 5}},
        .build = build_twice,
        .reference = reference_twice},
    {.name = "a result by itself",
        .n_in = 1,
        .in = {{.shape = {1, {65}}, .low = 0.5, .high = 1}},
        .out = {1, {65}},
        .build = build_itself,
        .reference = reference_itself},
    {.name = "21 steps",
        .n_in = 2,
        .in = {{.shape = {2, {9, 17}}}, {.shape = {1, {17}}}},
        .out = {2, {9, 17}},
        .build = build_chain,
        .reference = reference_chain},
    {.name = "8 inputs",
        .n_in = 8,
        .in = {{.shape = {3, {3, 4, 5}}}, {.shape = {1, {5}}}, {.shape = {2, {4, 1}}},
            {.shape = {3, {3, 1, 1}}}, {.shape = {0}}, {.shape = {3, {3, 1, 5}}},
            {.shape = {2, {4, 5}}}, {.shape = {3, {1, 1, 1}}}},
        .out = {3, {3, 4, 5}},
        .build = build_many,
        .reference = reference_many},
    {.name = "computed scalar and row",
        .n_in = 3,
        .in = {{.shape = {2, {21, 32}}}, {.shape = {0}}, {.shape = {1, {32}}}},
        .out = {2, {21, 32}},
        .build = build_small,
        .reference = reference_small},

    CROSS_ENTROPY("1", S({1, {1}}), 3),
    CROSS_ENTROPY("31x33", S({2, {31, 33}}), 3),
    CROSS_ENTROPY("logits of 100", S({2, {9, 7}}), 100),
    CROSS_ENTROPY("40000", S({1, {40000}}), 10),

    {.name = "mul 2x3 by 4",
        .n_in = 2,
        .in = {{.shape = {2, {2, 3}}}, {.shape = {1, {4}}}},
        .attrs = &binary_mul,
        .build = build_binary,
        .refused = MICA_E_INVALID,
        .words = {"mul", "(2, 3)", "(4)"}},
    {.name = "add of int32",
        .n_in = 2,
        .in = {{.shape = {1, {3}}}, {.shape = {1, {3}}, .dtype = MICA_I32}},
        .attrs = &binary_add,
        .build = build_binary,
        .refused = MICA_E_INVALID,
        .words = {"add", "in1", "float32"}},
    {.name = "bias_add of a column",
        .n_in = 2,
        .in = {{.shape = {2, {3, 4}}}, {.shape = {2, {3, 1}}}},
        .attrs = &binary_bias_add,
        .build = build_binary,
        .refused = MICA_E_INVALID,
        .words = {"bias_add", "(3, 4)", "(3, 1)"}},
    {.name = "a product of too many elements",
        .n_in = 2,
        .in = {{.shape = {2, {70000, 1}}}, {.shape = {2, {1, 70000}}}},
        .attrs = &binary_mul,
        .build = build_binary,
        .refused = MICA_E_INVALID,
        .words = {"(70000, 70000)"}},
    {.name = "sigmoid_cross_entropy of different shapes",
        .n_in = 2,
        .in = {{.shape = {2, {3, 4}}}, {.shape = {1, {4}}}},
        .build = build_cross_entropy,
        .refused = MICA_E_INVALID,
        .words = {"sigmoid_cross_entropy", "(3, 4)", "(4)"}},
};

const mica_op_suite mica_suite_elementwise = {.name = "elementwise", MICA_CASES(cases)};
