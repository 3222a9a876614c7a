/* Batch normalization of x (rows, channels), each channel for itself. m2 is the sum of the squared
 * distances from a mean.
 *
 * batch_norm_parts: bindings 0 x, 1 parts: (2, parts, channels), the mean and m2 of each part. A
 *     block of rows gives its mean and then, while it is in the cache, its m2 and what rounding
 *     took from the mean. Blocks, work-items and parts are combined by Chan, Golub and LeVeque,
 *     "Updating formulae and a pairwise algorithm for computing sample variances", 1979, so that no
 *     digits are lost to a mean far from 0.
 * batch_norm_stats: bindings 0 parts, 1 mean, 2 inverse = 1 / sqrt(m2 / rows + epsilon), 3 variance
 *     = m2 / (rows - 1). A work-item combines WIDTH channels.
 * batch_norm_running: bindings 0 running mean, 1 running variance, 2 .. 4 as 1 .. 3 of _stats.
 * batch_norm_fwd: bindings 0 x, 1 mean, 2 inverse, 3 gamma, 4 beta, 5 y.
 *     y = ACT(gamma * inverse * (x - mean) + beta). y may be x.
 * batch_norm_bwd: bindings 0 dy, 1 inverse, 2 gamma, 3 x, 4 mean, 5 dgamma, 6 dbeta, 7 dx.
 *     dx = gamma * inverse * (dy - dbeta / rows - (x - mean) * inverse * dgamma / rows). dx may be
 *     dy or x.
 * batch_norm_bwd_fixed: bindings 0 dy, 1 inverse, 2 gamma, 3 dx = gamma * inverse * dy. dx may be
 *     dy.
 *
 * Mapping and parameters: columns.h, and the numbers behind them. Constants: WIDTH; SPAN, but for
 * _stats and _running; for _fwd ACT: a row of the elementwise table, -1: none. */
#ifndef SPAN
#define SPAN 1
#endif
#ifndef ACT
#define ACT -1
#endif
#include "columns.h"

#define BLOCK 32

typedef struct {
    columns c;
    float epsilon, act_k;
} batch_norm_params;

/* The mean and m2 of `count` elements and those of n more, together. */
#define COMBINE(mean, m2, count, more_mean, more_m2, n)                                            \
    {                                                                                              \
        const float share = (n) / ((count) + (n));                                                 \
        const vec delta = (more_mean) - (mean);                                                    \
        (mean) += delta * share;                                                                   \
        (m2) += (more_m2) + delta * delta * (share * (count));                                     \
    }

__kernel GROUP_SIZE void batch_norm_parts(
    __global const float *x, __global float *parts, const batch_norm_params p) {
#if LOCAL_Y > 1
    __local float means[LOCAL_X * LOCAL_Y], squares[LOCAL_X * LOCAL_Y], counts[LOCAL_X * LOCAL_Y];
    const uint me = ROW_LANE * LOCAL_X + LANE;
#endif
    FOR_UNITS(p.c, j, from, to) {
        vec mean[SPAN], m2[SPAN];
        float count = 0;
        EACH(k) {
            mean[k] = m2[k] = 0;
        }
        for (uint at = from + ROW_LANE; at < to; at += BLOCK * LOCAL_Y) {
            const uint stop = min(to, at + BLOCK * LOCAL_Y);
            const float n = (stop - at + LOCAL_Y - 1) / LOCAL_Y;
            vec middle[SPAN], error[SPAN], square[SPAN];
            EACH(k) {
                middle[k] = error[k] = square[k] = 0;
            }
            for (uint i = at; i < stop; i += LOCAL_Y)
                EACH(k) {
                    middle[k] += COLUMNS_LOAD(p.c, x, i, j, k);
                }
            EACH(k) {
                middle[k] *= 1 / n;
            }
            for (uint i = at; i < stop; i += LOCAL_Y)
                EACH(k) {
                    const vec d = COLUMNS_LOAD(p.c, x, i, j, k) - middle[k];
                    error[k] += d;
                    square[k] += d * d;
                }
            EACH(k) {
                error[k] *= 1 / n;
                square[k] -= error[k] * error[k] * n;
                middle[k] += error[k];
                COMBINE(mean[k], m2[k], count, middle[k], square[k], n)
            }
            count += n;
        }
#if LOCAL_Y > 1
        means[me] = mean[0];
        squares[me] = m2[0];
        counts[me] = count;
        for (uint reach = LOCAL_Y / 2; reach > 0; reach /= 2) {
            const uint other = me + reach * LOCAL_X;
            barrier(CLK_LOCAL_MEM_FENCE);
            if (ROW_LANE < reach && counts[other] > 0) {
                COMBINE(mean[0], m2[0], count, means[other], squares[other], counts[other])
                count += counts[other];
                means[me] = mean[0];
                squares[me] = m2[0];
                counts[me] = count;
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
        if (ROW_LANE == 0)
            EACH(k) {
                COLUMNS_STORE(p.c, mean[k], parts, unit / p.c.chunks, j, k);
                COLUMNS_STORE(p.c, m2[k], parts, p.c.parts + unit / p.c.chunks, j, k);
            }
    }
}

__kernel GROUP_SIZE void batch_norm_stats(__global const float *parts, __global float *out_mean,
    __global float *inverse, __global float *variance, const batch_norm_params p) {
    const uint j = get_global_id(0) * WIDTH, end = p.c.channels;
    if (j >= end)
        return;
    vec mean = 0, m2 = 0;
    for (uint i = 0; i < p.c.parts; i++) {
        const uint line = i * end, second = (p.c.parts + i) * end;
        const float count = i * p.c.part, n = min(p.c.part, p.c.rows - i * p.c.part);
        COMBINE(mean, m2, count, part_load(parts, line + j, line + end, 0.0f),
            part_load(parts, second + j, second + end, 0.0f), n)
    }
    part_store(mean, out_mean, j, end);
    part_store(1 / sqrt(m2 * (1.0f / p.c.rows) + p.epsilon), inverse, j, end);
    part_store(m2 * (1.0f / max(p.c.rows - 1, 1u)), variance, j, end);
}

__kernel GROUP_SIZE void batch_norm_running(__global const float *running_mean,
    __global const float *running_variance, __global float *mean, __global float *inverse,
    __global float *variance, const batch_norm_params p) {
    const uint j = get_global_id(0) * WIDTH, end = p.c.channels;
    if (j >= end)
        return;
    const vec v = part_load(running_variance, j, end, 1.0f);
    part_store(part_load(running_mean, j, end, 0.0f), mean, j, end);
    part_store(1 / sqrt(v + p.epsilon), inverse, j, end);
    part_store(v, variance, j, end);
}

#if ACT >= 0
#include "elementwise_apply.h"
ELEMENTWISE_FUNCTION(apply, vec)
#define ACTIVATE(v) apply(ACT, v, (vec)0.0f, (vec)0.0f, p.act_k)
#else
#define ACTIVATE(v) (v)
#endif

__kernel GROUP_SIZE void batch_norm_fwd(__global const float *x, __global const float *mean,
    __global const float *inverse, __global const float *gamma, __global const float *beta,
    __global float *y, const batch_norm_params p) {
    FOR_UNITS(p.c, j, from, to) {
        vec middle[SPAN], factor[SPAN], shift[SPAN];
        EACH(k) {
            middle[k] = CHANNELS_LOAD(p.c, mean, j, k);
            factor[k] = CHANNELS_LOAD(p.c, inverse, j, k) * CHANNELS_LOAD(p.c, gamma, j, k);
            shift[k] = CHANNELS_LOAD(p.c, beta, j, k);
        }
        for (uint i = from + ROW_LANE; i < to; i += LOCAL_Y)
            EACH(k) {
                const vec v = (COLUMNS_LOAD(p.c, x, i, j, k) - middle[k]) * factor[k] + shift[k];
                COLUMNS_STORE(p.c, ACTIVATE(v), y, i, j, k);
            }
    }
}

__kernel GROUP_SIZE void batch_norm_bwd(__global const float *dy, __global const float *inverse,
    __global const float *gamma, __global const float *x, __global const float *mean,
    __global const float *dgamma, __global const float *dbeta, __global float *dx,
    const batch_norm_params p) {
    const float share = 1.0f / p.c.rows;
    FOR_UNITS(p.c, j, from, to) {
        vec middle[SPAN], factor[SPAN], slope[SPAN], shift[SPAN];
        EACH(k) {
            const vec scale = CHANNELS_LOAD(p.c, inverse, j, k);
            middle[k] = CHANNELS_LOAD(p.c, mean, j, k);
            factor[k] = scale * CHANNELS_LOAD(p.c, gamma, j, k);
            slope[k] = scale * CHANNELS_LOAD(p.c, dgamma, j, k) * share;
            shift[k] = CHANNELS_LOAD(p.c, dbeta, j, k) * share;
        }
        for (uint i = from + ROW_LANE; i < to; i += LOCAL_Y)
            EACH(k) {
                const vec d = COLUMNS_LOAD(p.c, x, i, j, k) - middle[k];
                const vec g = COLUMNS_LOAD(p.c, dy, i, j, k) - shift[k] - d * slope[k];
                COLUMNS_STORE(p.c, g * factor[k], dx, i, j, k);
            }
    }
}

__kernel GROUP_SIZE void batch_norm_bwd_fixed(__global const float *dy,
    __global const float *inverse, __global const float *gamma, __global float *dx,
    const batch_norm_params p) {
    FOR_UNITS(p.c, j, from, to) {
        vec factor[SPAN];
        EACH(k) {
            factor[k] = CHANNELS_LOAD(p.c, inverse, j, k) * CHANNELS_LOAD(p.c, gamma, j, k);
        }
        for (uint i = from + ROW_LANE; i < to; i += LOCAL_Y)
            EACH(k) {
                COLUMNS_STORE(p.c, COLUMNS_LOAD(p.c, dy, i, j, k) * factor[k], dx, i, j, k);
            }
    }
}
