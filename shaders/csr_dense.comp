// Sparse rows made dense: the twin of cl/csr_dense.cl, with the same buffers and parameters. Mapping
// of work and limits: rows.glsl.
// kernels: csr_dense_fwd csr_dense_ones
#version 450
#include "rows.glsl"

layout(push_constant) uniform Params {
    uint rows;
    uint size;
    uint count; // of column and value
    uint from, to; // those of this launch; the first sets the rows to zero
} p;

layout(std430, binding = 0) readonly buffer Start { int start[]; };
layout(std430, binding = 1) readonly buffer Column { uint column[]; };
#ifdef csr_dense_fwd
layout(std430, binding = 2) readonly buffer Value { float value[]; };
layout(std430, binding = 3) writeonly buffer Y { float y[]; };
#define VALUE(i) value[i]
#else
layout(std430, binding = 2) writeonly buffer Y { float y[]; };
#define VALUE(i) 1.0
#endif

void main() {
    FOR_ROWS(first, p.rows) {
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        const uint row = ROW_OF(first, p.rows), begin = row * p.size;
        if (p.from == 0)
            FOR_PARTS(at, p.size)
                y[begin + at] = 0.0;
        const uint until = min(uint(max(start[row + 1], 0)), p.to);
        for (uint i = max(uint(max(start[row], 0)), p.from); i < until; i++) {
            const uint c = column[i]; // negative ones are large
            if (c < p.size && c % gl_WorkGroupSize.x == LANE)
                y[begin + c] = VALUE(i);
        }
    }
}
