/* Softmax over the last axis: y_i = exp(x_i - m) / sum_j exp(x_j - m) with m = max_j x_j, which is
 * the same for every m and cannot overflow with this one; and log-softmax, y_i = x_i - m -
 * log(sum_j exp(x_j - m)). Bridle, "Probabilistic interpretation of feedforward classification
 * network outputs", 1990.
 *
 *     x (..., classes) -> y (..., classes); a scalar counts as one class
 *     softmax:     dx = y * (dy - sum_j dy_j y_j)
 *     log-softmax: dx = dy - exp(y) * sum_j dy_j */
#include "base/error.h"
#include "op/attributes.h"
#include "op/rows.h"

#include <mica/ops.h>

static const char *softmax_describe(const mica_node *node, char *text, size_t size) {
    (void)text, (void)size;
    return ((const mica_softmax_attrs *)node->attrs)->log ? "log_softmax" : "softmax";
}

static const char *softmax_grad_describe(const mica_node *node, char *text, size_t size) {
    (void)text, (void)size;
    return ((const mica_softmax_attrs *)node->attrs)->log ? "log_softmax_grad" : "softmax_grad";
}

static mica_status softmax_infer(mica_node *node) {
    const mica_value *x = node->in[0];
    if (x->dtype != MICA_F32)
        return mica_fail(MICA_E_INVALID, "logits must be float32, but %s is int32", x->name);
    node->out[0]->dtype = MICA_F32;
    node->out[0]->shape = x->shape;
    return MICA_OK;
}

static const mica_op op_softmax_grad;

static void softmax_grad(
    mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    (void)needs;
    mica_value *in[] = {node->out[0], dout[0]};
    din[0] = mica_node_build(&op_softmax_grad, node->attrs, in, 2);
}

/* `slots` are those of the kernel; an exp counts as one operation. */
static mica_status launch(const mica_node *node, mica_plan *plan, const char *entry,
    const mica_slot *slots, uint32_t n_slots) {
    const mica_rows rows = mica_rows_of(node->out[0]->shape);
    const double count = (double)rows.count * rows.size;
    mica_plan_launch_desc desc = {.kernel = {.source = "softmax", .entry = entry},
        .n_slots = n_slots,
        .params = &rows,
        .params_size = sizeof rows,
        .flops = 5 * count,
        .bytes = 4 * count * n_slots};
    for (uint32_t i = 0; i < n_slots; i++)
        desc.slots[i] = slots[i];
    mica_rows_map(plan, rows, 3, &desc);
    mica_constant_set(&desc.kernel, "LOG", ((const mica_softmax_attrs *)node->attrs)->log);
    return mica_plan_launch(plan, &desc);
}

static mica_status softmax_plan(const mica_node *node, mica_plan *plan) {
    const mica_slot slots[] = {MICA_SLOT(node->in[0]), MICA_SLOT(node->out[0])};
    return launch(node, plan, "softmax_fwd", slots, 2);
}

static mica_status softmax_grad_plan(const mica_node *node, mica_plan *plan) {
    const mica_slot slots[] = {
        MICA_SLOT(node->in[0]), MICA_SLOT(node->in[1]), MICA_SLOT(node->out[0])};
    return launch(node, plan, "softmax_bwd", slots, 3);
}

static uint32_t over_all_inputs(const mica_node *node) {
    return (1u << node->n_in) - 1;
}

static const mica_op op_softmax = {
    .name = "softmax",
    .attrs_size = sizeof(mica_softmax_attrs),
    .infer = softmax_infer,
    .grad = softmax_grad,
    .plan = softmax_plan,
    .in_place = over_all_inputs,
    .describe = softmax_describe,
};

static const mica_op op_softmax_grad = {
    .name = "softmax_grad",
    .attrs_size = sizeof(mica_softmax_attrs),
    .infer = softmax_infer,
    .plan = softmax_grad_plan,
    .in_place = over_all_inputs,
    .describe = softmax_grad_describe,
};

mica_value *mica_softmax(mica_value *logits) {
    return mica_node_build(&op_softmax, &(mica_softmax_attrs){.log = 0}, &logits, 1);
}

mica_value *mica_log_softmax(mica_value *logits) {
    return mica_node_build(&op_softmax, &(mica_softmax_attrs){.log = 1}, &logits, 1);
}
