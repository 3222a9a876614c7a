/* Matrix product, float32: C = ACT(op(A) op(B) + bias), row major, batched.
 *
 * Kernels
 *   matmul_fwd_panel  CPUs: a work-item is a thread that owns a block of C and packs into local
 *                     memory
 *   matmul_fwd_row    CPUs: very few rows of C, reads B where it lies
 *   matmul_fwd_tile   GPUs: a work-group makes a tile of C, tiles of A and B in local memory
 *   matmul_fwd_sum    adds the parts of a split over k, in a fixed order, then the epilogue
 *
 * Buffers, in binding order
 *   a     op(A) is m x k. TA=0: element (i,l) at i*lda + l. TA=1: at l*lda + i.
 *   b     op(B) is k x n. TB=0: element (l,j) at l*ldb + j. TB=1: at j*ldb + l.
 *   bias  n floats, read only if HAS_BIAS; bind any buffer otherwise.
 *   c     element (i,j) at i*ldc + j. May not overlap a, b or bias.
 *   Matrix z of the batch starts at z*sa, z*sb, z*sc; a stride of 0 shares one matrix between all.
 *   Nothing outside the matrices is read or written, so buffers need no padding; no alignment is
 *   assumed beyond that of a float.
 *
 * Split over k (SPLIT=1, _panel and _tile): c is scratch of batch*splits matrices of m x n, with
 * ldc = n and sc = m*n; grid z counts batch*splits; bias and activation wait for matmul_fwd_sum.
 *
 * Order of summation: ascending in l inside a block of kc, then ascending over blocks, then over
 * splits. It depends on the shape and the constants only, never on timing: results repeat bit for
 * bit.
 *
 * Constants (all integers): see the defaults below. Limits: every matrix of the batch, and each
 * index of it, fits in 32 bits; the batch as a whole need not. Local memory, in floats:
 * BP + MR*(KC+16+NR) for _panel, GK*(GM+GN+2) for _tile.
 */
#ifndef TA
#define TA 0 /* A is stored transposed */
#endif
#ifndef TB
#define TB 0 /* B is stored transposed */
#endif
#ifndef HAS_BIAS
#define HAS_BIAS 0
#endif
#ifndef ACT
#define ACT -1 /* row of the elementwise table, -1: none */
#endif
#ifndef SPLIT
#define SPLIT 0 /* 1: write partial products of a split over k */
#endif

/* CPU block sizes. MR x (NV*VW) accumulators, NV vectors of B and one of A must fit in the vector
 * registers: 14 x 2 vectors of 16 for AVX-512 and its 32 registers, 6 x 2 of 8 for AVX2, 6 x 2 of 4
 * for SSE; on Neon (32 registers of 4) 8 x 3 does not divide well, 12 x 2 does. */
#ifndef VW
#define VW 16
#endif
#ifndef MR
#define MR 14
#endif
#ifndef NV
#define NV 2
#endif
/* Largest block over k, and floats of packed B: about half of the second-level cache, where they
 * stay while all rows of A pass by. */
#ifndef KC
#define KC 512
#endif
#ifndef BP
#define BP 147456
#endif
/* GPU: a work-group makes GM x GN elements of C, GK steps over k at a time. */
#ifndef GM
#define GM 64
#endif
#ifndef GN
#define GN 64
#endif
#ifndef GK
#define GK 16
#endif

#define MM_CAT_(x, y) x##y
#define MM_CAT(x, y)  MM_CAT_(x, y)
#define floatv        MM_CAT(float, VW)
#define vloadv        MM_CAT(vload, VW)
#define NR            (NV * VW)
#define EACH(i, n)    _Pragma("unroll") for (uint i = 0; i < (n); i++)
#define INLINE        __attribute__((always_inline)) static inline void

/* PoCL 3.1 takes vstore16 apart into four stores; Clang's unaligned vector type stores in one. */
#ifdef __clang__
typedef floatv floatv_anywhere __attribute__((aligned(4)));
#define VSTORE(x, i, p, SPACE) (*(SPACE floatv_anywhere *)((p) + (i) * VW) = (x))
#else
#define VSTORE(x, i, p, SPACE) MM_CAT(vstore, VW)(x, i, p)
#endif

#include "elementwise_apply.h"
#include "fma.h"
#if HAS_BIAS && !SPLIT
#define BIAS_AT(load) (load)
#else
#define BIAS_AT(load) 0.0f
#endif
#if ACT >= 0 && !SPLIT
ELEMENTWISE_FUNCTION(activate, float)
ELEMENTWISE_FUNCTION(activate_vec, floatv)
#define EPILOGUE(v, col) activate(ACT, (v) + (col), 0.0f, 0.0f, p.act_k)
#define EPILOGUE_VEC(v, col)                                                                       \
    activate_vec(ACT, (v) + (col), (floatv)(0.0f), (floatv)(0.0f), p.act_k)
#else
#define EPILOGUE(v, col)     ((v) + (col))
#define EPILOGUE_VEC(v, col) ((v) + (col))
#endif

typedef struct {
    uint m, n, k;
    uint lda, ldb, ldc; /* elements from one stored row to the next */
    uint sa, sb, sc;    /* elements from one matrix of the batch to the next */
    uint rows, cols;    /* _panel, _row: part of C of one work-group, cols a multiple of NR */
    uint kc;            /* _panel: length of a block over k, <= KC; kc*cols <= BP */
    uint splits, kper;  /* parts of a split over k (1 if none), length of each (k if none) */
    float act_k;        /* the activation's immediate */
} matmul_params;

/* A tile's lines of C come early, while the products are formed. Not OpenCL C, so only where a
 * compiler that knows it makes a processor's own code: on the way to SPIR-V it cannot be translated. */
#if defined(__clang__) && (defined(__x86_64__) || defined(__aarch64__))
#define PREFETCH(p) __builtin_prefetch((const void *)(size_t)(p), 1, 3)
#else
#define PREFETCH(p)
#endif

/* Packed A. Stored rows are copied as they are, which costs a vector copy and no shuffle: rows of
 * the panel are AP_ROW apart and steps over k AP_K apart. The odd length of a row keeps its lines
 * in different cache sets. */
#if TA
#define AP_ROW  1
#define AP_K    16
#define AP_SIZE (KC * 16)
#else
#define AP_ROW  (KC + 16)
#define AP_K    1
#define AP_SIZE (MR * AP_ROW)
#endif

/* One register tile: R x NR elements of C (R is a constant once inlined), c = ap bp + (first ? 0 :
 * c). It comes for C itself and for a tile in local memory, since OpenCL C 1.2 has no generic
 * address space. */
#define MICRO(name, SPACE)                                                                         \
    INLINE name(const uint R, uint kc, __local const float *ap, __local const float *bp,           \
        SPACE float *c, uint ldc, int first) {                                                     \
        floatv acc[MR][NV];                                                                        \
        EACH(i, R) {                                                                               \
            EACH(v, NV)                                                                            \
                acc[i][v] = (floatv)(0.0f);                                                        \
        }                                                                                          \
        EACH(i, R) {                                                                               \
            EACH(line, (NR + 15) / 16)                                                             \
                PREFETCH(c + (size_t)i * ldc + line * 16);                                         \
        }                                                                                          \
        for (uint l = 0; l < kc; l++) {                                                            \
            floatv b[NV];                                                                          \
            EACH(v, NV)                                                                            \
                b[v] = vloadv(v, bp);                                                              \
            EACH(i, R) {                                                                           \
                const floatv x = (floatv)(ap[i * AP_ROW]);                                         \
                EACH(v, NV)                                                                        \
                    acc[i][v] = FMA(x, b[v], acc[i][v]);                                           \
            }                                                                                      \
            ap += AP_K;                                                                            \
            bp += NR;                                                                              \
        }                                                                                          \
        if (first) {                                                                               \
            EACH(i, R) {                                                                           \
                EACH(v, NV)                                                                        \
                    VSTORE(acc[i][v], v, c + (size_t)i * ldc, SPACE);                              \
            }                                                                                      \
        } else {                                                                                   \
            EACH(i, R) {                                                                           \
                SPACE float *to = c + (size_t)i * ldc;                                             \
                EACH(v, NV)                                                                        \
                    VSTORE(acc[i][v] + vloadv(v, to), v, to, SPACE);                               \
            }                                                                                      \
        }                                                                                          \
    }
MICRO(micro_global, __global)
MICRO(micro_local, __local)

/* d[l*NR + x] = op(B)(l, x) for l < kc, x < w; b points at op(B)(0, 0). Columns w .. NR-1 only feed
 * lanes that are not stored, so they may hold anything: `room`, the floats from b to the end of the
 * matrix, says how long whole vectors may be read across the end of a stored row. */
INLINE pack_b(__local float *d, __global const float *b, uint ldb, uint kc, uint w, size_t room) {
#if TB
    uint l0 = 0;
    if (w == NR) {
        /* VW x VW blocks through registers: log2(VW) perfect shuffles of the rows are a
         * transposition. */
        for (; l0 + VW <= kc; l0 += VW) {
            for (uint v = 0; v < NV; v++) {
                __global const float *s = b + (size_t)(v * VW) * ldb + l0;
                floatv t[VW], u[VW];
                EACH(x, VW)
                    t[x] = vloadv(0, s + (size_t)x * ldb);
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
                    VSTORE(t[x], 0, d + (l0 + x) * NR + v * VW, __local);
            }
        }
    }
    for (uint x = 0; x < NR; x++)
        for (uint l = l0; l < kc; l++)
            d[l * NR + x] = x < w ? b[(size_t)x * ldb + l] : 0.0f;
#else
    uint l = 0;
    for (; l < kc && (size_t)l * ldb + NR <= room; l++) {
        EACH(v, NV)
            VSTORE(vloadv(v, b + (size_t)l * ldb), v, d + l * NR, __local);
    }
    for (; l < kc; l++)
        for (uint x = 0; x < NR; x++)
            d[l * NR + x] = x < w ? b[(size_t)l * ldb + x] : 0.0f;
#endif
}

/* r rows of op(A), kc long, and zeros up to row `fill`. a points at op(A)(0, 0); `whole` says that
 * AP_K columns of a stored row may be read. */
INLINE pack_a(
    __local float *ap, __global const float *a, uint lda, uint kc, uint r, uint fill, int whole) {
#if TA
    if (whole) {
        for (uint l = 0; l < kc; l++) {
            EACH(v, AP_K / VW)
                VSTORE(vloadv(v, a), v, ap, __local);
            a += lda;
            ap += AP_K;
        }
    } else {
        for (uint l = 0; l < kc; l++) {
            for (uint x = 0; x < AP_K; x++)
                ap[x] = x < r ? a[x] : 0.0f;
            a += lda;
            ap += AP_K;
        }
    }
#else
    for (uint x = 0; x < r; x++) {
        uint l = 0;
        for (; l + VW <= kc; l += VW)
            VSTORE(vloadv(0, a + l), 0, ap + l, __local);
        for (; l < kc; l++)
            ap[l] = a[l];
        a += lda;
        ap += AP_ROW;
    }
    for (uint x = r; x < fill; x++) {
        for (uint l = 0; l < kc; l++)
            ap[l] = 0.0f;
        ap += AP_ROW;
    }
#endif
}

/* Work-group (x, y, z) owns columns x*cols .. and rows y*rows .. of matrix z (with SPLIT: of part
 * z % splits of matrix z / splits). It packs a block of B, kc x cols, once, then passes all its
 * rows of A over it, a panel of MR rows at a time. Blocks over k accumulate in c. */
__kernel void matmul_fwd_panel(__global const float *a, __global const float *b,
    __global const float *bias, __global float *c, const matmul_params p) {
    __local float ap[AP_SIZE];
    __local float bp[BP];
    __local float edge[MR * NR];
    const uint j0 = (uint)get_group_id(0) * p.cols;
    const uint i0 = (uint)get_group_id(1) * p.rows;
    const uint nc = min(p.cols, p.n - j0);
    const uint mc = min(p.rows, p.m - i0);
    const size_t z = get_group_id(2);
#if SPLIT
    const size_t zi = z / p.splits;
    const uint lbegin = (uint)(z % p.splits) * p.kper;
    const uint lend = min(lbegin + p.kper, p.k);
#else
    const size_t zi = z;
    const uint lbegin = 0, lend = p.k;
#endif
    a += zi * p.sa;
    b += zi * p.sb + (TB ? (size_t)j0 * p.ldb : (size_t)j0);
    c += z * p.sc + (size_t)i0 * p.ldc + j0;
    for (uint l0 = lbegin; l0 < lend; l0 += p.kc) {
        const uint kc = min(p.kc, lend - l0);
        const int first = l0 == lbegin, last = l0 + kc == lend;
#if !TB
        /* Whole rows of B in turn: one stored row is contiguous, a column of tiles is not. */
        const uint nf = nc / NR * NR;
        for (uint l = 0; l < kc; l++) {
            __global const float *s = b + (size_t)(l0 + l) * p.ldb;
            for (uint j = 0; j < nf; j += NR) {
                EACH(v, NV)
                    VSTORE(vloadv(v, s + j), v, bp + j * kc + l * NR, __local);
            }
        }
        if (nf < nc)
            pack_b(bp + nf * kc, b + (size_t)l0 * p.ldb + nf, p.ldb, kc, nc - nf,
                (size_t)(p.k - 1 - l0) * p.ldb + p.n - j0 - nf);
#else
        for (uint j = 0; j < nc; j += NR)
            pack_b(bp + j * kc, b + (size_t)j * p.ldb + l0, p.ldb, kc, min((uint)NR, nc - j), 0);
#endif
        uint r;
        for (uint i = 0; i < mc; i += r) {
            /* Rows that do not fill a panel go in fours and ones, unless a lone edge tile hides the
             * difference. */
            const uint left = mc - i;
            r = left >= MR ? MR : nc < NR ? left : left >= 4 ? 4 : 1;
            const size_t from = TA ? (size_t)l0 * p.lda + i0 + i : (size_t)(i0 + i) * p.lda + l0;
            pack_a(ap, a + from, p.lda, kc, r, nc % NR ? MR : r, i0 + i + AP_K <= p.m);
            for (uint j = 0; j < nc; j += NR) {
                const uint w = min((uint)NR, nc - j);
                __local const float *bj = bp + j * kc;
                __global float *ct = c + (size_t)i * p.ldc + j;
                if (w == NR) {
                    if (r == MR)
                        micro_global(MR, kc, ap, bj, ct, p.ldc, first);
#if MR > 4
                    else if (r == 4)
                        micro_global(4, kc, ap, bj, ct, p.ldc, first);
#endif
                    else
                        micro_global(1, kc, ap, bj, ct, p.ldc, first);
#if !SPLIT && (HAS_BIAS || ACT >= 0)
                    for (uint x = 0; last && x < r; x++) {
                        __global float *to = ct + (size_t)x * p.ldc;
                        EACH(v, NV) {
                            const floatv col = (floatv)BIAS_AT(vloadv(v, bias + j0 + j));
                            VSTORE(EPILOGUE_VEC(vloadv(v, to), col), v, to, __global);
                        }
                    }
#endif
                } else {
                    micro_local(MR, kc, ap, bj, edge, NR, 1);
                    for (uint x = 0; x < r; x++) {
                        __global float *to = ct + (size_t)x * p.ldc;
                        for (uint y = 0; y < w; y++) {
                            const float s = edge[x * NR + y] + (first ? 0.0f : to[y]);
                            to[y] = last ? EPILOGUE(s, BIAS_AT(bias[j0 + j + y])) : s;
                        }
                    }
                }
            }
        }
    }
}

/* Few rows: work-group (x, y, z) makes columns x*cols .. of row y of matrix z. B is read once,
 * where it lies. For TB=1 each element is a dot product: VW partial sums, added pairwise at the
 * end. */
__kernel void matmul_fwd_row(__global const float *a, __global const float *b,
    __global const float *bias, __global float *c, const matmul_params p) {
    const uint i = (uint)get_group_id(1);
    const size_t z = get_group_id(2);
    uint j = (uint)get_group_id(0) * p.cols;
    const uint j1 = min(j + p.cols, p.n);
    a += z * p.sa + (TA ? (size_t)i : (size_t)i * p.lda);
    b += z * p.sb;
    c += z * p.sc + (size_t)i * p.ldc;
    const size_t step = TA ? p.lda : 1;
#if TB
    for (; j < j1; j++) {
        __global const float *s = b + (size_t)j * p.ldb;
        float sum = 0.0f;
        uint l = 0;
#if !TA
        floatv acc[4];
        EACH(u, 4)
            acc[u] = (floatv)(0.0f);
        for (; l + 4 * VW <= p.k; l += 4 * VW) {
            EACH(u, 4)
                acc[u] = FMA(vloadv(u, a + l), vloadv(u, s + l), acc[u]);
        }
        for (; l + VW <= p.k; l += VW)
            acc[0] = FMA(vloadv(0, a + l), vloadv(0, s + l), acc[0]);
        float lane[VW];
        VSTORE((acc[0] + acc[1]) + (acc[2] + acc[3]), 0, lane, __private);
        _Pragma("unroll") for (uint h = VW / 2; h > 0; h /= 2) {
            EACH(x, h)
                lane[x] += lane[x + h];
        }
        sum = lane[0];
#endif
        for (; l < p.k; l++)
            sum = FMA(a[l * step], s[l], sum);
        c[j] = EPILOGUE(sum, BIAS_AT(bias[j]));
    }
#else
    for (; j + 4 * VW <= j1; j += 4 * VW) {
        floatv acc[4];
        EACH(u, 4)
            acc[u] = (floatv)(0.0f);
        for (uint l = 0; l < p.k; l++) {
            const floatv x = (floatv)(a[l * step]);
            EACH(u, 4)
                acc[u] = FMA(x, vloadv(u, b + (size_t)l * p.ldb + j), acc[u]);
        }
        EACH(u, 4) {
            const floatv col = (floatv)BIAS_AT(vloadv(u, bias + j));
            VSTORE(EPILOGUE_VEC(acc[u], col), u, c + j, __global);
        }
    }
    for (; j + VW <= j1; j += VW) {
        floatv acc = (floatv)(0.0f);
        for (uint l = 0; l < p.k; l++)
            acc = FMA((floatv)(a[l * step]), vloadv(0, b + (size_t)l * p.ldb + j), acc);
        const floatv col = (floatv)BIAS_AT(vloadv(0, bias + j));
        VSTORE(EPILOGUE_VEC(acc, col), 0, c + j, __global);
    }
    for (; j < j1; j++) {
        float sum = 0.0f;
        for (uint l = 0; l < p.k; l++)
            sum = FMA(a[l * step], b[(size_t)l * p.ldb + j], sum);
        c[j] = EPILOGUE(sum, BIAS_AT(bias[j]));
    }
#endif
}

/* Work-group (x, y, z) makes rows y*GM .. and columns x*GN .. of matrix z (SPLIT: of part
 * z % splits of matrix z / splits). A work-item makes every LOCAL_X-th column and every LOCAL_Y-th
 * row of the tile, so that neighbours store to neighbouring addresses and read local memory without
 * bank conflicts. GK*GM and GK*GN are multiples of the work-group's size. */
#define TM          (GM / LOCAL_Y)
#define TN          (GN / LOCAL_X)
#define OP_A(i, l)  a[TA ? (size_t)(l) * p.lda + (i) : (size_t)(i) * p.lda + (l)]
#define OP_B(l, j)  b[TB ? (size_t)(j) * p.ldb + (l) : (size_t)(l) * p.ldb + (j)]
#define FILL(e, n)  _Pragma("unroll") for (uint e = 0; e < (n); e += LOCAL_X * LOCAL_Y)
#define TILE_GROUP  __attribute__((reqd_work_group_size(LOCAL_X, LOCAL_Y, 1)))
__kernel TILE_GROUP void matmul_fwd_tile(__global const float *a, __global const float *b,
    __global const float *bias, __global float *c, const matmul_params p) {
    __local float at[GK][GM + 1];
    __local float bt[GK][GN + 1];
    const uint x = (uint)get_local_id(0), y = (uint)get_local_id(1), t = y * LOCAL_X + x;
    const uint i0 = (uint)get_group_id(1) * GM, j0 = (uint)get_group_id(0) * GN;
    const size_t z = get_group_id(2);
#if SPLIT
    const size_t zi = z / p.splits;
    const uint lbegin = (uint)(z % p.splits) * p.kper;
    const uint lend = min(lbegin + p.kper, p.k);
#else
    const size_t zi = z;
    const uint lbegin = 0, lend = p.k;
#endif
    a += zi * p.sa;
    b += zi * p.sb;
    c += z * p.sc;
    float acc[TM][TN];
    EACH(u, TM) {
        EACH(v, TN)
            acc[u][v] = 0.0f;
    }
    for (uint l0 = lbegin; l0 < lend; l0 += GK) {
        /* Neighbouring work-items read neighbouring addresses of the stored rows. */
        FILL(e, GK * GM) {
            const uint q = e + t;
            const uint l = TA ? q / GM : q % GK, i = TA ? q % GM : q / GK;
            at[l][i] = l0 + l < lend && i0 + i < p.m ? OP_A(i0 + i, l0 + l) : 0.0f;
        }
        FILL(e, GK * GN) {
            const uint q = e + t;
            const uint l = TB ? q % GK : q / GN, j = TB ? q / GK : q % GN;
            bt[l][j] = l0 + l < lend && j0 + j < p.n ? OP_B(l0 + l, j0 + j) : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (uint l = 0; l < GK; l++) {
            float av[TM], bv[TN];
            EACH(u, TM)
                av[u] = at[l][y + u * LOCAL_Y];
            EACH(v, TN)
                bv[v] = bt[l][x + v * LOCAL_X];
            EACH(u, TM) {
                EACH(v, TN)
                    acc[u][v] = FMA(av[u], bv[v], acc[u][v]);
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    EACH(u, TM) {
        const uint i = i0 + y + u * LOCAL_Y;
        EACH(v, TN) {
            const uint j = j0 + x + v * LOCAL_X;
            if (i < p.m && j < p.n)
                c[(size_t)i * p.ldc + j] = EPILOGUE(acc[u][v], BIAS_AT(bias[j]));
        }
    }
}

/* part: batch x splits x m x n. Work-item (x, y, z) owns `cols` columns and `rows` rows of
 * matrix z. */
__kernel void matmul_fwd_sum(__global const float *part, __global const float *bias,
    __global float *c, const matmul_params p) {
    const uint j0 = (uint)get_global_id(0) * p.cols, i0 = (uint)get_global_id(1) * p.rows;
    const uint j1 = min(j0 + p.cols, p.n), i1 = min(i0 + p.rows, p.m);
    const size_t z = get_global_id(2), one = (size_t)p.m * p.n;
    part += z * p.splits * one;
    c += z * p.sc;
    for (uint i = i0; i < i1; i++) {
        uint j = j0;
        for (; j + VW <= j1; j += VW) {
            floatv s = (floatv)(0.0f);
            for (uint q = 0; q < p.splits; q++)
                s += vloadv(0, part + q * one + (size_t)i * p.n + j);
            const floatv col = (floatv)BIAS_AT(vloadv(0, bias + j));
            VSTORE(EPILOGUE_VEC(s, col), 0, c + (size_t)i * p.ldc + j, __global);
        }
        for (; j < j1; j++) {
            float s = 0.0f;
            for (uint q = 0; q < p.splits; q++)
                s += part[q * one + (size_t)i * p.n + j];
            c[(size_t)i * p.ldc + j] = EPILOGUE(s, BIAS_AT(bias[j]));
        }
    }
}
