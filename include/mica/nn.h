/* Layers: parameters with their initializers, built from public operators only. */
#ifndef MICA_NN_H
#define MICA_NN_H

#include <mica/ops.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mica_activation { MICA_LINEAR, MICA_RELU, MICA_SIGMOID, MICA_TANH } mica_activation;

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

/* The activation alone; MICA_LINEAR returns x itself. */
MICA_API mica_value *mica_activate(mica_value *x, mica_activation activation);

#ifdef __cplusplus
}
#endif
#endif
