/* Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3" (SC 2011). The kernels have the same generator, so that a mask, a
 * noise or a shuffle is the same on every device. */
#ifndef MICA_BASE_PHILOX_H
#define MICA_BASE_PHILOX_H

#include <stdint.h>

/* Four random words for a counter and a key. */
void mica_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* A stream over the counters (n, 0, stream, 0) with key `seed`, for use on the host. */
typedef struct mica_rng {
    uint64_t seed;
    uint32_t stream;
    uint64_t position; /* words drawn so far: the whole state */
} mica_rng;

uint32_t mica_rng_u32(mica_rng *rng);
float mica_rng_uniform(mica_rng *rng);                /* [0, 1) in steps of 2^-24 */
float mica_rng_normal(mica_rng *rng);                 /* mean 0, variance 1: Box-Muller */
uint32_t mica_rng_below(mica_rng *rng, uint32_t end); /* uniform over 0 .. end-1, no bias */

#endif
