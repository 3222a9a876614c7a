/* The block `neighbours:`. For recipe/ alone. */
#ifndef MICA_RECIPE_NEIGHBOURS_H
#define MICA_RECIPE_NEIGHBOURS_H

#include "recipe/recipe.h"

/* What a recipe of a neighbourhood model has beside the keys of every recipe. */
extern const mica_block mica_recipe_neighbours_block;
extern const mica_block mica_recipe_neighbours_keys; /* of the block itself */

/* Checks the block against the data, and sets the input that these ratings have. */
mica_status mica_recipe_neighbours_check(const mica_yaml *yaml, mica_recipe *recipe);

#endif
