/* Cases of csr_dense. */
#include "tests/op/harness.h"

static mica_value *build(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    return mica_csr_dense(in[0], in[1], c->n_in > 2 ? in[2] : NULL, c->out.dim[1]);
}

static void reference(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const int64_t rows = out->shape.dim[0], columns = out->shape.dim[1], count = in[1].count;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t i = 0; i < count; i++) {
            const double column = in[1].data[i];
            if ((double)i >= in[0].data[row] && (double)i < in[0].data[row + 1] && column >= 0 &&
                column < (double)columns)
                out->data[row * columns + (int64_t)column] = c->n_in > 2 ? in[2].data[i] : 1;
        }
}

static const double one[] = {0, 1}, none[] = {0, 0}, zero[] = {0};
static const double some[] = {0, 3, 3, 5, 9}, columns[] = {0, 5, 32, 1, 2, 0, 1, 31, 32};
static const double outside[] = {-5, 2, 1, 5, 99}, strange[] = {-1, 3, 4, 0, 1, 1};
static const double long_row[] = {0, 1000, 1100, 1200};

#define STARTS(n, numbers)                                                                         \
    { .shape = {1, {n}}, .dtype = MICA_I32, .values = (numbers) }
#define DRAWN(n, most)                                                                             \
    { .shape = {1, {n}}, .dtype = MICA_I32, .high = (most) }
#define VALUES(n)                                                                                  \
    {                                                                                              \
        .shape = { 1, {n} }                                                                        \
    }

static const mica_op_case cases[] = {
    {.name = "1x1",
        .n_in = 3,
        .in = {STARTS(2, one), STARTS(1, zero), VALUES(1)},
        .out = {2, {1, 1}}},
    {.name = "nothing",
        .n_in = 3,
        .in = {STARTS(2, none), STARTS(1, zero), VALUES(1)},
        .out = {2, {1, 7}}},
    {.name = "4x33",
        .n_in = 3,
        .in = {STARTS(5, some), STARTS(9, columns), VALUES(9)},
        .out = {2, {4, 33}}},
    {.name = "4x33 of ones",
        .n_in = 2,
        .in = {STARTS(5, some), STARTS(9, columns)},
        .out = {2, {4, 33}}},
    {.name = "columns and rows outside",
        .n_in = 3,
        .in = {STARTS(5, outside), STARTS(6, strange), VALUES(6)},
        .out = {2, {4, 4}}},
    {.name = "ones, columns and rows outside",
        .n_in = 2,
        .in = {STARTS(5, outside), STARTS(6, strange)},
        .out = {2, {4, 3}}},
    {.name = "3x2000, drawn, with repeats",
        .n_in = 3,
        .in = {STARTS(4, long_row), DRAWN(1200, 1999), VALUES(1200)},
        .out = {2, {3, 2000}}},
    {.name = "3x31 of ones, drawn",
        .n_in = 2,
        .in = {STARTS(4, long_row), DRAWN(1200, 60)},
        .out = {2, {3, 31}}},
    {.name = "2x32",
        .n_in = 3,
        .in = {STARTS(3, some), DRAWN(4, 31), VALUES(4)},
        .out = {2, {2, 32}}},
    {.name = "4x100000",
        .n_in = 3,
        .in = {STARTS(5, some), DRAWN(9, 99999), VALUES(9)},
        .out = {2, {4, 100000}}},
    {.name = "float starts",
        .n_in = 2,
        .in = {{.shape = {1, {2}}}, STARTS(1, zero)},
        .out = {2, {1, 1}},
        .refused = MICA_E_INVALID,
        .words = {"csr_dense", "start", "int32"}},
    {.name = "columns of rank 2",
        .n_in = 2,
        .in = {STARTS(2, one), {.shape = {2, {1, 1}}, .dtype = MICA_I32}},
        .out = {2, {1, 1}},
        .refused = MICA_E_INVALID,
        .words = {"csr_dense", "column", "(1, 1)"}},
    {.name = "fewer values than columns",
        .n_in = 3,
        .in = {STARTS(2, one), DRAWN(3, 1), VALUES(2)},
        .out = {2, {1, 1}},
        .refused = MICA_E_INVALID,
        .words = {"csr_dense", "value", "(3)", "(2)"}},
    {.name = "no columns",
        .n_in = 2,
        .in = {STARTS(2, one), STARTS(1, zero)},
        .out = {2, {1, 0}},
        .refused = MICA_E_INVALID},
};

const mica_op_suite mica_suite_csr_dense = {.name = "csr_dense",
    MICA_CASES(cases),
    .build = build,
    .reference = reference,
    .no_gradient = true};
