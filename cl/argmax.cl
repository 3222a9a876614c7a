/* Mapping of work and limits: rows.h. Constants: WIDTH.
 *
 * argmax_fwd: bindings 0 x, 1 place (int, one a row): the place of the row's largest element, the
 *     first of equals, where NaN counts as larger than every number.
 * argmax_equal: bindings 0 a, 1 b (ints, `size` of each; one row), 2 fraction (one float) of places
 *     where both are equal. */
#include "rows.h"

typedef struct {
    uint rows;
    uint size;
} argmax_params;

/* Whole numbers in the order of floats, with -0 = 0 and NaN on top: comparing bits is exact where a
 * driver's comparison with NaN may not be. */
ivec rank_of(vec x) {
    const ivec bits = as_ivec(x), magnitude = bits & 0x7fffffff;
    const ivec ordered = select(magnitude, -magnitude, bits < 0);
    return select(ordered, (ivec)0x7fffffff, magnitude > 0x7f800000);
}

/* The better of two candidates by rank, then by place. */
#define IS_BETTER(rank, place, than_rank, than_place)                                              \
    ((rank) > (than_rank) || ((rank) == (than_rank) && (place) < (than_place)))

__kernel GROUP_SIZE void argmax_fwd(
    __global const float *x, __global int *places, const argmax_params p) {
#if LOCAL_X > 1
    __local int pool_ranks[LOCAL_Y * LOCAL_X], pool_places[LOCAL_Y * LOCAL_X];
    __local int *my_rank = pool_ranks + ROW_LANE * LOCAL_X + LANE;
    __local int *my_place = pool_places + ROW_LANE * LOCAL_X + LANE;
#endif
    FOR_ROWS(first, p.rows) {
        const uint row = ROW_OF(first, p.rows), start = row * p.size;
        const uint end = END_OF(first, p.rows, p.size);
        ivec best = (int)0x80000000, best_at = 0x7fffffff;
        FOR_PARTS(at, start, end) {
            const ivec rank = rank_of(part_load_in(x, at, end, p.rows * p.size, -INFINITY));
            const ivec better = rank > best;
            best = select(best, rank, better);
            best_at = select(best_at, (int)(at - start) + LANE_NUMBERS, better);
        }
#if WIDTH > 1
        int ranks[WIDTH], at_places[WIDTH];
        vec_store(best, 0, ranks);
        vec_store(best_at, 0, at_places);
        int rank = ranks[0], place = at_places[0];
        for (uint i = 1; i < WIDTH; i++)
            if (IS_BETTER(ranks[i], at_places[i], rank, place)) {
                rank = ranks[i];
                place = at_places[i];
            }
#else
        int place = best_at;
#endif
#if LOCAL_X > 1
        *my_rank = best;
        *my_place = best_at;
        for (uint lanes = LOCAL_X / 2; lanes > 0; lanes /= 2) {
            barrier(CLK_LOCAL_MEM_FENCE);
            if (LANE < lanes && IS_BETTER(my_rank[lanes], my_place[lanes], *my_rank, *my_place)) {
                *my_rank = my_rank[lanes];
                *my_place = my_place[lanes];
            }
        }
        place = *my_place;
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
        if (LANE == 0 && ROW_IS_LIVE(first, p.rows))
            places[row] = place;
    }
}

__kernel GROUP_SIZE void argmax_equal(
    __global const int *a, __global const int *b, __global float *fraction, const argmax_params p) {
    POOL(pool)
    FOR_ROWS(first, p.rows) {
        uint hits = 0;
        for (uint i = LANE; i < p.size; i += LOCAL_X)
            hits += a[i] == b[i];
        const float sum = lanes_sum((float)hits, pool);
        if (LANE == 0 && ROW_IS_LIVE(first, p.rows))
            fraction[0] = sum / (float)p.size;
    }
}
