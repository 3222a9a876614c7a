/* The k largest of each row, in descending order, of equals the lower number first. Numbers are
 * compared by their bits as in argmax.cl: NaN is on top, -0 = 0 (and comes out as 0).
 *
 *   top_k_insert        CPUs: mapping of work and limits: rows.h; a row's result is a list into
 *                       which numbers are inserted from its end
 *   top_k_sort          elsewhere: a work-group a row, in turn. The list and SORT - k numbers of
 * the row at a time are sorted in local memory by a bitonic network top_k_merge_insert  the same
 * that begin with a list: `best` in descending order with its top_k_merge_sort    numbers `ids`,
 * floats; those of the row begin with first[0]
 *
 * Bindings  0 x, 1 values, 2 places (ints); _merge_: 0 best, 1 ids, 2 x, 3 first, 4 values, 5 ids.
 * Constants: WIDTH (insert); SORT, a power of two above k (sort). k at most `size` without a list.
 * Local memory of sort: 2 * SORT words. */
#ifndef WIDTH
#define WIDTH 1
#endif
#ifndef SORT
#define SORT 64
#endif
#include "rows.h"

typedef struct {
    uint rows;
    uint size;
    uint k;
    uint from, to; /* for shaders/top_k.comp: what a launch takes of each row */
} top_k_params;

/* Below that of every number. */
#define NO_RANK ((int)0x80000000)

int rank_of(float x) {
    const int bits = as_int(x), magnitude = bits & 0x7fffffff;
    return magnitude > 0x7f800000 ? 0x7fffffff : bits < 0 ? -magnitude : magnitude;
}

float number_of(int rank) {
    return as_float(rank < 0 ? (int)(0x80000000u | (uint)-rank) : rank);
}

#define IS_BETTER(rank, id, than_rank, than_id)                                                    \
    ((rank) > (than_rank) || ((rank) == (than_rank) && (id) < (than_id)))

/* Ids of a list that is carried on are floats, places are ints. */
#ifdef MICA_KERNEL_top_k_merge_insert
typedef float number_t;
#else
typedef int number_t;
#endif

/* Puts a number into a list of `length`, which grows up to k: the last falls off. */
uint insert(__global float *values, __global number_t *ids, uint length, uint k, int rank, int id) {
    uint at = length < k ? length : k - 1;
    for (; at > 0; at--) {
        if (!IS_BETTER(rank, id, rank_of(values[at - 1]), (int)ids[at - 1]))
            break;
        values[at] = values[at - 1];
        ids[at] = ids[at - 1];
    }
    values[at] = number_of(rank);
    ids[at] = (number_t)id;
    return length < k ? length + 1 : k;
}

/* Sorts the pairs, the best first. Ends in a barrier. */
void sort_pairs(__local int *ranks, __local int *ids) {
    const uint lane = (uint)get_local_id(0);
    for (uint size = 2; size <= SORT; size *= 2)
        for (uint stride = size / 2; stride > 0; stride /= 2) {
            for (uint e = lane; e < SORT / 2; e += LOCAL_X) {
                const uint i = 2 * e - (e & (stride - 1)), j = i + stride;
                const int down = (i & size) == 0;
                if (IS_BETTER(ranks[j], ids[j], ranks[i], ids[i]) == down) {
                    const int rank = ranks[i], id = ids[i];
                    ranks[i] = ranks[j];
                    ids[i] = ids[j];
                    ranks[j] = rank;
                    ids[j] = id;
                }
            }
            barrier(CLK_LOCAL_MEM_FENCE);
        }
}

/* Sorts a row of `size` numbers into the list that the first k pairs are. */
void sort_row(
    __global const float *x, uint size, uint k, int first, __local int *ranks, __local int *ids) {
    const uint lane = (uint)get_local_id(0);
    for (uint from = 0; from < size; from += SORT - k) {
        for (uint i = k + lane; i < SORT; i += LOCAL_X) {
            const uint at = from + i - k;
            ranks[i] = at < size ? rank_of(x[at]) : NO_RANK;
            ids[i] = at < size ? first + (int)at : 0x7fffffff;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        sort_pairs(ranks, ids);
    }
}

__kernel GROUP_SIZE void top_k_insert(
    __global const float *x, __global float *values, __global int *places, const top_k_params p) {
    FOR_ROWS(first, p.rows) {
        const uint row = ROW_OF(first, p.rows);
        __global const float *from = x + (size_t)row * p.size;
        __global float *list = values + (size_t)row * p.k;
        __global int *ids = places + (size_t)row * p.k;
        uint length = 0;
        for (uint i = 0; i < p.size; i++) {
            const int rank = rank_of(from[i]);
            if (length < p.k || rank > rank_of(list[p.k - 1]))
                length = insert(list, ids, length, p.k, rank, (int)i);
        }
    }
}

__kernel GROUP_SIZE void top_k_merge_insert(__global const float *best,
    __global const float *best_ids, __global const float *x, __global const float *first_id,
    __global float *values, __global float *merged, const top_k_params p) {
    const int offset = (int)first_id[0];
    FOR_ROWS(first, p.rows) {
        const uint row = ROW_OF(first, p.rows);
        __global const float *from = x + (size_t)row * p.size;
        __global float *list = values + (size_t)row * p.k, *ids = merged + (size_t)row * p.k;
        for (uint i = 0; i < p.k; i++) {
            list[i] = number_of(rank_of(best[row * p.k + i]));
            ids[i] = best_ids[row * p.k + i];
        }
        for (uint i = 0; i < p.size; i++) {
            const int rank = rank_of(from[i]), id = offset + (int)i;
            if (IS_BETTER(rank, id, rank_of(list[p.k - 1]), (int)ids[p.k - 1]))
                insert(list, ids, p.k, p.k, rank, id);
        }
    }
}

__kernel GROUP_SIZE void top_k_sort(
    __global const float *x, __global float *values, __global int *places, const top_k_params p) {
    __local int ranks[SORT], ids[SORT];
    for (uint row = (uint)get_group_id(0); row < p.rows; row += (uint)get_num_groups(0)) {
        for (uint i = LANE; i < p.k; i += LOCAL_X) {
            ranks[i] = NO_RANK;
            ids[i] = 0x7fffffff;
        }
        sort_row(x + (size_t)row * p.size, p.size, p.k, 0, ranks, ids);
        for (uint i = LANE; i < p.k; i += LOCAL_X) {
            values[row * p.k + i] = number_of(ranks[i]);
            places[row * p.k + i] = ids[i];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}

__kernel GROUP_SIZE void top_k_merge_sort(__global const float *best,
    __global const float *best_ids, __global const float *x, __global const float *first_id,
    __global float *values, __global float *merged, const top_k_params p) {
    __local int ranks[SORT], ids[SORT];
    for (uint row = (uint)get_group_id(0); row < p.rows; row += (uint)get_num_groups(0)) {
        for (uint i = LANE; i < p.k; i += LOCAL_X) {
            ranks[i] = rank_of(best[row * p.k + i]);
            ids[i] = (int)best_ids[row * p.k + i];
        }
        sort_row(x + (size_t)row * p.size, p.size, p.k, (int)first_id[0], ranks, ids);
        for (uint i = LANE; i < p.k; i += LOCAL_X) {
            values[row * p.k + i] = number_of(ranks[i]);
            merged[row * p.k + i] = (float)ids[i];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}
