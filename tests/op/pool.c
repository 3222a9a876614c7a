/* Cases of maximum and mean pooling. */
#include "tests/golden/pool.h"
#include "tests/op/harness.h"

#include <math.h>

/* The padding that VALID and SAME lead to is given by the case, not worked out. */
typedef struct pooling {
    mica_value *(*build)(mica_value *x, const mica_pool_options *options);
    mica_pool_options options;
    int64_t before[2], after[2]; /* of height and width */
    const double *golden;        /* the result, from another library */
} pooling;

static mica_value *build_pool(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    const pooling *p = c->attrs;
    return p->build(in[0], &p->options);
}

static int64_t or_one(int64_t number) {
    return number ? number : 1;
}

/* The indices of element i. */
static void unravel(mica_shape shape, int64_t i, int64_t at[4]) {
    for (int k = 4; k-- > 0; i /= shape.dim[k])
        at[k] = i % shape.dim[k];
}

/* The first of a window's rows that may count. */
static int64_t first_row(const pooling *p, int64_t start, int64_t step) {
    return p->options.count_padding || start >= 0 ? 0 : -start / step;
}

/* A window at (row, column) of image b, channel k: its value, and where in x the largest is. */
static double pool_window(
    const pooling *p, const mica_ref *x, const int64_t at[4], int64_t *place, double *n) {
    double sum = 0, top = -INFINITY;
    int64_t start[2], step[2];
    for (int a = 0; a < 2; a++) {
        start[a] = at[1 + a] * or_one(p->options.strides[1 + a]) - p->before[a];
        step[a] = or_one(p->options.dilations[1 + a]);
    }
    *place = -1;
    *n = 0;
    for (int64_t u = first_row(p, start[0], step[0]); u < p->options.ksize[1]; u++)
        for (int64_t v = 0; v < p->options.ksize[2]; v++) {
            int64_t row = start[0] + u * step[0], column = start[1] + v * step[1];
            int64_t height = x->shape.dim[1], width = x->shape.dim[2];
            bool inside = row >= 0 && row < height && column >= 0 && column < width;
            bool padding = row < height + p->after[0] && column < width + p->after[1];
            *n += inside || (p->options.count_padding && padding);
            if (!inside)
                continue;
            int64_t from = ((at[0] * height + row) * width + column) * x->shape.dim[3] + at[3];
            double value = x->data[from];
            sum += value;
            if (*place < 0 || value > top || (isnan(value) && !isnan(top)))
                top = value, *place = from;
        }
    return p->build == mica_max_pool ? top : sum / *n;
}

static void reference_pool(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const pooling *p = c->attrs;
    for (int64_t i = 0; i < out->count; i++) {
        int64_t place, at[4];
        unravel(out->shape, i, at);
        double n;
        out->data[i] = p->golden ? p->golden[i] : pool_window(p, in, at, &place, &n);
    }
}

/* The maximum's goes to the first of equals; a mean's is spread by nudging each element. */
static void gradient_pool(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    const pooling *p = c->attrs;
    for (int64_t i = 0; i < dout->count; i++) {
        int64_t place, at[4];
        unravel(dout->shape, i, at);
        double n;
        pool_window(p, in, at, &place, &n);
        if (p->build == mica_max_pool) {
            din->data[place] += dout->data[i];
            continue;
        }
        const int64_t top = at[1] * or_one(p->options.strides[1]) - p->before[0];
        const int64_t step = or_one(p->options.dilations[1]);
        for (int64_t u = first_row(p, top, step); u < p->options.ksize[1]; u++)
            for (int64_t v = 0; v < p->options.ksize[2]; v++) {
                const mica_shape *x = &in->shape;
                int64_t row = top + u * step;
                int64_t column = at[2] * or_one(p->options.strides[2]) - p->before[1] +
                                 v * or_one(p->options.dilations[2]);
                if (row >= 0 && row < x->dim[1] && column >= 0 && column < x->dim[2])
                    din->data[((at[0] * x->dim[1] + row) * x->dim[2] + column) * x->dim[3] +
                              at[3]] += dout->data[i] / n;
            }
    }
}

/* max_pool(x, 3x3) + avg_pool(x, 3x3): a tensor used twice, with the windows of the case. */
static mica_value *build_twice(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    const pooling *p = c->attrs;
    return mica_add(mica_max_pool(in[0], &p->options), mica_avg_pool(in[0], &p->options));
}

static void reference_twice(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    pooling both[2] = {*(const pooling *)c->attrs, *(const pooling *)c->attrs};
    both[0].build = mica_max_pool, both[1].build = mica_avg_pool;
    for (int64_t i = 0; i < out->count; i++) {
        int64_t place, at[4];
        unravel(out->shape, i, at);
        double n;
        out->data[i] =
            pool_window(&both[0], in, at, &place, &n) + pool_window(&both[1], in, at, &place, &n);
    }
}

static void gradient_twice(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    pooling both[2] = {*(const pooling *)c->attrs, *(const pooling *)c->attrs};
    both[0].build = mica_max_pool, both[1].build = mica_avg_pool;
    for (int k = 0; k < 2; k++) {
        mica_op_case one = *c;
        one.attrs = &both[k];
        gradient_pool(&one, in, dout, din);
    }
}

static mica_value *build_nothing(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_max_pool(in[0], NULL);
}

static mica_value *build_global(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_global_avg_pool(in[0]);
}

static void reference_global(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    const int64_t *dim = in->shape.dim;
    for (int64_t i = 0; i < in->count; i++)
        out->data[i / (dim[1] * dim[2] * dim[3]) * dim[3] + i % dim[3]] +=
            in->data[i] / (double)(dim[1] * dim[2]);
}

static void gradient_global(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    (void)c;
    const int64_t *dim = in->shape.dim;
    for (int64_t i = 0; i < in->count; i++)
        din->data[i] = dout->data[i / (dim[1] * dim[2] * dim[3]) * dim[3] + i % dim[3]] /
                       (double)(dim[1] * dim[2]);
}

#define TWELVE(x) x, x, x, x, x, x, x, x, x, x, x, x
static const double minus_infinity[4 * 12] = {
    TWELVE(-INFINITY), TWELVE(-INFINITY), TWELVE(-INFINITY), TWELVE(-INFINITY)};

#define CASE(f, text) .name = #f " " text, .n_in = 1
#define X(b, h, w, c)                                                                              \
    .in = {{.shape = {4, {b, h, w, c}}, .fill = MICA_FILL_DISTINCT, .low = -2, .high = 2}}
#define GOLDEN .in = {{.shape = {4, {2, 5, 6, 3}}, .values = golden_pool_x}}
#define Y(...) .out = {4, {__VA_ARGS__}}
#define SQUARE(n)                                                                                  \
    { 1, n, n, 1 }
#define K(kernel, stride) .ksize = SQUARE(kernel), .strides = SQUARE(stride)
#define POOL(f, ...)                                                                               \
    .attrs = &(const pooling) {                                                                    \
        mica_##f, __VA_ARGS__                                                                      \
    }
#define REFUSED(...) .refused = MICA_E_INVALID, .words = {__VA_ARGS__}

#define COMMON_CASES(f)                                                                            \
    {CASE(f, "of one element"), X(1, 1, 1, 1), Y(1, 1, 1, 1), POOL(f, {K(1, 1)})},                 \
        {CASE(f, "2/2"), X(2, 4, 6, 8), Y(2, 2, 3, 8), POOL(f, {K(2, 2)})},                        \
        {CASE(f, "2/2 of odd sizes"), X(1, 5, 7, 3), Y(1, 2, 3, 3), POOL(f, {K(2, 2)})},           \
        {CASE(f, "2/2 SAME"), X(2, 5, 7, 31), Y(2, 3, 4, 31),                                      \
            POOL(f, {K(2, 2), .padding = MICA_SAME}, .after = {1, 1})},                            \
        {CASE(f, "3/2"), X(3, 9, 7, 16), Y(3, 4, 3, 16), POOL(f, {K(3, 2)})},                      \
        {CASE(f, "3/2 SAME, uneven"), X(2, 8, 9, 33), Y(2, 4, 5, 33),                              \
            POOL(f, {K(3, 2), .padding = MICA_SAME}, {0, 1}, {1, 1})},                             \
        {CASE(f, "3/1 SAME of one channel"), X(2, 6, 5, 1), Y(2, 6, 5, 1),                         \
            POOL(f, {K(3, 1), .padding = MICA_SAME}, {1, 1}, {1, 1})},                             \
        {CASE(f, "even windows SAME"), X(1, 6, 7, 5), Y(1, 6, 7, 5),                               \
            POOL(f, {K(4, 1), .padding = MICA_SAME}, {1, 1}, {2, 2})},                             \
        {CASE(f, "2x3 / 1x2"), X(2, 5, 8, 17), Y(2, 4, 3, 17),                                     \
            POOL(f, {.ksize = {1, 2, 3, 1}, .strides = {0, 1, 2, 0}})},                            \
        {CASE(f, "a stride larger than the window"), X(2, 9, 11, 6), Y(2, 3, 4, 6),                \
            POOL(f, {K(2, 3)})},                                                                   \
        {CASE(f, "1/2"), X(1, 5, 4, 4), Y(1, 3, 2, 4), POOL(f, {K(1, 2)})},                        \
        {CASE(f, "1/3 SAME"), X(1, 5, 4, 4), Y(1, 2, 2, 4),                                        \
            POOL(f, {K(1, 3), .padding = MICA_SAME})},                                             \
        {CASE(f, "the whole image"), X(3, 7, 5, 32), Y(3, 1, 1, 32),                               \
            POOL(f, {.ksize = {0, 7, 5, 0}})},                                                     \
        {CASE(f, "dilated SAME"), X(1, 9, 8, 5), Y(1, 9, 8, 5),                                    \
            POOL(f, {K(3, 1), .dilations = {0, 2, 3, 0}, .padding = MICA_SAME}, {2, 3}, {2, 3})},  \
        {CASE(f, "dilated with strides"), X(2, 11, 9, 4), Y(2, 3, 2, 4),                           \
            POOL(f, {.ksize = {1, 3, 2, 1}, .strides = {1, 3, 4, 1}, .dilations = {1, 2, 3, 1}})}, \
        {CASE(f, "explicit 3/2"), X(2, 10, 9, 20), Y(2, 5, 5, 20),                                 \
            POOL(f, {K(3, 2), .padding = MICA_EXPLICIT, .pad = {1, 1, 1, 1}}, {1, 1}, {1, 1})},    \
        {CASE(f, "explicit, uneven"), X(1, 4, 6, 3), Y(1, 3, 6, 3),                                \
            POOL(f, {K(3, 1), .padding = MICA_EXPLICIT, .pad = {0, 1, 2, 0}}, {0, 2}, {1, 0})},    \
        {CASE(f, "padding far larger than the image"), X(1, 2, 1, 36000), Y(1, 2, 1, 36000),       \
            POOL(f,                                                                                \
                {.ksize = {1, 60000, 1, 1}, .padding = MICA_EXPLICIT, .pad = {59999, 0, 0, 0}},    \
                {59999, 0}, {0, 0})},                                                              \
        {CASE(f, "ceil"), X(1, 6, 7, 4), Y(1, 3, 3, 4),                                            \
            POOL(f, {K(3, 2), .padding = MICA_EXPLICIT, .ceil = true})},                           \
        {CASE(f, "ceil without the window behind the image"), X(1, 4, 5, 3), Y(1, 2, 3, 3),        \
            POOL(f,                                                                                \
                {.ksize = SQUARE(2),                                                               \
                    .strides = {1, 3, 2, 1},                                                       \
                    .padding = MICA_EXPLICIT,                                                      \
                    .pad = {1, 1, 0, 0},                                                           \
                    .ceil = true},                                                                 \
                {1, 0}, {1, 0})},                                                                  \
        {CASE(f, "of 17x17, more than a byte numbers"), X(2, 18, 20, 5), Y(2, 1, 2, 5),            \
            POOL(f, {.ksize = SQUARE(17), .strides = SQUARE(3)})},                                 \
        {CASE(f, "2/2 of 16x32x32x32"), X(16, 32, 32, 32), Y(16, 16, 16, 32), POOL(f, {K(2, 2)})}, \
        {CASE(f, "3/2 SAME of 2x17x17x64"), X(2, 17, 17, 64), Y(2, 9, 9, 64),                      \
            POOL(f, {K(3, 2), .padding = MICA_SAME}, {1, 1}, {1, 1})},                             \
        {CASE(f, "2/2 of 4x28x28x1"), X(4, 28, 28, 1), Y(4, 14, 14, 1), POOL(f, {K(2, 2)})},       \
        {CASE(f, "of NaN"), .in = {{.shape = {4, {2, 6, 6, 5}}, .fill = MICA_FILL_NAN}},           \
            Y(2, 3, 3, 5), POOL(f, {K(2, 2)}), .no_gradient = true},                               \
        {CASE(f, "of rank 3"), .in = {{.shape = {3, {4, 4, 3}}}}, POOL(f, {K(2, 2)}),              \
            REFUSED(#f, "in0", "(4, 4, 3)")},                                                      \
        {CASE(f, "of int32"), .in = {{.shape = {4, {1, 4, 4, 3}}, .dtype = MICA_I32}},             \
            POOL(f, {K(2, 2)}), REFUSED(#f, "float32", "in0")},                                    \
        {CASE(f, "over the batch"), X(2, 4, 4, 3), POOL(f, {.ksize = {2, 2, 2, 1}}),               \
            REFUSED(#f, "batch", "must be 1", "2")},                                               \
        {CASE(f, "with a stride in depth"), X(2, 4, 4, 3),                                         \
            POOL(f, {.ksize = SQUARE(2), .strides = {1, 2, 2, 3}}),                                \
            REFUSED(#f, "depth", "must be 1", "3")},                                               \
        {CASE(f, "without a size"), X(2, 4, 4, 3), POOL(f, {.ksize = {1, 2, 0, 1}}),               \
            REFUSED(#f, "width", "at least 1", "0")},                                              \
        {CASE(f, "with a huge window"), X(2, 4, 4, 3),                                             \
            POOL(f, {.ksize = {1, INT64_MAX, 1, 1}, .padding = MICA_SAME}),                        \
            REFUSED(#f, "height", "65535")},                                                       \
        {CASE(f, "with a negative stride"), X(2, 4, 4, 3),                                         \
            POOL(f, {.ksize = SQUARE(2), .strides = {1, -1, 1, 1}}),                               \
            REFUSED(#f, "height", "stride", "-1")},                                                \
        {CASE(f, "with a window larger than the image"), X(2, 4, 4, 3), POOL(f, {K(5, 1)}),        \
            REFUSED(#f, "5 pixels", "height of 4")},                                               \
        {CASE(f, "padded by a window"), X(2, 4, 4, 3),                                             \
            POOL(f, {K(2, 1), .padding = MICA_EXPLICIT, .pad = {1, 1, 0, 2}}),                     \
            REFUSED(#f, "padding in width", "0 to 1", "2")},                                       \
        {CASE(f, "VALID with padding"), X(2, 4, 4, 3), POOL(f, {K(2, 1), .pad = {1, 1, 1, 1}}),    \
            REFUSED(#f, "MICA_EXPLICIT")},                                                         \
    {                                                                                              \
        CASE(f, "stepping over the image"), X(1, 1, 4, 3),                                         \
            POOL(f, {.ksize = SQUARE(2),                                                           \
                        .dilations = {1, 3, 1, 1},                                                 \
                        .padding = MICA_EXPLICIT,                                                  \
                        .pad = {2, 3, 0, 0}}),                                                     \
            REFUSED(#f, "dilation of 3 in height", "empty")                                        \
    }

static const mica_op_case cases[] = {
    COMMON_CASES(max_pool),
    COMMON_CASES(avg_pool),
    {CASE(max_pool, "of ties"),
        .in = {{.shape = {4, {2, 9, 9, 19}}, .fill = MICA_FILL_INTEGER, .low = -1, .high = 1}},
        Y(2, 4, 4, 19), POOL(max_pool, {K(3, 2)})},
    {CASE(max_pool, "of minus infinity"),
        .in = {{.shape = {4, {1, 4, 4, 3}}, .values = minus_infinity}}, Y(1, 2, 2, 3),
        POOL(max_pool, {K(3, 2), .padding = MICA_SAME}, .after = {1, 1})},
    {CASE(avg_pool, "SAME, counting the padding"), X(2, 6, 7, 9), Y(2, 6, 7, 9),
        POOL(avg_pool, {K(3, 1), .padding = MICA_SAME, .count_padding = true}, {1, 1}, {1, 1})},
    {CASE(avg_pool, "ceil, counting the padding"), X(2, 6, 8, 3), Y(2, 4, 5, 3),
        POOL(avg_pool,
            {K(3, 2), .padding = MICA_EXPLICIT, .pad = {1, 1, 1, 1}, .ceil = true,
                .count_padding = true},
            {1, 1}, {1, 1})},
    {CASE(max_pool, "with ceil, by PyTorch"), GOLDEN, Y(2, 3, 4, 3),
        POOL(max_pool, {K(3, 2), .padding = MICA_EXPLICIT, .pad = {1, 1, 1, 1}, .ceil = true},
            {1, 1}, {1, 1}, golden_pool_max_ceil)},
    {CASE(max_pool, "dilated, by PyTorch"), GOLDEN, Y(2, 5, 6, 3),
        POOL(max_pool,
            {K(2, 1), .dilations = SQUARE(2), .padding = MICA_EXPLICIT, .pad = {1, 1, 1, 1}},
            {1, 1}, {1, 1}, golden_pool_max_dilated)},
    {CASE(max_pool, "SAME, by PyTorch"), GOLDEN, Y(2, 3, 3, 3),
        POOL(max_pool, {K(3, 2), .padding = MICA_SAME}, {1, 0}, {1, 1}, golden_pool_max_same)},
    {CASE(avg_pool, "counting padding, by PyTorch"), GOLDEN, Y(2, 3, 4, 3),
        POOL(avg_pool,
            {K(3, 2), .padding = MICA_EXPLICIT, .pad = {1, 1, 1, 1}, .ceil = true,
                .count_padding = true},
            {1, 1}, {1, 1}, golden_pool_avg_padded)},
    {CASE(avg_pool, "with ceil, by PyTorch"), GOLDEN, Y(2, 3, 4, 3),
        POOL(avg_pool, {K(3, 2), .padding = MICA_EXPLICIT, .pad = {1, 1, 1, 1}, .ceil = true},
            {1, 1}, {1, 1}, golden_pool_avg_inside)},
    {CASE(avg_pool, "SAME, by PyTorch"), GOLDEN, Y(2, 3, 3, 3),
        POOL(avg_pool, {K(3, 2), .padding = MICA_SAME}, {1, 0}, {1, 1}, golden_pool_avg_same)},
    {.name = "used twice",
        .n_in = 1,
        X(2, 7, 6, 5),
        Y(2, 3, 2, 5),
        .attrs = &(const pooling){.options = {K(3, 2)}},
        .build = build_twice,
        .reference = reference_twice,
        .gradient = gradient_twice},
    {.name = "without options",
        .n_in = 1,
        X(2, 7, 6, 5),
        .build = build_nothing,
        REFUSED("max_pool", "options")},
    {CASE(global_avg_pool, "3x7x5x33"), X(3, 7, 5, 33), .out = {2, {3, 33}}, .build = build_global,
        .reference = reference_global, .gradient = gradient_global},
    {CASE(global_avg_pool, "2x1x1x3"), X(2, 1, 1, 3), .out = {2, {2, 3}}, .build = build_global,
        .reference = reference_global, .gradient = gradient_global},
    {CASE(global_avg_pool, "of rank 2"), .in = {{.shape = {2, {4, 3}}}}, .build = build_global,
        REFUSED("global_avg_pool", "in0", "(4, 3)")},
};

const mica_op_suite mica_suite_pool = {.name = "pool",
    MICA_CASES(cases),
    .build = build_pool,
    .reference = reference_pool,
    .gradient = gradient_pool};
