/* The dense layer, and what it shares with the other layers that have weights. */
#include "recipe/layers.h"

const char *const mica_activation_names[] = {"linear", "relu", "sigmoid", "tanh", "leaky_relu",
    "elu", "gelu", "silu", "hard_sigmoid", "hard_swish", NULL};
const char *const mica_init_names[] = {"auto", "zeros", "constant", "normal", "truncated_normal",
    "uniform", "glorot_uniform", "he_normal", NULL};

const mica_init *mica_weights_init(const mica_weights_attrs *attrs, mica_init *room) {
    *room = (mica_init){(mica_init_kind)(attrs->init - 1), attrs->init_value, 0, 0};
    return attrs->init ? room : NULL;
}

const char *mica_weights_activation(const mica_weights_attrs *attrs) {
    return attrs->activation == MICA_LINEAR ? NULL : mica_activation_names[attrs->activation];
}

typedef struct dense_attrs {
    mica_weights_attrs weights;
    int64_t units;
} dense_attrs;

static const mica_key dense_keys[] = {
    {"units", MICA_KEY_INTEGER, offsetof(dense_attrs, units), .required = true, .sizes = true,
        .range = {1, MICA_SIZE_LIMIT}, .help = "numbers that come out, a sample"},
    MICA_WEIGHTS_KEYS(dense_attrs),
};

static mica_value *dense_build(const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    const dense_attrs *attrs = layer->attrs;
    mica_init init;
    mica_dense_options options = {.activation = (mica_activation)attrs->weights.activation,
        .no_bias = !attrs->weights.bias,
        .frozen = layer->frozen,
        .init = mica_weights_init(&attrs->weights, &init)};
    return mica_dense(in[0], layer->name, attrs->units, &options);
}

static const char *dense_activation(const mica_recipe_layer *layer) {
    return mica_weights_activation(&((const dense_attrs *)layer->attrs)->weights);
}

const mica_layer_type mica_layer_dense = {"dense",
    "activation(x w + b): every number of a sample with every unit. Of a sample with several "
    "dimensions it sees the last; put a flatten layer before it to connect all.",
    1, 1, sizeof(dense_attrs), MICA_BLOCK(dense_keys), dense_build, dense_activation};
