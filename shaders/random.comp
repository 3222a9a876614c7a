// Random numbers by Philox: see cl/random.cl, whose bindings, mapping and parameters this has, with
// one generator, that is four elements, for each invocation at a time.
// kernels: random_uniform random_normal
#version 450
#extension GL_GOOGLE_include_directive : require

#include "philox.h"

#define UNIT(n) (float(int(n)) * 5.9604645e-8)
#include "box_muller.h"

layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;
layout(std430, binding = 0) readonly buffer Step { uint step_words[4]; };
layout(std430, binding = 1) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Params { uint n, per_group, stream; } p;

void main() {
    const uint begin = gl_WorkGroupID.x * p.per_group, end = min(p.n, begin + p.per_group);
    for (uint i = begin + gl_LocalInvocationID.x * 4; i < end; i += gl_WorkGroupSize.x * 4) {
        uint w0 = i / 4, w1 = p.stream, w2 = step_words[0], w3 = step_words[1];
        uint k0 = step_words[2], k1 = step_words[3];
        PHILOX(uint, w0, w1, w2, w3, k0, k1)
        float z[4];
#ifdef random_normal
        BOX_MULLER(float, uint, w0, w1, z[0], z[1])
        BOX_MULLER(float, uint, w2, w3, z[2], z[3])
#else
        z = float[](UNIT(w0 >> 8), UNIT(w1 >> 8), UNIT(w2 >> 8), UNIT(w3 >> 8));
#endif
        for (uint e = 0; e < 4 && i + e < end; e++)
            y[i + e] = z[e];
    }
}
