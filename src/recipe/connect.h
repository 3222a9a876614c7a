/* The list of layers: reading, names, connections, order. For recipe/ alone. */
#ifndef MICA_RECIPE_CONNECT_H
#define MICA_RECIPE_CONNECT_H

#include "recipe/layer.h"

extern const mica_block mica_layer_common; /* the keys of every layer */

/* Reads `layers:` into recipe->layers, in the order of the file. */
mica_status mica_layers_read(const mica_yaml *yaml, mica_yaml_node node, void *recipe);
void mica_layers_clear(mica_recipe *recipe);

/* Names the layers that have no name; refuses a name that is there twice. */
mica_status mica_layers_name(const mica_yaml *yaml, mica_recipe *recipe);

/* Finds the layers that each takes and puts recipe->layers in an order of computing. Refuses names
 * that are unknown, cycles, and layers that none of recipe->losses depends on. */
mica_status mica_layers_connect(const mica_yaml *yaml, mica_recipe *recipe);

/* The place of the layer with that name, or MICA_FROM_INPUT. */
size_t mica_layers_find(const mica_recipe *recipe, const char *name);

/* "unknown layer ..." at a node that names one. */
mica_status mica_layers_unknown(
    const mica_yaml *yaml, mica_yaml_node node, const mica_recipe *recipe);

/* Fails unless text is a name: 1 to 64 of letters, digits, "_", "-" and ".". */
mica_status mica_name_check(const mica_yaml *yaml, mica_yaml_node node, const char *text);

#endif
