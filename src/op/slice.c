/* Slice: y = a[begin_i : begin_i + size_i] in each dimension, and its gradient, which is a padding
 * with zeros; of float32 or int32 values. A slice of everything shares a's memory.
 *
 *     a (d_0, ..., d_n-1) -> y (size_0, ..., size_n-1)
 *     da = dy at begin, 0 around it */
#include "base/error.h"
#include "op/attributes.h"
#include "op/strided.h"

#include <mica/ops.h>

static mica_status slice_infer(mica_node *node) {
    mica_slice_attrs *attrs = node->attrs;
    const mica_value *a = node->in[0];
    for (int i = 0; i < a->shape.rank; i++) {
        const int64_t begin = attrs->begin[i], dim = a->shape.dim[i];
        if (begin < 0 || begin >= dim)
            return mica_fail(MICA_E_INVALID, "begin[%d] must be in 0 .. %lld for %s, but is %lld",
                i, (long long)dim - 1, a->name, (long long)begin);
        if (attrs->shape.dim[i] == -1)
            attrs->shape.dim[i] = dim - begin;
        if (attrs->shape.dim[i] < 1 || attrs->shape.dim[i] > dim - begin)
            return mica_fail(MICA_E_INVALID,
                "size[%d] must be -1 or in 1 .. %lld for %s from %lld on, but is %lld", i,
                (long long)(dim - begin), a->name, (long long)begin,
                (long long)attrs->shape.dim[i]);
    }
    node->out[0]->dtype = a->dtype;
    node->out[0]->shape = attrs->shape;
    return MICA_OK;
}

static mica_status pad_infer(mica_node *node) {
    node->out[0]->dtype = node->in[0]->dtype;
    node->out[0]->shape = ((const mica_slice_attrs *)node->attrs)->shape;
    return MICA_OK;
}

static const mica_op op_pad;

static void slice_grad(
    mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    (void)needs;
    mica_slice_attrs attrs = *(const mica_slice_attrs *)node->attrs;
    attrs.shape = node->in[0]->shape;
    din[0] = mica_node_build(&op_pad, &attrs, dout, 1);
}

static void pad_grad(
    mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    (void)needs;
    const mica_slice_attrs *attrs = node->attrs;
    din[0] = mica_slice(dout[0], attrs->begin, node->in[0]->shape.dim);
}

/* What is as large as its input is all of it. */
static bool passes(const mica_node *node, bool training) {
    (void)training;
    return mica_shape_equal(node->in[0]->shape, node->out[0]->shape);
}

static mica_status slice_plan(const mica_node *node, mica_plan *plan) {
    const mica_slice_attrs *attrs = node->attrs;
    mica_strided box = {.rank = attrs->shape.rank};
    mica_strides(node->in[0]->shape, box.from);
    mica_strides(attrs->shape, box.to);
    for (int i = 0; i < box.rank; i++) {
        box.dim[i] = attrs->shape.dim[i];
        box.from_offset += attrs->begin[i] * box.from[i];
    }
    return mica_strided_copy(plan, node->in[0], node->out[0], box);
}

static mica_status pad_plan(const mica_node *node, mica_plan *plan) {
    const mica_slice_attrs *attrs = node->attrs;
    return mica_strided_pad(plan, node->in[0], node->out[0], attrs->begin);
}

static const mica_op op_slice = {
    .name = "slice",
    .attrs_size = sizeof(mica_slice_attrs),
    .infer = slice_infer,
    .grad = slice_grad,
    .plan = slice_plan,
    .passes = passes,
};

static const mica_op op_pad = {
    .name = "slice_grad",
    .attrs_size = sizeof(mica_slice_attrs),
    .infer = pad_infer,
    .grad = pad_grad,
    .plan = pad_plan,
    .passes = passes,
};

mica_value *mica_slice(mica_value *a, const int64_t *begin, const int64_t *size) {
    if (!a)
        return NULL;
    const int rank = a->shape.rank;
    if (rank > 0 && (!begin || !size))
        return mica_graph_failed(mica_value_graph(a),
            mica_fail(MICA_E_INVALID, "slice: begin and size must be given, but are NULL"));
    mica_slice_attrs attrs = {.shape = {.rank = rank}};
    for (int i = 0; i < rank; i++) {
        attrs.begin[i] = begin[i];
        attrs.shape.dim[i] = size[i];
    }
    return mica_node_build(&op_slice, &attrs, &a, 1);
}
