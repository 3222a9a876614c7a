/* The reference of all recipe keys, for docs/recipes.md and the test that keeps it true. */
#ifndef MICA_RECIPE_REFERENCE_H
#define MICA_RECIPE_REFERENCE_H

#include "base/text.h"

/* Adds the tables of keys in Markdown. */
void mica_recipe_reference(mica_text *text);

#endif
