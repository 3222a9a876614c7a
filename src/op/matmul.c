/* Matrix product: C = op(A) op(B) over the last two dimensions, where op is the identity or the
 * transposition.
 *
 *   op(A) (..., m, k)   op(B) (..., k, n)   C (..., m, n)
 *
 * Leading dimensions are equal, or absent on one side. With dC the gradient of C:
 *   dA = dC op(B)^T, transposed if A is;  dB = op(A)^T dC, transposed if B is
 * (Goodfellow, Bengio and Courville, "Deep Learning", 2016, section 6.5.6), summed over the leading
 * dimensions for a side that has none. A bias and an activation that follow run in the kernel's
 * epilogue: the node then has the bias as its third input. */
#include "base/error.h"
#include "op/attributes.h"
#include "op/elementwise.h"
#include "op/matmul_plan.h"

#include <mica/ops.h>
#include <stdio.h>

static mica_status infer(mica_node *node) {
    const mica_matmul_attrs *attrs = node->attrs;
    const mica_value *a = node->in[0], *b = node->in[1];
    char ta[96], tb[96];
    mica_shape_text(a->shape, ta, sizeof ta);
    mica_shape_text(b->shape, tb, sizeof tb);
    if (a->dtype != MICA_F32 || b->dtype != MICA_F32)
        return mica_fail(MICA_E_INVALID, "both factors must be float32");
    int ra = a->shape.rank, rb = b->shape.rank;
    if (ra < 2 || rb < 2)
        return mica_fail(
            MICA_E_INVALID, "factors need at least 2 dimensions, but they are %s and %s", ta, tb);
    int64_t ka = a->shape.dim[ra - 1 - attrs->ta], kb = b->shape.dim[rb - 2 + attrs->tb];
    if (ka != kb)
        return mica_fail(MICA_E_INVALID, "inner sizes differ: %lld of %s%s and %lld of %s%s",
            (long long)ka, ta, attrs->ta ? " transposed" : "", (long long)kb, tb,
            attrs->tb ? " transposed" : "");
    const mica_shape *lead = ra >= rb ? &a->shape : &b->shape;
    bool match = ra == rb || ra == 2 || rb == 2;
    for (int i = 0; match && ra == rb && i < ra - 2; i++)
        match = a->shape.dim[i] == b->shape.dim[i];
    if (!match)
        return mica_fail(MICA_E_INVALID,
            "leading dimensions of %s and %s must be equal, or absent on one side", ta, tb);
    mica_shape out = *lead;
    out.dim[out.rank - 2] = a->shape.dim[ra - 2 + attrs->ta];
    out.dim[out.rank - 1] = b->shape.dim[rb - 1 - attrs->tb];
    node->out[0]->shape = out;
    return MICA_OK;
}

/* Sums a gradient over the leading dimensions that its value does not have. */
static mica_value *without_batch(mica_value *gradient, const mica_value *value) {
    int axes[MICA_MAX_RANK], n = 0;
    if (!gradient)
        return NULL;
    for (; n < gradient->shape.rank - value->shape.rank; n++)
        axes[n] = n;
    return n ? mica_sum(gradient, axes, n, false) : gradient;
}

static mica_value *product(mica_value *a, bool ta, mica_value *b, bool tb) {
    return mica_matmul(a, b, &(mica_matmul_options){ta, tb});
}

static void grad(mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    const mica_matmul_attrs *attrs = node->attrs;
    mica_value *a = node->in[0], *b = node->in[1], *dc = dout[0];
    bool ta = attrs->ta, tb = attrs->tb;
    if (needs[0])
        din[0] = without_batch(ta ? product(b, tb, dc, true) : product(dc, false, b, !tb), a);
    if (needs[1])
        din[1] = without_batch(tb ? product(dc, true, a, ta) : product(a, !ta, dc, false), b);
}

static mica_matmul_shape shape_of(const mica_node *node) {
    const mica_matmul_attrs *attrs = node->attrs;
    const mica_shape *a = &node->in[0]->shape, *b = &node->in[1]->shape, *c = &node->out[0]->shape;
    uint32_t m = (uint32_t)c->dim[c->rank - 2], n = (uint32_t)c->dim[c->rank - 1];
    uint32_t k = (uint32_t)a->dim[a->rank - 1 - attrs->ta];
    return (mica_matmul_shape){.m = m,
        .n = n,
        .k = k,
        .batch = (uint32_t)(mica_shape_count(*c) / ((int64_t)m * n)),
        .sa = a->rank > 2 ? m * k : 0,
        .sb = b->rank > 2 ? k * n : 0,
        .sc = m * n,
        .ta = attrs->ta,
        .tb = attrs->tb,
        .bias = node->n_in > 2,
        .act = attrs->act,
        .act_k = attrs->act_k};
}

static mica_status plan(const mica_node *node, mica_plan *plan) {
    mica_matmul_shape shape = shape_of(node);
    mica_matmul_variant variants[MICA_MATMUL_VARIANTS];
    int n = mica_matmul_variants(mica_plan_traits(plan), &shape, variants);
    const mica_matmul_variant *chosen =
        mica_matmul_choose(mica_plan_device(plan), node->graph, &shape, variants, n);
    if (!chosen)
        return MICA_E_DEVICE;
    int parts = chosen->parts ? mica_plan_scratch(plan, chosen->parts) : -1;
    for (int i = 0; i < chosen->n_launches; i++) {
        const mica_matmul_launch *launch = &chosen->launches[i];
        mica_plan_launch_desc desc = {.kernel = launch->kernel,
            .n_slots = launch->kernel.n_bindings,
            .params = &launch->params,
            .params_size = launch->kernel.params_size,
            .groups = {launch->groups[0], launch->groups[1], launch->groups[2]},
            .steps = launch->steps,
            .flops = i ? 0 : 2.0 * shape.m * shape.n * shape.k * shape.batch};
        for (uint32_t k = 0; k < launch->kernel.n_bindings; k++) {
            switch (launch->bindings[k]) {
            case MICA_MATMUL_A:
            case MICA_MATMUL_B:
            case MICA_MATMUL_BIAS:
                desc.slots[k] = MICA_SLOT(node->in[launch->bindings[k]]);
                break;
            case MICA_MATMUL_C:
                desc.slots[k] = MICA_SLOT(node->out[0]);
                break;
            case MICA_MATMUL_PARTS:
                desc.slots[k] = MICA_SCRATCH(parts);
                break;
            }
        }
        MICA_TRY(mica_plan_launch(plan, &desc));
    }
    return MICA_OK;
}

static mica_node *absorb(const mica_node *node, const mica_node *consumer, int at) {
    mica_matmul_attrs attrs = *(const mica_matmul_attrs *)node->attrs;
    mica_value *in[3] = {node->in[0], node->in[1]};
    if (attrs.act >= 0)
        return NULL;
    if (node->n_in == 2 && mica_elementwise_is_bias(consumer, at, &in[2]))
        return mica_node_fused(node->op, &attrs, in, 3, consumer);
    attrs.act = mica_elementwise_unary_row(consumer, at, &attrs.act_k);
    if (attrs.act < 0)
        return NULL;
    in[2] = node->n_in == 3 ? node->in[2] : NULL;
    return mica_node_fused(node->op, &attrs, in, node->n_in, consumer);
}

static const char *describe(const mica_node *node, char *text, size_t size) {
    const mica_matmul_attrs *attrs = node->attrs;
    snprintf(text, size, "matmul%s%s%s", node->n_in > 2 ? "+bias" : "", attrs->act < 0 ? "" : "+",
        attrs->act < 0 ? "" : mica_elementwise_row_name(attrs->act));
    return text;
}

static const mica_op op_matmul = {
    .name = "matmul",
    .attrs_size = sizeof(mica_matmul_attrs),
    .infer = infer,
    .grad = grad,
    .plan = plan,
    .absorb = absorb,
    .describe = describe,
};

/* With one matrix for all of a batch of plain ones, the batch is only more rows. */
static mica_value *merged(mica_value *a, mica_value *b, const mica_matmul_attrs *attrs) {
    mica_shape out = a->shape;
    int64_t rows = mica_shape_count(a->shape) / a->shape.dim[a->shape.rank - 1];
    out.dim[out.rank - 1] = b->shape.dim[1 - attrs->tb];
    mica_value *flat = mica_reshape(a, 2, (const int64_t[]){rows, a->shape.dim[a->shape.rank - 1]});
    mica_value *c = mica_node_build(&op_matmul, attrs, (mica_value *[]){flat, b}, 2);
    return mica_reshape(c, out.rank, out.dim);
}

mica_value *mica_matmul(mica_value *a, mica_value *b, const mica_matmul_options *options) {
    mica_matmul_attrs attrs = {.act = -1};
    if (options)
        attrs.ta = options->transpose_a, attrs.tb = options->transpose_b;
    if (a && b && !attrs.ta && a->shape.rank > 2 && b->shape.rank == 2)
        return merged(a, b, &attrs);
    return mica_node_build(&op_matmul, &attrs, (mica_value *[]){a, b}, 2);
}
