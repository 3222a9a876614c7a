// What the device layer measures and tests itself with; no operator uses it.
//
// probe_axpb: y[i] = SCALE * x[i] + b for i < count; x and y may be the same range.
// bindings: 0 x, 1 y; one invocation an element; any local size in x; parameters: count, b.
// kernels: probe_axpb
#version 450

layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;
layout(constant_id = 0) const int SCALE = 1;
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Params {
    uint count;
    float b;
} p;

void main() {
    const uint i = gl_GlobalInvocationID.x;
    if (i < p.count)
        y[i] = fma(float(SCALE), x[i], p.b);
}
