/* Loss kinds: what each adds to the graph. For recipe/ alone. */
#ifndef MICA_RECIPE_LOSS_H
#define MICA_RECIPE_LOSS_H

#include "recipe/recipe.h"
#include "recipe/schema.h"

/* What a loss judges: the values of its layers, and the targets. */
typedef struct mica_loss_in {
    const mica_recipe_loss *loss;
    mica_value *x[2];
    mica_value *input, *label; /* the sample; the target (batch, target...), int32 or float32 */
} mica_loss_in;

typedef struct mica_loss_kind {
    const char *name;
    const char *help;
    const char *includes;    /* the activation that the loss applies itself; NULL: none */
    size_t layers;           /* that it takes */
    int64_t min_units;       /* numbers a sample that it needs to tell labels apart */
    bool of_label, of_input; /* the targets that it can have; of_input: numbers of the data too */
    bool of_sequence;        /* several labels a sample */
    /* Sets what a head measures; head->logits is in->x[0]. */
    void (*build)(mica_network_head *head, const mica_loss_in *in);
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
