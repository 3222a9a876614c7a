// Does the device compute in half precision? Rounding to 11 bits of significand must show.
//
// probe_half: y[i] = float(half(x[i]) * half(x[i]) + half(1)), in half precision.
// bindings: 0 x, 1 y; one invocation an element; no parameters.
// kernels: probe_half
#version 450
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require

layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) writeonly buffer Y { float y[]; };

void main() {
    const uint i = gl_GlobalInvocationID.x;
    const float16_t h = float16_t(x[i]);
    y[i] = float(h * h + float16_t(1.0));
}
