/* Cases of concat; attrs is the axis. */
#include "tests/op/harness.h"

static int axis_of(const mica_op_case *c) {
    return *(const int *)c->attrs;
}

static mica_value *build(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    return mica_concat(in, c->n_in, axis_of(c));
}

static mica_value *build_twice(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    return mica_concat((mica_value *[]){in[0], in[1], in[0]}, 3, axis_of(c));
}

/* For each outer index, a run of every value in turn. */
static void join(const mica_op_case *c, const mica_ref *const *in, int count, mica_ref *out) {
    const int rank = out->shape.rank, axis = (axis_of(c) + rank) % rank;
    int64_t outer = 1, inner = 1, place = 0;
    for (int i = 0; i < rank; i++)
        if (i < axis)
            outer *= out->shape.dim[i];
        else if (i > axis)
            inner *= out->shape.dim[i];
    for (int64_t row = 0; row < outer; row++)
        for (int n = 0; n < count; n++) {
            const int64_t run = in[n]->shape.dim[axis] * inner;
            for (int64_t i = 0; i < run; i++)
                out->data[place++] = in[n]->data[row * run + i];
        }
}

static void reference(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const mica_ref *values[MICA_CASE_INPUTS];
    for (int i = 0; i < c->n_in; i++)
        values[i] = &in[i];
    join(c, values, c->n_in, out);
}

static void reference_twice(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    join(c, (const mica_ref *[]){&in[0], &in[1], &in[0]}, 3, out);
}

#define AXIS(axis)                                                                                 \
    .attrs = &(const int) {                                                                        \
        axis                                                                                       \
    }
#define IN(...)                                                                                    \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
#define INTS(...)                                                                                  \
    { .shape = {__VA_ARGS__}, .dtype = MICA_I32, .low = -2000000000, .high = 7 }

static const mica_op_case cases[] = {
    {.name = "1 and 1", AXIS(0), .n_in = 2, .in = {IN(1, {1}), IN(1, {1})}, .out = {1, {2}}},
    {.name = "31, 32 and 33",
        AXIS(0),
        .n_in = 3,
        .in = {IN(1, {31}), IN(1, {32}), IN(1, {33})},
        .out = {1, {96}}},
    {.name = "rows",
        AXIS(0),
        .n_in = 2,
        .in = {IN(2, {3, 17}), IN(2, {5, 17})},
        .out = {2, {8, 17}}},
    {.name = "columns",
        AXIS(1),
        .n_in = 2,
        .in = {IN(2, {33, 3}), IN(2, {33, 14})},
        .out = {2, {33, 17}}},
    {.name = "columns of 1",
        AXIS(-1),
        .n_in = 3,
        .in = {IN(2, {33, 1}), IN(2, {33, 1}), IN(2, {33, 1})},
        .out = {2, {33, 3}}},
    {.name = "a middle axis",
        AXIS(1),
        .n_in = 2,
        .in = {IN(3, {4, 2, 9}), IN(3, {4, 5, 9})},
        .out = {3, {4, 7, 9}}},
    {.name = "an axis from the end",
        AXIS(-2),
        .n_in = 2,
        .in = {IN(3, {4, 2, 9}), IN(3, {4, 1, 9})},
        .out = {3, {4, 3, 9}}},
    {.name = "six dimensions",
        AXIS(3),
        .n_in = 2,
        .in = {IN(6, {2, 1, 3, 2, 2, 3}), IN(6, {2, 1, 3, 4, 2, 3})},
        .out = {6, {2, 1, 3, 6, 2, 3}}},
    {.name = "one value", AXIS(1), .n_in = 1, .in = {IN(2, {5, 6})}, .out = {2, {5, 6}}},
    {.name = "eight values",
        AXIS(0),
        .n_in = 8,
        .in = {IN(2, {1, 3}), IN(2, {2, 3}), IN(2, {3, 3}), IN(2, {4, 3}), IN(2, {1, 3}),
            IN(2, {2, 3}), IN(2, {3, 3}), IN(2, {4, 3})},
        .out = {2, {20, 3}}},
    {.name = "long rows",
        AXIS(1),
        .n_in = 2,
        .in = {IN(2, {2, 9001}), IN(2, {2, 4097})},
        .out = {2, {2, 13098}},
        .probes = 4},
    {.name = "many rows",
        AXIS(1),
        .n_in = 2,
        .in = {IN(2, {20000, 3}), IN(2, {20000, 2})},
        .out = {2, {20000, 5}},
        .probes = 4},
    {.name = "int32",
        AXIS(1),
        .n_in = 2,
        .in = {INTS(2, {7, 3}), INTS(2, {7, 4})},
        .out = {2, {7, 7}}},
    {.name = "used twice",
        AXIS(1),
        .n_in = 2,
        .in = {IN(2, {9, 4}), IN(2, {9, 3})},
        .out = {2, {9, 11}},
        .build = build_twice,
        .reference = reference_twice},
    {.name = "an axis that is not there",
        AXIS(2),
        .n_in = 2,
        .in = {IN(2, {3, 4}), IN(2, {3, 4})},
        .refused = MICA_E_INVALID,
        .words = {"concat", "axis 2"}},
    {.name = "another size",
        AXIS(0),
        .n_in = 2,
        .in = {IN(2, {3, 4}), IN(2, {3, 5})},
        .refused = MICA_E_INVALID,
        .words = {"concat", "(3, 4)", "(3, 5)", "in1"}},
    {.name = "another rank",
        AXIS(0),
        .n_in = 2,
        .in = {IN(2, {3, 4}), IN(1, {4})},
        .refused = MICA_E_INVALID,
        .words = {"concat", "(3, 4)", "(4)", "in1"}},
    {.name = "another type",
        AXIS(0),
        .n_in = 2,
        .in = {IN(1, {4}), INTS(1, {4})},
        .refused = MICA_E_INVALID,
        .words = {"concat", "int32", "in1"}},
    {.name = "scalars",
        AXIS(0),
        .n_in = 2,
        .in = {{.shape = {0}}, {.shape = {0}}},
        .refused = MICA_E_INVALID,
        .words = {"concat", "axis 0"}},
};

const mica_op_suite mica_suite_concat = {
    .name = "concat", MICA_CASES(cases), .build = build, .reference = reference};
