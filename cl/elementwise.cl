/* Runs a program of elementwise steps (cl/elementwise_table.h) on up to 6 inputs.
 *
 * Bindings: the inputs, then the output of n elements, which may lie over an input read in FULL
 * mode.
 *
 * Mapping: a group works through per_group consecutive elements, a work-item through WIDTH at once;
 * any local size in x.
 *
 * Constants: WIDTH 1, 4, 8 or 16 elements; INPUTS; MODES, 4 bits an input; STEPS; STEP0 .. STEP7,
 * each row | a << 8 | b << 16 | c << 24; STEPS_MOST, the next of 1, 2, 4 and 8, for the kernel's
 * name. All fold, so that each program is straight-line code.
 *
 * Limits: n < 2^31; per_group is a multiple of WIDTH. No element outside a buffer is touched.
 *
 * Parameters: as below; div, mod and inner of each input are explained at the modes, k is the
 * immediate of each step. */
#include "elementwise_apply.h"
#include "rows.h"

typedef struct {
    uint n, per_group;
    uint div[MICA_ELEMENTWISE_INPUTS], mod[MICA_ELEMENTWISE_INPUTS], inner[MICA_ELEMENTWISE_INPUTS];
    float k[MICA_ELEMENTWISE_STEPS];
} elementwise_params;

#define PASTE_(a, b) a##b
#define PASTE(a, b)  PASTE_(a, b)
#define ENTRY_(name, inputs, steps) name##inputs##x##steps
#define ENTRY(name, inputs, steps) ENTRY_(name, inputs, steps)

ELEMENTWISE_FUNCTION(apply, vec)

#if WIDTH > 1
#define AS_VEC PASTE(convert_float, WIDTH)
#define AS_INT PASTE(convert_int, WIDTH)

/* How often a counter that stands at `at` starts from 0 again, by reaching `size`, in some steps,
 * at most WIDTH. Exact: the dividend is small and half a step away from whole multiples. */
ivec wraps(ivec steps, uint at, uint size) {
    const vec over = AS_VEC(steps) - (float)(size - at);
    return select(AS_INT((over + 0.5f) / (float)size) + 1, (ivec)(0), over < 0.0f);
}

/* Each lane's own element; the counters are those of the first. */
vec gather(
    __global const float *x, uint in_run, uint in_div, uint run, uint div, uint mod, uint inner) {
    const ivec carry = wraps(LANE_NUMBERS, in_div, div);
    const ivec runs = (int)run + carry - wraps(carry, run, mod) * (int)mod;
    const ivec place = (int)in_run + LANE_NUMBERS - wraps(LANE_NUMBERS, in_run, inner) * (int)inner;
    const ivec index = runs * (int)inner + place;
    const int *at = (const int *)&index;
    vec v;
    float *lane = (float *)&v;
#pragma unroll
    for (uint l = 0; l < WIDTH; l++)
        lane[l] = x[at[l]];
    return v;
}
#endif

/* WIDTH elements from i on of the output's size, or those before `end`, from where an input has
 * them. */
vec load(__global const float *x, int mode, uint div, uint mod, uint inner, uint i, uint end) {
    if (mode == MICA_ELEMENTWISE_SCALAR)
        return (vec)(x[0]);
    if (mode == MICA_ELEMENTWISE_FULL)
        return part_load(x, i, end, 0.0f);
    const uint in_run = mode == MICA_ELEMENTWISE_COLUMN ? 0 : i % inner;
    const uint run = mode == MICA_ELEMENTWISE_ROW      ? 0
                     : mode == MICA_ELEMENTWISE_COLUMN ? i / div
                                                       : i / div % mod;
#if WIDTH > 1
    const uint in_div = mode == MICA_ELEMENTWISE_ROW ? in_run : i % div;
    if (inner == 1 && in_div + WIDTH <= div)
        return (vec)(x[run]);
    if (in_run + WIDTH > inner)
        return gather(x, in_run, in_div, run, div, mod, inner);
#endif
    return vec_load(0, x + run * inner + in_run);
}

#define LOAD(j)                                                                                    \
    if (j < INPUTS)                                                                                \
        r[j] = load(x##j, MODES >> 4 * j & 15, p.div[j], p.mod[j], p.inner[j], i, end);
#define RUN(s)                                                                                     \
    if (s < STEPS)                                                                                 \
        r[INPUTS + s] = apply(STEP##s & 255, r[STEP##s >> 8 & 255], r[STEP##s >> 16 & 255],        \
            r[STEP##s >> 24 & 255], p.k[s]);

KERNEL ENTRY(elementwise_fwd_, INPUTS, STEPS_MOST)(__global const float *x0,
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
        part_store(STEPS > 0 ? r[INPUTS + STEPS - 1] : r[0], y, i, end);
    }
}
