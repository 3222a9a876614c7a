// y[i] = x[i] * factor where the random number of element i is below the threshold, else 0: see
// cl/dropout.cl, whose bindings, mapping and parameters this has, with one generator, that is four
// elements, for each invocation at a time.
// kernels: dropout_fwd
#version 450
#extension GL_GOOGLE_include_directive : require

#include "philox.h"

layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) readonly buffer Step { uint step_words[4]; };
layout(std430, binding = 2) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Params {
    uint n, per_group, stream, threshold;
    float factor;
} p;

void main() {
    const uint begin = gl_WorkGroupID.x * p.per_group, end = min(p.n, begin + p.per_group);
    for (uint i = begin + gl_LocalInvocationID.x * 4; i < end; i += gl_WorkGroupSize.x * 4) {
        uint word0 = i / 4, word1 = p.stream, word2 = step_words[0], word3 = step_words[1];
        uint k0 = step_words[2], k1 = step_words[3];
        PHILOX(uint, word0, word1, word2, word3, k0, k1)
        const uint word[4] = {word0, word1, word2, word3};
        for (uint e = 0; e < 4 && i + e < end; e++)
            y[i + e] = word[e] >> 8 < p.threshold ? x[i + e] * p.factor : 0.0;
    }
}
