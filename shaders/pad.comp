// Tensors with more elements around them, and back: see cl/pad.cl, whose bindings and parameters
// this has. Mapping of work: rows.glsl.
// kernels: pad_fwd pad_bwd
#version 450
#extension GL_GOOGLE_include_directive : require

#include "pad.h"
#include "rows.glsl"

layout(push_constant) uniform Params {
    uint rows;
    uint size;
    int unit;
    int mode;
    float number;
    int n[6], before[6], m[6];
} p;
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) writeonly buffer Y { float y[]; };

int count_of(int i, int at) {
    return pad_count(p.mode, p.n[i], p.before[i], p.m[i] - p.n[i] - p.before[i], at);
}

int place_of(int i, int at, int k) {
    return pad_place(p.mode, p.n[i], p.before[i], at, k);
}

void main() {
    FOR_ROWS(first, p.rows) {
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        const uint row = first + ROW_LANE;
        int rest = int(row);
#ifdef pad_fwd
        int from = 0, stride = p.n[5] * p.unit;
        bool inside = true;
        for (int i = 4; i >= 0; i--) {
            const int at = pad_source(p.mode, p.n[i], p.before[i], rest % p.m[i]);
            rest /= p.m[i];
            inside = inside && at >= 0;
            from += at * stride;
            stride *= p.n[i];
        }
        FOR_PARTS(e, p.size) {
            const int at = pad_source(p.mode, p.n[5], p.before[5], int(e) / p.unit);
            float number = p.number;
            if (inside && at >= 0)
                number = x[from + at * p.unit + int(e) % p.unit];
            y[row * p.size + e] = number;
        }
#else
        int copies = 1, at[5], count[5];
        for (int i = 4; i >= 0; i--) {
            at[i] = rest % p.n[i];
            rest /= p.n[i];
            count[i] = count_of(i, at[i]);
            copies *= count[i];
        }
        FOR_PARTS(e, p.size) {
            const int i = int(e) / p.unit, places = count_of(5, i);
            float sum = 0.0;
            for (int copy = 0; copy < copies; copy++) {
                int line = 0, left = copy;
                for (int d = 0; d < 5; d++) {
                    line = line * p.m[d] + place_of(d, at[d], left % count[d]);
                    left /= count[d];
                }
                for (int k = 0; k < places; k++)
                    sum += x[(line * p.m[5] + place_of(5, i, k)) * p.unit + int(e) % p.unit];
            }
            y[row * p.size + e] = sum;
        }
#endif
    }
}
