/* Philox4x32-10, the counter-based generator of src/base/philox.h, in OpenCL C and in GLSL.
 *
 *     PHILOX(uint, c0, c1, c2, c3, k0, k1)
 *
 * replaces the counter in the variables c0 .. c3 by four random words and spoils the key in k0, k1.
 * In OpenCL C the type may be a vector of uint: a generator a lane. */
#ifndef MICA_PHILOX_H
#define MICA_PHILOX_H

#ifdef PHILOX_HIGH /* the upper words of products, by the file that includes this one */
#elif defined(__OPENCL_VERSION__)
#define PHILOX_HIGH(type, factor, x) mul_hi((type)(factor), x)
#else
uint philox_high(uint a, uint b) {
    uint high, low;
    umulExtended(a, b, high, low);
    return high;
}
#define PHILOX_HIGH(type, factor, x) philox_high(factor, x)
#endif

#define PHILOX(type, c0, c1, c2, c3, k0, k1)                                                       \
    for (int philox_round = 0; philox_round < 10; philox_round++) {                                \
        type high0 = PHILOX_HIGH(type, 0xD2511F53u, c0), low0 = 0xD2511F53u * c0;                  \
        type high1 = PHILOX_HIGH(type, 0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;                  \
        c0 = high1 ^ c1 ^ k0;                                                                      \
        c1 = low1;                                                                                 \
        c2 = high0 ^ c3 ^ k1;                                                                      \
        c3 = low0;                                                                                 \
        k0 += 0x9E3779B9u;                                                                         \
        k1 += 0xBB67AE85u;                                                                         \
    }

#endif
