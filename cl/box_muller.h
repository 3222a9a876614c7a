/* Two normal numbers from two random words, for OpenCL C and GLSL alike (Box and Muller, "A note on
 * the generation of random normal deviates", 1958):
 *
 *     BOX_MULLER(T, UINT, w0, w1, z0, z1)
 *
 * sets z0, z1 to sqrt(-2 log u) (cos, sin)(2 pi v), where u is (upper 24 bits of w0, plus 1) / 2^24
 * and v the same of w1 without the 1: |z| < 5.77. T and UINT are the types, UNIT(n) is n / 2^24 for
 * signed n, of the file that includes this one. The angle is taken apart into quarter turns and a
 * rest of at most pi / 4 in whole numbers, since the sine of GLSL has no more than 11 bits. */
#ifndef MICA_BOX_MULLER_H
#define MICA_BOX_MULLER_H

#include "elementwise_apply.h"

#define BOX_MULLER(T, UINT, w0, w1, z0, z1)                                                        \
    {                                                                                              \
        const T radius = sqrt(-2.0f * LOG(UNIT((w0 >> 8) + 1u)));                                  \
        const UINT turn = w1 >> 8, quarter = (turn + 0x200000u) >> 22;                             \
        const T rest = UNIT(turn - (quarter << 22)) * 6.2831853f, t = rest * rest;                 \
        const T s = (((t / 362880.0f - 1.0f / 5040.0f) * t + 1.0f / 120.0f) * t - 1.0f / 6.0f) *   \
                        t * rest + rest;                                                           \
        const T c = (((t / 40320.0f - 1.0f / 720.0f) * t + 1.0f / 24.0f) * t - 0.5f) * t + 1.0f;   \
        const T along = SELECT((quarter & 1u) != 0u, s, c);                                        \
        const T across = SELECT((quarter & 1u) != 0u, c, s);                                       \
        z0 = radius * SELECT(((quarter + 1u) & 2u) != 0u, -along, along);                          \
        z1 = radius * SELECT((quarter & 2u) != 0u, -across, across);                               \
    }

#endif
