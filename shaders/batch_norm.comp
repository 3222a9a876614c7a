// Batch normalization: see cl/batch_norm.cl, whose bindings, parameters, constants (0 and 1 are its
// WIDTH and SPAN) and mapping these have.
// kernels: batch_norm_parts batch_norm_stats batch_norm_running batch_norm_fwd batch_norm_bwd batch_norm_bwd_fixed
#version 450
#include "columns.glsl"
#include "elementwise_apply.h"

#define BLOCK 32

layout(constant_id = 2) const int ACT = -1;
layout(push_constant, std430) uniform Params {
    Columns c;
    float epsilon, act_k;
} p;

// As in cl/batch_norm.cl.
void combine(inout float mean, inout float m2, inout float count, float more_mean, float more_m2,
    float n) {
    const float share = n / (count + n), delta = more_mean - mean;
    mean += delta * share;
    m2 += more_m2 + delta * delta * (share * count);
    count += n;
}

#ifdef batch_norm_parts
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) writeonly buffer Parts { float parts[]; };

shared float means[256], squares[256], counts[256];

void main() {
    const uint me = ROW_LANE * WIDE + LANE;
    FOR_UNITS(p.c) {
        const uint j = COLUMN_OF(p.c, unit), from = FROM_OF(p.c, unit), to = TO_OF(p.c, unit, j);
        float mean = 0.0, m2 = 0.0, count = 0.0;
        for (uint at = from + ROW_LANE; at < to; at += BLOCK * HIGH) {
            const uint stop = min(to, at + BLOCK * HIGH);
            const float n = float((stop - at + HIGH - 1) / HIGH);
            float middle = 0.0, error = 0.0, square = 0.0;
            for (uint i = at; i < stop; i += HIGH)
                middle += x[i * p.c.channels + j];
            middle /= n;
            for (uint i = at; i < stop; i += HIGH) {
                const float d = x[i * p.c.channels + j] - middle;
                error += d;
                square += d * d;
            }
            error /= n;
            square -= error * error * n;
            middle += error;
            combine(mean, m2, count, middle, square, n);
        }
        means[me] = mean;
        squares[me] = m2;
        counts[me] = count;
        for (uint reach = HIGH / 2; reach > 0; reach /= 2) {
            const uint other = me + reach * WIDE;
            barrier();
            if (ROW_LANE < reach && counts[other] > 0.0) {
                combine(mean, m2, count, means[other], squares[other], counts[other]);
                means[me] = mean;
                squares[me] = m2;
                counts[me] = count;
            }
        }
        barrier();
        if (ROW_LANE == 0 && j < p.c.channels) {
            parts[unit / p.c.chunks * p.c.channels + j] = mean;
            parts[(p.c.parts + unit / p.c.chunks) * p.c.channels + j] = m2;
        }
    }
}
#endif

#ifdef batch_norm_stats
layout(std430, binding = 0) readonly buffer Parts { float parts[]; };
layout(std430, binding = 1) writeonly buffer Mean { float out_mean[]; };
layout(std430, binding = 2) writeonly buffer Inverse { float inverse[]; };
layout(std430, binding = 3) writeonly buffer Variance { float variance[]; };

void main() {
    const uint j = gl_GlobalInvocationID.x;
    if (j >= p.c.channels)
        return;
    float mean = 0.0, m2 = 0.0, count = 0.0;
    for (uint i = 0; i < p.c.parts; i++)
        combine(mean, m2, count, parts[i * p.c.channels + j],
            parts[(p.c.parts + i) * p.c.channels + j],
            float(min(p.c.part, p.c.rows - i * p.c.part)));
    out_mean[j] = mean;
    inverse[j] = 1.0 / sqrt(m2 / float(p.c.rows) + p.epsilon);
    variance[j] = m2 / float(max(p.c.rows - 1, 1));
}
#endif

#ifdef batch_norm_running
layout(std430, binding = 0) readonly buffer RunningMean { float running_mean[]; };
layout(std430, binding = 1) readonly buffer RunningVariance { float running_variance[]; };
layout(std430, binding = 2) writeonly buffer Mean { float mean[]; };
layout(std430, binding = 3) writeonly buffer Inverse { float inverse[]; };
layout(std430, binding = 4) writeonly buffer Variance { float variance[]; };

void main() {
    const uint j = gl_GlobalInvocationID.x;
    if (j >= p.c.channels)
        return;
    mean[j] = running_mean[j];
    inverse[j] = 1.0 / sqrt(running_variance[j] + p.epsilon);
    variance[j] = running_variance[j];
}
#endif

#ifdef batch_norm_fwd
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) readonly buffer Mean { float mean[]; };
layout(std430, binding = 2) readonly buffer Inverse { float inverse[]; };
layout(std430, binding = 3) readonly buffer Gamma { float gamma[]; };
layout(std430, binding = 4) readonly buffer Beta { float beta[]; };
layout(std430, binding = 5) writeonly buffer Y { float y[]; };

ELEMENTWISE_FUNCTION(apply, float)

void main() {
    FOR_UNITS(p.c) {
        const uint j = COLUMN_OF(p.c, unit), to = TO_OF(p.c, unit, j);
        const uint column = min(j, p.c.channels - 1);
        const float middle = mean[column], factor = inverse[column] * gamma[column];
        const float shift = beta[column];
        for (uint i = FROM_OF(p.c, unit) + ROW_LANE; i < to; i += HIGH) {
            const uint at = i * p.c.channels + j;
            y[at] = apply(ACT, (x[at] - middle) * factor + shift, 0.0, 0.0, p.act_k);
        }
    }
}
#endif

#ifdef batch_norm_bwd
layout(std430, binding = 0) readonly buffer DY { float dy[]; };
layout(std430, binding = 1) readonly buffer Inverse { float inverse[]; };
layout(std430, binding = 2) readonly buffer Gamma { float gamma[]; };
layout(std430, binding = 3) readonly buffer X { float x[]; };
layout(std430, binding = 4) readonly buffer Mean { float mean[]; };
layout(std430, binding = 5) readonly buffer DGamma { float dgamma[]; };
layout(std430, binding = 6) readonly buffer DBeta { float dbeta[]; };
layout(std430, binding = 7) writeonly buffer DX { float dx[]; };

void main() {
    const float share = 1.0 / float(p.c.rows);
    FOR_UNITS(p.c) {
        const uint j = COLUMN_OF(p.c, unit), to = TO_OF(p.c, unit, j);
        const uint column = min(j, p.c.channels - 1);
        const float middle = mean[column], scale = inverse[column];
        const float factor = scale * gamma[column];
        const float slope = scale * dgamma[column] * share, shift = dbeta[column] * share;
        for (uint i = FROM_OF(p.c, unit) + ROW_LANE; i < to; i += HIGH) {
            const uint at = i * p.c.channels + j;
            dx[at] = (dy[at] - shift - (x[at] - middle) * slope) * factor;
        }
    }
}
#endif

#ifdef batch_norm_bwd_fixed
layout(std430, binding = 0) readonly buffer DY { float dy[]; };
layout(std430, binding = 1) readonly buffer Inverse { float inverse[]; };
layout(std430, binding = 2) readonly buffer Gamma { float gamma[]; };
layout(std430, binding = 3) writeonly buffer DX { float dx[]; };

void main() {
    FOR_UNITS(p.c) {
        const uint j = COLUMN_OF(p.c, unit), to = TO_OF(p.c, unit, j);
        const uint column = min(j, p.c.channels - 1);
        const float factor = inverse[column] * gamma[column];
        for (uint i = FROM_OF(p.c, unit) + ROW_LANE; i < to; i += HIGH)
            dx[i * p.c.channels + j] = dy[i * p.c.channels + j] * factor;
    }
}
#endif
