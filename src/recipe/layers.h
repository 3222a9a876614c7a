/* The layer types, and what those with weights have in common. For recipe/ alone. */
#ifndef MICA_RECIPE_LAYERS_H
#define MICA_RECIPE_LAYERS_H

#include "recipe/layer.h"

#include <mica/nn.h>

/* layers_dense.c */
extern const mica_layer_type mica_layer_dense;
/* layers_activation.c */
extern const mica_layer_type mica_layer_relu, mica_layer_sigmoid, mica_layer_tanh,
    mica_layer_softmax, mica_layer_leaky_relu, mica_layer_elu, mica_layer_gelu, mica_layer_silu,
    mica_layer_softplus, mica_layer_hard_sigmoid, mica_layer_hard_swish, mica_layer_hard_tanh,
    mica_layer_scale;
/* layers_image.c */
extern const mica_layer_type mica_layer_conv2d, mica_layer_conv2d_transpose, mica_layer_max_pool,
    mica_layer_avg_pool, mica_layer_global_avg_pool;
/* layers_resize.c */
extern const mica_layer_type mica_layer_pad, mica_layer_resize, mica_layer_space_to_depth,
    mica_layer_depth_to_space;
/* layers_norm.c */
extern const mica_layer_type mica_layer_batch_norm, mica_layer_layer_norm,
    mica_layer_local_response_norm;
/* layers_random.c */
extern const mica_layer_type mica_layer_dropout, mica_layer_noise, mica_layer_gaussian;
/* layers_sequence.c */
extern const mica_layer_type mica_layer_embedding, mica_layer_rnn, mica_layer_lstm, mica_layer_gru,
    mica_layer_sum;
/* layers_shape.c */
extern const mica_layer_type mica_layer_flatten, mica_layer_reshape, mica_layer_add, mica_layer_mul,
    mica_layer_concat;

/* The keys of a layer with weights; its attributes hold them as the member `weights`. */
typedef struct mica_weights_attrs {
    int activation; /* mica_activation */
    bool bias;
    int init; /* place in mica_init_names */
    float init_value;
} mica_weights_attrs;

extern const char *const mica_activation_names[], *const mica_init_names[]; /* NULL ends them */

#define MICA_WEIGHTS_KEYS(attrs)                                                                   \
    {"activation", MICA_KEY_CHOICE, offsetof(attrs, weights.activation),                           \
        .choices = mica_activation_names, .help = "applied to the result"},                        \
        {"bias", MICA_KEY_BOOLEAN, offsetof(attrs, weights.bias), .fallback = 1,                   \
            .help = "add a learnable number to each unit or filter; it starts at 0"},              \
        {"init", MICA_KEY_CHOICE, offsetof(attrs, weights.init), .choices = mica_init_names,       \
            .help = "how the weights start; auto: he_normal before ReLU, else glorot_uniform"},    \
    {                                                                                              \
        "init_value", MICA_KEY_FLOAT, offsetof(attrs, weights.init_value),                         \
            .fallback = 0.05, .range = {.any = true},                                              \
            .help = "the constant, the deviation of normal and truncated_normal, the bound of "    \
                    "uniform"                                                                      \
    }

/* The initializer that was asked for, put into *room; NULL for the layer's own choice. */
const mica_init *mica_weights_init(const mica_weights_attrs *attrs, mica_init *room);

/* The name of the activation; NULL if it is linear. */
const char *mica_weights_activation(const mica_weights_attrs *attrs);

#endif
