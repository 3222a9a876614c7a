// Cross-entropy of softmax, a loss for each row. Mapping of work and limits: rows.glsl.
// Constants: 1 DENSE: 0 labels are class numbers (one a row), 1 they are probabilities t.
// With the row's largest element m, s = sum(exp(x - m)) and w = sum(t), which is 1 for a class
// number and NaN where that is out of range; 0 log 0 = 0:
//
// softmax_cross_entropy_fwd: bindings 0 x, 1 labels, 2 loss (one a row) = w log(s) -
//     sum(t (x - m)), 3 state (two a row) = m, w / s.
// softmax_cross_entropy_bwd: bindings 0 x, 1 labels, 2 state, 3 dloss (one a row), 4 dx =
//     dloss * (exp(x - m) * w / s - t). dx may be x.
// kernels: softmax_cross_entropy_fwd softmax_cross_entropy_bwd
#version 450
#include "math_glsl.h"
#include "rows.glsl"

layout(constant_id = 1) const int DENSE = 0;
layout(push_constant) uniform Params {
    uint rows;
    uint size;
} p;

layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) readonly buffer Labels { uint labels[]; };

// Binding 1 holds words: class numbers, or the bits of probabilities.
float probability(uint index) {
    return uintBitsToFloat(labels[index]);
}

#ifdef softmax_cross_entropy_fwd
layout(std430, binding = 2) writeonly buffer Loss { float loss[]; };
layout(std430, binding = 3) writeonly buffer State { float state[]; };

void main() {
    FOR_ROWS(first, p.rows) {
        const uint row = ROW_OF(first, p.rows), start = row * p.size;
        const uint size = SIZE_OF(first, p.rows, p.size);
        float top = -INFINITY;
        FOR_PARTS(at, size)
            top = max(top, x[start + at]);
        top = lanes_max(top);
        float sum = 0.0, weight = 0.0, dot_ = 0.0;
        FOR_PARTS(at, size) {
            const float shifted = x[start + at] - top;
            sum += mica_exp(shifted);
            if (DENSE != 0) {
                const float t = probability(start + at);
                weight += t;
                dot_ += t == 0.0 ? 0.0 : t * shifted;
            }
        }
        sum = lanes_sum(sum);
        if (DENSE != 0) {
            weight = lanes_sum(weight);
            dot_ = lanes_sum(dot_);
        } else {
            const bool known = labels[row] < p.size;
            weight = known ? 1.0 : NOT_A_NUMBER;
            dot_ = known ? x[start + labels[row]] - top : NOT_A_NUMBER;
        }
        if (ROW_IS_LIVE(first, p.rows) && LANE == 0) {
            loss[row] = weight * mica_log(sum) - dot_;
            state[2 * row] = top;
            state[2 * row + 1] = weight / sum;
        }
    }
}
#endif

#ifdef softmax_cross_entropy_bwd
layout(std430, binding = 2) readonly buffer State { float state[]; };
layout(std430, binding = 3) readonly buffer DLoss { float dloss[]; };
layout(std430, binding = 4) writeonly buffer DX { float dx[]; };

void main() {
    FOR_ROWS(first, p.rows) {
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        const uint row = ROW_OF(first, p.rows), start = row * p.size;
        const float top = state[2 * row], factor = state[2 * row + 1], g = dloss[row];
        FOR_PARTS(at, p.size) {
            const float t = DENSE != 0 ? probability(start + at) : float(at == labels[row]);
            dx[start + at] = g * (mica_exp(x[start + at] - top) * factor - t);
        }
    }
}
#endif
