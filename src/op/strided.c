#include "op/strided.h"

#include "op/rows.h"

/* Long rows are cut into chunks of a multiple of this many elements, a work-group each. */
#define CHUNK 4096

/* Parameters of strided_copy; `dim` is that of all dimensions but the last. */
typedef struct copy_params {
    mica_rows rows;
    uint32_t chunk, from_offset, to_offset;
    uint32_t dim[MICA_MAX_RANK - 1], from[MICA_MAX_RANK], to[MICA_MAX_RANK];
} copy_params;

/* Parameters of strided_pad. */
typedef struct pad_params {
    mica_rows rows;
    uint32_t chunk;
    uint32_t dim[MICA_MAX_RANK - 1], begin[MICA_MAX_RANK], size[MICA_MAX_RANK];
} pad_params;

void mica_strides(mica_shape shape, int64_t stride[MICA_MAX_RANK]) {
    int64_t step = 1;
    for (int i = shape.rank; i-- > 0;) {
        stride[i] = step;
        step *= shape.dim[i];
    }
}

void mica_strided_merge(mica_strided *box) {
    int n = 0;
    for (int i = 0; i < box->rank; i++) {
        int64_t dim = box->dim[i], from = box->from[i], to = box->to[i];
        if (dim == 1)
            continue;
        if (n > 0 && box->from[n - 1] == from * dim && box->to[n - 1] == to * dim) {
            dim *= box->dim[--n];
        }
        box->dim[n] = dim;
        box->from[n] = from;
        box->to[n++] = to;
    }
    box->rank = n;
}

bool mica_strided_is_same(const mica_strided *box) {
    mica_strided merged = *box;
    mica_strided_merge(&merged);
    return merged.from_offset == 0 && merged.to_offset == 0 &&
           (merged.rank == 0 || (merged.rank == 1 && merged.from[0] == 1 && merged.to[0] == 1));
}

/* Sets what both kernels have in common and adds the launch. */
static mica_status launch(mica_plan *plan, mica_plan_launch_desc *desc, mica_rows rows,
    uint32_t *chunk, const mica_value *from, const mica_value *to) {
    const uint32_t most = mica_plan_traits(plan)->max_groups[1];
    const uint32_t parts = (rows.size + CHUNK - 1) / CHUNK;
    const uint32_t times = (parts + most - 1) / most;
    *chunk = times * CHUNK;
    desc->kernel.source = "strided";
    desc->n_slots = 2;
    desc->slots[0] = MICA_SLOT(from);
    desc->slots[1] = MICA_SLOT(to);
    desc->bytes = 8 * (double)rows.count * rows.size;
    rows.size = rows.size < *chunk ? rows.size : *chunk;
    mica_rows_map(plan, rows, 1, desc);
    desc->groups[1] = (parts + times - 1) / times;
    return mica_plan_launch(plan, desc);
}

/* The kernels take MICA_MAX_RANK dimensions; those that are missing are outer ones of size 1. */
mica_status mica_strided_copy(
    mica_plan *plan, const mica_value *from, const mica_value *to, mica_strided box) {
    mica_strided_merge(&box);
    copy_params p = {.rows = {.count = 1, .size = 1},
        .from_offset = (uint32_t)box.from_offset,
        .to_offset = (uint32_t)box.to_offset,
        .dim = {1, 1, 1, 1, 1}};
    for (int i = 0; i < box.rank; i++) {
        int at = MICA_MAX_RANK - box.rank + i;
        p.from[at] = (uint32_t)box.from[i];
        p.to[at] = (uint32_t)box.to[i];
        if (at == MICA_MAX_RANK - 1) {
            p.rows.size = (uint32_t)box.dim[i];
        } else {
            p.dim[at] = (uint32_t)box.dim[i];
            p.rows.count *= (uint32_t)box.dim[i];
        }
    }
    mica_plan_launch_desc desc = {
        .kernel = {.entry = "strided_copy"}, .params = &p, .params_size = sizeof p};
    return launch(plan, &desc, p.rows, &p.chunk, from, to);
}

mica_status mica_strided_pad(
    mica_plan *plan, const mica_value *from, const mica_value *to, const int64_t *begin) {
    const int rank = to->shape.rank;
    pad_params p = {
        .rows = {.count = 1, .size = 1}, .dim = {1, 1, 1, 1, 1}, .size = {1, 1, 1, 1, 1, 1}};
    for (int i = 0; i < rank; i++) {
        int at = MICA_MAX_RANK - rank + i;
        p.begin[at] = (uint32_t)begin[i];
        p.size[at] = (uint32_t)from->shape.dim[i];
        if (at < MICA_MAX_RANK - 1)
            p.dim[at] = (uint32_t)to->shape.dim[i];
    }
    p.rows = mica_rows_of(to->shape);
    mica_plan_launch_desc desc = {
        .kernel = {.entry = "strided_pad"}, .params = &p, .params_size = sizeof p};
    return launch(plan, &desc, p.rows, &p.chunk, from, to);
}
