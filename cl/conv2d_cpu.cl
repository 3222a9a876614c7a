/* Convolution for CPUs, float32, all passes: a product of matrices whose left one is never formed.
 *
 *   forward   map[b,i,j,k]   = ACT(sum_{u,v,c} image[b, i*S + u*D - P, j*S + v*D - P, c]
 *                                  * filter[u,v,c,k] + bias[k])
 *   data      image[b,y,x,c] = ACT(sum of map[b,i,j,k] * filter[u,v,c,k] over those u, v, k with
 *                                  i*S + u*D - P = y and j*S + v*D - P = x, + bias[c])
 *   filter    filter[u,v,c,k] = sum_{b,i,j} image[b, i*S + u*D - P, j*S + v*D - P, c]
 *                                  * map[b,i,j,k]
 *
 * Kernels
 *   conv2d_gather         forward, and data (DATA=1), which is a forward pass of the map with the
 *                         filter turned round: one of stride 1 for each of the S*S phases of the
 *                         image's pixels, with the filter's positions that meet this phase
 *   conv2d_gather_few     the same for results of few channels
 *   conv2d_gather_filter  filter
 *   conv2d_gather_sum     adds the parts of the filter's gradient, in a fixed order
 *   conv2d_gather_turn    the same where image and map changed places: for maps of few channels
 *
 * The image (data: the map) is the source. A work-item is a thread. It copies a box of the source,
 * with the zeros around it, into local memory (the slab), so that each product needs no test:
 * element (pixel, tap) of the left matrix, a tap being a filter position and a channel, is
 * slab[pixel's offset + tap's offset], from two tables. The filter pass is the same product with
 * the roles of pixels and taps exchanged. Blas-like kernels over such tables: Matthews,
 * "High-performance tensor contraction without transposition", 2016; Dukhan, "The indirect
 * convolution algorithm", 2019.
 *
 * Buffers, in binding order
 *   gather         source; filter; bias (of the result's depth, read only if HAS_BIAS; bind any
 *                  buffer otherwise); result
 *   gather_filter  image; map; parts: the filter's size for each part of the pixels
 *   image (batch, in_h, in_w, in_c), map (batch, out_h, out_w, out_c), filter (filter_h, filter_w,
 *   in_c / groups, out_c). Nothing outside them is read or written; no alignment is assumed beyond
 *   that of a float. The result may not overlap an input.
 *
 * Order of summation: by the shape, the constants and the blocks in the parameters only. Each
 * tensor's elements, and distances between them, fit in 32 bits.
 *
 * Constants (all integers): see conv2d_cpu.h. Local memory, in floats: SLAB + PANEL + TAPS +
 * 2*PIXELS + 2*MR + NR.
 */
#ifndef HAS_BIAS
#define HAS_BIAS 0
#endif
#ifndef ACT
#define ACT -1 /* row of the elementwise table, -1: none */
#endif
#ifndef COLS
#define COLS 1 /* channels of the result of `few` */
#endif

#include "conv2d_cpu.h"
#include "conv2d_epilogue.h"
#include "fma.h"

/* ---- the product ---- */

/* acc = sum over l < n of slab[row[i] + step[l]] * panel[l] for MR rows i. */
INLINE void product(floatv acc[MR][NV], __local const float *slab, __local const uint *row,
    __local const uint *step, __local const float *panel, uint n) {
    __local const float *x[MR];
    EACH(i, MR) {
        x[i] = slab + row[i];
        EACH(v, NV)
            acc[i][v] = (floatv)(0.0f);
    }
    for (uint l = 0; l < n; l++) {
        const size_t at = step[l];
        floatv right[NV];
        EACH(v, NV)
            right[v] = vloadv(v, panel);
        EACH(i, MR) {
            const floatv left = (floatv)(x[i][at]);
            EACH(v, NV)
                acc[i][v] = FMA(left, right[v], acc[i][v]);
        }
        panel += NR;
    }
}

/* Pairwise. */
INLINE float sum_lanes(floatv a) {
#if VW == 16
    const float8 b = a.lo + a.hi;
    const float4 c = b.lo + b.hi;
#elif VW == 8
    const float4 c = a.lo + a.hi;
#else
    const float4 c = a;
#endif
    const float2 d = c.lo + c.hi;
    return d.x + d.y;
}

/* Work-groups count, the fastest first: blocks of columns, then as job_at says. */
__kernel void conv2d_gather(__global const float *source, __global const float *filter,
    __global const float *bias, __global float *result, const conv2d_params p) {
    __local float slab[SLAB];
    __local float panel[PANEL];
    __local uint tap_at[TAPS + MR];
    __local uint pixel_at[PIXELS + MR], pixel_to[PIXELS];
    __local float edge[NR];
    const uint to_depth = (DATA ? p.in_c : p.out_c) / p.groups;
    const uint col_blocks = (to_depth + p.cols - 1) / p.cols;
    const job k = job_at((uint)get_group_id(0) / col_blocks, p);
    const uint j0 = (uint)get_group_id(0) % col_blocks * p.cols, cols = min(p.cols, to_depth - j0);
    const uint positions = k.h.taps * k.w.taps, round = (cols + NR - 1) / NR * NR;
    uint pixels = 0;
    if (k.begin >= k.end)
        return;
    source += k.group * k.from_depth;
#if HAS_BIAS
    bias += k.group * to_depth + j0;
#endif
    tables known = {0, 0, 0, 0};
    for (uint c0 = 0; c0 < k.from_depth; c0 += p.block) {
        const uint block = min(p.block, k.from_depth - c0);
        for (uint t0 = 0; t0 == 0 || t0 < positions; t0 += p.taps) {
            const uint t1 = min(t0 + p.taps, positions);
            for (uint s0 = 0; s0 < block; s0 += p.depth)
                pack_filter(panel + s0 * (t1 - t0) * round, filter, c0 + s0,
                    min(p.depth, block - s0), t0, t1, j0, cols, k, p);
            for (uint index = k.begin; index < k.end; index++) {
                const box at = box_at(index, k.h, k.w, p);
                __global float *to = result_at(result, k, at) + j0;
                for (uint s0 = 0; s0 < block; s0 += p.depth) {
                    const uint depth = min(p.depth, block - s0), n = (t1 - t0) * depth;
                    const int first = c0 + s0 == 0 && t0 == 0;
                    const int last = c0 + s0 + depth == k.from_depth && t1 == positions;
                    if (outdated(&known, at, depth)) {
                        pixels = pixel_tables(
                            pixel_at, pixel_to, at, k.h, k.w, depth, k.to_h, k.to_w, k.to_c);
                        tap_table(tap_at, t0, t1, k.h, k.w, at.slab_w, depth);
                    }
                    pack_slab(
                        slab, source + c0 + s0, at, k.h, k.w, depth, k.from_h, k.from_w, k.from_c);
                    for (uint j = 0; j < cols; j += NR)
                        for (uint i0 = 0; i0 < pixels; i0 += MR) {
                            const uint width = min((uint)NR, cols - j);
                            floatv acc[MR][NV];
                            product(acc, slab, pixel_at + i0, tap_at,
                                panel + s0 * (t1 - t0) * round + j * n, n);
                            EACH(i, MR) {
                                if (i0 + i >= pixels)
                                    continue;
                                __global float *c = to + pixel_to[i0 + i] + j;
                                if (width == NR) {
                                    EACH(v, NV) {
                                        floatv s = acc[i][v];
                                        if (!first)
                                            s += vloadv(v, c);
                                        if (last)
                                            s = EPILOGUE_VEC(
                                                s, (floatv)BIAS_AT(vloadv(v, bias + j)));
                                        VSTORE(s, v, c, __global);
                                    }
                                } else {
                                    EACH(v, NV)
                                        VSTORE(acc[i][v], v, edge, __local);
                                    for (uint x = 0; x < width; x++) {
                                        const float s = edge[x] + (first ? 0.0f : c[x]);
                                        c[x] = last ? EPILOGUE(s, BIAS_AT(bias[j + x])) : s;
                                    }
                                }
                            }
                        }
                }
            }
            if (p.taps < positions)
                known.depth = 0; /* other taps need another table */
        }
    }
}

/* Few channels in the result, COLS: here the lanes are channels of the source, of which there is a
 * multiple of VW, and each sum is one over lanes at the end. Work-groups count as job_at says. */
__kernel void conv2d_gather_few(__global const float *source, __global const float *filter,
    __global const float *bias, __global float *result, const conv2d_params p) {
    __local float slab[SLAB];
    __local float panel[TAPS * COLS];
    __local uint tap_at[TAPS + MR];
    __local uint pixel_at[PIXELS + MR], pixel_to[PIXELS];
    const job k = job_at((uint)get_group_id(0), p);
    const uint depth = k.from_depth, positions = k.h.taps * k.w.taps, n = positions * depth;
    uint pixels = 0;
    if (k.begin >= k.end)
        return;
    source += k.group * depth;
#if HAS_BIAS
    bias += k.group * COLS;
#endif
    for (uint t = 0; t < positions; t++) {
        const size_t at = filter_at(t, k, p);
        for (uint c = 0; c < depth; c++)
            for (uint j = 0; j < COLS; j++)
                panel[(t * depth + c) / VW * (COLS * VW) + j * VW + c % VW] =
                    DATA ? filter[(at + j) * p.out_c + k.group * depth + c]
                         : filter[(at + c) * p.out_c + k.group * COLS + j];
    }
    tables known = {0, 0, 0, 0};
    for (uint index = k.begin; index < k.end; index++) {
        const box at = box_at(index, k.h, k.w, p);
        __global float *to = result_at(result, k, at);
        if (outdated(&known, at, depth)) {
            pixels = pixel_tables(pixel_at, pixel_to, at, k.h, k.w, depth, k.to_h, k.to_w, k.to_c);
            tap_table(tap_at, 0, positions, k.h, k.w, at.slab_w, depth);
        }
        pack_slab(slab, source, at, k.h, k.w, depth, k.from_h, k.from_w, k.from_c);
        for (uint i0 = 0; i0 < pixels; i0 += MR) {
            __local const float *x[MR];
            floatv acc[MR][COLS];
            EACH(i, MR) {
                x[i] = slab + pixel_at[i0 + i];
                EACH(j, COLS)
                    acc[i][j] = (floatv)(0.0f);
            }
            for (uint l = 0; l < n; l += VW) {
                const size_t tap = tap_at[l];
                floatv right[COLS];
                EACH(j, COLS)
                    right[j] = vloadv(j, panel + l * COLS);
                EACH(i, MR) {
                    const floatv left = vloadv(0, x[i] + tap);
                    EACH(j, COLS)
                        acc[i][j] = FMA(left, right[j], acc[i][j]);
                }
            }
            EACH(i, MR) {
                if (i0 + i < pixels) {
                    __global float *c = to + pixel_to[i0 + i];
                    EACH(j, COLS)
                        c[j] = EPILOGUE(sum_lanes(acc[i][j]), BIAS_AT(bias[j]));
                }
            }
        }
    }
}

/* Work-groups count, the fastest first: blocks of columns, of filter positions, of channels,
 * groups, parts (of `boxes` boxes each). */
__kernel void conv2d_gather_filter(__global const float *image, __global const float *map,
    __global float *parts, const conv2d_params p) {
    __local float slab[SLAB];
    __local float panel[PANEL];
    __local uint tap_at[TAPS + MR];
    __local uint pixel_at[PIXELS + MR], pixel_to[PIXELS];
    __local float edge[NR];
    const uint in_depth = p.in_c / p.groups, out_depth = p.out_c / p.groups;
    const axis h = forward_axis(p.out_h, p.filter_h, p.stride_h, p.dilation_h, p.pad_top);
    const axis w = forward_axis(p.out_w, p.filter_w, p.stride_w, p.dilation_w, p.pad_left);
    const uint positions = h.taps * w.taps;
    uint place = (uint)get_group_id(0);
    const uint col_blocks = (out_depth + p.cols - 1) / p.cols;
    const uint j0 = place % col_blocks * p.cols, cols = min(p.cols, out_depth - j0);
    place /= col_blocks;
    const uint tap_blocks = (positions + p.taps - 1) / p.taps;
    const uint t0 = place % tap_blocks * p.taps, t1 = min(t0 + p.taps, positions);
    place /= tap_blocks;
    const uint depth_blocks = (in_depth + p.depth - 1) / p.depth;
    const uint c0 = place % depth_blocks * p.depth, depth = min(p.depth, in_depth - c0);
    place /= depth_blocks;
    const uint group = place % p.groups, part = place / p.groups;
    const uint n = (t1 - t0) * depth, begin = part * p.boxes;
    const uint end = min(begin + p.boxes, count_boxes(h, w, p));
    image += group * in_depth + c0;
    map += group * out_depth + j0;
    parts += (size_t)part * positions * in_depth * p.out_c + group * out_depth + j0;
    uint pixels = 0;
    tables known = {0, 0, 0, 0};
    for (uint index = begin; index < end; index++) {
        const box k = box_at(index, h, w, p);
        if (outdated(&known, k, depth)) {
            pixels = pixel_tables(pixel_at, pixel_to, k, h, w, depth, p.out_h, p.out_w, p.out_c);
            tap_table(tap_at, t0, t1, h, w, k.slab_w, depth);
        }
        pack_slab(slab, image, k, h, w, depth, p.in_h, p.in_w, p.in_c);
        __global const float *m = map + (((size_t)k.b * p.out_h + k.y) * p.out_w + k.x) * p.out_c;
        for (uint j = 0; j < cols; j += NR) {
            const uint width = min((uint)NR, cols - j);
            for (uint i = 0; i < pixels; i++)
                pack_rows(panel + i * NR, m + pixel_to[i] + j, 0, 1, width);
            for (uint i0 = 0; i0 < n; i0 += MR) {
                floatv acc[MR][NV];
                product(acc, slab, tap_at + i0, pixel_at, panel, pixels);
                EACH(i, MR) {
                    if (i0 + i >= n)
                        continue;
                    const uint t = t0 + (i0 + i) / depth, c = c0 + (i0 + i) % depth;
                    __global float *to = parts + (size_t)(t * in_depth + c) * p.out_c + j;
                    if (width == NR) {
                        EACH(v, NV) {
                            floatv s = acc[i][v];
                            if (index != begin)
                                s += vloadv(v, to);
                            VSTORE(s, v, to, __global);
                        }
                    } else {
                        EACH(v, NV)
                            VSTORE(acc[i][v], v, edge, __local);
                        for (uint x = 0; x < width; x++)
                            to[x] = edge[x] + (index != begin ? to[x] : 0.0f);
                    }
                }
            }
        }
    }
}

/* sums[t,c,k] = the sum over parts of parts[q][positions - 1 - t][k][c]: what gather_filter makes
 * when image and map change places. */
typedef struct {
    uint parts, positions, rows, cols; /* rows: k */
} conv2d_turn_params;

__kernel void conv2d_gather_turn(
    __global const float *parts, __global float *sums, const conv2d_turn_params p) {
    const uint t = (uint)get_group_id(0), one = p.rows * p.cols;
    parts += (size_t)(p.positions - 1 - t) * one;
    for (uint c = 0; c < p.cols; c++)
        for (uint k = 0; k < p.rows; k++) {
            float s = 0.0f;
            for (uint q = 0; q < p.parts; q++)
                s += parts[(size_t)q * p.positions * one + k * p.cols + c];
            sums[((size_t)t * p.cols + c) * p.rows + k] = s;
        }
}

/* sums[i] = the sum of element i of all parts, in their order, `size` elements each. */
typedef struct {
    uint size, parts;
    uint chunk; /* elements of a work-group */
} conv2d_sum_params;

__kernel void conv2d_gather_sum(
    __global const float *parts, __global float *sums, const conv2d_sum_params p) {
    uint i = (uint)get_group_id(0) * p.chunk;
    const uint end = min(i + p.chunk, p.size);
    for (; i + VW <= end; i += VW) {
        floatv s = vloadv(0, parts + i);
        for (uint q = 1; q < p.parts; q++)
            s += vloadv(0, parts + (size_t)q * p.size + i);
        VSTORE(s, 0, sums + i, __global);
    }
    for (; i < end; i++) {
        float s = parts[i];
        for (uint q = 1; q < p.parts; q++)
            s += parts[(size_t)q * p.size + i];
        sums[i] = s;
    }
}
