/* Cases of slice. */
#include "tests/op/harness.h"

typedef struct slice {
    int64_t begin[MICA_MAX_RANK], size[MICA_MAX_RANK];
} slice;

static mica_value *build(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    const slice *s = c->attrs;
    return mica_slice(in[0], s->begin, s->size);
}

/* The slice plus the first elements of the same tensor. */
static mica_value *build_twice(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    const slice *s = c->attrs;
    static const int64_t start[MICA_MAX_RANK];
    return mica_add(mica_slice(in[0], s->begin, s->size), mica_slice(in[0], start, s->size));
}

static void take(const int64_t *begin, const mica_ref *in, mica_ref *out) {
    const int rank = in->shape.rank;
    for (int64_t i = 0; i < out->count; i++) {
        int64_t rest = i, place = 0, stride = 1;
        for (int k = rank; k-- > 0; rest /= out->shape.dim[k]) {
            place += (begin[k] + rest % out->shape.dim[k]) * stride;
            stride *= in->shape.dim[k];
        }
        out->data[i] += in->data[place];
    }
}

static void reference(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    take(((const slice *)c->attrs)->begin, in, out);
}

static void reference_twice(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    static const int64_t start[MICA_MAX_RANK];
    take(((const slice *)c->attrs)->begin, in, out);
    take(start, in, out);
}

#define SLICE(...)                                                                                 \
    .n_in = 1, .attrs = &(const slice) {                                                           \
        __VA_ARGS__                                                                                \
    }
#define IN(...)   .in = {{.shape = {__VA_ARGS__}}}
#define INTS(...) .in = {{.shape = {__VA_ARGS__}, .dtype = MICA_I32, .low = -2000000000, .high = 7}}

static const mica_op_case cases[] = {
    {.name = "1 of 1", SLICE({0}, {1}), IN(1, {1}), .out = {1, {1}}},
    {.name = "a scalar", SLICE({0}, {0}), IN(0)},
    {.name = "1 of 33", SLICE({32}, {1}), IN(1, {33}), .out = {1, {1}}},
    {.name = "31 of 33", SLICE({1}, {31}), IN(1, {33}), .out = {1, {31}}},
    {.name = "rows", SLICE({3, 0}, {5, -1}), IN(2, {12, 17}), .out = {2, {5, 17}}},
    {.name = "columns", SLICE({0, 4}, {-1, 9}), IN(2, {33, 17}), .out = {2, {33, 9}}},
    {.name = "one column", SLICE({0, 16}, {-1, 1}), IN(2, {33, 17}), .out = {2, {33, 1}}},
    {.name = "a corner", SLICE({30, 15}, {-1, -1}), IN(2, {33, 17}), .out = {2, {3, 2}}},
    {.name = "a time step",
        SLICE({0, 3, 0}, {-1, 1, -1}),
        IN(3, {6, 5, 32}),
        .out = {3, {6, 1, 32}}},
    {.name = "a middle", SLICE({1, 2, 3}, {2, 2, 3}), IN(3, {4, 6, 8}), .out = {3, {2, 2, 3}}},
    {.name = "six dimensions",
        SLICE({1, 0, 0, 1, 0, 1}, {1, 1, 2, 3, 2, 2}),
        IN(6, {2, 1, 3, 5, 2, 3}),
        .out = {6, {1, 1, 2, 3, 2, 2}}},
    {.name = "everything", SLICE({0, 0}, {-1, 5}), IN(2, {4, 5}), .out = {2, {4, 5}}},
    {.name = "long rows",
        SLICE({0, 5}, {-1, 9000}),
        IN(2, {2, 9100}),
        .out = {2, {2, 9000}},
        .probes = 4},
    {.name = "many rows",
        SLICE({100, 1}, {-1, 2}),
        IN(2, {20100, 3}),
        .out = {2, {20000, 2}},
        .probes = 4},
    {.name = "int32", SLICE({1, 1}, {3, 3}), INTS(2, {5, 6}), .out = {2, {3, 3}}},
    {.name = "NaN",
        SLICE({1, 1}, {30, 30}),
        .in = {{.shape = {2, {32, 32}}, .fill = MICA_FILL_NAN}},
        .out = {2, {30, 30}},
        .no_gradient = true},
    {.name = "used twice",
        SLICE({2, 3}, {5, 6}),
        IN(2, {9, 10}),
        .out = {2, {5, 6}},
        .build = build_twice,
        .reference = reference_twice},
    {.name = "begins behind the end",
        SLICE({0, 6}, {-1, -1}),
        IN(2, {5, 6}),
        .refused = MICA_E_INVALID,
        .words = {"slice", "begin[1]", "0 .. 5", "6"}},
    {.name = "begins before 0",
        SLICE({-1, 0}, {-1, -1}),
        IN(2, {5, 6}),
        .refused = MICA_E_INVALID,
        .words = {"slice", "begin[0]", "-1"}},
    {.name = "reaches behind the end",
        SLICE({0, 2}, {-1, 5}),
        IN(2, {5, 6}),
        .refused = MICA_E_INVALID,
        .words = {"slice", "size[1]", "1 .. 4", "5"}},
    {.name = "of a huge size",
        SLICE({1, 2}, {INT64_MAX, 1}),
        IN(2, {5, 6}),
        .refused = MICA_E_INVALID,
        .words = {"slice", "size[0]"}},
    {.name = "of no elements",
        SLICE({1, 2}, {0, 1}),
        IN(2, {5, 6}),
        .refused = MICA_E_INVALID,
        .words = {"slice", "size[0]", "is 0"}},
};

const mica_op_suite mica_suite_slice = {
    .name = "slice", MICA_CASES(cases), .build = build, .reference = reference};
