#include "op/normal_sums.h"

#include "op/columns.h"

typedef struct sums_attrs {
    bool by_row;
} sums_attrs;

static mica_status infer_sums(mica_node *node) {
    mica_shape x = node->in[1]->shape;
    node->out[0]->shape = node->out[1]->shape = MICA_SHAPE(x.dim[x.rank - 1]);
    return MICA_OK;
}

static mica_status plan_sums(const mica_node *node, mica_plan *plan) {
    const sums_attrs *attrs = node->attrs;
    mica_shape x = node->in[1]->shape;
    mica_plan_launch_desc first = {
        .kernel = {.source = "normal_sums", .entry = "normal_sums_parts"},
        .slots = {MICA_SLOT(node->in[0]), MICA_SLOT(node->in[1]), MICA_SLOT(node->in[2]),
            MICA_SLOT(node->in[3])},
        .n_slots = 5,
        .flops = 5.0 * (double)mica_shape_count(x)};
    mica_columns columns = mica_columns_map(plan, x, true, &first);
    mica_constant_set(&first.kernel, "BY_ROW", attrs->by_row);
    int parts = mica_plan_scratch(plan, (uint64_t)columns.parts * columns.channels * 2);
    first.slots[4] = MICA_SCRATCH(parts);
    first.params = &columns;
    first.params_size = sizeof columns;
    MICA_TRY(mica_plan_launch(plan, &first));
    mica_plan_launch_desc second = {.kernel = {.source = "normal_sums", .entry = "normal_sums_all"},
        .slots = {MICA_SCRATCH(parts), MICA_SLOT(node->out[0]), MICA_SLOT(node->out[1])},
        .n_slots = 3,
        .params = &columns,
        .params_size = sizeof columns,
        .flops = 2.0 * columns.parts * columns.channels};
    mica_channels_map(plan, columns.channels, &second);
    return mica_plan_launch(plan, &second);
}

static const mica_op op_normal_sums = {
    .name = "normal_sums",
    .attrs_size = sizeof(sums_attrs),
    .n_out = 2,
    .infer = infer_sums,
    .plan = plan_sums,
};

mica_value *mica_normal_sums(
    mica_value *dy, mica_value *x, mica_value *mean, mica_value *inverse, bool by_row) {
    mica_value *in[] = {dy, x, mean, inverse};
    return mica_node_build(&op_normal_sums, &(sums_attrs){by_row}, in, 4);
}
