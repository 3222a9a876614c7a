/* The elementwise functions, one row each, for C, OpenCL C and GLSL alike:
 *     ROW(number, name, operands, formula)
 * Numbers count up from 0. A formula is of the operands a, b, c and the immediate k (always one
 * float), in words that cl/elementwise_apply.h defines for vectors of OpenCL C and for floats of
 * GLSL: NUM(x) a literal, SELECT(condition, yes, no), EXP, LOG, LOG1P (of 0..1), TANH, SQRT, ABS.
 *
 * A comparison with NaN is false, so each SELECT is written such that NaN comes out: training must
 * find a NaN where it arose. The gradient rows take the incoming gradient as a and the function's
 * result as b, so that its argument need not be kept. */
#ifndef MICA_ELEMENTWISE_TABLE_H
#define MICA_ELEMENTWISE_TABLE_H

#define MICA_ELEMENTWISE_ROWS(ROW)                                                                 \
    ROW(0, add, 2, a + b)                                                                          \
    ROW(1, sub, 2, a - b)                                                                          \
    ROW(2, mul, 2, a * b)                                                                          \
    ROW(3, div, 2, a / b)                                                                          \
    ROW(4, scale, 1, a * k)                                                                        \
    ROW(5, neg, 1, -a)                                                                             \
    ROW(6, square, 1, a * a)                                                                       \
    ROW(7, sqrt, 1, SQRT(a))                                                                       \
    ROW(8, relu, 1, SELECT(a < NUM(0.0f), NUM(0.0f), a))                                           \
    ROW(9, sigmoid, 1, NUM(1.0f) / (NUM(1.0f) + EXP(-a)))                                          \
    ROW(10, tanh, 1, TANH(a))                                                                      \
    ROW(11, exp, 1, EXP(a))                                                                        \
    ROW(12, log, 1, LOG(a))                                                                        \
    ROW(13, relu_grad, 2, SELECT(b <= NUM(0.0f), NUM(0.0f), a))                                    \
    ROW(14, sigmoid_grad, 2, a * b * (NUM(1.0f) - b))                                              \
    ROW(15, tanh_grad, 2, a * (NUM(1.0f) - b * b))                                                 \
    ROW(16, sigmoid_cross_entropy, 2,                                                              \
        SELECT(a < NUM(0.0f), NUM(0.0f), a) - a * b + LOG1P(EXP(-ABS(a))))                         \
    ROW(17, div_or_zero, 2, SELECT(b == NUM(0.0f), NUM(0.0f), a / b))

/* A program reads registers 0 .. INPUTS-1, its inputs, and writes register INPUTS + s in step s. */
#define MICA_ELEMENTWISE_INPUTS 6
#define MICA_ELEMENTWISE_STEPS  8

/* How an input is read at output element i. A stretched one is read at (i / div % mod) * inner +
 * i % inner; the other modes are what is left of that in the usual cases. */
#define MICA_ELEMENTWISE_FULL      0 /* i */
#define MICA_ELEMENTWISE_SCALAR    1 /* 0 */
#define MICA_ELEMENTWISE_ROW       2 /* i % inner */
#define MICA_ELEMENTWISE_COLUMN    3 /* i / div */
#define MICA_ELEMENTWISE_STRETCHED 4

#endif
