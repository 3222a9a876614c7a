/* Runs a program of elementwise steps (cl/elementwise_table.h) on up to 6 inputs.
 *
 * Bindings: the inputs, then the output of n elements, which may lie over an input read in FULL
 * mode.
 *
 * Mapping: a group works through per_group consecutive elements, a work-item through WIDTH at once;
 * any local size in x.
 *
 * Constants: WIDTH 1, 4, 8 or 16 elements; INPUTS; MODES, 4 bits an input; STEPS; STEP0 .. STEP7,
 * each row | a << 8 | b << 16 | c << 24. All fold, so that each program is straight-line code.
 *
 * Limits: n < 2^31; per_group is a multiple of WIDTH. No element outside a buffer is touched.
 *
 * Parameters: as below; div, mod and inner of each input are explained at the modes, k is the
 * immediate of each step. */
#include "elementwise_apply.h"
#include "vector.h"

typedef struct {
    uint n, per_group;
    uint div[MICA_ELEMENTWISE_INPUTS], mod[MICA_ELEMENTWISE_INPUTS], inner[MICA_ELEMENTWISE_INPUTS];
    float k[MICA_ELEMENTWISE_STEPS];
} elementwise_params;

#define PASTE_(a, b) a##b
#define PASTE(a, b)  PASTE_(a, b)

ELEMENTWISE_FUNCTION(apply, vec)

/* Elements i .. i + count - 1 of the output's size, from where an input keeps them. */
vec load(__global const float *x, int mode, uint div, uint mod, uint inner, uint i, uint count) {
    if (mode == MICA_ELEMENTWISE_SCALAR)
        return (vec)(x[0]);
    if (mode == MICA_ELEMENTWISE_FULL && count == WIDTH)
        return vec_load(0, x + i);
    vec v = (vec)(0.0f);
    float *lane = (float *)&v;
    if (mode == MICA_ELEMENTWISE_FULL) {
        for (uint l = 0; l < count; l++)
            lane[l] = x[i + l];
        return v;
    }
    uint in_run = i % inner, in_div = i % div, run = i / div % mod;
    if (in_run + WIDTH <= inner)
        return vec_load(0, x + run * inner + in_run);
    if (inner == 1 && in_div + WIDTH <= div)
        return (vec)(x[run]);
    /* No division for each lane: step the counters instead. */
    for (uint l = 0; l < WIDTH; l++) {
        lane[l] = x[run * inner + in_run];
        in_run = in_run + 1 == inner ? 0 : in_run + 1;
        in_div++;
        run += in_div == div;
        in_div = in_div == div ? 0 : in_div;
        run = run == mod ? 0 : run;
    }
    return v;
}

void store(__global float *y, vec v, uint i, uint count) {
    if (count == WIDTH) {
        vec_store(v, 0, y + i);
    } else {
        const float *lane = (const float *)&v;
        for (uint l = 0; l < count; l++)
            y[i + l] = lane[l];
    }
}

#define LOAD(j)                                                                                    \
    if (j < INPUTS)                                                                                \
        r[j] = load(x##j, MODES >> 4 * j & 15, p.div[j], p.mod[j], p.inner[j], i, count);
#define RUN(s)                                                                                     \
    if (s < STEPS)                                                                                 \
        r[INPUTS + s] = apply(STEP##s & 255, r[STEP##s >> 8 & 255], r[STEP##s >> 16 & 255],        \
            r[STEP##s >> 24 & 255], p.k[s]);

#define KERNEL __kernel __attribute__((reqd_work_group_size(LOCAL_X, LOCAL_Y, LOCAL_Z))) void
KERNEL PASTE(elementwise_fwd_, INPUTS)(__global const float *x0,
#if INPUTS > 1
    __global const float *x1,
#endif
#if INPUTS > 2
    __global const float *x2,
#endif
#if INPUTS > 3
    __global const float *x3,
#endif
#if INPUTS > 4
    __global const float *x4,
#endif
#if INPUTS > 5
    __global const float *x5,
#endif
    __global float *y, const elementwise_params p) {
    const uint begin = get_group_id(0) * p.per_group, end = min(p.n, begin + p.per_group);
    for (uint i = begin + get_local_id(0) * WIDTH; i < end; i += LOCAL_X * WIDTH) {
        const uint count = min((uint)WIDTH, end - i);
        vec r[INPUTS + MICA_ELEMENTWISE_STEPS];
        LOAD(0)
#if INPUTS > 1
        LOAD(1)
#endif
#if INPUTS > 2
        LOAD(2)
#endif
#if INPUTS > 3
        LOAD(3)
#endif
#if INPUTS > 4
        LOAD(4)
#endif
#if INPUTS > 5
        LOAD(5)
#endif
        RUN(0)
        RUN(1)
        RUN(2)
        RUN(3)
        RUN(4)
        RUN(5)
        RUN(6)
        RUN(7)
        store(y, STEPS > 0 ? r[INPUTS + STEPS - 1] : r[0], i, count);
    }
}
