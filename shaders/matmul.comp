#version 450
// kernels: matmul_fwd_tile matmul_fwd_reg matmul_fwd_sum
/* Matrix product, float32: C = ACT(op(A) op(B) + bias), row major, batched. Vulkan twin of
 * cl/matmul.cl: same buffers, same parameters, same order of summation (ascending in k; split over
 * k: ascending over the parts).
 *
 * Kernels
 *   matmul_fwd_tile  GPUs: a work-group makes GM x GN elements of C; tiles of A and B pass through
 *                    shared memory
 *   matmul_fwd_reg   CPUs: the same tile of registers, A and B read where they lie. Where shared
 *                    memory is plain memory, copying into it only adds work.
 *   matmul_fwd_sum   adds the parts of a split over k, then the epilogue
 *
 * Bindings: 0 a, 1 b, 2 bias, 3 c; for _sum: 0 parts, 1 bias, 2 c. Layouts as in cl/matmul.cl:
 *   TA=0: (i,l) at i*lda + l, TA=1: at l*lda + i; TB=0: (l,j) at l*ldb + j, TB=1: at j*ldb + l;
 *   c: (i,j) at i*ldc + j. Matrix z of the batch starts at z*sa, z*sb, z*sc (0: shared by all). bias is read
 *   only if HAS_BIAS. Nothing outside the matrices is touched.
 * Work-group (x, y, z): columns x*GN .., rows y*GM .., matrix z (SPLIT: part z % splits of matrix
 *   z / splits, c is scratch with ldc = n, sc = m*n). _sum: work-item x is a column, y a row, z a
 *   matrix.
 * Limits: GM a multiple of local size y, GN of local size x; for _tile GK*GM and GK*GN multiples of
 *   the work-group; shared memory 4*GK*(GM+GN+2) bytes; indices of a buffer fit in 32 bits. */

layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;
layout(constant_id = 0) const int TA = 0;
layout(constant_id = 1) const int TB = 0;
layout(constant_id = 2) const int HAS_BIAS = 0;
layout(constant_id = 3) const int ACT = -1;
layout(constant_id = 4) const int SPLIT = 0;
layout(constant_id = 5) const int GM = 64;
layout(constant_id = 6) const int GN = 64;
layout(constant_id = 7) const int GK = 16;

layout(push_constant, std430) uniform Params {
    uint m, n, k;
    uint lda, ldb, ldc;
    uint sa, sb, sc;
    uint rows, cols;    /* CPU kernels of OpenCL only */
    uint kc;            /* likewise */
    uint splits, kper;
    float act_k; /* the activation's immediate */
} p;

#include "elementwise_apply.h"
ELEMENTWISE_FUNCTION(apply, float)

float activate(float v) {
    return apply(ACT, v, 0.0, 0.0, p.act_k);
}

#ifdef matmul_fwd_sum
layout(std430, binding = 0) readonly buffer Part { float part[]; };
layout(std430, binding = 1) readonly buffer Bias { float bias[]; };
layout(std430, binding = 2) buffer C { float c[]; };

void main() {
    const uint j = gl_GlobalInvocationID.x, i = gl_GlobalInvocationID.y;
    const uint z = gl_GlobalInvocationID.z;
    if (j >= p.n || i >= p.m)
        return;
    const uint one = p.m * p.n;
    uint at = z * p.splits * one + i * p.n + j;
    float s = 0.0;
    for (uint q = 0; q < p.splits; q++, at += one)
        s += part[at];
    const uint at_c = z * p.sc + i * p.ldc + j;
    if (HAS_BIAS != 0)
        s += bias[j];
    c[at_c] = activate(s);
}
#else
layout(std430, binding = 0) readonly buffer A { float a[]; };
layout(std430, binding = 1) readonly buffer B { float b[]; };
layout(std430, binding = 2) readonly buffer Bias { float bias[]; };
layout(std430, binding = 3) buffer C { float c[]; };

const int GX = int(gl_WorkGroupSize.x);
const int GY = int(gl_WorkGroupSize.y);
const int TM = GM / GY;
const int TN = GN / GX;

void store(uint i, uint j, uint base_c, float s) {
    if (i < p.m && j < p.n) {
        const uint at = base_c + i * p.ldc + j;
        if (SPLIT == 0) {
            if (HAS_BIAS != 0)
                s += bias[j];
            s = activate(s);
        }
        c[at] = s;
    }
}

#ifdef matmul_fwd_tile
shared float at[GK * (GM + 1)];
shared float bt[GK * (GN + 1)];
#endif

void main() {
    const uint x = gl_LocalInvocationID.x, y = gl_LocalInvocationID.y;
    const uint i0 = gl_WorkGroupID.y * GM, j0 = gl_WorkGroupID.x * GN, z = gl_WorkGroupID.z;
    uint zi = z, lbegin = 0, lend = p.k;
    if (SPLIT != 0) {
        zi = z / p.splits;
        lbegin = (z % p.splits) * p.kper;
        lend = min(lbegin + p.kper, p.k);
    }
    const uint base_a = zi * p.sa, base_b = zi * p.sb, base_c = z * p.sc;
    float acc[TM * TN];
    for (int u = 0; u < TM * TN; u++)
        acc[u] = 0.0;

#ifdef matmul_fwd_tile
    const uint t = y * GX + x;
    for (uint l0 = lbegin; l0 < lend; l0 += GK) {
        /* Neighbours read neighbouring addresses of the stored rows. */
        for (uint q = t; q < GK * GM; q += GX * GY) {
            const uint l = TA != 0 ? q / GM : q % GK, i = TA != 0 ? q % GM : q / GK;
            const uint gi = i0 + i, gl = l0 + l;
            float v = 0.0;
            if (gi < p.m && gl < lend)
                v = a[base_a + (TA != 0 ? gl * p.lda + gi : gi * p.lda + gl)];
            at[l * (GM + 1) + i] = v;
        }
        for (uint q = t; q < GK * GN; q += GX * GY) {
            const uint l = TB != 0 ? q % GK : q / GN, j = TB != 0 ? q / GK : q % GN;
            const uint gj = j0 + j, gl = l0 + l;
            float v = 0.0;
            if (gj < p.n && gl < lend)
                v = b[base_b + (TB != 0 ? gj * p.ldb + gl : gl * p.ldb + gj)];
            bt[l * (GN + 1) + j] = v;
        }
        barrier();
        for (uint l = 0; l < GK; l++) {
            float av[TM], bv[TN];
            for (int u = 0; u < TM; u++)
                av[u] = at[l * (GM + 1) + y + u * GY];
            for (int v = 0; v < TN; v++)
                bv[v] = bt[l * (GN + 1) + x + v * GX];
            for (int u = 0; u < TM; u++)
                for (int v = 0; v < TN; v++)
                    acc[u * TN + v] = fma(av[u], bv[v], acc[u * TN + v]);
        }
        barrier();
    }
#else
    /* Rows and columns past the edge read the last one's values instead; their results are not
     * stored. */
    uint pa[TM], pb[TN];
    for (int u = 0; u < TM; u++) {
        const uint i = min(i0 + y + u * GY, p.m - 1);
        pa[u] = base_a + (TA != 0 ? i : i * p.lda);
    }
    for (int v = 0; v < TN; v++) {
        const uint j = min(j0 + x + v * GX, p.n - 1);
        pb[v] = base_b + (TB != 0 ? j * p.ldb : j);
    }
    const uint sta = TA != 0 ? p.lda : 1, stb = TB != 0 ? 1 : p.ldb;
    for (uint l = lbegin; l < lend; l++) {
        float av[TM], bv[TN];
        for (int u = 0; u < TM; u++)
            av[u] = a[pa[u] + l * sta];
        for (int v = 0; v < TN; v++)
            bv[v] = b[pb[v] + l * stb];
        for (int u = 0; u < TM; u++)
            for (int v = 0; v < TN; v++)
                acc[u * TN + v] = fma(av[u], bv[v], acc[u * TN + v]);
    }
#endif
    for (int u = 0; u < TM; u++)
        for (int v = 0; v < TN; v++)
            store(i0 + y + u * GY, j0 + x + v * GX, base_c, acc[u * TN + v]);
}
#endif
