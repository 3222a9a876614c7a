/* Cases of the recurrent operators. Inputs: x, weight, recurrent, bias, h0, then c0 (LSTM) or
 * bias_n (GRU), then lengths; those that attrs leaves out are not connected. The result is what
 * attrs asks for, side by side in time: outputs, then h, then c. */
#include "tests/op/harness.h"

#include <math.h>
#include <mica/sequence.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind { TANH, RELU, LSTM, GRU, GRU_FIRST } kind;
enum { OUTPUTS = 1, H = 2, C = 4 };

typedef struct attrs {
    kind cell;
    int results;
    bool reverse, masked, ids, no_bias, no_start;
} attrs;

static int gates_of(kind cell) {
    return cell == LSTM ? 4 : cell >= GRU ? 3 : 1;
}

static int lengths_at(kind cell) {
    return cell == LSTM || cell == GRU ? 6 : 5;
}

static mica_value *as_step(mica_value *state) {
    if (!state)
        return NULL;
    const mica_shape shape = mica_value_shape(state);
    return mica_reshape(state, 3, (const int64_t[]){shape.dim[0], 1, shape.dim[1]});
}

static mica_value *build(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    const attrs *a = c->attrs;
    mica_recurrent_options options = {.reverse = a->reverse,
        .lengths = a->masked ? in[lengths_at(a->cell)] : NULL,
        .h0 = a->no_start ? NULL : in[4],
        .c0 = a->no_start || a->cell != LSTM ? NULL : in[5],
        .bias_n = a->no_bias || a->cell != GRU ? NULL : in[5],
        .relu = a->cell == RELU,
        .reset_first = a->cell == GRU_FIRST};
    mica_value *bias = a->no_bias ? NULL : in[3];
    mica_recurrent y = a->cell == LSTM  ? mica_lstm(in[0], in[1], in[2], bias, &options)
                       : a->cell >= GRU ? mica_gru(in[0], in[1], in[2], bias, &options)
                                        : mica_rnn(in[0], in[1], in[2], bias, &options);
    mica_value *parts[3];
    int n = 0;
    if (a->results & OUTPUTS)
        parts[n++] = y.outputs;
    if (a->results & H)
        parts[n++] = as_step(y.h);
    if (a->results & C)
        parts[n++] = as_step(y.c);
    return mica_concat(parts, n, 1);
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

typedef struct sizes {
    int64_t batch, time, in, hidden, width;
} sizes;

static sizes sizes_of(const attrs *a, const mica_ref *in) {
    return (sizes){in[0].shape.dim[0], in[0].shape.dim[1], in[1].shape.dim[0], in[2].shape.dim[0],
        gates_of(a->cell) * in[2].shape.dim[0]};
}

/* s[q] = x_t weight + bias of sample b. */
static void input_sums(
    const attrs *a, const sizes *z, const mica_ref *in, int64_t b, int64_t t, double *s) {
    for (int64_t q = 0; q < z->width; q++)
        s[q] = a->no_bias ? 0 : in[3].data[q];
    for (int64_t i = 0; i < z->in; i++) {
        const double x = a->ids ? in[0].data[b * z->time + t] == (double)i
                                : in[0].data[(b * z->time + t) * z->in + i];
        for (int64_t q = 0; q < z->width && x != 0; q++)
            s[q] += x * in[1].data[i * z->width + q];
    }
}

/* u[q] += h recurrent for columns begin .. end - 1. */
static void add_product(const sizes *z, const double *h, const double *recurrent, int64_t begin,
    int64_t end, double *u) {
    for (int64_t k = 0; k < z->hidden; k++)
        for (int64_t q = begin; q < end; q++)
            u[q] += h[k] * recurrent[k * z->width + q];
}

/* One step: s are the input's sums, h and c the states, which change. u is scratch. */
static void step(const attrs *a, const sizes *z, const mica_ref *in, const double *s, double *u,
    double *h, double *c) {
    const int64_t n = z->hidden;
    memset(u, 0, (size_t)(z->width + n) * sizeof *u);
    add_product(z, h, in[2].data, 0, a->cell == GRU_FIRST ? 2 * n : z->width, u);
    double *rh = u + z->width;
    for (int64_t j = 0; j < n && a->cell == GRU_FIRST; j++)
        rh[j] = sigmoid(s[j] + u[j]) * h[j];
    if (a->cell == GRU_FIRST)
        add_product(z, rh, in[2].data, 2 * n, 3 * n, u);
    for (int64_t j = 0; j < n; j++) {
        const double first = s[j] + u[j];
        if (a->cell == TANH) {
            h[j] = tanh(first);
        } else if (a->cell == RELU) {
            h[j] = fmax(first, 0);
        } else if (a->cell == LSTM) {
            const double f = sigmoid(s[n + j] + u[n + j]), g = tanh(s[2 * n + j] + u[2 * n + j]);
            c[j] = f * c[j] + sigmoid(first) * g;
            h[j] = sigmoid(s[3 * n + j] + u[3 * n + j]) * tanh(c[j]);
        } else {
            const double zt = sigmoid(s[n + j] + u[n + j]);
            const double bias = a->cell == GRU && !a->no_bias ? in[5].data[j] : 0;
            const double inner = u[2 * n + j] + bias;
            const double nt =
                tanh(s[2 * n + j] + (a->cell == GRU ? sigmoid(first) * inner : inner));
            h[j] = (1 - zt) * nt + zt * h[j];
        }
    }
}

static void reference(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const attrs *a = c->attrs;
    const sizes z = sizes_of(a, in);
    const int64_t n = z.hidden, steps = out->shape.dim[1];
    double *s = calloc((size_t)(2 * z.width + 3 * n), sizeof *s);
    double *u = s + z.width, *h = u + z.width + n, *cell = h + n;
    for (int64_t b = 0; b < z.batch && s; b++) {
        double *to = out->data + b * steps * n;
        for (int64_t j = 0; j < n; j++) {
            h[j] = a->no_start ? 0 : in[4].data[b * n + j];
            cell[j] = a->no_start || a->cell != LSTM ? 0 : in[5].data[b * n + j];
        }
        for (int64_t i = 0; i < z.time; i++) {
            const int64_t t = a->reverse ? z.time - 1 - i : i;
            if (a->masked && (double)t >= in[lengths_at(a->cell)].data[b])
                continue;
            input_sums(a, &z, in, b, t, s);
            step(a, &z, in, s, u, h, cell);
            if (a->results & OUTPUTS)
                memcpy(to + t * n, h, (size_t)n * sizeof *h);
        }
        to += a->results & OUTPUTS ? z.time * n : 0;
        if (a->results & H)
            memcpy(to, h, (size_t)n * sizeof *h);
        if (a->results & C)
            memcpy(to + (a->results & H ? n : 0), cell, (size_t)n * sizeof *cell);
    }
    free(s);
}

#define ATTRS(...)                                                                                 \
    .attrs = &(const attrs) {                                                                      \
        __VA_ARGS__                                                                                \
    }
#define STATE(b, h)                                                                                \
    {                                                                                              \
        .shape = { 2, {b, h} }                                                                     \
    }
#define LENGTHS(b, low_, high_)                                                                    \
    { .shape = {1, {b}}, .dtype = MICA_I32, .low = low_, .high = high_ }
#define WEIGHTS(i, h, g)                                                                           \
    {.shape = {2, {i, (g)*h}}, .low = -0.5, .high = 0.5},                                          \
        {.shape = {2, {h, (g)*h}}, .low = -0.5, .high = 0.5}, {                                    \
        .shape = { 1, {(g)*h} }                                                                    \
    }
/* n inputs, the last of them for the gates' kind; steps of the result. */
#define SHAPE(b, t, i, h, g, n, steps, ...)                                                        \
    .n_in = n, .in = {{.shape = {3, {b, t, i}}}, WEIGHTS(i, h, g), STATE(b, h), __VA_ARGS__},      \
    .out = {3, {b, steps, h}}
#define RNN_SHAPE(b, t, i, h)       SHAPE(b, t, i, h, 1, 5, t + 1, {{0}})
#define LSTM_SHAPE(b, t, i, h)      SHAPE(b, t, i, h, 4, 6, t + 2, STATE(b, h))
#define GRU_SHAPE(b, t, i, h)       SHAPE(b, t, i, h, 3, 6, t + 1, {.shape = {1, {h}}})
#define GRU_FIRST_SHAPE(b, t, i, h) SHAPE(b, t, i, h, 3, 5, t + 1, {{0}})
#define LSTM_CASE(b, t, i, h, probes_)                                                             \
    {                                                                                              \
        .name = "LSTM " #b "x" #t "x" #i ", " #h, ATTRS(LSTM, OUTPUTS | H | C),                    \
        LSTM_SHAPE(b, t, i, h), .probes = probes_                                                  \
    }

static const mica_op_case cases[] = {
    LSTM_CASE(1, 1, 1, 1, 48),
    LSTM_CASE(1, 4, 3, 2, 48),
    LSTM_CASE(3, 3, 4, 7, 48),
    LSTM_CASE(3, 2, 5, 31, 48),
    LSTM_CASE(3, 2, 5, 32, 48),
    LSTM_CASE(3, 2, 5, 33, 48),
    LSTM_CASE(7, 2, 6, 34, 16),
    LSTM_CASE(3, 30, 2, 24, 16),
    LSTM_CASE(3, 2, 2, 150, 8),
    LSTM_CASE(2, 2, 2, 520, 2),
    LSTM_CASE(515, 1, 2, 66, 2),
    {.name = "LSTM in reverse",
        ATTRS(LSTM, OUTPUTS | H | C, .reverse = true),
        LSTM_SHAPE(3, 5, 4, 9)},
    {.name = "LSTM, only outputs", ATTRS(LSTM, OUTPUTS), SHAPE(3, 4, 2, 7, 4, 6, 4, STATE(3, 7))},
    {.name = "LSTM, only h", ATTRS(LSTM, H), SHAPE(3, 4, 2, 7, 4, 6, 1, STATE(3, 7))},
    {.name = "LSTM, only c", ATTRS(LSTM, C), SHAPE(3, 4, 2, 7, 4, 6, 1, STATE(3, 7))},
    {.name = "LSTM with lengths",
        ATTRS(LSTM, OUTPUTS | H | C, .masked = true),
        SHAPE(4, 4, 3, 9, 4, 7, 6, STATE(4, 9), LENGTHS(4, -1, 5))},
    {.name = "LSTM with lengths, only h",
        ATTRS(LSTM, H, .masked = true),
        SHAPE(4, 4, 3, 9, 4, 7, 1, STATE(4, 9), LENGTHS(4, 0, 4))},
    {.name = "LSTM with lengths in reverse",
        ATTRS(LSTM, OUTPUTS | H | C, .masked = true, .reverse = true),
        SHAPE(4, 4, 3, 9, 4, 7, 6, STATE(4, 9), LENGTHS(4, 0, 4))},
    {.name = "LSTM from nothing",
        ATTRS(LSTM, OUTPUTS | C, .no_start = true, .no_bias = true),
        .n_in = 3,
        .in = {{.shape = {3, {4, 3, 2}}}, WEIGHTS(2, 5, 4)},
        .out = {3, {4, 4, 5}}},
    {.name = "LSTM of class numbers",
        ATTRS(LSTM, OUTPUTS | H | C, .ids = true),
        .n_in = 6,
        .in = {{.shape = {2, {3, 4}}, .dtype = MICA_I32, .low = 0, .high = 5}, WEIGHTS(6, 5, 4),
            STATE(3, 5), STATE(3, 5)},
        .out = {3, {3, 6, 5}}},
    {.name = "LSTM of more classes than steps",
        ATTRS(LSTM, OUTPUTS | H | C, .ids = true),
        .n_in = 6,
        .in = {{.shape = {2, {3, 4}}, .dtype = MICA_I32, .low = 0, .high = 49}, WEIGHTS(50, 5, 4),
            STATE(3, 5), STATE(3, 5)},
        .out = {3, {3, 6, 5}}},
    {.name = "tanh 1x1x1, 1", ATTRS(TANH, OUTPUTS | H), RNN_SHAPE(1, 1, 1, 1)},
    {.name = "tanh 3x4x2, 7", ATTRS(TANH, OUTPUTS | H), RNN_SHAPE(3, 4, 2, 7)},
    {.name = "tanh 15x3x3, 33", ATTRS(TANH, OUTPUTS | H), RNN_SHAPE(15, 3, 3, 33), .probes = 16},
    {.name = "tanh with lengths in reverse",
        ATTRS(TANH, OUTPUTS | H, .masked = true, .reverse = true),
        SHAPE(4, 4, 3, 9, 1, 6, 5, LENGTHS(4, 0, 4))},
    {.name = "tanh, only h", ATTRS(TANH, H), SHAPE(3, 4, 2, 7, 1, 5, 1, {{0}})},
    {.name = "ReLU 3x3x5, 17", ATTRS(RELU, OUTPUTS | H), RNN_SHAPE(3, 3, 5, 17)},
    {.name = "GRU 1x1x1, 1", ATTRS(GRU, OUTPUTS | H), GRU_SHAPE(1, 1, 1, 1)},
    {.name = "GRU 3x4x2, 7", ATTRS(GRU, OUTPUTS | H), GRU_SHAPE(3, 4, 2, 7)},
    {.name = "GRU 10x3x3, 33", ATTRS(GRU, OUTPUTS | H), GRU_SHAPE(10, 3, 3, 33), .probes = 16},
    {.name = "GRU 3x2x2, 200", ATTRS(GRU, OUTPUTS | H), GRU_SHAPE(3, 2, 2, 200), .probes = 8},
    {.name = "GRU, only h", ATTRS(GRU, H), SHAPE(3, 4, 2, 7, 3, 6, 1, {.shape = {1, {7}}})},
    {.name = "GRU with lengths in reverse",
        ATTRS(GRU, OUTPUTS | H, .masked = true, .reverse = true),
        SHAPE(4, 4, 3, 9, 3, 7, 5, {.shape = {1, {9}}}, LENGTHS(4, 0, 4))},
    {.name = "GRU from nothing",
        ATTRS(GRU, OUTPUTS, .no_start = true, .no_bias = true),
        .n_in = 3,
        .in = {{.shape = {3, {4, 3, 2}}}, WEIGHTS(2, 5, 3)},
        .out = {3, {4, 3, 5}}},
    {.name = "GRU, reset first, 1x1x1, 1",
        ATTRS(GRU_FIRST, OUTPUTS | H),
        GRU_FIRST_SHAPE(1, 1, 1, 1)},
    {.name = "GRU, reset first, 3x4x2, 7",
        ATTRS(GRU_FIRST, OUTPUTS | H),
        GRU_FIRST_SHAPE(3, 4, 2, 7)},
    {.name = "GRU, reset first, 10x3x3, 33",
        ATTRS(GRU_FIRST, OUTPUTS | H),
        GRU_FIRST_SHAPE(10, 3, 3, 33),
        .probes = 16},
    {.name = "GRU, reset first, only h", ATTRS(GRU_FIRST, H), SHAPE(3, 4, 2, 7, 3, 5, 1, {{0}})},
    {.name = "GRU, reset first, with lengths",
        ATTRS(GRU_FIRST, OUTPUTS | H, .masked = true),
        SHAPE(4, 4, 3, 9, 3, 6, 5, LENGTHS(4, 0, 4))},
    {.name = "a recurrent matrix of another shape",
        ATTRS(LSTM, OUTPUTS),
        .n_in = 6,
        .in = {{.shape = {3, {2, 3, 4}}}, {.shape = {2, {4, 20}}}, {.shape = {2, {5, 15}}},
            {.shape = {1, {20}}}, STATE(2, 5), STATE(2, 5)},
        .refused = MICA_E_INVALID,
        .words = {"lstm", "4 * hidden", "in2", "(5, 15)"}},
    {.name = "weights of another height",
        ATTRS(GRU, OUTPUTS),
        .n_in = 6,
        .in = {{.shape = {3, {2, 3, 4}}}, {.shape = {2, {3, 15}}}, {.shape = {2, {5, 15}}},
            {.shape = {1, {15}}}, STATE(2, 5), {.shape = {1, {5}}}},
        .refused = MICA_E_INVALID,
        .words = {"gru", "weight", "(4, 15)", "(3, 15)"}},
    {.name = "x of two dimensions",
        ATTRS(TANH, OUTPUTS),
        .n_in = 5,
        .in = {{.shape = {2, {2, 3}}}, WEIGHTS(3, 5, 1), STATE(2, 5)},
        .refused = MICA_E_INVALID,
        .words = {"rnn", "(batch, time, in)", "in0"}},
    {.name = "h0 of another batch",
        ATTRS(TANH, OUTPUTS),
        .n_in = 5,
        .in = {{.shape = {3, {2, 3, 4}}}, WEIGHTS(4, 5, 1), STATE(3, 5)},
        .refused = MICA_E_INVALID,
        .words = {"rnn", "h0", "(2, 5)", "(3, 5)"}},
    {.name = "lengths of float32",
        ATTRS(TANH, OUTPUTS, .masked = true),
        .n_in = 6,
        .in = {{.shape = {3, {2, 3, 4}}}, WEIGHTS(4, 5, 1), STATE(2, 5), {.shape = {1, {2}}}},
        .refused = MICA_E_INVALID,
        .words = {"rnn", "lengths", "int32"}},
};

const mica_op_suite mica_suite_recurrent = {
    .name = "recurrent", MICA_CASES(cases), .build = build, .reference = reference};
