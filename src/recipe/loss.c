/* The losses of recipes. Labels are class numbers; a head of one unit tells class 1 from class 0.
 */
#include "recipe/loss.h"

#include "base/mem.h"
#include "graph/graph_impl.h"
#include "recipe/connect.h"

#include <mica/ops.h>

#include <stdlib.h>
#include <string.h>

/* ---- kinds ---- */

static int64_t units(const mica_value *logits) {
    return mica_value_shape(logits).dim[1];
}

/* float32 (batch, n): the labels as one-hot rows, or for one unit as the class's number. */
static mica_value *targets(mica_value *logits, mica_value *labels) {
    if (units(logits) > 1)
        return mica_one_hot(labels, units(logits));
    return mica_slice(mica_one_hot(labels, 2), (const int64_t[]){0, 1}, (const int64_t[]){-1, 1});
}

/* int32 (batch): the largest unit; of one unit, whether it is above `threshold`. */
static mica_value *prediction(mica_value *logits, float threshold) {
    if (units(logits) > 1)
        return mica_argmax(logits);
    mica_value *other = mica_full(mica_value_graph(logits), mica_value_shape(logits), threshold);
    return mica_argmax(mica_concat((mica_value *[]){other, logits}, 2, 1));
}

static mica_value *mean_of_units(mica_value *each) {
    return mica_mean(each, (const int[]){1}, 1, false);
}

static void softmax_cross_entropy(mica_network_head *head, mica_value *labels) {
    head->sample_loss = mica_softmax_cross_entropy(head->logits, labels);
    head->prediction = mica_argmax(head->logits);
    head->probability = mica_softmax(head->logits);
}

static void sigmoid_cross_entropy(mica_network_head *head, mica_value *labels) {
    mica_value *x = head->logits;
    head->sample_loss = mean_of_units(mica_sigmoid_cross_entropy(x, targets(x, labels)));
    head->prediction = prediction(x, 0);
    head->probability = mica_sigmoid(x);
    if (units(x) == 1)
        head->probability =
            mica_concat((mica_value *[]){mica_sigmoid(mica_neg(x)), head->probability}, 2, 1);
}

static void mean_squared_error(mica_network_head *head, mica_value *labels) {
    mica_value *x = head->logits;
    head->sample_loss = mean_of_units(mica_square(mica_sub(x, targets(x, labels))));
    head->prediction = prediction(x, 0.5f);
}

const mica_loss_kind mica_loss_kinds[] = {
    {"softmax_cross_entropy",
        "-log softmax(x)[label]: one class of several. The layer gives one number a class.",
        "softmax", 2, softmax_cross_entropy},
    {"sigmoid_cross_entropy",
        "Logistic regression: the cross-entropy of sigmoid(x) with 0 or 1, averaged over the units. "
        "The layer gives one number for two classes, or one number a class.",
        "sigmoid", 1, sigmoid_cross_entropy},
    {"mean_squared_error",
        "The mean of (x - t)^2 over the units, t the one-hot label, or with one unit the class's "
        "number.",
        NULL, 1, mean_squared_error},
};
const size_t mica_loss_kinds_count = sizeof mica_loss_kinds / sizeof *mica_loss_kinds;
const mica_loss_kind *mica_loss_kind_find(const char *name) {
    for (size_t i = 0; i < mica_loss_kinds_count; i++)
        if (!strcmp(mica_loss_kinds[i].name, name))
            return &mica_loss_kinds[i];
    return NULL;
}

/* ---- reading ---- */

enum { LOSSES_LIMIT = 16 };

static const mica_key loss_keys[] = {
    {"kind", MICA_KEY_TEXT, offsetof(mica_recipe_loss, kind), .required = true,
        .help = "which loss, as below"},
    {"name", MICA_KEY_TEXT, offsetof(mica_recipe_loss, name),
        .fallback_note = "none; required of several",
        .help = "of several, goes before its metrics: name_test_accuracy"},
    {"from", MICA_KEY_TEXT, offsetof(mica_recipe_loss, from), .fallback_note = "the last layer",
        .help = "the layer that it judges"},
    {"weight", MICA_KEY_NUMBER, offsetof(mica_recipe_loss, weight), .fallback = 1,
        .range = {0, .above = true}, .help = "its factor in the sum that training minimizes"},
};

const mica_block mica_loss_block = MICA_BLOCK(loss_keys);

static mica_status loss_read(const mica_yaml *yaml, mica_yaml_node node, mica_recipe_loss *loss) {
    bool alone = mica_yaml_get(yaml, node)->type == YAML_SCALAR_NODE;
    loss->place = mica_yaml_place(yaml, node);
    if (!loss->place)
        return MICA_E_MEMORY;
    mica_target target = {mica_loss_block, loss};
    MICA_TRY(mica_schema_read(yaml, alone ? 0 : node, "loss", &target, 1));
    mica_yaml_node kind = alone ? node : mica_schema_find(yaml, node, "kind");
    const char *text = mica_yaml_scalar(yaml, kind);
    if (!text || !mica_loss_kind_find(text)) {
        const char *names[sizeof mica_loss_kinds / sizeof *mica_loss_kinds];
        for (size_t i = 0; i < mica_loss_kinds_count; i++)
            names[i] = mica_loss_kinds[i].name;
        return mica_schema_unknown(yaml, kind, "loss", names, mica_loss_kinds_count);
    }
    if (alone && !(loss->kind = mica_strdup(text)))
        return MICA_E_MEMORY;
    return MICA_OK;
}

mica_status mica_losses_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    mica_recipe *recipe = target;
    const yaml_node_t *list = mica_yaml_get(yaml, node);
    bool many = list->type == YAML_SEQUENCE_NODE;
    const yaml_node_item_t *items = many ? list->data.sequence.items.start : &node;
    size_t count = many ? (size_t)(list->data.sequence.items.top - items) : 1;
    if (count < 1 || count > LOSSES_LIMIT)
        return mica_yaml_fail(
            yaml, node, "loss: expected 1 to %d losses, got %zu", LOSSES_LIMIT, count);
    recipe->losses = mica_alloc(count, sizeof *recipe->losses);
    if (!recipe->losses)
        return MICA_E_MEMORY;
    recipe->n_losses = count;
    for (size_t i = 0; i < count; i++)
        MICA_TRY(loss_read(yaml, items[i], &recipe->losses[i]));
    return MICA_OK;
}

void mica_losses_clear(mica_recipe *recipe) {
    for (size_t i = 0; i < recipe->n_losses; i++) {
        mica_schema_clear(mica_loss_block, &recipe->losses[i]);
        free(recipe->losses[i].place);
    }
    free(recipe->losses);
    recipe->losses = NULL;
    recipe->n_losses = 0;
}

/* ---- connecting ---- */

static mica_status name_check(
    const mica_yaml *yaml, const mica_recipe *recipe, mica_yaml_node node, size_t index) {
    const char *name = recipe->losses[index].name;
    if (!name)
        return recipe->n_losses == 1 ? MICA_OK
                                     : mica_yaml_fail(yaml, node,
                                           "several losses: each needs a name, such as name: main");
    mica_yaml_node at = mica_schema_find(yaml, node, "name");
    MICA_TRY(mica_name_check(yaml, at, name));
    for (size_t i = 0; i < index; i++)
        if (!strcmp(recipe->losses[i].name, name))
            return mica_yaml_fail(yaml, at, "the name %s is that of the loss at %s too", name,
                recipe->losses[i].place);
    return MICA_OK;
}

static mica_status connect(
    const mica_yaml *yaml, const mica_recipe *recipe, mica_yaml_node node, mica_recipe_loss *loss) {
    if (!loss->from && !(loss->from = mica_strdup(recipe->layers[recipe->n_layers - 1].name)))
        return MICA_E_MEMORY;
    size_t found = mica_layers_find(recipe, loss->from);
    if (found == MICA_FROM_INPUT)
        return mica_layers_unknown(yaml, mica_schema_find(yaml, node, "from"), recipe);
    const mica_recipe_layer *layer = &recipe->layers[found];
    const char *activation = layer->type->activation ? layer->type->activation(layer) : NULL;
    const char *includes = mica_loss_kind_find(loss->kind)->includes;
    if (activation && includes && !strcmp(activation, includes))
        return mica_yaml_fail(yaml, node,
            "%s applies the %s itself: take it out of the layer %s (%s)", loss->kind, includes,
            layer->name, layer->place);
    return MICA_OK;
}

mica_status mica_losses_connect(const mica_yaml *yaml, mica_recipe *recipe) {
    mica_yaml_node node = mica_schema_find(yaml, mica_yaml_root(yaml), "loss");
    const yaml_node_t *list = mica_yaml_get(yaml, node);
    for (size_t i = 0; i < recipe->n_losses; i++) {
        mica_yaml_node at =
            list->type == YAML_SEQUENCE_NODE ? list->data.sequence.items.start[i] : node;
        MICA_TRY(name_check(yaml, recipe, at, i));
        MICA_TRY(connect(yaml, recipe, at, &recipe->losses[i]));
    }
    return MICA_OK;
}
