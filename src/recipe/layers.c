/* The list of layer types. A new type is a record in one of layers_*.c and a word here. */
#include "recipe/layers.h"

#include <string.h>

const mica_layer_type *const mica_layer_types[] = {
    &mica_layer_dense,
    &mica_layer_conv2d,
    &mica_layer_conv2d_transpose,
    &mica_layer_max_pool,
    &mica_layer_avg_pool,
    &mica_layer_global_avg_pool,
    &mica_layer_batch_norm,
    &mica_layer_layer_norm,
    &mica_layer_local_response_norm,
    &mica_layer_scale,
    &mica_layer_relu,
    &mica_layer_leaky_relu,
    &mica_layer_elu,
    &mica_layer_gelu,
    &mica_layer_silu,
    &mica_layer_sigmoid,
    &mica_layer_tanh,
    &mica_layer_softplus,
    &mica_layer_softmax,
    &mica_layer_hard_sigmoid,
    &mica_layer_hard_swish,
    &mica_layer_hard_tanh,
    &mica_layer_dropout,
    &mica_layer_noise,
    &mica_layer_gaussian,
    &mica_layer_pad,
    &mica_layer_resize,
    &mica_layer_space_to_depth,
    &mica_layer_depth_to_space,
    &mica_layer_embedding,
    &mica_layer_rnn,
    &mica_layer_lstm,
    &mica_layer_gru,
    &mica_layer_flatten,
    &mica_layer_reshape,
    &mica_layer_sum,
    &mica_layer_add,
    &mica_layer_mul,
    &mica_layer_concat,
};
const size_t mica_layer_types_count = sizeof mica_layer_types / sizeof *mica_layer_types;

const mica_layer_type *mica_layer_type_find(const char *name) {
    for (size_t i = 0; i < mica_layer_types_count; i++)
        if (!strcmp(mica_layer_types[i]->name, name))
            return mica_layer_types[i];
    return NULL;
}
