/* Layers that bring numbers to a common scale. */
#include "recipe/layers.h"

/* ---- batch norm, layer norm ---- */

static const mica_key batch_norm_keys[] = {
    {"epsilon", MICA_KEY_FLOAT, offsetof(mica_batch_norm_options, epsilon), .fallback = 1e-5,
        .range = {0, .above = true}, .help = "added to the variance"},
    {"momentum", MICA_KEY_FLOAT, offsetof(mica_batch_norm_options, momentum), .fallback = 0.9,
        .range = {0, 1, .above = true, .below = true},
        .help = "what stays of the running mean and variance at each step"},
};

static mica_value *batch_norm_build(
    const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    mica_batch_norm_options options = *(const mica_batch_norm_options *)layer->attrs;
    options.frozen = layer->frozen;
    return mica_batch_norm_layer(in[0], layer->name, &options);
}

const mica_layer_type mica_layer_batch_norm = {"batch_norm",
    "Batch normalization: each channel, the last dimension, gets mean 0 and variance 1 over the "
    "batch, then a learned scale and shift; evaluation uses running statistics. Ioffe and Szegedy, "
    "2015. The layer before it needs no bias.",
    1, 1, sizeof(mica_batch_norm_options), MICA_BLOCK(batch_norm_keys), batch_norm_build, NULL};

typedef struct layer_norm_attrs {
    float epsilon;
} layer_norm_attrs;

static const mica_key layer_norm_keys[] = {
    {"epsilon", MICA_KEY_FLOAT, offsetof(layer_norm_attrs, epsilon), .fallback = 1e-5,
        .range = {0, .above = true}, .help = "added to the variance"},
};

static mica_value *layer_norm_build(
    const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    return mica_layer_norm_layer(
        in[0], layer->name, ((const layer_norm_attrs *)layer->attrs)->epsilon);
}

const mica_layer_type mica_layer_layer_norm = {"layer_norm",
    "Layer normalization: the last dimension of each sample gets mean 0 and variance 1, then a "
    "learned scale and shift. Ba, Kiros and Hinton, 2016.",
    1, 1, sizeof(layer_norm_attrs), MICA_BLOCK(layer_norm_keys), layer_norm_build, NULL};

/* ---- local response normalization ---- */

static const mica_key lrn_keys[] = {
    {"radius", MICA_KEY_INTEGER, offsetof(mica_lrn_options, radius), .fallback = 5,
        .range = {1, MICA_SIZE_LIMIT}, .help = "channels on each side that count"},
    {"bias", MICA_KEY_FLOAT, offsetof(mica_lrn_options, bias), .fallback = 1,
        .range = {0, .above = true}, .help = "added to the sum"},
    {"alpha", MICA_KEY_FLOAT, offsetof(mica_lrn_options, alpha), .fallback = 1,
        .range = {0, .above = true}, .help = "factor of the squares"},
    {"beta", MICA_KEY_FLOAT, offsetof(mica_lrn_options, beta), .fallback = 0.5,
        .range = {0, .above = true}, .help = "the exponent"},
};

static mica_value *lrn_build(const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    return mica_local_response_norm(in[0], layer->attrs);
}

const mica_layer_type mica_layer_local_response_norm = {"local_response_norm",
    "x_c / (bias + alpha * sum of the squares of the channels around c)^beta. Krizhevsky and "
    "others, 2012, whose numbers are radius 2, bias 2, alpha 1e-4, beta 0.75.",
    1, 1, sizeof(mica_lrn_options), MICA_BLOCK(lrn_keys), lrn_build, NULL};
