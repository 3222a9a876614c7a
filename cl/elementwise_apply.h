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
#define LOG1P(x)               log1p(x)
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
#define LOG1P(x)              mica_log1p(x)
#define TANH(x)               mica_tanh(x)
#define SQRT(x)               sqrt(x)
#define ABS(x)                abs(x)
#define ELEMENTWISE_TYPE(type)
#endif

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
