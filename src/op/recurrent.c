/* Recurrent networks: simple RNN, LSTM and GRU over (batch, time, in). The product of all inputs
 * with the input weights is one matrix product (a lookup for class numbers) of its own, s below;
 * this operator's node is the recurrence. The formulas are those of <mica/sequence.h>; forward and
 * backward kernels repeat them in cl/recurrent_fwd.h and cl/recurrent_bwd.h.
 *
 *     s (batch, time, gates*hidden), recurrent U (hidden, gates*hidden), h0[, c0] (batch, hidden)
 *     -> outputs (batch, time, hidden), h[, c] (batch, hidden)
 *
 * Backward, from the last step to the first (back-propagation through time: Werbos, 1990): dh_t =
 * dout_t + da_t+1 U^T + what passes unchanged, from which follow the gradients da_t of the sums
 * before the gates. Then ds = da and, in one product over all steps, dU = sum_t h_t-1^T da_t. */
#include "op/recurrent.h"

#include "base/error.h"

#include <mica/sequence.h>

/* ---- values ---- */

static bool is_lstm(const mica_recurrent_attrs *attrs) {
    return attrs->cell == MICA_CELL_LSTM;
}

static bool has_extra(const mica_recurrent_attrs *attrs) {
    return attrs->cell >= MICA_CELL_LSTM;
}

static int gates_of(mica_cell cell) {
    return cell == MICA_CELL_LSTM ? 4 : cell >= MICA_CELL_GRU ? 3 : 1;
}

mica_recurrent_values mica_recurrent_forward_values(const mica_node *node) {
    const mica_recurrent_attrs *attrs = node->attrs;
    mica_value **in = node->in + 3, **out = node->out + 4;
    mica_recurrent_values v = {.x = node->in[0],
        .weights = node->in[1],
        .h0 = node->in[2],
        .gates = node->out[0],
        .outputs = node->out[1],
        .h = node->out[2],
        .states = node->out[3]};
    v.c0 = is_lstm(attrs) ? *in++ : NULL;
    v.bias_n = attrs->cell == MICA_CELL_GRU ? *in++ : NULL;
    v.lengths = attrs->masked ? *in++ : NULL;
    v.extra = has_extra(attrs) ? *out++ : NULL;
    v.c = is_lstm(attrs) ? *out++ : NULL;
    return v;
}

mica_recurrent_values mica_recurrent_backward_values(const mica_node *node) {
    const mica_recurrent_attrs *attrs = node->attrs;
    mica_value **in = node->in + 3;
    mica_recurrent_values v = {.gates = node->in[0],
        .weights = node->in[1],
        .states = node->in[2],
        .dgates = node->out[0],
        .carry = node->out[1]};
    v.extra = has_extra(attrs) ? *in++ : NULL;
    v.lengths = attrs->masked ? *in++ : NULL;
    v.dout = attrs->has_dout ? *in++ : NULL;
    v.dh = attrs->has_dh ? *in++ : NULL;
    v.dc = attrs->has_dc ? *in++ : NULL;
    v.dinner = attrs->cell == MICA_CELL_GRU ? node->out[2] : NULL;
    v.dcell = is_lstm(attrs) ? node->out[2] : NULL;
    return v;
}

/* ---- shapes ---- */

/* Refuses a value that is not of the dtype and shape; NULL passes. */
static mica_status check(
    const char *what, const mica_value *value, mica_dtype dtype, mica_shape shape) {
    char have[96], want[96];
    if (!value || (value->dtype == dtype && mica_shape_equal(value->shape, shape)))
        return MICA_OK;
    return mica_fail(MICA_E_INVALID, "%s must be %s %s, but %s is %s %s", what,
        dtype == MICA_F32 ? "float32" : "int32", mica_shape_text(shape, want, sizeof want),
        value->name, value->dtype == MICA_F32 ? "float32" : "int32",
        mica_shape_text(value->shape, have, sizeof have));
}

static mica_status infer(mica_node *node) {
    const mica_recurrent_attrs *attrs = node->attrs;
    const mica_recurrent_values v = mica_recurrent_forward_values(node);
    const int64_t batch = v.x->shape.dim[0], time = v.x->shape.dim[1];
    const int64_t hidden = v.weights->shape.dim[0];
    const mica_shape state = MICA_SHAPE(batch, hidden), all = MICA_SHAPE(batch, time, hidden);
    MICA_TRY(check("h0", v.h0, MICA_F32, state));
    MICA_TRY(check("c0", v.c0, MICA_F32, state));
    MICA_TRY(check("bias_n", v.bias_n, MICA_F32, MICA_SHAPE(hidden)));
    MICA_TRY(check("lengths", v.lengths, MICA_I32, MICA_SHAPE(batch)));
    v.gates->shape = v.x->shape;
    v.outputs->shape = v.states->shape = all;
    v.h->shape = state;
    if (has_extra(attrs))
        v.extra->shape = all;
    if (is_lstm(attrs))
        v.c->shape = state;
    return MICA_OK;
}

static mica_status grad_infer(mica_node *node) {
    const mica_recurrent_values v = mica_recurrent_backward_values(node);
    const mica_shape *all = &v.states->shape;
    v.dgates->shape = v.gates->shape;
    v.carry->shape = MICA_SHAPE(all->dim[0], all->dim[2]);
    if (v.dinner)
        v.dinner->shape = v.gates->shape;
    if (v.dcell)
        v.dcell->shape = v.carry->shape;
    return MICA_OK;
}

/* ---- gradient ---- */

/* Columns begin .. end - 1 of a sequence, as a matrix with a row for each step of each sample. */
static mica_value *columns(mica_value *sequence, int64_t begin, int64_t end) {
    if (!sequence)
        return NULL;
    const int64_t *dim = sequence->shape.dim;
    mica_value *flat = mica_reshape(sequence, 2, (const int64_t[]){dim[0] * dim[1], dim[2]});
    return mica_slice(flat, (const int64_t[]){0, begin}, (const int64_t[]){-1, end - begin});
}

/* a^T b over all steps. */
static mica_value *over_steps(mica_value *a, mica_value *b) {
    return mica_matmul(a, b, &(mica_matmul_options){.transpose_a = true});
}

static mica_value *weights_gradient(const mica_recurrent_attrs *attrs,
    const mica_recurrent_values *forward, const mica_recurrent_values *backward) {
    const int64_t hidden = forward->weights->shape.dim[0], width = forward->weights->shape.dim[1];
    mica_value *states = columns(forward->states, 0, hidden);
    if (attrs->cell != MICA_CELL_GRU_RESET_FIRST)
        return over_steps(
            states, columns(backward->dinner ? backward->dinner : backward->dgates, 0, width));
    mica_value *parts[] = {over_steps(states, columns(backward->dgates, 0, 2 * hidden)),
        over_steps(
            columns(forward->extra, 0, hidden), columns(backward->dgates, 2 * hidden, width))};
    return mica_concat(parts, 2, 1);
}

static const mica_op op_rnn_grad, op_lstm_grad, op_gru_grad;

static void grad(mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    mica_recurrent_attrs attrs = *(const mica_recurrent_attrs *)node->attrs;
    const mica_recurrent_values v = mica_recurrent_forward_values(node);
    mica_value *dc = v.c ? dout[v.c->index] : NULL;
    attrs.has_dout = dout[v.outputs->index] != NULL;
    attrs.has_dh = dout[v.h->index] != NULL;
    attrs.has_dc = dc != NULL;
    attrs.wants_start = needs[2];
    mica_value *in[8] = {v.gates, v.weights, v.states};
    mica_value *const rest[] = {v.extra, v.lengths, dout[v.outputs->index], dout[v.h->index], dc};
    int n = 3;
    for (int i = 0; i < 5; i++)
        if (rest[i])
            in[n++] = rest[i];
    const mica_op *op = is_lstm(&attrs)               ? &op_lstm_grad
                        : attrs.cell == MICA_CELL_GRU ? &op_gru_grad
                                                      : &op_rnn_grad;
    mica_value *dgates = mica_node_build(op, &attrs, in, n);
    if (!dgates)
        return;
    const mica_recurrent_values b = mica_recurrent_backward_values(dgates->node);
    din[0] = b.dgates;
    din[1] = needs[1] ? weights_gradient(&attrs, &v, &b) : NULL;
    din[2] = b.carry;
    if (v.c0)
        din[3] = b.dcell;
    const int64_t hidden = v.weights->shape.dim[0];
    if (v.bias_n && needs[3])
        din[3] = mica_sum(columns(b.dinner, 2 * hidden, 3 * hidden), (const int[]){0}, 1, false);
}

/* ---- records ---- */

/* x or, backward, the gates: an element is read before the same one is written. */
static uint32_t in_place(const mica_node *node) {
    (void)node;
    return 1;
}

static const char *describe(const mica_node *node, char *text, size_t size) {
    (void)text, (void)size;
    switch (((const mica_recurrent_attrs *)node->attrs)->cell) {
    case MICA_CELL_RELU:
        return "rnn_relu";
    case MICA_CELL_GRU_RESET_FIRST:
        return "gru_reset_first";
    default:
        return node->op->name;
    }
}

#define FORWARD(name_, n)                                                                          \
    {                                                                                              \
        .name = name_, .attrs_size = sizeof(mica_recurrent_attrs), .n_out = n, .infer = infer,     \
        .grad = grad, .plan = mica_recurrent_plan_forward, .in_place = in_place,                   \
        .describe = describe                                                                       \
    }
#define BACKWARD(name_, n)                                                                         \
    {                                                                                              \
        .name = name_, .attrs_size = sizeof(mica_recurrent_attrs), .n_out = n,                     \
        .infer = grad_infer, .plan = mica_recurrent_plan_backward, .in_place = in_place            \
    }

static const mica_op op_rnn = FORWARD("rnn", 4), op_gru = FORWARD("gru", 5);
static const mica_op op_lstm = FORWARD("lstm", 6);
static const mica_op op_rnn_grad = BACKWARD("rnn_grad", 2);
static const mica_op op_gru_grad = BACKWARD("gru_grad", 3);
static const mica_op op_lstm_grad = BACKWARD("lstm_grad", 3);

/* ---- builders ---- */

/* What the caller gave, so that a message can name it. */
static mica_status check_arguments(const mica_value *x, const mica_value *weight,
    const mica_value *recurrent, const mica_value *bias, int gates) {
    char text[96];
    bool ids = x->dtype == MICA_I32;
    if (x->shape.rank != (ids ? 2 : 3))
        return mica_fail(MICA_E_INVALID,
            "x must be float32 (batch, time, in) or int32 (batch, time), but %s is %s %s", x->name,
            ids ? "int32" : "float32", mica_shape_text(x->shape, text, sizeof text));
    if (recurrent->shape.rank != 2 || recurrent->shape.dim[1] != gates * recurrent->shape.dim[0])
        return mica_fail(MICA_E_INVALID, "recurrent must be (hidden, %d * hidden), but %s is %s",
            gates, recurrent->name, mica_shape_text(recurrent->shape, text, sizeof text));
    const int64_t width = recurrent->shape.dim[1];
    const int64_t in = ids && weight->shape.rank ? weight->shape.dim[0] : x->shape.dim[2];
    MICA_TRY(check("recurrent", recurrent, MICA_F32, recurrent->shape));
    MICA_TRY(check("weight", weight, MICA_F32, MICA_SHAPE(in, width)));
    return check("bias", bias, MICA_F32, MICA_SHAPE(width));
}

/* x weight + bias for all steps of all samples: (batch, time, gates * hidden). */
static mica_value *input_product(mica_value *x, mica_value *weight, mica_value *bias) {
    const int64_t *dim = x->shape.dim, rows = dim[0] * dim[1], width = weight->shape.dim[1];
    mica_value *y;
    if (x->dtype == MICA_I32) {
        /* A bias is added to the smaller of the table and what is looked up. */
        bool early = bias && weight->shape.dim[0] < rows;
        y = mica_embedding(early ? mica_bias_add(weight, bias) : weight, x);
        bias = early ? NULL : bias;
    } else {
        y = mica_matmul(mica_reshape(x, 2, (const int64_t[]){rows, dim[2]}), weight, NULL);
    }
    if (bias)
        y = mica_bias_add(y, bias);
    return mica_reshape(y, 3, (const int64_t[]){dim[0], dim[1], width});
}

static mica_value *or_zeros(mica_value *value, mica_graph *graph, mica_shape shape) {
    return value ? value : mica_full(graph, shape, 0);
}

static mica_recurrent build(const mica_op *op, mica_recurrent_attrs attrs, mica_value *x,
    mica_value *weight, mica_value *recurrent, mica_value *bias,
    const mica_recurrent_options *options) {
    const mica_recurrent none = {NULL, NULL, NULL};
    if (!x || !weight || !recurrent)
        return none;
    mica_graph *graph = mica_value_graph(x);
    mica_status status = check_arguments(x, weight, recurrent, bias, gates_of(attrs.cell));
    if (status != MICA_OK) {
        mica_graph_failed(graph, mica_fail_in(status, "%s", op->name));
        return none;
    }
    const mica_shape state = MICA_SHAPE(x->shape.dim[0], recurrent->shape.dim[0]);
    attrs.reverse = options->reverse;
    attrs.masked = options->lengths != NULL;
    mica_value *in[5] = {input_product(x, weight, bias), recurrent};
    int n = 2;
    in[n++] = or_zeros(options->h0, graph, state);
    if (is_lstm(&attrs))
        in[n++] = or_zeros(options->c0, graph, state);
    if (attrs.cell == MICA_CELL_GRU)
        in[n++] = or_zeros(options->bias_n, graph, MICA_SHAPE(state.dim[1]));
    if (attrs.masked)
        in[n++] = options->lengths;
    mica_value *gates = mica_node_build(op, &attrs, in, n);
    if (!gates)
        return none;
    const mica_recurrent_values v = mica_recurrent_forward_values(gates->node);
    return (mica_recurrent){v.outputs, v.h, v.c};
}

static const mica_recurrent_options defaults;

mica_recurrent mica_rnn(mica_value *x, mica_value *weight, mica_value *recurrent, mica_value *bias,
    const mica_recurrent_options *options) {
    options = options ? options : &defaults;
    const mica_recurrent_attrs attrs = {.cell = options->relu ? MICA_CELL_RELU : MICA_CELL_TANH};
    return build(&op_rnn, attrs, x, weight, recurrent, bias, options);
}

mica_recurrent mica_lstm(mica_value *x, mica_value *weight, mica_value *recurrent, mica_value *bias,
    const mica_recurrent_options *options) {
    const mica_recurrent_attrs attrs = {.cell = MICA_CELL_LSTM};
    return build(&op_lstm, attrs, x, weight, recurrent, bias, options ? options : &defaults);
}

mica_recurrent mica_gru(mica_value *x, mica_value *weight, mica_value *recurrent, mica_value *bias,
    const mica_recurrent_options *options) {
    options = options ? options : &defaults;
    const mica_recurrent_attrs attrs = {
        .cell = options->reset_first ? MICA_CELL_GRU_RESET_FIRST : MICA_CELL_GRU};
    return build(&op_gru, attrs, x, weight, recurrent, bias, options);
}
