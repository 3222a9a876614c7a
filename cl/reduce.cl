/* Sums, maxima and sums of squares along one dimension of (outer, size, inner), in a fixed order.
 * A dimension may be cut into `parts` of `part` elements, whose results (outer, parts, inner)
 * another launch reduces.
 *
 * reduce_fwd_rows: inner = 1. A unit is a part of a row; its elements are spread over the LOCAL_X
 * lanes of one of the LOCAL_Y rows of a group.
 * reduce_fwd_columns: a unit is LOCAL_X * SPAN * WIDTH neighbouring columns of a part; its rows are
 * spread over LOCAL_Y.
 * In both a group works through per_group consecutive units, and a work-item takes WIDTH elements
 * at once, or SPAN times as many columns. Sums are made block by block, so that rounding errors
 * grow with the number of blocks and with the size of a block, not with their product.
 *
 * Bindings: 0 input, 1 output.
 *
 * Constants: WIDTH 1, 4, 8 or 16; SPAN; MAXIMUM: maxima (a NaN wins), else sums; SQUARE: of
 * squares; ROOT: the square root of the result.
 *
 * Limits: LOCAL_X and LOCAL_Y are powers of two, and 1 where WIDTH or SPAN is not; fewer than 2^31
 * elements.
 *
 * Parameters: as below; total is the number of all elements, units are those of all groups
 * together, chunks the units side by side; the result is multiplied with scale. */
#include "rows.h"

#define BLOCK 64

typedef struct {
    uint size, inner, total, part, parts, chunks, units, per_group;
    float scale;
} reduce_params;

#if MAXIMUM
#define IDENTITY      (-INFINITY)
#define COMBINE(a, b) select(a, b, (a < b) | (b != b))
#else
#define IDENTITY      0.0f
#define COMBINE(a, b) ((a) + (b))
#endif
#define ELEMENT(v) (SQUARE ? (v) * (v) : (v))
#define FINISH(v)  ((ROOT ? sqrt(v) : (v)) * p.scale)

float combine_lanes(vec v) {
#if WIDTH == 16
    const float8 v8 = COMBINE(v.lo, v.hi);
#elif WIDTH == 8
    const float8 v8 = v;
#endif
#if WIDTH >= 8
    const float4 v4 = COMBINE(v8.lo, v8.hi);
#elif WIDTH == 4
    const float4 v4 = v;
#endif
#if WIDTH >= 4
    const float2 v2 = COMBINE(v4.lo, v4.hi);
    return COMBINE(v2.x, v2.y);
#else
    return v;
#endif
}

/* Combines the values of `count` work-items that are `stride` apart in the pool; the first of them
 * gets the result. All work-items of the group must call it. */
float combine_items(float v, __local float *pool, uint me, uint index, uint count, uint stride) {
    pool[me] = v;
    for (uint reach = count / 2; reach > 0; reach /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (index < reach)
            pool[me] = COMBINE(pool[me], pool[me + reach * stride]);
    }
    v = pool[me];
    barrier(CLK_LOCAL_MEM_FENCE);
    return v;
}

__kernel GROUP_SIZE void reduce_fwd_rows(
    __global const float *x, __global float *y, const reduce_params p) {
    __local float pool[LOCAL_X * LOCAL_Y];
    const uint lane = get_local_id(0), row = get_local_id(1);
    const uint begin = get_group_id(0) * p.per_group, end = min(p.units, begin + p.per_group);
    for (uint first = begin; first < end; first += LOCAL_Y) {
        const uint unit = min(first + row, end - 1);
        const uint from = unit % p.parts * p.part, to = min(p.size, from + p.part);
        const uint base = unit / p.parts * p.size;
        vec total = (vec)(IDENTITY);
        for (uint at = from; at < to; at += BLOCK * LOCAL_X * WIDTH) {
            const uint stop = min(to, at + BLOCK * LOCAL_X * WIDTH);
            vec sum = (vec)(IDENTITY);
            for (uint i = at + lane * WIDTH; i < stop; i += LOCAL_X * WIDTH) {
                const vec v = part_load_in(x, base + i, base + stop, p.total, IDENTITY);
                sum = COMBINE(sum, ELEMENT(v));
            }
            total = COMBINE(total, sum);
        }
        float result = combine_lanes(total);
        if (LOCAL_X > 1)
            result = combine_items(result, pool, row * LOCAL_X + lane, lane, LOCAL_X, 1);
        if (lane == 0 && first + row < end)
            y[unit] = FINISH(result);
    }
}

__kernel GROUP_SIZE void reduce_fwd_columns(
    __global const float *x, __global float *y, const reduce_params p) {
#if LOCAL_Y > 1
    __local float pool[LOCAL_X * LOCAL_Y];
#endif
    const uint column = get_local_id(0), row = get_local_id(1);
    const uint begin = get_group_id(0) * p.per_group, end = min(p.units, begin + p.per_group);
    for (uint unit = begin; unit < end; unit++) {
        const uint j = (unit % p.chunks * LOCAL_X + column) * SPAN * WIDTH, slice = unit / p.chunks;
        const uint from = slice % p.parts * p.part, to = min(p.size, from + p.part);
        const uint base = slice / p.parts * p.size * p.inner;
        /* Loops over the span are unrolled, since PoCL would otherwise keep the sums in memory. */
        vec total[SPAN];
#pragma unroll
        for (uint k = 0; k < SPAN; k++)
            total[k] = (vec)(IDENTITY);
        for (uint at = from; at < to && j < p.inner; at += BLOCK * LOCAL_Y) {
            const uint stop = min(to, at + BLOCK * LOCAL_Y);
            vec sum[SPAN];
#pragma unroll
            for (uint k = 0; k < SPAN; k++)
                sum[k] = (vec)(IDENTITY);
            for (uint i = at + row; i < stop; i += LOCAL_Y) {
                const uint line = base + i * p.inner;
#pragma unroll
                for (uint k = 0; k < SPAN; k++) {
                    const vec v =
                        part_load_in(x, line + j + k * WIDTH, line + p.inner, p.total, IDENTITY);
                    sum[k] = COMBINE(sum[k], ELEMENT(v));
                }
            }
#pragma unroll
            for (uint k = 0; k < SPAN; k++)
                total[k] = COMBINE(total[k], sum[k]);
        }
#if LOCAL_Y > 1
        total[0] = combine_items(total[0], pool, row * LOCAL_X + column, row, LOCAL_Y, LOCAL_X);
#endif
#pragma unroll
        for (uint k = 0; k < SPAN; k++)
            if (row == 0 && j + k * WIDTH < p.inner)
                part_store(FINISH(total[k]), y + slice * p.inner, j + k * WIDTH, p.inner);
    }
}
