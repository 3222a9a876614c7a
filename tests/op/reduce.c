/* Cases of sum, mean, max and norm. */
#include "tests/op/harness.h"

#include <math.h>
#include <stdlib.h>

typedef struct reduction {
    mica_value *(*build)(mica_value *a, const int *axes, int count, bool keep);
    char kind; /* 's', 'm' or 'x' for the maximum */
    int axes[MICA_MAX_RANK];
    int count; /* 0: all axes */
    bool keep;
} reduction;

static mica_value *build_reduction(
    mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    const reduction *r = c->attrs;
    return r->build(in[0], r->count ? r->axes : NULL, r->count, r->keep);
}

/* The output that element i of the input goes to. */
static int64_t target(const reduction *r, mica_shape shape, int64_t i) {
    bool reduced[MICA_MAX_RANK] = {0};
    for (int k = 0; k < r->count; k++)
        reduced[r->axes[k] < 0 ? r->axes[k] + shape.rank : r->axes[k]] = true;
    int64_t at = 0, stride = 1;
    for (int k = shape.rank - 1; k >= 0; k--) {
        if (r->count && !reduced[k]) {
            at += i % shape.dim[k] * stride;
            stride *= shape.dim[k];
        }
        i /= shape.dim[k];
    }
    return at;
}

static void reference_reduction(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const reduction *r = c->attrs;
    double share = r->kind == 'm' ? (double)out->count / (double)in->count : 1;
    for (int64_t i = 0; r->kind == 'x' && i < out->count; i++)
        out->data[i] = -INFINITY;
    for (int64_t i = 0; i < in->count; i++) {
        double *y = &out->data[target(r, in->shape, i)], x = in->data[i];
        if (r->kind != 'x')
            *y += share * x;
        else if (!(x <= *y) && !isnan(*y))
            *y = x;
    }
}

/* A maximum's goes to the first of equals. */
static void gradient_reduction(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    const reduction *r = c->attrs;
    double share = r->kind == 'm' ? (double)dout->count / (double)in->count : 1;
    int64_t *best = calloc((size_t)dout->count, sizeof *best); /* place + 1; 0: none yet */
    for (int64_t i = 0; i < in->count && best; i++) {
        int64_t to = target(r, in->shape, i);
        if (!best[to] || in->data[i] > in->data[best[to] - 1])
            best[to] = i + 1;
        din->data[i] = r->kind == 'x' ? 0 : share * dout->data[to];
    }
    for (int64_t i = 0; i < dout->count && best && r->kind == 'x'; i++)
        din->data[best[i] - 1] = dout->data[i];
    free(best);
}

static mica_value *build_norm(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_norm(in[0]);
}

static void reference_norm(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    for (int64_t i = 0; i < in->count; i++)
        out->data[0] += in->data[i] * in->data[i];
    out->data[0] = sqrt(out->data[0]);
}

static void gradient_norm(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    double norm[1] = {0};
    mica_ref y = {.data = norm};
    reference_norm(c, in, &y);
    for (int64_t i = 0; i < in->count; i++)
        din->data[i] = norm[0] > 0 ? dout->data[0] * in->data[i] / norm[0] : 0;
}

/* sum(max(a, 1) * mean(a, 1)): a tensor used twice, and reductions of reductions. */
static mica_value *build_twice(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_sum(
        mica_mul(mica_max(in[0], (int[]){1}, 1, false), mica_mean(in[0], (int[]){1}, 1, false)),
        NULL, 0, false);
}

static void reference_twice(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    int64_t size = in->shape.dim[1];
    for (int64_t at = 0; at < in->count; at += size) {
        double top = -INFINITY, sum = 0;
        for (int64_t i = 0; i < size; i++) {
            top = fmax(top, in->data[at + i]);
            sum += in->data[at + i];
        }
        out->data[0] += top * sum / (double)size;
    }
}

#define AXES(f, kind, keep, ...)                                                                   \
    &(const reduction) {                                                                           \
        mica_##f, kind, {__VA_ARGS__}, (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), keep     \
    }
#define ALL(f, kind, keep)                                                                         \
    &(const reduction) {                                                                           \
        mica_##f, kind, {0}, 0, keep                                                               \
    }
#define CASE(f, text)                                                                              \
    .name = #f " " text, .n_in = 1, .build = build_reduction, .reference = reference_reduction,    \
    .gradient = gradient_reduction, .tolerance = 1e-6, .gradient_tolerance = 1e-6
/* Inputs: without equal elements; of one sign, so that the sum is as large as its parts; others. */
#define APART(...)                                                                                 \
    .in = {{.shape = {__VA_ARGS__}, .fill = MICA_FILL_DISTINCT, .low = -1, .high = 1.5}}
#define POSITIVE(...) .in = {{.shape = {__VA_ARGS__}, .low = 0.1, .high = 1}}
#define SAME(...)     .in = {{.shape = {__VA_ARGS__}, .low = 0.0999999, .high = 0.1}}
#define TIED(...)     .in = {{.shape = {__VA_ARGS__}, .fill = MICA_FILL_INTEGER, .high = 3}}
#define WITH_NAN(...) .in = {{.shape = {__VA_ARGS__}, .fill = MICA_FILL_NAN}}, .no_gradient = true

/* Rows, columns and all, below and above the sizes at which a group or a part is full. */
#define COMMON(f, kind)                                                                            \
    {CASE(f, "a scalar"), APART(0), .attrs = ALL(f, kind, false)},                                 \
        {CASE(f, "1"), APART(1, {1}), .attrs = ALL(f, kind, false)},                               \
        {CASE(f, "31"), APART(1, {31}), .attrs = ALL(f, kind, false)},                             \
        {CASE(f, "5x32 kept"), APART(2, {5, 32}), .attrs = ALL(f, kind, true),                     \
            .out = {2, {1, 1}}},                                                                   \
        {CASE(f, "33 by number"), APART(1, {33}), .attrs = AXES(f, kind, false, -1)},              \
        {CASE(f, "rows of 7"), APART(2, {33, 7}), .attrs = AXES(f, kind, false, 1),                \
            .out = {1, {33}}},                                                                     \
        {CASE(f, "rows of 1"), APART(2, {33, 1}), .attrs = AXES(f, kind, false, 1),                \
            .out = {1, {33}}},                                                                     \
        {CASE(f, "rows of 257"), APART(2, {3, 257}), .attrs = AXES(f, kind, true, -1),             \
            .out = {2, {3, 1}}},                                                                   \
        {CASE(f, "columns 33x7"), APART(2, {33, 7}), .attrs = AXES(f, kind, false, 0),             \
            .out = {1, {7}}},                                                                      \
        {CASE(f, "columns 128x256"), APART(2, {128, 256}), .attrs = AXES(f, kind, false, 0),       \
            .out = {1, {256}}},                                                                    \
        {CASE(f, "columns 1x50"), APART(2, {1, 50}), .attrs = AXES(f, kind, true, 0),              \
            .out = {2, {1, 50}}},                                                                  \
        {CASE(f, "middle"), APART(3, {3, 17, 5}), .attrs = AXES(f, kind, false, 1),                \
            .out = {2, {3, 5}}},                                                                   \
        {CASE(f, "two neighbours"), APART(4, {2, 3, 4, 33}), .attrs = AXES(f, kind, false, 1, 2),  \
            .out = {2, {2, 33}}},                                                                  \
        {CASE(f, "three runs"), APART(5, {2, 3, 4, 5, 3}),                                         \
            .attrs = AXES(f, kind, false, 4, 0, -3), .out = {2, {3, 5}}},                          \
        {CASE(f, "two runs kept"), APART(3, {3, 4, 5}), .attrs = AXES(f, kind, true, 0, 2),        \
            .out = {3, {1, 4, 1}}},                                                                \
        {CASE(f, "ones between"), APART(4, {3, 1, 4, 2}), .attrs = AXES(f, kind, false, 0, 2),     \
            .out = {2, {1, 2}}},                                                                   \
        {CASE(f, "equal elements"), TIED(2, {9, 33}), .attrs = AXES(f, kind, false, 1),            \
            .out = {1, {9}}},                                                                      \
        {CASE(f, "100003"), POSITIVE(1, {100003}), .attrs = ALL(f, kind, false)},                  \
        {CASE(f, "columns 20011x5"), POSITIVE(2, {20011, 5}), .attrs = AXES(f, kind, false, 0),    \
            .out = {1, {5}}},                                                                      \
        {CASE(f, "columns 3000x65"), POSITIVE(3, {3000, 5, 13}), .attrs = AXES(f, kind, true, 0),  \
            .out = {3, {1, 5, 13}}},                                                               \
        {CASE(f, "rows of 50001"), POSITIVE(2, {2, 50001}), .attrs = AXES(f, kind, false, 1),      \
            .out = {1, {2}}},                                                                      \
        {CASE(f, "30000 rows of 3"), APART(2, {30000, 3}), .attrs = AXES(f, kind, false, 1),       \
            .out = {1, {30000}}},                                                                  \
        {CASE(f, "NaN"), WITH_NAN(2, {9, 5}), .attrs = AXES(f, kind, false, 1), .out = {1, {9}}},  \
        {CASE(f, "columns with NaN"), WITH_NAN(2, {19, 5}), .attrs = AXES(f, kind, false, 0),      \
            .out = {1, {5}}},                                                                      \
        {CASE(f, "an axis out of range"), APART(2, {3, 4}), .attrs = AXES(f, kind, false, 2),      \
            .refused = MICA_E_INVALID, .words = {#f, "axis 2"}},                                   \
        {CASE(f, "an axis twice"), APART(2, {3, 4}), .attrs = AXES(f, kind, false, 1, -1),         \
            .refused = MICA_E_INVALID, .words = {#f, "twice"}},                                    \
    {                                                                                              \
        CASE(f, "of int32"), .in = {{.shape = {1, {3}}, .dtype = MICA_I32}},                       \
                             .attrs = ALL(f, kind, false), .refused = MICA_E_INVALID, .words = {   \
                                 #f,                                                               \
                                 "in0",                                                            \
                                 "float32"                                                         \
                             }                                                                     \
    }

#define NORM(text)                                                                                 \
    .name = "norm " text, .n_in = 1, .build = build_norm, .reference = reference_norm,             \
    .gradient = gradient_norm, .tolerance = 1e-6

static const double zeros[7] = {0};

static const mica_op_case cases[] = {
    COMMON(sum, 's'),
    COMMON(mean, 'm'),
    COMMON(max, 'x'),
    /* One running sum is off by 1e-3 here. */
    {CASE(sum, "a million alike"), SAME(1, {1000000}), .attrs = ALL(sum, 's', false),
        .no_gradient = true},
    {CASE(sum, "columns of 250000 alike"), SAME(2, {250000, 4}), .attrs = AXES(sum, 's', false, 0),
        .out = {1, {4}}, .no_gradient = true},
    {NORM("a scalar"), APART(0)},
    {NORM("1"), APART(1, {1})},
    {NORM("31"), APART(1, {31})},
    {NORM("32x33"), APART(2, {32, 33})},
    {NORM("100003"), APART(1, {100003})},
    {NORM("of zeros"), .in = {{.shape = {1, {7}}, .values = zeros}}},
    {.name = "a tensor used twice",
        .n_in = 1,
        APART(2, {9, 33}),
        .build = build_twice,
        .reference = reference_twice},
};

const mica_op_suite mica_suite_reduce = {.name = "reduce", MICA_CASES(cases)};
