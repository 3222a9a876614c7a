/* Lookup of rows: y[n] = table[ids[n]], rows of `size` floats; NaN where ids[n] is out of range.
 *
 *   embedding_fwd          mapping of work and limits: rows.h, a row for each of `count` ids
 *   embedding_bwd_columns  CPUs: a work-item sums the gradients of `columns` columns of all rows of
 *                          the table, in the order of the ids
 *   embedding_sort         elsewhere: keys are the ids in ascending order, equal ones in their
 *                          order, and order their places. A work-item counts what comes before its
 *                          id; ids pass through local memory
 *   embedding_bwd_rows     and sums the gradients of a row of the table, which are neighbours in
 *                          that order; mapping of work and limits: rows.h
 *
 * Bindings  _fwd 0 table, 1 ids, 2 y; _columns 0 ids, 1 dy, 2 dtable; _sort 0 ids, 1 keys, 2 order;
 * _rows 0 keys, 1 order, 2 dy, 3 dtable. Constants: WIDTH. */
#include "rows.h"

typedef struct {
    uint rows; /* of the table */
    uint size;
    uint count;   /* of ids */
    uint columns; /* of a work-group of embedding_bwd_columns, a multiple of WIDTH */
} embedding_params;

__kernel GROUP_SIZE void embedding_fwd(__global const float *table, __global const int *ids,
    __global float *y, const embedding_params p) {
    FOR_ROWS(first, p.count) {
        if (!ROW_IS_LIVE(first, p.count))
            continue;
        const uint row = ROW_OF(first, p.count), start = row * p.size, end = start + p.size;
        const int known = ids[row] >= 0 && (uint)ids[row] < p.rows;
        const uint from = known ? ids[row] * p.size : 0;
        FOR_PARTS(at, start, end)
        part_store(
            known ? part_load(table, from + (at - start), from + p.size, 0) : (vec)NAN, y, at, end);
    }
}

__kernel GROUP_SIZE void embedding_bwd_columns(__global const int *ids, __global const float *dy,
    __global float *dtable, const embedding_params p) {
    const uint begin = (uint)get_group_id(0) * p.columns, end = min(begin + p.columns, p.size);
    for (uint row = 0; row < p.rows; row++)
        for (uint c = begin; c < end; c += WIDTH)
            part_store((vec)0, dtable + (size_t)row * p.size, c, end);
    for (uint n = 0; n < p.count; n++) {
        if (ids[n] < 0 || (uint)ids[n] >= p.rows)
            continue;
        __global const float *from = dy + (size_t)n * p.size;
        __global float *to = dtable + (size_t)ids[n] * p.size;
        for (uint c = begin; c < end; c += WIDTH)
            part_store(part_load(to, c, end, 0) + part_load(from, c, end, 0), to, c, end);
    }
}

__kernel GROUP_SIZE void embedding_sort(
    __global const int *ids, __global int *keys, __global uint *order, const embedding_params p) {
    __local int some[LOCAL_X];
    const uint n = (uint)get_global_id(0);
    const int id = n < p.count ? ids[n] : 0;
    uint before = 0;
    for (uint q0 = 0; q0 < p.count; q0 += LOCAL_X) {
        const uint size = min(p.count - q0, (uint)LOCAL_X);
        if (LANE < size)
            some[LANE] = ids[q0 + LANE];
        barrier(CLK_LOCAL_MEM_FENCE);
        for (uint i = 0; i < size; i++)
            before += some[i] < id || (some[i] == id && q0 + i < n);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (n < p.count) {
        keys[before] = id;
        order[before] = n;
    }
}

/* How many keys are less than `id`. */
uint lower_bound(__global const int *keys, uint count, int id) {
    uint begin = 0;
    while (count > 0) {
        const uint half_ = count / 2;
        const int less = keys[begin + half_] < id;
        begin += less ? half_ + 1 : 0;
        count = less ? count - half_ - 1 : half_;
    }
    return begin;
}

__kernel GROUP_SIZE void embedding_bwd_rows(__global const int *keys, __global const uint *order,
    __global const float *dy, __global float *dtable, const embedding_params p) {
    FOR_ROWS(first, p.rows) {
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        const uint row = ROW_OF(first, p.rows), begin = lower_bound(keys, p.count, (int)row);
        const uint end = lower_bound(keys, p.count, (int)row + 1);
        FOR_PARTS(c, 0u, p.size) {
            vec sum = (vec)0;
            for (uint m = begin; m < end; m++)
                sum += part_load(dy + (size_t)order[m] * p.size, c, p.size, 0);
            part_store(sum, dtable + (size_t)row * p.size, c, p.size);
        }
    }
}
