// The gradient of a maximum along one dimension: see cl/max_grad.cl, whose bindings, mapping,
// constants and parameters this has. Limits: local sizes are powers of two, at most 256 in all.
// kernels: max_grad_bwd
#version 450

layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;
layout(constant_id = 0) const int ROWS = 0;
layout(std430, binding = 0) readonly buffer A { float a[]; };
layout(std430, binding = 1) readonly buffer Top { float top[]; };
layout(std430, binding = 2) readonly buffer G { float g[]; };
layout(std430, binding = 3) writeonly buffer Da { float da[]; };
layout(push_constant) uniform Params {
    uint size, inner, outputs, per_group;
} p;

shared uint places[256];

bool is_nan(float v) {
    return (floatBitsToUint(v) & 0x7fffffffu) > 0x7f800000u;
}

void main() {
    const uint lanes = ROWS != 0 ? gl_WorkGroupSize.x : gl_WorkGroupSize.y;
    const uint together = ROWS != 0 ? gl_WorkGroupSize.y : gl_WorkGroupSize.x;
    const uint lane = ROWS != 0 ? gl_LocalInvocationID.x : gl_LocalInvocationID.y;
    const uint own = ROWS != 0 ? gl_LocalInvocationID.y : gl_LocalInvocationID.x;
    const uint me = own * lanes + lane;
    const uint begin = gl_WorkGroupID.x * p.per_group, end = min(p.outputs, begin + p.per_group);
    for (uint first = begin; first < end; first += together) {
        const uint o = min(first + own, end - 1);
        const uint base = o / p.inner * p.size * p.inner + o % p.inner;
        uint place = p.size;
        for (uint i = lane; i < p.size && place == p.size; i += lanes) {
            const float v = a[base + i * p.inner];
            if (v == top[o] || is_nan(v))
                place = i;
        }
        if (lanes > 1) {
            places[me] = place;
            for (uint reach = lanes / 2; reach > 0; reach /= 2) {
                barrier();
                if (lane < reach)
                    places[me] = min(places[me], places[me + reach]);
            }
            barrier();
            place = places[me - lane];
            barrier();
        }
        if (first + own < end)
            for (uint i = lane; i < p.size; i += lanes)
                da[base + i * p.inner] = i == place ? g[o] : 0.0;
    }
}
