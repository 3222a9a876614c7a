/* The layer types of recipes. A new type is a record here and a word in the list at the end. */
#include "recipe/layer.h"

#include <mica/nn.h>

#include "base/error.h"
#include "graph/graph_impl.h"

#include <string.h>

/* ---- dense ---- */

typedef struct dense_attrs {
    int64_t units;
    int activation; /* mica_activation */
    bool bias;
    int init; /* place in init_names */
    float init_value;
} dense_attrs;

static const char *const activation_names[] = {"linear", "relu", "sigmoid", "tanh", NULL};
static const char *const init_names[] = {"auto", "zeros", "constant", "normal", "truncated_normal",
    "uniform", "glorot_uniform", "he_normal", NULL};

static const mica_key dense_keys[] = {
    {"units", MICA_KEY_INTEGER, offsetof(dense_attrs, units), .required = true,
        .range = {1, MICA_SIZE_LIMIT}, .help = "numbers that come out, a sample"},
    {"activation", MICA_KEY_CHOICE, offsetof(dense_attrs, activation), .choices = activation_names,
        .help = "applied to the result"},
    {"bias", MICA_KEY_BOOLEAN, offsetof(dense_attrs, bias), .fallback = 1,
        .help = "add a learnable number to each unit; it starts at 0"},
    {"init", MICA_KEY_CHOICE, offsetof(dense_attrs, init), .choices = init_names,
        .help = "how the weights start; auto: he_normal before ReLU, else glorot_uniform"},
    {"init_value", MICA_KEY_FLOAT, offsetof(dense_attrs, init_value), .fallback = 0.05,
        .range = {.any = true},
        .help = "the constant, the deviation of normal and truncated_normal, the bound of uniform"},
};

static mica_value *dense_build(const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    const dense_attrs *attrs = layer->attrs;
    mica_init init = {(mica_init_kind)(attrs->init - 1), attrs->init_value, 0, 0};
    mica_dense_options options = {.activation = (mica_activation)attrs->activation,
        .no_bias = !attrs->bias,
        .frozen = layer->frozen,
        .init = attrs->init ? &init : NULL};
    return mica_dense(in[0], layer->name, attrs->units, &options);
}

static const char *dense_activation(const mica_recipe_layer *layer) {
    const dense_attrs *attrs = layer->attrs;
    return attrs->activation == MICA_LINEAR ? NULL : activation_names[attrs->activation];
}

static const mica_layer_type layer_dense = {"dense",
    "activation(x w + b): every number of a sample with every unit. Of a sample with several "
    "dimensions it sees the last; put a flatten layer before it to connect all.",
    1, 1, sizeof(dense_attrs), MICA_BLOCK(dense_keys), dense_build, dense_activation};

/* ---- activations ---- */

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
    static const mica_layer_type layer_##name = {                                                  \
        #name, help, 1, 1, 0, {NULL, 0}, name##_build, name##_activation};

ACTIVATION(relu, "max(x, 0).")
ACTIVATION(sigmoid, "1 / (1 + exp(-x)).")
ACTIVATION(tanh, "The hyperbolic tangent.")
ACTIVATION(softmax, "exp(x) / sum(exp(x)) over the last dimension. The loss softmax_cross_entropy "
                    "has it built in.")

/* ---- dropout, scale ---- */

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

static const mica_layer_type layer_dropout = {"dropout",
    "While training, each number is kept (and divided by keep_prob) or set to 0 by chance; "
    "otherwise nothing happens.",
    1, 1, sizeof(dropout_attrs), MICA_BLOCK(dropout_keys), dropout_build, NULL};

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

static const mica_layer_type layer_scale = {
    "scale", "factor * x.", 1, 1, sizeof(scale_attrs), MICA_BLOCK(scale_keys), scale_build, NULL};

/* ---- shapes ---- */

static mica_value *flatten_build(
    const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)layer;
    (void)n_in;
    int64_t batch = mica_value_shape(in[0]).dim[0];
    return mica_reshape(in[0], 2, (const int64_t[]){batch, -1});
}

static const mica_layer_type layer_flatten = {
    "flatten", "Makes one row of numbers of each sample.", 1, 1, 0, {NULL, 0}, flatten_build, NULL};

typedef struct reshape_attrs {
    int rank;
    int64_t dim[MICA_MAX_RANK];
} reshape_attrs;

static mica_status reshape_shape(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    reshape_attrs *attrs = target;
    return mica_schema_shape(yaml, node, true, &attrs->rank, attrs->dim);
}

static const mica_key reshape_keys[] = {
    {"shape", MICA_KEY_HOOK, .required = true, .hook = reshape_shape, .type = "a list of sizes",
        .help = "the new shape of a sample; one size of -1 is worked out"},
};

static mica_value *reshape_build(
    const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    const reshape_attrs *attrs = layer->attrs;
    int64_t dim[MICA_MAX_RANK] = {mica_value_shape(in[0]).dim[0]};
    memcpy(dim + 1, attrs->dim, (size_t)attrs->rank * sizeof *dim);
    return mica_reshape(in[0], attrs->rank + 1, dim);
}

static const mica_layer_type layer_reshape = {"reshape",
    "Gives each sample another shape with as many numbers.", 1, 1, sizeof(reshape_attrs),
    MICA_BLOCK(reshape_keys), reshape_build, NULL};

/* ---- layers that join others ---- */

/* Joins the inputs pairwise. Between samples of different rank, broadcasting could stretch one
 * layer's samples over the other's, so that is refused. */
static mica_value *join(
    mica_value *const *in, size_t n_in, mica_value *(*pair)(mica_value *, mica_value *)) {
    mica_value *joined = in[0];
    for (size_t i = 1; i < n_in; i++) {
        if (mica_value_shape(in[i]).rank != mica_value_shape(in[0]).rank)
            return mica_graph_failed(mica_value_graph(in[0]),
                mica_fail(MICA_E_INVALID, "samples of %d and %d dimensions do not go together",
                    mica_value_shape(in[0]).rank - 1, mica_value_shape(in[i]).rank - 1));
        joined = pair(joined, in[i]);
    }
    return joined;
}

static mica_value *add_build(const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)layer;
    return join(in, n_in, mica_add);
}

static mica_value *mul_build(const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)layer;
    return join(in, n_in, mica_mul);
}

static const mica_layer_type layer_add = {"add",
    "The sum of several layers, number by number; sizes of 1 stretch.", 2, MICA_JOIN_LIMIT, 0,
    {NULL, 0}, add_build, NULL};
static const mica_layer_type layer_mul = {"mul",
    "The product of several layers, number by number; sizes of 1 stretch.", 2, MICA_JOIN_LIMIT, 0,
    {NULL, 0}, mul_build, NULL};

typedef struct concat_attrs {
    int64_t axis;
} concat_attrs;

static const mica_key concat_keys[] = {
    {"axis", MICA_KEY_INTEGER, offsetof(concat_attrs, axis), .fallback = -1,
        .range = {1 - MICA_MAX_RANK, MICA_MAX_RANK - 2},
        .help = "the dimension of a sample along which they are joined, from 0; -1 is the last"},
};

static mica_value *concat_build(
    const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    int64_t axis = ((const concat_attrs *)layer->attrs)->axis;
    int rank = mica_value_shape(in[0]).rank - 1;
    if (axis < -rank || axis >= rank)
        return mica_graph_failed(mica_value_graph(in[0]),
            mica_fail(MICA_E_INVALID, "axis %d is not in %d .. %d of a sample of %d dimensions",
                (int)axis, -rank, rank - 1, rank));
    return mica_concat(in, (int)n_in, (int)(axis < 0 ? axis : axis + 1));
}

static const mica_layer_type layer_concat = {"concat", "Joins several layers along one dimension.",
    2, MICA_JOIN_LIMIT, sizeof(concat_attrs), MICA_BLOCK(concat_keys), concat_build, NULL};

/* ---- the list ---- */

const mica_layer_type *const mica_layer_types[] = {&layer_dense, &layer_relu, &layer_sigmoid,
    &layer_tanh, &layer_softmax, &layer_dropout, &layer_scale, &layer_flatten, &layer_reshape,
    &layer_add, &layer_mul, &layer_concat};
const size_t mica_layer_types_count = sizeof mica_layer_types / sizeof *mica_layer_types;

const mica_layer_type *mica_layer_type_find(const char *name) {
    for (size_t i = 0; i < mica_layer_types_count; i++)
        if (!strcmp(mica_layer_types[i]->name, name))
            return mica_layer_types[i];
    return NULL;
}
