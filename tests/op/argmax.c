/* Cases of argmax and accuracy. */
#include "tests/op/harness.h"

#include <math.h>

static mica_value *build_argmax(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_argmax(in[0]);
}

static mica_value *build_accuracy(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_accuracy(in[0], in[1]);
}

/* The first of the largest; the first NaN, if there is one. */
static int64_t place_of_largest(const double *x, int64_t size) {
    int64_t best = 0;
    for (int64_t i = 0; i < size; i++) {
        if (isnan(x[i]))
            return i;
        if (x[i] > x[best])
            best = i;
    }
    return best;
}

static void reference_argmax(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    const int64_t size = in->shape.dim[in->shape.rank - 1];
    for (int64_t row = 0; row < out->count; row++)
        out->data[row] = (double)place_of_largest(in->data + row * size, size);
}

static void reference_accuracy(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    const int64_t size = in->shape.dim[in->shape.rank - 1];
    int64_t hits = 0;
    for (int64_t row = 0; row < in[1].count; row++)
        hits += in[1].data[row] == (double)place_of_largest(in->data + row * size, size);
    out->data[0] = (double)hits / (double)in[1].count;
}

static const double specials[] = {
    -INFINITY,
    -INFINITY,
    -INFINITY,
    -INFINITY,
    -INFINITY, /* all equal: the first */
    -1,
    -0.0,
    0,
    -0.0,
    0, /* zeros are equal */
    1,
    INFINITY,
    NAN,
    INFINITY,
    NAN, /* NaN is the largest */
    -3,
    -1,
    -2,
    -1,
    -5, /* negative numbers */
    -INFINITY,
    -1e30,
    -INFINITY,
    0,
    1e-30,
};

#define ARGMAX   .n_in = 1, .build = build_argmax, .reference = reference_argmax
#define ACCURACY .n_in = 2, .build = build_accuracy, .reference = reference_accuracy
#define CASE(rows, size)                                                                           \
    {                                                                                              \
        .name = #rows "x" #size, ARGMAX, .in = {{.shape = {2, {rows, size}}}}, .out = {            \
            1,                                                                                     \
            {rows}                                                                                 \
        }                                                                                          \
    }
#define TIES(rows, size)                                                                           \
    {                                                                                              \
        .name = "ties " #rows "x" #size, ARGMAX,                                                   \
        .in = {{.shape = {2, {rows, size}}, .fill = MICA_FILL_INTEGER, .low = -2, .high = 2}},     \
        .out = {                                                                                   \
            1,                                                                                     \
            {rows}                                                                                 \
        }                                                                                          \
    }
#define HITS(rows, size)                                                                           \
    {                                                                                              \
        .name = "accuracy " #rows "x" #size, ACCURACY, .in = {                                     \
            {.shape = {2, {rows, size}}},                                                          \
            {.shape = {1, {rows}}, .dtype = MICA_I32, .low = 0, .high = (size)-1}                  \
        }                                                                                          \
    }

static const mica_op_case cases[] = {
    CASE(1, 1),
    CASE(9, 1),
    CASE(1, 9),
    CASE(31, 31),
    CASE(32, 32),
    CASE(33, 33),
    CASE(128, 10),
    CASE(129, 17),
    CASE(3, 1000),
    CASE(2, 1025),
    CASE(1, 100000),
    CASE(100000, 10),
    TIES(33, 7),
    TIES(33, 33),
    TIES(5, 1000),
    {.name = "2x3x4x5", ARGMAX, .in = {{.shape = {4, {2, 3, 4, 5}}}}, .out = {3, {2, 3, 4}}},
    {.name = "a single sample", ARGMAX, .in = {{.shape = {1, {10}}}}},
    {.name = "infinities, zeros and NaN",
        ARGMAX,
        .in = {{.shape = {2, {5, 5}}, .values = specials}},
        .out = {1, {5}}},
    {.name = "NaN",
        ARGMAX,
        .in = {{.shape = {2, {50, 40}}, .fill = MICA_FILL_NAN}},
        .out = {1, {50}}},
    {.name = "a scalar",
        ARGMAX,
        .in = {{.shape = {0}}},
        .refused = MICA_E_INVALID,
        .words = {"argmax", "classes"}},
    {.name = "of int32",
        ARGMAX,
        .in = {{.shape = {2, {2, 2}}, .dtype = MICA_I32}},
        .refused = MICA_E_INVALID,
        .words = {"argmax", "float32"}},
    HITS(1, 1),
    HITS(1, 2),
    HITS(31, 3),
    HITS(32, 2),
    HITS(33, 2),
    HITS(1000, 3),
    HITS(100000, 2),
    {.name = "accuracy 4x5x3",
        ACCURACY,
        .in = {{.shape = {3, {4, 5, 3}}},
            {.shape = {2, {4, 5}}, .dtype = MICA_I32, .low = 0, .high = 2}}},
    {.name = "accuracy with labels of another shape",
        ACCURACY,
        .in = {{.shape = {2, {4, 3}}}, {.shape = {1, {3}}, .dtype = MICA_I32}},
        .refused = MICA_E_INVALID,
        .words = {"accuracy", "(4)", "(3)", "in1"}},
    {.name = "accuracy with labels of float32",
        ACCURACY,
        .in = {{.shape = {2, {4, 3}}}, {.shape = {1, {4}}}},
        .refused = MICA_E_INVALID,
        .words = {"accuracy", "int32"}},
};

const mica_op_suite mica_suite_argmax = {.name = "argmax", MICA_CASES(cases), .no_gradient = true};
