/* One-hot: y[..., i] = 1 where i is the label, else 0; a label out of range gives zeros.
 *
 *     labels int32 (...) -> y float32 (..., classes); no gradient */
#include "base/error.h"
#include "op/rows.h"

#include <mica/ops.h>

typedef struct one_hot_attrs {
    int64_t classes;
} one_hot_attrs;

static mica_status one_hot_infer(mica_node *node) {
    const mica_value *labels = node->in[0];
    if (labels->dtype != MICA_I32)
        return mica_fail(MICA_E_INVALID, "labels must be int32, but %s is float32", labels->name);
    if (labels->shape.rank == MICA_MAX_RANK)
        return mica_fail(MICA_E_INVALID, "labels must have less than %d dimensions, but %s has %d",
            MICA_MAX_RANK, labels->name, labels->shape.rank);
    mica_shape shape = labels->shape;
    shape.dim[shape.rank++] = ((const one_hot_attrs *)node->attrs)->classes;
    node->out[0]->dtype = MICA_F32;
    node->out[0]->shape = shape;
    return MICA_OK;
}

static mica_status one_hot_plan(const mica_node *node, mica_plan *plan) {
    const mica_rows rows = mica_rows_of(node->out[0]->shape);
    mica_plan_launch_desc desc = {
        .kernel = {.source = "one_hot", .entry = "one_hot_fwd"},
        .n_slots = 2,
        .slots = {MICA_SLOT(node->in[0]), MICA_SLOT(node->out[0])},
        .params = &rows,
        .params_size = sizeof rows,
        .bytes = 4 * (double)rows.count * ((double)rows.size + 1),
    };
    mica_rows_map(plan, rows, 1, &desc);
    return mica_plan_launch(plan, &desc);
}

static const mica_op op_one_hot = {
    .name = "one_hot",
    .attrs_size = sizeof(one_hot_attrs),
    .infer = one_hot_infer,
    .plan = one_hot_plan,
};

mica_value *mica_one_hot(mica_value *labels, int64_t classes) {
    return mica_node_build(&op_one_hot, &(one_hot_attrs){.classes = classes}, &labels, 1);
}
