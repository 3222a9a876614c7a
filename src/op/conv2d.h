/* What the three passes of a convolution have in common: the shape, and who plans them. The image
 * is mica_conv2d's x (mica_conv2d_transpose's result), the map its result. Knows no kernels. */
#ifndef MICA_OP_CONV2D_H
#define MICA_OP_CONV2D_H

#include "graph/graph_impl.h"

typedef struct mica_conv2d_shape {
    int32_t batch;
    int32_t in_h, in_w, in_c;    /* the image */
    int32_t out_h, out_w, out_c; /* the map */
    int32_t filter_h, filter_w;  /* filter (filter_h, filter_w, in_c / groups, out_c) */
    int32_t stride_h, stride_w, dilation_h, dilation_w;
    int32_t pad_top, pad_left; /* what is needed at the bottom and right follows from the sizes */
    int32_t groups;
} mica_conv2d_shape;

typedef enum mica_conv2d_pass {
    MICA_CONV2D_FORWARD, /* in: image, filter[, bias (out_c)] -> map */
    MICA_CONV2D_DATA,    /* in: map, filter[, bias (in_c)] -> image */
    MICA_CONV2D_FILTER   /* in: image, map -> filter */
} mica_conv2d_pass;

/* A node's attributes. */
typedef struct mica_conv2d_attrs {
    mica_conv2d_shape shape;
    mica_conv2d_pass pass;
    bool bias;   /* the third input; not for MICA_CONV2D_FILTER */
    int act;     /* row of the elementwise table applied at the end, -1: none */
    float act_k; /* its immediate */
} mica_conv2d_attrs;

/* Element `at` of the result in double precision, of inputs filled by mica_tune_fill with the
 * streams 0, 1 and, the bias, 2; *slack: how far float32 may be from it. */
double mica_conv2d_expect(const mica_conv2d_attrs *attrs, uint64_t at, double *slack);

/* Add the launches of a node with such attributes, for CPUs under OpenCL (traits.vector_width > 1)
 * and for everything else. */
mica_status mica_conv2d_plan_cpu(const mica_node *node, mica_plan *plan);
mica_status mica_conv2d_plan_gemm(const mica_node *node, mica_plan *plan);

#endif
