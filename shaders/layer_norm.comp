// Layer normalization of rows: see cl/layer_norm.cl, whose bindings and parameters these have.
// Mapping of work and limits: rows.glsl.
// kernels: layer_norm_fwd layer_norm_bwd
#version 450
#include "rows.glsl"

layout(push_constant) uniform Params {
    uint rows, size;
    float epsilon;
} p;

#ifdef layer_norm_fwd
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) readonly buffer Gamma { float gamma[]; };
layout(std430, binding = 2) readonly buffer Beta { float beta[]; };
layout(std430, binding = 3) writeonly buffer Y { float y[]; };
layout(std430, binding = 4) writeonly buffer Means { float means[]; };
layout(std430, binding = 5) writeonly buffer Inverses { float inverses[]; };

void main() {
    FOR_ROWS(first, p.rows) {
        const uint size = SIZE_OF(first, p.rows, p.size);
        const uint row = ROW_OF(first, p.rows), start = row * p.size;
        float sum = 0.0;
        FOR_PARTS(at, size)
            sum += x[start + at];
        const float mean = lanes_sum(sum) / float(p.size);
        float squares = 0.0;
        FOR_PARTS(at, size) {
            const float d = x[start + at] - mean;
            squares += d * d;
        }
        const float inverse = 1.0 / sqrt(lanes_sum(squares) / float(p.size) + p.epsilon);
        FOR_PARTS(at, size)
            y[start + at] = (x[start + at] - mean) * inverse * gamma[at] + beta[at];
        if (LANE == 0 && size > 0) {
            means[row] = mean;
            inverses[row] = inverse;
        }
    }
}
#endif

#ifdef layer_norm_bwd
layout(std430, binding = 0) readonly buffer DY { float dy[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(std430, binding = 2) readonly buffer Means { float means[]; };
layout(std430, binding = 3) readonly buffer Inverses { float inverses[]; };
layout(std430, binding = 4) readonly buffer Gamma { float gamma[]; };
layout(std430, binding = 5) writeonly buffer DX { float dx[]; };

void main() {
    FOR_ROWS(first, p.rows) {
        const uint size = SIZE_OF(first, p.rows, p.size);
        const uint row = ROW_OF(first, p.rows), start = row * p.size;
        const float mean = means[row], inverse = inverses[row];
        float sum = 0.0, product = 0.0;
        FOR_PARTS(at, size) {
            const float h = dy[start + at] * gamma[at];
            sum += h;
            product += h * ((x[start + at] - mean) * inverse);
        }
        sum = lanes_sum(sum) / float(p.size);
        product = lanes_sum(product) / float(p.size);
        FOR_PARTS(at, size) {
            const float n = (x[start + at] - mean) * inverse;
            dx[start + at] = (dy[start + at] * gamma[at] - sum - n * product) * inverse;
        }
    }
}
#endif
