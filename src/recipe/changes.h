/* What of a recipe may change while its run goes on. */
#ifndef MICA_RECIPE_CHANGES_H
#define MICA_RECIPE_CHANGES_H

#include "recipe/schema.h"

/* The keys at the top of recipes: of all, of networks, of neighbourhood models. */
enum { MICA_RECIPE_BLOCKS = 3 };
void mica_recipe_blocks(mica_block blocks[MICA_RECIPE_BLOCKS]);

/* Compares two recipes, texts of YAML that were read as such before, key by key: those that are not
 * marked may_change in their tables must be the same, where a key that is left out has its default.
 * The first that is not is MICA_E_INVALID, with both values; `run` names what had the first text.
 */
mica_status mica_recipe_same(const char *run, const char *before, const char *now);

#endif
