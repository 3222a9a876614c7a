/* The elementwise functions as device code, in OpenCL C and in GLSL.
 *
 *     ELEMENTWISE_FUNCTION(apply, float16)
 *
 * defines float16 apply(int row, float16 a, float16 b, float16 c, float k): the value of that row
 * of the table, or a where there is no such row (so -1 is "no activation"). The row is meant to be
 * a compile-time constant, which leaves one formula of the switch. In GLSL the type is float. */
#ifndef MICA_ELEMENTWISE_APPLY_H
#define MICA_ELEMENTWISE_APPLY_H

#include "elementwise_table.h"

#ifdef __OPENCL_VERSION__
#define NUM(x)                 ((T)(x))
#define SELECT(cond, yes, no)  select(no, yes, cond)
#define EXP(x)                 exp(x)
#define LOG(x)                 log(x)
#define POW(x, y)              pow(x, y)
#define TANH(x)                tanh(x)
#define SQRT(x)                sqrt(x)
#define ABS(x)                 fabs(x)
#define ELEMENTWISE_TYPE(type) typedef type T;
#else
#include "math_glsl.h"
#define NUM(x)                (x)
#define SELECT(cond, yes, no) ((cond) ? (yes) : (no))
#define EXP(x)                mica_exp(x)
#define LOG(x)                mica_log(x)
#define POW(x, y)             mica_pow(x, y)
#define TANH(x)               mica_tanh(x)
#define SQRT(x)               sqrt(x)
#define ABS(x)                abs(x)
#define ELEMENTWISE_TYPE(type)
#endif

#define AT_LEAST(x, bound) SELECT((x) < (bound), bound, x)
#define EXPM1(x)           (NUM(2.0f) * TANH(NUM(0.5f) * (x)) / (NUM(1.0f) - TANH(NUM(0.5f) * (x))))
#define SIGMOID(x)         (NUM(1.0f) / (NUM(1.0f) + EXP(-(x))))
#define LOG_REST(x)        SELECT((x) < NUM(0.5f), LOG1P(-(x)), LOG(NUM(1.0f) - (x)))

#define HORNER(p, t, k)    ((p) * (t) + NUM(k)) /* of a polynomial by Horner's rule */

/* The series of 2 atanh(s) with s = x / (2 + x), |s| <= 1/3. OpenCL's log1p takes PoCL many times
 * as long. */
#define LOG1P(x)  (ATANH2((x) / (NUM(2.0f) + (x))))
#define ATANH2(s) (NUM(2.0f) * (s) + NUM(2.0f) * (s) * (ATANH_SERIES((s) * (s)) * (s) * (s)))
#define ATANH_SERIES(t)                                                                            \
    HORNER(HORNER(HORNER(HORNER(HORNER(HORNER(NUM(1.0f / 15), t, 1.0f / 13), t, 1.0f / 11), t,     \
        1.0f / 9), t, 1.0f / 7), t, 1.0f / 5), t, 1.0f / 3)

/* The normal distribution's Phi(-|x|) = exp(-x^2 / 2) p(t) with t = 1 / (1 + 0.3 |x|) and p
 * fitted to the relative error 6e-8 for |x| < 15, beyond which it is less than any float32. */
#define NORMAL_T(x) (NUM(1.0f) / (NUM(1.0f) + NUM(0.3f) * ABS(x)))
#define NORMAL_SERIES(t)                                                                           \
    HORNER(HORNER(HORNER(HORNER(HORNER(HORNER(HORNER(HORNER(NUM(0.0384253673f), t,                 \
        -0.169394642f), t, 0.229131415f), t, -0.0770444497f), t, 0.142906159f), t,                 \
        0.0945261419f), t, 0.121960454f), t, 0.119482093f), t, 7.4953864e-6f)
#define NORMAL_EXP(x)     EXP((x) * (x) * NUM(-0.5f))
#define NORMAL_TAIL(x)    (NORMAL_EXP(x) * NORMAL_SERIES(NORMAL_T(x)))
#define NORMAL_CDF(x)     SELECT((x) < NUM(0.0f), NORMAL_TAIL(x), NUM(1.0f) - NORMAL_TAIL(x))
#define NORMAL_DENSITY(x) (NORMAL_EXP(x) * NUM(0.398942280f))

#define ELEMENTWISE_CASE(number, name, operands, formula)                                          \
    case number:                                                                                   \
        return formula;

#define ELEMENTWISE_FUNCTION(function, type)                                                       \
    type function(int row, type a, type b, type c, float k) {                                      \
        ELEMENTWISE_TYPE(type)                                                                     \
        switch (row) { MICA_ELEMENTWISE_ROWS(ELEMENTWISE_CASE) }                                   \
        return a;                                                                                  \
    }

#endif
