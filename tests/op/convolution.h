/* What the cases of mica_conv2d and mica_conv2d_transpose have in common: naive loops. */
#ifndef MICA_TESTS_OP_CONVOLUTION_H
#define MICA_TESTS_OP_CONVOLUTION_H

#include "tests/op/harness.h"

typedef enum convolution_result {
    CONVOLUTION,        /* act(convolution + bias), the bias where there is a third input */
    CONVOLUTION_DX,     /* the gradient of x, for act(convolution)'s that is the third input */
    CONVOLUTION_DFILTER /* the same of the filter */
} convolution_result;

/* How a case is built. */
typedef struct convolution {
    mica_conv2d_options options;
    convolution_result result;
    bool squared;                     /* the filter is x */
    mica_value *(*act)(mica_value *); /* NULL: none */
    double (*value)(double), (*slope)(double);
    const double *golden; /* not NULL: the expected result */
} convolution;

typedef mica_value *convolution_builder(
    mica_value *x, mica_value *filter, const mica_conv2d_options *options);

mica_value *convolution_build(
    convolution_builder *builder, mica_value *const *in, const mica_op_case *c);

/* For mica_conv2d, and with `transpose` for mica_conv2d_transpose. */
void convolution_reference(
    bool transpose, const mica_op_case *c, const mica_ref *in, mica_ref *out);
void convolution_gradient(
    bool transpose, const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din);

double convolution_relu(double x);
double convolution_relu_slope(double x);
double convolution_sigmoid(double x);
double convolution_square_slope(double x);

/* Tables: sizes in the order of the layouts, then initializers of a convolution. Cases with a kink,
 * or that central differences take too long for, end in RELU_CASE's gradient, the suite's file's.
 */
#define SHAPE(...)                                                                                 \
    {                                                                                              \
        .shape = { __VA_ARGS__ }                                                                   \
    }
#define IMAGE(b, h, w, c)                                                                          \
    {                                                                                              \
        4, {                                                                                       \
            b, h, w, c                                                                             \
        }                                                                                          \
    }
#define CASE(text, x, filter, y, ...)                                                              \
    {                                                                                              \
        .name = text, .n_in = 2, .in = {{.shape = x}, {.shape = filter}}, .out = y,                \
        .attrs = &(const convolution) {                                                            \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define BIAS_CASE(text, x, filter, n, y, ...)                                                      \
    {                                                                                              \
        .name = text, .n_in = 3, .in = {{.shape = x}, {.shape = filter}, SHAPE(1, {n})}, .out = y, \
        .attrs = &(const convolution) {                                                            \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define RELU_CASE(text, x, filter, n, y, ...)                                                      \
    {                                                                                              \
        .name = text, .n_in = 3, .in = {{.shape = x}, {.shape = filter}, SHAPE(1, {n})}, .out = y, \
        .gradient = gradient, .attrs = &(const convolution) {                                      \
            .act = mica_relu, .value = convolution_relu, .slope = convolution_relu_slope,          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
/* The gradient of x or of the filter is the result, of the square of the convolution, so that it
 * depends on both and its own gradients are tried. */
#define GRADIENT_CASE(text, which, x, filter, y, out_shape, ...)                                   \
    {                                                                                              \
        .name = text, .n_in = 3, .in = {{.shape = x}, {.shape = filter}, {.shape = y}},            \
        .out = out_shape, .attrs = &(const convolution) {                                          \
            .result = which, .act = mica_square, .slope = convolution_square_slope, __VA_ARGS__    \
        }                                                                                          \
    }
#define VALID           .options.padding = MICA_VALID
#define SAME            .options.padding = MICA_SAME
#define PAD(...)        .options.padding = MICA_EXPLICIT, .options.pad = {__VA_ARGS__}
#define STRIDES(h, w)   .options.strides = {1, h, w, 1}
#define DILATIONS(h, w) .options.dilations = {1, h, w, 1}
#define GROUPS(n)       .options.groups = n
#define OUTPUT(h, w)    .options.output = {h, w}
/* Whole numbers of tests/golden, exactly; y, dx and dfilter are three cases. */
#define GOLDEN(title, x_shape, filter_shape, y_shape, ...)                                         \
    {.name = #title,                                                                               \
        .n_in = 2,                                                                                 \
        .in = {{.shape = x_shape, .values = title##_x},                                            \
            {.shape = filter_shape, .values = title##_filter}},                                    \
        .out = y_shape,                                                                            \
        .attrs = &(const convolution){.golden = title##_y, __VA_ARGS__},                           \
        .tolerance = -1,                                                                           \
        .no_gradient = true},                                                                      \
        {.name = #title " dx",                                                                     \
            .n_in = 3,                                                                             \
            .in = {{.shape = x_shape, .values = title##_x},                                        \
                {.shape = filter_shape, .values = title##_filter},                                 \
                {.shape = y_shape, .values = title##_dy}},                                         \
            .out = x_shape,                                                                        \
            .attrs =                                                                               \
                &(const convolution){.result = CONVOLUTION_DX, .golden = title##_dx, __VA_ARGS__}, \
            .tolerance = -1,                                                                       \
            .no_gradient = true},                                                                  \
    {                                                                                              \
        .name = #title " dfilter", .n_in = 3,                                                      \
        .in = {{.shape = x_shape, .values = title##_x},                                            \
            {.shape = filter_shape, .values = title##_filter},                                     \
            {.shape = y_shape, .values = title##_dy}},                                             \
        .out = filter_shape,                                                                       \
        .attrs =                                                                                   \
            &(const convolution){                                                                  \
                .result = CONVOLUTION_DFILTER, .golden = title##_dfilter, __VA_ARGS__},            \
        .tolerance = -1, .no_gradient = true                                                       \
    }
#define WORDS(...) .words = {__VA_ARGS__}
#define REFUSED(text, x, filter, said, ...)                                                        \
    {                                                                                              \
        .name = text, .n_in = 2, .in = {{.shape = x}, {.shape = filter}},                          \
        .refused = MICA_E_INVALID, said, .attrs = &(const convolution) {                           \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

#endif
