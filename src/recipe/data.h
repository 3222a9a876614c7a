/* The `data:` block. For recipe/ alone. */
#ifndef MICA_RECIPE_DATA_H
#define MICA_RECIPE_DATA_H

#include "recipe/recipe.h"
#include "recipe/schema.h"

extern const mica_block mica_recipe_data_block; /* the keys, of mica_recipe_data */

/* Reads `data:` into recipe->data. */
mica_status mica_recipe_data_read(const mica_yaml *yaml, mica_yaml_node node, void *recipe);
void mica_recipe_data_clear(mica_recipe_data *data);

/* Checks it against the rest of the recipe and fills in what depends on the set. */
mica_status mica_recipe_data_check(const mica_yaml *yaml, mica_recipe *recipe);

#endif
