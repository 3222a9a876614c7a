/* Lookup of rows: y[n...] = table[ids[n...]].
 *
 *     table (rows, width), ids int32 (...) -> y (..., width)
 *     dtable[r] = sum of dy[n] over the n with ids[n] = r, in the order of n
 *
 * The sum needs no atomics: on CPUs a thread takes some columns and passes over all ids; elsewhere
 * the ids are sorted (by counting, for each, what comes before it, which is quadratic but beats a
 * sort of many launches up to some ten thousand) and each row gathers its run. */
#include "base/error.h"
#include "op/rows.h"

#include <mica/sequence.h>

typedef struct embedding_params {
    uint32_t rows, size, count, columns;
} embedding_params;

typedef struct embedding_attrs {
    mica_shape table;
} embedding_attrs;

static mica_status infer(mica_node *node) {
    const mica_value *table = node->in[0], *ids = node->in[1];
    char text[96];
    if (table->dtype != MICA_F32 || table->shape.rank != 2)
        return mica_fail(MICA_E_INVALID, "the table must be float32 (rows, width), but %s is %s %s",
            table->name, table->dtype == MICA_F32 ? "float32" : "int32",
            mica_shape_text(table->shape, text, sizeof text));
    if (ids->dtype != MICA_I32 || ids->shape.rank == MICA_MAX_RANK)
        return mica_fail(MICA_E_INVALID,
            "ids must be int32 with less than %d dimensions, but %s is %s %s", MICA_MAX_RANK,
            ids->name, ids->dtype == MICA_F32 ? "float32" : "int32",
            mica_shape_text(ids->shape, text, sizeof text));
    mica_shape shape = ids->shape;
    shape.dim[shape.rank++] = table->shape.dim[1];
    node->out[0]->shape = shape;
    return MICA_OK;
}

static mica_status grad_infer(mica_node *node) {
    node->out[0]->shape = ((const embedding_attrs *)node->attrs)->table;
    return MICA_OK;
}

static const mica_op op_embedding_grad;

static void grad(mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    const embedding_attrs attrs = {node->in[0]->shape};
    mica_value *in[] = {node->in[1], dout[0]};
    if (needs[0])
        din[0] = mica_node_build(&op_embedding_grad, &attrs, in, 2);
}

static embedding_params params_of(mica_shape table, const mica_value *ids) {
    return (embedding_params){.rows = (uint32_t)table.dim[0],
        .size = (uint32_t)table.dim[1],
        .count = (uint32_t)mica_shape_count(ids->shape)};
}

static mica_plan_launch_desc describe(const char *entry, const embedding_params *params) {
    return (mica_plan_launch_desc){.kernel = {.source = "embedding", .entry = entry},
        .params = params,
        .params_size = sizeof *params,
        .bytes = 8 * (double)params->count * params->size};
}

static mica_status plan_forward(const mica_node *node, mica_plan *plan) {
    const embedding_params params = params_of(node->in[0]->shape, node->in[1]);
    mica_plan_launch_desc desc = describe("embedding_fwd", &params);
    desc.n_slots = 3;
    desc.slots[0] = MICA_SLOT(node->in[0]);
    desc.slots[1] = MICA_SLOT(node->in[1]);
    desc.slots[2] = MICA_SLOT(node->out[0]);
    mica_rows_map(plan, (mica_rows){params.count, params.size}, &desc);
    return mica_plan_launch(plan, &desc);
}

static mica_status plan_columns(const mica_node *node, mica_plan *plan, embedding_params params) {
    const mica_traits *traits = mica_plan_traits(plan);
    const uint32_t width = traits->vector_width, vectors = (params.size + width - 1) / width;
    const uint64_t elements = ((uint64_t)params.rows + params.count) * width;
    const uint32_t groups = mica_rows_groups(traits, vectors, elements);
    params.columns = (vectors + groups - 1) / groups * width;
    mica_plan_launch_desc desc = describe("embedding_bwd_columns", &params);
    desc.n_slots = 3;
    desc.slots[0] = MICA_SLOT(node->in[0]);
    desc.slots[1] = MICA_SLOT(node->in[1]);
    desc.slots[2] = MICA_SLOT(node->out[0]);
    mica_constant_set(&desc.kernel, "WIDTH", (int32_t)width);
    desc.groups[0] = (params.size + params.columns - 1) / params.columns;
    return mica_plan_launch(plan, &desc);
}

/* Ids that a group of embedding_sort counts for. */
enum { SORT_LANES = 64 };

static mica_status plan_rows(const mica_node *node, mica_plan *plan, embedding_params params) {
    const int keys = mica_plan_scratch(plan, params.count);
    const int order = mica_plan_scratch(plan, params.count);
    mica_plan_launch_desc sort = describe("embedding_sort", &params);
    sort.n_slots = 3;
    sort.slots[0] = MICA_SLOT(node->in[0]);
    sort.slots[1] = MICA_SCRATCH(keys);
    sort.slots[2] = MICA_SCRATCH(order);
    sort.kernel.local[0] = SORT_LANES;
    mica_constant_set(&sort.kernel, "WIDTH", 1);
    sort.groups[0] = (params.count + SORT_LANES - 1) / SORT_LANES;
    sort.bytes = 12 * (double)params.count;
    MICA_TRY(mica_plan_launch(plan, &sort));
    mica_plan_launch_desc desc = describe("embedding_bwd_rows", &params);
    desc.n_slots = 4;
    desc.slots[0] = MICA_SCRATCH(keys);
    desc.slots[1] = MICA_SCRATCH(order);
    desc.slots[2] = MICA_SLOT(node->in[1]);
    desc.slots[3] = MICA_SLOT(node->out[0]);
    mica_rows_map(plan, (mica_rows){params.rows, params.size}, &desc);
    return mica_plan_launch(plan, &desc);
}

static mica_status plan_backward(const mica_node *node, mica_plan *plan) {
    const embedding_params params = params_of(node->out[0]->shape, node->in[0]);
    return mica_plan_traits(plan)->vector_width > 1 ? plan_columns(node, plan, params)
                                                    : plan_rows(node, plan, params);
}

static const mica_op op_embedding = {
    .name = "embedding",
    .infer = infer,
    .grad = grad,
    .plan = plan_forward,
};

static const mica_op op_embedding_grad = {
    .name = "embedding_grad",
    .attrs_size = sizeof(embedding_attrs),
    .infer = grad_infer,
    .plan = plan_backward,
};

mica_value *mica_embedding(mica_value *table, mica_value *ids) {
    return mica_node_build(&op_embedding, NULL, (mica_value *[]){table, ids}, 2);
}

mica_value *mica_gather(mica_value *a, mica_value *ids) {
    if (!a || !ids)
        return NULL;
    const int rank = a->shape.rank, more = ids->shape.rank;
    if (rank < 1 || rank - 1 + more > MICA_MAX_RANK)
        return mica_graph_failed(mica_value_graph(a),
            mica_fail(MICA_E_INVALID,
                "gather: a needs a first axis and the result at most %d dimensions, but %s has %d "
                "and %s has %d",
                MICA_MAX_RANK, a->name, rank, ids->name, more));
    const int64_t rows = a->shape.dim[0];
    mica_shape shape = ids->shape;
    for (int i = 1; i < rank; i++)
        shape.dim[shape.rank++] = a->shape.dim[i];
    mica_value *table =
        mica_reshape(a, 2, (const int64_t[]){rows, mica_shape_count(a->shape) / rows});
    mica_value *flat = mica_reshape(ids, 1, (const int64_t[]){mica_shape_count(ids->shape)});
    return mica_reshape(mica_embedding(table, flat), shape.rank, shape.dim);
}
