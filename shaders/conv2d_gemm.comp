#version 450
// kernels: conv2d_gather_tile conv2d_gather_reg conv2d_gather_direct
// kernels: conv2d_filter_tile conv2d_filter_reg conv2d_filter_direct conv2d_sum
/* The passes of a convolution, float32: the Vulkan twin of cl/conv2d_gemm.cl, where formulas,
 * bindings, the mapping of work, the order of sums and the limits are. Two kernels more are for
 * CPUs, where shared memory is plain memory and a barrier dear: conv2d_gather_reg and
 * conv2d_filter_reg make the tiles of the _tile kernels from registers alone. */
layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;
layout(constant_id = 0) const int DATA = 0;
layout(constant_id = 1) const int ACT = -1;
layout(constant_id = 2) const int GM = 64;
layout(constant_id = 3) const int GN = 64;
layout(constant_id = 4) const int GK = 16;

layout(push_constant, std430) uniform Params {
    int batch;
    int in_h, in_w, in_c, out_h, out_w, out_c;
    int filter_h, filter_w;
    int stride_h, stride_w, dilation_h, dilation_w;
    int pad_top, pad_left;
    int groups;
    int period_h, period_w;
    int phases_h, phases_w;
    int tiles_m, tiles_n, splits, kper;
    int count, per_group;
    int has_bias;
    float act_k;
} p;

#if defined(conv2d_sum)
layout(std430, binding = 0) readonly buffer Parts { float parts[]; };
layout(std430, binding = 1) readonly buffer Bias { float bias[]; };
layout(std430, binding = 2) writeonly buffer Result { float result[]; };
#define HAS_EPILOGUE
#elif defined(conv2d_filter_tile) || defined(conv2d_filter_reg) || defined(conv2d_filter_direct)
layout(std430, binding = 0) readonly buffer Image { float image[]; };
layout(std430, binding = 1) readonly buffer Map { float map[]; };
layout(std430, binding = 2) writeonly buffer Result { float result[]; };
#else
layout(std430, binding = 0) readonly buffer Source { float source[]; };
layout(std430, binding = 1) readonly buffer Filter { float weights[]; };
layout(std430, binding = 2) readonly buffer Bias { float bias[]; };
layout(std430, binding = 3) writeonly buffer Result { float result[]; };
#define HAS_EPILOGUE
#endif

#ifdef HAS_EPILOGUE
#include "elementwise_apply.h"
ELEMENTWISE_FUNCTION(apply, float)

float epilogue(float v, int channel) {
    if (p.has_bias != 0)
        v += bias[channel];
    return apply(ACT, v, 0.0, 0.0, p.act_k);
}
#endif

const int LX = int(gl_WorkGroupSize.x), LY = int(gl_WorkGroupSize.y);
const int GROUP = LX * LY;
const int TM = GM / LY;
const int TN = GN / LX;

int in_group() {
    return p.in_c / p.groups;
}

int out_group() {
    return p.out_c / p.groups;
}

/* What a gather reads and writes: height, width, channels. */
ivec3 source_size() {
    return DATA != 0 ? ivec3(p.out_h, p.out_w, p.out_c) : ivec3(p.in_h, p.in_w, p.in_c);
}

ivec3 result_size() {
    return DATA != 0 ? ivec3(p.in_h, p.in_w, p.in_c) : ivec3(p.out_h, p.out_w, p.out_c);
}

bool is_inside(int y, int x, int height, int width) {
    return y >= 0 && y < height && x >= 0 && x < width;
}

/* A number of three digits, the lowest (z) of them below `low`, the next (y) below `mid`. */
ivec3 digits_of(int number, int mid, int low) {
    return ivec3(number / low / mid, number / low % mid, number % low);
}

/* Divides only where a digit overflows, which a deep image does seldom. */
ivec3 digits_add(ivec3 d, int number, int mid, int low) {
    d.z += number;
    if (d.z >= low) {
        d.y += d.z / low;
        d.z %= low;
        if (d.y >= mid) {
            d.x += d.y / mid;
            d.y %= mid;
        }
    }
    return d;
}

#if !defined(conv2d_gather_direct) && !defined(conv2d_filter_direct) && !defined(conv2d_sum)
/* The place of this work-group in a grid of tiles. */
struct tile_place {
    int i0, j0, part, group, phase;
};

tile_place place_of() {
    const uvec3 id = gl_WorkGroupID, n = gl_NumWorkGroups;
    int number = int(id.x + n.x * (id.y + n.y * id.z));
    tile_place place;
    place.i0 = number % p.tiles_m * GM;
    number /= p.tiles_m;
    place.j0 = number % p.tiles_n * GN;
    number /= p.tiles_n;
    place.part = number % p.splits;
    number /= p.splits;
    place.group = number % p.groups;
    place.phase = number / p.groups;
    return place;
}

float acc[TM * TN];
#endif

#if defined(conv2d_gather_tile) || defined(conv2d_filter_tile)
shared float at[GK * (GM + 1)];
shared float bt[GK * (GN + 1)];

void multiply(int x, int y) {
    for (int l = 0; l < GK; l++) {
        float av[TM], bv[TN];
        for (int u = 0; u < TM; u++)
            av[u] = at[l * (GM + 1) + y + u * LY];
        for (int v = 0; v < TN; v++)
            bv[v] = bt[l * (GN + 1) + x + v * LX];
        for (int u = 0; u < TM; u++)
            for (int v = 0; v < TN; v++)
                acc[u * TN + v] = fma(av[u], bv[v], acc[u * TN + v]);
    }
}
#endif

#if defined(conv2d_gather_tile) || defined(conv2d_gather_reg)
/* One axis of a gather in a phase: result i of `size` lies at `phase + i * spread` and takes, for
 * taps t < `taps`, the filter's tap first + t * period at the source's start + i * step + t * by.
 */
struct gather_axis {
    int size, spread, first, taps, start, step, by;
};

gather_axis axis_of(int phase, int size_in, int size_out, int filter_size, int stride, int dilation,
    int pad, int period) {
    if (DATA == 0)
        return gather_axis(size_out, 1, 0, filter_size, -pad, stride, dilation);
    gather_axis a = gather_axis(
        (size_in - 1 - phase) / stride + 1, stride, 0, 0, 0, 1, -(dilation / (stride / period)));
    const int limit = min(period, filter_size);
    /* Of a negative number, GLSL leaves the remainder open. */
    while (a.first < limit && abs(phase + pad - a.first * dilation) % stride != 0)
        a.first++;
    if (a.first < limit) {
        a.taps = (filter_size - 1 - a.first) / period + 1;
        a.start = (phase + pad - a.first * dilation) / stride;
    }
    return a;
}

void main() {
    const int x = int(gl_LocalInvocationID.x), y = int(gl_LocalInvocationID.y);
    const tile_place place = place_of();
    if (place.phase >= p.phases_h * p.phases_w)
        return;
    const int phase_h = place.phase / p.phases_w, phase_w = place.phase % p.phases_w;
    const gather_axis h = axis_of(phase_h, p.in_h, p.out_h, p.filter_h, p.stride_h, p.dilation_h,
        p.pad_top, p.period_h);
    const gather_axis w = axis_of(phase_w, p.in_w, p.out_w, p.filter_w, p.stride_w, p.dilation_w,
        p.pad_left, p.period_w);
    const ivec3 from = source_size(), to = result_size();
    const int n = DATA != 0 ? in_group() : out_group();
    const int channels = DATA != 0 ? out_group() : in_group();
    const int m = p.batch * h.size * w.size;
    if (place.i0 >= m)
        return;
    const int lbegin = place.part * p.kper;
    const int lend = min(lbegin + p.kper, h.taps * w.taps * channels);

    const int source0 = place.group * channels, weights0 = place.group * out_group();
    for (int u = 0; u < TM * TN; u++)
        acc[u] = 0.0;

#ifdef conv2d_gather_tile
    /* An invocation loads column la of the blocks of A, in every (GROUP / GK)-th row from ia. */
    const int t = y * LX + x, la = t % GK, ia = t / GK;
    ivec3 rows[GK * GM / GROUP]; /* image, y, x of the first tap */
    for (int r = 0; r < GK * GM / GROUP; r++) {
        const ivec3 row = digits_of(place.i0 + ia + r * (GROUP / GK), h.size, w.size);
        rows[r] = ivec3(row.x, h.start + row.y * h.step, w.start + row.z * w.step);
    }
    ivec3 tap = digits_of(lbegin + la, max(w.taps, 1), channels);
    for (int l0 = lbegin; l0 < lend; l0 += GK) {
        const bool inside = l0 + la < lend;
        for (int r = 0; r < GK * GM / GROUP; r++) {
            const int sy = rows[r].y + tap.x * h.by, sx = rows[r].z + tap.y * w.by;
            float value = 0.0;
            if (inside && rows[r].x < p.batch && is_inside(sy, sx, from.x, from.y))
                value = source[source0 + tap.z +
                               ((rows[r].x * from.x + sy) * from.y + sx) * from.z];
            at[la * (GM + 1) + ia + r * (GROUP / GK)] = value;
        }
        if (DATA != 0) {
            const int filter_row = ((h.first + tap.x * p.period_h) * p.filter_w + w.first +
                                       tap.y * p.period_w) * n;
            for (int j = ia; j < GN; j += GROUP / GK) {
                float value = 0.0;
                if (inside && place.j0 + j < n)
                    value = weights[weights0 + (filter_row + place.j0 + j) * p.out_c + tap.z];
                bt[la * (GN + 1) + j] = value;
            }
        } else {
            for (int e = t; e < GK * GN; e += GROUP) {
                const int l = e / GN, j = e % GN;
                float value = 0.0;
                if (l0 + l < lend && place.j0 + j < n)
                    value = weights[weights0 + (l0 + l) * p.out_c + place.j0 + j];
                bt[l * (GN + 1) + j] = value;
            }
        }
        tap = digits_add(tap, GK, w.taps, channels);
        barrier();
        multiply(x, y);
        barrier();
    }
#else
    /* Rows and columns past the edge read the last one's values; their results are not stored. */
    ivec3 rows[TM]; /* image, y, x of the first tap */
    for (int u = 0; u < TM; u++) {
        const ivec3 row = digits_of(min(place.i0 + y + u * LY, m - 1), h.size, w.size);
        rows[u] = ivec3(row.x, h.start + row.y * h.step, w.start + row.z * w.step);
    }
    ivec3 tap = digits_of(lbegin, max(w.taps, 1), channels);
    for (int l = lbegin, run; l < lend; l += run) {
        run = min(channels - tap.z, lend - l); /* with the same tap */
        int pa[TM], pb[TN];
        bool inside[TM];
        for (int u = 0; u < TM; u++) {
            const int sy = rows[u].y + tap.x * h.by, sx = rows[u].z + tap.y * w.by;
            inside[u] = is_inside(sy, sx, from.x, from.y);
            pa[u] = source0 + tap.z +
                    (inside[u] ? ((rows[u].x * from.x + sy) * from.y + sx) * from.z : 0);
        }
        const int filter_row = (h.first + tap.x * p.period_h) * p.filter_w + w.first +
                               tap.y * p.period_w;
        for (int v = 0; v < TN; v++) {
            const int j = min(place.j0 + x + v * LX, n - 1);
            pb[v] = weights0 + (DATA != 0 ? (filter_row * n + j) * p.out_c + tap.z
                                          : (filter_row * channels + tap.z) * p.out_c + j);
        }
        const int step = DATA != 0 ? 1 : p.out_c;
        for (int c = 0; c < run; c++) {
            float av[TM], bv[TN];
            for (int u = 0; u < TM; u++) {
                const float value = source[pa[u] + c];
                av[u] = inside[u] ? value : 0.0;
            }
            for (int v = 0; v < TN; v++)
                bv[v] = weights[pb[v] + c * step];
            for (int u = 0; u < TM; u++)
                for (int v = 0; v < TN; v++)
                    acc[u * TN + v] = fma(av[u], bv[v], acc[u * TN + v]);
        }
        tap = digits_add(tap, run, w.taps, channels);
    }
#endif

    for (int u = 0; u < TM; u++) {
        const int i = place.i0 + y + u * LY;
        if (i < m) {
            const ivec3 row = digits_of(i, h.size, w.size);
            const int base = ((row.x * to.x + phase_h + row.y * h.spread) * to.y + phase_w +
                                 row.z * w.spread) * to.z;
            for (int v = 0; v < TN; v++) {
                const int j = place.j0 + x + v * LX, channel = place.group * n + j;
                if (j < n && p.splits > 1)
                    result[place.part * p.count + base + channel] = acc[u * TN + v];
                else if (j < n)
                    result[base + channel] = epilogue(acc[u * TN + v], channel);
            }
        }
    }
}
#endif

#ifdef conv2d_gather_direct
/* Where a tap of an axis meets the source for a place of the result; negative: nowhere. */
int source_place(int place, int tap, int stride, int dilation, int pad) {
    if (DATA == 0)
        return place * stride - pad + tap * dilation;
    const int offset = place + pad - tap * dilation;
    return offset < 0 || offset % stride != 0 ? -1 : offset / stride;
}

void main() {
    const int begin = int(gl_WorkGroupID.x) * p.per_group;
    const int end = begin + min(p.per_group, p.count - begin);
    const ivec3 from = source_size(), to = result_size();
    const int n = DATA != 0 ? in_group() : out_group();
    const int channels = DATA != 0 ? out_group() : in_group();
    for (int e = begin + int(gl_LocalInvocationID.x); e < end; e += LX) {
        const int channel = e % to.z, group = channel / n;
        const ivec3 place = digits_of(e / to.z, to.x, to.y);
        float sum = 0.0;
        for (int u = 0; u < p.filter_h; u++) {
            const int sy = source_place(place.y, u, p.stride_h, p.dilation_h, p.pad_top);
            for (int v = 0; v < p.filter_w; v++) {
                const int sx = source_place(place.z, v, p.stride_w, p.dilation_w, p.pad_left);
                if (!is_inside(sy, sx, from.x, from.y))
                    continue;
                const int a = ((place.x * from.x + sy) * from.y + sx) * from.z + group * channels;
                const int tap = u * p.filter_w + v;
                const int b = DATA != 0 ? (tap * n + channel % n) * p.out_c + group * channels
                                        : tap * channels * p.out_c + channel;
                const int step = DATA != 0 ? 1 : p.out_c;
                for (int c = 0; c < channels; c++)
                    sum = fma(source[a + c], weights[b + c * step], sum);
            }
        }
        result[e] = epilogue(sum, channel);
    }
}
#endif

#if defined(conv2d_filter_tile) || defined(conv2d_filter_reg)
void main() {
    const int x = int(gl_LocalInvocationID.x), y = int(gl_LocalInvocationID.y);
    const tile_place place = place_of();
    if (place.phase >= 1)
        return;
    const int n = out_group(), m = p.filter_h * p.filter_w * in_group();
    const int lbegin = place.part * p.kper;
    const int lend = min(lbegin + p.kper, p.batch * p.out_h * p.out_w);

    for (int u = 0; u < TM * TN; u++)
        acc[u] = 0.0;

#ifdef conv2d_filter_tile
    /* An invocation loads row ia of the blocks of A, in every lstep-th column from la. */
    const int t = y * LX + x, ia = t % GM, la = t / GM, lstep = GROUP / GM;
    const ivec3 tap = digits_of(place.i0 + ia, p.filter_w, in_group());
    const int tap_y = tap.x * p.dilation_h - p.pad_top, tap_x = tap.y * p.dilation_w - p.pad_left;
    const bool row_inside = place.i0 + ia < m;
    ivec3 window = digits_of(lbegin + la, p.out_h, p.out_w);
    const int image0 = place.group * in_group() + tap.z, map0 = place.group * n + place.j0;
    for (int l0 = lbegin; l0 < lend; l0 += GK) {
        for (int l = la; l < GK; l += lstep) {
            const int sy = window.y * p.stride_h + tap_y, sx = window.z * p.stride_w + tap_x;
            float value = 0.0;
            if (row_inside && l0 + l < lend && is_inside(sy, sx, p.in_h, p.in_w))
                value = image[image0 + ((window.x * p.in_h + sy) * p.in_w + sx) * p.in_c];
            at[l * (GM + 1) + ia] = value;
            window = digits_add(window, lstep, p.out_h, p.out_w);
        }
        for (int e = t; e < GK * GN; e += GROUP) {
            const int l = e / GN, j = e % GN;
            float value = 0.0;
            if (l0 + l < lend && place.j0 + j < n)
                value = map[map0 + (l0 + l) * p.out_c + j];
            bt[l * (GN + 1) + j] = value;
        }
        barrier();
        multiply(x, y);
        barrier();
    }
#else
    /* Rows and columns past the edge read the last one's values; their results are not stored. */
    ivec3 rows[TM]; /* y, x of the tap in window 0, channel */
    for (int u = 0; u < TM; u++) {
        const ivec3 tap =
            digits_of(min(place.i0 + y + u * LY, m - 1), p.filter_w, in_group());
        rows[u] = ivec3(tap.x * p.dilation_h - p.pad_top, tap.y * p.dilation_w - p.pad_left,
            place.group * in_group() + tap.z);
    }
    ivec3 window = digits_of(lbegin, p.out_h, p.out_w);
    for (int l = lbegin; l < lend; l++) {
        const int base = window.x * p.in_h * p.in_w;
        const int wy = window.y * p.stride_h, wx = window.z * p.stride_w;
        float av[TM], bv[TN];
        for (int u = 0; u < TM; u++) {
            const int sy = wy + rows[u].x, sx = wx + rows[u].y;
            const bool inside = is_inside(sy, sx, p.in_h, p.in_w);
            const int pixel = base + (inside ? sy * p.in_w + sx : 0);
            const float value = image[pixel * p.in_c + rows[u].z];
            av[u] = inside ? value : 0.0;
        }
        for (int v = 0; v < TN; v++)
            bv[v] = map[l * p.out_c + place.group * n + min(place.j0 + x + v * LX, n - 1)];
        for (int u = 0; u < TM; u++)
            for (int v = 0; v < TN; v++)
                acc[u * TN + v] = fma(av[u], bv[v], acc[u * TN + v]);
        window = digits_add(window, 1, p.out_h, p.out_w);
    }
#endif

    for (int u = 0; u < TM; u++) {
        const int i = place.i0 + y + u * LY;
        for (int v = 0; v < TN; v++) {
            const int j = place.j0 + x + v * LX;
            if (i < m && j < n)
                result[place.part * p.count + i * p.out_c + place.group * n + j] = acc[u * TN + v];
        }
    }
}
#endif

#ifdef conv2d_filter_direct
void main() {
    const int items = p.splits * p.count;
    const int begin = int(gl_WorkGroupID.x) * p.per_group;
    const int end = begin + min(p.per_group, items - begin);
    for (int e = begin + int(gl_LocalInvocationID.x); e < end; e += LX) {
        const int lbegin = e / p.count * p.kper;
        const int lend = min(lbegin + p.kper, p.batch * p.out_h * p.out_w);
        const int channel = e % p.count % p.out_c;
        const ivec3 tap = digits_of(e % p.count / p.out_c, p.filter_w, in_group());
        const int tap_y = tap.x * p.dilation_h - p.pad_top;
        const int tap_x = tap.y * p.dilation_w - p.pad_left;
        const int image0 = channel / out_group() * in_group() + tap.z;
        ivec3 window = digits_of(lbegin, p.out_h, p.out_w);
        float sum = 0.0;
        for (int l = lbegin; l < lend; l++) {
            const int sy = window.y * p.stride_h + tap_y, sx = window.z * p.stride_w + tap_x;
            if (is_inside(sy, sx, p.in_h, p.in_w))
                sum = fma(image[image0 + ((window.x * p.in_h + sy) * p.in_w + sx) * p.in_c],
                    map[l * p.out_c + channel], sum);
            window = digits_add(window, 1, p.out_h, p.out_w);
        }
        result[e] = sum;
    }
}
#endif

#ifdef conv2d_sum
void main() {
    const int begin = int(gl_WorkGroupID.x) * p.per_group;
    const int end = begin + min(p.per_group, p.count - begin);
    for (int e = begin + int(gl_LocalInvocationID.x); e < end; e += LX) {
        float sum = 0.0;
        for (int s = 0; s < p.splits; s++)
            sum += parts[s * p.count + e];
        result[e] = epilogue(sum, e % result_size().z);
    }
}
#endif
