/* A Philox generator a lane, in OpenCL C: WIDTH of them side by side give 4 * WIDTH consecutive
 * elements. Element i takes word i % 4 of the counter (i / 4, stream, step); `step` are the step
 * number and the model's key, two words each, low word first. Includes rows.h. */
#include "rows.h"

#define PASTE_(a, b) a##b
#define PASTE(a, b)  PASTE_(a, b)
#if WIDTH == 1
typedef uint uvec;
#define LANES     0
#define as_uvec   as_uint
#define as_vec    as_float
#define to_vec(x) ((float)(int)(x))
#else
typedef PASTE(uint, WIDTH) uvec;
#define LANES     PASTE(as_uint, WIDTH)(LANE_NUMBERS)
#define as_uvec   PASTE(as_uint, WIDTH)
#define as_vec    PASTE(as_float, WIDTH)
#define to_vec(x) PASTE(convert_float, WIDTH)(PASTE(as_int, WIDTH)(x)) /* of signed numbers */
/* mul_hi of a vector takes PoCL twice as long. */
#define PHILOX_HIGH(type, factor, x)                                                               \
    PASTE(convert_uint, WIDTH)((PASTE(convert_ulong, WIDTH)(x) * factor) >> 32)
#endif
#include "philox.h"

/* The words of the generators that begin at element i, still a generator a lane. */
void philox_words(uint i, uint stream, __global const uint *step, uvec *word) {
    word[0] = i / 4 + LANES;
    word[1] = (uvec)(stream);
    word[2] = (uvec)(step[0]);
    word[3] = (uvec)(step[1]);
    uint k0 = step[2], k1 = step[3];
    PHILOX(uvec, word[0], word[1], word[2], word[3], k0, k1)
}

/* The four words of each generator side by side, in the order of the elements. */
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
