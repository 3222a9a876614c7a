/* Rows of floats in OpenCL C.
 *
 * LOCAL_X lanes share a row and LOCAL_Y rows a work-group. A lane takes WIDTH neighbouring elements
 * at a time, then those LOCAL_X * WIDTH further on; groups share the rows equally. On a CPU LOCAL_X
 * = LOCAL_Y = 1 and WIDTH is the vector width; elsewhere WIDTH = 1. Limits: WIDTH 1, 4, 8 or 16;
 * LOCAL_X a power of two; less than 2^31 elements. */
#include "vector.h"

#if WIDTH == 16
typedef int16 ivec;
#define as_ivec      as_int16
#define LANE_NUMBERS (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#elif WIDTH == 8
typedef int8 ivec;
#define as_ivec      as_int8
#define LANE_NUMBERS (int8)(0, 1, 2, 3, 4, 5, 6, 7)
#elif WIDTH == 4
typedef int4 ivec;
#define as_ivec      as_int4
#define LANE_NUMBERS (int4)(0, 1, 2, 3)
#else
typedef int ivec;
#define as_ivec      as_int
#define LANE_NUMBERS 0
#endif

#define GROUP_SIZE __attribute__((reqd_work_group_size(LOCAL_X, LOCAL_Y, LOCAL_Z)))
#define LANE       ((uint)get_local_id(0))
#define ROW_LANE   ((uint)get_local_id(1))

/* This group's rows, which are neighbours, so that no cache line has two owners. All lanes take
 * part in each turn, for the sake of barriers; those that have no row left get the last, without
 * elements: its end is its start. */
#define FOR_ROWS(first, count)                                                                     \
    for (uint first = group_begin(count, get_group_id(0)),                                         \
              last = min(group_begin(count, get_group_id(0) + 1), count);                          \
         first < last; first += LOCAL_Y)
#define ROW_IS_LIVE(first, count)  ((first) + ROW_LANE < (count))
#define ROW_OF(first, count)       min((first) + ROW_LANE, (count)-1)
#define END_OF(first, count, size) ((ROW_OF(first, count) + ROW_IS_LIVE(first, count)) * (size))

uint group_begin(uint count, uint group) {
    const uint turns = (count + LOCAL_Y - 1) / LOCAL_Y, groups = get_num_groups(0);
    return (turns + groups - 1) / groups * LOCAL_Y * group;
}

/* This lane's parts of a row of elements start .. end - 1. */
#define FOR_PARTS(at, start, end)                                                                  \
    for (uint at = (start) + LANE * WIDTH; at < (end); at += LOCAL_X * WIDTH)

/* The part of a row that begins at x[at], with `pad` from x[end], the row's end, on. x has `total`
 * elements: of a short part the whole vector is read where there is that much, for it is many times
 * faster than its elements one by one. What was read behind the row's end is not used. */
vec part_load_in(__global const float *x, uint at, uint end, uint total, float pad) {
#if WIDTH > 1
    if (at + WIDTH > end) {
        if (at + WIDTH <= total)
            return select(vec_load(0, x + at), (vec)pad, LANE_NUMBERS >= (int)(end - at));
        float part[WIDTH];
        for (uint i = 0; i < WIDTH; i++)
            part[i] = at + i < end ? x[at + i] : pad;
        return vec_load(0, part);
    }
#endif
    return vec_load(0, x + at);
}

/* The same where x[end] and what follows must not be touched. */
vec part_load(__global const float *x, uint at, uint end, float pad) {
    return part_load_in(x, at, end, end, pad);
}

void part_store(vec v, __global float *y, uint at, uint end) {
#if WIDTH > 1
    if (at + WIDTH > end) {
        float part[WIDTH];
        vec_store(v, 0, part);
        for (uint i = 0; at + i < end; i++)
            y[at + i] = part[i];
        return;
    }
#endif
    vec_store(v, 0, y + at);
}

/* The largest of a vector; of numbers one of which is NaN it may be any. */
float vec_max(vec v) {
#if WIDTH == 16
    const float8 v8 = max(v.lo, v.hi);
#elif WIDTH == 8
    const float8 v8 = v;
#endif
#if WIDTH >= 8
    const float4 v4 = max(v8.lo, v8.hi);
#elif WIDTH == 4
    const float4 v4 = v;
#endif
#if WIDTH >= 4
    const float2 v2 = max(v4.lo, v4.hi);
    return max(v2.x, v2.y);
#else
    return v;
#endif
}

/* Reductions over the lanes of a row, in a fixed order; every lane gets the result. POOL declares
 * the memory that they need, in the kernel's outermost block. */
#if LOCAL_X == 1
#define POOL(name)
#define lanes_max(x, pool) (x)
#define lanes_sum(x, pool) (x)
#else
#define POOL(name) __local float name[LOCAL_Y * LOCAL_X];
#define LANES_REDUCE(function, expression)                                                         \
    float function(float x, __local float *pool) {                                                 \
        __local float *mine = pool + ROW_LANE * LOCAL_X;                                           \
        mine[LANE] = x;                                                                            \
        for (uint lanes = LOCAL_X / 2; lanes > 0; lanes /= 2) {                                    \
            barrier(CLK_LOCAL_MEM_FENCE);                                                          \
            if (LANE < lanes) {                                                                    \
                const float a = mine[LANE], b = mine[LANE + lanes];                                \
                mine[LANE] = expression;                                                           \
            }                                                                                      \
        }                                                                                          \
        barrier(CLK_LOCAL_MEM_FENCE);                                                              \
        x = mine[0];                                                                               \
        barrier(CLK_LOCAL_MEM_FENCE);                                                              \
        return x;                                                                                  \
    }
LANES_REDUCE(lanes_max, max(a, b))
LANES_REDUCE(lanes_sum, a + b)
#endif
