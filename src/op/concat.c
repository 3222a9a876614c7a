/* Concatenation along one axis, in which the sizes may differ; of float32 or of int32 values.
 *
 *     values (..., n_i, ...) -> y (..., sum_i n_i, ...)
 *     dvalue_i = the slice of dy that value_i became */
#include "base/error.h"
#include "op/attributes.h"
#include "op/strided.h"

#include <mica/ops.h>

static mica_status check_value(const mica_node *node, int i, int axis) {
    const mica_value *first = node->in[0], *value = node->in[i];
    mica_shape shape = value->shape;
    char got[96], want[96];
    if (shape.rank == first->shape.rank)
        shape.dim[axis] = first->shape.dim[axis];
    if (!mica_shape_equal(shape, first->shape) || value->dtype != first->dtype)
        return mica_fail(MICA_E_INVALID,
            "all values must be %s with the sizes of %s %s but for axis %d, but %s is %s %s",
            first->dtype == MICA_F32 ? "float32" : "int32", first->name,
            mica_shape_text(first->shape, want, sizeof want), axis, value->name,
            value->dtype == MICA_F32 ? "float32" : "int32",
            mica_shape_text(value->shape, got, sizeof got));
    return MICA_OK;
}

static mica_status concat_infer(mica_node *node) {
    mica_concat_attrs *attrs = node->attrs;
    mica_shape shape = node->in[0]->shape;
    MICA_TRY(mica_axis_check(attrs->axis, shape.rank, &attrs->axis));
    for (int i = 1; i < node->n_in; i++) {
        MICA_TRY(check_value(node, i, attrs->axis));
        shape.dim[attrs->axis] += node->in[i]->shape.dim[attrs->axis];
    }
    node->out[0]->dtype = node->in[0]->dtype;
    node->out[0]->shape = shape;
    return MICA_OK;
}

static void concat_grad(
    mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    const int axis = ((const mica_concat_attrs *)node->attrs)->axis;
    int64_t begin[MICA_MAX_RANK] = {0};
    for (int i = 0; i < node->n_in; i++) {
        if (needs[i])
            din[i] = mica_slice(dout[0], begin, node->in[i]->shape.dim);
        begin[axis] += node->in[i]->shape.dim[axis];
    }
}

static bool concat_passes(const mica_node *node, bool training) {
    (void)training;
    return node->n_in == 1;
}

static mica_status concat_plan(const mica_node *node, mica_plan *plan) {
    const int axis = ((const mica_concat_attrs *)node->attrs)->axis;
    mica_strided box = {.rank = node->out[0]->shape.rank};
    mica_strides(node->out[0]->shape, box.to);
    for (int i = 0; i < node->n_in; i++) {
        const mica_shape shape = node->in[i]->shape;
        mica_strides(shape, box.from);
        for (int k = 0; k < shape.rank; k++)
            box.dim[k] = shape.dim[k];
        MICA_TRY(mica_strided_copy(plan, node->in[i], node->out[0], box));
        box.to_offset += shape.dim[axis] * box.to[axis];
    }
    return MICA_OK;
}

static const mica_op op_concat = {
    .name = "concat",
    .attrs_size = sizeof(mica_concat_attrs),
    .infer = concat_infer,
    .grad = concat_grad,
    .plan = concat_plan,
    .passes = concat_passes,
};

mica_value *mica_concat(mica_value *const *values, int count, int axis) {
    if (!values || count < 1) {
        mica_fail(MICA_E_INVALID, "concat: needs at least one value, but count is %d", count);
        return NULL;
    }
    return mica_node_build(&op_concat, &(mica_concat_attrs){.axis = axis}, values, count);
}
