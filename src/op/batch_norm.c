/* Batch normalization: y = gamma * (x - m) / sqrt(v + epsilon) + beta, each channel (the last axis)
 * of x (..., channels) for itself. Ioffe and Szegedy, "Batch normalization: accelerating deep
 * network training by reducing internal covariate shift", 2015.
 *
 * Three nodes, so that what follows y can be computed with it:
 *     batch_norm_stats  -> m, inverse = 1 / sqrt(v + epsilon), the unbiased variance: of the batch
 *                          in a program for training, else the running statistics
 *     batch_norm        y = gamma * inverse * (x - m) + beta, and an activation
 *     batch_norm_grad   dgamma = sum(dy * (x - m) * inverse), dbeta = sum(dy) over the n rows
 *         m, v of the batch:  dx = gamma * inverse * (dy - dbeta/n - (x - m) * inverse * dgamma/n)
 *         running statistics: dx = gamma * inverse * dy
 * Running statistics follow those of the batch by mica_parameter_track. */
#include "base/error.h"
#include "op/attributes.h"
#include "op/columns.h"
#include "op/elementwise.h"
#include "op/normal_sums.h"

#include <math.h>
#include <mica/ops.h>
#include <stdio.h>

/* ---- infer ---- */

static mica_status check_vector(const mica_value *v, const char *what, const mica_value *x) {
    char text[96], whole[96];
    if (v->dtype == MICA_F32 && v->shape.rank == 1 &&
        v->shape.dim[0] == x->shape.dim[x->shape.rank - 1])
        return MICA_OK;
    return mica_fail(MICA_E_INVALID,
        "batch_norm: %s must be a float32 vector of the last size of %s, but is %s %s", what,
        mica_shape_text(x->shape, whole, sizeof whole), v->dtype == MICA_F32 ? "float32" : "int32",
        mica_shape_text(v->shape, text, sizeof text));
}

/* Inputs: the running mean and variance; unless frozen, x. */
static mica_status infer_stats(mica_node *node) {
    for (int i = 0; i < node->n_out; i++)
        node->out[i]->shape = node->in[0]->shape;
    return MICA_OK;
}

/* Inputs: x, mean, inverse, gamma, beta. */
static mica_status infer(mica_node *node) {
    node->out[0]->shape = node->in[0]->shape;
    return MICA_OK;
}

/* ---- gradient ---- */

static const mica_op op_batch_norm_grad;

/* m and inverse are given no gradients: dx has their part. */
static void grad(mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    const mica_batch_norm_attrs *attrs = node->attrs;
    mica_value *x = node->in[0], *mean = node->in[1], *inverse = node->in[2], *gamma = node->in[3];
    mica_value *dgamma = NULL, *dbeta = NULL;
    if (needs[3] || needs[4] || !attrs->frozen) {
        dgamma = mica_normal_sums(dout[0], x, mean, inverse, false);
        dbeta = dgamma ? dgamma->node->out[1] : NULL;
    }
    din[3] = needs[3] ? dgamma : NULL;
    din[4] = needs[4] ? dbeta : NULL;
    mica_value *in[] = {dout[0], inverse, gamma, x, mean, dgamma, dbeta};
    if (needs[0])
        din[0] = mica_node_build(&op_batch_norm_grad, attrs, in, attrs->frozen ? 3 : 7);
}

/* ---- plan ---- */

/* The parameters of cl/batch_norm.cl and shaders/batch_norm.comp. */
typedef struct batch_norm_params {
    mica_columns columns;
    float epsilon, act_k;
} batch_norm_params;

static mica_status launch(
    mica_plan *plan, mica_plan_launch_desc *desc, const batch_norm_params *params, double flops) {
    desc->kernel.source = "batch_norm";
    desc->params = params;
    desc->params_size = sizeof *params;
    desc->flops = flops;
    return mica_plan_launch(plan, desc);
}

static mica_status plan_running(const mica_node *node, mica_plan *plan) {
    const mica_batch_norm_attrs *attrs = node->attrs;
    uint32_t channels = (uint32_t)node->in[0]->shape.dim[0];
    batch_norm_params params = {.columns = {.channels = channels}, .epsilon = attrs->epsilon};
    mica_plan_launch_desc desc = {.kernel.entry = "batch_norm_running",
        .slots = {MICA_SLOT(node->in[0]), MICA_SLOT(node->in[1]), MICA_SLOT(node->out[0]),
            MICA_SLOT(node->out[1]), MICA_SLOT(node->out[2])},
        .n_slots = 5};
    mica_channels_map(plan, channels, &desc);
    return launch(plan, &desc, &params, 2.0 * channels);
}

static mica_status plan_stats(const mica_node *node, mica_plan *plan) {
    const mica_batch_norm_attrs *attrs = node->attrs;
    if (attrs->frozen || !mica_plan_training(plan))
        return plan_running(node, plan);
    const mica_value *x = node->in[2];
    mica_plan_launch_desc first = {.kernel.entry = "batch_norm_parts", .n_slots = 2};
    batch_norm_params params = {.epsilon = attrs->epsilon};
    params.columns = mica_columns_map(plan, x->shape, true, &first);
    const mica_columns *c = &params.columns;
    int parts = mica_plan_scratch(plan, (uint64_t)c->parts * c->channels * 2);
    first.slots[0] = MICA_SLOT(x);
    first.slots[1] = MICA_SCRATCH(parts);
    MICA_TRY(launch(plan, &first, &params, 4.0 * c->total));
    mica_plan_launch_desc second = {.kernel.entry = "batch_norm_stats",
        .slots = {MICA_SCRATCH(parts), MICA_SLOT(node->out[0]), MICA_SLOT(node->out[1]),
            MICA_SLOT(node->out[2])},
        .n_slots = 4};
    mica_channels_map(plan, c->channels, &second);
    return launch(plan, &second, &params, 6.0 * c->parts * c->channels);
}

static mica_status plan(const mica_node *node, mica_plan *plan) {
    const mica_batch_norm_attrs *attrs = node->attrs;
    batch_norm_params params = {.act_k = attrs->act_k};
    mica_plan_launch_desc desc = {.kernel.entry = "batch_norm_fwd", .n_slots = 6};
    for (int i = 0; i < 5; i++)
        desc.slots[i] = MICA_SLOT(node->in[i]);
    desc.slots[5] = MICA_SLOT(node->out[0]);
    params.columns = mica_columns_map(plan, node->out[0]->shape, false, &desc);
    mica_constant_set(&desc.kernel, "ACT", attrs->act);
    return launch(plan, &desc, &params, (attrs->act < 0 ? 3.0 : 4.0) * params.columns.total);
}

static mica_status plan_grad(const mica_node *node, mica_plan *plan) {
    bool fixed = node->n_in == 3 || !mica_plan_training(plan);
    uint32_t n_in = fixed ? 3 : 7;
    batch_norm_params params = {0};
    mica_plan_launch_desc desc = {
        .kernel.entry = fixed ? "batch_norm_bwd_fixed" : "batch_norm_bwd", .n_slots = n_in + 1};
    for (uint32_t i = 0; i < n_in; i++)
        desc.slots[i] = MICA_SLOT(node->in[i]);
    desc.slots[n_in] = MICA_SLOT(node->out[0]);
    params.columns = mica_columns_map(plan, node->out[0]->shape, false, &desc);
    return launch(plan, &desc, &params, (fixed ? 1.0 : 5.0) * params.columns.total);
}

static uint32_t in_place(const mica_node *node) {
    (void)node;
    return 1;
}

static uint32_t in_place_grad(const mica_node *node) {
    return node->n_in == 3 ? 1 : 1 | 1 << 3;
}

static mica_node *absorb(const mica_node *node, const mica_node *consumer, int at) {
    mica_batch_norm_attrs attrs = *(const mica_batch_norm_attrs *)node->attrs;
    if (attrs.act >= 0 || (attrs.act = mica_elementwise_unary_row(consumer, at, &attrs.act_k)) < 0)
        return NULL;
    return mica_node_fused(node->op, &attrs, node->in, node->n_in, consumer);
}

static const char *describe(const mica_node *node, char *text, size_t size) {
    int act = ((const mica_batch_norm_attrs *)node->attrs)->act;
    snprintf(text, size, "batch_norm%s%s", act < 0 ? "" : "+",
        act < 0 ? "" : mica_elementwise_row_name(act));
    return text;
}

/* ---- records and builder ---- */

static const mica_op op_batch_norm_stats = {
    .name = "batch_norm_stats",
    .attrs_size = sizeof(mica_batch_norm_attrs),
    .n_out = 3,
    .infer = infer_stats,
    .plan = plan_stats,
};

static const mica_op op_batch_norm = {
    .name = "batch_norm",
    .attrs_size = sizeof(mica_batch_norm_attrs),
    .infer = infer,
    .grad = grad,
    .plan = plan,
    .in_place = in_place,
    .absorb = absorb,
    .describe = describe,
};

static const mica_op op_batch_norm_grad = {
    .name = "batch_norm_grad",
    .attrs_size = sizeof(mica_batch_norm_attrs),
    .infer = infer,
    .plan = plan_grad,
    .in_place = in_place_grad,
};

static mica_status check(mica_value *const in[5], const mica_batch_norm_attrs *attrs) {
    static const char *const names[] = {"x", "gamma", "beta", "mean", "variance"};
    char text[96];
    const mica_value *x = in[0];
    if (x->dtype != MICA_F32 || x->shape.rank < 2)
        return mica_fail(MICA_E_INVALID,
            "batch_norm: %s must be float32 (..., channels), but is %s %s", x->name,
            x->dtype == MICA_F32 ? "float32" : "int32",
            mica_shape_text(x->shape, text, sizeof text));
    for (int i = 1; i < 5; i++)
        MICA_TRY(check_vector(in[i], names[i], x));
    if (!(attrs->epsilon > 0 && isfinite(attrs->epsilon)))
        return mica_fail(MICA_E_INVALID, "batch_norm: epsilon must be a positive number, not %g",
            (double)attrs->epsilon);
    return MICA_OK;
}

mica_value *mica_batch_norm(mica_value *x, mica_value *gamma, mica_value *beta, mica_value *mean,
    mica_value *variance, const mica_batch_norm_options *options) {
    static const mica_batch_norm_options defaults;
    mica_value *in[] = {x, gamma, beta, mean, variance};
    for (int i = 0; i < 5; i++)
        if (!in[i])
            return NULL;
    if (!options)
        options = &defaults;
    mica_graph *graph = mica_value_graph(x);
    mica_batch_norm_attrs attrs = {.epsilon = options->epsilon == 0 ? 1e-5f : options->epsilon,
        .frozen = options->frozen,
        .act = -1};
    mica_status status = check(in, &attrs);
    if (status != MICA_OK)
        return mica_graph_failed(graph, status);
    mica_value *m = mica_node_build(
        &op_batch_norm_stats, &attrs, (mica_value *[]){mean, variance, x}, attrs.frozen ? 2 : 3);
    if (!m)
        return NULL;
    mica_value *inverse = m->node->out[1];
    if (attrs.frozen) {
        mica_parameter_freeze(mean, true);
        mica_parameter_freeze(variance, true);
    } else {
        float momentum = options->momentum == 0 ? 0.9f : options->momentum;
        mica_parameter_track(mean, m, momentum);
        mica_parameter_track(variance, m->node->out[2], momentum);
        if (mica_graph_status(graph) != MICA_OK)
            return NULL;
    }
    return mica_node_build(&op_batch_norm, &attrs, (mica_value *[]){x, m, inverse, gamma, beta}, 5);
}
