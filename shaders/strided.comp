// Copies between layouts of up to six dimensions. Elements are words of 4 bytes of any type. Rows
// are the last dimension; mapping of work: rows.glsl, and group number 1 is a chunk of each row.
// Dimensions are outermost first; outer ones that are not needed have size 1.
//
// strided_copy: bindings 0 x, 1 y: each element of a box goes from one strided place to another.
// strided_pad: bindings 0 x, 1 y: y is written whole, with x (of sizes `inner`) at `begin` and 0
//     around it.
// kernels: strided_copy strided_pad
#version 450
#include "rows.glsl"

layout(push_constant) uniform Params {
    uint rows;
    uint size;
    uint chunk;
#ifdef strided_copy
    uint from_offset, to_offset;
    uint dim[5], from[6], to[6];
#else
    uint dim[5], begin[6], inner[6];
#endif
} p;
layout(std430, binding = 0) readonly buffer X { uint x[]; };
layout(std430, binding = 1) writeonly buffer Y { uint y[]; };

void main() {
    const uint begin = gl_WorkGroupID.y * p.chunk, end = min(begin + p.chunk, p.size);
    FOR_ROWS(first, p.rows) {
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        const uint row = first + ROW_LANE;
        uint rest = row;
#ifdef strided_copy
        uint from = p.from_offset, to = p.to_offset;
        for (int i = 4; rest > 0; i--) {
            const uint at = rest % p.dim[i];
            rest /= p.dim[i];
            from += at * p.from[i];
            to += at * p.to[i];
        }
        for (uint i = begin + LANE; i < end; i += gl_WorkGroupSize.x)
            y[to + i * p.to[5]] = x[from + i * p.from[5]];
#else
        uint from = 0, stride = p.inner[5];
        bool inside = true;
        for (int i = 4; i >= 0; i--) {
            const uint at = rest % p.dim[i] - p.begin[i];
            rest /= p.dim[i];
            inside = inside && at < p.inner[i];
            from += at * stride;
            stride *= p.inner[i];
        }
        for (uint i = begin + LANE; i < end; i += gl_WorkGroupSize.x) {
            const uint at = i - p.begin[5];
            const bool copied = inside && at < p.inner[5];
            y[row * p.size + i] = copied ? x[from + (copied ? at : 0)] : 0;
        }
#endif
    }
}
