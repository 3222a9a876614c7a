/* y[i] = x[i] * factor where the random number of element i is below the threshold, else 0.
 *
 * Element i takes word i % 4 of Philox with the counter (i / 4, stream, step) and the model's key;
 * the number is the word's upper 24 bits.
 *
 * Bindings: 0 x; 1 the step number and the key, two words each, low word first; 2 y, which may be
 * x.
 *
 * Mapping: a group works through per_group consecutive elements, a work-item through 4 * WIDTH at
 * once, that is WIDTH generators; any local size in x.
 *
 * Constants: WIDTH 1, 4, 8 or 16. Limits: n < 2^31, per_group is a multiple of 4 * WIDTH.
 * Parameters: as below. */
#include "philox.h"
#include "rows.h"

#define PASTE_(a, b) a##b
#define PASTE(a, b)  PASTE_(a, b)
#if WIDTH == 1
typedef uint uvec;
#define LANES_UNSIGNED 0
#else
typedef PASTE(uint, WIDTH) uvec;
#define LANES_UNSIGNED PASTE(as_uint, WIDTH)(LANE_NUMBERS)
#endif

typedef struct {
    uint n, per_group, stream, threshold;
    float factor;
} dropout_params;

__kernel GROUP_SIZE void dropout_fwd(
    __global const float *x, __global const uint *step, __global float *y, const dropout_params p) {
    const uint begin = get_group_id(0) * p.per_group, end = min(p.n, begin + p.per_group);
    for (uint i = begin + get_local_id(0) * 4 * WIDTH; i < end; i += LOCAL_X * 4 * WIDTH) {
        uvec word0 = i / 4 + LANES_UNSIGNED, word1 = (uvec)(p.stream), word2 = (uvec)(step[0]),
             word3 = (uvec)(step[1]);
        uint k0 = step[2], k1 = step[3];
        PHILOX(uvec, word0, word1, word2, word3, k0, k1)
        const uvec words[4] = {word0, word1, word2, word3};
        const uint *word = (const uint *)words;
        const uint count = min(4u * WIDTH, end - i);
        if (count == 4 * WIDTH)
            for (uint e = 0; e < 4 * WIDTH; e++)
                y[i + e] = word[e % 4 * WIDTH + e / 4] >> 8 < p.threshold ? x[i + e] * p.factor : 0;
        else
            for (uint e = 0; e < count; e++)
                y[i + e] = word[e % 4 * WIDTH + e / 4] >> 8 < p.threshold ? x[i + e] * p.factor : 0;
    }
}
