/* Cases of padding: every mode, in any dimensions, by up to as much as it takes. */
#include "tests/op/harness.h"

#include <math.h>

typedef struct attrs {
    mica_pad_mode mode;
    float number;
    int64_t before[MICA_MAX_RANK], after[MICA_MAX_RANK];
} attrs;

static mica_value *build(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    const attrs *a = c->attrs;
    return mica_pad(in[0], a->before, a->after, a->mode, a->number);
}

/* The element that place i of a dimension copies, found by walking; -1: none. */
static int64_t source_of(mica_pad_mode mode, int64_t n, int64_t i) {
    int64_t at = 0, step = i < 0 ? -1 : 1;
    if (mode == MICA_PAD_CONSTANT)
        return i < 0 || i >= n ? -1 : i;
    if (mode == MICA_PAD_EDGE)
        return i < 0 ? 0 : i >= n ? n - 1 : i;
    /* from 0 on, turning round at the ends; symmetric stays there for one step */
    int64_t direction = step;
    for (int64_t k = 0; k != i; k += step) {
        if (at + direction >= 0 && at + direction < n) {
            at += direction;
        } else {
            direction = -direction;
            at += mode == MICA_PAD_REFLECT ? direction : 0;
        }
    }
    return at;
}

/* Where element i of the result comes from; -1: from nowhere. */
static int64_t element_of(const attrs *a, mica_shape x, mica_shape y, int64_t i) {
    int64_t from = 0, stride = 1;
    for (int d = y.rank; d-- > 0;) {
        const int64_t at = source_of(a->mode, x.dim[d], i % y.dim[d] - a->before[d]);
        i /= y.dim[d];
        if (at < 0)
            return -1;
        from += at * stride;
        stride *= x.dim[d];
    }
    return from;
}

static void reference(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const attrs *a = c->attrs;
    for (int64_t i = 0; i < out->count; i++) {
        const int64_t from = element_of(a, in->shape, out->shape, i);
        out->data[i] = from < 0 ? (double)a->number : in->data[from];
    }
}

static void gradient(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    for (int64_t i = 0; i < dout->count; i++) {
        const int64_t from = element_of(c->attrs, in->shape, dout->shape, i);
        if (from >= 0)
            din->data[from] += dout->data[i];
    }
}

static mica_value *build_null(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_pad(in[0], NULL, NULL, MICA_PAD_EDGE, 0);
}

#define S(...) __VA_ARGS__
#define PAD(mode_, text, x, before_, after_, y)                                                    \
    {                                                                                              \
        .name = #mode_ " " text, .n_in = 1, .in = {{.shape = x}}, .out = y,                        \
        .attrs = &(const attrs){MICA_PAD_##mode_, -1.5f, before_, after_}, .tolerance = -1,        \
        .gradient_tolerance = 1e-5, .probes = 128                                                  \
    }
#define ALL(text, x, before, after, y)                                                             \
    PAD(CONSTANT, text, S(x), S(before), S(after), S(y)),                                          \
        PAD(REFLECT, text, S(x), S(before), S(after), S(y)),                                       \
        PAD(SYMMETRIC, text, S(x), S(before), S(after), S(y)),                                     \
        PAD(EDGE, text, S(x), S(before), S(after), S(y))
#define REFUSED(text, x, mode_, before_, after_, ...)                                              \
    {                                                                                              \
        .name = text, .n_in = 1, .in = {{.shape = x}},                                             \
        .attrs = &(const attrs){(mica_pad_mode)(mode_), 0, before_, after_},                       \
        .refused = MICA_E_INVALID, .words = {                                                      \
            "pad",                                                                                 \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static const mica_op_case cases[] = {
    ALL("3", S({1, {3}}), S({2}), S({1}), S({1, {6}})),
    ALL("33 by all but one", S({1, {33}}), S({32}), S({32}), S({1, {97}})),
    ALL("before 31x5", S({2, {31, 5}}), S({1, 2}), S({0, 0}), S({2, {32, 7}})),
    ALL("behind 5x32", S({2, {5, 32}}), S({0, 0}), S({4, 1}), S({2, {9, 33}})),
    ALL("an image of 3", S({4, {2, 5, 6, 3}}), S({0, 1, 2, 0}), S({0, 2, 1, 0}),
        S({4, {2, 8, 9, 3}})),
    ALL("an image of 33", S({4, {1, 4, 3, 33}}), S({0, 3, 1, 0}), S({0, 1, 2, 0}),
        S({4, {1, 8, 6, 33}})),
    ALL("rows alone", S({4, {2, 7, 8, 4}}), S({0, 1, 0, 0}), S({0, 1, 0, 0}), S({4, {2, 9, 8, 4}})),
    ALL("the first of few long ones", S({3, {3, 8, 40}}), S({1, 0, 0}), S({2, 0, 0}),
        S({3, {6, 8, 40}})),
    ALL("every dimension", S({6, {2, 3, 2, 3, 2, 3}}), S({1, 0, 1, 2, 1, 1}), S({0, 2, 1, 1, 1, 2}),
        S({6, {3, 5, 4, 6, 4, 6}})),
    ALL("nothing", S({2, {5, 7}}), S({0, 0}), S({0, 0}), S({2, {5, 7}})),
    ALL("64x64 images", S({4, {4, 64, 64, 3}}), S({0, 1, 1, 0}), S({0, 1, 1, 0}),
        S({4, {4, 66, 66, 3}})),
    PAD(SYMMETRIC, "by all", S({2, {3, 4}}), S({3, 4}), S({3, 4}), S({2, {9, 12}})),
    PAD(SYMMETRIC, "one element", S({2, {1, 1}}), S({1, 0}), S({1, 1}), S({2, {3, 2}})),
    PAD(EDGE, "one element", S({2, {1, 1}}), S({3, 0}), S({30, 17}), S({2, {34, 18}})),
    PAD(EDGE, "by far", S({2, {4, 5}}), S({100, 50}), S({3, 70}), S({2, {107, 125}})),
    PAD(CONSTANT, "by far", S({2, {4, 5}}), S({100, 50}), S({3, 70}), S({2, {107, 125}})),
    PAD(CONSTANT, "a scalar", {0}, S({0}), S({0}), {0}),
    {.name = "CONSTANT keeps NaN",
        .n_in = 1,
        .in = {{.shape = {2, {33, 7}}, .fill = MICA_FILL_NAN}},
        .attrs = &(const attrs){MICA_PAD_CONSTANT, 2, {1, 1}, {1, 1}},
        .out = {2, {35, 9}},
        .no_gradient = true},

    REFUSED("reflect as much as there is", S({1, {3}}), MICA_PAD_REFLECT, S({3}), S({0}),
        "before[0]", "0 .. 2", "3"),
    REFUSED("symmetric by more than there is", S({2, {9, 3}}), MICA_PAD_SYMMETRIC, S({0, 0}),
        S({0, 4}), "after[1]", "0 .. 3", "4"),
    REFUSED("negative amounts", S({1, {3}}), MICA_PAD_CONSTANT, S({-1}), S({0}), "before[0]", "-1"),
    REFUSED("too much to count", S({1, {3}}), MICA_PAD_EDGE, S({0}), S({INT64_MAX}), "after[0]"),
    REFUSED("too many elements", S({2, {3, 3}}), MICA_PAD_EDGE, S({70000, 70000}), S({0, 0}),
        "(70003, 70003)"),
    REFUSED("mode 5", S({1, {3}}), 5, S({0}), S({0}), "mode 5"),
    {.name = "int32",
        .n_in = 1,
        .in = {{.shape = {1, {3}}, .dtype = MICA_I32}},
        .attrs = &(const attrs){MICA_PAD_EDGE, 0, {1}, {1}},
        .refused = MICA_E_INVALID,
        .words = {"pad", "in0", "float32"}},
    {.name = "without amounts",
        .n_in = 1,
        .in = {{.shape = {1, {3}}}},
        .build = build_null,
        .refused = MICA_E_INVALID,
        .words = {"pad", "before", "NULL"}},
};

const mica_op_suite mica_suite_pad = {
    .name = "pad", MICA_CASES(cases), .build = build, .reference = reference, .gradient = gradient};
