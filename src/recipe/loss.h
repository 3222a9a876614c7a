/* Loss kinds: what each adds to the graph. For recipe/ alone. */
#ifndef MICA_RECIPE_LOSS_H
#define MICA_RECIPE_LOSS_H

#include "recipe/recipe.h"
#include "recipe/schema.h"

typedef struct mica_loss_kind {
    const char *name;
    const char *help;
    const char *includes; /* the activation that the loss applies itself; NULL: none */
    int64_t min_units;    /* numbers a sample that it needs */
    /* Sets what a head measures from head->logits (batch, n) and the labels, int32 (batch). */
    void (*build)(mica_network_head *head, mica_value *labels);
} mica_loss_kind;

extern const mica_loss_kind mica_loss_kinds[];
extern const size_t mica_loss_kinds_count;

extern const mica_block mica_loss_block; /* the keys of a loss */

/* The kind of that name, or NULL. */
const mica_loss_kind *mica_loss_kind_find(const char *name);

/* Reads `loss:`, one or a list, into recipe->losses. */
mica_status mica_losses_read(const mica_yaml *yaml, mica_yaml_node node, void *recipe);
void mica_losses_clear(mica_recipe *recipe);

/* Sets what each loss leaves out and checks it against the layers, which have their names and are
 * in the order of the file. */
mica_status mica_losses_connect(const mica_yaml *yaml, mica_recipe *recipe);

#endif
