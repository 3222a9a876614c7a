/* Steps of recurrent networks where work-items run side by side (GPUs): recurrent.h has the
 * layouts, recurrent_fwd.h and recurrent_bwd.h the cells. shaders/recurrent_tile.comp is the same
 * for Vulkan.
 *
 * Work-group (x, y) makes units x*GN .. of samples y*GM ..: the product's columns of all their
 * gates, with tiles of rows and weights in local memory, GK steps over k at a time. A work-item
 * has every LOCAL_X-th unit and every LOCAL_Y-th sample, with all gates, whose cells it computes
 * then. Sums are ascending in k.
 *
 * Buffers: 0 a, rows (see recurrent_params), 1 the weights (hidden, width), then those of the
 * cells. Constants: STAGE; BACKWARD; GM a multiple of LOCAL_Y, GN of
 * LOCAL_X; GK. Local memory: GK * (GM + COLUMNS*GN + 2) floats. */
#include "recurrent.h"

#ifndef STAGE
#define STAGE RECURRENT_LSTM
#endif
#ifndef BACKWARD
#define BACKWARD 0
#endif
#ifndef GM
#define GM 32
#endif
#ifndef GN
#define GN 16
#endif
#ifndef GK
#define GK 16
#endif
#ifndef LOCAL_X
#define LOCAL_X 16
#define LOCAL_Y 8
#endif

#include "elementwise_apply.h"
#include "fma.h"

typedef float T;
typedef struct {
    RECURRENT_PARAMS(uint)
} recurrent_params;

#define COLUMNS              (BACKWARD ? 1 : RECURRENT_GATES(STAGE))
#define TM                   (GM / LOCAL_Y)
#define TN                   (GN / LOCAL_X)
#define WIDE                 (COLUMNS * GN)
#define LOAD(buffer, at)     (buffer)[at]
#define STORE(v, buffer, at) (buffer)[at] = (v)
#define CELL_FUNCTION        __attribute__((always_inline)) static inline void
#define EACH(i, n)           _Pragma("unroll") for (uint i = 0; i < (n); i++)
#define TILE_GROUP           __attribute__((reqd_work_group_size(LOCAL_X, LOCAL_Y, 1)))
#if BACKWARD
#include "recurrent_bwd.h"
#else
#include "recurrent_fwd.h"
#endif

/* Element (l, column q of a tile) of the factor: backward, of the transposed weights. */
#if BACKWARD
#define FACTOR_STEP(e)   ((e) % GK)
#define FACTOR_COLUMN(e) ((e) / GK)
#define FACTOR(l, q)     w[(size_t)(j0 + (q)) * p.width + p.column + (l)]
#else
#define FACTOR_STEP(e)   ((e) / WIDE)
#define FACTOR_COLUMN(e) ((e) % WIDE)
#define FACTOR(l, q)     w[(size_t)(l)*p.width + p.column + (q) / GN * p.hidden + j0 + (q) % GN]
#endif

CELL_FUNCTION product(__global const float *a, __global const float *w,
    __local float at[GK][GM + 1], __local float wt[GK][WIDE + 1], const recurrent_params p,
    float acc[TM][TN][COLUMNS]) {
    const uint x = (uint)get_local_id(0), y = (uint)get_local_id(1), self = y * LOCAL_X + x;
    const uint b0 = (uint)get_group_id(1) * GM, j0 = (uint)get_group_id(0) * GN;
    EACH(u, TM) {
        EACH(v, TN) {
            EACH(g, COLUMNS)
            acc[u][v][g] = 0.0f;
        }
    }
    for (uint l0 = 0; l0 < p.k; l0 += GK) {
        for (uint e = self; e < GK * GM; e += LOCAL_X * LOCAL_Y) {
            const uint l = e % GK, i = e / GK;
            const int inside = l0 + l < p.k && b0 + i < p.batch;
            at[l][i] = inside ? a[p.a_at + (size_t)(b0 + i) * p.lda + l0 + l] : 0.0f;
        }
        for (uint e = self; e < GK * WIDE; e += LOCAL_X * LOCAL_Y) {
            const uint l = FACTOR_STEP(e), q = FACTOR_COLUMN(e);
            const int inside = l0 + l < p.k && j0 + q % GN < p.hidden;
            wt[l][q] = inside ? FACTOR(l0 + l, q) : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (uint l = 0; l < GK; l++) {
            float av[TM], wv[TN * COLUMNS];
            EACH(u, TM)
            av[u] = at[l][y + u * LOCAL_Y];
            EACH(v, TN) {
                EACH(g, COLUMNS)
                wv[v * COLUMNS + g] = wt[l][g * GN + x + v * LOCAL_X];
            }
            EACH(u, TM) {
                EACH(v, TN) {
                    EACH(g, COLUMNS)
                    acc[u][v][g] = FMA(av[u], wv[v * COLUMNS + g], acc[u][v][g]);
                }
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}

__kernel TILE_GROUP void recurrent_fwd_tile(__global const float *a, __global const float *w,
    __global const float *x, __global float *gates, __global float *states, __global float *h_final,
    __global float *outputs, __global float *extra, __global float *c_final,
    __global const float *bias_n, __global const int *lengths, const recurrent_params p) {
    __local float at[GK][GM + 1];
    __local float wt[GK][WIDE + 1];
    float acc[TM][TN][COLUMNS];
    product(a, w, at, wt, p, acc);
    EACH(u, TM) {
        const uint b = (uint)get_group_id(1) * GM + (uint)get_local_id(1) + u * LOCAL_Y;
        EACH(v, TN) {
            const uint j = (uint)get_group_id(0) * GN + (uint)get_local_id(0) + v * LOCAL_X;
            if (b < p.batch && j < p.hidden)
                cell_forward(b, j, acc[u][v], p, x, gates, states, h_final, outputs, extra, c_final,
                    bias_n, lengths);
        }
    }
}

__kernel TILE_GROUP void recurrent_bwd_tile(__global const float *a, __global const float *w,
    __global const float *gates, __global const float *states, __global const float *extra,
    __global const float *dout, __global float *dgates, __global float *dinner,
    __global float *carry, __global float *dcell, __global const int *lengths,
    const recurrent_params p) {
    __local float at[GK][GM + 1];
    __local float wt[GK][WIDE + 1];
    float acc[TM][TN][COLUMNS];
    product(a, w, at, wt, p, acc);
    EACH(u, TM) {
        const uint b = (uint)get_group_id(1) * GM + (uint)get_local_id(1) + u * LOCAL_Y;
        EACH(v, TN) {
            const uint j = (uint)get_group_id(0) * GN + (uint)get_local_id(0) + v * LOCAL_X;
            if (b < p.batch && j < p.hidden)
                cell_backward(b, j, acc[u][v][0], p, gates, states, extra, dout, dgates, dinner,
                    carry, dcell, lengths);
        }
    }
}
