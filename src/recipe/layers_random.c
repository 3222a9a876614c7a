/* Layers that draw random numbers. */
#include "recipe/layers.h"

#include "graph/graph_impl.h"

typedef struct dropout_attrs {
    float keep_prob;
} dropout_attrs;

static const mica_key dropout_keys[] = {
    {"keep_prob", MICA_KEY_FLOAT, offsetof(dropout_attrs, keep_prob), .fallback = 0.5,
        .range = {0, 1, .above = true}, .help = "the probability that a number stays"},
};

static mica_value *dropout_build(
    const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    return mica_dropout(in[0], ((const dropout_attrs *)layer->attrs)->keep_prob);
}

const mica_layer_type mica_layer_dropout = {"dropout",
    "While training, each number is kept (and divided by keep_prob) or set to 0 by chance; "
    "otherwise nothing happens.",
    1, 1, sizeof(dropout_attrs), MICA_BLOCK(dropout_keys), dropout_build, NULL};

typedef struct noise_attrs {
    float deviation;
    bool clip;
} noise_attrs;

static const mica_key noise_keys[] = {
    {"deviation", MICA_KEY_FLOAT, offsetof(noise_attrs, deviation), .fallback = 0.5,
        .range = {0, .above = true}, .help = "the standard deviation of the noise"},
    {"clip", MICA_KEY_BOOLEAN, offsetof(noise_attrs, clip), .fallback = 1,
        .help = "keep the sum between 0 and 1, as pixels are"},
};

static mica_value *noise_build(const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    const noise_attrs *attrs = layer->attrs;
    mica_value *noise = mica_random_normal(mica_value_graph(in[0]), mica_value_shape(in[0]));
    mica_value *sum = mica_add(in[0], mica_scale(noise, attrs->deviation));
    return attrs->clip ? mica_clip(sum, 0, 1) : sum;
}

const mica_layer_type mica_layer_noise = {"noise",
    "Adds normal noise, drawn anew for every step and in evaluation too: for denoising, with a loss "
    "whose target is the input, which stays clean.",
    1, 1, sizeof(noise_attrs), MICA_BLOCK(noise_keys), noise_build, NULL};

static mica_value *gaussian_build(
    const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)layer;
    (void)n_in;
    return mica_gaussian_sample(in[0], in[1]);
}

const mica_layer_type mica_layer_gaussian = {"gaussian",
    "Draws from normal distributions, `from: [mean, log_variance]`: the code of a variational "
    "autoencoder (Kingma and Welling, 2014). With it goes the loss kl_divergence.",
    2, 2, 0, {NULL, 0}, gaussian_build, NULL};
