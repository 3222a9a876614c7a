/* Cases of the losses that are made of other operators. */
#include "tests/op/harness.h"

#include <math.h>

static mica_value *build_squared_error(
    mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_mean_squared_error(in[0], in[1]);
}

static void reference_squared_error(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < in[0].count; i++) {
        double d = in[0].data[i] - in[1].data[i % in[1].count];
        out->data[0] += d * d / (double)in[0].count;
    }
}

static void gradient_squared_error(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    (void)c;
    for (int64_t i = 0; i < in[0].count; i++) {
        int64_t k = i % in[1].count;
        double g = 2 * dout->data[0] * (in[0].data[i] - in[1].data[k]) / (double)in[0].count;
        din[0].data[i] += g;
        if (din[1].data)
            din[1].data[k] -= g;
    }
}

static mica_value *build_penalty(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    return mica_l2_penalty(in[0], *(const float *)c->attrs);
}

static void reference_penalty(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    for (int64_t i = 0; i < in->count; i++)
        out->data[0] += 0.5 * (double)*(const float *)c->attrs * in->data[i] * in->data[i];
}

static void gradient_penalty(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    for (int64_t i = 0; i < in->count; i++)
        din->data[i] = dout->data[0] * (double)*(const float *)c->attrs * in->data[i];
}

/* An error and a penalty of the same weights: a tensor used twice. */
static mica_value *build_both(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    return mica_add(build_squared_error(graph, in, c), build_penalty(graph, in, c));
}

static void reference_both(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    reference_squared_error(c, in, out);
    reference_penalty(c, in, out);
}

static const float tenth = 0.1f, hundredth = 0.01f;

#define SQUARED_ERROR(text)                                                                        \
    .name = "mean_squared_error " text, .n_in = 2, .build = build_squared_error,                   \
    .reference = reference_squared_error, .gradient = gradient_squared_error, .tolerance = 1e-6,   \
    .gradient_tolerance = 1e-6
#define PENALTY(text)                                                                              \
    .name = "l2_penalty " text, .n_in = 1, .build = build_penalty, .reference = reference_penalty, \
    .gradient = gradient_penalty, .tolerance = 1e-6, .gradient_tolerance = 1e-6

static const mica_op_case cases[] = {
    {SQUARED_ERROR("of scalars"), .in = {{.shape = {0}}, {.shape = {0}}}},
    {SQUARED_ERROR("1"), .in = {{.shape = {1, {1}}}, {.shape = {1, {1}}}}},
    {SQUARED_ERROR("31"), .in = {{.shape = {1, {31}}}, {.shape = {1, {31}}}}},
    {SQUARED_ERROR("32x33"), .in = {{.shape = {2, {32, 33}}}, {.shape = {2, {32, 33}}}}},
    {SQUARED_ERROR("128x784, fixed targets"),
        .in = {{.shape = {2, {128, 784}}}, {.shape = {2, {128, 784}}, .fixed = true}}},
    {SQUARED_ERROR("rows with one row"), .in = {{.shape = {2, {9, 7}}}, {.shape = {1, {7}}}}},
    {SQUARED_ERROR("5 with 4"), .in = {{.shape = {1, {5}}}, {.shape = {1, {4}}}},
        .refused = MICA_E_INVALID, .words = {"(5)", "(4)"}},
    {PENALTY("a scalar"), .in = {{.shape = {0}}}, .attrs = &tenth},
    {PENALTY("1"), .in = {{.shape = {1, {1}}}}, .attrs = &tenth},
    {PENALTY("33"), .in = {{.shape = {1, {33}}}}, .attrs = &hundredth},
    {PENALTY("256x401"), .in = {{.shape = {2, {256, 401}}}}, .attrs = &hundredth},
    {.name = "both of one tensor",
        .n_in = 2,
        .in = {{.shape = {2, {13, 7}}}, {.shape = {2, {13, 7}}}},
        .attrs = &tenth,
        .build = build_both,
        .reference = reference_both},
};

const mica_op_suite mica_suite_losses = {.name = "losses", MICA_CASES(cases)};
