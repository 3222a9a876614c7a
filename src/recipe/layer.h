/* Layer types: their keys and how each is built. For recipe/ alone. */
#ifndef MICA_RECIPE_LAYER_H
#define MICA_RECIPE_LAYER_H

#include "recipe/recipe.h"
#include "recipe/schema.h"

/* A constant record, one a layer type. */
typedef struct mica_layer_type {
    const char *name;
    const char *help;
    size_t min_from, max_from; /* layers that it takes */
    size_t attrs_size;
    mica_block block; /* keys of its attributes */
    /* Adds the layer to the graph of its inputs in[0 .. n_in - 1]; NULL with the graph's error set.
     * What follows the batch's dimension is the sample. */
    mica_value *(*build)(const mica_recipe_layer *layer, mica_value *const *in, size_t n_in);
    /* The activation that ends the layer, NULL for none. No hook: none. */
    const char *(*activation)(const mica_recipe_layer *layer);
    /* Settles attributes of a layer that takes the recipe's input, of that shape. No hook: none. */
    void (*settle)(mica_recipe_layer *layer, int rank, const int64_t *input);
} mica_layer_type;

#define MICA_JOIN_LIMIT 64 /* layers that one may take */
#define MICA_FROM_INPUT SIZE_MAX

struct mica_recipe_layer {
    const mica_layer_type *type;
    char *type_name, *name;
    char *place; /* "file:line:column" */
    bool frozen;
    float rate;      /* factor of the learning rate; 0: frozen too */
    mica_texts from; /* as written; empty: the layer before */
    size_t *source;  /* n_source places in the recipe's layers, or MICA_FROM_INPUT */
    size_t n_source;
    void *attrs;
    mica_yaml_node node; /* while the recipe is being read */
};

extern const mica_layer_type *const mica_layer_types[];
extern const size_t mica_layer_types_count;

/* The type of that name, or NULL. */
const mica_layer_type *mica_layer_type_find(const char *name);

#endif
