/* The `data:` block. For recipe/ alone. */
#ifndef MICA_RECIPE_DATA_H
#define MICA_RECIPE_DATA_H

#include "recipe/recipe.h"
#include "recipe/schema.h"

extern const mica_block mica_recipe_data_block;    /* the keys, of mica_recipe_data */
extern const mica_block mica_recipe_augment_block; /* of its augment */

typedef enum mica_data_kind {
    MICA_DATA_DIGITS,
    MICA_DATA_MNIST,
    MICA_DATA_FASHION_MNIST,
    MICA_DATA_CIFAR10,
    MICA_DATA_IMAGES,
    MICA_DATA_IDX,
    MICA_DATA_CSV
} mica_data_kind;

/* The kind of data->set, which is not NULL. */
mica_data_kind mica_recipe_data_kind(const mica_recipe_data *data);

/* Reads `data:` into recipe->data. */
mica_status mica_recipe_data_read(const mica_yaml *yaml, mica_yaml_node node, void *recipe);
void mica_recipe_data_clear(mica_recipe_data *data);

/* Checks it against the rest of the recipe and fills in what depends on the set. */
mica_status mica_recipe_data_check(const mica_yaml *yaml, mica_recipe *recipe);

#endif
