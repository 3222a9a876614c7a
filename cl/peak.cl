/* The device's rate of float32 multiply-adds: chains of FMA() in registers, nothing else.
 *
 * Kernels
 *   peak_fma  each work-item runs CHAINS chains of `steps` multiply-adds on WIDTH lanes each
 *
 * Buffers: seeds (2 floats, a factor and a summand that keep the numbers finite, unknown to the
 * compiler), sums (a float for each work-item, so that nothing is left out).
 * Operations: 2 * WIDTH * CHAINS * steps for each work-item.
 * Constants: WIDTH 1, 4, 8 or 16; CHAINS enough to hide the latency of one, few enough for the
 * registers. */
#ifndef WIDTH
#define WIDTH 1
#endif
#ifndef CHAINS
#define CHAINS 12
#endif

#include "fma.h"
#include "vector.h"

typedef struct {
    uint steps;
} peak_params;

KERNEL peak_fma(__global const float *seeds, __global float *sums, const peak_params p) {
    const uint item = (uint)get_global_id(0);
    const vec factor = (vec)(seeds[0]), summand = (vec)(seeds[1]);
    vec chain[CHAINS], sum = (vec)(0.0f);
    _Pragma("unroll") for (uint i = 0; i < CHAINS; i++) chain[i] = (vec)((float)(item + i));
    for (uint step = 0; step < p.steps; step++) {
        _Pragma("unroll") for (uint i = 0; i < CHAINS; i++) chain[i] =
            FMA(chain[i], factor, summand);
    }
    _Pragma("unroll") for (uint i = 0; i < CHAINS; i++) sum += chain[i];
    sums[item] = vec_sum(sum);
}
