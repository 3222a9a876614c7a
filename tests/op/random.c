/* Cases of random numbers: those of base/philox.h, word by word, on every device; their moments;
 * samples of normal distributions and what flows back to their parameters. */
#include "tests/op/harness.h"

#include "base/philox.h"
#include "graph/graph_impl.h"

#include <math.h>

/* Element i of a node's numbers in the first step of a model. */
static double uniform(const mica_node *node, int64_t i) {
    const uint32_t counter[4] = {(uint32_t)(i / 4), node->id, 0, 0};
    const uint32_t key[2] = {MICA_CASE_SEED, 0};
    uint32_t words[4];
    mica_philox(counter, key, words);
    return (double)(words[i % 4] >> 8) * 0x1p-24;
}

static double normal(const mica_node *node, int64_t i) {
    const double radius = sqrt(-2 * log(uniform(node, i / 2 * 2) + 0x1p-24));
    const double angle = 6.283185307179586 * uniform(node, i / 2 * 2 + 1);
    return radius * (i % 2 ? sin(angle) : cos(angle));
}

/* A random node has no input that the harness could differentiate in or scale: one is added. */
static mica_value *build_uniform(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    return mica_add(in[0], mica_random_uniform(graph, c->out));
}

static mica_value *build_normal(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    return mica_add(in[0], mica_random_normal(graph, c->out));
}

static void reference_uniform(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = in[0].data[i] + uniform(out->value->node->in[1]->node, i);
}

static void reference_normal(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = in[0].data[i] + normal(out->value->node->in[1]->node, i);
}

/* The second of two: another stream. */
static mica_value *build_second(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    mica_value *first = mica_random_normal(graph, c->out);
    return first ? build_normal(graph, in, c) : NULL;
}

/* The first four moments of a million numbers, each added to a row. */
static mica_value *build_moments(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)c;
    mica_value *z = mica_random_normal(graph, MICA_SHAPE(1 << 20));
    mica_value *moments[4];
    for (int i = 0; i < 4; i++)
        moments[i] = mica_reshape(
            mica_mean(mica_pow(z, (float)(i + 1)), NULL, 0, false), 2, (const int64_t[]){1, 1});
    return mica_add(in[0], mica_concat(moments, 4, 0));
}

static void reference_moments(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    static const double expected[] = {0, 1, 0, 3};
    (void)c;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = in[0].data[i] + expected[i / in[0].shape.dim[1]];
}

/* ---- samples ---- */

static mica_value *build_sample(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_gaussian_sample(in[0], in[1]);
}

static const mica_node *noise_of(const mica_value *sample) {
    return sample->node->in[1]->node->in[1]->node;
}

static void reference_sample(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = in[0].data[i] + exp(in[1].data[i] / 2) * normal(noise_of(out->value), i);
}

static void gradient_sample(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    (void)c;
    for (int64_t i = 0; i < dout->count; i++) {
        const double g = dout->data[i];
        din[0].data[i] = g;
        din[1].data[i] = g * exp(in[1].data[i] / 2) / 2 * normal(noise_of(dout->value), i);
    }
}

/* ---- refused ---- */

static mica_value *build_empty(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)in, (void)c;
    return mica_random_normal(graph, (mica_shape){2, {3, 0}});
}

static mica_value *build_large(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)in, (void)c;
    return mica_random_uniform(graph, (mica_shape){2, {70000, 70000}});
}

#define CASE(kind, text, ...)                                                                      \
    {                                                                                              \
        .name = #kind " " text, .n_in = 1, .in = {{.shape = {__VA_ARGS__}}}, .out = {__VA_ARGS__}, \
        .build = build_##kind, .reference = reference_##kind, .scale = 1, .tolerance = 1e-6,       \
        .no_gradient = true, .alone = true                                                         \
    }
#define SAMPLE(text, training_, ...)                                                               \
    {                                                                                              \
        .name = "gaussian_sample " text, .n_in = 2,                                                \
        .in = {{.shape = {__VA_ARGS__}}, {.shape = {__VA_ARGS__}, .low = -3, .high = 2}},          \
        .out = {__VA_ARGS__}, .build = build_sample, .reference = reference_sample,                \
        .gradient = gradient_sample, .scale = 1, .tolerance = 1e-6, .training = training_,         \
        .alone = true                                                                              \
    }

static const mica_op_case cases[] = {
    CASE(uniform, "a scalar", 0),
    CASE(uniform, "31", 1, {31}),
    CASE(uniform, "32", 1, {32}),
    CASE(uniform, "5x33", 2, {5, 33}),
    CASE(uniform, "100003", 1, {100003}),
    CASE(normal, "a scalar", 0),
    CASE(normal, "1", 1, {1}),
    CASE(normal, "31", 1, {31}),
    CASE(normal, "33", 1, {33}),
    CASE(normal, "64", 1, {64}),
    CASE(normal, "65", 1, {65}),
    CASE(normal, "127x5", 2, {127, 5}),
    CASE(normal, "2x3x5x7", 4, {2, 3, 5, 7}),
    CASE(normal, "1000003", 1, {1000003}),
    {.name = "the second of two",
        .n_in = 1,
        .in = {{.shape = {2, {9, 33}}}},
        .out = {2, {9, 33}},
        .build = build_second,
        .reference = reference_normal,
        .scale = 1,
        .tolerance = 1e-6,
        .no_gradient = true,
        .alone = true},
    {.name = "moments of normal numbers",
        .n_in = 1,
        .in = {{.shape = {2, {4, 1000}}}}, /* too many elements for simulators */
        .out = {2, {4, 1000}},
        .build = build_moments,
        .reference = reference_moments,
        .scale = 1,
        .tolerance = 0.02, /* the fourth's deviation is 0.0096 */
        .no_gradient = true,
        .alone = true},
    SAMPLE("1", false, 1, {1}),
    SAMPLE("33x20", true, 2, {33, 20}),
    SAMPLE("33x20 evaluating", false, 2, {33, 20}),
    SAMPLE("128x31", true, 2, {128, 31}),
    {.name = "of no elements",
        .n_in = 1,
        .in = {{.shape = {1, {3}}}},
        .build = build_empty,
        .refused = MICA_E_INVALID,
        .words = {"random", "(3, 0)"}},
    {.name = "of too many elements",
        .n_in = 1,
        .in = {{.shape = {1, {3}}}},
        .build = build_large,
        .refused = MICA_E_INVALID,
        .words = {"random", "(70000, 70000)"}},
    {.name = "gaussian_sample of different shapes",
        .n_in = 2,
        .in = {{.shape = {2, {3, 4}}}, {.shape = {1, {4}}}},
        .build = build_sample,
        .refused = MICA_E_INVALID,
        .words = {"gaussian_sample", "(3, 4)", "(4)"}},
};

const mica_op_suite mica_suite_random = {.name = "random", MICA_CASES(cases)};
