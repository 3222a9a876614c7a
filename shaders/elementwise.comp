// Runs a program of elementwise steps (cl/elementwise_table.h) on up to 6 inputs.
//
// Bindings: the inputs, then the output of n elements, which may lie over an input read in FULL
// mode.
// Mapping: a group works through per_group consecutive elements; any local size in x.
// Constants: as in cl/elementwise.cl, in the same order (0 is its WIDTH, 1 its INPUTS); the steps
// are specialization constants, so that the driver folds each program to straight-line code. What
// it has to fold decides how long it takes: a kernel for each number of steps.
// Limits: n < 2^31. Parameters: as in cl/elementwise.cl.
// kernels: elementwise_fwd_1x1:INPUTS=1,STEPS_MOST=1 elementwise_fwd_2x1:INPUTS=2,STEPS_MOST=1
// kernels: elementwise_fwd_3x1:INPUTS=3,STEPS_MOST=1
// kernels: elementwise_fwd_1x2:INPUTS=1,STEPS_MOST=2 elementwise_fwd_2x2:INPUTS=2,STEPS_MOST=2
// kernels: elementwise_fwd_3x2:INPUTS=3,STEPS_MOST=2 elementwise_fwd_4x2:INPUTS=4,STEPS_MOST=2
// kernels: elementwise_fwd_5x2:INPUTS=5,STEPS_MOST=2
// kernels: elementwise_fwd_1x4:INPUTS=1,STEPS_MOST=4 elementwise_fwd_2x4:INPUTS=2,STEPS_MOST=4
// kernels: elementwise_fwd_3x4:INPUTS=3,STEPS_MOST=4 elementwise_fwd_4x4:INPUTS=4,STEPS_MOST=4
// kernels: elementwise_fwd_5x4:INPUTS=5,STEPS_MOST=4 elementwise_fwd_6x4:INPUTS=6,STEPS_MOST=4
// kernels: elementwise_fwd_1x8:INPUTS=1,STEPS_MOST=8 elementwise_fwd_2x8:INPUTS=2,STEPS_MOST=8
// kernels: elementwise_fwd_3x8:INPUTS=3,STEPS_MOST=8 elementwise_fwd_4x8:INPUTS=4,STEPS_MOST=8
// kernels: elementwise_fwd_5x8:INPUTS=5,STEPS_MOST=8 elementwise_fwd_6x8:INPUTS=6,STEPS_MOST=8
#version 450
#extension GL_GOOGLE_include_directive : require

#include "elementwise_apply.h"

layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;
layout(constant_id = 2) const int MODES = 0;
layout(constant_id = 3) const int STEPS = 0;
layout(constant_id = 4) const int STEP0 = 0;
layout(constant_id = 5) const int STEP1 = 0;
layout(constant_id = 6) const int STEP2 = 0;
layout(constant_id = 7) const int STEP3 = 0;
layout(constant_id = 8) const int STEP4 = 0;
layout(constant_id = 9) const int STEP5 = 0;
layout(constant_id = 10) const int STEP6 = 0;
layout(constant_id = 11) const int STEP7 = 0;
layout(push_constant) uniform Params {
    uint n, per_group;
    uint div[MICA_ELEMENTWISE_INPUTS], mod[MICA_ELEMENTWISE_INPUTS], inner[MICA_ELEMENTWISE_INPUTS];
    float k[MICA_ELEMENTWISE_STEPS];
} p;

#define INPUT(j) layout(std430, binding = j) readonly buffer X##j { float x##j[]; };
INPUT(0)
#if INPUTS > 1
INPUT(1)
#endif
#if INPUTS > 2
INPUT(2)
#endif
#if INPUTS > 3
INPUT(3)
#endif
#if INPUTS > 4
INPUT(4)
#endif
#if INPUTS > 5
INPUT(5)
#endif
layout(std430, binding = INPUTS) writeonly buffer Y { float y[]; };

ELEMENTWISE_FUNCTION(apply, float)

uint place(int mode, uint j, uint i) {
    switch (mode) {
    case MICA_ELEMENTWISE_FULL:
        return i;
    case MICA_ELEMENTWISE_SCALAR:
        return 0;
    case MICA_ELEMENTWISE_ROW:
        return i % p.inner[j];
    case MICA_ELEMENTWISE_COLUMN:
        return i / p.div[j];
    }
    return i / p.div[j] % p.mod[j] * p.inner[j] + i % p.inner[j];
}

#define LOAD(j) r[j] = x##j[place(MODES >> 4 * j & 15, j, i)];
#define RUN(s)                                                                                     \
    if (s < STEPS)                                                                                 \
        r[INPUTS + s] = apply(STEP##s & 255, r[STEP##s >> 8 & 255], r[STEP##s >> 16 & 255],        \
            r[STEP##s >> 24 & 255], p.k[s]);

void main() {
    const uint begin = gl_WorkGroupID.x * p.per_group, end = min(p.n, begin + p.per_group);
    for (uint i = begin + gl_LocalInvocationID.x; i < end; i += gl_WorkGroupSize.x) {
        float r[INPUTS + MICA_ELEMENTWISE_STEPS];
        LOAD(0)
#if INPUTS > 1
        LOAD(1)
#endif
#if INPUTS > 2
        LOAD(2)
#endif
#if INPUTS > 3
        LOAD(3)
#endif
#if INPUTS > 4
        LOAD(4)
#endif
#if INPUTS > 5
        LOAD(5)
#endif
        RUN(0)
#if STEPS_MOST > 1
        RUN(1)
#endif
#if STEPS_MOST > 2
        RUN(2)
        RUN(3)
#endif
#if STEPS_MOST > 4
        RUN(4)
        RUN(5)
        RUN(6)
        RUN(7)
#endif
        y[i] = STEPS > 0 ? r[INPUTS + STEPS - 1] : r[0];
    }
}
