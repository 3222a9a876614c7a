/* The layers of recurrent networks: stacks of mica_rnn, mica_lstm and mica_gru in one or both
 * directions with their parameters, and lookup tables. */
#include "nn/layer.h"

#include "base/error.h"
#include "graph/graph_impl.h"

#include <math.h>
#include <mica/sequence.h>
#include <stdio.h>

typedef mica_recurrent recurrence(mica_value *x, mica_value *weight, mica_value *recurrent,
    mica_value *bias, const mica_recurrent_options *options);

typedef struct cell {
    const char *name;
    recurrence *build;
    int gates;
} cell;

static const cell rnn = {"rnn", mica_rnn, 1}, lstm = {"lstm", mica_lstm, 4};
static const cell gru = {"gru", mica_gru, 3};

enum { LAYERS_MOST = 64, HIDDEN_MOST = 1 << 20 };

/* A stack while it is built. */
typedef struct stack {
    const cell *cell;
    const mica_recurrent_layer_options *options;
    mica_graph *graph;
    int64_t batch, hidden;
    int layers, directions;
    mica_value *h0, *c0; /* (layers * directions, batch, hidden) or NULL */
    mica_value *h[2 * LAYERS_MOST], *c[2 * LAYERS_MOST];
} stack;

static const mica_recurrent failed = {NULL, NULL, NULL};

/* A parameter of one direction of one layer; the fans are those of the matrix that it goes with. */
static mica_value *parameter(
    const stack *s, const char *kind, int layer, bool reverse, mica_shape shape, int64_t fan_in) {
    const mica_recurrent_layer_options *options = s->options;
    char number[16] = "", name[48];
    if (layer > 0)
        snprintf(number, sizeof number, "_l%d", layer);
    snprintf(name, sizeof name, "%s%s%s", kind, number, reverse ? "_reverse" : "");
    mica_init init = {MICA_INIT_UNIFORM, 1 / sqrtf((float)s->hidden), 0, 0};
    if (options->init)
        init = *options->init;
    if (!init.fan_in)
        init.fan_in = fan_in;
    if (!init.fan_out)
        init.fan_out = s->cell->gates * s->hidden;
    mica_value *value = mica_parameter(s->graph, name, shape, init);
    mica_parameter_freeze(value, options->frozen);
    return value;
}

/* The initial state of one direction of one layer. */
static mica_value *state(const stack *s, mica_value *all, int index) {
    const int64_t begin[] = {index, 0, 0}, size[] = {1, -1, -1};
    return all ? mica_reshape(
                     mica_slice(all, begin, size), 2, (const int64_t[]){s->batch, s->hidden})
               : NULL;
}

static mica_recurrent direction(stack *s, mica_value *x, int layer, int which) {
    const mica_recurrent_layer_options *options = s->options;
    const bool reverse = which == 1 || options->reverse;
    const int index = layer * s->directions + which;
    const int64_t width = s->cell->gates * s->hidden;
    const mica_shape shape = mica_value_shape(x);
    const int64_t in = mica_value_dtype(x) == MICA_I32 ? options->classes : shape.dim[2];
    mica_value *weight = parameter(s, "weight", layer, reverse, MICA_SHAPE(in, width), in);
    mica_value *recurrent =
        parameter(s, "recurrent", layer, reverse, MICA_SHAPE(s->hidden, width), s->hidden);
    mica_value *bias = options->no_bias
                           ? NULL
                           : parameter(s, "bias", layer, reverse, MICA_SHAPE(width), s->hidden);
    mica_recurrent_options step = {.reverse = reverse,
        .lengths = options->lengths,
        .h0 = state(s, s->h0, index),
        .c0 = state(s, s->c0, index),
        .relu = options->relu,
        .reset_first = options->reset_first};
    if (s->cell == &gru && bias && !options->reset_first)
        step.bias_n = parameter(s, "bias_n", layer, reverse, MICA_SHAPE(s->hidden), s->hidden);
    mica_recurrent y = s->cell->build(x, weight, recurrent, bias, &step);
    s->h[index] = y.h;
    s->c[index] = y.c;
    return y;
}

/* Final states side by side: (layers * directions, batch, hidden). */
static mica_value *stacked(const stack *s, mica_value *const *states) {
    const int count = s->layers * s->directions;
    mica_value *rows[2 * LAYERS_MOST];
    for (int i = 0; i < count; i++)
        rows[i] = mica_reshape(states[i], 3, (const int64_t[]){1, s->batch, s->hidden});
    return count == 1 ? rows[0] : mica_concat(rows, count, 0);
}

static mica_value *carried(const stack *s, const char *name, mica_value *given) {
    const mica_shape shape = MICA_SHAPE(s->layers * s->directions, s->batch, s->hidden);
    if (!s->options->stateful)
        return given;
    return mica_parameter(s->graph, name, shape, (mica_init){0});
}

static mica_recurrent build(stack *s, mica_value *x) {
    const mica_recurrent_layer_options *options = s->options;
    mica_recurrent y = {.outputs = x};
    s->h0 = carried(s, "h", options->h0);
    s->c0 = s->cell == &lstm ? carried(s, "c", options->c0) : NULL;
    for (int layer = 0; layer < s->layers; layer++) {
        x = y.outputs;
        if (layer > 0 && options->keep_prob != 0)
            x = mica_dropout(x, options->keep_prob);
        if (!x)
            return failed;
        mica_value *both[2] = {NULL, NULL};
        for (int i = 0; i < s->directions; i++)
            if (!(both[i] = direction(s, x, layer, i).outputs))
                return failed;
        y.outputs = s->directions == 1 ? both[0] : mica_concat(both, 2, 2);
    }
    y.h = stacked(s, s->h);
    y.c = s->cell == &lstm ? stacked(s, s->c) : NULL;
    if (options->stateful) {
        mica_parameter_carry(s->h0, y.h);
        mica_parameter_carry(s->c0, y.c);
    }
    return y;
}

static mica_status check(const stack *s, const char *name, const mica_value *x) {
    const mica_recurrent_layer_options *options = s->options;
    const mica_shape wanted = MICA_SHAPE(s->layers * s->directions, s->batch, s->hidden);
    char have[96], want[96];
    if (mica_value_dtype(x) == MICA_I32 && options->classes < 1)
        return mica_fail(MICA_E_INVALID,
            "%s %s: %s is int32, so classes must say how many there are", s->cell->name, name,
            mica_value_name(x));
    if (options->stateful && (options->h0 || options->c0))
        return mica_fail(MICA_E_INVALID,
            "%s %s: stateful makes the initial states itself: leave out h0 and c0", s->cell->name,
            name);
    for (int i = 0; i < 2; i++) {
        const mica_value *given = i ? options->c0 : options->h0;
        if (given && !mica_shape_equal(mica_value_shape(given), wanted))
            return mica_fail(MICA_E_INVALID,
                "%s %s: %s must be (layers * directions, batch, hidden) = %s, but %s is %s",
                s->cell->name, name, i ? "c0" : "h0", mica_shape_text(wanted, want, sizeof want),
                mica_value_name(given),
                mica_shape_text(mica_value_shape(given), have, sizeof have));
    }
    return MICA_OK;
}

static mica_recurrent layer(const cell *kind, mica_value *x, const char *name, int64_t hidden,
    const mica_recurrent_layer_options *options) {
    static const mica_recurrent_layer_options defaults;
    if (!x)
        return failed;
    mica_graph *graph = mica_value_graph(x);
    const mica_shape shape = mica_value_shape(x);
    bool ids = mica_value_dtype(x) == MICA_I32;
    options = options ? options : &defaults;
    stack s = {.cell = kind,
        .options = options,
        .graph = graph,
        .batch = shape.dim[0],
        .hidden = hidden,
        .layers = options->layers ? options->layers : 1,
        .directions = options->bidirectional ? 2 : 1};
    char text[96];
    mica_status status = MICA_OK;
    if (!name || !*name)
        status = mica_fail(MICA_E_INVALID, "%s: the layer needs a name", kind->name);
    else if (shape.rank != (ids ? 2 : 3))
        status = mica_fail(MICA_E_INVALID,
            "%s %s: wanted float32 values (batch, time, features) or int32 (batch, time), got %s "
            "%s",
            kind->name, name, ids ? "int32" : "float32", mica_shape_text(shape, text, sizeof text));
    else if (s.layers < 1 || s.layers > LAYERS_MOST || hidden < 1 || hidden > HIDDEN_MOST)
        status = mica_fail(MICA_E_INVALID,
            "%s %s: wanted 1 to %d layers of 1 to %d units, got %d of %lld", kind->name, name,
            LAYERS_MOST, HIDDEN_MOST, s.layers, (long long)hidden);
    else
        status = check(&s, name, x);
    if (status != MICA_OK) {
        mica_graph_failed(graph, status);
        return failed;
    }
    mica_graph_set_scope(graph, name);
    mica_recurrent y = build(&s, x);
    mica_graph_set_scope(graph, NULL);
    return y;
}

mica_recurrent mica_rnn_layer(
    mica_value *x, const char *name, int64_t hidden, const mica_recurrent_layer_options *options) {
    return layer(&rnn, x, name, hidden, options);
}

mica_recurrent mica_lstm_layer(
    mica_value *x, const char *name, int64_t hidden, const mica_recurrent_layer_options *options) {
    return layer(&lstm, x, name, hidden, options);
}

mica_recurrent mica_gru_layer(
    mica_value *x, const char *name, int64_t hidden, const mica_recurrent_layer_options *options) {
    return layer(&gru, x, name, hidden, options);
}

mica_value *mica_embedding_layer(mica_value *ids, const char *name, int64_t rows, int64_t width,
    const mica_embedding_layer_options *options) {
    if (!ids)
        return NULL;
    mica_graph *graph = mica_value_graph(ids);
    mica_init start = {MICA_INIT_NORMAL, 1, rows, width};
    const mica_embedding_layer_options o = options ? *options : (mica_embedding_layer_options){0};
    if (o.init)
        start = *o.init;
    if (!start.fan_in)
        start.fan_in = rows;
    if (!start.fan_out)
        start.fan_out = width;
    if (!name || !*name)
        return mica_graph_failed(
            graph, mica_fail(MICA_E_INVALID, "embedding: the layer needs a name"));
    mica_graph_set_scope(graph, name);
    mica_value *table = mica_parameter(graph, "weight", MICA_SHAPE(rows, width), start);
    mica_parameter_sparse(table, o.sparse);
    mica_parameter_freeze(table, o.frozen);
    mica_value *y = mica_embedding(table, ids);
    mica_graph_set_scope(graph, NULL);
    return y;
}
