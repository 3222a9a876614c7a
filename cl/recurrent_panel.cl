/* Steps of recurrent networks on CPUs: recurrent.h has the layouts.
 *
 * Kernels
 *   recurrent_pack       packs the recurrent weights, once for all steps
 *   recurrent_fwd_panel  a step forward: rows of states times the weights, then the gates
 *   recurrent_bwd_panel  a step backward: rows of gates' gradients times the transposed weights
 *
 * A tile is NV = COLUMNS * UNITS vectors wide: the columns of all gates of UNITS * VW units, so
 * that what the gates need of each other lies in one work-group. Packed weights are tiles, one
 * behind the other, each k rows of NV vectors; units past the last are zeros.
 *
 * Work-group (x, y) makes `tiles` tiles of `rows` samples: it passes panels of MR rows, packed into
 * local memory, over blocks of KC rows of its tiles; the sums stay in local memory until their
 * cells are computed. Sums are ascending in k, so that results repeat bit for bit.
 *
 * Buffers: recurrent_fwd.h, recurrent_bwd.h, and before them 0 a, rows (see recurrent_params), 1
 * the packed weights. recurrent_pack: 0 weights (hidden, width), 1 packed.
 *
 * Constants: BACKWARD; COLUMNS of the product for each unit: RECURRENT_GATES(STAGE) or, backward,
 * 1; VW lanes of a vector; STAGE; MR; KC; CP floats of sums, at least rows, rounded up to MR, times
 * tiles * NV * VW. Local memory: MR*(KC+16) + CP floats. */
#include "recurrent.h"

#ifndef STAGE
#define STAGE RECURRENT_LSTM
#endif
#ifndef COLUMNS
#define COLUMNS 4 /* of the product, for each unit */
#endif
#ifndef VW
#define VW 16
#endif
#ifndef MR
#define MR 6
#endif
#ifndef KC
#define KC 512
#endif
#ifndef CP
#define CP 32768
#endif
#ifndef BACKWARD
#define BACKWARD 0
#endif

#define WIDTH VW
#include "elementwise_apply.h"
#include "fma.h"
#include "rows.h"

#define UNITS          (COLUMNS == 1 ? 2 : 1)
#define NV             (COLUMNS * UNITS)
#define NR             (NV * VW)
#define AP_ROW         (KC + 16) /* odd in lines: rows share no cache set */
#define EACH(i, n)     _Pragma("unroll") for (uint i = 0; i < (n); i++)
#define ALWAYS         __attribute__((always_inline)) static inline
#define ROUND_UP(n, m) (((n) + (m)-1) / (m) * (m))

typedef vec T;

typedef struct {
    RECURRENT_PARAMS(uint)
} recurrent_params;

typedef struct {
    uint hidden, width;
    uint column; /* the first column that is packed */
    uint k;      /* rows of a tile: forward hidden, backward the columns that are packed */
} pack_params;

/* d[r][x] = the element of row r, column x of a tile, for VW units from j on; a lane past the last
 * unit is 0. */
__kernel void recurrent_pack(__global const float *w, __global float *packed, const pack_params p) {
    const uint tile = (uint)get_group_id(0);
    __global float *d = packed + (size_t)tile * p.k * NR;
    for (uint u = 0; u < UNITS; u++) {
        const uint j = (tile * UNITS + u) * VW;
        const uint left = j < p.hidden ? min(p.hidden - j, (uint)VW) : 0;
#if BACKWARD
        __global const float *from = w + (size_t)j * p.width + p.column;
        uint l = 0;
        /* VW x VW blocks through registers: log2(VW) perfect shuffles of the rows are a
         * transposition. */
        for (; left == VW && l + VW <= p.k; l += VW) {
            vec t[VW], s[VW];
            EACH(x, VW)
            t[x] = vec_load(0, from + (size_t)x * p.width + l);
            _Pragma("unroll") for (uint h = 1; h < VW; h *= 2) {
                EACH(x, VW / 2) {
                    s[2 * x].even = t[x].lo;
                    s[2 * x].odd = t[x + VW / 2].lo;
                    s[2 * x + 1].even = t[x].hi;
                    s[2 * x + 1].odd = t[x + VW / 2].hi;
                }
                EACH(x, VW)
                t[x] = s[x];
            }
            EACH(x, VW)
            vec_store(t[x], u, d + (size_t)(l + x) * NR);
        }
        for (; l < p.k; l++)
            for (uint x = 0; x < VW; x++)
                d[(size_t)l * NR + u * VW + x] = x < left ? from[(size_t)x * p.width + l] : 0.0f;
#else
        for (uint l = 0; l < p.k; l++)
            for (uint g = 0; g < COLUMNS; g++) {
                const size_t at = (size_t)l * p.width + p.column + g * p.hidden + j;
                vec_store(left ? part_load(w + at, 0, left, 0.0f) : (vec)(0.0f), g * UNITS + u,
                    d + (size_t)l * NR);
            }
#endif
    }
}

/* A register tile: c = a b + (first ? 0 : c) for MR rows and NV vectors. */
ALWAYS void micro(
    uint kc, __local const float *ap, __global const float *bp, __local float *c, uint first) {
    vec acc[MR][NV];
    EACH(i, MR) {
        EACH(v, NV)
        acc[i][v] = first ? (vec)(0.0f) : vec_load(v, c + i * NR);
    }
    for (uint l = 0; l < kc; l++) {
        vec b[NV];
        EACH(v, NV)
        b[v] = vec_load(v, bp);
        EACH(i, MR) {
            const vec x = (vec)(ap[i * AP_ROW]);
            EACH(v, NV)
            acc[i][v] = FMA(x, b[v], acc[i][v]);
        }
        ap++;
        bp += NR;
    }
    EACH(i, MR) {
        EACH(v, NV)
        vec_store(acc[i][v], v, c + i * NR);
    }
}

/* Rows of a, kc long, and zeros up to MR rows. */
ALWAYS void pack_rows(__local float *ap, __global const float *a, size_t lda, uint kc, uint rows) {
    for (uint i = 0; i < MR; i++) {
        __local float *d = ap + i * AP_ROW;
        if (i < rows) {
            uint l = 0;
            for (; l + VW <= kc; l += VW)
                vec_store(vec_load(0, a + i * lda + l), 0, d + l);
            for (; l < kc; l++)
                d[l] = a[i * lda + l];
        } else {
            for (uint l = 0; l < kc; l++)
                d[l] = 0.0f;
        }
    }
}

/* c: for each panel of rows, for each tile, MR x NR sums. b0 .. is the group's samples. */
ALWAYS void product(__global const float *a, __global const float *packed, __local float *ap,
    __local float *c, const recurrent_params *p, uint b0, uint rows, uint tile0, uint tiles) {
    uint l = 0;
    do {
        const uint kc = min(p->k - l, (uint)KC);
        for (uint i = 0; i < rows; i += MR) {
            pack_rows(ap, a + p->a_at + (size_t)(b0 + i) * p->lda + l, p->lda, kc, rows - i);
            for (uint tile = 0; tile < tiles; tile++)
                micro(kc, ap, packed + ((size_t)(tile0 + tile) * p->k + l) * NR,
                    c + (i * tiles + tile * MR) * NR, l == 0);
        }
        l += kc;
    } while (l < p->k);
}

/* Vector v of unit `unit` (counted from the group's first vector of units) of sample i. */
ALWAYS vec sum_at(__local const float *c, uint tiles, uint i, uint unit, uint v) {
    const uint panel = i / MR * tiles + unit / UNITS;
    return vec_load(v * UNITS + unit % UNITS, c + (panel * MR + i % MR) * NR);
}

#define LOAD(buffer, at)     part_load(buffer, at, (at) + left, 0.0f)
#define STORE(v, buffer, at) part_store(v, buffer, at, (at) + left)
#define left                 min(p.hidden - j, (uint)VW)
#define CELL_FUNCTION        ALWAYS void
#if BACKWARD
#include "recurrent_bwd.h"
#else
#include "recurrent_fwd.h"
#endif

__kernel void recurrent_fwd_panel(__global const float *a, __global const float *packed,
    __global const float *x, __global float *gates, __global float *states, __global float *h_final,
    __global float *outputs, __global float *extra, __global float *c_final,
    __global const float *bias_n, __global const int *lengths, const recurrent_params p) {
    __local float ap[MR * AP_ROW];
    __local float c[CP];
    const uint tile0 = (uint)get_group_id(0) * p.tiles, j0 = tile0 * UNITS * VW;
    const uint j1 = min(j0 + p.tiles * UNITS * VW, p.hidden);
    const uint tiles = (j1 - j0 + UNITS * VW - 1) / (UNITS * VW);
    const uint b0 = (uint)get_group_id(1) * p.rows, rows = min(p.rows, p.batch - b0);
    product(a, packed, ap, c, &p, b0, rows, tile0, tiles);
    for (uint i = 0; i < rows; i++)
        for (uint j = j0; j < j1; j += VW) {
            vec sums[4];
            EACH(g, COLUMNS)
            sums[g] = sum_at(c, tiles, i, (j - j0) / VW, g);
            cell_forward(b0 + i, j, sums, p, x, gates, states, h_final, outputs, extra, c_final,
                bias_n, lengths);
        }
}

__kernel void recurrent_bwd_panel(__global const float *a, __global const float *packed,
    __global const float *gates, __global const float *states, __global const float *extra,
    __global const float *dout, __global float *dgates, __global float *dinner,
    __global float *carry, __global float *dcell, __global const int *lengths,
    const recurrent_params p) {
    __local float ap[MR * AP_ROW];
    __local float c[CP];
    const uint tile0 = (uint)get_group_id(0) * p.tiles, j0 = tile0 * UNITS * VW;
    const uint j1 = min(j0 + p.tiles * UNITS * VW, p.hidden);
    const uint tiles = (j1 - j0 + UNITS * VW - 1) / (UNITS * VW);
    const uint b0 = (uint)get_group_id(1) * p.rows, rows = min(p.rows, p.batch - b0);
    product(a, packed, ap, c, &p, b0, rows, tile0, tiles);
    for (uint i = 0; i < rows; i++)
        for (uint j = j0; j < j1; j += VW)
            cell_backward(b0 + i, j, sum_at(c, tiles, i, (j - j0) / VW, 0), p, gates, states, extra,
                dout, dgates, dinner, carry, dcell, lengths);
}
