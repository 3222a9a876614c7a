/* Cases of dropout: the mask is that of base/philox.h, bit by bit, on every device. */
#include "tests/op/harness.h"

#include "base/philox.h"
#include "graph/graph_impl.h"

/* What element i is multiplied with, in the first step of a model. */
static double factor(const mica_value *value, float keep_prob, int64_t i) {
    const uint32_t counter[4] = {(uint32_t)(i / 4), value->node->id, 0, 0};
    const uint32_t key[2] = {MICA_CASE_SEED, 0};
    uint32_t words[4];
    mica_philox(counter, key, words);
    double uniform = (double)(words[i % 4] >> 8) * 0x1p-24;
    return uniform < (double)keep_prob ? (double)(1 / keep_prob) : 0;
}

static mica_value *build(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    return mica_dropout(in[0], *(const float *)c->attrs);
}

static void reference(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    for (int64_t i = 0; i < in->count; i++)
        out->data[i] = in->data[i] * factor(out->value, *(const float *)c->attrs, i);
}

static void gradient(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    for (int64_t i = 0; i < in->count; i++)
        din->data[i] = dout->data[i] * factor(dout->value, *(const float *)c->attrs, i);
}

/* The second of two, of one tensor; and behind another node. */
static mica_value *build_second(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    mica_value *first = build(graph, in, c);
    mica_value *second = build(graph, in, c);
    return first ? second : NULL;
}

static mica_value *build_passing(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    return mica_scale(build(graph, in, c), 2);
}

static void reference_passing(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < in->count; i++)
        out->data[i] = 2 * in->data[i];
}

static void gradient_passing(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    (void)c;
    for (int64_t i = 0; i < in->count; i++)
        din->data[i] = 2 * dout->data[i];
}

static const float half = 0.5f, most = 0.9f, few = 0.003f, all = 1, none = 0, above = 1.5f;

/* No zeros in the input: each element shows its mask. */
#define CASE(text, keep_prob, ...)                                                                 \
    {                                                                                              \
        .name = text, .n_in = 1, .attrs = &keep_prob,                                              \
        .in = {{.shape = {__VA_ARGS__}, .fill = MICA_FILL_APART, .low = 0.5, .high = 1}},          \
        .out = {__VA_ARGS__}, .tolerance = 2e-7, .gradient_tolerance = 2e-7, .probes = 256,        \
        .training = true, .alone = true                                                            \
    }
#define REFUSED(text, keep_prob, type)                                                             \
    {                                                                                              \
        .name = text, .n_in = 1, .attrs = &keep_prob, .in = {{.shape = {1, {3}}, .dtype = type}},  \
        .refused = MICA_E_INVALID, .words = {                                                      \
            "dropout"                                                                              \
        }                                                                                          \
    }

static const mica_op_case cases[] = {
    CASE("a scalar", most, 0),
    CASE("1", most, 1, {1}),
    CASE("3", half, 1, {3}),
    CASE("31", half, 1, {31}),
    CASE("32", half, 1, {32}),
    CASE("33", most, 1, {33}),
    CASE("64", most, 1, {64}),
    CASE("65", most, 1, {65}),
    CASE("127x5", half, 2, {127, 5}),
    CASE("128x256", half, 2, {128, 256}),
    CASE("2x3x5x7", most, 4, {2, 3, 5, 7}),
    CASE("100003", half, 1, {100003}),
    CASE("few of 30001", few, 1, {30001}),
    {.name = "the second of two",
        .n_in = 1,
        .attrs = &half,
        .in = {{.shape = {2, {9, 33}}, .fill = MICA_FILL_APART, .low = 0.5, .high = 1}},
        .out = {2, {9, 33}},
        .build = build_second,
        .training = true,
        .alone = true},
    {.name = "evaluation",
        .n_in = 1,
        .attrs = &half,
        .in = {{.shape = {2, {9, 33}}}},
        .out = {2, {9, 33}},
        .build = build_passing,
        .reference = reference_passing,
        .gradient = gradient_passing},
    {.name = "keep_prob 1",
        .n_in = 1,
        .attrs = &all,
        .in = {{.shape = {2, {9, 33}}}},
        .out = {2, {9, 33}},
        .build = build_passing,
        .reference = reference_passing,
        .gradient = gradient_passing,
        .training = true},
    REFUSED("keep_prob 0", none, MICA_F32),
    REFUSED("keep_prob 1.5", above, MICA_F32),
    REFUSED("int32", half, MICA_I32),
};

const mica_op_suite mica_suite_dropout = {.name = "dropout",
    MICA_CASES(cases),
    .build = build,
    .reference = reference,
    .gradient = gradient};
