/* Softmax and cross-entropy in one: loss = -sum_i t_i log softmax(x)_i, which needs no probability
 * and so loses none: with m = max_i x_i, loss = w log(sum_i exp(x_i - m)) - sum_i t_i (x_i - m) and
 * w = sum_i t_i. A class number c stands for t_c = 1, all others 0.
 *
 *     x (..., classes), labels int32 (...) or float32 (..., classes) -> loss (...)
 *     dx = dloss (w softmax(x) - t)
 *
 * The second output, state (..., 2), keeps m and w / sum_i exp(x_i - m) for the gradient, which
 * then reads the logits once. */
#include "base/error.h"
#include "op/rows.h"

#include <mica/ops.h>

static bool is_dense(const mica_value *labels) {
    return labels->dtype == MICA_F32;
}

/* The shape without its last dimension. */
static mica_shape outer_of(mica_shape shape) {
    return mica_shape_of(shape.rank - 1, shape.dim);
}

static mica_status loss_infer(mica_node *node) {
    const mica_value *logits = node->in[0], *labels = node->in[1];
    char got[96], want[96], logits_text[96];
    if (logits->dtype != MICA_F32 || logits->shape.rank < 1)
        return mica_fail(MICA_E_INVALID, "logits must be float32 (..., classes), but %s is %s %s",
            logits->name, logits->dtype == MICA_F32 ? "float32" : "int32",
            mica_shape_text(logits->shape, got, sizeof got));
    mica_shape outer = outer_of(logits->shape);
    mica_shape expected = is_dense(labels) ? logits->shape : outer;
    if (!mica_shape_equal(labels->shape, expected))
        return mica_fail(MICA_E_INVALID, "%s labels for logits %s must be %s, but %s is %s",
            is_dense(labels) ? "float32 (one-hot)" : "int32",
            mica_shape_text(logits->shape, logits_text, sizeof logits_text),
            mica_shape_text(expected, want, sizeof want), labels->name,
            mica_shape_text(labels->shape, got, sizeof got));
    mica_shape state = outer;
    state.dim[state.rank++] = 2;
    node->out[0]->dtype = node->out[1]->dtype = MICA_F32;
    node->out[0]->shape = outer;
    node->out[1]->shape = state;
    return MICA_OK;
}

static mica_status grad_infer(mica_node *node) {
    node->out[0]->dtype = MICA_F32;
    node->out[0]->shape = node->in[0]->shape;
    return MICA_OK;
}

static const mica_op op_grad;

static void loss_grad(
    mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    if (!needs[0] || !dout[0])
        return;
    mica_value *in[] = {node->in[0], node->in[1], node->out[1], dout[0]};
    din[0] = mica_node_build(&op_grad, NULL, in, 4);
}

/* Binds all inputs, then all outputs, which is the order of both kernels. */
static mica_status launch(const mica_node *node, mica_plan *plan, const char *entry) {
    const mica_rows rows = mica_rows_of(node->in[0]->shape);
    const double count = (double)rows.count * rows.size;
    mica_plan_launch_desc desc = {
        .kernel = {.source = "softmax_cross_entropy", .entry = entry},
        .params = &rows,
        .params_size = sizeof rows,
        .flops = 4 * count,
    };
    for (int i = 0; i < node->n_in + node->n_out; i++) {
        const mica_value *value = i < node->n_in ? node->in[i] : node->out[i - node->n_in];
        desc.slots[desc.n_slots++] = MICA_SLOT(value);
        desc.bytes += 4 * (double)mica_shape_count(value->shape);
    }
    mica_rows_map(plan, rows, 2, &desc);
    mica_constant_set(&desc.kernel, "DENSE", is_dense(node->in[1]));
    return mica_plan_launch(plan, &desc);
}

static mica_status loss_plan(const mica_node *node, mica_plan *plan) {
    return launch(node, plan, "softmax_cross_entropy_fwd");
}

static mica_status grad_plan(const mica_node *node, mica_plan *plan) {
    return launch(node, plan, "softmax_cross_entropy_bwd");
}

static uint32_t over_logits(const mica_node *node) {
    (void)node;
    return 1;
}

static const mica_op op_loss = {
    .name = "softmax_cross_entropy",
    .n_out = 2,
    .infer = loss_infer,
    .grad = loss_grad,
    .plan = loss_plan,
};

static const mica_op op_grad = {
    .name = "softmax_cross_entropy_grad",
    .infer = grad_infer,
    .plan = grad_plan,
    .in_place = over_logits,
};

mica_value *mica_softmax_cross_entropy(mica_value *logits, mica_value *labels) {
    mica_value *in[] = {logits, labels};
    return mica_node_build(&op_loss, NULL, in, 2);
}
