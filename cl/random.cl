/* Random numbers from the words of philox_lanes.h.
 *
 * random_uniform: y[i] = the upper 24 bits of the element's word / 2^24.
 * random_normal: two words of a generator make two normal numbers (box_muller.h).
 *
 * Bindings: 0 the step number and the key, 1 y of n elements.
 *
 * Mapping: a group works through per_group consecutive elements, a work-item through 4 * WIDTH at
 * once, that is WIDTH generators; any local size in x.
 *
 * Constants: WIDTH 1, 4, 8 or 16. Limits: n < 2^31, per_group is a multiple of 4 * WIDTH.
 * Parameters: as below. */
#include "philox_lanes.h"

#define UNIT(n) (to_vec(n) * 5.9604645e-8f)
#include "box_muller.h"

typedef struct {
    uint n, per_group, stream;
} random_params;

#define FOR_ELEMENTS(i)                                                                            \
    const uint begin = get_group_id(0) * p.per_group, end = min(p.n, begin + p.per_group);         \
    for (uint i = begin + get_local_id(0) * 4 * WIDTH; i < end; i += LOCAL_X * 4 * WIDTH)

__kernel GROUP_SIZE void random_uniform(
    __global const uint *step, __global float *y, const random_params p) {
    FOR_ELEMENTS(i) {
        uvec word[4];
        philox_words(i, p.stream, step, word);
        interleave(word);
        for (uint k = 0; k < 4 && i + k * WIDTH < end; k++)
            part_store(UNIT(word[k] >> 8), y, i + k * WIDTH, end);
    }
}

__kernel GROUP_SIZE void random_normal(
    __global const uint *step, __global float *y, const random_params p) {
    FOR_ELEMENTS(i) {
        uvec word[4];
        philox_words(i, p.stream, step, word);
        for (uint k = 0; k < 4; k += 2) {
            vec z0, z1;
            BOX_MULLER(vec, uvec, word[k], word[k + 1], z0, z1)
            word[k] = as_uvec(z0);
            word[k + 1] = as_uvec(z1);
        }
        interleave(word);
        for (uint k = 0; k < 4 && i + k * WIDTH < end; k++)
            part_store(as_vec(word[k]), y, i + k * WIDTH, end);
    }
}
