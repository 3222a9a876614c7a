/* What layers with weights share. For nn/ alone. */
#ifndef MICA_NN_LAYER_H
#define MICA_NN_LAYER_H

#include <mica/nn.h>

/* The graph of a layer's input, or NULL with its error set: the layer has no name, or x is not
 * float32 with at least `rank` dimensions, which `wanted` describes. x may be NULL. */
mica_graph *mica_layer_begin(
    const char *layer, const char *name, mica_value *x, int rank, const char *wanted);

/* The parameter "weight". init NULL: He normal before ReLU and its relatives, else Glorot uniform;
 * fans of 0 are those given. */
mica_value *mica_layer_weight(mica_graph *graph, mica_shape shape, const mica_init *init,
    mica_activation activation, int64_t fan_in, int64_t fan_out, bool frozen);

/* activation(y + "bias"), which starts at 0; without the bias if `no_bias`. */
mica_value *mica_layer_end(
    mica_value *y, int64_t units, bool no_bias, bool frozen, mica_activation activation);

#endif
