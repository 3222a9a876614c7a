/* What the kernels of conv2d_cpu.cl and conv2d_depthwise.cl share: constants, geometry, tables,
 * packing. */
#ifndef MICA_CONV2D_CPU_H
#define MICA_CONV2D_CPU_H

#ifndef DATA
#define DATA 0
#endif
/* Lanes, and the register tile: MR x (NV*VW) accumulators, NV vectors of the right matrix and one
 * of the left must fit in the vector registers. */
#ifndef VW
#define VW 16
#endif
#ifndef MR
#define MR 8
#endif
#ifndef NV
#define NV 2
#endif
/* Floats of the slab and of the packed right matrix; entries of the tables. */
#ifndef SLAB
#define SLAB 40960
#endif
#ifndef PANEL
#define PANEL 40960
#endif
#ifndef TAPS
#define TAPS 4096
#endif
#ifndef PIXELS
#define PIXELS 2048
#endif

#define CONV_CAT_(x, y) x##y
#define CONV_CAT(x, y)  CONV_CAT_(x, y)
#define floatv          CONV_CAT(float, VW)
#define vloadv          CONV_CAT(vload, VW)
#define NR              (NV * VW)
#define EACH(i, n)      _Pragma("unroll") for (uint i = 0; i < (n); i++)
#define INLINE          __attribute__((always_inline)) static inline

/* PoCL 3.1 takes vstore16 apart into four stores; Clang's unaligned vector type stores in one. */
#ifdef __clang__
typedef floatv floatv_anywhere __attribute__((aligned(4)));
#define VSTORE(x, i, p, SPACE) (*(SPACE floatv_anywhere *)((p) + (i)*VW) = (x))
#else
#define VSTORE(x, i, p, SPACE) CONV_CAT(vstore, VW)(x, i, p)
#endif

typedef struct {
    uint batch;
    uint in_h, in_w, in_c, out_h, out_w, out_c;
    uint filter_h, filter_w;
    uint stride_h, stride_w, dilation_h, dilation_w;
    int pad_top, pad_left;
    uint groups;
    uint box_b, box_h, box_w; /* images, rows and columns of pixels that share a slab */
    uint boxes;               /* of a work-group */
    uint depth;               /* source channels in a slab */
    uint block;               /* source channels in the panel, a multiple of depth (gather) */
    uint taps;                /* filter positions in the panel (of gather_filter: in its rows) */
    uint cols;                /* columns of the right matrix of a work-group, a multiple of NR */
    float act_k;              /* the activation's immediate */
} conv2d_params;

/* ---- geometry ---- */

/* The rows, or the columns, of one phase. */
typedef struct {
    int first;           /* source row that tap 0 of pixel 0 reads */
    uint taps, step;     /* filter rows that take part; source rows from one to the next */
    int filter, turn;    /* filter row of tap 0; from one to the next */
    uint pixels, stride; /* how many; source rows from one to the next */
    uint to, to_step;    /* result row of pixel 0; from one to the next */
    uint gap;            /* only every gap-th source row is read: it divides step and stride */
} axis;

INLINE uint gcd(uint a, uint b) {
    while (b) {
        const uint rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

INLINE axis forward_axis(uint pixels, uint filter, uint stride, uint dilation, int pad) {
    axis a = {-pad, filter, filter > 1 ? dilation : 0, 0, 1, pixels, stride, 0, 1, 0};
    a.gap = gcd(a.step, stride);
    return a;
}

/* Image rows phase, phase + stride, ...: those filter rows u that meet a map row there. */
INLINE axis data_axis(uint phase, uint rows, uint filter, uint stride, uint dilation, int pad) {
    axis a = {0, 0, 0, 0, 0, phase < rows ? (rows - phase + stride - 1) / stride : 0, 1, phase,
        stride, 1};
    for (int u = (int)filter; u-- > 0;) {
        const int above = (int)phase + pad - u * (int)dilation;
        if (above % (int)stride != 0)
            continue;
        const int row = above / (int)stride;
        if (a.taps == 0) {
            a.first = row;
            a.filter = u;
        } else if (a.taps == 1) {
            a.step = (uint)(row - a.first);
            a.turn = u - a.filter;
        }
        a.taps++;
    }
    return a;
}

/* Rows of the slab that `pixels` rows of pixels need. */
INLINE uint slab_rows(axis a, uint pixels) {
    return a.taps ? ((pixels - 1) * a.stride + (a.taps - 1) * a.step) / a.gap + 1 : 0;
}

/* Pixels b.. y.. x.., and the slab they read. */
typedef struct {
    uint b, y, x, images, rows, cols;
    uint slab_h, slab_w;
} box;

INLINE box box_at(uint index, axis h, axis w, const conv2d_params p) {
    const uint across = (w.pixels + p.box_w - 1) / p.box_w;
    const uint down = (h.pixels + p.box_h - 1) / p.box_h;
    box k;
    k.x = index % across * p.box_w;
    k.y = index / across % down * p.box_h;
    k.b = index / across / down * p.box_b;
    k.images = min(p.box_b, p.batch - k.b);
    k.rows = min(p.box_h, h.pixels - k.y);
    k.cols = min(p.box_w, w.pixels - k.x);
    k.slab_h = slab_rows(h, k.rows);
    k.slab_w = slab_rows(w, k.cols);
    return k;
}

INLINE uint count_boxes(axis h, axis w, const conv2d_params p) {
    return (w.pixels + p.box_w - 1) / p.box_w * ((h.pixels + p.box_h - 1) / p.box_h) *
           ((p.batch + p.box_b - 1) / p.box_b);
}

/* ---- what a work-group of the forward and data passes makes ---- */

typedef struct {
    axis h, w;
    uint from_h, from_w, from_c, from_depth; /* the source; channels of a group */
    uint to_h, to_w, to_c, to_depth;         /* the result */
    uint group, begin, end;                  /* boxes begin .. end */
} job;

/* `place` counts, the fastest first: groups, phases (columns, then rows of them), blocks of boxes.
 */
INLINE job job_at(uint place, const conv2d_params p) {
    const uint in_depth = p.in_c / p.groups, out_depth = p.out_c / p.groups;
    job k;
    k.group = place % p.groups;
    place /= p.groups;
#if DATA
    const uint phases_h = min(p.stride_h, p.in_h), phases_w = min(p.stride_w, p.in_w);
    const uint x = place % phases_w, y = place / phases_w % phases_h;
    place = place / phases_w / phases_h;
    k.h = data_axis(y, p.in_h, p.filter_h, p.stride_h, p.dilation_h, p.pad_top);
    k.w = data_axis(x, p.in_w, p.filter_w, p.stride_w, p.dilation_w, p.pad_left);
    k.from_h = p.out_h, k.from_w = p.out_w, k.from_c = p.out_c, k.from_depth = out_depth;
    k.to_h = p.in_h, k.to_w = p.in_w, k.to_c = p.in_c, k.to_depth = in_depth;
#else
    k.h = forward_axis(p.out_h, p.filter_h, p.stride_h, p.dilation_h, p.pad_top);
    k.w = forward_axis(p.out_w, p.filter_w, p.stride_w, p.dilation_w, p.pad_left);
    k.from_h = p.in_h, k.from_w = p.in_w, k.from_c = p.in_c, k.from_depth = in_depth;
    k.to_h = p.out_h, k.to_w = p.out_w, k.to_c = p.out_c, k.to_depth = out_depth;
#endif
    k.begin = place * p.boxes;
    k.end = min(k.begin + p.boxes, count_boxes(k.h, k.w, p)); /* some phases have fewer */
    return k;
}

/* The first element of the result of a box, in the group's first channel. */
INLINE __global float *result_at(__global float *result, job k, box at) {
    return result +
           (((size_t)at.b * k.to_h + k.h.to + at.y * k.h.to_step) * k.to_w + k.w.to +
               at.x * k.w.to_step) *
               k.to_c +
           k.group * k.to_depth;
}

/* ---- tables ---- */

/* Pixel i of the box: `at` is where it lies in the slab, `to` where in the result, from the box's
 * first. The last tile of `MR` goes on with the last pixel. Returns how many there are. */
INLINE uint pixel_tables(__local uint *at, __local uint *to, box k, axis h, axis w, uint depth,
    uint to_h, uint to_w, uint to_c) {
    uint n = 0;
    for (uint b = 0; b < k.images; b++)
        for (uint y = 0; y < k.rows; y++) {
            uint from = ((b * k.slab_h + y * (h.stride / h.gap)) * k.slab_w) * depth;
            uint into = ((b * to_h + y * h.to_step) * to_w) * to_c;
            for (uint x = 0; x < k.cols; x++) {
                at[n] = from;
                to[n++] = into;
                from += w.stride / w.gap * depth;
                into += w.to_step * to_c;
            }
        }
    for (uint i = n; i % MR != 0; i++)
        at[i] = at[n - 1];
    return n;
}

/* Filter positions: where their first channel lies in the slab, from the pixel. The last tile of MR
 * goes on with the last one. */
INLINE void position_table(
    __local uint *at, uint positions, axis h, axis w, uint slab_w, uint depth) {
    for (uint t = 0; t < positions; t++)
        at[t] = (t / w.taps * (h.step / h.gap) * slab_w + t % w.taps * (w.step / w.gap)) * depth;
    for (uint i = positions; positions != 0 && i % MR != 0; i++)
        at[i] = at[positions - 1];
}

/* Taps of filter positions t0 .. t1: where they lie in the slab, from the pixel. The last tile of
 * MR goes on with the last tap. */
INLINE void tap_table(__local uint *at, uint t0, uint t1, axis h, axis w, uint slab_w, uint depth) {
    uint n = 0;
    for (uint t = t0; t < t1; t++) {
        const uint y = t / w.taps * (h.step / h.gap), x = t % w.taps * (w.step / w.gap);
        for (uint c = 0; c < depth; c++)
            at[n++] = (y * slab_w + x) * depth + c;
    }
    for (uint i = n; n != 0 && i % MR != 0; i++)
        at[i] = at[n - 1];
}

/* What the tables were made for. */
typedef struct {
    uint images, rows, cols, depth;
} tables;

/* Whether they do not suit this box; then they are taken as made anew. */
INLINE int outdated(tables *known, box k, uint depth) {
    if (known->images == k.images && known->rows == k.rows && known->cols == k.cols &&
        known->depth == depth)
        return 0;
    known->images = k.images;
    known->rows = k.rows;
    known->cols = k.cols;
    known->depth = depth;
    return 1;
}

/* ---- packing ---- */

INLINE void zero(__local float *to, uint n) {
    uint i = 0;
    for (; i + VW <= n; i += VW)
        VSTORE((floatv)(0.0f), 0, to + i, __local);
    for (; i < n; i++)
        to[i] = 0.0f;
}

INLINE void copy(__local float *to, __global const float *from, uint n) {
    uint i = 0;
    for (; i + VW <= n; i += VW)
        VSTORE(vloadv(0, from + i), 0, to + i, __local);
    for (; i < n; i++)
        to[i] = from[i];
}

/* The slab of a box: slab_h x slab_w x depth for each image. `in` points at the first channel. */
INLINE void pack_slab(__local float *slab, __global const float *in, box k, axis h, axis w,
    uint depth, uint in_h, uint in_w, uint in_c) {
    const int left = w.first + (int)(k.x * w.stride);
    const int top = h.first + (int)(k.y * h.stride);
    for (uint b = 0; b < k.images; b++)
        for (uint r = 0; r < k.slab_h; r++) {
            const int row = top + (int)(r * h.gap);
            if (row < 0 || row >= (int)in_h) {
                zero(slab, k.slab_w * depth);
                slab += k.slab_w * depth;
                continue;
            }
            __global const float *from = in + ((size_t)(k.b + b) * in_h + (uint)row) * in_w * in_c;
            if (w.gap == 1 && depth == in_c) {
                const uint begin = (uint)clamp(-left, 0, (int)k.slab_w);
                const uint end = (uint)clamp((int)in_w - left, (int)begin, (int)k.slab_w);
                zero(slab, begin * depth);
                if (begin < end)
                    copy(slab + begin * depth, from + (size_t)(left + (int)begin) * depth,
                        (end - begin) * depth);
                zero(slab + end * depth, (k.slab_w - end) * depth);
                slab += k.slab_w * depth;
                continue;
            }
            for (uint s = 0; s < k.slab_w; s++) {
                const int col = left + (int)(s * w.gap);
                if (col < 0 || col >= (int)in_w)
                    zero(slab, depth);
                else
                    copy(slab, from + (size_t)(uint)col * in_c, depth);
                slab += depth;
            }
        }
}

/* Rows of the right matrix: n of them, `row` floats apart, w of the tile's NR columns. */
INLINE void pack_rows(__local float *to, __global const float *from, uint row, uint n, uint w) {
    for (uint l = 0; l < n; l++) {
        if (w == NR) {
            EACH(v, NV)
                VSTORE(vloadv(v, from), v, to, __local);
        } else {
            for (uint x = 0; x < NR; x++)
                to[x] = x < w ? from[x] : 0.0f;
        }
        from += row;
        to += NR;
    }
}

/* The same of a matrix whose columns lie `col` floats apart. */
INLINE void pack_columns(__local float *to, __global const float *from, uint col, uint n, uint w) {
    uint l = 0;
    if (w == NR) {
        /* VW x VW blocks through registers: log2(VW) perfect shuffles of the rows are a
         * transposition. */
        for (; l + VW <= n; l += VW)
            for (uint v = 0; v < NV; v++) {
                __global const float *s = from + (size_t)(v * VW) * col + l;
                floatv t[VW], u[VW];
                EACH(x, VW)
                    t[x] = vloadv(0, s + (size_t)x * col);
                _Pragma("unroll") for (uint h = 1; h < VW; h *= 2) {
                    EACH(x, VW / 2) {
                        u[2 * x].even = t[x].lo;
                        u[2 * x].odd = t[x + VW / 2].lo;
                        u[2 * x + 1].even = t[x].hi;
                        u[2 * x + 1].odd = t[x + VW / 2].hi;
                    }
                    EACH(x, VW)
                        t[x] = u[x];
                }
                EACH(x, VW)
                    VSTORE(t[x], 0, to + (l + x) * NR + v * VW, __local);
            }
    }
    for (; l < n; l++)
        for (uint x = 0; x < NR; x++)
            to[l * NR + x] = x < w ? from[(size_t)x * col + l] : 0.0f;
}

/* Where filter position t of a job begins, in rows of out_c. */
INLINE size_t filter_at(uint t, job k, const conv2d_params p) {
    const uint u = (uint)(k.h.filter + (int)(t / k.w.taps) * k.h.turn);
    const uint v = (uint)(k.w.filter + (int)(t % k.w.taps) * k.w.turn);
    return (size_t)(u * p.filter_w + v) * (p.in_c / p.groups);
}

/* The filter as the right matrix of `gather`: taps of positions t0 .. t1 and source channels c0 ..
 * of the group, columns j0 .. of the result. Tiles of NR columns follow each other. */
INLINE void pack_filter(__local float *panel, __global const float *filter, uint c0, uint depth,
    uint t0, uint t1, uint j0, uint cols, job k, const conv2d_params p) {
    filter += k.group * (p.out_c / p.groups);
    for (uint j = 0; j < cols; j += NR)
        for (uint t = t0; t < t1; t++) {
            const size_t at = filter_at(t, k, p);
            const uint width = min((uint)NR, cols - j);
#if DATA
            pack_columns(panel, filter + (at + j0 + j) * p.out_c + c0, p.out_c, depth, width);
#else
            pack_rows(panel, filter + (at + c0) * p.out_c + j0 + j, p.out_c, depth, width);
#endif
            panel += depth * NR;
        }
}

#endif
