/* Cases of top_k and top_k_merge. */
#include "tests/op/harness.h"

#include <math.h>
#include <stdlib.h>

typedef struct pick {
    int64_t k;
    bool ids; /* the second result is looked at */
} pick;

static mica_value *build_top_k(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    const pick *p = c->attrs;
    mica_value *places, *values = mica_top_k(in[0], p->k, &places);
    return p->ids ? places : values;
}

static mica_value *build_merge(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    mica_value *ids, *values = mica_top_k_merge(in[0], in[1], in[2], in[3], &ids);
    return ((const pick *)c->attrs)->ids ? ids : values;
}

typedef struct candidate {
    double value, id;
} candidate;

/* NaN first, then descending, equal ones by id. */
static int before(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    const double u = isnan(x->value) ? INFINITY : x->value,
                 v = isnan(y->value) ? INFINITY : y->value;
    if (isnan(x->value) != isnan(y->value))
        return isnan(x->value) ? -1 : 1;
    if (u != v)
        return u > v ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* The first k of `list` and the row x, whose ids count from `first`. */
static void take(candidate *list, int64_t length, const double *x, int64_t size, double first,
    int64_t k, bool ids, double *out) {
    for (int64_t i = 0; i < size; i++)
        list[length++] = (candidate){x[i], first + (double)i};
    qsort(list, (size_t)length, sizeof *list, before);
    for (int64_t i = 0; i < k; i++)
        out[i] = ids ? list[i].id : list[i].value;
}

static void reference_top_k(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const pick *p = c->attrs;
    const int64_t size = in->shape.dim[in->shape.rank - 1];
    candidate *list = calloc((size_t)size, sizeof *list);
    for (int64_t row = 0; list && row < in->count / size; row++)
        take(list, 0, in->data + row * size, size, 0, p->k, p->ids, out->data + row * p->k);
    free(list);
}

static void reference_merge(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const pick *p = c->attrs;
    const int64_t k = in[0].shape.dim[in[0].shape.rank - 1];
    const int64_t size = in[2].shape.dim[in[2].shape.rank - 1];
    candidate *list = calloc((size_t)(k + size), sizeof *list);
    for (int64_t row = 0; list && row < in[0].count / k; row++) {
        for (int64_t i = 0; i < k; i++)
            list[i] = (candidate){in[0].data[row * k + i], in[1].data[row * k + i]};
        take(list, k, in[2].data + row * size, size, in[3].data[0], k, p->ids, out->data + row * k);
    }
    free(list);
}

static const pick values_1 = {1, false}, places_1 = {1, true}, values_5 = {5, false},
                  places_5 = {5, true}, values_33 = {33, false}, places_33 = {33, true},
                  places_32 = {32, true}, values_200 = {200, false}, places_200 = {200, true},
                  places_1024 = {1024, true}, too_many = {6, false}, zero = {0, false};

#define TOP_K .n_in = 1, .build = build_top_k, .reference = reference_top_k, .tolerance = -1
#define CASE(rows, size, pick_, k)                                                                 \
    {                                                                                              \
        .name = #rows "x" #size " " #pick_, TOP_K, .attrs = &(pick_),                              \
        .in = {{.shape = {2, {rows, size}}, .fill = MICA_FILL_DISTINCT}}, .out = {                 \
            2,                                                                                     \
            {rows, k}                                                                              \
        }                                                                                          \
    }
#define TIES(rows, size, pick_, k)                                                                 \
    {                                                                                              \
        .name = "ties " #rows "x" #size " " #pick_, TOP_K, .attrs = &(pick_),                      \
        .in = {{.shape = {2, {rows, size}}, .fill = MICA_FILL_INTEGER, .low = -2, .high = 2}},     \
        .out = {                                                                                   \
            2,                                                                                     \
            {rows, k}                                                                              \
        }                                                                                          \
    }
/* What was found before are numbers in descending order with ids from 0 on; of those from `first`
 * on some are equal to them. */
#define MERGE .n_in = 4, .build = build_merge, .reference = reference_merge, .tolerance = -1
#define FOUND(rows, k, numbers)                                                                    \
    { .shape = {2, {rows, k}}, .values = (numbers) }
#define PART(rows, size)                                                                           \
    { .shape = {2, {rows, size}}, .fill = MICA_FILL_INTEGER, .low = -9, .high = 9 }
#define FIRST(number)                                                                              \
    { .shape = {1, {1}}, .values = (number) }

static const double specials[] = {
    -INFINITY,
    -INFINITY,
    -1,
    -INFINITY,
    -INFINITY, /* the smallest too */
    -1,
    -0.0,
    0,
    -0.0,
    0, /* zeros are equal */
    1,
    INFINITY,
    NAN,
    INFINITY,
    NAN, /* NaN is the largest */
    -3,
    -1,
    -2,
    -1,
    -5, /* negative numbers */
    -INFINITY,
    -1e30,
    1e-30,
    0,
    1e30,
};
static const double found[] = {8, 8, 3, -4, -4, INFINITY, 1, 0, -4, -9};
static const double found_ids[] = {7, 30, 4, 0, 1, 9, 3, 5, 2, 6};
static const double at_31[] = {31}, at_0[] = {0}, ones[] = {5, 5, 5}, one_ids[] = {2, 0, 1};
static const double at_16m[] = {16777000};

static const mica_op_case cases[] = {
    CASE(1, 1, values_1, 1),
    CASE(1, 1, places_1, 1),
    CASE(31, 31, places_5, 5),
    CASE(32, 32, values_5, 5),
    CASE(33, 33, places_33, 33),
    CASE(33, 33, values_33, 33),
    CASE(9, 32, places_32, 32),
    CASE(129, 63, places_5, 5),
    CASE(129, 65, places_5, 5),
    CASE(3, 1000, places_200, 200),
    CASE(3, 1025, values_200, 200),
    CASE(2, 1025, places_1024, 1024),
    CASE(2, 5000, places_1024, 1024),
    CASE(1, 100000, places_200, 200),
    CASE(10000, 10, values_5, 5),
    TIES(33, 7, places_5, 5),
    TIES(33, 33, places_33, 33),
    TIES(5, 1000, places_200, 200),
    {.name = "2x3x40",
        TOP_K,
        .attrs = &places_5,
        .in = {{.shape = {3, {2, 3, 40}}, .fill = MICA_FILL_DISTINCT}},
        .out = {3, {2, 3, 5}}},
    {.name = "a single row",
        TOP_K,
        .attrs = &values_5,
        .in = {{.shape = {1, {40}}, .fill = MICA_FILL_DISTINCT}},
        .out = {1, {5}}},
    {.name = "infinities, zeros and NaN",
        TOP_K,
        .attrs = &places_5,
        .in = {{.shape = {2, {5, 5}}, .values = specials}},
        .out = {2, {5, 5}}},
    {.name = "infinities, zeros and NaN: values",
        TOP_K,
        .attrs = &values_5,
        .in = {{.shape = {2, {5, 5}}, .values = specials}},
        .out = {2, {5, 5}}},
    {.name = "NaN",
        TOP_K,
        .attrs = &places_33,
        .in = {{.shape = {2, {50, 40}}, .fill = MICA_FILL_NAN}},
        .out = {2, {50, 33}}},
    {.name = "k above the row's size",
        TOP_K,
        .attrs = &too_many,
        .in = {{.shape = {2, {2, 5}}}},
        .refused = MICA_E_INVALID,
        .words = {"top_k", "k is 6", "5 numbers"}},
    {.name = "k of 0",
        TOP_K,
        .attrs = &zero,
        .in = {{.shape = {2, {2, 5}}}},
        .refused = MICA_E_INVALID,
        .words = {"top_k", "1 to 1024"}},
    {.name = "of int32",
        TOP_K,
        .attrs = &values_1,
        .in = {{.shape = {2, {2, 2}}, .dtype = MICA_I32}},
        .refused = MICA_E_INVALID,
        .words = {"top_k", "float32"}},
    {.name = "merge 2x33",
        MERGE,
        .attrs = &values_5,
        .in = {FOUND(2, 5, found), FOUND(2, 5, found_ids), PART(2, 33), FIRST(at_31)},
        .out = {2, {2, 5}}},
    {.name = "merge 2x33, ids",
        MERGE,
        .attrs = &places_5,
        .in = {FOUND(2, 5, found), FOUND(2, 5, found_ids), PART(2, 33), FIRST(at_31)},
        .out = {2, {2, 5}}},
    {.name = "merge a row shorter than k, ids",
        MERGE,
        .attrs = &places_5,
        .in = {FOUND(2, 5, found), FOUND(2, 5, found_ids), PART(2, 2), FIRST(at_31)},
        .out = {2, {2, 5}}},
    {.name = "merge 2x200, ids up to 2^24",
        MERGE,
        .attrs = &places_5,
        .in = {FOUND(2, 5, found), FOUND(2, 5, found_ids), PART(2, 200), FIRST(at_16m)},
        .out = {2, {2, 5}}},
    {.name = "merge 1x3000, ids",
        MERGE,
        .attrs = &places_5,
        .in = {FOUND(1, 5, found), FOUND(1, 5, found_ids), PART(1, 3000), FIRST(at_31)},
        .out = {2, {1, 5}}},
    {.name = "merge k of 1",
        MERGE,
        .attrs = &places_1,
        .in = {FOUND(3, 1, ones), FOUND(3, 1, one_ids), PART(3, 1), FIRST(at_0)},
        .out = {2, {3, 1}}},
    {.name = "merge with ids of another shape",
        MERGE,
        .attrs = &places_1,
        .in = {FOUND(3, 1, ones), {.shape = {1, {3}}}, PART(3, 1), FIRST(at_0)},
        .refused = MICA_E_INVALID,
        .words = {"top_k_merge", "ids", "(3, 1)", "(3)"}},
    {.name = "merge other rows",
        MERGE,
        .attrs = &places_1,
        .in = {FOUND(3, 1, ones), FOUND(3, 1, one_ids), PART(2, 1), FIRST(at_0)},
        .refused = MICA_E_INVALID,
        .words = {"top_k_merge", "(3, 1)", "(2, 1)"}},
    {.name = "merge with first of 2 numbers",
        MERGE,
        .attrs = &places_1,
        .in = {FOUND(3, 1, ones), FOUND(3, 1, one_ids), PART(3, 1), {.shape = {1, {2}}}},
        .refused = MICA_E_INVALID,
        .words = {"top_k_merge", "first", "(2)"}},
};

const mica_op_suite mica_suite_top_k = {.name = "top_k", MICA_CASES(cases), .no_gradient = true};
