/* The list of layers: reading, names, connections, order. */
#include "recipe/connect.h"

#include "base/error.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { LAYERS_LIMIT = 512, NAME_LIMIT = 64 };

static const mica_key common_keys[] = {
    {"type", MICA_KEY_TEXT, offsetof(mica_recipe_layer, type_name), .required = true,
        .help = "what the layer does, as below"},
    {"name", MICA_KEY_TEXT, offsetof(mica_recipe_layer, name),
        .fallback_note = "type and number: dense1",
        .help = "letters, digits, `_`, `-` and `.`; `input` is the sample"},
    {"from", MICA_KEY_TEXTS, offsetof(mica_recipe_layer, from),
        .fallback_note = "the layer before, first the input",
        .help = "the layer that it takes, or a list of them"},
    {"frozen", MICA_KEY_BOOLEAN, offsetof(mica_recipe_layer, frozen),
        .help = "training leaves its parameters as they are"},
    {"learning_rate", MICA_KEY_FLOAT, offsetof(mica_recipe_layer, rate), .fallback = -1,
        .fallback_note = "weights.learning_rate",
        .help = "factor of the optimizer's learning rate for its parameters; 0: frozen"},
};

const mica_block mica_layer_common = MICA_BLOCK(common_keys);

/* ---- reading ---- */

mica_status mica_name_check(const mica_yaml *yaml, mica_yaml_node node, const char *text) {
    size_t size = strlen(text);
    size_t fits = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
    if (size && size <= NAME_LIMIT && fits == size && *text != '-' && *text != '.')
        return MICA_OK;
    return mica_yaml_fail(yaml, node,
        "the name \"%.64s\" is not one: expected 1 to %d letters, digits, _, - and ., of which the "
        "first is not - or .",
        text, NAME_LIMIT);
}

static mica_status layer_read(
    const mica_yaml *yaml, mica_yaml_node node, mica_recipe_layer *layer) {
    char got[64];
    if (mica_yaml_get(yaml, node)->type != YAML_MAPPING_NODE)
        return mica_yaml_fail(yaml, node,
            "expected a layer such as {type: dense, units: 10}, got %s",
            mica_yaml_describe(yaml, node, got, sizeof got));
    mica_yaml_node type = mica_schema_find(yaml, node, "type");
    if (!type)
        return mica_yaml_fail(yaml, node, "layer: the key type is missing");
    const char *text = mica_yaml_scalar(yaml, type);
    layer->node = node;
    layer->place = mica_yaml_place(yaml, node);
    layer->type = text ? mica_layer_type_find(text) : NULL;
    if (!layer->type) {
        const char *names[64];
        size_t count = 0;
        for (; count < mica_layer_types_count && count < 64; count++)
            names[count] = mica_layer_types[count]->name;
        return mica_schema_unknown(yaml, type, "layer type", names, count);
    }
    layer->attrs = mica_alloc(1, layer->type->attrs_size);
    if (!layer->attrs || !layer->place)
        return MICA_E_MEMORY;
    mica_target targets[] = {{mica_layer_common, layer}, {layer->type->block, layer->attrs}};
    char what[96];
    snprintf(what, sizeof what, "a %s layer", layer->type->name);
    MICA_TRY(mica_schema_read(yaml, node, what, targets, 2));
    if (!layer->name)
        return MICA_OK;
    mica_yaml_node name = mica_schema_find(yaml, node, "name");
    MICA_TRY(mica_name_check(yaml, name, layer->name));
    if (!strcmp(layer->name, "input"))
        return mica_yaml_fail(
            yaml, name, "the name input stands for the sample; call the layer something else");
    return MICA_OK;
}

mica_status mica_layers_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    mica_recipe *recipe = target;
    const yaml_node_t *list = mica_yaml_get(yaml, node);
    char got[64];
    if (list->type != YAML_SEQUENCE_NODE)
        return mica_yaml_fail(yaml, node, "layers: expected a list of layers, got %s",
            mica_yaml_describe(yaml, node, got, sizeof got));
    const yaml_node_item_t *items = list->data.sequence.items.start;
    size_t count = (size_t)(list->data.sequence.items.top - items);
    if (count < 1 || count > LAYERS_LIMIT)
        return mica_yaml_fail(
            yaml, node, "layers: expected 1 to %d layers, got %zu", LAYERS_LIMIT, count);
    recipe->layers = mica_alloc(count, sizeof *recipe->layers);
    if (!recipe->layers)
        return MICA_E_MEMORY;
    recipe->n_layers = count;
    for (size_t i = 0; i < count; i++)
        MICA_TRY(layer_read(yaml, items[i], &recipe->layers[i]));
    return MICA_OK;
}

void mica_layers_clear(mica_recipe *recipe) {
    for (size_t i = 0; i < recipe->n_layers; i++) {
        mica_recipe_layer *layer = &recipe->layers[i];
        if (layer->type && layer->attrs)
            mica_schema_clear(layer->type->block, layer->attrs);
        mica_schema_clear(mica_layer_common, layer);
        free(layer->place);
        free(layer->source);
        free(layer->attrs);
    }
    free(recipe->layers);
    recipe->layers = NULL;
    recipe->n_layers = 0;
}

/* ---- names ---- */

size_t mica_layers_find(const mica_recipe *recipe, const char *name) {
    for (size_t i = 0; i < recipe->n_layers; i++)
        if (recipe->layers[i].name && !strcmp(recipe->layers[i].name, name))
            return i;
    return MICA_FROM_INPUT;
}

mica_status mica_layers_unknown(
    const mica_yaml *yaml, mica_yaml_node node, const mica_recipe *recipe) {
    const char **names = mica_alloc(recipe->n_layers, sizeof *names);
    if (!names)
        return MICA_E_MEMORY;
    for (size_t i = 0; i < recipe->n_layers; i++)
        names[i] = recipe->layers[i].name;
    mica_status status = mica_schema_unknown(yaml, node, "layer", names, recipe->n_layers);
    free(names);
    return status;
}

/* The name is the type's with the layer's number among the layers of that type. */
mica_status mica_layers_name(const mica_yaml *yaml, mica_recipe *recipe) {
    for (size_t i = 0; i < recipe->n_layers; i++) {
        mica_recipe_layer *layer = &recipe->layers[i];
        size_t number = 1;
        for (size_t j = 0; j < i; j++)
            number += recipe->layers[j].type == layer->type;
        bool given = layer->name;
        if (!given && !(layer->name = mica_format("%s%zu", layer->type->name, number)))
            return MICA_E_MEMORY;
        size_t other = mica_layers_find(recipe, layer->name);
        if (other != i)
            return mica_yaml_fail(yaml,
                given ? mica_schema_find(yaml, layer->node, "name") : layer->node,
                "the name %s is that of the layer at %s too", layer->name,
                recipe->layers[other].place);
        for (size_t j = i + 1; j < recipe->n_layers && !given; j++)
            if (recipe->layers[j].name && !strcmp(recipe->layers[j].name, layer->name))
                return mica_yaml_fail(yaml, mica_schema_find(yaml, recipe->layers[j].node, "name"),
                    "the name %s is what the layer at %s is called for want of one", layer->name,
                    layer->place);
    }
    return MICA_OK;
}

/* ---- connections ---- */

/* The node of `from` number i: an item, or the key's value where it is one name. */
static mica_yaml_node from_node(const mica_yaml *yaml, const mica_recipe_layer *layer, size_t i) {
    mica_yaml_node node = mica_schema_find(yaml, layer->node, "from");
    const yaml_node_t *from = node ? mica_yaml_get(yaml, node) : NULL;
    if (!from)
        return layer->node;
    return from->type == YAML_SEQUENCE_NODE ? from->data.sequence.items.start[i] : node;
}

static mica_status sources_find(const mica_yaml *yaml, mica_recipe *recipe, size_t index) {
    mica_recipe_layer *layer = &recipe->layers[index];
    const mica_layer_type *type = layer->type;
    size_t count = layer->from.count ? layer->from.count : 1;
    if (count < type->min_from || count > type->max_from) {
        if (type->max_from == 1)
            return mica_yaml_fail(yaml, from_node(yaml, layer, 1),
                "layer %s: %s takes one layer, not %zu", layer->name, type->name, count);
        if (type->max_from == type->min_from)
            return mica_yaml_fail(yaml, layer->node,
                "layer %s: %s takes %zu layers: name them with from: [a, b]", layer->name,
                type->name, type->min_from);
        return mica_yaml_fail(yaml, layer->node,
            "layer %s: %s takes %zu to %zu layers: name them with from: [a, b]", layer->name,
            type->name, type->min_from, type->max_from);
    }
    layer->source = mica_alloc(count, sizeof *layer->source);
    if (!layer->source)
        return MICA_E_MEMORY;
    layer->n_source = count;
    if (!layer->from.count) {
        layer->source[0] = index ? index - 1 : MICA_FROM_INPUT;
        return MICA_OK;
    }
    for (size_t i = 0; i < count; i++) {
        layer->source[i] = mica_layers_find(recipe, layer->from.item[i]);
        if (layer->source[i] == MICA_FROM_INPUT && strcmp(layer->from.item[i], "input"))
            return mica_layers_unknown(yaml, from_node(yaml, layer, i), recipe);
    }
    return MICA_OK;
}

/* ---- order ---- */

/* Depth-first over what layers take. */
typedef struct walk {
    const mica_yaml *yaml;
    const mica_recipe *recipe;
    enum { UNSEEN, ENTERED, DONE } * state;
    size_t *path; /* the layers entered, outermost first */
    size_t depth;
    size_t *order; /* the layers done: each after those that it takes */
    size_t n_order;
} walk;

static mica_status cycle_fail(const walk *w, size_t layer, size_t from, size_t again) {
    size_t start = 0;
    while (w->path[start] != again)
        start++;
    mica_text text = {0};
    for (size_t i = start; i < w->depth && i < start + 16; i++)
        mica_text_add(&text, "%s from ", w->recipe->layers[w->path[i]].name);
    mica_text_add(
        &text, "%s%s", w->depth > start + 16 ? "... from " : "", w->recipe->layers[again].name);
    mica_status status = MICA_E_MEMORY;
    if (!text.failed)
        status = mica_yaml_fail(w->yaml, from_node(w->yaml, &w->recipe->layers[layer], from),
            "the layers form a cycle: %s", text.data);
    free(text.data);
    return status;
}

/* The recursion is at most as deep as there are layers. */
static mica_status visit(walk *w, size_t index) {
    const mica_recipe_layer *layer = &w->recipe->layers[index];
    w->state[index] = ENTERED;
    w->path[w->depth++] = index;
    for (size_t i = 0; i < layer->n_source; i++) {
        size_t source = layer->source[i];
        if (source == MICA_FROM_INPUT || w->state[source] == DONE)
            continue;
        if (w->state[source] == ENTERED)
            return cycle_fail(w, index, i, source);
        MICA_TRY(visit(w, source));
    }
    w->state[index] = DONE;
    w->depth--;
    w->order[w->n_order++] = index;
    return MICA_OK;
}

/* Puts the layers in `order`, in which each comes after those that it takes. */
static mica_status reorder(mica_recipe *recipe, const size_t *order) {
    size_t count = recipe->n_layers;
    mica_recipe_layer *layers = mica_alloc(count, sizeof *layers);
    size_t *now = mica_alloc(count, sizeof *now);
    if (!layers || !now) {
        free(layers);
        free(now);
        return MICA_E_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        layers[i] = recipe->layers[order[i]];
        now[order[i]] = i;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < layers[i].n_source; j++)
            if (layers[i].source[j] != MICA_FROM_INPUT)
                layers[i].source[j] = now[layers[i].source[j]];
    free(recipe->layers);
    free(now);
    recipe->layers = layers;
    return MICA_OK;
}

static mica_status sort(const mica_yaml *yaml, mica_recipe *recipe) {
    size_t count = recipe->n_layers;
    walk w = {.yaml = yaml,
        .recipe = recipe,
        .state = mica_alloc(count, sizeof *w.state),
        .path = mica_alloc(count, sizeof *w.path),
        .order = mica_alloc(count, sizeof *w.order)};
    mica_status status = w.state && w.path && w.order ? MICA_OK : MICA_E_MEMORY;
    for (size_t i = 0; i < count && status == MICA_OK; i++)
        if (w.state[i] == UNSEEN)
            status = visit(&w, i);
    if (status == MICA_OK)
        status = reorder(recipe, w.order);
    free(w.state);
    free(w.path);
    free(w.order);
    return status;
}

static mica_status all_used(const mica_yaml *yaml, const mica_recipe *recipe) {
    bool *used = mica_alloc(recipe->n_layers, sizeof *used);
    if (!used)
        return MICA_E_MEMORY;
    for (size_t i = 0; i < recipe->n_losses; i++)
        for (size_t j = 0; j < recipe->losses[i].from.count; j++)
            used[mica_layers_find(recipe, recipe->losses[i].from.item[j])] = true;
    mica_status status = MICA_OK;
    for (size_t i = recipe->n_layers; i-- > 0 && status == MICA_OK;) {
        const mica_recipe_layer *layer = &recipe->layers[i];
        if (!used[i])
            status = mica_yaml_fail(yaml, layer->node,
                "layer %s: no loss depends on it; connect it (from:) or take it out", layer->name);
        for (size_t j = 0; j < layer->n_source; j++)
            if (layer->source[j] != MICA_FROM_INPUT)
                used[layer->source[j]] = true;
    }
    free(used);
    return status;
}

mica_status mica_layers_connect(const mica_yaml *yaml, mica_recipe *recipe) {
    for (size_t i = 0; i < recipe->n_layers; i++) {
        mica_recipe_layer *layer = &recipe->layers[i];
        MICA_TRY(sources_find(yaml, recipe, i));
        if (layer->type->settle && layer->source[0] == MICA_FROM_INPUT)
            layer->type->settle(layer, recipe->input_rank, recipe->input);
    }
    MICA_TRY(sort(yaml, recipe));
    return all_used(yaml, recipe);
}
