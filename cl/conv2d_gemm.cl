/* The passes of a convolution, float32, for devices whose lanes are work-items. Image, filter and
 * map as in src/op/conv2d.c, where the formula is; places outside an image or map count as 0.
 *
 * Kernels
 *   conv2d_gather_tile    the map from image and filter (DATA=0) or the image from map and filter
 *                         (DATA=1), as a matrix product (implicit GEMM)
 *   conv2d_gather_direct  the same, an element of the result a work-item: few channels a group
 *   conv2d_filter_tile    the filter (its gradient) from image and map, as a matrix product
 *   conv2d_filter_direct  the same, an element a work-item
 *   conv2d_sum            adds the parts of a split sum in a fixed order, then the epilogue
 *
 * Bindings
 *   gather  0 source (DATA=0: image, 1: map), 1 filter, 2 bias, 3 result
 *   filter  0 image, 1 map, 2 result
 *   sum     0 parts (splits x count), 1 bias, 2 result (count)
 *   bias (channels of the result) is read only if p.has_bias; bind any buffer otherwise. With
 *   p.splits > 1 the result of the first four is the parts; bias and ACT wait for conv2d_sum.
 *   Nothing outside the tensors is touched; no alignment is assumed beyond that of a float.
 *
 * The products, for each group of channels: C (m x n) = A (m x k) B (k x n), with
 *   DATA=0  m windows (b, i, j), n channels of the map, k (u, v, c); A the image, B the filter
 *   DATA=1  m pixels (b, y, x) of one phase, n channels of the image, k (u, v, channels of the
 *           map); A the map, B the filter transposed. A phase are the pixels y = phase_y mod
 *           stride_h, x likewise: the same taps of the filter meet the map for all of them, every
 *           period_h-th and period_w-th.
 *   filter  m (u, v, c), n channels of the map, k windows (b, i, j); A the image, B the map
 * Sums run in ascending order of k, in parts of kper, then over the parts: results repeat bit for
 * bit.
 *
 * Work: _tile: work-groups are numbered through all dimensions of the grid; the number holds,
 * lowest first, the tile of GM rows, the tile of GN columns, the part, the group, the phase.
 * _direct and _sum: work-group i makes the items i*per_group .. of count (filter: of splits*count).
 *
 * Limits: every index, splits*count included, and coordinates with padding fit in 31 bits. _tile:
 * GK and GM divide the work-group, GM and GN are multiples of LOCAL_Y and LOCAL_X, GK*GM and GK*GN
 * of the work-group; local memory 4*GK*(GM+GN+2) bytes.
 */
#ifndef DATA
#define DATA 0
#endif
#ifndef ACT
#define ACT -1 /* row of the elementwise table, -1: none */
#endif
#ifndef GM
#define GM 64
#endif
#ifndef GN
#define GN 64
#endif
#ifndef GK
#define GK 16
#endif

typedef struct {
    int batch;
    int in_h, in_w, in_c, out_h, out_w, out_c;
    int filter_h, filter_w;
    int stride_h, stride_w, dilation_h, dilation_w;
    int pad_top, pad_left;
    int groups;
    int period_h, period_w; /* DATA=1: stride / gcd(stride, dilation); else 1 */
    int phases_h, phases_w; /* DATA=1: min(stride, size of the image); else 1 */
    int tiles_m, tiles_n, splits, kper;
    int count, per_group;
    int has_bias;
    float act_k; /* the activation's immediate */
} conv_params;

#include "elementwise_apply.h"
#include "fma.h"
ELEMENTWISE_FUNCTION(activate, float)
#define EPILOGUE(v, channel)                                                                       \
    activate(ACT, (v) + (p.has_bias ? bias[channel] : 0.0f), 0.0f, 0.0f, p.act_k)

#define EACH(i, n)   _Pragma("unroll") for (int i = 0; i < (n); i++)
#define GROUP        (LOCAL_X * LOCAL_Y * LOCAL_Z)
#define KERNEL_GROUP __attribute__((reqd_work_group_size(LOCAL_X, LOCAL_Y, LOCAL_Z)))
#define TM           (GM / LOCAL_Y)
#define TN           (GN / LOCAL_X)
#define IN_GROUP     (p.in_c / p.groups)
#define OUT_GROUP    (p.out_c / p.groups)

/* What a gather reads and writes. */
#if DATA
#define SOURCE(x) p.out_##x
#define RESULT(x) p.in_##x
#else
#define SOURCE(x) p.in_##x
#define RESULT(x) p.out_##x
#endif

/* One axis of a gather in a phase: result i of `size` lies at `phase + i * spread` and takes, for
 * taps t < `taps`, the filter's tap first + t * period at the source's start + i * step + t * by.
 */
typedef struct {
    int size, spread, first, taps, start, step, by;
} gather_axis;

gather_axis axis_of(
    int phase, int in, int out, int filter_size, int stride, int dilation, int pad, int period) {
#if DATA
    gather_axis a = {
        (in - 1 - phase) / stride + 1, stride, 0, 0, 0, 1, -(dilation / (stride / period))};
    const int limit = min(period, filter_size);
    while (a.first < limit && (phase + pad - a.first * dilation) % stride != 0)
        a.first++;
    if (a.first < limit) {
        a.taps = (filter_size - 1 - a.first) / period + 1;
        a.start = (phase + pad - a.first * dilation) / stride;
    }
#else
    gather_axis a = {out, 1, 0, filter_size, -pad, stride, dilation};
#endif
    return a;
}

/* A number of three digits, the lowest of them below `low`, the next below `mid`. */
typedef struct {
    int high, mid, low;
} digits;

digits digits_of(int number, int mid, int low) {
    digits d = {number / low / mid, number / low % mid, number % low};
    return d;
}

/* Divides only where a digit overflows, which a deep image does seldom. */
digits digits_add(digits d, int number, int mid, int low) {
    d.low += number;
    if (d.low >= low) {
        d.mid += d.low / low;
        d.low %= low;
        if (d.mid >= mid) {
            d.high += d.mid / mid;
            d.mid %= mid;
        }
    }
    return d;
}

/* The place of this work-group in a grid of tiles. */
typedef struct {
    int i0, j0, part, group, phase;
} tile_place;

tile_place place_of(const conv_params p) {
    int number = (int)(get_group_id(0) +
                       get_num_groups(0) * (get_group_id(1) + get_num_groups(1) * get_group_id(2)));
    tile_place at;
    at.i0 = number % p.tiles_m * GM;
    number /= p.tiles_m;
    at.j0 = number % p.tiles_n * GN;
    number /= p.tiles_n;
    at.part = number % p.splits;
    number /= p.splits;
    at.group = number % p.groups;
    at.phase = number / p.groups;
    return at;
}

/* The product of two blocks in local memory, added to acc. A work-item makes every LOCAL_Y-th row
 * and every LOCAL_X-th column of a tile, so that neighbours store to neighbouring addresses and
 * read local memory without bank conflicts. */
#define MULTIPLY(at, bt, acc)                                                                      \
    for (int l = 0; l < GK; l++) {                                                                 \
        float av[TM], bv[TN];                                                                      \
        EACH(u, TM)                                                                                \
        av[u] = at[l][y + u * LOCAL_Y];                                                            \
        EACH(v, TN)                                                                                \
        bv[v] = bt[l][x + v * LOCAL_X];                                                            \
        EACH(u, TM) {                                                                              \
            EACH(v, TN)                                                                            \
            acc[u][v] = FMA(av[u], bv[v], acc[u][v]);                                              \
        }                                                                                          \
    }

__kernel KERNEL_GROUP void conv2d_gather_tile(__global const float *source,
    __global const float *filter, __global const float *bias, __global float *result,
    const conv_params p) {
    __local float at[GK][GM + 1];
    __local float bt[GK][GN + 1];
    const int x = (int)get_local_id(0), y = (int)get_local_id(1), t = y * LOCAL_X + x;
    const tile_place place = place_of(p);
    if (place.phase >= p.phases_h * p.phases_w)
        return;
    const int phase_h = place.phase / p.phases_w, phase_w = place.phase % p.phases_w;
    const gather_axis h = axis_of(
        phase_h, p.in_h, p.out_h, p.filter_h, p.stride_h, p.dilation_h, p.pad_top, p.period_h);
    const gather_axis w = axis_of(
        phase_w, p.in_w, p.out_w, p.filter_w, p.stride_w, p.dilation_w, p.pad_left, p.period_w);
    const int n = DATA ? IN_GROUP : OUT_GROUP, channels = DATA ? OUT_GROUP : IN_GROUP;
    const int m = p.batch * h.size * w.size;
    if (place.i0 >= m)
        return;
    const int lbegin = place.part * p.kper;
    const int lend = min(lbegin + p.kper, h.taps * w.taps * channels);

    /* A work-item loads column la of the blocks of A, in every (GROUP / GK)-th row from ia. */
    const int la = t % GK, ia = t / GK;
    int row_y[GK * GM / GROUP], row_x[GK * GM / GROUP], row_b[GK * GM / GROUP];
    EACH(r, GK * GM / GROUP) {
        const digits row = digits_of(place.i0 + ia + r * (GROUP / GK), h.size, w.size);
        row_b[r] = row.high;
        row_y[r] = h.start + row.mid * h.step;
        row_x[r] = w.start + row.low * w.step;
    }
    digits tap = digits_of(lbegin + la, w.taps > 0 ? w.taps : 1, channels);
    source += place.group * channels;
    filter += place.group * OUT_GROUP;

    float acc[TM][TN];
    EACH(u, TM) {
        EACH(v, TN)
        acc[u][v] = 0.0f;
    }
    for (int l0 = lbegin; l0 < lend; l0 += GK) {
        const int inside = l0 + la < lend;
        EACH(r, GK * GM / GROUP) {
            const int sy = row_y[r] + tap.high * h.by, sx = row_x[r] + tap.mid * w.by;
            float value = 0.0f;
            if (inside && row_b[r] < p.batch && sy >= 0 && sy < SOURCE(h) && sx >= 0 &&
                sx < SOURCE(w))
                value =
                    source[((row_b[r] * SOURCE(h) + sy) * SOURCE(w) + sx) * SOURCE(c) + tap.low];
            at[la][ia + r * (GROUP / GK)] = value;
        }
#if DATA
        const int filter_row =
            ((h.first + tap.high * p.period_h) * p.filter_w + w.first + tap.mid * p.period_w) * n;
        EACH(r, GK * GN / GROUP) {
            const int j = ia + r * (GROUP / GK);
            bt[la][j] = inside && place.j0 + j < n
                            ? filter[(filter_row + place.j0 + j) * p.out_c + tap.low]
                            : 0.0f;
        }
#else
        for (int e = t; e < GK * GN; e += GROUP) {
            const int l = e / GN, j = e % GN;
            bt[l][j] = l0 + l < lend && place.j0 + j < n ? filter[(l0 + l) * p.out_c + place.j0 + j]
                                                         : 0.0f;
        }
#endif
        tap = digits_add(tap, GK, w.taps, channels);
        barrier(CLK_LOCAL_MEM_FENCE);
        MULTIPLY(at, bt, acc)
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    EACH(u, TM) {
        const int i = place.i0 + y + u * LOCAL_Y;
        if (i < m) {
            const digits row = digits_of(i, h.size, w.size);
            const int to = ((row.high * RESULT(h) + phase_h + row.mid * h.spread) * RESULT(w) +
                               phase_w + row.low * w.spread) *
                           RESULT(c);
            EACH(v, TN) {
                const int j = place.j0 + x + v * LOCAL_X, channel = place.group * n + j;
                if (j < n && p.splits > 1)
                    result[place.part * p.count + to + channel] = acc[u][v];
                else if (j < n)
                    result[to + channel] = EPILOGUE(acc[u][v], channel);
            }
        }
    }
}

__kernel KERNEL_GROUP void conv2d_gather_direct(__global const float *source,
    __global const float *filter, __global const float *bias, __global float *result,
    const conv_params p) {
    const int begin = (int)get_group_id(0) * p.per_group;
    const int end = begin + min(p.per_group, p.count - begin);
    const int n = DATA ? IN_GROUP : OUT_GROUP, channels = DATA ? OUT_GROUP : IN_GROUP;
    for (int e = begin + (int)get_local_id(0); e < end; e += LOCAL_X) {
        const int channel = e % RESULT(c), group = channel / n;
        const digits at = digits_of(e / RESULT(c), RESULT(h), RESULT(w));
        float sum = 0.0f;
        for (int u = 0; u < p.filter_h; u++) {
#if DATA
            int sy = at.mid + p.pad_top - u * p.dilation_h;
            if (sy % p.stride_h != 0)
                continue;
            sy /= p.stride_h;
#else
            const int sy = at.mid * p.stride_h - p.pad_top + u * p.dilation_h;
#endif
            if (sy < 0 || sy >= SOURCE(h))
                continue;
            for (int v = 0; v < p.filter_w; v++) {
#if DATA
                int sx = at.low + p.pad_left - v * p.dilation_w;
                if (sx % p.stride_w != 0)
                    continue;
                sx /= p.stride_w;
#else
                const int sx = at.low * p.stride_w - p.pad_left + v * p.dilation_w;
#endif
                if (sx < 0 || sx >= SOURCE(w))
                    continue;
                __global const float *from =
                    source + ((at.high * SOURCE(h) + sy) * SOURCE(w) + sx) * SOURCE(c) +
                    group * channels;
                const int tap = u * p.filter_w + v;
#if DATA
                __global const float *f =
                    filter + (tap * n + channel % n) * p.out_c + group * channels;
                for (int c = 0; c < channels; c++)
                    sum = FMA(from[c], f[c], sum);
#else
                __global const float *f = filter + tap * channels * p.out_c + channel;
                for (int c = 0; c < channels; c++)
                    sum = FMA(from[c], f[c * p.out_c], sum);
#endif
            }
        }
        result[e] = EPILOGUE(sum, channel);
    }
}

__kernel KERNEL_GROUP void conv2d_filter_tile(__global const float *image,
    __global const float *map, __global float *result, const conv_params p) {
    __local float at[GK][GM + 1];
    __local float bt[GK][GN + 1];
    const int x = (int)get_local_id(0), y = (int)get_local_id(1), t = y * LOCAL_X + x;
    const tile_place place = place_of(p);
    if (place.phase >= 1)
        return;
    const int n = OUT_GROUP, m = p.filter_h * p.filter_w * IN_GROUP;
    const int lbegin = place.part * p.kper;
    const int lend = min(lbegin + p.kper, p.batch * p.out_h * p.out_w);

    /* A work-item loads row ia of the blocks of A, in every lstep-th column from la. */
    const int ia = t % GM, la = t / GM, lstep = GROUP / GM;
    const digits tap = digits_of(place.i0 + ia, p.filter_w, IN_GROUP);
    const int tap_y = tap.high * p.dilation_h - p.pad_top;
    const int tap_x = tap.mid * p.dilation_w - p.pad_left;
    const int row_inside = place.i0 + ia < m;
    digits window = digits_of(lbegin + la, p.out_h, p.out_w);
    image += place.group * IN_GROUP + tap.low;
    map += place.group * OUT_GROUP + place.j0;

    float acc[TM][TN];
    EACH(u, TM) {
        EACH(v, TN)
        acc[u][v] = 0.0f;
    }
    for (int l0 = lbegin; l0 < lend; l0 += GK) {
        EACH(r, GK * GM / GROUP) {
            const int l = la + r * lstep;
            const int sy = window.mid * p.stride_h + tap_y, sx = window.low * p.stride_w + tap_x;
            float value = 0.0f;
            if (row_inside && l0 + l < lend && sy >= 0 && sy < p.in_h && sx >= 0 && sx < p.in_w)
                value = image[((window.high * p.in_h + sy) * p.in_w + sx) * p.in_c];
            at[l][ia] = value;
            window = digits_add(window, lstep, p.out_h, p.out_w);
        }
        for (int e = t; e < GK * GN; e += GROUP) {
            const int l = e / GN, j = e % GN;
            bt[l][j] = l0 + l < lend && place.j0 + j < n ? map[(l0 + l) * p.out_c + j] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        MULTIPLY(at, bt, acc)
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    EACH(u, TM) {
        const int i = place.i0 + y + u * LOCAL_Y;
        EACH(v, TN) {
            const int j = place.j0 + x + v * LOCAL_X;
            if (i < m && j < n)
                result[place.part * p.count + i * p.out_c + place.group * n + j] = acc[u][v];
        }
    }
}

__kernel KERNEL_GROUP void conv2d_filter_direct(__global const float *image,
    __global const float *map, __global float *result, const conv_params p) {
    const int items = p.splits * p.count;
    const int begin = (int)get_group_id(0) * p.per_group;
    const int end = begin + min(p.per_group, items - begin);
    for (int e = begin + (int)get_local_id(0); e < end; e += LOCAL_X) {
        const int lbegin = e / p.count * p.kper;
        const int lend = min(lbegin + p.kper, p.batch * p.out_h * p.out_w);
        const int channel = e % p.count % p.out_c;
        const digits tap = digits_of(e % p.count / p.out_c, p.filter_w, IN_GROUP);
        const int tap_y = tap.high * p.dilation_h - p.pad_top;
        const int tap_x = tap.mid * p.dilation_w - p.pad_left;
        __global const float *from = image + channel / OUT_GROUP * IN_GROUP + tap.low;
        digits window = digits_of(lbegin, p.out_h, p.out_w);
        float sum = 0.0f;
        for (int l = lbegin; l < lend; l++) {
            const int sy = window.mid * p.stride_h + tap_y, sx = window.low * p.stride_w + tap_x;
            if (sy >= 0 && sy < p.in_h && sx >= 0 && sx < p.in_w)
                sum = FMA(from[((window.high * p.in_h + sy) * p.in_w + sx) * p.in_c],
                    map[l * p.out_c + channel], sum);
            window = digits_add(window, 1, p.out_h, p.out_w);
        }
        result[e] = sum;
    }
}

__kernel KERNEL_GROUP void conv2d_sum(__global const float *parts, __global const float *bias,
    __global float *result, const conv_params p) {
    const int begin = (int)get_group_id(0) * p.per_group;
    const int end = begin + min(p.per_group, p.count - begin);
    for (int e = begin + (int)get_local_id(0); e < end; e += LOCAL_X) {
        float sum = 0.0f;
        for (int s = 0; s < p.splits; s++)
            sum += parts[s * p.count + e];
        result[e] = EPILOGUE(sum, e % RESULT(c));
    }
}
