/* Cases of one_hot; attrs is the number of classes. */
#include "tests/op/harness.h"

static mica_value *build(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    return mica_one_hot(in[0], *(const int64_t *)c->attrs);
}

static void reference(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const int64_t classes = *(const int64_t *)c->attrs;
    for (int64_t i = 0; i < in->count; i++)
        if (in->data[i] >= 0 && in->data[i] < (double)classes)
            out->data[i * classes + (int64_t)in->data[i]] = 1;
}

#define CLASSES(n)          .n_in = 1, .attrs = &(const int64_t){n}, .tolerance = -1
#define LABELS(low_, high_) .dtype = MICA_I32, .low = (low_), .high = (high_)
#define CASE(samples, classes)                                                                     \
    {                                                                                              \
        .name = #samples "x" #classes, CLASSES(classes),                                           \
        .in = {{.shape = {1, {samples}}, LABELS(0, classes - 1)}}, .out = {                        \
            2,                                                                                     \
            {samples, classes}                                                                     \
        }                                                                                          \
    }

static const mica_op_case cases[] = {
    CASE(1, 1),
    CASE(7, 1),
    CASE(1, 7),
    CASE(31, 31),
    CASE(32, 32),
    CASE(33, 33),
    CASE(128, 10),
    CASE(129, 17),
    CASE(5, 1000),
    CASE(1, 100000),
    CASE(100000, 10),
    {.name = "labels out of range",
        CLASSES(5),
        .in = {{.shape = {1, {200}}, LABELS(-3, 8)}},
        .out = {2, {200, 5}}},
    {.name = "2x3x4 labels",
        CLASSES(6),
        .in = {{.shape = {3, {2, 3, 4}}, LABELS(0, 5)}},
        .out = {4, {2, 3, 4, 6}}},
    {.name = "a single label", CLASSES(6), .in = {{LABELS(0, 5)}}, .out = {1, {6}}},
    {.name = "labels of float32",
        CLASSES(6),
        .in = {{.shape = {1, {4}}}},
        .refused = MICA_E_INVALID,
        .words = {"one_hot", "int32", "in0"}},
    {.name = "no classes",
        CLASSES(0),
        .in = {{.shape = {1, {4}}, LABELS(0, 5)}},
        .refused = MICA_E_INVALID,
        .words = {"one_hot"}},
    {.name = "too many classes",
        CLASSES(INT64_MAX),
        .in = {{.shape = {1, {4}}, LABELS(0, 5)}},
        .refused = MICA_E_INVALID,
        .words = {"one_hot"}},
    {.name = "labels of six dimensions",
        CLASSES(2),
        .in = {{.shape = {6, {1, 1, 1, 1, 1, 1}}, LABELS(0, 1)}},
        .refused = MICA_E_INVALID,
        .words = {"one_hot", "6"}},
};

const mica_op_suite mica_suite_one_hot = {.name = "one_hot",
    MICA_CASES(cases),
    .build = build,
    .reference = reference,
    .no_gradient = true};
