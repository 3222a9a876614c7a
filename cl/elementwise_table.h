/* The elementwise functions, one row each, for C, OpenCL C and GLSL alike:
 *     ROW(number, name, operands, formula)
 * Numbers count up from 0. A formula is of the operands a, b, c and the immediate k (always one
 * float), in words that cl/elementwise_apply.h defines for vectors of OpenCL C and for floats of
 * GLSL: NUM(x) a float, SELECT(condition, yes, no), AT_LEAST(x, bound), EXP, EXPM1 (below 0), LOG,
 * LOG1P (of -1/2..1), LOG_REST (of 1 - x), POW, TANH, SQRT, ABS, SIGMOID, and NORMAL_CDF and
 * NORMAL_DENSITY of mean 0 and deviation 1.
 *
 * A comparison with NaN is false, so each SELECT is written such that NaN comes out: training must
 * find a NaN where it arose. The gradient rows take the incoming gradient as a and, where that
 * tells enough, the function's result as b, so that its argument need not be kept. Those of gelu,
 * erf, silu, hard_swish, abs and the bounds take the argument. */
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
    ROW(8, relu, 1, AT_LEAST(a, NUM(0.0f)))                                                        \
    ROW(9, sigmoid, 1, SIGMOID(a))                                                                 \
    ROW(10, tanh, 1, TANH(a))                                                                      \
    ROW(11, exp, 1, EXP(a))                                                                        \
    ROW(12, log, 1, LOG(a))                                                                        \
    ROW(13, relu_grad, 2, SELECT(b <= NUM(0.0f), NUM(0.0f), a))                                    \
    ROW(14, sigmoid_grad, 2, a * b * (NUM(1.0f) - b))                                              \
    ROW(15, tanh_grad, 2, a * (NUM(1.0f) - b * b))                                                 \
    ROW(16, sigmoid_cross_entropy, 2, AT_LEAST(a, NUM(0.0f)) - a * b + LOG1P(EXP(-ABS(a))))        \
    ROW(17, div_or_zero, 2, SELECT(b == NUM(0.0f), NUM(0.0f), a / b))                              \
    ROW(18, abs, 1, ABS(a))                                                                        \
    ROW(19, abs_grad, 2, SELECT(b < NUM(0.0f), -a, SELECT(b == NUM(0.0f), NUM(0.0f), a)))          \
    ROW(20, shift, 1, a + k)                                                                       \
    ROW(21, pow, 1, POW(a, NUM(k)))                                                                \
    ROW(22, minimum, 2, SELECT(b < a, b, SELECT(a <= b, a, a + b)))                                \
    ROW(23, maximum, 2, SELECT(a < b, b, SELECT(b <= a, a, a + b)))                                \
    ROW(24, where_less, 3, SELECT(b < c, a, NUM(0.0f)))                                            \
    ROW(25, where_not_less, 3, SELECT(b < c, NUM(0.0f), a))                                        \
    ROW(26, at_least, 1, AT_LEAST(a, NUM(k)))                                                      \
    ROW(27, at_most, 1, SELECT(a > NUM(k), NUM(k), a))                                             \
    ROW(28, at_least_grad, 2, SELECT(b < NUM(k), NUM(0.0f), a))                                    \
    ROW(29, at_most_grad, 2, SELECT(b > NUM(k), NUM(0.0f), a))                                     \
    ROW(30, leaky_relu, 1, SELECT(a < NUM(0.0f), a * k, a))                                        \
    ROW(31, leaky_relu_grad, 2, SELECT(b <= NUM(0.0f), a * k, a))                                  \
    ROW(32, elu, 1, SELECT(a < NUM(0.0f), EXPM1(a) * k, a))                                        \
    ROW(33, elu_grad, 2, SELECT(b <= NUM(0.0f), a * (b + k), a))                                   \
    ROW(34, gelu, 1, a * NORMAL_CDF(a))                                                            \
    ROW(35, gelu_grad, 2, a * (NORMAL_CDF(b) + b * NORMAL_DENSITY(b)))                             \
    ROW(36, silu, 1, a * SIGMOID(a))                                                               \
    ROW(37, silu_grad, 2, a * SIGMOID(b) * (NUM(1.0f) + b * (NUM(1.0f) - SIGMOID(b))))             \
    ROW(38, softplus, 1, AT_LEAST(a, NUM(0.0f)) + LOG1P(EXP(-ABS(a))))                             \
    ROW(39, softplus_grad, 2, -a * EXPM1(-b))                                                      \
    ROW(40, hard_sigmoid, 1,                                                                       \
        SELECT(a * k < NUM(-0.5f), NUM(0.0f),                                                      \
            SELECT(a * k > NUM(0.5f), NUM(1.0f), a * k + NUM(0.5f))))                              \
    ROW(41, hard_sigmoid_grad, 2,                                                                  \
        SELECT(b <= NUM(0.0f), NUM(0.0f), SELECT(b >= NUM(1.0f), NUM(0.0f), a * k)))               \
    ROW(42, hard_swish, 1,                                                                         \
        SELECT(a <= NUM(-3.0f), NUM(0.0f),                                                         \
            SELECT(a >= NUM(3.0f), a, a * (a + NUM(3.0f)) / NUM(6.0f))))                           \
    ROW(43, hard_swish_grad, 2,                                                                    \
        SELECT(b <= NUM(-3.0f), NUM(0.0f),                                                         \
            SELECT(b >= NUM(3.0f), a, a * (b / NUM(3.0f) + NUM(0.5f)))))                           \
    ROW(44, binary_cross_entropy, 2,                                                               \
        AT_LEAST(LOG(a), NUM(-100.0f)) * -b +                                                      \
            AT_LEAST(LOG_REST(a), NUM(-100.0f)) * (b - NUM(1.0f)))                                 \
    ROW(45, binary_cross_entropy_grad, 3,                                                          \
        a * (b - c) / AT_LEAST(b * (NUM(1.0f) - b), NUM(1e-12f)))                                  \
    ROW(46, erf, 1, /* near 0 by its series: exact where the difference of two would not be */     \
        SELECT(ABS(a) < NUM(0.5f),                                                                 \
            a * (NUM(1.12837917f) +                                                                \
                    a * a * (NUM(-0.37612639f) +                                                   \
                    a * a * (NUM(0.11283792f) +                                                    \
                    a * a * (NUM(-0.02686617f) +                                                   \
                    a * a * (NUM(0.00522398f) - a * a * NUM(0.00085483f)))))),                     \
            NUM(2.0f) * NORMAL_CDF(a * NUM(1.41421356f)) - NUM(1.0f)))                             \
    ROW(47, erf_grad, 2, a * NUM(2.82842712f) * NORMAL_DENSITY(b * NUM(1.41421356f)))

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
