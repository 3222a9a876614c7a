/* The attributes of operators' nodes that others than the operator read: export writes networks by
 * them. Those of convolution are in conv2d.h, of recurrent networks in recurrent.h, of elementwise
 * functions in elementwise_program.h; local response normalization has its public options. */
#ifndef MICA_OP_ATTRIBUTES_H
#define MICA_OP_ATTRIBUTES_H

#include "graph/graph_impl.h"

#include <mica/ops.h>

/* matmul.c */
typedef struct mica_matmul_attrs {
    bool ta, tb;
    int act; /* row of the elementwise table, -1: none */
    float act_k;
} mica_matmul_attrs;

/* pool.c */
/* One dimension of the windows; part of the kernels' parameters. Window o begins at o * stride -
 * pad. Of its elements those from low to high - 1 count for a mean: what is inside, or the padding
 * too. */
typedef struct mica_pool_axis {
    int32_t in, out, size, stride, dilation, pad, low, high;
} mica_pool_axis;

typedef struct mica_pool_attrs {
    mica_pool_options options;
    mica_pool_axis h, w; /* set by infer */
} mica_pool_attrs;

/* batch_norm.c */
typedef struct mica_batch_norm_attrs {
    float epsilon;
    bool frozen;
    int act; /* row of the elementwise table, -1: none */
    float act_k;
} mica_batch_norm_attrs;

/* layer_norm.c */
typedef struct mica_layer_norm_attrs {
    float epsilon;
} mica_layer_norm_attrs;

/* softmax.c */
typedef struct mica_softmax_attrs {
    int32_t log;
} mica_softmax_attrs;

/* random.c */
typedef struct mica_random_attrs {
    mica_shape shape;
    bool normal;
} mica_random_attrs;

/* reduce.c */
typedef enum mica_reduction {
    MICA_REDUCTION_SUM,
    MICA_REDUCTION_MEAN,
    MICA_REDUCTION_MAX,
    MICA_REDUCTION_SUM_SQUARES,
    MICA_REDUCTION_NORM
} mica_reduction;

typedef struct mica_reduce_attrs {
    mica_reduction kind;
    uint32_t axes; /* bit i: axis i is reduced; neighbours, but for axes of size 1 between */
    bool keep;     /* reduced axes stay, with size 1 */
    float scale;
} mica_reduce_attrs;

/* pad.c */
typedef struct mica_pad_attrs {
    int64_t before[MICA_MAX_RANK], after[MICA_MAX_RANK];
    mica_pad_mode mode;
    float number;
} mica_pad_attrs;

/* resize.c */
typedef struct mica_resize_attrs {
    int64_t size[2]; /* height and width of the result; of the gradient's node: of x */
    mica_resize_method method;
    mica_resize_grid grid;
} mica_resize_attrs;

/* concat.c */
typedef struct mica_concat_attrs {
    int axis;
} mica_concat_attrs;

/* slice.c */
typedef struct mica_slice_attrs {
    int64_t begin[MICA_MAX_RANK];
    mica_shape shape; /* of the result; for the slice, a size may be -1 until inferred */
} mica_slice_attrs;

/* transpose.c */
typedef struct mica_transpose_attrs {
    int order[MICA_MAX_RANK];
} mica_transpose_attrs;

#endif
