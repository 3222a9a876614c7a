/* exp, log, pow and tanh for GLSL, within about 4 units in the last place. Vulkan
 * allows its own exp an error that grows with |x|, its log an absolute one near 1, and its tanh
 * almost anything; drivers use that freedom. All take and give NaN and infinities as C does;
 * numbers below 2^-126 may count as 0. */
#ifndef MICA_MATH_GLSL_H
#define MICA_MATH_GLSL_H

/* ln 2 in two parts; the first has so few bits that its product with an exponent is exact. */
#define MICA_LN2_HIGH 0.693359375
#define MICA_LN2_LOW  -2.1219444e-4

/* 2^n e^r with x = n ln 2 + r, |r| <= ln(2) / 2, and Taylor's series to r^7. */
float mica_exp(float x) {
    float y = x > 128.0 ? 128.0 : x < -128.0 ? -128.0 : x;
    precise float n = floor(y * 1.442695041 + 0.5);
    precise float r = (y - n * MICA_LN2_HIGH) - n * MICA_LN2_LOW;
    float p = 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r * r + r + 1.0;
    /* 2^n in two factors, since n reaches past the exponents of float32 on both sides. */
    int whole = int(n), half_ = whole / 2;
    return p * intBitsToFloat((half_ + 127) << 23) * intBitsToFloat((whole - half_ + 127) << 23);
}

/* 2 atanh(s) for |s| <= 1/3, by its series. */
float mica_atanh2(float s) {
    float t = s * s;
    float p = 1.0 / 15.0;
    p = p * t + 1.0 / 13.0;
    p = p * t + 1.0 / 11.0;
    p = p * t + 1.0 / 9.0;
    p = p * t + 1.0 / 7.0;
    p = p * t + 1.0 / 5.0;
    p = p * t + 1.0 / 3.0;
    return 2.0 * s * (p * t) + 2.0 * s;
}

/* log x = e ln 2 + 2 atanh((m - 1) / (m + 1)) with x = m 2^e, sqrt(1/2) <= m < sqrt(2). */
float mica_log(float x) {
    int bits = floatBitsToInt(x);
    if (bits >= 0x7f800000) /* infinity or NaN */
        return x;
    if (bits < 0x00800000) /* negative, 0 or below the normal numbers */
        return (bits & 0x7fffffff) < 0x00800000 ? -intBitsToFloat(0x7f800000)
                                                : intBitsToFloat(0x7fc00000);
    int e = (bits - 0x3f3504f3) >> 23;
    float m = intBitsToFloat(bits - (e << 23));
    return float(e) * MICA_LN2_HIGH +
           (mica_atanh2((m - 1.0) / (m + 1.0)) + float(e) * MICA_LN2_LOW);
}

/* The continued fraction of tanh to its fifth level near 0, where 1 - 2 / (e^2x + 1) cancels. */
float mica_tanh(float x) {
    float a = abs(x), t = x * x;
    if (a < 0.7)
        return x * ((t + 105.0) * t + 945.0) / ((15.0 * t + 420.0) * t + 945.0);
    float y = 1.0 - 2.0 / (mica_exp(2.0 * a) + 1.0);
    return x < 0.0 ? -y : y;
}

/* |x|^k = 2^n e^z with x = m 2^e, n + z / ln 2 = e k + k log m / ln 2, sqrt(1/2) <= m < sqrt(2).
 * The error grows with |k|, by one unit for every 2 or so, but not with |log x|. */
float mica_pow(float x, float k) {
    bool whole = floor(k) == k, odd = whole && abs(k) < 16777216.0 && mod(k, 2.0) == 1.0;
    int bits = floatBitsToInt(x) & 0x7fffffff;
    float s = odd && floatBitsToInt(x) < 0 ? -1.0 : 1.0;
    if (k == 0.0)
        return 1.0;
    if (bits > 0x7f800000) /* NaN */
        return x;
    if (bits == 0x7f800000 || bits < 0x00800000) /* infinity or 0 */
        return (bits == 0x7f800000) == (k > 0.0) ? s * intBitsToFloat(0x7f800000) : s * 0.0;
    if (x < 0.0 && !whole)
        return intBitsToFloat(0x7fc00000);
    int e = (bits - 0x3f3504f3) >> 23;
    float m = intBitsToFloat(bits - (e << 23));
    /* the upper half of k has so few bits that its product with e is exact */
    precise float high = intBitsToFloat(floatBitsToInt(k) & 0xfffff000), low = k - high;
    precise float power = high * float(e), n = clamp(floor(power + 0.5), -252.0, 252.0);
    precise float rest = (power - n) + low * float(e);
    float log_m = mica_atanh2((m - 1.0) / (m + 1.0));
    int first = int(n) / 2, second = int(n) - first;
    return s * mica_exp(rest * 0.69314718 + k * log_m) * intBitsToFloat((first + 127) << 23) *
           intBitsToFloat((second + 127) << 23);
}

#endif
