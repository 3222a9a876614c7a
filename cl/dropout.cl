/* y[i] = x[i] * factor where the random number of element i is below the threshold, else 0. The
 * number is the upper 24 bits of the element's word (philox_lanes.h).
 *
 * Bindings: 0 x; 1 the step number and the key; 2 y, which may be x.
 *
 * Mapping: a group works through per_group consecutive elements, a work-item through 4 * WIDTH at
 * once, that is WIDTH generators; any local size in x.
 *
 * Constants: WIDTH 1, 4, 8 or 16. Limits: n < 2^31, per_group is a multiple of 4 * WIDTH.
 * Parameters: as below. */
#include "philox_lanes.h"

typedef struct {
    uint n, per_group, stream, threshold;
    float factor;
} dropout_params;

__kernel GROUP_SIZE void dropout_fwd(
    __global const float *x, __global const uint *step, __global float *y, const dropout_params p) {
    const uint begin = get_group_id(0) * p.per_group, end = min(p.n, begin + p.per_group);
    for (uint i = begin + get_local_id(0) * 4 * WIDTH; i < end; i += LOCAL_X * 4 * WIDTH) {
        uvec word[4];
        philox_words(i, p.stream, step, word);
        interleave(word);
        for (uint k = 0; k < 4; k++) {
            const vec v = part_load(x, i + k * WIDTH, end, 0.0f) * p.factor;
            part_store(select((vec)(0.0f), v, word[k] >> 8 < p.threshold), y, i + k * WIDTH, end);
        }
    }
}
