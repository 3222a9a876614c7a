/* The k largest numbers of each row, in descending order and with their places; and the same of
 * what was found before together with a further row, for rows too long to be held at once.
 *
 *     top_k        a (..., n) -> values (..., k), places int32 (..., k)
 *     top_k_merge  best, ids (..., k), a (..., n), first (1) -> values, ids (..., k)
 *
 * Of equals the lower number comes first, where NaN counts as larger than every number. On CPUs a
 * row is one list, into which the few numbers that belong there are inserted; elsewhere a
 * work-group sorts the list with as much of the row as local memory holds by Batcher's bitonic
 * network
 * ("Sorting networks and their applications", 1968), again and again. Neither has a gradient. */
#include "base/error.h"
#include "op/linear.h"
#include "op/rows.h"

#include <mica/ops.h>

/* The largest k: twice as many pairs of words are 16 KiB, the local memory that every device has.
 */
#define K_MOST 1024
/* Numbers that are sorted at a time where k alone would have less. */
#define SORT_LEAST 64
#define SORT_GOOD  1024
#define LANES_MOST 256

typedef struct top_k_attrs {
    int64_t k;
} top_k_attrs;

typedef struct top_k_params {
    mica_rows rows;
    uint32_t k;
    uint32_t from, to; /* the work-groups' kernels: this part of each row */
} top_k_params;

static mica_status check_row(const mica_value *a, int64_t k) {
    char text[96];
    if (a->dtype != MICA_F32 || a->shape.rank < 1)
        return mica_fail(MICA_E_INVALID, "wants float32 (..., n), but %s is %s %s", a->name,
            a->dtype == MICA_F32 ? "float32" : "int32",
            mica_shape_text(a->shape, text, sizeof text));
    if (k < 1 || k > K_MOST)
        return mica_fail(MICA_E_INVALID, "k must be 1 to %d, but it is %lld", K_MOST, (long long)k);
    return MICA_OK;
}

static mica_status infer(mica_node *node) {
    const mica_value *a = node->in[0];
    const int64_t k = ((const top_k_attrs *)node->attrs)->k;
    MICA_TRY(check_row(a, k));
    mica_shape shape = a->shape;
    if (k > shape.dim[shape.rank - 1])
        return mica_fail(MICA_E_INVALID, "k is %lld, but a row of %s has %lld numbers",
            (long long)k, a->name, (long long)shape.dim[shape.rank - 1]);
    shape.dim[shape.rank - 1] = k;
    node->out[0]->shape = node->out[1]->shape = shape;
    node->out[0]->dtype = MICA_F32;
    node->out[1]->dtype = MICA_I32;
    return MICA_OK;
}

static mica_status merge_infer(mica_node *node) {
    const mica_value *best = node->in[0], *ids = node->in[1], *a = node->in[2];
    const mica_value *first = node->in[3];
    char got[96], want[96];
    if (best->dtype != MICA_F32 || best->shape.rank < 1)
        return mica_fail(MICA_E_INVALID, "best must be float32 (..., k), but %s is %s %s",
            best->name, best->dtype == MICA_F32 ? "float32" : "int32",
            mica_shape_text(best->shape, got, sizeof got));
    if (ids->dtype != MICA_F32 || !mica_shape_equal(ids->shape, best->shape))
        return mica_fail(MICA_E_INVALID, "ids must be float32 %s as best, but %s is %s %s",
            mica_shape_text(best->shape, want, sizeof want), ids->name,
            ids->dtype == MICA_F32 ? "float32" : "int32",
            mica_shape_text(ids->shape, got, sizeof got));
    const int last = best->shape.rank - 1;
    MICA_TRY(check_row(a, best->shape.dim[last]));
    mica_shape rows = a->shape;
    if (rows.rank == best->shape.rank)
        rows.dim[last] = best->shape.dim[last];
    if (!mica_shape_equal(rows, best->shape))
        return mica_fail(MICA_E_INVALID, "%s %s and best %s must differ in the last size alone",
            a->name, mica_shape_text(a->shape, got, sizeof got),
            mica_shape_text(best->shape, want, sizeof want));
    if (first->dtype != MICA_F32 || mica_shape_count(first->shape) != 1)
        return mica_fail(MICA_E_INVALID, "first must be one float32, but %s is %s %s", first->name,
            first->dtype == MICA_F32 ? "float32" : "int32",
            mica_shape_text(first->shape, got, sizeof got));
    for (int i = 0; i < 2; i++) {
        node->out[i]->dtype = MICA_F32;
        node->out[i]->shape = best->shape;
    }
    return MICA_OK;
}

/* The kernel for work-groups: as many numbers as are sorted at once, and the lanes that do it.
 * Returns how many numbers of each row a launch takes. */
static uint32_t map_sort(
    const mica_traits *traits, const top_k_params *p, mica_plan_launch_desc *desc) {
    const uint64_t all = (uint64_t)p->k + p->rows.size;
    uint32_t sort = SORT_LEAST, lanes = LANES_MOST, stages = 0;
    while (sort < all && (sort < 2 * p->k || sort < SORT_GOOD))
        sort *= 2;
    while (lanes > sort / 2 || lanes > traits->max_group_size || lanes > traits->max_group_dim[0])
        lanes /= 2;
    while (1u << stages < sort)
        stages++;
    const uint32_t turns = sort / lanes; /* a lane's, over the numbers that are sorted */
    const uint64_t block = 1 + turns + stages + stages * (stages + 1) / 2 * (1 + turns / 2);
    const uint64_t rest = 1 + 2 * turns;
    uint64_t blocks = (p->rows.size + (uint64_t)sort - p->k - 1) / (sort - p->k);
    const uint64_t fits = mica_turns_most(traits, 3 * block);
    blocks = blocks < fits ? blocks : fits;
    desc->kernel.local[0] = lanes;
    desc->kernel.local[1] = desc->kernel.local[2] = 1;
    mica_constant_set(&desc->kernel, "SORT", (int32_t)sort);
    mica_rows_groups(traits, p->rows.count, p->rows.size, rest + blocks * block, desc);
    return blocks * (sort - p->k) < p->rows.size ? (uint32_t)blocks * (sort - p->k) : p->rows.size;
}

static mica_status launch(
    const mica_node *node, mica_plan *plan, const char *insert, const char *sort) {
    const mica_traits *traits = mica_plan_traits(plan);
    top_k_params params = {.rows = mica_rows_of(node->in[node->n_in == 4 ? 2 : 0]->shape),
        .k = (uint32_t)node->out[0]->shape.dim[node->out[0]->shape.rank - 1]};
    mica_plan_launch_desc desc = {
        .kernel = {.source = "top_k", .entry = traits->vector_width > 1 ? insert : sort},
        .params = &params,
        .params_size = sizeof params,
        .bytes = 4 * (double)params.rows.count * ((double)params.rows.size + 2.0 * params.k),
    };
    for (int i = 0; i < node->n_in; i++)
        desc.slots[desc.n_slots++] = MICA_SLOT(node->in[i]);
    for (int i = 0; i < 2; i++)
        desc.slots[desc.n_slots++] = MICA_SLOT(node->out[i]);
    uint32_t part = params.rows.size;
    if (traits->vector_width > 1)
        mica_rows_map(plan, params.rows, 1, &desc);
    else
        part = map_sort(traits, &params, &desc);
    for (; params.from < params.rows.size; params.from = params.to) {
        params.to = params.rows.size - params.from > part ? params.from + part : params.rows.size;
        MICA_TRY(mica_plan_launch(plan, &desc));
    }
    return MICA_OK;
}

static mica_status plan_all(const mica_node *node, mica_plan *plan) {
    return launch(node, plan, "top_k_insert", "top_k_sort");
}

static mica_status plan_merge(const mica_node *node, mica_plan *plan) {
    return launch(node, plan, "top_k_merge_insert", "top_k_merge_sort");
}

static const mica_op op_top_k = {
    .name = "top_k",
    .attrs_size = sizeof(top_k_attrs),
    .n_out = 2,
    .infer = infer,
    .plan = plan_all,
};

static const mica_op op_top_k_merge = {
    .name = "top_k_merge",
    .n_out = 2,
    .infer = merge_infer,
    .plan = plan_merge,
};

mica_value *mica_top_k(mica_value *a, int64_t k, mica_value **places) {
    mica_value *values = mica_node_build(&op_top_k, &(top_k_attrs){k}, &a, 1);
    if (places)
        *places = values ? values->node->out[1] : NULL;
    return values;
}

mica_value *mica_top_k_merge(
    mica_value *best, mica_value *ids, mica_value *a, mica_value *first, mica_value **merged_ids) {
    mica_value *in[] = {best, ids, a, first};
    mica_value *values = mica_node_build(&op_top_k_merge, NULL, in, 4);
    if (merged_ids)
        *merged_ids = values ? values->node->out[1] : NULL;
    return values;
}
