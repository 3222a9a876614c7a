#version 450
// kernels: recurrent_fwd_tile recurrent_bwd_tile
/* Steps of recurrent networks: the twin of cl/recurrent_tile.cl, with the same buffers, constants,
 * mapping of work and order of summation. Shared memory: GK * (GM + COLUMNS*GN + 2) floats. */
#include "recurrent.h"

layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;
layout(constant_id = 0) const int STAGE = RECURRENT_LSTM;
layout(constant_id = 1) const int BACKWARD = 0;
layout(constant_id = 2) const int GM = 32;
layout(constant_id = 3) const int GN = 16;
layout(constant_id = 4) const int GK = 16;

layout(push_constant, std430) uniform Params {
    RECURRENT_PARAMS(uint)
} p;

#include "elementwise_apply.h"

#define T                    float
#define LOAD(buffer, at)     buffer[at]
#define STORE(v, buffer, at) buffer[at] = (v)
#define CELL_FUNCTION        void
const int COLUMNS = BACKWARD != 0 ? 1 : RECURRENT_GATES(STAGE);

layout(std430, binding = 0) readonly buffer A { float a_rows[]; };
layout(std430, binding = 1) readonly buffer W { float w[]; };
#ifdef recurrent_fwd_tile
layout(std430, binding = 2) readonly buffer X { float x[]; };
layout(std430, binding = 3) buffer Gates { float gates[]; };
layout(std430, binding = 4) buffer States { float states[]; };
layout(std430, binding = 5) buffer Final { float h_final[]; };
layout(std430, binding = 6) buffer Outputs { float outputs[]; };
layout(std430, binding = 7) buffer Extra { float extra[]; };
layout(std430, binding = 8) buffer CellFinal { float c_final[]; };
layout(std430, binding = 9) readonly buffer BiasN { float bias_n[]; };
layout(std430, binding = 10) readonly buffer Lengths { int lengths[]; };
#include "recurrent_fwd.h"
#else
layout(std430, binding = 2) readonly buffer Gates { float gates[]; };
layout(std430, binding = 3) readonly buffer States { float states[]; };
layout(std430, binding = 4) readonly buffer Extra { float extra[]; };
layout(std430, binding = 5) readonly buffer Dout { float dout[]; };
layout(std430, binding = 6) buffer Dgates { float dgates[]; };
layout(std430, binding = 7) buffer Dinner { float dinner[]; };
layout(std430, binding = 8) buffer Carry { float carry[]; };
layout(std430, binding = 9) buffer Dcell { float dcell[]; };
layout(std430, binding = 10) readonly buffer Lengths { int lengths[]; };
#include "recurrent_bwd.h"
#endif

const int GX = int(gl_WorkGroupSize.x);
const int GY = int(gl_WorkGroupSize.y);
const int TM = GM / GY;
const int TN = GN / GX;
const int WIDE = COLUMNS * GN;

shared float at[GK * (GM + 1)];
shared float wt[GK * (WIDE + 1)];

/* Element (l, column q of the tile) of the factor: backward, of the transposed weights. */
uint factor_at(uint l, uint q, uint j0) {
    if (BACKWARD != 0)
        return (j0 + q) * p.width + p.column + l;
    return l * p.width + p.column + q / GN * p.hidden + j0 + q % GN;
}

void main() {
    const uint lx = gl_LocalInvocationID.x, ly = gl_LocalInvocationID.y;
    const uint b0 = gl_WorkGroupID.y * GM, j0 = gl_WorkGroupID.x * GN;
    float acc[TM * TN * COLUMNS];
    for (int u = 0; u < TM * TN * COLUMNS; u++)
        acc[u] = 0.0;
    for (uint l0 = 0; l0 < p.k; l0 += GK) {
        for (uint e = ly * GX + lx; e < GK * GM; e += GX * GY) {
            const uint l = e % GK, i = e / GK;
            float v = 0.0;
            if (l0 + l < p.k && b0 + i < p.batch)
                v = a_rows[p.a_at + (b0 + i) * p.lda + l0 + l];
            at[l * (GM + 1) + i] = v;
        }
        for (uint e = ly * GX + lx; e < GK * WIDE; e += GX * GY) {
            const uint l = BACKWARD != 0 ? e % GK : e / WIDE;
            const uint q = BACKWARD != 0 ? e / GK : e % WIDE;
            float v = 0.0;
            if (l0 + l < p.k && j0 + q % GN < p.hidden)
                v = w[factor_at(l0 + l, q, j0)];
            wt[l * (WIDE + 1) + q] = v;
        }
        barrier();
        for (uint l = 0; l < GK; l++) {
            float av[TM], wv[TN * COLUMNS];
            for (int u = 0; u < TM; u++)
                av[u] = at[l * (GM + 1) + ly + u * GY];
            for (int v = 0; v < TN; v++)
                for (int g = 0; g < COLUMNS; g++)
                    wv[v * COLUMNS + g] = wt[l * (WIDE + 1) + g * GN + lx + v * GX];
            for (int u = 0; u < TM; u++)
                for (int v = 0; v < TN * COLUMNS; v++)
                    acc[u * TN * COLUMNS + v] = fma(av[u], wv[v], acc[u * TN * COLUMNS + v]);
        }
        barrier();
    }
    for (int u = 0; u < TM; u++)
        for (int v = 0; v < TN; v++) {
            const uint b = b0 + ly + u * GY, j = j0 + lx + v * GX;
            if (b < p.batch && j < p.hidden) {
#ifdef recurrent_fwd_tile
                float sums[4];
                for (int g = 0; g < COLUMNS; g++)
                    sums[g] = acc[(u * TN + v) * COLUMNS + g];
                cell_forward(b, j, sums);
#else
                cell_backward(b, j, acc[u * TN + v]);
#endif
            }
        }
}
