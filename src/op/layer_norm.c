/* Layer normalization: y = gamma * n + beta with n = (x - m) * inverse, inverse = 1 / sqrt(v +
 * epsilon), where m and v are the mean and the variance of each row (the last axis) of x (...,
 * size). Ba, Kiros, Hinton, "Layer normalization", 2016.
 *
 *     dgamma = sum(dy * n), dbeta = sum(dy) over the rows
 *     dx = inverse * (h - mean(h) - n * mean(h * n)) with h = dy * gamma
 *
 * m and inverse are kept for the gradients: outputs 1 and 2. */
#include "base/error.h"
#include "op/attributes.h"
#include "op/normal_sums.h"
#include "op/rows.h"

#include <math.h>
#include <mica/ops.h>

static mica_status infer(mica_node *node) {
    static const char *const names[] = {"x", "gamma", "beta"};
    const mica_layer_norm_attrs *attrs = node->attrs;
    const mica_value *x = node->in[0];
    char text[96], whole[96];
    mica_shape_text(x->shape, whole, sizeof whole);
    if (x->dtype != MICA_F32 || x->shape.rank < 1)
        return mica_fail(MICA_E_INVALID, "%s must be float32 (..., size), but is %s %s", x->name,
            x->dtype == MICA_F32 ? "float32" : "int32", whole);
    int64_t size = x->shape.dim[x->shape.rank - 1];
    for (int i = 1; i < 3; i++) {
        const mica_value *v = node->in[i];
        if (v->dtype != MICA_F32 || v->shape.rank != 1 || v->shape.dim[0] != size)
            return mica_fail(MICA_E_INVALID,
                "%s must be a float32 vector of the last size of %s, but is %s %s", names[i], whole,
                v->dtype == MICA_F32 ? "float32" : "int32",
                mica_shape_text(v->shape, text, sizeof text));
    }
    if (!(attrs->epsilon > 0 && isfinite(attrs->epsilon)))
        return mica_fail(
            MICA_E_INVALID, "epsilon must be a positive number, not %g", (double)attrs->epsilon);
    mica_shape rows = x->shape;
    rows.rank--;
    node->out[0]->shape = x->shape;
    node->out[1]->shape = node->out[2]->shape = rows;
    return MICA_OK;
}

static mica_status infer_grad(mica_node *node) {
    node->out[0]->shape = node->in[0]->shape;
    return MICA_OK;
}

static const mica_op op_layer_norm_grad;

static void grad(mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    mica_value *x = node->in[0], *mean = node->out[1], *inverse = node->out[2];
    mica_value *in[] = {dout[0], x, mean, inverse, node->in[1]};
    if (needs[0])
        din[0] = mica_node_build(&op_layer_norm_grad, node->attrs, in, 5);
    if (needs[1] || needs[2]) {
        mica_value *dgamma = mica_normal_sums(dout[0], x, mean, inverse, true);
        din[1] = needs[1] ? dgamma : NULL;
        din[2] = needs[2] && dgamma ? dgamma->node->out[1] : NULL;
    }
}

/* The parameters of cl/layer_norm.cl and shaders/layer_norm.comp. */
typedef struct layer_norm_params {
    mica_rows rows;
    float epsilon;
} layer_norm_params;

/* The kernels bind the node's inputs, then its outputs. */
static mica_status launch(const mica_node *node, mica_plan *plan, const char *entry, double flops) {
    const mica_layer_norm_attrs *attrs = node->attrs;
    layer_norm_params params = {mica_rows_of(node->out[0]->shape), attrs->epsilon};
    mica_plan_launch_desc desc = {.kernel = {.source = "layer_norm", .entry = entry},
        .params = &params,
        .params_size = sizeof params,
        .flops = flops * params.rows.count * params.rows.size};
    for (int i = 0; i < node->n_in; i++)
        desc.slots[desc.n_slots++] = MICA_SLOT(node->in[i]);
    for (int i = 0; i < node->n_out; i++)
        desc.slots[desc.n_slots++] = MICA_SLOT(node->out[i]);
    mica_rows_map(plan, params.rows, 3, &desc);
    return mica_plan_launch(plan, &desc);
}

static mica_status plan(const mica_node *node, mica_plan *plan) {
    return launch(node, plan, "layer_norm_fwd", 8);
}

static mica_status plan_grad(const mica_node *node, mica_plan *plan) {
    return launch(node, plan, "layer_norm_bwd", 10);
}

static uint32_t in_place(const mica_node *node) {
    (void)node;
    return 1;
}

static uint32_t in_place_grad(const mica_node *node) {
    (void)node;
    return 3;
}

static const mica_op op_layer_norm = {
    .name = "layer_norm",
    .attrs_size = sizeof(mica_layer_norm_attrs),
    .n_out = 3,
    .infer = infer,
    .grad = grad,
    .plan = plan,
    .in_place = in_place,
};

static const mica_op op_layer_norm_grad = {
    .name = "layer_norm_grad",
    .attrs_size = sizeof(mica_layer_norm_attrs),
    .infer = infer_grad,
    .plan = plan_grad,
    .in_place = in_place_grad,
};

mica_value *mica_layer_norm(mica_value *x, mica_value *gamma, mica_value *beta, float epsilon) {
    mica_layer_norm_attrs attrs = {epsilon == 0 ? 1e-5f : epsilon};
    return mica_node_build(&op_layer_norm, &attrs, (mica_value *[]){x, gamma, beta}, 3);
}
