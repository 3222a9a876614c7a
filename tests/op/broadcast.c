/* Cases of broadcast. */
#include "tests/op/harness.h"

static mica_value *build(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    return mica_broadcast(in[0], c->attrs ? *(const mica_shape *)c->attrs : c->out);
}

/* The input's element of output element i. */
static int64_t source(mica_shape in, mica_shape out, int64_t i) {
    int64_t at = 0, stride = 1;
    for (int k = 0; k < in.rank; k++) {
        int64_t size = in.dim[in.rank - 1 - k], whole = out.dim[out.rank - 1 - k];
        at += size == 1 ? 0 : i % whole * stride;
        stride *= size;
        i /= whole;
    }
    return at;
}

static void reference(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = in->data[source(in->shape, out->shape, i)];
}

static void gradient(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    (void)c;
    for (int64_t i = 0; i < dout->count; i++)
        din->data[source(in->shape, dout->shape, i)] += dout->data[i];
}

/* The stretched and the plain value, and the stretched one by itself. */
static mica_value *build_twice(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    mica_value *wide = mica_broadcast(in[0], c->out);
    return mica_add(mica_mul(wide, wide), mica_broadcast(wide, c->out));
}

static void reference_twice(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < out->count; i++) {
        double x = in->data[source(in->shape, out->shape, i)];
        out->data[i] = x * x + x;
    }
}

static void gradient_twice(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    gradient(c, in, dout, din);
    for (int64_t i = 0; i < din->count; i++)
        din->data[i] *= 2 * in->data[i] + 1;
}

/* Copies are exact. */
#define S(...) __VA_ARGS__
#define STRETCH(text, in_, out_)                                                                   \
    { .name = text, .n_in = 1, .in = {{.shape = in_}}, .out = out_, .tolerance = -1 }
#define NUMBERS(text, in_, out_)                                                                   \
    {                                                                                              \
        .name = text, .n_in = 1,                                                                   \
        .in = {{.shape = in_, .dtype = MICA_I32, .low = -2000000000, .high = 2000000000}},         \
        .out = out_, .tolerance = -1                                                               \
    }

static const mica_op_case cases[] = {
    STRETCH("scalar to scalar", {0}, {0}),
    STRETCH("scalar to 1", {0}, S({1, {1}})),
    STRETCH("scalar to 33x31", {0}, S({2, {33, 31}})),
    STRETCH("1 to 100003", S({1, {1}}), S({1, {100003}})),
    STRETCH("7x5 to itself", S({2, {7, 5}}), S({2, {7, 5}})),
    STRETCH("32 to 5x32", S({1, {32}}), S({2, {5, 32}})),
    STRETCH("33 to 4x33", S({1, {33}}), S({2, {4, 33}})),
    STRETCH("3 to 1001x3", S({1, {3}}), S({2, {1001, 3}})),
    STRETCH("9x1 to 9x16", S({2, {9, 1}}), S({2, {9, 16}})),
    STRETCH("9x1 to 9x31", S({2, {9, 1}}), S({2, {9, 31}})),
    STRETCH("4x1x1x16 to 4x3x3x16", S({4, {4, 1, 1, 16}}), S({4, {4, 3, 3, 16}})),
    STRETCH("2x1x3x1 to 2x5x3x7", S({4, {2, 1, 3, 1}}), S({4, {2, 5, 3, 7}})),
    STRETCH("2x1x3x1x2 to 2x4x3x3x2", S({5, {2, 1, 3, 1, 2}}), S({5, {2, 4, 3, 3, 2}})),
    STRETCH("1x2x1x3x1x2 to 3x2x2x3x2x2", S({6, {1, 2, 1, 3, 1, 2}}), S({6, {3, 2, 2, 3, 2, 2}})),
    STRETCH("2x1x3x1x2x1 to 2x2x3x3x2x2", S({6, {2, 1, 3, 1, 2, 1}}), S({6, {2, 2, 3, 3, 2, 2}})),
    STRETCH("4 to 1x1x4", S({1, {4}}), S({3, {1, 1, 4}})),
    {.name = "NaN",
        .n_in = 1,
        .in = {{.shape = {1, {33}}, .fill = MICA_FILL_NAN}},
        .out = {2, {3, 33}},
        .tolerance = -1,
        .no_gradient = true},
    NUMBERS("int32 to 17x3", {0}, S({2, {17, 3}})),
    NUMBERS("int32 5x1 to 5x33", S({2, {5, 1}}), S({2, {5, 33}})),
    NUMBERS("int32 2x1x3x1x2 to 2x4x3x3x2", S({5, {2, 1, 3, 1, 2}}), S({5, {2, 4, 3, 3, 2}})),
    {.name = "used twice",
        .n_in = 1,
        .in = {{.shape = {2, {5, 1}}}},
        .out = {2, {5, 33}},
        .build = build_twice,
        .reference = reference_twice,
        .gradient = gradient_twice},
    {.name = "3 to 4",
        .n_in = 1,
        .in = {{.shape = {1, {3}}}},
        .out = {1, {4}},
        .refused = MICA_E_INVALID,
        .words = {"broadcast", "(3)", "(4)", "in0"}},
    {.name = "2x3 to 3",
        .n_in = 1,
        .in = {{.shape = {2, {2, 3}}}},
        .out = {1, {3}},
        .refused = MICA_E_INVALID,
        .words = {"broadcast", "(2, 3)", "(3)"}},
    {.name = "too many elements",
        .n_in = 1,
        .in = {{.shape = {1, {1}}}},
        .attrs = &(const mica_shape){3, {1 << 20, INT64_MAX, INT64_MAX}},
        .refused = MICA_E_INVALID},
    {.name = "invalid shape",
        .n_in = 1,
        .in = {{.shape = {1, {1}}}},
        .attrs = &(const mica_shape){-1, {0}},
        .refused = MICA_E_INVALID},
};

const mica_op_suite mica_suite_broadcast = {.name = "broadcast",
    MICA_CASES(cases),
    .build = build,
    .reference = reference,
    .gradient = gradient};
