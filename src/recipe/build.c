/* A recipe's network: the graph of its layers, losses and penalty. */
#include "recipe/recipe.h"

#include "base/error.h"
#include "base/mem.h"
#include "recipe/layer.h"
#include "recipe/loss.h"

#include <mica/ops.h>

#include <stdlib.h>
#include <string.h>

/* The graph's first error, at a place of the recipe. */
static mica_status fail_at(
    mica_graph *graph, const char *place, const char *what, const char *name) {
    mica_status status = mica_graph_status(graph);
    return status == MICA_OK ? MICA_OK : mica_fail_in(status, "%s: %s %s", place, what, name);
}

static mica_shape batch_shape(int64_t batch, int rank, const int64_t *dim) {
    int64_t all[MICA_MAX_RANK] = {batch};
    memcpy(all + 1, dim, (size_t)rank * sizeof *dim);
    return mica_shape_of(rank + 1, all);
}

/* The parameters that were made since there were `before`. */
static void count_parameters(mica_network_layer *row, const mica_graph *graph, size_t before) {
    for (size_t i = before; i < mica_graph_count(graph); i++)
        row->parameters += mica_shape_count(mica_value_shape(mica_graph_parameter(graph, i)));
}

static mica_status row_fill(mica_network_layer *row, const mica_recipe *recipe,
    const mica_recipe_layer *layer, mica_value *value, size_t parameters_before,
    const mica_graph *graph) {
    mica_text from = {0}, type = {0};
    for (size_t i = 0; i < layer->n_source; i++)
        mica_text_add(&from, "%s%s", i ? ", " : "",
            layer->source[i] == MICA_FROM_INPUT ? "input" : recipe->layers[layer->source[i]].name);
    const char *activation = layer->type->activation ? layer->type->activation(layer) : NULL;
    mica_text_add(&type, "%s", layer->type->name);
    if (activation && strcmp(activation, layer->type->name))
        mica_text_add(&type, " %s", activation);
    row->name = mica_strdup(layer->name);
    row->from = from.data;
    row->type = type.data;
    row->output = mica_value_shape(value);
    count_parameters(row, graph, parameters_before);
    row->frozen_parameters = layer->frozen ? row->parameters : 0;
    return row->name && !from.failed && !type.failed ? MICA_OK : MICA_E_MEMORY;
}

/* Row 0 of the network is the input. */
static mica_status input_build(const mica_recipe *recipe, int64_t batch, mica_network *network) {
    mica_shape shape = batch_shape(batch, recipe->input_rank, recipe->input);
    network->input = mica_input(network->graph, "input", MICA_F32, shape);
    network->label = mica_input(network->graph, "label", MICA_I32, MICA_SHAPE(batch));
    MICA_TRY(fail_at(network->graph, recipe->path, "input of", recipe->name));
    mica_network_layer *row = &network->layers[network->n_layers++];
    row->name = mica_strdup("input");
    row->type = mica_strdup("input");
    row->from = mica_strdup("");
    row->output = shape;
    return row->name && row->type && row->from ? MICA_OK : MICA_E_MEMORY;
}

static mica_status layers_build(
    const mica_recipe *recipe, mica_network *network, mica_value **values) {
    mica_graph *graph = network->graph;
    mica_value *in[MICA_JOIN_LIMIT];
    for (size_t i = 0; i < recipe->n_layers; i++) {
        const mica_recipe_layer *layer = &recipe->layers[i];
        size_t before = mica_graph_count(graph);
        for (size_t j = 0; j < layer->n_source; j++)
            in[j] = layer->source[j] == MICA_FROM_INPUT ? network->input : values[layer->source[j]];
        mica_graph_set_scope(graph, layer->name);
        values[i] = layer->type->build(layer, in, layer->n_source);
        mica_graph_set_scope(graph, NULL);
        MICA_TRY(fail_at(graph, layer->place, "layer", layer->name));
        MICA_TRY(row_fill(
            &network->layers[network->n_layers++], recipe, layer, values[i], before, graph));
    }
    return MICA_OK;
}

/* The layer that a loss judges gives one row of numbers a sample, as many as there are classes. */
static mica_status head_check(const mica_recipe *recipe, const mica_recipe_loss *loss,
    const mica_loss_kind *kind, mica_shape shape) {
    char text[96];
    int64_t classes = recipe->data.set ? recipe->data.classes : 0;
    mica_shape_text(shape, text, sizeof text);
    if (shape.rank != 2)
        return mica_fail(MICA_E_INVALID,
            "%s: %s needs one row of numbers a sample, but layer %s gives %s; put a flatten layer "
            "before it",
            loss->place, kind->name, loss->from, text);
    int64_t units = shape.dim[1];
    if (units < kind->min_units)
        return mica_fail(MICA_E_INVALID,
            "%s: %s needs a number for each class, but layer %s gives one; for two classes use 2 "
            "units or sigmoid_cross_entropy",
            loss->place, kind->name, loss->from);
    if (classes && units != classes && !(units == 1 && classes == 2))
        return mica_fail(MICA_E_INVALID,
            "%s: %s has %lld classes, but layer %s gives %lld numbers a sample", loss->place,
            recipe->data.set, (long long)classes, loss->from, (long long)units);
    return MICA_OK;
}

static mica_status heads_build(
    const mica_recipe *recipe, mica_network *network, mica_value *const *values) {
    mica_graph *graph = network->graph;
    for (size_t i = 0; i < recipe->n_losses; i++) {
        const mica_recipe_loss *loss = &recipe->losses[i];
        const mica_loss_kind *kind = mica_loss_kind_find(loss->kind);
        mica_network_head *head = &network->heads[network->n_heads++];
        for (size_t j = 0; j < recipe->n_layers; j++)
            if (!strcmp(recipe->layers[j].name, loss->from))
                head->logits = values[j];
        head->name = recipe->n_losses > 1 ? loss->name : "";
        MICA_TRY(head_check(recipe, loss, kind, mica_value_shape(head->logits)));
        mica_graph_set_scope(graph, loss->name ? loss->name : "loss");
        kind->build(head, network->label);
        mica_value *mean = mica_mean(head->sample_loss, NULL, 0, false);
        if (loss->weight != 1)
            mean = mica_scale(mean, (float)loss->weight);
        network->loss = network->loss ? mica_add(network->loss, mean) : mean;
        mica_graph_set_scope(graph, NULL);
        MICA_TRY(fail_at(graph, loss->place, "loss", kind->name));
    }
    return MICA_OK;
}

/* Weights are parameters of two dimensions and more; biases have one. */
static mica_status penalty_build(const mica_recipe *recipe, mica_network *network) {
    mica_graph *graph = network->graph;
    size_t count = recipe->l2 > 0 ? mica_graph_count(graph) : 0;
    mica_graph_set_scope(graph, "l2");
    for (size_t i = 0; i < count; i++) {
        mica_value *parameter = mica_graph_parameter(graph, i);
        if (mica_value_shape(parameter).rank > 1)
            network->loss = mica_add(network->loss, mica_l2_penalty(parameter, (float)recipe->l2));
    }
    mica_graph_set_scope(graph, NULL);
    return fail_at(graph, recipe->path, "l2 of", recipe->name);
}

static mica_status network_build(
    const mica_recipe *recipe, int64_t batch, mica_network *network, mica_value **values) {
    MICA_TRY(input_build(recipe, batch, network));
    MICA_TRY(layers_build(recipe, network, values));
    MICA_TRY(heads_build(recipe, network, values));
    return penalty_build(recipe, network);
}

mica_status mica_recipe_build(const mica_recipe *recipe, int64_t batch, mica_network **out) {
    mica_network *network = mica_alloc(1, sizeof *network);
    mica_value **values = mica_alloc(recipe->n_layers, sizeof *values);
    mica_status status = network && values ? MICA_OK : MICA_E_MEMORY;
    if (status == MICA_OK) {
        network->layers = mica_alloc(recipe->n_layers + 1, sizeof *network->layers);
        network->heads = mica_alloc(recipe->n_losses, sizeof *network->heads);
        status =
            network->layers && network->heads ? mica_graph_create(&network->graph) : MICA_E_MEMORY;
    }
    if (status == MICA_OK)
        status = network_build(recipe, batch, network, values);
    free(values);
    if (status == MICA_OK)
        *out = network;
    else
        mica_network_destroy(&network);
    return status;
}

void mica_network_destroy(mica_network **owner) {
    mica_network *network = *owner;
    *owner = NULL;
    if (!network)
        return;
    for (size_t i = 0; i < network->n_layers; i++) {
        free(network->layers[i].name);
        free(network->layers[i].type);
        free(network->layers[i].from);
    }
    free(network->layers);
    free(network->heads);
    if (network->graph)
        mica_graph_destroy(&network->graph);
    free(network);
}
