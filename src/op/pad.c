/* Padding: y is a with more elements around it, which are a number or copies of a's. Backward, each
 * element of a adds up the places of y that copy it; for a number that is a slice.
 *
 *     a (d_0, ..., d_n-1) -> y (before_0 + d_0 + after_0, ...)
 *     da_i = sum of dy_j over all j that copy i */
#include "base/error.h"
#include "op/attributes.h"
#include "op/rows.h"

#include <mica/ops.h>

/* Rows shorter than this would leave a vector or a work-group unused. */
#define ROW_LEAST 64
/* Fewer rows than this would leave most of a device unused. */
#define ROWS_LEAST 64

/* ---- infer ---- */

/* The largest amount beside n elements. */
static int64_t most_beside(mica_pad_mode mode, int64_t n) {
    return mode == MICA_PAD_REFLECT ? n - 1 : mode == MICA_PAD_SYMMETRIC ? n : INT32_MAX - n;
}

static mica_status pad_infer(mica_node *node) {
    const mica_pad_attrs *attrs = node->attrs;
    const mica_value *a = node->in[0];
    mica_shape shape = a->shape;
    if (a->dtype != MICA_F32)
        return mica_fail(MICA_E_INVALID, "%s must be float32, but is int32", a->name);
    if (attrs->mode != MICA_PAD_CONSTANT && attrs->mode != MICA_PAD_REFLECT &&
        attrs->mode != MICA_PAD_SYMMETRIC && attrs->mode != MICA_PAD_EDGE)
        return mica_fail(MICA_E_INVALID, "mode %d is not one of mica_pad_mode", (int)attrs->mode);
    for (int i = 0; i < shape.rank; i++) {
        const int64_t amounts[] = {attrs->before[i], attrs->after[i]};
        const int64_t n = shape.dim[i], most = most_beside(attrs->mode, n);
        for (int k = 0; k < 2; k++) {
            if (amounts[k] < 0 || amounts[k] > most)
                return mica_fail(MICA_E_INVALID,
                    "%s[%d] must be in 0 .. %lld beside the %lld elements of %s, but is %lld",
                    k ? "after" : "before", i, (long long)most, (long long)n, a->name,
                    (long long)amounts[k]);
            shape.dim[i] += amounts[k];
        }
    }
    node->out[0]->shape = shape;
    return MICA_OK;
}

static mica_status pad_grad_infer(mica_node *node) {
    const mica_pad_attrs *attrs = node->attrs;
    mica_shape shape = node->in[0]->shape;
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] -= attrs->before[i] + attrs->after[i];
    node->out[0]->shape = shape;
    return MICA_OK;
}

/* ---- gradient ---- */

static const mica_op op_pad_grad;

static void pad_grad(
    mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    (void)needs;
    const mica_pad_attrs *attrs = node->attrs;
    din[0] = attrs->mode == MICA_PAD_CONSTANT
                 ? mica_slice(dout[0], attrs->before, node->in[0]->shape.dim)
                 : mica_node_build(&op_pad_grad, attrs, dout, 1);
}

static void pad_grad_grad(
    mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    (void)needs;
    const mica_pad_attrs *attrs = node->attrs;
    din[0] = mica_pad(dout[0], attrs->before, attrs->after, attrs->mode, 0);
}

/* ---- plan ---- */

/* The parameters of cl/pad.cl and shaders/pad.comp. */
typedef struct pad_params {
    mica_rows rows;
    int32_t unit, mode;
    float number;
    int32_t n[MICA_MAX_RANK], before[MICA_MAX_RANK], m[MICA_MAX_RANK];
} pad_params;

/* The number of leading dimensions that are the kernel's; those behind are its unit. */
static int dimensions_of(const mica_pad_attrs *attrs, mica_shape result) {
    int count = result.rank;
    while (count > 1 && attrs->before[count - 1] == 0 && attrs->after[count - 1] == 0)
        count--;
    int64_t rows = 1, unit = 1;
    for (int i = 0; i < count - 1; i++)
        rows *= result.dim[i];
    for (int i = count; i < result.rank; i++)
        unit *= result.dim[i];
    return count < result.rank && rows < ROWS_LEAST && unit >= ROW_LEAST ? count + 1 : count;
}

/* How often an element may be in the padded tensor along a dimension. */
static uint64_t copies_most(const mica_pad_attrs *attrs, int i) {
    const uint64_t around = (uint64_t)(attrs->before[i] + attrs->after[i]);
    const uint64_t most = attrs->mode == MICA_PAD_EDGE       ? around
                          : attrs->mode == MICA_PAD_CONSTANT ? 0
                                                             : 2;
    return 1 + (around < most ? around : most);
}

/* x, y: the shapes of the tensor and of the padded one, one of which is the node's result. */
static mica_status launch(
    const mica_node *node, mica_plan *plan, mica_shape x, mica_shape y, bool backward) {
    const mica_pad_attrs *attrs = node->attrs;
    const mica_shape result = node->out[0]->shape;
    const int count = dimensions_of(attrs, result), missing = MICA_MAX_RANK - count;
    pad_params params = {
        .rows = {.count = 1}, .unit = 1, .mode = (int32_t)attrs->mode, .number = attrs->number};
    for (int i = 0; i < MICA_MAX_RANK; i++) {
        params.n[i] = i < missing ? 1 : (int32_t)x.dim[i - missing];
        params.m[i] = i < missing ? 1 : (int32_t)y.dim[i - missing];
        params.before[i] = i < missing ? 0 : (int32_t)attrs->before[i - missing];
    }
    for (int i = 0; i < count - 1; i++)
        params.rows.count *= (uint32_t)result.dim[i];
    for (int i = count; i < result.rank; i++)
        params.unit *= (int32_t)result.dim[i];
    params.rows.size = (uint32_t)mica_shape_count(result) / params.rows.count;
    /* Of an element: how often its line may be in the padded tensor, with six loops over
     * dimensions; and along the line, of which EDGE repeats the ends alone. */
    uint64_t lines = 1, ends = 0;
    for (int i = 0; backward && i < count - 1; i++)
        lines *= copies_most(attrs, i);
    const uint32_t lanes = mica_rows_lanes(mica_plan_traits(plan), params.rows.size);
    const uint64_t turns = (params.rows.size + (uint64_t)lanes - 1) / lanes;
    if (backward)
        ends = copies_most(attrs, count - 1) * ((uint64_t)params.unit / lanes + 1) / turns + 1;
    const uint64_t steps = 6 + lines * (8 + 2 * ends);
    mica_plan_launch_desc desc = {
        .kernel = {.source = "pad", .entry = backward ? "pad_bwd" : "pad_fwd"},
        .n_slots = 2,
        .slots = {MICA_SLOT(node->in[0]), MICA_SLOT(node->out[0])},
        .params = &params,
        .params_size = sizeof params,
        .bytes = 4 * ((double)mica_shape_count(x) + (double)mica_shape_count(y)),
    };
    mica_rows_map(plan, params.rows, steps, &desc);
    return mica_plan_launch(plan, &desc);
}

static mica_status pad_plan(const mica_node *node, mica_plan *plan) {
    return launch(node, plan, node->in[0]->shape, node->out[0]->shape, false);
}

static mica_status pad_grad_plan(const mica_node *node, mica_plan *plan) {
    return launch(node, plan, node->out[0]->shape, node->in[0]->shape, true);
}

static bool passes(const mica_node *node, bool training) {
    (void)training;
    return mica_shape_equal(node->in[0]->shape, node->out[0]->shape);
}

/* ---- records and builder ---- */

static const mica_op op_pad = {
    .name = "pad",
    .attrs_size = sizeof(mica_pad_attrs),
    .infer = pad_infer,
    .grad = pad_grad,
    .plan = pad_plan,
    .passes = passes,
};

static const mica_op op_pad_grad = {
    .name = "pad_grad",
    .attrs_size = sizeof(mica_pad_attrs),
    .infer = pad_grad_infer,
    .grad = pad_grad_grad,
    .plan = pad_grad_plan,
    .passes = passes,
};

mica_value *mica_pad(
    mica_value *x, const int64_t *before, const int64_t *after, mica_pad_mode mode, float number) {
    if (!x)
        return NULL;
    const int rank = x->shape.rank;
    if (rank > 0 && (!before || !after))
        return mica_graph_failed(mica_value_graph(x),
            mica_fail(MICA_E_INVALID, "pad: before and after must be given, but are NULL"));
    mica_pad_attrs attrs = {.mode = mode, .number = number};
    for (int i = 0; i < rank; i++) {
        attrs.before[i] = before[i];
        attrs.after[i] = after[i];
    }
    return mica_node_build(&op_pad, &attrs, &x, 1);
}
