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
#include "rows.h"

#define PASTE_(a, b) a##b
#define PASTE(a, b)  PASTE_(a, b)
#if WIDTH == 1
typedef uint uvec;
#define LANES 0
#else
typedef PASTE(uint, WIDTH) uvec;
#define LANES PASTE(as_uint, WIDTH)(LANE_NUMBERS)
/* mul_hi of a vector takes PoCL twice as long. */
#define PHILOX_HIGH(type, factor, x)                                                               \
    PASTE(convert_uint, WIDTH)((PASTE(convert_ulong, WIDTH)(x) * factor) >> 32)
#endif
#include "philox.h"

typedef struct {
    uint n, per_group, stream, threshold;
    float factor;
} dropout_params;

/* The four words of each generator side by side. */
void interleave(uvec *word) {
#if WIDTH > 1
    uvec a, b, c, d;
    a.even = word[0].lo, a.odd = word[2].lo;
    b.even = word[1].lo, b.odd = word[3].lo;
    c.even = word[0].hi, c.odd = word[2].hi;
    d.even = word[1].hi, d.odd = word[3].hi;
    word[0].even = a.lo, word[0].odd = b.lo;
    word[1].even = a.hi, word[1].odd = b.hi;
    word[2].even = c.lo, word[2].odd = d.lo;
    word[3].even = c.hi, word[3].odd = d.hi;
#endif
}

__kernel GROUP_SIZE void dropout_fwd(
    __global const float *x, __global const uint *step, __global float *y, const dropout_params p) {
    const uint begin = get_group_id(0) * p.per_group, end = min(p.n, begin + p.per_group);
    for (uint i = begin + get_local_id(0) * 4 * WIDTH; i < end; i += LOCAL_X * 4 * WIDTH) {
        uvec word[4] = {i / 4 + LANES, (uvec)(p.stream), (uvec)(step[0]), (uvec)(step[1])};
        uint k0 = step[2], k1 = step[3];
        PHILOX(uvec, word[0], word[1], word[2], word[3], k0, k1)
        interleave(word);
        for (uint k = 0; k < 4; k++) {
            const vec v = part_load(x, i + k * WIDTH, end, 0.0f) * p.factor;
            part_store(select((vec)(0.0f), v, word[k] >> 8 < p.threshold), y, i + k * WIDTH, end);
        }
    }
}
