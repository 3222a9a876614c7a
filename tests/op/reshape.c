/* Cases of reshape; attrs is the shape asked for. */
#include "tests/op/harness.h"

#include <string.h>

static mica_value *build(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    const mica_shape *shape = c->attrs;
    return mica_reshape(in[0], shape->rank, shape->dim);
}

static mica_value *build_twice(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    return mica_mul(build(graph, in, c), build(graph, in, c));
}

static void reference(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    memcpy(out->data, in->data, (size_t)in->count * sizeof(double));
}

static void reference_twice(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < in->count; i++)
        out->data[i] = in->data[i] * in->data[i];
}

#define TO(...)                                                                                    \
    .n_in = 1, .attrs = &(const mica_shape) {                                                      \
        __VA_ARGS__                                                                                \
    }
#define IN(...)   .in = {{.shape = {__VA_ARGS__}}}
#define REFUSED   .refused = MICA_E_INVALID
#define INTS(...) .in = {{.shape = {__VA_ARGS__}, .dtype = MICA_I32, .low = -2000000000, .high = 7}}

static const mica_op_case cases[] = {
    {.name = "a scalar to 1", TO(1, {1}), IN(0), .out = {1, {1}}},
    {.name = "1 to a scalar", TO(0), IN(1, {1})},
    {.name = "the same", TO(2, {3, 4}), IN(2, {3, 4}), .out = {2, {3, 4}}},
    {.name = "flattened", TO(2, {-1, 84}), IN(4, {5, 3, 4, 7}), .out = {2, {5, 84}}},
    {.name = "to a vector", TO(1, {-1}), IN(2, {31, 33}), .out = {1, {1023}}},
    {.name = "to six dimensions",
        TO(6, {1, 2, 1, -1, 4, 1}),
        IN(1, {32}),
        .out = {6, {1, 2, 1, 4, 4, 1}}},
    {.name = "32 to 4x8", TO(2, {4, 8}), IN(1, {32}), .out = {2, {4, 8}}},
    {.name = "33 to 11x3", TO(2, {11, 3}), IN(1, {33}), .out = {2, {11, 3}}},
    {.name = "-1 is 1", TO(2, {33, -1}), IN(1, {33}), .out = {2, {33, 1}}},
    {.name = "large", TO(2, {1000, 100}), IN(1, {100000}), .out = {2, {1000, 100}}, .probes = 4},
    {.name = "int32", TO(2, {6, 2}), INTS(2, {3, 4}), .out = {2, {6, 2}}},
    {.name = "used twice",
        TO(2, {6, 2}),
        IN(2, {3, 4}),
        .out = {2, {6, 2}},
        .build = build_twice,
        .reference = reference_twice},
    {.name = "too few elements",
        TO(2, {3, 3}),
        IN(2, {3, 4}),
        REFUSED,
        .words = {"reshape", "in0", "(3, 4)", "12"}},
    {.name = "too many elements", TO(2, {4, 4}), IN(2, {3, 4}), REFUSED, .words = {"reshape"}},
    {.name = "far too many elements",
        TO(3, {INT64_MAX, INT64_MAX, 4}),
        IN(2, {3, 4}),
        REFUSED,
        .words = {"reshape"}},
    {.name = "what is left is no whole number",
        TO(2, {-1, 5}),
        IN(2, {3, 4}),
        REFUSED,
        .words = {"reshape"}},
    {.name = "-1 twice", TO(2, {-1, -1}), IN(2, {3, 4}), REFUSED, .words = {"reshape", "dim[1]"}},
    {.name = "a size of 0", TO(2, {0, 12}), IN(2, {3, 4}), REFUSED, .words = {"reshape", "dim[0]"}},
    {.name = "rank 7", TO(7), IN(2, {3, 4}), REFUSED, .words = {"reshape", "7"}},
};

const mica_op_suite mica_suite_reshape = {
    .name = "reshape", MICA_CASES(cases), .build = build, .reference = reference};
