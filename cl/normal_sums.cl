/* Two sums over rows, for gradients of normalizations: sum(dy * (x - mean) * inverse), sum(dy).
 *
 * normal_sums_parts: bindings 0 dy, 1 x, 2 mean, 3 inverse, 4 parts: (2, parts, channels). Mapping
 *     and parameters: columns.h. Sums are made block by block, so that rounding errors grow with
 *     the number of blocks and with the size of a block, not with their product.
 * normal_sums_all: bindings 0 parts, 1 and 2 the sums (channels). A work-item adds WIDTH channels.
 *
 * Constants: WIDTH; for _parts SPAN; BY_ROW: mean and inverse are one a row, else one a channel. */
#ifndef SPAN
#define SPAN 1
#endif
#include "columns.h"

#define BLOCK 64

/* Adds the values of the LOCAL_Y work-items of a column; the first gets the sum. */
#if LOCAL_Y > 1
float add_items(float v, __local float *pool) {
    const uint me = ROW_LANE * LOCAL_X + LANE;
    pool[me] = v;
    for (uint reach = LOCAL_Y / 2; reach > 0; reach /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (ROW_LANE < reach)
            pool[me] += pool[me + reach * LOCAL_X];
    }
    v = pool[me];
    barrier(CLK_LOCAL_MEM_FENCE);
    return v;
}
#endif

__kernel GROUP_SIZE void normal_sums_parts(__global const float *dy, __global const float *x,
    __global const float *mean, __global const float *inverse, __global float *parts,
    const columns p) {
#if LOCAL_Y > 1
    __local float pool[LOCAL_X * LOCAL_Y];
#endif
    FOR_UNITS(p, j, from, to) {
        vec middle[SPAN], factor[SPAN], products[SPAN], sums[SPAN];
        EACH(k) {
            middle[k] = BY_ROW ? 0 : CHANNELS_LOAD(p, mean, j, k);
            factor[k] = BY_ROW ? 0 : CHANNELS_LOAD(p, inverse, j, k);
            products[k] = sums[k] = 0;
        }
        for (uint at = from; at < to; at += BLOCK * LOCAL_Y) {
            const uint stop = min(to, at + BLOCK * LOCAL_Y);
            vec block_products[SPAN], block_sums[SPAN];
            EACH(k) {
                block_products[k] = block_sums[k] = 0;
            }
            for (uint i = at + ROW_LANE; i < stop; i += LOCAL_Y)
                EACH(k) {
                    const vec g = COLUMNS_LOAD(p, dy, i, j, k);
                    const vec v = COLUMNS_LOAD(p, x, i, j, k);
                    block_sums[k] += g;
#if BY_ROW
                    block_products[k] += g * ((v - mean[i]) * inverse[i]);
#else
                    block_products[k] += g * (v - middle[k]);
#endif
                }
            EACH(k) {
                products[k] += block_products[k];
                sums[k] += block_sums[k];
            }
        }
        const uint part = unit / p.chunks;
        EACH(k) {
            if (!BY_ROW)
                products[k] *= factor[k];
#if LOCAL_Y > 1
            products[k] = add_items(products[k], pool);
            sums[k] = add_items(sums[k], pool);
#endif
            if (ROW_LANE == 0) {
                COLUMNS_STORE(p, products[k], parts, part, j, k);
                COLUMNS_STORE(p, sums[k], parts, p.parts + part, j, k);
            }
        }
    }
}

__kernel GROUP_SIZE void normal_sums_all(
    __global const float *parts, __global float *products, __global float *sums, const columns p) {
    const uint j = get_global_id(0) * WIDTH;
    if (j >= p.channels)
        return;
    vec product = 0, sum = 0;
    for (uint i = 0; i < p.parts; i++) {
        const uint line = i * p.channels, second = (p.parts + i) * p.channels;
        product += part_load(parts, line + j, line + p.channels, 0.0f);
        sum += part_load(parts, second + j, second + p.channels, 0.0f);
    }
    part_store(product, products, j, p.channels);
    part_store(sum, sums, j, p.channels);
}
