/* Layers: parameters with their initializers, built from public operators only. */
#ifndef MICA_NN_H
#define MICA_NN_H

#include <mica/ops.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mica_activation {
    MICA_LINEAR,
    MICA_RELU,
    MICA_SIGMOID,
    MICA_TANH,
    MICA_LEAKY_RELU, /* slope 0.01 */
    MICA_ELU,        /* alpha 1 */
    MICA_GELU,
    MICA_SILU,
    MICA_HARD_SIGMOID, /* slope 1/6, offset 0.5 */
    MICA_HARD_SWISH
} mica_activation;

/* Zero means the default. */
typedef struct mica_dense_options {
    mica_activation activation;
    bool no_bias;
    bool frozen;           /* the layer's parameters stay as they are (mica_parameter_freeze) */
    const mica_init *init; /* of the weights; fans of 0 are filled in; NULL: He normal before ReLU,
                              else Glorot uniform. The bias starts at 0 */
} mica_dense_options;

/* activation(x w + b): x (..., in) of rank 2 or more -> (..., units); w (in, units), b (units). The
 * parameters are named name/weight and name/bias: the graph's scope is set to `name` meanwhile and
 * none afterwards. options may be NULL. */
MICA_API mica_value *mica_dense(
    mica_value *x, const char *name, int64_t units, const mica_dense_options *options);

/* Zero means the default. */
typedef struct mica_conv2d_layer_options {
    int64_t kernel[2]; /* height and width; width 0: as the height, height 0: 3 */
    mica_conv2d_options conv;
    mica_activation activation;
    bool no_bias;
    bool frozen;
    const mica_init *init; /* of the filter, as for mica_dense */
} mica_conv2d_layer_options;

/* activation(convolution + b): x (batch, height, width, depth) -> (..., filters); name/weight and
 * name/bias. options may be NULL: 3x3, stride 1, VALID. */
MICA_API mica_value *mica_conv2d_layer(
    mica_value *x, const char *name, int64_t filters, const mica_conv2d_layer_options *options);
/* The same with mica_conv2d_transpose. */
MICA_API mica_value *mica_conv2d_transpose_layer(
    mica_value *x, const char *name, int64_t filters, const mica_conv2d_layer_options *options);

/* mica_batch_norm over the last axis with name/weight (gamma, 1), name/bias (beta, 0),
 * name/running_mean (0) and name/running_var (1). options may be NULL; `frozen` freezes all. */
MICA_API mica_value *mica_batch_norm_layer(
    mica_value *x, const char *name, const mica_batch_norm_options *options);

/* mica_layer_norm with name/weight and name/bias. epsilon 0: 1e-5. */
MICA_API mica_value *mica_layer_norm_layer(mica_value *x, const char *name, float epsilon);

/* The activation alone; MICA_LINEAR returns x itself. */
MICA_API mica_value *mica_activate(mica_value *x, mica_activation activation);

#ifdef __cplusplus
}
#endif
#endif
