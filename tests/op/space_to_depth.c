/* Cases of blocks to depth and back. */
#include "tests/op/harness.h"

typedef struct attrs {
    bool to_depth;
    int64_t block;
} attrs;

static mica_value *build(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    const attrs *a = c->attrs;
    return a->to_depth ? mica_space_to_depth(in[0], a->block)
                       : mica_depth_to_space(in[0], a->block);
}

/* Where element i of the flat image lies in the deep one. */
static int64_t place_of(mica_shape flat, mica_shape deep, int64_t block, int64_t i) {
    const int64_t c = i % flat.dim[3], u = i / flat.dim[3] % flat.dim[2],
                  v = i / flat.dim[3] / flat.dim[2];
    const int64_t at = (v % block * block + u % block) * flat.dim[3] + c;
    return (v / block * deep.dim[2] + u / block) * deep.dim[3] + at;
}

static void reference(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const attrs *a = c->attrs;
    for (int64_t i = 0; i < in->count; i++)
        if (a->to_depth)
            out->data[place_of(in->shape, out->shape, a->block, i)] = in->data[i];
        else
            out->data[i] = in->data[place_of(out->shape, in->shape, a->block, i)];
}

/* Back again: nothing may have changed. */
static mica_value *build_back(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    const attrs *a = c->attrs;
    return mica_depth_to_space(build(graph, in, c), a->block);
}

static void reference_back(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < in->count; i++)
        out->data[i] = in->data[i];
}

#define BLOCK(to_depth, block)                                                                     \
    .n_in = 1, .attrs = &(const attrs) {                                                           \
        to_depth, block                                                                            \
    }
#define SPACE(b, h, w, d, s)                                                                       \
    {                                                                                              \
        .name = "space_to_depth " #b "x" #h "x" #w "x" #d " by " #s, BLOCK(true, s),               \
        .in = {{.shape = {4, {b, h, w, d}}}}, .out = {4, {b, (h) / (s), (w) / (s), (s) * (s)*d}},  \
        .tolerance = -1                                                                            \
    }
#define DEPTH(b, h, w, d, s)                                                                       \
    {                                                                                              \
        .name = "depth_to_space " #b "x" #h "x" #w "x" #d " by " #s, BLOCK(false, s),              \
        .in = {{.shape = {4, {b, h, w, d}}}},                                                      \
        .out = {4, {b, (h) * (s), (w) * (s), (d) / (s) / (s)}}, .tolerance = -1                    \
    }
#define REFUSED(text, to_depth, s, shape_, ...)                                                    \
    {                                                                                              \
        .name = text, BLOCK(to_depth, s), .in = {{.shape = shape_}}, .refused = MICA_E_INVALID,    \
        .words = {                                                                                 \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define S(...) __VA_ARGS__

static const mica_op_case cases[] = {
    SPACE(1, 1, 1, 1, 1),
    SPACE(1, 2, 2, 1, 2),
    SPACE(2, 4, 6, 3, 2),
    SPACE(3, 9, 6, 5, 3),
    SPACE(1, 33, 22, 2, 11),
    SPACE(2, 8, 8, 32, 4),
    SPACE(1, 31, 33, 7, 1),
    SPACE(4, 64, 62, 3, 2),
    DEPTH(1, 1, 1, 4, 2),
    DEPTH(2, 3, 2, 12, 2),
    DEPTH(1, 5, 7, 45, 3),
    DEPTH(3, 1, 9, 64, 4),
    DEPTH(2, 31, 17, 12, 2),
    {.name = "there and back",
        BLOCK(true, 2),
        .in = {{.shape = {4, {2, 6, 10, 3}}}},
        .out = {4, {2, 6, 10, 3}},
        .build = build_back,
        .reference = reference_back,
        .tolerance = -1},
    REFUSED("an odd height", true, 2, S({4, {1, 3, 4, 1}}), "space_to_depth", "2", "(1, 3, 4, 1)"),
    REFUSED("a block of 0", true, 0, S({4, {1, 3, 4, 1}}), "space_to_depth", "0"),
    REFUSED("a matrix", true, 2, S({2, {2, 4}}), "space_to_depth", "(2, 4)"),
    REFUSED("a depth of 6", false, 2, S({4, {1, 3, 4, 6}}), "depth_to_space", "(1, 3, 4, 6)"),
    REFUSED("a huge block", false, INT64_MAX, S({4, {1, 3, 4, 6}}), "depth_to_space"),
    REFUSED("a negative block", false, -2, S({4, {1, 3, 4, 4}}), "depth_to_space", "-2"),
};

const mica_op_suite mica_suite_space_to_depth = {
    .name = "space_to_depth", MICA_CASES(cases), .build = build, .reference = reference};
