/* Local response normalization: y_c = x_c / n_c^beta with n_c = bias + alpha * sum of x_d^2 for |d
 * - c| <= radius, over the last axis of x (..., channels). Krizhevsky, Sutskever, Hinton, "ImageNet
 * classification with deep convolutional neural networks", 2012, section 3.3.
 *
 *     dx_c = dy_c / n_c^beta - 2 alpha beta x_c sum of dy_d x_d / n_d^(beta + 1) for |d - c| <=
 * radius
 *
 * Backward computes n again, which costs less than to keep it. */
#include "base/error.h"
#include "op/rows.h"

#include <math.h>
#include <mica/ops.h>

/* Groups that have a scratch row each, of which a GPU needs no more. */
#define GROUPS_MOST 1024

static mica_status infer(mica_node *node) {
    const mica_lrn_options *attrs = node->attrs;
    const mica_value *x = node->in[0];
    char text[96];
    if (x->dtype != MICA_F32 || x->shape.rank < 1)
        return mica_fail(MICA_E_INVALID, "%s must be float32 (..., channels), but is %s %s",
            x->name, x->dtype == MICA_F32 ? "float32" : "int32",
            mica_shape_text(x->shape, text, sizeof text));
    if (attrs->radius < 0 || !isfinite(attrs->bias) || !isfinite(attrs->alpha) ||
        !isfinite(attrs->beta))
        return mica_fail(MICA_E_INVALID,
            "the radius must be at least 0, bias, alpha and beta finite, but they are %lld, %g, %g "
            "and %g",
            (long long)attrs->radius, (double)attrs->bias, (double)attrs->alpha,
            (double)attrs->beta);
    node->out[0]->shape = x->shape;
    return MICA_OK;
}

static const mica_op op_local_response_norm_grad;

static void grad(mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    mica_value *in[] = {dout[0], node->in[0]};
    if (needs[0])
        din[0] = mica_node_build(&op_local_response_norm_grad, node->attrs, in, 2);
}

/* The parameters of cl/local_response_norm.cl and shaders/local_response_norm.comp. */
typedef struct local_response_norm_params {
    mica_rows rows;
    uint32_t radius;
    float bias, alpha, beta;
} local_response_norm_params;

static local_response_norm_params params_of(const mica_node *node) {
    const mica_lrn_options *attrs = node->attrs;
    mica_rows rows = mica_rows_of(node->out[0]->shape);
    uint32_t most = rows.size - 1;
    return (local_response_norm_params){rows, attrs->radius < most ? (uint32_t)attrs->radius : most,
        attrs->bias, attrs->alpha, attrs->beta};
}

/* Of each pass, for an element. */
static uint64_t steps_of(const local_response_norm_params *params) {
    const uint64_t window = 2 * (uint64_t)params->radius + 1;
    return 1 + (window < params->rows.size ? window : params->rows.size);
}

static double flops_of(const local_response_norm_params *params) {
    return (2.0 * (2 * params->radius + 1) + 5) * params->rows.count * params->rows.size;
}

static mica_status plan(const mica_node *node, mica_plan *plan) {
    local_response_norm_params params = params_of(node);
    mica_plan_launch_desc desc = {
        .kernel = {.source = "local_response_norm", .entry = "local_response_norm_fwd"},
        .slots = {MICA_SLOT(node->in[0]), MICA_SLOT(node->out[0])},
        .n_slots = 2,
        .params = &params,
        .params_size = sizeof params,
        .flops = flops_of(&params)};
    mica_rows_map(plan, params.rows, steps_of(&params), &desc);
    return mica_plan_launch(plan, &desc);
}

static mica_status plan_grad(const mica_node *node, mica_plan *plan) {
    local_response_norm_params params = params_of(node);
    mica_plan_launch_desc desc = {
        .kernel = {.source = "local_response_norm", .entry = "local_response_norm_bwd"},
        .n_slots = 4,
        .params = &params,
        .params_size = sizeof params,
        .flops = 2 * flops_of(&params)};
    mica_rows_map(plan, params.rows, 2 * steps_of(&params), &desc);
    const uint64_t longer = (desc.groups[0] + GROUPS_MOST - 1) / GROUPS_MOST;
    if (longer > 1 && desc.steps * longer <= mica_plan_traits(plan)->max_loop_steps) {
        desc.groups[0] = GROUPS_MOST;
        desc.steps *= longer;
    }
    int scratch =
        mica_plan_scratch(plan, (uint64_t)desc.groups[0] * desc.kernel.local[1] * params.rows.size);
    desc.slots[0] = MICA_SLOT(node->in[0]);
    desc.slots[1] = MICA_SLOT(node->in[1]);
    desc.slots[2] = MICA_SCRATCH(scratch);
    desc.slots[3] = MICA_SLOT(node->out[0]);
    return mica_plan_launch(plan, &desc);
}

static uint32_t in_place_grad(const mica_node *node) {
    (void)node;
    return 1;
}

static const mica_op op_local_response_norm = {
    .name = "local_response_norm",
    .attrs_size = sizeof(mica_lrn_options),
    .infer = infer,
    .grad = grad,
    .plan = plan,
};

static const mica_op op_local_response_norm_grad = {
    .name = "local_response_norm_grad",
    .attrs_size = sizeof(mica_lrn_options),
    .infer = infer,
    .plan = plan_grad,
    .in_place = in_place_grad,
};

mica_value *mica_local_response_norm(mica_value *x, const mica_lrn_options *options) {
    mica_lrn_options attrs = options ? *options : (mica_lrn_options){0};
    if (attrs.radius == 0 && attrs.bias == 0 && attrs.alpha == 0 && attrs.beta == 0)
        attrs = (mica_lrn_options){.radius = 5, .bias = 1, .alpha = 1, .beta = 0.5f};
    return mica_node_build(&op_local_response_norm, &attrs, &x, 1);
}
