/* Layers that compute nothing by themselves: other shapes, and several layers joined. */
#include "recipe/layers.h"

#include <mica/ops.h>

#include "graph/graph_impl.h"

#include <string.h>

static mica_value *flatten_build(
    const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)layer;
    (void)n_in;
    int64_t batch = mica_value_shape(in[0]).dim[0];
    return mica_reshape(in[0], 2, (const int64_t[]){batch, -1});
}

const mica_layer_type mica_layer_flatten = {
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

const mica_layer_type mica_layer_reshape = {"reshape",
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

const mica_layer_type mica_layer_add = {"add",
    "The sum of several layers, number by number; sizes of 1 stretch.", 2, MICA_JOIN_LIMIT, 0,
    {NULL, 0}, add_build, NULL};
const mica_layer_type mica_layer_mul = {"mul",
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

const mica_layer_type mica_layer_concat = {"concat", "Joins several layers along one dimension.", 2,
    MICA_JOIN_LIMIT, sizeof(concat_attrs), MICA_BLOCK(concat_keys), concat_build, NULL};
