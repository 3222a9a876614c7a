// Local response normalization of rows: see cl/local_response_norm.cl, whose bindings and
// parameters these have. Mapping of work and limits: rows.glsl.
// kernels: local_response_norm_fwd local_response_norm_bwd
#version 450
#include "math_glsl.h"
#include "rows.glsl"

layout(push_constant) uniform Params {
    uint rows, size, radius;
    float bias, alpha, beta;
} p;

#ifdef local_response_norm_fwd
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) writeonly buffer Y { float y[]; };
#else
layout(std430, binding = 0) readonly buffer DY { float dy[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(std430, binding = 2) coherent buffer Scratch { float scratch[]; };
layout(std430, binding = 3) buffer DX { float dx[]; };
#endif

#define LOW(at)  ((at) > p.radius ? (at) - p.radius : 0)
#define HIGH(at) min((at) + p.radius, p.size - 1)

float norm_at(uint start, uint at) {
    float sum = 0.0;
    for (uint d = LOW(at); d <= HIGH(at); d++)
        sum += x[start + d] * x[start + d];
    return sum * p.alpha + p.bias;
}

void main() {
    FOR_ROWS(first, p.rows) {
        const uint size = SIZE_OF(first, p.rows, p.size);
        const uint start = ROW_OF(first, p.rows) * p.size;
#ifdef local_response_norm_fwd
        FOR_PARTS(at, size)
            y[start + at] = x[start + at] * mica_exp(-p.beta * mica_log(norm_at(start, at)));
#else
        const uint mine = (gl_WorkGroupID.x * gl_WorkGroupSize.y + ROW_LANE) * p.size;
        FOR_PARTS(at, size) {
            const float n = norm_at(start, at);
            const float g = dy[start + at] * mica_exp(-p.beta * mica_log(n));
            scratch[mine + at] = g * x[start + at] / n;
            dx[start + at] = g;
        }
        memoryBarrierBuffer();
        barrier();
        FOR_PARTS(at, size) {
            float sum = 0.0;
            for (uint d = LOW(at); d <= HIGH(at); d++)
                sum += scratch[mine + d];
            dx[start + at] -= 2.0 * p.alpha * p.beta * x[start + at] * sum;
        }
        memoryBarrierBuffer();
        barrier();
#endif
    }
}
