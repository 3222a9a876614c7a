#include "base/philox.h"

#include <math.h>

void mica_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

uint32_t mica_rng_u32(mica_rng *rng) {
    uint64_t block = rng->position / 4;
    uint32_t out[4];
    mica_philox((const uint32_t[4]){(uint32_t)block, (uint32_t)(block >> 32), rng->stream, 0},
        (const uint32_t[2]){(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)}, out);
    return out[rng->position++ % 4];
}

float mica_rng_uniform(mica_rng *rng) {
    return (float)(mica_rng_u32(rng) >> 8) * 0x1p-24f;
}

float mica_rng_normal(mica_rng *rng) {
    double radius = sqrt(-2.0 * log(((double)mica_rng_u32(rng) + 0.5) * 0x1p-32));
    double angle = 6.283185307179586 * ((double)mica_rng_u32(rng) * 0x1p-32);
    return (float)(radius * cos(angle));
}

uint32_t mica_rng_below(mica_rng *rng, uint32_t end) {
    uint32_t threshold = -end % end; /* the words that would make small results likelier */
    for (;;) {
        uint32_t word = mica_rng_u32(rng);
        if (word >= threshold)
            return word % end;
    }
}
