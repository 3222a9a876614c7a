/* Transpose: dimension i of y is dimension order[i] of a. Elements are moved, never computed with,
 * so float32 and int32 are alike. Where only dimensions of size 1 change places, memory is shared.
 *
 *     a (d_0, ..., d_n-1) -> y (d_order[0], ..., d_order[n-1])
 *     da = dy transposed by the inverse order */
#include "base/error.h"
#include "op/attributes.h"
#include "op/rows.h"
#include "op/strided.h"

#include <mica/ops.h>

static mica_status transpose_infer(mica_node *node) {
    const mica_shape a = node->in[0]->shape;
    const mica_transpose_attrs *attrs = node->attrs;
    mica_shape shape = {.rank = a.rank};
    unsigned seen = 0;
    for (int i = 0; i < a.rank; i++) {
        int from = attrs->order[i];
        if (from < 0 || from >= a.rank || seen >> from & 1)
            return mica_fail(MICA_E_INVALID,
                "order must name each of the dimensions 0 .. %d once, but order[%d] is %d",
                a.rank - 1, i, from);
        seen |= 1u << from;
        shape.dim[i] = a.dim[from];
    }
    node->out[0]->dtype = node->in[0]->dtype;
    node->out[0]->shape = shape;
    return MICA_OK;
}

static void transpose_grad(
    mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    (void)needs;
    const mica_transpose_attrs *attrs = node->attrs;
    int inverse[MICA_MAX_RANK] = {0};
    for (int i = 0; i < node->in[0]->shape.rank; i++)
        inverse[attrs->order[i]] = i;
    din[0] = mica_transpose(dout[0], inverse);
}

/* The output's dimensions, with where its elements lie in the input. */
static mica_strided layout_of(const mica_node *node) {
    const mica_transpose_attrs *attrs = node->attrs;
    const mica_shape shape = node->out[0]->shape;
    mica_strided box = {.rank = shape.rank};
    int64_t stride[MICA_MAX_RANK];
    mica_strides(node->in[0]->shape, stride);
    mica_strides(shape, box.to);
    for (int i = 0; i < shape.rank; i++) {
        box.dim[i] = shape.dim[i];
        box.from[i] = stride[attrs->order[i]];
    }
    return box;
}

static bool transpose_passes(const mica_node *node, bool training) {
    (void)training;
    const mica_strided box = layout_of(node);
    return mica_strided_is_same(&box);
}

/* Parameters of transpose_fwd. */
typedef struct transpose_params {
    uint32_t batch, rows, columns;
} transpose_params;

/* Whether a merged box is a batch of matrices that swap their two dimensions. */
static bool is_batch_of_matrices(const mica_strided *box, transpose_params *p) {
    if (box->rank != 2 && box->rank != 3)
        return false;
    const int64_t columns = box->dim[box->rank - 2], rows = box->dim[box->rank - 1];
    if (box->from[box->rank - 2] != 1 || box->from[box->rank - 1] != columns)
        return false;
    if (box->rank == 3 && box->from[0] != rows * columns)
        return false;
    *p = (transpose_params){.batch = box->rank == 3 ? (uint32_t)box->dim[0] : 1,
        .rows = (uint32_t)rows,
        .columns = (uint32_t)columns};
    return true;
}

static void set_tile(const mica_traits *traits, mica_kernel_desc *kernel, uint32_t *side) {
    const uint32_t width = traits->vector_width;
    const bool large =
        traits->max_group_size >= 32 * 8 && traits->local_bytes >= sizeof(uint32_t[32][33]);
    *side = width > 1 ? width : large ? 32 : 16;
    kernel->local[0] = width > 1 ? 1 : *side;
    kernel->local[1] = width > 1 ? 1 : 8;
    kernel->local[2] = 1;
    mica_constant_set(kernel, "WIDTH", (int32_t)width);
}

static mica_status transpose_plan(const mica_node *node, mica_plan *plan) {
    mica_strided box = layout_of(node);
    mica_strided_merge(&box);
    transpose_params p;
    if (!is_batch_of_matrices(&box, &p))
        return mica_strided_copy(plan, node->in[0], node->out[0], box);
    mica_plan_launch_desc desc = {
        .kernel = {.source = "transpose", .entry = "transpose_fwd"},
        .n_slots = 2,
        .slots = {MICA_SLOT(node->in[0]), MICA_SLOT(node->out[0])},
        .params = &p,
        .params_size = sizeof p,
        .bytes = 8 * (double)p.batch * p.rows * p.columns,
    };
    const mica_traits *traits = mica_plan_traits(plan);
    uint32_t side;
    set_tile(traits, &desc.kernel, &side);
    const uint64_t tiles =
        (uint64_t)p.batch * ((p.rows + side - 1) / side) * ((p.columns + side - 1) / side);
    mica_rows_groups(traits, tiles, side * side, 1 + 2 * (side / desc.kernel.local[1]), &desc);
    return mica_plan_launch(plan, &desc);
}

static const mica_op op_transpose = {
    .name = "transpose",
    .attrs_size = sizeof(mica_transpose_attrs),
    .infer = transpose_infer,
    .grad = transpose_grad,
    .plan = transpose_plan,
    .passes = transpose_passes,
};

mica_value *mica_transpose(mica_value *a, const int *order) {
    if (!a)
        return NULL;
    mica_transpose_attrs attrs = {{0}};
    const int rank = a->shape.rank;
    for (int i = 0; i < rank; i++)
        attrs.order[i] = order ? order[i] : rank - 1 - i;
    return mica_node_build(&op_transpose, &attrs, &a, 1);
}
