// Mapping of work and limits: rows.glsl.
//
// argmax_fwd: bindings 0 x, 1 place (int, one a row): the place of the row's largest element, the
//     first of equals, where NaN counts as larger than every number.
// argmax_equal: bindings 0 a, 1 b (ints, `size` of each; one row), 2 fraction (one float) of places
//     where both are equal.
// kernels: argmax_fwd argmax_equal
#version 450
#include "rows.glsl"

layout(push_constant) uniform Params {
    uint rows;
    uint size;
} p;

#ifdef argmax_fwd
// Words: a shader that is free to flush small numbers to zero must not do so here.
layout(std430, binding = 0) readonly buffer X { int x[]; };
layout(std430, binding = 1) writeonly buffer Places { int places[]; };

shared ivec2 candidates[gl_WorkGroupSize.x * gl_WorkGroupSize.y];

// Whole numbers in the order of floats, with -0 = 0 and NaN on top.
int rank_of(int bits) {
    const int magnitude = bits & 0x7fffffff;
    return magnitude > 0x7f800000 ? 0x7fffffff : bits < 0 ? -magnitude : magnitude;
}

// The better of two candidates (rank, place).
ivec2 better(ivec2 a, ivec2 b) {
    return b.x > a.x || (b.x == a.x && b.y < a.y) ? b : a;
}

void main() {
    const uint mine = ROW_LANE * gl_WorkGroupSize.x + LANE;
    FOR_ROWS(first, p.rows) {
        const uint row = ROW_OF(first, p.rows), size = SIZE_OF(first, p.rows, p.size);
        ivec2 best = ivec2(-0x7fffffff - 1, 0x7fffffff);
        FOR_PARTS(at, size)
            best = better(best, ivec2(rank_of(x[row * p.size + at]), int(at)));
        candidates[mine] = best;
        for (uint lanes = gl_WorkGroupSize.x / 2; lanes > 0; lanes /= 2) {
            barrier();
            if (LANE < lanes)
                candidates[mine] = better(candidates[mine], candidates[mine + lanes]);
        }
        if (LANE == 0 && ROW_IS_LIVE(first, p.rows))
            places[row] = candidates[mine].y;
        barrier();
    }
}
#endif

#ifdef argmax_equal
layout(std430, binding = 0) readonly buffer A { int a[]; };
layout(std430, binding = 1) readonly buffer B { int b[]; };
layout(std430, binding = 2) writeonly buffer Fraction { float fraction[]; };

void main() {
    FOR_ROWS(first, p.rows) {
        uint hits = 0;
        FOR_PARTS(at, p.size)
            hits += uint(a[at] == b[at]);
        const float sum = lanes_sum(float(hits));
        if (LANE == 0 && ROW_IS_LIVE(first, p.rows))
            fraction[0] = sum / float(p.size);
    }
}
#endif
