// Softmax and log-softmax of rows. Mapping of work and limits: rows.glsl.
// Constants: 1 LOG: 0 softmax, 1 log-softmax.
//
// softmax_fwd: bindings 0 x, 1 y; y = exp(x - m) / sum(exp(x - m)), or x - m - log(sum), with the
//     row's largest element m. y may be x.
// softmax_bwd: bindings 0 y, 1 dy, 2 dx; dx = y * (dy - sum(dy * y)), or dy - exp(y) * sum(dy). dx
//     may be y or dy.
// kernels: softmax_fwd softmax_bwd
#version 450
#include "math_glsl.h"
#include "rows.glsl"

layout(constant_id = 1) const int LOG = 0;
layout(push_constant) uniform Params {
    uint rows;
    uint size;
} p;

#ifdef softmax_fwd
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) buffer Y { float y[]; };

void main() {
    FOR_ROWS(first, p.rows) {
        const uint size = SIZE_OF(first, p.rows, p.size);
        const uint start = ROW_OF(first, p.rows) * p.size;
        float top = -INFINITY;
        FOR_PARTS(at, size)
            top = max(top, x[start + at]);
        top = lanes_max(top);
        float sum = 0.0;
        FOR_PARTS(at, size) {
            const float e = mica_exp(x[start + at] - top);
            sum += e;
            if (LOG == 0)
                y[start + at] = e;
        }
        sum = lanes_sum(sum);
        if (LOG != 0) {
            const float shift = mica_log(sum);
            FOR_PARTS(at, size)
                y[start + at] = x[start + at] - top - shift;
        } else {
            const float factor = 1.0 / sum;
            FOR_PARTS(at, size)
                y[start + at] *= factor;
        }
    }
}
#endif

#ifdef softmax_bwd
layout(std430, binding = 0) readonly buffer Y { float y[]; };
layout(std430, binding = 1) readonly buffer DY { float dy[]; };
layout(std430, binding = 2) writeonly buffer DX { float dx[]; };

void main() {
    FOR_ROWS(first, p.rows) {
        const uint size = SIZE_OF(first, p.rows, p.size);
        const uint start = ROW_OF(first, p.rows) * p.size;
        float sum = 0.0;
        FOR_PARTS(at, size)
            sum += LOG != 0 ? dy[start + at] : dy[start + at] * y[start + at];
        sum = lanes_sum(sum);
        FOR_PARTS(at, size) {
            const float g = dy[start + at], f = y[start + at];
            dx[start + at] = LOG != 0 ? g - mica_exp(f) * sum : f * (g - sum);
        }
    }
}
#endif
