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

#define S(...) __VA_ARGS__
#define AXES(f, kind, keep, ...)                                                                   \
    &(const reduction) {                                                                           \
        mica_##f, kind, {__VA_ARGS__}, (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), keep     \
    }
#define ALL(f, kind, keep)                                                                         \
    &(const reduction) {                                                                           \
        mica_##f, kind, {0}, 0, keep                                                               \
    }
#define REDUCE(f, text, shape_, attrs_, out_, ...)                                                 \
    {                                                                                              \
        .name = #f " " text, .n_in = 1, .in = {{.shape = shape_, .fill = MICA_FILL_DISTINCT}},     \
        .attrs = attrs_, .out = out_, .build = build_reduction, .reference = reference_reduction,  \
        .gradient = gradient_reduction, .tolerance = 1e-6, .gradient_tolerance = 1e-6, __VA_ARGS__ \
    }

/* Rows, columns and all, below and above each size at which a group or a part is full. */
#define COMMON(f, kind)                                                                            \
    REDUCE(f, "a scalar", {0}, ALL(f, kind, false), {0}),                                          \
        REDUCE(f, "1", S({1, {1}}), ALL(f, kind, false), {0}),                                     \
        REDUCE(f, "31", S({1, {31}}), ALL(f, kind, false), {0}),                                   \
        REDUCE(f, "5x32, all kept", S({2, {5, 32}}), ALL(f, kind, true), S({2, {1, 1}})),          \
        REDUCE(f, "33, by number", S({1, {33}}), AXES(f, kind, false, -1), {0}),                   \
        REDUCE(f, "rows of 7", S({2, {33, 7}}), AXES(f, kind, false, 1), S({1, {33}})),            \
        REDUCE(f, "rows of 1", S({2, {33, 1}}), AXES(f, kind, false, 1), S({1, {33}})),            \
        REDUCE(f, "rows of 257", S({2, {3, 257}}), AXES(f, kind, true, -1), S({2, {3, 1}})),       \
        REDUCE(f, "columns 33x7", S({2, {33, 7}}), AXES(f, kind, false, 0), S({1, {7}})),          \
        REDUCE(f, "columns 128x256", S({2, {128, 256}}), AXES(f, kind, false, 0), S({1, {256}})),  \
        REDUCE(f, "columns 1x50", S({2, {1, 50}}), AXES(f, kind, true, 0), S({2, {1, 50}})),       \
        REDUCE(f, "middle", S({3, {3, 17, 5}}), AXES(f, kind, false, 1), S({2, {3, 5}})),          \
        REDUCE(f, "two neighbours", S({4, {2, 3, 4, 33}}), AXES(f, kind, false, 1, 2),             \
            S({2, {2, 33}})),                                                                      \
        REDUCE(f, "three runs", S({5, {2, 3, 4, 5, 3}}), AXES(f, kind, false, 4, 0, -3),           \
            S({2, {3, 5}})),                                                                       \
        REDUCE(                                                                                    \
            f, "two runs kept", S({3, {3, 4, 5}}), AXES(f, kind, true, 0, 2), S({3, {1, 4, 1}})),  \
        REDUCE(                                                                                    \
            f, "ones between", S({4, {3, 1, 4, 2}}), AXES(f, kind, false, 0, 2), S({2, {1, 2}})),  \
        REDUCE(f, "equal elements", S({2, {9, 33}}), AXES(f, kind, false, 1), S({1, {9}}),         \
            .in = {{.shape = {2, {9, 33}}, .fill = MICA_FILL_INTEGER, .low = 0, .high = 3}}),      \
        REDUCE(f, "100003", S({1, {100003}}), ALL(f, kind, false), {0},                            \
            .in = {{.shape = {1, {100003}}, .low = 0.1, .high = 1}}),                              \
        REDUCE(f, "columns 20011x5", S({2, {20011, 5}}), AXES(f, kind, false, 0), S({1, {5}}),     \
            .in = {{.shape = {2, {20011, 5}}, .low = 0.1, .high = 1}}),                            \
        REDUCE(f, "columns 3000x65", S({3, {3000, 5, 13}}), AXES(f, kind, true, 0),                \
            S({3, {1, 5, 13}}), .in = {{.shape = {3, {3000, 5, 13}}, .low = 0.1, .high = 1}}),     \
        REDUCE(f, "rows of 50001", S({2, {2, 50001}}), AXES(f, kind, false, 1), S({1, {2}}),       \
            .in = {{.shape = {2, {2, 50001}}, .low = 0.1, .high = 1}}),                            \
        REDUCE(                                                                                    \
            f, "30000 rows of 3", S({2, {30000, 3}}), AXES(f, kind, false, 1), S({1, {30000}})),   \
        REDUCE(f, "NaN", S({2, {9, 5}}), AXES(f, kind, false, 1), S({1, {9}}),                     \
            .in = {{.shape = {2, {9, 5}}, .fill = MICA_FILL_NAN}}, .no_gradient = true),           \
        REDUCE(f, "columns with NaN", S({2, {19, 5}}), AXES(f, kind, false, 0), S({1, {5}}),       \
            .in = {{.shape = {2, {19, 5}}, .fill = MICA_FILL_NAN}}, .no_gradient = true),          \
        REDUCE(f, "an axis out of range", S({2, {3, 4}}), AXES(f, kind, false, 2), {0},            \
            .refused = MICA_E_INVALID, .words = {#f, "2"}),                                        \
        REDUCE(f, "an axis twice", S({2, {3, 4}}), AXES(f, kind, false, 1, -1), {0},               \
            .refused = MICA_E_INVALID, .words = {#f, "twice"}),                                    \
        REDUCE(f, "of int32", S({1, {3}}), ALL(f, kind, false), {0},                               \
            .in = {{.shape = {1, {3}}, .dtype = MICA_I32}}, .refused = MICA_E_INVALID,             \
            .words = {#f, "in0", "float32"})

#define NORM(text, shape_, ...)                                                                    \
    {                                                                                              \
        .name = "norm " text, .n_in = 1, .in = {{.shape = shape_, __VA_ARGS__}},                   \
        .build = build_norm, .reference = reference_norm, .gradient = gradient_norm,               \
        .tolerance = 1e-6                                                                          \
    }

static const double zeros[7] = {0};

static const mica_op_case cases[] = {
    COMMON(sum, 's'),
    COMMON(mean, 'm'),
    COMMON(max, 'x'),
    /* Naive summation is off by 1e-3 here. */
    REDUCE(sum, "a million of 0.1", S({1, {1000000}}), ALL(sum, 's', false), {0},
        .in = {{.shape = {1, {1000000}}, .low = 0.0999999, .high = 0.1}}, .tolerance = 1e-6,
        .no_gradient = true),
    REDUCE(sum, "columns of 250000", S({2, {250000, 4}}), AXES(sum, 's', false, 0), S({1, {4}}),
        .in = {{.shape = {2, {250000, 4}}, .low = 0.0999999, .high = 0.1}}, .tolerance = 1e-6,
        .no_gradient = true),
    NORM("a scalar", {0}),
    NORM("1", S({1, {1}})),
    NORM("31", S({1, {31}})),
    NORM("32x33", S({2, {32, 33}})),
    NORM("100003", S({1, {100003}})),
    NORM("of zeros", S({1, {7}}), .values = zeros),
    {.name = "a tensor used twice",
        .n_in = 1,
        .in = {{.shape = {2, {9, 33}}, .fill = MICA_FILL_DISTINCT}},
        .build = build_twice,
        .reference = reference_twice},
};

const mica_op_suite mica_suite_reduce = {.name = "reduce", MICA_CASES(cases)};
