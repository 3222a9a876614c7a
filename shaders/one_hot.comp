// one_hot_fwd: y[row][i] = 1 where i is labels[row], else 0. Mapping of work and limits: rows.glsl.
// Bindings: 0 labels (one a row), 1 y.
// kernels: one_hot_fwd
#version 450
#include "rows.glsl"

layout(push_constant) uniform Params {
    uint rows;
    uint size;
} p;
layout(std430, binding = 0) readonly buffer Labels { uint labels[]; };
layout(std430, binding = 1) writeonly buffer Y { float y[]; };

void main() {
    FOR_ROWS(first, p.rows) {
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        const uint row = ROW_OF(first, p.rows);
        FOR_PARTS(at, p.size)
            y[row * p.size + at] = float(at == labels[row]);
    }
}
