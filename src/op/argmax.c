/* The place of the largest element of the last axis, and accuracy: the fraction of rows where that
 * place is the label.
 *
 *     a float32 (..., classes) -> int32 (...): the first of equals; NaN counts as the largest
 *     places int32 (...), labels int32 (...) -> float32 scalar
 *
 * Neither has a gradient. */
#include "base/error.h"
#include "op/rows.h"

#include <mica/ops.h>

static mica_status argmax_infer(mica_node *node) {
    const mica_value *a = node->in[0];
    char text[96];
    if (a->dtype != MICA_F32 || a->shape.rank < 1)
        return mica_fail(MICA_E_INVALID, "wants float32 (..., classes), but %s is %s %s", a->name,
            a->dtype == MICA_F32 ? "float32" : "int32",
            mica_shape_text(a->shape, text, sizeof text));
    node->out[0]->dtype = MICA_I32;
    node->out[0]->shape = mica_shape_of(a->shape.rank - 1, a->shape.dim);
    return MICA_OK;
}

static mica_status equal_infer(mica_node *node) {
    const mica_value *places = node->in[0], *labels = node->in[1];
    char got[96], want[96];
    if (labels->dtype != MICA_I32 || !mica_shape_equal(labels->shape, places->shape))
        return mica_fail(MICA_E_INVALID, "labels must be int32 %s, but %s is %s %s",
            mica_shape_text(places->shape, want, sizeof want), labels->name,
            labels->dtype == MICA_I32 ? "int32" : "float32",
            mica_shape_text(labels->shape, got, sizeof got));
    node->out[0]->dtype = MICA_F32;
    node->out[0]->shape = MICA_SCALAR;
    return MICA_OK;
}

static mica_status argmax_plan(const mica_node *node, mica_plan *plan) {
    const mica_rows rows = mica_rows_of(node->in[0]->shape);
    mica_plan_launch_desc desc = {
        .kernel = {.source = "argmax", .entry = "argmax_fwd"},
        .n_slots = 2,
        .slots = {MICA_SLOT(node->in[0]), MICA_SLOT(node->out[0])},
        .params = &rows,
        .params_size = sizeof rows,
        .flops = (double)rows.count * rows.size,
        .bytes = 4 * (double)rows.count * ((double)rows.size + 1),
    };
    mica_rows_map(plan, rows, 1, &desc);
    return mica_plan_launch(plan, &desc);
}

/* All samples are one row, which one work-group counts. */
static mica_status equal_plan(const mica_node *node, mica_plan *plan) {
    const mica_rows rows = {.count = 1, .size = (uint32_t)mica_shape_count(node->in[0]->shape)};
    mica_plan_launch_desc desc = {
        .kernel = {.source = "argmax", .entry = "argmax_equal"},
        .n_slots = 3,
        .slots = {MICA_SLOT(node->in[0]), MICA_SLOT(node->in[1]), MICA_SLOT(node->out[0])},
        .params = &rows,
        .params_size = sizeof rows,
        .bytes = 8 * (double)rows.size,
    };
    mica_rows_map(plan, rows, 1, &desc);
    return mica_plan_launch(plan, &desc);
}

static const mica_op op_argmax = {
    .name = "argmax",
    .infer = argmax_infer,
    .plan = argmax_plan,
};

static const mica_op op_equal = {
    .name = "accuracy",
    .infer = equal_infer,
    .plan = equal_plan,
};

mica_value *mica_argmax(mica_value *a) {
    return mica_node_build(&op_argmax, NULL, &a, 1);
}

mica_value *mica_accuracy(mica_value *logits, mica_value *labels) {
    mica_value *in[] = {mica_argmax(logits), labels};
    return mica_node_build(&op_equal, NULL, in, 2);
}
