/* What a run will be used for, tried on its recipe before it is trained. */
#ifndef MICA_TRAIN_USES_H
#define MICA_TRAIN_USES_H

#include "recipe/recipe.h"

/* Builds the other networks that the recipe stands for (of one sample, of a user and an item, of a
 * decoder, of one character), without a device. What evaluation needs and cannot be built fails;
 * of other commands that will not work a note is added. The network is the recipe's own; its sizes
 * are settled. */
mica_status mica_uses_check(
    const mica_recipe *recipe, const mica_network *network, mica_texts *notes);

#endif
