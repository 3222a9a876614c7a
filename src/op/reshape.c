/* Reshape: the same elements in the same order under another shape. The memory is shared, nothing
 * runs.
 *
 *     a (...) -> y (dim_0, ..., dim_rank-1), where one dim may be -1: what is left
 *     da = dy in a's shape */
#include "base/error.h"
#include "graph/graph_impl.h"

#include <mica/ops.h>

typedef struct reshape_attrs {
    mica_shape shape; /* as asked for */
} reshape_attrs;

static mica_status reshape_infer(mica_node *node) {
    const mica_value *a = node->in[0];
    mica_shape shape = ((const reshape_attrs *)node->attrs)->shape;
    const int64_t count = mica_shape_count(a->shape);
    int64_t known = 1;
    int open = -1;
    char text[96];
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] == -1 && open < 0) {
            open = i;
            continue;
        }
        if (shape.dim[i] < 1)
            return mica_fail(MICA_E_INVALID,
                "sizes must be at least 1, and one may be -1, but dim[%d] is %lld", i,
                (long long)shape.dim[i]);
        known = shape.dim[i] <= count / known ? known * shape.dim[i] : count + 1;
        if (known > count)
            break;
    }
    if (open >= 0 && known <= count)
        shape.dim[open] = count / known;
    if (known > count || (open >= 0 ? count % known != 0 : known != count))
        return mica_fail(MICA_E_INVALID,
            "%s %s has %lld elements, which the new sizes (rank %d) do not hold", a->name,
            mica_shape_text(a->shape, text, sizeof text), (long long)count, shape.rank);
    node->out[0]->dtype = a->dtype;
    node->out[0]->shape = shape;
    return MICA_OK;
}

static void reshape_grad(
    mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    (void)needs;
    const mica_shape shape = node->in[0]->shape;
    din[0] = mica_reshape(dout[0], shape.rank, shape.dim);
}

static bool reshape_passes(const mica_node *node, bool training) {
    (void)node, (void)training;
    return true;
}

static const mica_op op_reshape = {
    .name = "reshape",
    .attrs_size = sizeof(reshape_attrs),
    .infer = reshape_infer,
    .grad = reshape_grad,
    .passes = reshape_passes,
};

mica_value *mica_reshape(mica_value *a, int rank, const int64_t *dim) {
    if (!a)
        return NULL;
    if (rank < 0 || rank > MICA_MAX_RANK || (rank > 0 && !dim))
        return mica_graph_failed(mica_value_graph(a),
            mica_fail(MICA_E_INVALID, "reshape: rank must be in 0 .. %d with as many sizes, not %d",
                MICA_MAX_RANK, rank));
    reshape_attrs attrs = {.shape = {.rank = rank}};
    for (int i = 0; i < rank; i++)
        attrs.shape.dim[i] = dim[i];
    return mica_node_build(&op_reshape, &attrs, &a, 1);
}
