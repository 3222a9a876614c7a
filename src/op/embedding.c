/* Lookup of rows: y[n...] = table[ids[n...]].
 *
 *     table (rows, width), ids int32 (...) -> y (..., width)
 *     dtable[r] = sum of dy[n] over the n with ids[n] = r, in the order of n
 *
 * The sum needs no atomics: on CPUs a thread takes some columns and passes over all ids; elsewhere
 * the ids are sorted (by counting, for each, what comes before it, which is quadratic but beats a
 * sort of many launches up to some ten thousand) and each row gathers its run.
 *
 * For tables that are updated row by row (graph/sparse.h), two more nodes compute the sums without
 * touching rows that are not looked up: embedding_order finds equal ids, by a hash table on CPUs
 * and by the same sort elsewhere, and embedding_compact sums dy over each. */
#include "base/error.h"
#include "graph/sparse.h"
#include "op/linear.h"
#include "op/rows.h"

#include <mica/sequence.h>

typedef struct embedding_params {
    uint32_t rows, size, count, columns, slots;
    uint32_t from, to; /* the places of a launch */
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

/* Rows shorter than a vector are done element by element. */
static void map(const mica_plan *plan, mica_rows rows, mica_plan_launch_desc *desc) {
    mica_rows_map(plan, rows, 1, desc);
    if (rows.size < mica_plan_traits(plan)->vector_width)
        desc->kernel.constants[0].value = 1;
}

static mica_status plan_forward(const mica_node *node, mica_plan *plan) {
    const embedding_params params = params_of(node->in[0]->shape, node->in[1]);
    mica_plan_launch_desc desc = describe("embedding_fwd", &params);
    desc.n_slots = 3;
    desc.slots[0] = MICA_SLOT(node->in[0]);
    desc.slots[1] = MICA_SLOT(node->in[1]);
    desc.slots[2] = MICA_SLOT(node->out[0]);
    map(plan, (mica_rows){params.count, params.size}, &desc);
    return mica_plan_launch(plan, &desc);
}

static mica_status plan_columns(const mica_node *node, mica_plan *plan, embedding_params params) {
    const mica_traits *traits = mica_plan_traits(plan);
    const uint32_t width = traits->vector_width, vectors = (params.size + width - 1) / width;
    const uint64_t elements = ((uint64_t)params.rows + params.count) * width;
    mica_plan_launch_desc desc = describe("embedding_bwd_columns", &params);
    mica_rows_groups(traits, vectors, elements, 1, &desc);
    params.columns = (vectors + desc.groups[0] - 1) / desc.groups[0] * width;
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

static mica_status plan_sort(const mica_value *ids, mica_plan *plan, mica_slot keys,
    mica_slot order, embedding_params params) {
    const uint64_t most = mica_turns_most(mica_plan_traits(plan), 2 + SORT_LANES) * SORT_LANES;
    mica_plan_launch_desc desc = describe("embedding_sort", &params);
    desc.n_slots = 4;
    desc.slots[3] = MICA_SCRATCH(mica_plan_scratch(plan, params.count));
    desc.slots[0] = MICA_SLOT(ids);
    desc.slots[1] = keys;
    desc.slots[2] = order;
    desc.kernel.local[0] = SORT_LANES;
    mica_constant_set(&desc.kernel, "WIDTH", 1);
    desc.groups[0] = (params.count + SORT_LANES - 1) / SORT_LANES;
    desc.bytes = 12 * (double)params.count;
    for (; params.from < params.count; params.from = params.to) {
        params.to = params.count - params.from < most ? params.count : params.from + (uint32_t)most;
        MICA_TRY(mica_plan_launch(plan, &desc));
    }
    return MICA_OK;
}

/* Launches for the kernels that sum dy over the places of an id, all of which may be the same. */
static mica_status cut(mica_plan *plan, uint32_t count, uint32_t size, uint32_t *from, uint32_t *to,
    mica_plan_launch_desc *desc) {
    const uint32_t lanes = desc->kernel.local[0];
    return mica_rows_cut(plan, count, size / lanes + (size % lanes != 0), from, to, desc);
}

static mica_status plan_rows(const mica_node *node, mica_plan *plan, embedding_params params) {
    const mica_slot keys = MICA_SCRATCH(mica_plan_scratch(plan, params.count));
    const mica_slot order = MICA_SCRATCH(mica_plan_scratch(plan, params.count));
    MICA_TRY(plan_sort(node->in[0], plan, keys, order, params));
    mica_plan_launch_desc desc = describe("embedding_bwd_rows", &params);
    desc.n_slots = 4;
    desc.slots[0] = keys;
    desc.slots[1] = order;
    desc.slots[2] = MICA_SLOT(node->in[1]);
    desc.slots[3] = MICA_SLOT(node->out[0]);
    mica_rows_map(plan, (mica_rows){params.rows, params.size}, 1, &desc);
    return cut(plan, params.count, params.size, &params.from, &params.to, &desc);
}

static mica_status plan_backward(const mica_node *node, mica_plan *plan) {
    const embedding_params params = params_of(node->out[0]->shape, node->in[0]);
    return mica_plan_traits(plan)->vector_width > 1 ? plan_columns(node, plan, params)
                                                    : plan_rows(node, plan, params);
}

/* ---- rows alone ---- */

typedef struct compact_attrs {
    int64_t rows;
} compact_attrs;

typedef struct sums_params {
    uint32_t rows, size, count, per_part, per_group;
    uint32_t from, to; /* the places of a launch */
} sums_params;

static mica_status order_infer(mica_node *node) {
    const int64_t count = mica_shape_count(node->in[0]->shape);
    for (int i = 0; i < 2; i++) {
        node->out[i]->dtype = MICA_I32;
        node->out[i]->shape = MICA_SHAPE(count);
    }
    return MICA_OK;
}

static mica_status compact_infer(mica_node *node) {
    const int64_t count = node->in[0]->shape.dim[0];
    node->out[0]->shape = MICA_SHAPE(count, mica_shape_count(node->in[2]->shape) / count);
    node->out[1]->dtype = MICA_I32;
    node->out[1]->shape = MICA_SHAPE(count);
    node->out[2]->shape = MICA_SHAPE(MICA_SPARSE_SUMS);
    return MICA_OK;
}

static mica_status plan_order(const mica_node *node, mica_plan *plan) {
    const mica_slot keys = MICA_SLOT(node->out[0]), order = MICA_SLOT(node->out[1]);
    embedding_params params = {.count = (uint32_t)mica_shape_count(node->in[0]->shape), .slots = 2};
    if (mica_plan_traits(plan)->vector_width == 1)
        return plan_sort(node->in[0], plan, keys, order, params);
    if (params.count > UINT32_C(1) << 30)
        return mica_fail(
            MICA_E_UNSUPPORTED, "%u ids are looked up, at most 2^30 can be sorted", params.count);
    while (params.slots / 2 < params.count)
        params.slots *= 2;
    mica_plan_launch_desc desc = describe("embedding_chain", &params);
    desc.n_slots = 4;
    desc.slots[0] = MICA_SLOT(node->in[0]);
    desc.slots[1] = MICA_SCRATCH(mica_plan_scratch(plan, params.slots));
    desc.slots[2] = keys;
    desc.slots[3] = order;
    mica_constant_set(&desc.kernel, "WIDTH", 1);
    desc.bytes = 12 * (double)params.count + 4 * (double)params.slots;
    return mica_plan_launch(plan, &desc);
}

static mica_status plan_compact(const mica_node *node, mica_plan *plan) {
    const mica_traits *traits = mica_plan_traits(plan);
    const mica_shape shape = node->out[0]->shape;
    sums_params params = {.rows = (uint32_t)((const compact_attrs *)node->attrs)->rows,
        .size = (uint32_t)shape.dim[1],
        .count = (uint32_t)shape.dim[0]};
    params.per_part = (params.count + MICA_SPARSE_SUMS - 1) / MICA_SPARSE_SUMS;
    mica_plan_launch_desc desc = {
        .kernel = {.source = "embedding",
            .entry = traits->vector_width > 1 ? "embedding_bwd_chains" : "embedding_bwd_runs"},
        .n_slots = 6,
        .params = &params,
        .params_size = sizeof params,
        .bytes = 8 * (double)params.count * params.size};
    for (int i = 0; i < 3; i++) {
        desc.slots[i] = MICA_SLOT(node->in[i]);
        desc.slots[3 + i] = MICA_SLOT(node->out[i]);
    }
    map(plan, (mica_rows){params.count, params.size}, &desc);
    const uint32_t *local = desc.kernel.local;
    const uint64_t parts = params.size / local[0] + 1, places = params.per_part / local[1] + 1;
    const uint64_t steps = 32 + places * (1 + 2 * parts);
    mica_rows_groups(
        traits, MICA_SPARSE_SUMS, (uint64_t)params.per_part * params.size, steps, &desc);
    while (MICA_SPARSE_SUMS % desc.groups[0])
        desc.groups[0]--;
    params.per_group = MICA_SPARSE_SUMS / desc.groups[0];
    desc.steps = params.per_group * steps;
    return cut(plan, params.count, params.size, &params.from, &params.to, &desc);
}

static const mica_op op_embedding_order = {
    .name = "embedding_order",
    .n_out = 2,
    .infer = order_infer,
    .plan = plan_order,
};

static const mica_op op_embedding_compact = {
    .name = "embedding_compact",
    .attrs_size = sizeof(compact_attrs),
    .n_out = 3,
    .infer = compact_infer,
    .plan = plan_compact,
};

mica_value *mica_embedding_order(mica_value *ids) {
    return mica_node_build(&op_embedding_order, NULL, &ids, 1);
}

mica_value *mica_embedding_compact(mica_value *order, mica_value *dy, int64_t rows) {
    if (!order)
        return NULL;
    mica_value *in[] = {order, order->node->out[1], dy};
    return mica_node_build(&op_embedding_compact, &(compact_attrs){rows}, in, 3);
}

/* ---- records and builders ---- */

static const mica_op op_embedding = {
    .name = "embedding",
    .infer = infer,
    .grad = grad,
    .plan = plan_forward,
    .looks_up = true,
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
