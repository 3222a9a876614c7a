/* Cases of the matrix product, with and without a bias and an activation behind it. */
#include "tests/op/harness.h"

#include <math.h>

/* How a case is built: act(op(a) op(b) + bias), the bias where there is a third input. With
 * `squared`, b is a. */
typedef struct product {
    bool ta, tb, squared;
    mica_value *(*act)(mica_value *); /* NULL: none */
    double (*value)(double), (*slope)(double);
} product;

static const product plain = {0};

static const product *product_of(const mica_op_case *c) {
    return c->attrs ? c->attrs : &plain;
}

static mica_value *build(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    const product *p = product_of(c);
    mica_value *y = mica_matmul(in[0], in[p->squared ? 0 : 1],
        &(mica_matmul_options){.transpose_a = p->ta, .transpose_b = p->tb});
    if (c->n_in > 2)
        y = mica_bias_add(y, in[2]);
    return p->act ? p->act(y) : y;
}

/* Where the elements of a product lie. */
typedef struct layout {
    int64_t m, n, k, batch, step_a, step_b; /* steps from one matrix of a batch to the next */
    bool ta, tb;
} layout;

static layout layout_of(const mica_op_case *c, const mica_ref *in, const mica_shape *out) {
    const product *p = product_of(c);
    const mica_shape *a = &in[0].shape, *b = &in[p->squared ? 0 : 1].shape;
    layout l = {.m = out->dim[out->rank - 2],
        .n = out->dim[out->rank - 1],
        .k = a->dim[a->rank - 1 - p->ta],
        .ta = p->ta,
        .tb = p->tb};
    l.batch = mica_shape_count(*out) / (l.m * l.n);
    l.step_a = a->rank > 2 ? l.m * l.k : 0;
    l.step_b = b->rank > 2 ? l.k * l.n : 0;
    return l;
}

static int64_t at_a(const layout *l, int64_t z, int64_t i, int64_t x) {
    return z * l->step_a + (l->ta ? x * l->m + i : i * l->k + x);
}

static int64_t at_b(const layout *l, int64_t z, int64_t x, int64_t j) {
    return z * l->step_b + (l->tb ? j * l->k + x : x * l->n + j);
}

/* Element (i, j) of product z and its bias. */
static double element(
    const mica_op_case *c, const layout *l, const mica_ref *in, int64_t z, int64_t i, int64_t j) {
    const double *a = in[0].data, *b = in[product_of(c)->squared ? 0 : 1].data;
    double sum = c->n_in > 2 ? in[2].data[j] : 0;
    for (int64_t x = 0; x < l->k; x++)
        sum += a[at_a(l, z, i, x)] * b[at_b(l, z, x, j)];
    return sum;
}

static void reference(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const product *p = product_of(c);
    layout l = layout_of(c, in, &out->shape);
    double *y = out->data;
    for (int64_t z = 0; z < l.batch; z++)
        for (int64_t i = 0; i < l.m; i++)
            for (int64_t j = 0; j < l.n; j++, y++) {
                *y = element(c, &l, in, z, i, j);
                *y = p->value ? p->value(*y) : *y;
            }
}

/* For activations with a kink, and for shapes that central differences take too long for. */
static void gradient(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    const product *p = product_of(c);
    layout l = layout_of(c, in, &dout->shape);
    const int second = p->squared ? 0 : 1;
    const double *dy = dout->data;
    for (int64_t z = 0; z < l.batch; z++)
        for (int64_t i = 0; i < l.m; i++)
            for (int64_t j = 0; j < l.n; j++, dy++) {
                double d = *dy * (p->slope ? p->slope(element(c, &l, in, z, i, j)) : 1);
                for (int64_t x = 0; x < l.k; x++) {
                    int64_t at = at_a(&l, z, i, x), bt = at_b(&l, z, x, j);
                    din[0].data[at] += d * in[second].data[bt];
                    din[second].data[bt] += d * in[0].data[at];
                }
                if (c->n_in > 2)
                    din[2].data[j] += d;
            }
}

static mica_value *scale_act(mica_value *a) {
    return mica_scale(a, -1.5f);
}
static double scale_value(double x) {
    return -1.5 * x;
}
static double neg_value(double x) {
    return -x;
}
static double square_value(double x) {
    return x * x;
}
static double relu_value(double x) {
    return x > 0 ? x : 0;
}
static double relu_slope(double x) {
    return x > 0;
}
static double sigmoid_value(double x) {
    return 1 / (1 + exp(-x));
}

static const product nt = {.tb = true}, tn = {.ta = true}, tt = {.ta = true, .tb = true};
static const product a_at = {.tb = true, .squared = true}, at_a_ = {.ta = true, .squared = true};
static const product scaled = {.act = scale_act, .value = scale_value};
static const product negated = {.act = mica_neg, .value = neg_value};
static const product squared = {.act = mica_square, .value = square_value};
static const product rooted = {.act = mica_sqrt, .value = sqrt};
static const product rectified = {.act = mica_relu, .value = relu_value, .slope = relu_slope};
static const product rectified_tn = {
    .ta = true, .act = mica_relu, .value = relu_value, .slope = relu_slope};
static const product sigmoid = {.act = mica_sigmoid, .value = sigmoid_value};
static const product sigmoid_nt = {.tb = true, .act = mica_sigmoid, .value = sigmoid_value};
static const product tangent = {.act = mica_tanh, .value = tanh};
static const product exponential = {.act = mica_exp, .value = exp};
static const product logarithm = {.act = mica_log, .value = log};

#define SHAPE(...)                                                                                 \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
#define ABOVE_0(...)                                                                               \
    { .shape = {__VA_ARGS__}, .low = 0.5, .high = 1.5 }
#define NN(m, k, n)                                                                                \
    {                                                                                              \
        .name = "nn " #m "x" #k "x" #n, .n_in = 2, .in = {SHAPE(2, {m, k}), SHAPE(2, {k, n})},     \
        .out = {                                                                                   \
            2,                                                                                     \
            {m, n}                                                                                 \
        }                                                                                          \
    }
#define NT(m, k, n)                                                                                \
    {                                                                                              \
        .name = "nt " #m "x" #k "x" #n, .n_in = 2, .in = {SHAPE(2, {m, k}), SHAPE(2, {n, k})},     \
        .out = {2, {m, n}}, .attrs = &nt                                                           \
    }
#define TN(m, k, n)                                                                                \
    {                                                                                              \
        .name = "tn " #m "x" #k "x" #n, .n_in = 2, .in = {SHAPE(2, {k, m}), SHAPE(2, {k, n})},     \
        .out = {2, {m, n}}, .attrs = &tn                                                           \
    }
#define TT(m, k, n)                                                                                \
    {                                                                                              \
        .name = "tt " #m "x" #k "x" #n, .n_in = 2, .in = {SHAPE(2, {k, m}), SHAPE(2, {n, k})},     \
        .out = {2, {m, n}}, .attrs = &tt                                                           \
    }
#define ALL(m, k, n) NN(m, k, n), NT(m, k, n), TN(m, k, n), TT(m, k, n)
#define ACT(text, attributes)                                                                      \
    {                                                                                              \
        .name = "bias and " text, .n_in = 3,                                                       \
        .in = {ABOVE_0(2, {33, 17}), ABOVE_0(2, {17, 34}), ABOVE_0(1, {34})},                      \
        .out = {2, {33, 34}}, .attrs = &attributes                                                 \
    }

static const mica_op_case cases[] = {
    ALL(1, 1, 1),
    ALL(31, 32, 33),
    ALL(47, 129, 65),
    NN(1, 33, 31),
    NT(1, 33, 31),
    NN(2, 50, 70),
    TT(2, 50, 70),
    TN(5, 7, 3),
    NT(5, 7, 3),
    NN(33, 65, 1),
    TT(33, 65, 1),
    NT(14, 16, 32),
    NN(1, 1, 40),
    NN(40, 1, 1),
    TN(7, 3, 300),
    /* few results and a long sum: k is split */
    NN(3, 600, 1),
    NN(10, 1500, 10),
    TT(10, 1500, 10),
    {.name = "split, bias and relu",
        .n_in = 3,
        .in = {SHAPE(2, {1300, 12}), SHAPE(2, {1300, 35}), SHAPE(1, {35})},
        .out = {2, {12, 35}},
        .attrs = &rectified_tn,
        .gradient = gradient},
    {.name = "blocks over k",
        .n_in = 2,
        .in = {SHAPE(2, {130, 1100}), SHAPE(2, {1100, 150})},
        .out = {2, {130, 150}},
        .gradient = gradient},
    {.name = "blocks over k, tt",
        .n_in = 2,
        .in = {SHAPE(2, {600, 110}), SHAPE(2, {75, 600})},
        .out = {2, {110, 75}},
        .attrs = &tt,
        .gradient = gradient},
    {.name = "batch of 5",
        .n_in = 2,
        .in = {SHAPE(3, {5, 17, 33}), SHAPE(3, {5, 33, 31})},
        .out = {3, {5, 17, 31}}},
    {.name = "batch of 2x3, tt",
        .n_in = 2,
        .in = {SHAPE(4, {2, 3, 9, 16}), SHAPE(4, {2, 3, 20, 9})},
        .out = {4, {2, 3, 16, 20}},
        .attrs = &tt},
    {.name = "batch of 3, tn, split",
        .n_in = 2,
        .in = {SHAPE(3, {3, 700, 4}), SHAPE(3, {3, 700, 5})},
        .out = {3, {3, 4, 5}},
        .attrs = &tn},
    {.name = "batch of 3, one row",
        .n_in = 2,
        .in = {SHAPE(3, {3, 1, 40}), SHAPE(3, {3, 40, 70})},
        .out = {3, {3, 1, 70}}},
    {.name = "batch of 1",
        .n_in = 2,
        .in = {SHAPE(3, {1, 8, 9}), SHAPE(3, {1, 9, 10})},
        .out = {3, {1, 8, 10}}},
    {.name = "3-D times 2-D",
        .n_in = 2,
        .in = {SHAPE(3, {4, 6, 19}), SHAPE(2, {19, 33})},
        .out = {3, {4, 6, 33}}},
    {.name = "3-D times 2-D, nt",
        .n_in = 2,
        .in = {SHAPE(3, {4, 6, 19}), SHAPE(2, {33, 19})},
        .out = {3, {4, 6, 33}},
        .attrs = &nt},
    {.name = "3-D times 2-D, tn",
        .n_in = 2,
        .in = {SHAPE(3, {4, 19, 6}), SHAPE(2, {19, 33})},
        .out = {3, {4, 6, 33}},
        .attrs = &tn},
    {.name = "2-D times 3-D",
        .n_in = 2,
        .in = {SHAPE(2, {33, 6}), SHAPE(3, {3, 6, 20})},
        .out = {3, {3, 33, 20}}},
    {.name = "2-D times 3-D, tt",
        .n_in = 2,
        .in = {SHAPE(2, {6, 33}), SHAPE(3, {3, 20, 6})},
        .out = {3, {3, 33, 20}},
        .attrs = &tt},
    {.name = "a a^T", .n_in = 1, .in = {SHAPE(2, {33, 20})}, .out = {2, {33, 33}}, .attrs = &a_at},
    {.name = "a^T a",
        .n_in = 1,
        .in = {SHAPE(3, {2, 33, 20})},
        .out = {3, {2, 20, 20}},
        .attrs = &at_a_},
    {.name = "bias",
        .n_in = 3,
        .in = {SHAPE(2, {31, 20}), SHAPE(2, {20, 33}), SHAPE(1, {33})},
        .out = {2, {31, 33}}},
    {.name = "bias of a row",
        .n_in = 3,
        .in = {SHAPE(2, {1, 20}), SHAPE(2, {20, 100}), SHAPE(1, {100})},
        .out = {2, {1, 100}}},
    {.name = "bias of a batch",
        .n_in = 3,
        .in = {SHAPE(3, {3, 5, 20}), SHAPE(3, {3, 20, 33}), SHAPE(1, {33})},
        .out = {3, {3, 5, 33}}},
    {.name = "bias and relu",
        .n_in = 3,
        .in = {SHAPE(2, {33, 17}), SHAPE(2, {17, 34}), SHAPE(1, {34})},
        .out = {2, {33, 34}},
        .attrs = &rectified,
        .gradient = gradient},
    {.name = "relu of five rows",
        .n_in = 2,
        .in = {SHAPE(2, {5, 17}), SHAPE(2, {17, 90})},
        .out = {2, {5, 90}},
        .attrs = &rectified,
        .gradient = gradient},
    {.name = "sigmoid of one row, nt",
        .n_in = 3,
        .in = {SHAPE(2, {1, 130}), SHAPE(2, {9, 130}), SHAPE(1, {9})},
        .out = {2, {1, 9}},
        .attrs = &sigmoid_nt},
    {.name = "tanh without bias",
        .n_in = 2,
        .in = {SHAPE(2, {20, 20}), SHAPE(2, {20, 20})},
        .out = {2, {20, 20}},
        .attrs = &tangent},
    ACT("scale", scaled),
    ACT("neg", negated),
    ACT("square", squared),
    ACT("sqrt", rooted),
    {.name = "bias and sigmoid",
        .n_in = 3,
        .in = {SHAPE(2, {33, 17}), SHAPE(2, {17, 34}), SHAPE(1, {34})},
        .out = {2, {33, 34}},
        .attrs = &sigmoid},
    {.name = "bias and exp",
        .n_in = 3,
        .in = {SHAPE(2, {33, 17}), SHAPE(2, {17, 34}), SHAPE(1, {34})},
        .out = {2, {33, 34}},
        .attrs = &exponential},
    ACT("log", logarithm),
    {.name = "inner sizes differ",
        .n_in = 2,
        .in = {SHAPE(2, {4, 5}), SHAPE(2, {6, 7})},
        .refused = MICA_E_INVALID,
        .words = {"matmul", "5", "6", "(4, 5)"}},
    {.name = "inner sizes differ once transposed",
        .n_in = 2,
        .in = {SHAPE(2, {4, 5}), SHAPE(2, {5, 7})},
        .attrs = &tn,
        .refused = MICA_E_INVALID,
        .words = {"matmul", "transposed"}},
    {.name = "a vector",
        .n_in = 2,
        .in = {SHAPE(1, {4}), SHAPE(2, {4, 7})},
        .refused = MICA_E_INVALID,
        .words = {"matmul", "2 dimensions", "(4)"}},
    {.name = "other leading sizes",
        .n_in = 2,
        .in = {SHAPE(3, {2, 4, 5}), SHAPE(3, {3, 5, 7})},
        .refused = MICA_E_INVALID,
        .words = {"matmul", "leading"}},
    {.name = "other leading ranks",
        .n_in = 2,
        .in = {SHAPE(4, {2, 2, 4, 5}), SHAPE(3, {2, 5, 7})},
        .refused = MICA_E_INVALID,
        .words = {"matmul", "leading"}},
    {.name = "int32",
        .n_in = 2,
        .in = {SHAPE(2, {4, 5}), {.shape = {2, {5, 7}}, .dtype = MICA_I32}},
        .refused = MICA_E_INVALID,
        .words = {"matmul", "float32"}},
};

const mica_op_suite mica_suite_matmul = {
    .name = "matmul", MICA_CASES(cases), .build = build, .reference = reference};
