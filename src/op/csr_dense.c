/* Sparse rows made dense: y[r][column[i]] = value[i] for start[r] <= i < start[r + 1], else 0.
 *
 *     start int32 (rows + 1), column int32 (n), value float32 (n) or left out -> y (rows, columns)
 *
 * The format is known as CSR, compressed sparse rows. No gradient. */
#include "base/error.h"
#include "op/rows.h"

#include <mica/ops.h>

typedef struct csr_attrs {
    int64_t columns;
} csr_attrs;

typedef struct csr_params {
    mica_rows rows;
    uint32_t count;    /* of columns given */
    uint32_t from, to; /* those of a launch */
} csr_params;

static mica_status infer(mica_node *node) {
    const mica_value *start = node->in[0], *column = node->in[1];
    char got[96], want[96];
    if (start->dtype != MICA_I32 || start->shape.rank != 1 || start->shape.dim[0] < 2)
        return mica_fail(MICA_E_INVALID,
            "start must be int32 (rows + 1) of at least one row, but %s is %s %s", start->name,
            start->dtype == MICA_I32 ? "int32" : "float32",
            mica_shape_text(start->shape, got, sizeof got));
    if (column->dtype != MICA_I32 || column->shape.rank != 1)
        return mica_fail(MICA_E_INVALID, "column must be int32 (n), but %s is %s %s", column->name,
            column->dtype == MICA_I32 ? "int32" : "float32",
            mica_shape_text(column->shape, got, sizeof got));
    if (node->n_in > 2 &&
        (node->in[2]->dtype != MICA_F32 || !mica_shape_equal(node->in[2]->shape, column->shape)))
        return mica_fail(MICA_E_INVALID, "value must be float32 %s as column, but %s is %s %s",
            mica_shape_text(column->shape, want, sizeof want), node->in[2]->name,
            node->in[2]->dtype == MICA_F32 ? "float32" : "int32",
            mica_shape_text(node->in[2]->shape, got, sizeof got));
    node->out[0]->dtype = MICA_F32;
    node->out[0]->shape =
        MICA_SHAPE(start->shape.dim[0] - 1, ((const csr_attrs *)node->attrs)->columns);
    return MICA_OK;
}

static mica_status plan(const mica_node *node, mica_plan *plan) {
    csr_params params = {
        .rows = mica_rows_of(node->out[0]->shape), .count = (uint32_t)node->in[1]->shape.dim[0]};
    const bool ones = node->n_in == 2;
    mica_plan_launch_desc desc = {
        .kernel = {.source = "csr_dense", .entry = ones ? "csr_dense_ones" : "csr_dense_fwd"},
        .params = &params,
        .params_size = sizeof params,
        .bytes = 4 * (double)params.rows.count * params.rows.size + 8 * (double)params.count,
    };
    for (int i = 0; i < node->n_in; i++)
        desc.slots[desc.n_slots++] = MICA_SLOT(node->in[i]);
    desc.slots[desc.n_slots++] = MICA_SLOT(node->out[0]);
    mica_rows_map(plan, params.rows, 1, &desc);
    return mica_rows_cut(plan, params.count, 1, &params.from, &params.to, &desc);
}

static const mica_op op_csr_dense = {
    .name = "csr_dense",
    .attrs_size = sizeof(csr_attrs),
    .infer = infer,
    .plan = plan,
};

mica_value *mica_csr_dense(
    mica_value *start, mica_value *column, mica_value *value, int64_t columns) {
    const csr_attrs attrs = {columns};
    return mica_node_build(
        &op_csr_dense, &attrs, (mica_value *[]){start, column, value}, value ? 3 : 2);
}
