/* Cases of embedding and gather: in0 the table, in1 the ids. */
#include "tests/op/harness.h"

#include <math.h>
#include <mica/sequence.h>

static mica_value *build(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_embedding(in[0], in[1]);
}

static mica_value *build_gather(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_gather(in[0], in[1]);
}

static mica_value *build_twice(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph, (void)c;
    return mica_mul(mica_embedding(in[0], in[1]), mica_embedding(in[0], in[2]));
}

static void reference(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    const int64_t rows = in[0].shape.dim[0], width = in[0].count / rows;
    for (int64_t n = 0; n < in[1].count; n++)
        for (int64_t i = 0; i < width; i++) {
            const double id = in[1].data[n];
            out->data[n * width + i] =
                id >= 0 && id < (double)rows ? in[0].data[(int64_t)id * width + i] : NAN;
        }
}

static void reference_twice(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)c;
    const int64_t width = in[0].shape.dim[1];
    for (int64_t n = 0; n < in[1].count; n++)
        for (int64_t i = 0; i < width; i++)
            out->data[n * width + i] = in[0].data[(int64_t)in[1].data[n] * width + i] *
                                       in[0].data[(int64_t)in[2].data[n] * width + i];
}

static void gradient(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    (void)c;
    const int64_t rows = in[0].shape.dim[0], width = in[0].count / rows;
    for (int64_t n = 0; n < in[1].count; n++) {
        const double id = in[1].data[n];
        for (int64_t i = 0; i < width && id >= 0 && id < (double)rows; i++)
            din[0].data[(int64_t)id * width + i] += dout->data[n * width + i];
    }
}

static void gradient_twice(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    (void)c;
    const int64_t width = in[0].shape.dim[1];
    for (int64_t n = 0; n < in[1].count; n++)
        for (int64_t i = 0; i < width; i++) {
            const int64_t a = (int64_t)in[1].data[n] * width + i;
            const int64_t b = (int64_t)in[2].data[n] * width + i;
            din[0].data[a] += dout->data[n * width + i] * in[0].data[b];
            din[0].data[b] += dout->data[n * width + i] * in[0].data[a];
        }
}

#define IDS(rows) .dtype = MICA_I32, .low = 0, .high = (rows)-1
#define CASE(rows, width, count)                                                                   \
    {                                                                                              \
        .name = #count " of " #rows "x" #width, .n_in = 2,                                         \
        .in = {{.shape = {2, {rows, width}}}, {.shape = {1, {count}}, IDS(rows)}}, .out = {        \
            2,                                                                                     \
            {count, width}                                                                         \
        }                                                                                          \
    }

static const mica_op_case cases[] = {
    CASE(1, 1, 1),
    CASE(7, 1, 1),
    CASE(1, 7, 9),
    CASE(31, 31, 5),
    CASE(32, 32, 65),
    CASE(33, 33, 128),
    CASE(83, 100, 500),
    CASE(943, 64, 1024),
    CASE(1682, 1, 1024),
    CASE(5, 1030, 70),
    CASE(2, 3, 5000),
    CASE(100000, 8, 300),
    {.name = "ids of three dimensions",
        .n_in = 2,
        .in = {{.shape = {2, {6, 5}}}, {.shape = {3, {2, 3, 4}}, IDS(6)}},
        .out = {4, {2, 3, 4, 5}}},
    {.name = "a single id", .n_in = 2, .in = {{.shape = {2, {6, 5}}}, {IDS(6)}}, .out = {1, {5}}},
    {.name = "ids out of range",
        .n_in = 2,
        .in = {{.shape = {2, {9, 20}}},
            {.shape = {1, {60}}, .dtype = MICA_I32, .low = -4, .high = 12}},
        .out = {2, {60, 20}}},
    {.name = "ids far out of range",
        .n_in = 2,
        .in = {{.shape = {2, {3, 2}}},
            {.shape = {1, {3}},
                .dtype = MICA_I32,
                .values = (const double[]){-2147483648.0, 2147483647, 1}}},
        .out = {2, {3, 2}}},
    {.name = "used twice",
        .n_in = 3,
        .in = {{.shape = {2, {5, 18}}}, {.shape = {1, {20}}, IDS(5)}, {.shape = {1, {20}}, IDS(5)}},
        .out = {2, {20, 18}},
        .build = build_twice,
        .reference = reference_twice,
        .gradient = gradient_twice},
    {.name = "gather of three dimensions",
        .n_in = 2,
        .in = {{.shape = {3, {4, 3, 6}}}, {.shape = {2, {2, 5}}, IDS(4)}},
        .out = {4, {2, 5, 3, 6}},
        .build = build_gather},
    {.name = "gather of numbers",
        .n_in = 2,
        .in = {{.shape = {1, {40}}}, {.shape = {6, {1, 2, 1, 3, 1, 1}}, IDS(40)}},
        .out = {6, {1, 2, 1, 3, 1, 1}},
        .build = build_gather},
    {.name = "gather of too many dimensions",
        .n_in = 2,
        .in = {{.shape = {3, {4, 3, 6}}}, {.shape = {5, {1, 1, 1, 1, 1}}, IDS(4)}},
        .build = build_gather,
        .refused = MICA_E_INVALID,
        .words = {"gather", "in1 has 5"}},
    {.name = "gather of a scalar",
        .n_in = 2,
        .in = {{.shape = {0, {0}}}, {.shape = {1, {2}}, IDS(4)}},
        .build = build_gather,
        .refused = MICA_E_INVALID,
        .words = {"gather", "first axis"}},
    {.name = "ids of float32",
        .n_in = 2,
        .in = {{.shape = {2, {4, 3}}}, {.shape = {1, {2}}}},
        .refused = MICA_E_INVALID,
        .words = {"embedding", "int32", "in1"}},
    {.name = "a table of three dimensions",
        .n_in = 2,
        .in = {{.shape = {3, {4, 3, 2}}}, {.shape = {1, {2}}, IDS(4)}},
        .refused = MICA_E_INVALID,
        .words = {"embedding", "(rows, width)", "in0"}},
};

const mica_op_suite mica_suite_embedding = {.name = "embedding",
    MICA_CASES(cases),
    .build = build,
    .reference = reference,
    .gradient = gradient};
