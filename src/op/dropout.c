/* dropout: y = a / keep_prob where an element is kept, which it is with probability keep_prob, else
 * 0. Backward: the same mask and factor on the gradient of y. Srivastava et al., "Dropout: a simple
 * way to prevent neural networks from overfitting", 2014; scaled while training rather than
 * afterwards.
 *
 * The mask is made anew from (step, node, element) in both passes instead of being kept: the
 * gradient's node carries the forward node's number. */
#include "base/error.h"
#include "op/linear.h"

#include <math.h>
#include <mica/ops.h>

#define OWN_STREAM UINT32_MAX

typedef struct dropout_attrs {
    float keep_prob;
    uint32_t stream; /* the node whose mask this is, or OWN_STREAM */
} dropout_attrs;

static uint32_t stream_of(const mica_node *node) {
    const dropout_attrs *attrs = node->attrs;
    return attrs->stream == OWN_STREAM ? node->id : attrs->stream;
}

static mica_status infer(mica_node *node) {
    const dropout_attrs *attrs = node->attrs;
    const mica_value *a = node->in[0];
    if (!(attrs->keep_prob > 0 && attrs->keep_prob <= 1))
        return mica_fail(MICA_E_INVALID, "keep_prob must be above 0 and at most 1, but is %g",
            (double)attrs->keep_prob);
    if (a->dtype != MICA_F32)
        return mica_fail(MICA_E_INVALID, "%s must be float32, but is int32", a->name);
    node->out[0]->shape = a->shape;
    return MICA_OK;
}

static const mica_op op_dropout;

static void grad(mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    const dropout_attrs *attrs = node->attrs;
    dropout_attrs again = {attrs->keep_prob, stream_of(node)};
    if (needs[0])
        din[0] = mica_node_build(&op_dropout, &again, (mica_value *[]){dout[0], node->in[1]}, 2);
}

/* The parameters of cl/dropout.cl and shaders/dropout.comp. */
typedef struct dropout_params {
    uint32_t n, per_group, stream, threshold;
    float factor;
} dropout_params;

static mica_status plan_dropout(const mica_node *node, mica_plan *plan) {
    const dropout_attrs *attrs = node->attrs;
    const mica_traits *traits = mica_plan_traits(plan);
    uint32_t width = traits->vector_width;
    uint64_t count = (uint64_t)mica_shape_count(node->out[0]->shape);
    mica_plan_launch_desc desc = {
        .kernel = {.source = "dropout", .entry = "dropout_fwd"},
        .slots = {MICA_SLOT(node->in[0]), MICA_SLOT(node->in[1]), MICA_SLOT(node->out[0])},
        .n_slots = 3,
        .flops = 20.0 * (double)count,
    };
    mica_constant_set(&desc.kernel, "WIDTH", (int32_t)width);
    dropout_params params = {
        .n = (uint32_t)count,
        .per_group = mica_linear_map(traits, count, 4 * width, 8, 5, &desc),
        .stream = stream_of(node),
        /* k / 2^24 < keep_prob, in whole numbers */
        .threshold = (uint32_t)ceil((double)attrs->keep_prob * 0x1p24),
        .factor = 1 / attrs->keep_prob,
    };
    desc.params = &params;
    desc.params_size = sizeof params;
    return mica_plan_launch(plan, &desc);
}

static bool passes(const mica_node *node, bool training) {
    return !training || ((const dropout_attrs *)node->attrs)->keep_prob == 1;
}

static uint32_t in_place(const mica_node *node) {
    (void)node;
    return 1;
}

static const mica_op op_dropout = {
    .name = "dropout",
    .attrs_size = sizeof(dropout_attrs),
    .infer = infer,
    .grad = grad,
    .plan = plan_dropout,
    .passes = passes,
    .in_place = in_place,
};

mica_value *mica_dropout(mica_value *a, float keep_prob) {
    if (!a)
        return NULL;
    dropout_attrs attrs = {keep_prob, OWN_STREAM};
    mica_value *in[] = {a, mica_step_input(mica_value_graph(a))};
    return mica_node_build(&op_dropout, &attrs, in, 2);
}
