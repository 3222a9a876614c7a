#version 450
// kernels: track_update track_carry
// Running statistics and states: as cl/track.cl.
layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;

layout(push_constant) uniform Params {
    uint count;
    float momentum;
} p;

layout(binding = 0) buffer W { float w[]; };
layout(binding = 1) readonly buffer V { float value[]; };
#ifdef track_update
layout(binding = 2) readonly buffer N { float norms[]; };
#endif

void main() {
#ifdef track_update
    if ((floatBitsToUint(norms[0]) & 0x7f800000u) == 0x7f800000u)
        return;
#endif
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < p.count; i += stride)
#ifdef track_update
        w[i] = p.momentum * w[i] + (1.0 - p.momentum) * value[i];
#else
        w[i] = value[i];
#endif
}
