/* Writers of recurrent networks. A node of the graph takes the product of all inputs with the input
 * weights, which is nodes of its own before it; a node of the file has the product inside. So these
 * are read backwards from the recurrent one:
 *
 *     reshape(bias_add(matmul(reshape(x), weight), bias))       numbers
 *     reshape(embedding(bias_add(weight, bias), ids))           class numbers, which become rows
 *     reshape(bias_add(embedding(weight, ids), bias))           with a one, or its bias behind it
 *
 * Time is first in the file; one node for each direction. */
#include "graph/graph.h"
#include "onnx/export.h"
#include "op/elementwise_program.h"
#include "op/recurrent.h"

#include <string.h>

/* What a recurrent node takes; NULL: not there. `x` is NULL where its product is of another form.
 */
typedef struct parts {
    mica_recurrent_values v;
    mica_value *x; /* (batch, time, in), or int32 (batch, time) */
    mica_value *weight, *bias;
    mica_value *h0, *c0; /* none where they are 0, or carried on */
} parts;

static bool is_op(const mica_value *value, const char *name) {
    return !strcmp(value->node->op->name, name);
}

static bool is_bias_add(const mica_value *value) {
    return value->node->op == &mica_op_elementwise &&
           ((const mica_elementwise_attrs *)value->node->attrs)->bias;
}

/* Takes off a bias; NULL stays where there is none. */
static mica_value *without_bias(mica_value *value, mica_value **bias) {
    if (!is_bias_add(value))
        return value;
    *bias = value->node->in[1];
    return value->node->in[0];
}

static mica_value *start_of(mica_value *state) {
    if (state && state->node->op == &mica_op_constant) {
        const mica_constant_attrs *constant = state->node->attrs;
        return constant->data || constant->number != 0 ? state : NULL;
    }
    const mica_value *source = state; /* a layer's state is a part of that of all its cells */
    while (source && (is_op(source, "slice") || is_op(source, "reshape")))
        source = source->node->in[0];
    const bool carried = source && source->node->op == &mica_op_parameter &&
                         mica_parameter_get(source)->tracked != NULL;
    return carried ? NULL : state;
}

static parts parts_of(const mica_node *node) {
    parts p = {.v = mica_recurrent_forward_values(node)};
    p.h0 = start_of(p.v.h0);
    p.c0 = start_of(p.v.c0);
    if (!is_op(p.v.x, "reshape"))
        return p;
    mica_value *product = without_bias(p.v.x->node->in[0], &p.bias);
    if (is_op(product, "embedding")) {
        p.weight = without_bias(product->node->in[0], &p.bias);
        p.x = product->node->in[1];
    } else if (is_op(product, "matmul") && is_op(product->node->in[0], "reshape")) {
        p.weight = product->node->in[1];
        p.x = product->node->in[0]->node->in[0];
    }
    const bool known = p.x && mica_onnx_is_source(p.weight) && mica_onnx_is_source(p.v.weights) &&
                       (!p.bias || mica_onnx_is_source(p.bias)) &&
                       (!p.v.bias_n || mica_onnx_is_source(p.v.bias_n));
    const int64_t *dim = p.v.x->shape.dim;
    if (!known || p.x->shape.rank != (p.x->dtype == MICA_I32 ? 2 : 3) ||
        p.x->shape.dim[0] != dim[0] || p.x->shape.dim[1] != dim[1])
        p.x = NULL;
    return p;
}

int mica_onnx_recurrent_inputs(const mica_node *node, mica_value **in) {
    const parts p = parts_of(node);
    mica_value *const all[] = {
        p.x ? p.x : p.v.x, p.weight, p.bias, p.v.weights, p.h0, p.c0, p.v.bias_n, p.v.lengths};
    int count = 0;
    for (int i = 0; i < 8; i++)
        if (all[i])
            in[count++] = all[i];
    return count;
}

/* ---- inputs of the file's node ---- */

static void turned(mica_onnx_writer *w, const char *from, const char *to, const int64_t order[3]) {
    mica_onnx_pb_node *node = mica_onnx_put(w, "Transpose", to, MICA_ONNX_IN(from));
    mica_onnx_put_ints(w, node, "perm", 3, order);
}

static const char *sequence_name(mica_onnx_writer *w, const parts *p) {
    const char *x = mica_onnx_own(w, p->x), *name = mica_onnx_between(w, p->x);
    if (p->x->dtype == MICA_I32)
        x = mica_onnx_one_hot_put(w, x, p->x, p->weight->shape.dim[0]);
    turned(w, x, name, (int64_t[]){1, 0, 2});
    return name;
}

/* (rows, gates*hidden) becomes (1, gates*hidden, rows). */
static const char *matrix_name(
    mica_onnx_writer *w, mica_value *weight, int gates, const int64_t *places) {
    const int64_t rows = weight->shape.dim[0], hidden = weight->shape.dim[1] / gates;
    static const int order[] = {0, 2, 3, 1};
    /* gates and hidden stay apart here: a tensor of 4 dimensions that is declared as one of 3 */
    return mica_onnx_stored_as(w, weight, 4, (int64_t[]){1, rows, gates, hidden}, order, 2, places,
        3, (int64_t[]){1, gates * hidden, rows});
}

/* The bias of the input product, then that of the state's, of which only GRU has one. */
static const char *bias_name(
    mica_onnx_writer *w, const parts *p, int gates, const int64_t *places) {
    const int64_t hidden = p->v.weights->shape.dim[0], width = gates * hidden;
    float *both = mica_onnx_room(w, (size_t)(2 * width), sizeof *both);
    const float *bias = p->bias ? mica_onnx_numbers(w, p->bias) : NULL;
    const float *inner = p->v.bias_n ? mica_onnx_numbers(w, p->v.bias_n) : NULL;
    for (int64_t i = 0; both && bias && i < width; i++)
        both[i] = bias[places[i / hidden] * hidden + i % hidden];
    for (int64_t i = 0; both && inner && i < hidden; i++)
        both[2 * width - hidden + i] = inner[i];
    if (!both || (!bias && !inner))
        return "";
    return mica_onnx_floats_stored(
        w, p->bias ? p->bias : p->v.bias_n, 2, (int64_t[]){1, 2 * width}, both);
}

/* (batch, hidden) becomes (1, batch, hidden). */
static const char *state_name(mica_onnx_writer *w, mica_value *state) {
    if (!state)
        return "";
    const char *name = mica_onnx_between(w, state), *own = mica_onnx_own(w, state);
    const char *axis = mica_onnx_integers_stored(w, state, 1, (int64_t[]){0});
    mica_onnx_put(w, "Unsqueeze", name, MICA_ONNX_IN(own, axis));
    return name;
}

/* ---- results ---- */

static void squeezed(
    mica_onnx_writer *w, const mica_value *value, const char *from, int64_t axis, const char *to) {
    const char *axes = mica_onnx_integers_stored(w, value, 1, &axis);
    mica_onnx_put(w, "Squeeze", to, MICA_ONNX_IN(from, axes));
}

/* A result that somebody takes, else "". */
static const char *result_name(mica_onnx_writer *w, const mica_value *value) {
    return value && mica_onnx_uses(w, value) ? mica_onnx_between(w, value) : "";
}

static void results_put(mica_onnx_writer *w, mica_onnx_pb_node *made,
    const mica_recurrent_values *v, const char *outputs) {
    const char *h = result_name(w, v->h), *c = result_name(w, v->c);
    if (*h || *c)
        mica_onnx_put_output(w, made, h);
    if (*c)
        mica_onnx_put_output(w, made, c);
    if (*outputs) {
        const char *time_first = mica_onnx_between(w, v->outputs);
        squeezed(w, v->outputs, outputs, 1, time_first);
        turned(w, time_first, mica_onnx_gives(w, v->outputs, false), (int64_t[]){1, 0, 2});
    }
    if (*h)
        squeezed(w, v->h, h, 0, mica_onnx_gives(w, v->h, false));
    if (*c)
        squeezed(w, v->c, c, 0, mica_onnx_gives(w, v->c, false));
}

static void recurrent(
    mica_onnx_writer *w, const mica_node *node, const char *op, int gates, const int64_t *places) {
    const mica_recurrent_attrs *attrs = node->attrs;
    const parts p = parts_of(node);
    if (!p.x) {
        mica_onnx_cannot(w, node, "the product of its inputs is of another form than a layer's");
        return;
    }
    const char *in[8] = {sequence_name(w, &p), matrix_name(w, p.weight, gates, places),
        matrix_name(w, p.v.weights, gates, places), bias_name(w, &p, gates, places),
        p.v.lengths ? mica_onnx_own(w, p.v.lengths) : "", state_name(w, p.h0),
        p.c0 ? state_name(w, p.c0) : NULL};
    const char *outputs = result_name(w, p.v.outputs);
    mica_onnx_pb_node *made = mica_onnx_put(w, op, outputs, in);
    mica_onnx_put_int(w, made, "hidden_size", p.v.weights->shape.dim[0]);
    mica_onnx_put_text(w, made, "direction", attrs->reverse ? "reverse" : "forward");
    if (attrs->cell == MICA_CELL_RELU)
        mica_onnx_put_activation(w, made, "Relu");
    if (attrs->cell == MICA_CELL_GRU)
        mica_onnx_put_int(w, made, "linear_before_reset", 1);
    results_put(w, made, &p.v, outputs);
}

static void rnn(mica_onnx_writer *w, const mica_node *node) {
    recurrent(w, node, "RNN", 1, (int64_t[]){0});
}

/* i, f, g, o here; i, o, f, g there */
static void lstm(mica_onnx_writer *w, const mica_node *node) {
    recurrent(w, node, "LSTM", 4, (int64_t[]){0, 3, 1, 2});
}

/* r, z, n here; z, r, n there */
static void gru(mica_onnx_writer *w, const mica_node *node) {
    recurrent(w, node, "GRU", 3, (int64_t[]){1, 0, 2});
}

const mica_onnx_written mica_onnx_written_recurrent[] = {
    {"gru", gru},
    {"lstm", lstm},
    {"rnn", rnn},
    {0},
};
