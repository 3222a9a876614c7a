/* A recipe's network: the graph of its layers, losses and penalty. */
#include "recipe/recipe.h"

#include "base/error.h"
#include "base/mem.h"
#include "graph/graph.h"
#include "recipe/layer.h"
#include "recipe/loss.h"

#include <mica/ops.h>

#include <stdlib.h>
#include <string.h>

enum { NODES_LIMIT = 1 << 16 }; /* of a whole network: one layer may become many */

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
    for (size_t i = before; i < mica_graph_count(graph); i++) {
        const mica_value *parameter = mica_graph_parameter(graph, i);
        const mica_parameter_attrs *attrs = mica_parameter_get(parameter);
        int64_t count = attrs->carried ? 0 : mica_shape_count(mica_value_shape(parameter));
        row->parameters += count;
        row->frozen_parameters += attrs->frozen ? count : 0;
    }
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
    row->value = value;
    row->output = mica_value_shape(value);
    count_parameters(row, graph, parameters_before);
    return row->name && !from.failed && !type.failed ? MICA_OK : MICA_E_MEMORY;
}

static mica_status input_row(mica_network *network, const char *name) {
    mica_network_layer *row = &network->layers[network->n_layers++];
    row->name = mica_strdup(name);
    row->type = mica_strdup("input");
    row->from = mica_strdup("");
    row->value = network->input;
    row->output = mica_value_shape(network->input);
    return row->name && row->type && row->from ? MICA_OK : MICA_E_MEMORY;
}

/* Row 0 of the network is the input. */
static mica_status input_build(const mica_recipe *recipe, int64_t batch, mica_network *network) {
    const mica_recipe_data *data = &recipe->data;
    mica_shape shape = batch_shape(batch, recipe->input_rank, recipe->input);
    mica_shape target = batch_shape(batch, data->target.rank, data->target.dim);
    network->input = mica_input(network->graph, "input", data->ids ? MICA_I32 : MICA_F32, shape);
    for (size_t i = 0; i < recipe->n_losses && !network->label; i++)
        if (recipe->losses[i].target == MICA_TARGET_LABEL &&
            mica_loss_kind_find(recipe->losses[i].kind)->of_label)
            network->label = mica_input(network->graph, "label", data->target_dtype, target);
    MICA_TRY(fail_at(network->graph, recipe->path, "input of", recipe->name));
    return input_row(network, "input");
}

static mica_status sizes_check(const mica_recipe *recipe, const mica_recipe_layer *layer) {
    const char *size, *key = mica_schema_unresolved(layer->type->block, layer->attrs, &size);
    if (!key)
        return MICA_OK;
    return mica_fail(MICA_E_INVALID,
        "%s: layer %s has %s: %s, which only the data of %s tell: train with them first, or set "
        "data.%s",
        layer->place, layer->name, key, size, recipe->name, size);
}

/* Adds layer number i, whose inputs are values already. */
static mica_status layer_build(
    const mica_recipe *recipe, mica_network *network, mica_value **values, size_t i) {
    mica_graph *graph = network->graph;
    const mica_recipe_layer *layer = &recipe->layers[i];
    mica_value *in[MICA_JOIN_LIMIT];
    size_t before = mica_graph_count(graph);
    MICA_TRY(sizes_check(recipe, layer));
    for (size_t j = 0; j < layer->n_source; j++)
        in[j] = layer->source[j] == MICA_FROM_INPUT ? network->input : values[layer->source[j]];
    mica_graph_set_scope(graph, layer->name);
    values[i] = layer->type->build(layer, in, layer->n_source);
    mica_graph_set_scope(graph, NULL);
    for (size_t k = before; k < mica_graph_count(graph) && layer->rate > 0; k++)
        mica_parameter_rate(mica_graph_parameter(graph, k), layer->rate);
    MICA_TRY(fail_at(graph, layer->place, "layer", layer->name));
    if (graph->n_nodes > NODES_LIMIT)
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s: with layer %s the network has %zu operations: at most %d are allowed",
            layer->place, layer->name, graph->n_nodes, NODES_LIMIT);
    return row_fill(&network->layers[network->n_layers++], recipe, layer, values[i], before, graph);
}

/* ---- heads ---- */

/* The layer that tells labels apart gives, for each label, as many numbers as there are classes. */
static mica_status label_head_check(const mica_recipe *recipe, const mica_recipe_loss *loss,
    const mica_loss_kind *kind, mica_shape shape) {
    char text[96], wanted[96];
    const char *from = loss->from.item[0];
    int64_t classes = recipe->data.set ? recipe->data.classes : 0;
    mica_shape target = recipe->data.target;
    if (target.rank && !kind->of_sequence)
        return mica_fail(MICA_E_INVALID,
            "%s: %s takes one label a sample, but the data give %s of them: use "
            "softmax_cross_entropy",
            loss->place, kind->name, mica_shape_text(target, text, sizeof text));
    bool fits = shape.rank == target.rank + 2;
    for (int i = 0; i < target.rank && fits; i++)
        fits = shape.dim[i + 1] == target.dim[i];
    if (!fits && target.rank)
        return mica_fail(MICA_E_INVALID,
            "%s: %s needs a row of numbers for each of the labels %s, but layer %s gives %s",
            loss->place, kind->name, mica_shape_text(target, wanted, sizeof wanted), from,
            mica_shape_text(shape, text, sizeof text));
    if (!fits)
        return mica_fail(MICA_E_INVALID,
            "%s: %s needs one row of numbers a sample, but layer %s gives %s; put a flatten layer "
            "before it",
            loss->place, kind->name, from, mica_shape_text(shape, text, sizeof text));
    int64_t units = shape.dim[shape.rank - 1];
    if (units < kind->min_units)
        return mica_fail(MICA_E_INVALID,
            "%s: %s needs a number for each class, but layer %s gives one; for two classes use 2 "
            "units or sigmoid_cross_entropy",
            loss->place, kind->name, from);
    if (classes && units != classes && !(units == 1 && classes == 2))
        return mica_fail(MICA_E_INVALID,
            "%s: %s has %lld classes, but layer %s gives %lld numbers a sample", loss->place,
            recipe->data.set, (long long)classes, from, (long long)units);
    return MICA_OK;
}

/* The layer gives as many numbers as the target has. */
static mica_status number_head_check(const mica_recipe *recipe, const mica_recipe_loss *loss,
    const mica_loss_kind *kind, mica_shape shape, mica_shape target) {
    char text[96], wanted[96];
    if (!kind->of_input)
        return mica_fail(MICA_E_INVALID,
            "%s: %s tells classes apart, but the targets of %s are numbers: use mean_squared_error "
            "or mean_absolute_error",
            loss->place, kind->name, recipe->data.set);
    if (mica_shape_count(shape) != mica_shape_count(target))
        return mica_fail(MICA_E_INVALID,
            "%s: the targets of %s are %s, but layer %s gives %s: make them equal in number",
            loss->place, recipe->data.set, mica_shape_text(target, wanted, sizeof wanted),
            loss->from.item[0], mica_shape_text(shape, text, sizeof text));
    return MICA_OK;
}

static mica_status input_head_check(
    const mica_recipe *recipe, const mica_recipe_loss *loss, mica_shape shape, mica_shape input) {
    char text[96], wanted[96];
    if (mica_shape_count(shape) != mica_shape_count(input))
        return mica_fail(MICA_E_INVALID,
            "%s: the target is the input %s, but layer %s gives %s: make them equal in number",
            loss->place, mica_shape_text(input, wanted, sizeof wanted), loss->from.item[0],
            mica_shape_text(shape, text, sizeof text));
    if (loss->artefacts && recipe->input_rank != 3)
        return mica_fail(MICA_E_INVALID,
            "%s: artefacts are those of images (height, width, channels), but the input is %s",
            loss->place, mica_shape_text(input, wanted, sizeof wanted));
    if (recipe->data.ids)
        return mica_fail(
            MICA_E_INVALID, "%s: the input is ids, which no layer can give back", loss->place);
    return MICA_OK;
}

static mica_value *value_of(
    const mica_recipe *recipe, mica_value *const *values, const char *name) {
    size_t i = 0;
    while (strcmp(recipe->layers[i].name, name))
        i++;
    return values[i];
}

static mica_status head_build(const mica_recipe *recipe, const mica_recipe_loss *loss,
    mica_network *network, mica_value *const *values) {
    mica_graph *graph = network->graph;
    const mica_loss_kind *kind = mica_loss_kind_find(loss->kind);
    mica_network_head *head = &network->heads[network->n_heads++];
    mica_loss_in in = {.loss = loss, .input = network->input, .label = network->label};
    for (size_t i = 0; i < loss->from.count; i++)
        in.x[i] = value_of(recipe, values, loss->from.item[i]);
    mica_shape shape = mica_value_shape(in.x[0]);
    head->logits = in.x[0];
    head->name = recipe->n_losses > 1 ? loss->name : "";
    head->weight = loss->weight;
    head->artefacts = loss->artefacts;
    bool labelled = kind->of_label && loss->target == MICA_TARGET_LABEL;
    if (labelled && recipe->data.target_dtype == MICA_F32)
        MICA_TRY(number_head_check(recipe, loss, kind, shape, mica_value_shape(network->label)));
    else if (labelled)
        MICA_TRY(label_head_check(recipe, loss, kind, shape));
    else if (loss->target == MICA_TARGET_INPUT)
        MICA_TRY(input_head_check(recipe, loss, shape, mica_value_shape(in.input)));
    mica_graph_set_scope(graph, loss->name ? loss->name : "loss");
    kind->build(head, &in);
    mica_value *mean = mica_mean(head->sample_loss, NULL, 0, false);
    if (loss->weight != 1)
        mean = mica_scale(mean, (float)loss->weight);
    network->loss = network->loss ? mica_add(network->loss, mean) : mean;
    mica_graph_set_scope(graph, NULL);
    return fail_at(graph, loss->place, "loss", kind->name);
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

/* ---- what an autoencoder has ---- */

static int64_t numbers(const mica_network_layer *row) {
    return mica_shape_count(row->output);
}

static void find_code(const mica_recipe *recipe, mica_network *network) {
    bool reconstructs = false;
    for (size_t i = 0; i < network->n_heads; i++)
        reconstructs = reconstructs || network->heads[i].reconstruction;
    for (size_t i = 0; i < recipe->n_layers; i++) {
        const mica_recipe_layer *layer = &recipe->layers[i];
        const mica_network_layer *row = &network->layers[i + 1]; /* behind the input */
        if (!network->noisy && !strcmp(layer->type->name, "noise") &&
            layer->source[0] == MICA_FROM_INPUT)
            network->noisy = row->value;
        if (!reconstructs)
            continue;
        if (!network->drawn && !strcmp(layer->type->name, "gaussian")) {
            network->drawn = row;
            network->code =
                &network->layers[layer->source[0] == MICA_FROM_INPUT ? 0 : layer->source[0] + 1];
        }
        if (!network->drawn && (!network->code || numbers(row) < numbers(network->code)))
            network->code = row;
    }
    for (size_t i = 0; i < recipe->n_layers && recipe->code && reconstructs; i++)
        if (!strcmp(recipe->layers[i].name, recipe->code))
            network->code = &network->layers[i + 1];
}

/* ---- networks ---- */

static mica_status whole_build(
    const mica_recipe *recipe, int64_t batch, mica_network *network, mica_value **values) {
    MICA_TRY(input_build(recipe, batch, network));
    for (size_t i = 0; i < recipe->n_layers; i++)
        MICA_TRY(layer_build(recipe, network, values, i));
    for (size_t i = 0; i < recipe->n_losses; i++)
        MICA_TRY(head_build(recipe, &recipe->losses[i], network, values));
    find_code(recipe, network);
    return penalty_build(recipe, network);
}

/* An empty network with room for everything, and for a value of each layer. */
static mica_status network_create(
    const mica_recipe *recipe, mica_network **out, mica_value ***out_values) {
    mica_network *network = mica_alloc(1, sizeof *network);
    mica_value **values = mica_alloc(recipe->n_layers, sizeof *values);
    mica_status status = network && values ? MICA_OK : MICA_E_MEMORY;
    if (status == MICA_OK) {
        network->layers = mica_alloc(recipe->n_layers + 1, sizeof *network->layers);
        network->heads = mica_alloc(recipe->n_losses, sizeof *network->heads);
        status =
            network->layers && network->heads ? mica_graph_create(&network->graph) : MICA_E_MEMORY;
    }
    if (status == MICA_OK) {
        *out = network;
        *out_values = values;
        return MICA_OK;
    }
    mica_network_destroy(&network);
    free(values);
    return status;
}

mica_status mica_recipe_build(const mica_recipe *recipe, int64_t batch, mica_network **out) {
    mica_network *network = NULL;
    mica_value **values = NULL;
    if (recipe->neighbours.wanted)
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s: a neighbourhood model has no network: mica recommend and mica eval use it",
            recipe->path);
    MICA_TRY(network_create(recipe, &network, &values));
    mica_status status = whole_build(recipe, batch, network, values);
    free(values);
    if (status == MICA_OK)
        *out = network;
    else
        mica_network_destroy(&network);
    return status;
}

/* Marks the layers between `code` (exclusive) and layer number `end`. */
static mica_status between(const mica_recipe *recipe, size_t code, size_t end, bool *needed) {
    needed[end] = end != code;
    for (size_t i = end + 1; i-- > 0;)
        for (size_t j = 0; j < recipe->layers[i].n_source && needed[i]; j++) {
            size_t source = recipe->layers[i].source[j];
            if (source == MICA_FROM_INPUT)
                return mica_fail(MICA_E_UNSUPPORTED,
                    "%s: layer %s needs the input, not only the layer %s: there is no decoder "
                    "behind that layer (the key code names another)",
                    recipe->path, recipe->layers[i].name, recipe->layers[code].name);
            needed[source] = source != code;
        }
    return MICA_OK;
}

static mica_status decoder_build(const mica_recipe *recipe, size_t code, mica_shape shape,
    const mica_recipe_loss *loss, mica_network *network, mica_value **values) {
    mica_graph *graph = network->graph;
    const mica_loss_kind *kind = mica_loss_kind_find(loss->kind);
    size_t end = 0;
    while (strcmp(recipe->layers[end].name, loss->from.item[0]))
        end++;
    bool *needed = mica_alloc(recipe->n_layers, sizeof *needed);
    if (!needed)
        return MICA_E_MEMORY;
    mica_status status = between(recipe, code, end, needed);
    network->input = values[code] = mica_input(graph, "code", MICA_F32, shape);
    if (status == MICA_OK)
        status = input_row(network, "code");
    for (size_t i = 0; i <= end && status == MICA_OK; i++)
        if (needed[i])
            status = layer_build(recipe, network, values, i);
    free(needed);
    MICA_TRY(status);
    mica_network_head *head = &network->heads[network->n_heads++];
    bool logits = kind->includes && !strcmp(kind->includes, "sigmoid");
    mica_shape sample = batch_shape(shape.dim[0], recipe->input_rank, recipe->input);
    head->name = "";
    head->logits = values[end];
    head->reconstruction =
        mica_reshape(logits ? mica_sigmoid(values[end]) : values[end], sample.rank, sample.dim);
    return fail_at(graph, recipe->path, "decoder of", recipe->name);
}

mica_status mica_recipe_build_decoder(
    const mica_recipe *recipe, const char *code, int64_t batch, mica_network **out) {
    const mica_recipe_loss *loss = NULL;
    for (size_t i = 0; i < recipe->n_losses && !loss; i++)
        if (recipe->losses[i].target == MICA_TARGET_INPUT)
            loss = &recipe->losses[i];
    if (!loss)
        return mica_fail(MICA_E_UNSUPPORTED, "%s: no loss has target: input, so nothing is decoded",
            recipe->path);
    mica_network *whole = NULL, *network = NULL;
    mica_value **values = NULL;
    const mica_network_layer *row = NULL;
    MICA_TRY(mica_recipe_build(recipe, batch, &whole)); /* knows the code's shape */
    mica_status status = mica_network_find(whole, code, &row);
    if (status == MICA_OK && row == whole->layers)
        status = mica_fail(MICA_E_INVALID, "the input is no code: it is what a code stands for");
    if (status == MICA_OK)
        status = network_create(recipe, &network, &values);
    if (status == MICA_OK)
        status = decoder_build(
            recipe, (size_t)(row - whole->layers) - 1, row->output, loss, network, values);
    free(values);
    mica_network_destroy(&whole);
    if (status == MICA_OK)
        *out = network;
    else
        mica_network_destroy(&network);
    return status;
}

mica_status mica_network_find(
    const mica_network *network, const char *name, const mica_network_layer **layer) {
    for (size_t i = 0; i < network->n_layers; i++)
        if (!strcmp(network->layers[i].name, name)) {
            *layer = &network->layers[i];
            return MICA_OK;
        }
    mica_text names = {0};
    for (size_t i = 0; i < network->n_layers; i++)
        mica_text_add(&names, "%s%s", i ? ", " : "", network->layers[i].name);
    mica_status status =
        names.failed
            ? MICA_E_MEMORY
            : mica_fail(MICA_E_NOT_FOUND, "no layer is called %s: there are %s", name, names.data);
    free(names.data);
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
