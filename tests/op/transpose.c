/* Cases of transpose; attrs is the order of the dimensions, or NULL. */
#include "tests/op/harness.h"

static int order_of(const mica_op_case *c, int i, int rank) {
    return c->attrs ? ((const int *)c->attrs)[i] : rank - 1 - i;
}

static mica_value *build(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    return mica_transpose(in[0], c->attrs);
}

/* a + transpose(a) of square matrices */
static mica_value *build_symmetric(
    mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    return mica_add(in[0], mica_transpose(in[0], c->attrs));
}

static void reference(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const int rank = in->shape.rank;
    for (int64_t i = 0; i < in->count; i++) {
        int64_t at[MICA_MAX_RANK], rest = i, place = 0;
        for (int k = rank; k-- > 0; rest /= in->shape.dim[k])
            at[k] = rest % in->shape.dim[k];
        for (int k = 0; k < rank; k++)
            place = place * out->shape.dim[k] + at[order_of(c, k, rank)];
        out->data[place] = in->data[i];
    }
}

static void reference_symmetric(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    reference(c, in, out);
    for (int64_t i = 0; i < in->count; i++)
        out->data[i] += in->data[i];
}

#define ORDER(...)                                                                                 \
    .n_in = 1, .attrs = (const int[]) {                                                            \
        __VA_ARGS__                                                                                \
    }
#define IN(...) .in = {{.shape = {__VA_ARGS__}}}
#define INTS(...)                                                                                  \
    .in = {{.shape = {__VA_ARGS__}, .dtype = MICA_I32, .low = -2000000000, .high = 2000000000}}
#define MATRIX(m, n)                                                                               \
    { .name = #m "x" #n, .n_in = 1, IN(2, {m, n}), .out = {2, {n, m}}, .probes = 8 }

static const mica_op_case cases[] = {
    MATRIX(1, 1),
    MATRIX(1, 7),
    MATRIX(7, 1),
    MATRIX(16, 16),
    MATRIX(31, 33),
    MATRIX(32, 32),
    MATRIX(33, 31),
    MATRIX(48, 80),
    MATRIX(129, 65),
    MATRIX(3, 1000),
    MATRIX(20000, 10),
    {.name = "a scalar", .n_in = 1, IN(0)},
    {.name = "a vector", ORDER(0), IN(1, {9}), .out = {1, {9}}},
    {.name = "batched 5x17x35", ORDER(0, 2, 1), IN(3, {5, 17, 35}), .out = {3, {5, 35, 17}}},
    {.name = "NHWC to NCHW", ORDER(0, 3, 1, 2), IN(4, {3, 5, 7, 16}), .out = {4, {3, 16, 5, 7}}},
    {.name = "NCHW to NHWC", ORDER(0, 2, 3, 1), IN(4, {3, 16, 5, 7}), .out = {4, {3, 5, 7, 16}}},
    {.name = "rows of rows swapped", ORDER(1, 0, 2), IN(3, {6, 9, 33}), .out = {3, {9, 6, 33}}},
    {.name = "a row in each work-group",
        ORDER(1, 0, 2),
        IN(3, {3, 2, 9000}),
        .out = {3, {2, 3, 9000}},
        .probes = 4},
    {.name = "reversed 3x4x5", .n_in = 1, IN(3, {3, 4, 5}), .out = {3, {5, 4, 3}}},
    {.name = "six dimensions",
        ORDER(5, 2, 4, 0, 3, 1),
        IN(6, {2, 3, 4, 5, 2, 3}),
        .out = {6, {3, 4, 2, 2, 5, 3}}},
    {.name = "six dimensions reversed",
        .n_in = 1,
        IN(6, {2, 1, 3, 2, 5, 2}),
        .out = {6, {2, 5, 2, 3, 1, 2}}},
    {.name = "nothing moves", ORDER(1, 0, 3, 2), IN(4, {1, 6, 1, 5}), .out = {4, {6, 1, 5, 1}}},
    {.name = "identity", ORDER(0, 1, 2), IN(3, {3, 4, 5}), .out = {3, {3, 4, 5}}},
    {.name = "int32 33x17", .n_in = 1, INTS(2, {33, 17}), .out = {2, {17, 33}}},
    {.name = "int32 2x3x4", ORDER(2, 0, 1), INTS(3, {2, 3, 4}), .out = {3, {4, 2, 3}}},
    {.name = "NaN",
        .n_in = 1,
        .in = {{.shape = {2, {40, 40}}, .fill = MICA_FILL_NAN}},
        .out = {2, {40, 40}},
        .no_gradient = true},
    {.name = "used twice",
        .n_in = 1,
        IN(2, {33, 33}),
        .out = {2, {33, 33}},
        .build = build_symmetric,
        .reference = reference_symmetric,
        .tolerance = 1e-6},
    {.name = "a dimension twice",
        ORDER(0, 0),
        IN(2, {3, 4}),
        .refused = MICA_E_INVALID,
        .words = {"transpose", "order[1] is 0"}},
    {.name = "a dimension that is not there",
        ORDER(0, 2),
        IN(2, {3, 4}),
        .refused = MICA_E_INVALID,
        .words = {"transpose", "order[1] is 2"}},
};

const mica_op_suite mica_suite_transpose = {
    .name = "transpose", MICA_CASES(cases), .build = build, .reference = reference};
