/* Convolution of 3x3 filters, stride 1, for CPUs, float32, by Winograd's F(4x4, 3x3): Lavin and
 * Gray, "Fast algorithms for convolutional neural networks", 2016. Each tile of 4x4 results takes
 * 36 products a channel, where the formula takes 144:
 *
 *     tile = AT ((G g GT) * (BT d B)) A     * by elements, summed over channels
 *
 * of the filter g and the 6x6 pixels d around the tile, whose neighbours overlap by 2. The matrices
 * evaluate polynomials at 0, +-P, +-Q and infinity, with the products by
 *
 *     BT = P2Q2    0     -S    0  1  0      AT = 1  1   1   1   1   0      G = 1/P2Q2   0     0
 *           0   -PQ2    -Q2    P  1  0           0  P  -P   Q  -Q   0          1/N   P/N  P2/N
 *           0    PQ2    -Q2   -P  1  0           0  P2  P2  Q2  Q2  0          1/N  -P/N  P2/N
 *           0   -P2Q    -P2    Q  1  0           0  P3 -P3  Q3 -Q3  1          1/O   Q/O  Q2/O
 *           0    P2Q    -P2   -Q  1  0                                         1/O  -Q/O  Q2/O
 *           0   P2Q2      0   -S  0  1                                          0     0     1
 *
 * where S = P2 + Q2, N = 2 P2 (P2 - Q2), O = 2 Q2 (Q2 - P2). P = 5/8 and Q = 3/2 round least; with
 * the usual 1 and 2 the error is more than twice as large. Measured against sums in double
 * precision, of uniform random numbers, relative to the result's root mean square:
 *
 *     channels           64                  512
 *     conv2d_gather      3.0e-7, 2.6e-6      2.7e-7, 1.9e-6     root mean square, largest
 *     conv2d_winograd    6.1e-7, 4.6e-6      8.0e-7, 6.2e-6
 *
 * Kernels
 *   conv2d_winograd_filter  transforms the filter (DATA=1: for the data pass)
 *   conv2d_winograd         forward, and data, which is a forward pass of the map with the filter
 *                           turned round
 *
 * The image (data: the map) is the source. A work-item is a thread, which takes some tiles and some
 * channels of the result: it transforms a block of source channels of its tiles into local memory,
 * adds up the products of 36 matrices (tiles x source channels by source channels x channels)
 * there, block for block, and transforms the sums back.
 *
 * Buffers, in binding order
 *   conv2d_winograd_filter  filter (3, 3, in_c, out_c); turned
 *   conv2d_winograd         source; turned; bias (of the result's depth, read only if HAS_BIAS;
 *                           bind any buffer otherwise); result
 *   turned is (groups, ceil(to_c / NR), 36, from_c, NR), its last columns 0. Nothing outside the
 *   tensors is read or written; no alignment is assumed beyond that of a float. The result may not
 *   overlap an input. Each tensor's elements fit in 32 bits.
 *
 * Order of summation: by the shape, the constants and the blocks in the parameters only.
 *
 * Constants (all integers): VW, MR, NV, DATA as in conv2d_cpu.h; HAS_BIAS, ACT; LOCAL, floats of
 * local memory for the tiles. Work-groups have one work-item.
 */
#ifndef HAS_BIAS
#define HAS_BIAS 0
#endif
#ifndef ACT
#define ACT -1 /* row of the elementwise table, -1: none */
#endif
#ifndef LOCAL
#define LOCAL 196608
#endif

#include "conv2d_cpu.h"
#include "conv2d_epilogue.h"
#include "fma.h"

#define SIDE      4 /* of a tile */
#define REACH     6 /* of the source's pixels that it needs */
#define POSITIONS 36
#define RUN       32 /* channels that are summed alone: longer runs round more */

#define P  0.625f
#define Q  1.5f
#define P2 (P * P)
#define Q2 (Q * Q)

typedef struct {
    uint batch;
    uint from_h, from_w, from_c, to_h, to_w, to_c; /* channels of a group */
    uint groups;
    int pad_top, pad_left; /* of the forward pass that it is */
    uint tiles_down, tiles_across;
    uint tiles, cols, depth; /* tiles and columns of a work-group; source channels of a block */
    float act_k;
} winograd_params;

/* Six numbers times BT. */
INLINE void transform_pixels(floatv to[REACH], const floatv d[REACH]) {
    const floatv even_p = FMA((floatv)(-Q2), d[2], d[4]), odd_p = FMA((floatv)(-Q2), d[1], d[3]);
    const floatv even_q = FMA((floatv)(-P2), d[2], d[4]), odd_q = FMA((floatv)(-P2), d[1], d[3]);
    to[0] = FMA((floatv)(P2 * Q2), d[0], FMA((floatv)(-P2 - Q2), d[2], d[4]));
    to[1] = FMA((floatv)(P), odd_p, even_p);
    to[2] = FMA((floatv)(-P), odd_p, even_p);
    to[3] = FMA((floatv)(Q), odd_q, even_q);
    to[4] = FMA((floatv)(-Q), odd_q, even_q);
    to[5] = FMA((floatv)(P2 * Q2), d[1], FMA((floatv)(-P2 - Q2), d[3], d[5]));
}

/* Three numbers times G. */
INLINE void transform_filter(floatv to[REACH], const floatv g[3]) {
    const float n = 1 / (2 * P2 * (P2 - Q2)), o = 1 / (2 * Q2 * (Q2 - P2));
    const floatv even_p = FMA((floatv)(P2), g[2], g[0]) * n, odd_p = g[1] * (P * n);
    const floatv even_q = FMA((floatv)(Q2), g[2], g[0]) * o, odd_q = g[1] * (Q * o);
    to[0] = g[0] * (1 / (P2 * Q2));
    to[1] = even_p + odd_p;
    to[2] = even_p - odd_p;
    to[3] = even_q + odd_q;
    to[4] = even_q - odd_q;
    to[5] = g[2];
}

/* Six numbers times AT. */
INLINE void transform_back(floatv to[SIDE], const floatv m[REACH]) {
    const floatv even_p = m[1] + m[2], odd_p = m[1] - m[2];
    const floatv even_q = m[3] + m[4], odd_q = m[3] - m[4];
    to[0] = m[0] + even_p + even_q;
    to[1] = FMA((floatv)(P), odd_p, odd_q * Q);
    to[2] = FMA((floatv)(P2), even_p, even_q * Q2);
    to[3] = FMA((floatv)(P2 * P), odd_p, FMA((floatv)(Q2 * Q), odd_q, m[5]));
}

/* ---- the filter ---- */

#define ROWS 16 /* source channels of a work-group */

/* Work-groups: blocks of source channels, tiles of NR columns, groups. */
__kernel void conv2d_winograd_filter(
    __global const float *filter, __global float *turned, const winograd_params p) {
    __local float panel[9 * ROWS * NR];
    const uint c0 = (uint)get_group_id(0) * ROWS, n = min((uint)ROWS, p.from_c - c0);
    const uint j0 = (uint)get_group_id(1) * NR, width = min((uint)NR, p.to_c - j0);
    const size_t group = get_group_id(2);
    for (uint t = 0; t < 9; t++) {
#if DATA
        const uint all = p.from_c * p.groups;
        pack_columns(panel + t * (ROWS * NR),
            filter + ((size_t)(8 - t) * p.to_c + j0) * all + group * p.from_c + c0, all, n, width);
#else
        const uint all = p.to_c * p.groups;
        pack_rows(panel + t * (ROWS * NR),
            filter + ((size_t)t * p.from_c + c0) * all + group * p.to_c + j0, all, n, width);
#endif
    }
    const size_t apart = (size_t)p.from_c * NR;
    turned += (group * get_num_groups(1) + get_group_id(1)) * POSITIONS * apart + (size_t)c0 * NR;
    for (uint l = 0; l < n * NR; l += VW) {
        floatv half_way[3][REACH]; /* by columns */
        EACH(x, 3) {
            floatv g[3];
            EACH(y, 3)
            g[y] = vloadv(0, panel + (y * 3 + x) * (ROWS * NR) + l);
            transform_filter(half_way[x], g);
        }
        EACH(y, REACH) {
            floatv u[REACH];
            const floatv g[3] = {half_way[0][y], half_way[1][y], half_way[2][y]};
            transform_filter(u, g);
            EACH(x, REACH)
            VSTORE(u[x], 0, turned + (y * REACH + x) * apart + l, __global);
        }
    }
}

/* ---- the product ---- */

/* Where a tile begins in the result. */
typedef struct {
    uint b, y, x;
} place;

INLINE place place_of(uint tile, const winograd_params p) {
    const uint row = tile / p.tiles_across;
    const place at = {row / p.tiles_down, row % p.tiles_down * SIDE, tile % p.tiles_across * SIDE};
    return at;
}

/* VW channels of a pixel, or the last `rest` of them. */
INLINE floatv load_channels(__global const float *from, uint rest, __local float *edge) {
    if (rest >= VW)
        return vloadv(0, from);
    for (uint i = 0; i < VW; i++)
        edge[i] = i < rest ? from[i] : 0.0f;
    return vloadv(0, edge);
}

/* The 36 numbers of `depth` channels of a tile, `apart` floats from one to the next. */
INLINE void pack_tile(__local float *to, __global const float *source, place at, uint depth,
    uint apart, __local float *edge, const winograd_params p) {
    const int top = (int)at.y - p.pad_top, left = (int)at.x - p.pad_left;
    const size_t pixel = p.from_c * p.groups;
    source += (size_t)at.b * p.from_h * p.from_w * pixel;
    for (uint c = 0; c < depth; c += VW) {
        floatv half_way[REACH][REACH]; /* by rows */
        for (int y = 0; y < REACH; y++) {
            floatv d[REACH];
            const int row = top + y;
            const int row_inside = row >= 0 && row < (int)p.from_h;
            for (int x = 0; x < REACH; x++) {
                const int col = left + x;
                d[x] = (floatv)(0.0f);
                if (row_inside && col >= 0 && col < (int)p.from_w)
                    d[x] = load_channels(
                        source + ((size_t)(uint)row * p.from_w + (uint)col) * pixel + c, depth - c,
                        edge);
            }
            transform_pixels(half_way[y], d);
        }
        for (uint x = 0; x < REACH; x++) {
            floatv d[REACH], v[REACH];
            EACH(y, REACH)
            d[y] = half_way[y][x];
            transform_pixels(v, d);
            EACH(y, REACH)
            VSTORE(v[y], 0, to + (y * REACH + x) * apart + c, __local);
        }
    }
}

/* sums[i] (+)= sum over l < n of tiles[i][l] * panel[l] for `rows` <= MR tiles i. */
INLINE void multiply(__local float *sums, __local const float *tiles, uint apart,
    __global const float *panel, uint n, uint rows, int first) {
    __local const float *x[MR];
    floatv acc[MR][NV];
    EACH(i, MR) {
        x[i] = tiles + min(i, rows - 1) * apart;
        EACH(v, NV)
        acc[i][v] = (floatv)(0.0f);
    }
    for (size_t l = 0; l < n; l++) {
        floatv right[NV];
        EACH(v, NV)
        right[v] = vloadv(v, panel);
        EACH(i, MR) {
            const floatv left = (floatv)(x[i][l]);
            EACH(v, NV)
            acc[i][v] = FMA(left, right[v], acc[i][v]);
        }
        panel += NR;
    }
    EACH(i, MR) {
        if (i >= rows)
            continue;
        __local float *to = sums + i * (POSITIONS * NR);
        EACH(v, NV)
        VSTORE(first ? acc[i][v] : acc[i][v] + vloadv(v, to), v, to, __local);
    }
}

/* Some `width` <= VW columns of a tile. */
INLINE void store_tile(__global float *result, __local const float *sums,
    __global const float *bias, place at, uint width, __local float *edge,
    const winograd_params p) {
    floatv half_way[REACH][SIDE]; /* by columns */
    for (uint x = 0; x < REACH; x++) {
        floatv m[REACH];
        EACH(y, REACH)
        m[y] = vloadv(0, sums + (y * REACH + x) * NR);
        transform_back(half_way[x], m);
    }
#if HAS_BIAS
    const floatv add = load_channels(bias, width, edge);
#else
    const floatv add = (floatv)(0.0f);
#endif
    const size_t pixel = p.to_c * p.groups;
    result += (((size_t)at.b * p.to_h + at.y) * p.to_w + at.x) * pixel;
    for (uint y = 0; y < min((uint)SIDE, p.to_h - at.y); y++) {
        floatv m[REACH], pixels[SIDE];
        EACH(x, REACH)
        m[x] = half_way[x][y];
        transform_back(pixels, m);
        for (uint x = 0; x < min((uint)SIDE, p.to_w - at.x); x++) {
            const floatv value = EPILOGUE_VEC(pixels[x], add);
            __global float *to = result + ((size_t)y * p.to_w + x) * pixel;
            if (width == VW) {
                VSTORE(value, 0, to, __global);
            } else {
                VSTORE(value, 0, edge, __local);
                for (uint i = 0; i < width; i++)
                    to[i] = edge[i];
            }
        }
    }
}

/* Work-groups: blocks of columns, blocks of tiles, groups. */
__kernel void conv2d_winograd(__global const float *source, __global const float *turned,
    __global const float *bias, __global float *result, const winograd_params p) {
    __local float memory[LOCAL];
    __local float edge[VW];
    const uint j0 = (uint)get_group_id(0) * p.cols, cols = min(p.cols, p.to_c - j0);
    const uint first_tile = (uint)get_group_id(1) * p.tiles;
    const uint tiles = min(p.tiles, p.batch * p.tiles_down * p.tiles_across - first_tile);
    /* The rest keeps tiles from sharing the lines of a cache set. */
    const uint apart = (p.depth + VW - 1) / VW * VW, tile_apart = POSITIONS * apart + VW;
    __local float *sums = memory + p.tiles * tile_apart;
    const size_t group = get_group_id(2);
    source += group * p.from_c;
    turned += group * ((p.to_c + NR - 1) / NR * POSITIONS) * p.from_c * NR;
    bias += group * p.to_c;
    result += group * p.to_c;
    for (uint c0 = 0; c0 < p.from_c; c0 += p.depth) {
        const uint depth = min(p.depth, p.from_c - c0);
        for (uint t = 0; t < tiles; t++)
            pack_tile(memory + t * tile_apart, source + c0, place_of(first_tile + t, p), depth,
                apart, edge, p);
        for (uint j = 0; j < cols; j += NR)
            for (uint k = 0; k < POSITIONS; k++) {
                __global const float *panel =
                    turned + ((size_t)((j0 + j) / NR * POSITIONS + k) * p.from_c + c0) * NR;
                for (uint s0 = 0; s0 < depth; s0 += RUN)
                    for (uint t = 0; t < tiles; t += MR)
                        multiply(sums + ((j / NR * p.tiles + t) * POSITIONS + k) * NR,
                            memory + t * tile_apart + k * apart + s0, tile_apart, panel + s0 * NR,
                            min((uint)RUN, depth - s0), min((uint)MR, tiles - t), c0 + s0 == 0);
            }
    }
    for (uint t = 0; t < tiles; t++)
        for (uint j = 0; j < cols; j += VW)
            store_tile(result + j0 + j, sums + (j / NR * p.tiles + t) * (POSITIONS * NR) + j % NR,
                bias + j0 + j, place_of(first_tile + t, p), min((uint)VW, cols - j), edge, p);
}
