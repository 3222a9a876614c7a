// Two sums over rows, for gradients of normalizations: see cl/normal_sums.cl, whose bindings,
// parameters, constants (0 and 1 are its WIDTH and SPAN) and mapping these have.
// kernels: normal_sums_parts normal_sums_all
#version 450
#include "columns.glsl"

#define BLOCK 64

layout(constant_id = 2) const int BY_ROW = 0;
layout(push_constant, std430) uniform Params {
    Columns p;
};

#ifdef normal_sums_parts
layout(std430, binding = 0) readonly buffer DY { float dy[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(std430, binding = 2) readonly buffer Mean { float mean[]; };
layout(std430, binding = 3) readonly buffer Inverse { float inverse[]; };
layout(std430, binding = 4) writeonly buffer Parts { float parts[]; };

shared float pool[256];

float add_items(float v) {
    const uint me = ROW_LANE * WIDE + LANE;
    pool[me] = v;
    for (uint reach = HIGH / 2; reach > 0; reach /= 2) {
        barrier();
        if (ROW_LANE < reach)
            pool[me] += pool[me + reach * WIDE];
    }
    v = pool[me];
    barrier();
    return v;
}

void main() {
    FOR_UNITS(p) {
        const uint j = COLUMN_OF(p, unit), from = FROM_OF(p, unit), to = TO_OF(p, unit, j);
        float product = 0.0, sum = 0.0;
        for (uint at = from; at < to; at += BLOCK * HIGH) {
            const uint stop = min(to, at + BLOCK * HIGH);
            float block_product = 0.0, block_sum = 0.0;
            for (uint i = at + ROW_LANE; i < stop; i += HIGH) {
                const uint r = BY_ROW != 0 ? i : j;
                const float g = dy[i * p.channels + j];
                block_sum += g;
                block_product += g * ((x[i * p.channels + j] - mean[r]) * inverse[r]);
            }
            product += block_product;
            sum += block_sum;
        }
        product = add_items(product);
        sum = add_items(sum);
        if (ROW_LANE == 0 && j < p.channels) {
            parts[unit / p.chunks * p.channels + j] = product;
            parts[(p.parts + unit / p.chunks) * p.channels + j] = sum;
        }
    }
}
#else
layout(std430, binding = 0) readonly buffer Parts { float parts[]; };
layout(std430, binding = 1) writeonly buffer Products { float products[]; };
layout(std430, binding = 2) writeonly buffer Sums { float sums[]; };

void main() {
    const uint j = gl_GlobalInvocationID.x;
    if (j >= p.channels)
        return;
    float product = 0.0, sum = 0.0;
    for (uint i = 0; i < p.parts; i++) {
        product += parts[i * p.channels + j];
        sum += parts[(p.parts + i) * p.channels + j];
    }
    products[j] = product;
    sums[j] = sum;
}
#endif
