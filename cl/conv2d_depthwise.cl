/* Depthwise convolution for CPUs, float32, all passes: channel c of the map depends on channel c of
 * the image alone, filter (filter_h, filter_w, 1, channels).
 *
 * Kernels
 *   conv2d_depthwise         forward, and data (DATA=1)
 *   conv2d_depthwise_filter  filter; its parts are added by conv2d_gather_sum
 *
 * As conv2d_cpu.cl, with the slab and the tables described there, but the lanes are channels of
 * both sides: each product is one of vectors. Buffers and limits are the same, the parameters those
 * of a convolution of one group, `depth` the channels of a work-group; NV is 1.
 */
#ifndef HAS_BIAS
#define HAS_BIAS 0
#endif
#ifndef ACT
#define ACT -1 /* row of the elementwise table, -1: none */
#endif
#define NV 1

#include "conv2d_cpu.h"
#include "conv2d_epilogue.h"
#include "fma.h"

/* Work-groups count, the fastest first: blocks of channels, then as job_at says. */
__kernel void conv2d_depthwise(__global const float *source, __global const float *filter,
    __global const float *bias, __global float *result, const conv2d_params p) {
    __local float slab[SLAB + VW]; /* the last vector may reach over the last channel */
    __local float panel[TAPS * VW];
    __local uint tap_at[TAPS + MR];
    __local uint pixel_at[PIXELS + MR], pixel_to[PIXELS];
    __local float edge[VW];
    const uint blocks = (p.in_c + p.depth - 1) / p.depth;
    const uint c0 = (uint)get_group_id(0) % blocks * p.depth, depth = min(p.depth, p.in_c - c0);
    const job k = job_at((uint)get_group_id(0) / blocks, p);
    const uint positions = k.h.taps * k.w.taps;
    uint pixels = 0;
    tables known = {0, 0, 0, 0};
    for (uint index = k.begin; index < k.end; index++) {
        const box at = box_at(index, k.h, k.w, p);
        __global float *to = result_at(result, k, at) + c0;
        if (outdated(&known, at, depth)) {
            pixels = pixel_tables(pixel_at, pixel_to, at, k.h, k.w, depth, k.to_h, k.to_w, k.to_c);
            position_table(tap_at, positions, k.h, k.w, at.slab_w, depth);
        }
        pack_slab(slab, source + c0, at, k.h, k.w, depth, k.from_h, k.from_w, k.from_c);
        for (uint c = 0; c < depth; c += VW) {
            const uint width = min((uint)VW, depth - c);
            for (uint t = 0; t < positions; t++)
                pack_rows(panel + t * VW, filter + filter_at(t, k, p) + c0 + c, 0, 1, width);
            for (uint i0 = 0; i0 < pixels; i0 += MR) {
                __local const float *x[MR];
                floatv acc[MR];
                EACH(i, MR) {
                    x[i] = slab + pixel_at[i0 + i] + c;
                    acc[i] = (floatv)(0.0f);
                }
                for (uint t = 0; t < positions; t++) {
                    const size_t tap = tap_at[t];
                    const floatv right = vloadv(t, panel);
                    EACH(i, MR)
                        acc[i] = FMA(vloadv(0, x[i] + tap), right, acc[i]);
                }
                EACH(i, MR) {
                    if (i0 + i >= pixels)
                        continue;
                    __global float *y = to + pixel_to[i0 + i] + c;
                    if (width == VW) {
                        const floatv col = (floatv)BIAS_AT(vloadv(0, bias + c0 + c));
                        VSTORE(EPILOGUE_VEC(acc[i], col), 0, y, __global);
                    } else {
                        VSTORE(acc[i], 0, edge, __local);
                        for (uint e = 0; e < width; e++)
                            y[e] = EPILOGUE(edge[e], BIAS_AT(bias[c0 + c + e]));
                    }
                }
            }
        }
    }
}

/* Work-groups count, the fastest first: blocks of channels, parts. */
__kernel void conv2d_depthwise_filter(__global const float *image, __global const float *map,
    __global float *parts, const conv2d_params p) {
    __local float slab[SLAB + VW];
    __local float panel[PIXELS * VW];
    __local uint tap_at[TAPS + MR];
    __local uint pixel_at[PIXELS + MR], pixel_to[PIXELS];
    __local float edge[VW];
    const uint blocks = (p.in_c + p.depth - 1) / p.depth;
    const uint c0 = (uint)get_group_id(0) % blocks * p.depth, depth = min(p.depth, p.in_c - c0);
    const uint part = (uint)get_group_id(0) / blocks;
    const axis h = forward_axis(p.out_h, p.filter_h, p.stride_h, p.dilation_h, p.pad_top);
    const axis w = forward_axis(p.out_w, p.filter_w, p.stride_w, p.dilation_w, p.pad_left);
    const uint positions = h.taps * w.taps, begin = part * p.boxes;
    const uint end = min(begin + p.boxes, count_boxes(h, w, p));
    uint pixels = 0;
    tables known = {0, 0, 0, 0};
    parts += (size_t)part * positions * p.out_c + c0;
    for (uint index = begin; index < end; index++) {
        const box at = box_at(index, h, w, p);
        __global const float *m =
            map + (((size_t)at.b * p.out_h + at.y) * p.out_w + at.x) * p.out_c + c0;
        if (outdated(&known, at, depth)) {
            pixels = pixel_tables(pixel_at, pixel_to, at, h, w, depth, p.out_h, p.out_w, p.out_c);
            position_table(tap_at, positions, h, w, at.slab_w, depth);
        }
        pack_slab(slab, image + c0, at, h, w, depth, p.in_h, p.in_w, p.in_c);
        for (uint c = 0; c < depth; c += VW) {
            const uint width = min((uint)VW, depth - c);
            for (uint i = 0; i < pixels; i++)
                pack_rows(panel + i * VW, m + pixel_to[i] + c, 0, 1, width);
            for (uint t0 = 0; t0 < positions; t0 += MR) {
                __local const float *x[MR];
                floatv acc[MR];
                EACH(i, MR) {
                    x[i] = slab + tap_at[t0 + i] + c;
                    acc[i] = (floatv)(0.0f);
                }
                for (uint l = 0; l < pixels; l++) {
                    const size_t pixel = pixel_at[l];
                    const floatv right = vloadv(l, panel);
                    EACH(i, MR)
                        acc[i] = FMA(vloadv(0, x[i] + pixel), right, acc[i]);
                }
                EACH(i, MR) {
                    if (t0 + i >= positions)
                        continue;
                    __global float *to = parts + (size_t)(t0 + i) * p.out_c + c;
                    if (width == VW) {
                        VSTORE(index == begin ? acc[i] : acc[i] + vloadv(0, to), 0, to, __global);
                    } else {
                        VSTORE(acc[i], 0, edge, __local);
                        for (uint e = 0; e < width; e++)
                            to[e] = edge[e] + (index == begin ? 0.0f : to[e]);
                    }
                }
            }
        }
    }
}
