// Rows of floats in GLSL: what cl/rows.h is, with WIDTH 1.
//
// gl_WorkGroupSize.x lanes (a power of two) share a row and gl_WorkGroupSize.y rows a work-group;
// groups share the rows equally. Reductions run in a fixed order; every lane gets the result. The
// largest of numbers one of which is NaN may be any of them.
layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;

#define LANE     gl_LocalInvocationID.x
#define ROW_LANE gl_LocalInvocationID.y

// This group's rows, which are neighbours. All lanes take part in each turn, for the sake of
// barriers; those that have no row left get the last, with no elements.
#define FOR_ROWS(first, count)                                                                     \
    for (uint first = group_begin(count, gl_WorkGroupID.x),                                        \
              last = min(group_begin(count, gl_WorkGroupID.x + 1), count);                         \
         first < last; first += gl_WorkGroupSize.y)
#define ROW_IS_LIVE(first, count)   ((first) + ROW_LANE < (count))
#define ROW_OF(first, count)        min((first) + ROW_LANE, (count) - 1)
#define SIZE_OF(first, count, size) (ROW_IS_LIVE(first, count) ? (size) : 0)

uint group_begin(uint count, uint group) {
    const uint turns = (count + gl_WorkGroupSize.y - 1) / gl_WorkGroupSize.y;
    return (turns + gl_NumWorkGroups.x - 1) / gl_NumWorkGroups.x * gl_WorkGroupSize.y * group;
}

#define FOR_PARTS(at, size) for (uint at = LANE; at < (size); at += gl_WorkGroupSize.x)

#define INFINITY     uintBitsToFloat(0x7f800000)
#define NOT_A_NUMBER uintBitsToFloat(0x7fc00000)

bool is_nan(float x) {
    return (floatBitsToUint(x) & 0x7fffffffu) > 0x7f800000u;
}

shared float pool[gl_WorkGroupSize.x * gl_WorkGroupSize.y];

#define LANES_REDUCE(function, expression)                                                         \
    float function(float x) {                                                                      \
        const uint mine = ROW_LANE * gl_WorkGroupSize.x + LANE;                                    \
        pool[mine] = x;                                                                            \
        for (uint lanes = gl_WorkGroupSize.x / 2; lanes > 0; lanes /= 2) {                         \
            barrier();                                                                             \
            if (LANE < lanes) {                                                                    \
                const float a = pool[mine], b = pool[mine + lanes];                                \
                pool[mine] = expression;                                                           \
            }                                                                                      \
        }                                                                                          \
        barrier();                                                                                 \
        x = pool[ROW_LANE * gl_WorkGroupSize.x];                                                   \
        barrier();                                                                                 \
        return x;                                                                                  \
    }
LANES_REDUCE(lanes_max, max(a, b))
LANES_REDUCE(lanes_sum, a + b)
