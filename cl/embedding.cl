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
 * and for tables that are updated row by row, where dy is summed at the first place of an id, rows
 * has that id there, and elsewhere are 0 and -1:
 *
 *   embedding_chain        CPUs: keys are the ids at their first places and -1 elsewhere, and order
 *                          is the next place of the same id, 0 if none. One work-item, through a
 *                          hash table of `slots`, a power of two above count: in each the last
 * place of an id, counted from 1 embedding_bwd_chains   sums along the chains; mapping of work and
 * limits: rows.h embedding_bwd_runs     elsewhere, sums along runs of what embedding_sort gives;
 * likewise
 *
 * Bindings  _fwd 0 table, 1 ids, 2 y; _columns 0 ids, 1 dy, 2 dtable; _sort 0 ids, 1 keys, 2 order, 3 what
 * was counted by the launches before, of the ids in front of `from`;
 * _chain 0 ids, 1 table, 2 keys, 3 order; _rows 0 keys, 1 order, 2 dy, 3 dtable; _chains and _runs
 * 0 keys, 1 order, 2 dy, 3 sums, 4 rows, 5 squares. Constants: WIDTH. */
#include "rows.h"

typedef struct {
    uint rows; /* of the table */
    uint size;
    uint count;   /* of ids */
    uint columns; /* of a work-group of embedding_bwd_columns, a multiple of WIDTH */
    uint slots;
    uint from, to; /* the places of a launch, but for embedding_sort: in shaders/embedding.comp */
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
    __global const int *ids, __global int *keys, __global uint *order, __global uint *counted,
    const embedding_params p) {
    __local int some[LOCAL_X];
    const uint n = (uint)get_global_id(0);
    const int id = n < p.count ? ids[n] : 0;
    uint before = n < p.count && p.from > 0 ? counted[n] : 0;
    for (uint q0 = p.from; q0 < p.to; q0 += LOCAL_X) {
        const uint size = min(p.to - q0, (uint)LOCAL_X);
        if (LANE < size)
            some[LANE] = ids[q0 + LANE];
        barrier(CLK_LOCAL_MEM_FENCE);
        for (uint i = 0; i < size; i++)
            before += some[i] < id || (some[i] == id && q0 + i < n);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (n < p.count && p.to < p.count) {
        counted[n] = before;
    } else if (n < p.count) {
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

__kernel GROUP_SIZE void embedding_chain(__global const int *ids, __global uint *table,
    __global int *keys, __global uint *order, const embedding_params p) {
    for (uint i = 0; i < p.slots; i++)
        table[i] = 0;
    for (uint n = 0; n < p.count; n++) {
        const int id = ids[n];
        uint slot = (uint)id * 2654435769u;
        slot = (slot ^ slot >> 15) & (p.slots - 1);
        uint last = table[slot];
        while (last > 0 && ids[last - 1] != id) {
            slot = (slot + 1) & (p.slots - 1);
            last = table[slot];
        }
        table[slot] = n + 1;
        keys[n] = last > 0 ? -1 : id;
        order[n] = 0;
        if (last > 0)
            order[last - 1] = n;
    }
}

typedef struct {
    uint rows; /* of the table */
    uint size;
    uint count;     /* of places */
    uint per_part;  /* places of a part */
    uint per_group; /* parts of a group */
    uint from, to;  /* as above */
} sums_params;

#define FOR_PARTS_OF_GROUP(part)                                                                   \
    for (uint part = get_group_id(0) * p.per_group, parts_end = part + p.per_group;                \
         part < parts_end; part++)

__kernel GROUP_SIZE void embedding_bwd_chains(__global const int *keys, __global const uint *order,
    __global const float *dy, __global float *sums, __global int *rows, __global float *squares,
    const sums_params p) {
    FOR_PARTS_OF_GROUP(part) {
        const uint begin = part * p.per_part, end = min(p.count, begin + p.per_part);
        vec total = (vec)0;
        for (uint first = begin; first < end; first++) {
            const int live = keys[first] >= 0 && (uint)keys[first] < p.rows;
            rows[first] = live ? keys[first] : -1;
            for (uint c = 0; c < p.size; c += WIDTH) {
                vec sum = (vec)0;
                if (live)
                    sum = part_load(dy + (size_t)first * p.size, c, p.size, 0);
                for (uint n = live ? order[first] : 0; n > 0; n = order[n])
                    sum += part_load(dy + (size_t)n * p.size, c, p.size, 0);
                part_store(sum, sums + (size_t)first * p.size, c, p.size);
                total += sum * sum;
            }
        }
        squares[part] = vec_sum(total);
    }
}

__kernel GROUP_SIZE void embedding_bwd_runs(__global const int *keys, __global const uint *order,
    __global const float *dy, __global float *sums, __global int *rows, __global float *squares,
    const sums_params p) {
    __local float pool[LOCAL_X * LOCAL_Y];
    const uint item = ROW_LANE * LOCAL_X + LANE;
    FOR_PARTS_OF_GROUP(part) {
        const uint begin = part * p.per_part, end = min(p.count, begin + p.per_part);
        vec total = (vec)0;
        for (uint m = begin + ROW_LANE; m < end; m += LOCAL_Y) {
            const uint place = order[m];
            const int key = keys[m];
            const int live = key >= 0 && (uint)key < p.rows && (m == 0 || keys[m - 1] != key);
            if (LANE == 0)
                rows[place] = live ? key : -1;
            for (uint c = LANE * WIDTH; c < p.size; c += LOCAL_X * WIDTH) {
                vec sum = (vec)0;
                for (uint n = m; live && n < p.count && keys[n] == key; n++)
                    sum += part_load(dy + (size_t)order[n] * p.size, c, p.size, 0);
                part_store(sum, sums + (size_t)place * p.size, c, p.size);
                total += sum * sum;
            }
        }
        pool[item] = vec_sum(total);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (uint items = LOCAL_X * LOCAL_Y / 2; items > 0; items /= 2) {
            if (item < items)
                pool[item] += pool[item + items];
            barrier(CLK_LOCAL_MEM_FENCE);
        }
        if (item == 0)
            squares[part] = pool[0];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}
