/* Elementwise layers: activations, scale. */
#include "recipe/layers.h"

#define ACTIVATION(name, help)                                                                     \
    static mica_value *name##_build(                                                               \
        const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {                      \
        (void)layer;                                                                               \
        (void)n_in;                                                                                \
        return mica_##name(in[0]);                                                                 \
    }                                                                                              \
    static const char *name##_activation(const mica_recipe_layer *layer) {                         \
        (void)layer;                                                                               \
        return #name;                                                                              \
    }                                                                                              \
    const mica_layer_type mica_layer_##name = {                                                    \
        #name, help, 1, 1, 0, {NULL, 0}, name##_build, name##_activation};

ACTIVATION(relu, "max(x, 0).")
ACTIVATION(sigmoid, "1 / (1 + exp(-x)).")
ACTIVATION(tanh, "The hyperbolic tangent.")
ACTIVATION(softmax, "exp(x) / sum(exp(x)) over the last dimension. The loss softmax_cross_entropy "
                    "has it built in.")
ACTIVATION(gelu, "x * Phi(x), Phi the normal distribution: Hendrycks and Gimpel, 2016.")
ACTIVATION(silu, "x * sigmoid(x), also called swish.")
ACTIVATION(softplus, "log(1 + exp(x)).")
ACTIVATION(hard_swish, "x * min(max(x / 6 + 0.5, 0), 1).")
ACTIVATION(hard_tanh, "x between -1 and 1.")

/* ---- those with a number ---- */

typedef struct slope_attrs {
    float slope, offset;
} slope_attrs;

static const mica_key leaky_relu_keys[] = {
    {"slope", MICA_KEY_FLOAT, offsetof(slope_attrs, slope), .fallback = 0.01,
        .range = {.any = true}, .help = "the factor of numbers below 0"},
};

static mica_value *leaky_relu_build(
    const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    return mica_leaky_relu(in[0], ((const slope_attrs *)layer->attrs)->slope);
}

const mica_layer_type mica_layer_leaky_relu = {"leaky_relu", "x, or slope * x where x is below 0.",
    1, 1, sizeof(slope_attrs), MICA_BLOCK(leaky_relu_keys), leaky_relu_build, NULL};

static const mica_key elu_keys[] = {
    {"alpha", MICA_KEY_FLOAT, offsetof(slope_attrs, slope), .fallback = 1,
        .range = {0, .above = true}, .help = "-alpha is the limit far below 0"},
};

static mica_value *elu_build(const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    return mica_elu(in[0], ((const slope_attrs *)layer->attrs)->slope);
}

const mica_layer_type mica_layer_elu = {"elu",
    "x, or alpha * (exp(x) - 1) where x is below 0: Clevert and others, 2016.", 1, 1,
    sizeof(slope_attrs), MICA_BLOCK(elu_keys), elu_build, NULL};

static const mica_key hard_sigmoid_keys[] = {
    {"slope", MICA_KEY_FLOAT, offsetof(slope_attrs, slope), .fallback = 1.0 / 6,
        .fallback_note = "1/6", .range = {0, .above = true}, .help = "of the straight part"},
    {"offset", MICA_KEY_FLOAT, offsetof(slope_attrs, offset), .fallback = 0.5,
        .range = {.any = true}, .help = "its value at 0"},
};

static mica_value *hard_sigmoid_build(
    const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    const slope_attrs *attrs = layer->attrs;
    return mica_hard_sigmoid(in[0], attrs->slope, attrs->offset);
}

const mica_layer_type mica_layer_hard_sigmoid = {"hard_sigmoid",
    "min(max(slope * x + offset, 0), 1).", 1, 1, sizeof(slope_attrs), MICA_BLOCK(hard_sigmoid_keys),
    hard_sigmoid_build, NULL};

/* ---- scale ---- */

typedef struct scale_attrs {
    float factor;
} scale_attrs;

static const mica_key scale_keys[] = {
    {"factor", MICA_KEY_FLOAT, offsetof(scale_attrs, factor), .required = true,
        .range = {.any = true}, .help = "every number is multiplied by it"},
};

static mica_value *scale_build(const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    return mica_scale(in[0], ((const scale_attrs *)layer->attrs)->factor);
}

const mica_layer_type mica_layer_scale = {
    "scale", "factor * x.", 1, 1, sizeof(scale_attrs), MICA_BLOCK(scale_keys), scale_build, NULL};
