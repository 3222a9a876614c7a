/* The losses of recipes. Labels are class numbers; a head of one unit tells class 1 from class 0.
 */
#include "recipe/loss.h"

#include "base/error.h"
#include "base/mem.h"
#include "graph/graph_impl.h"
#include "recipe/connect.h"

#include <mica/ops.h>

#include <stdlib.h>
#include <string.h>

/* ---- labels ---- */

static int64_t units(const mica_value *logits) {
    mica_shape shape = mica_value_shape(logits);
    return shape.dim[shape.rank - 1];
}

/* float32 (batch, n): the labels as one-hot rows, or for one unit as the class's number. */
static mica_value *label_rows(mica_value *x, mica_value *label) {
    if (units(x) > 1)
        return mica_one_hot(label, units(x));
    return mica_slice(mica_one_hot(label, 2), (const int64_t[]){0, 1}, (const int64_t[]){-1, 1});
}

/* int32 (batch): the largest unit; of one unit, whether it is above `threshold`. */
static mica_value *prediction(mica_value *x, float threshold) {
    if (units(x) > 1)
        return mica_argmax(x);
    mica_value *other = mica_full(mica_value_graph(x), mica_value_shape(x), threshold);
    return mica_argmax(mica_concat((mica_value *[]){other, x}, 2, 1));
}

/* (batch, classes) of one probability a class, or of one alone, that of class 1. */
static mica_value *probabilities(mica_value *p) {
    if (!p || units(p) > 1)
        return p;
    mica_value *one = mica_full(mica_value_graph(p), mica_value_shape(p), 1);
    return mica_concat((mica_value *[]){mica_sub(one, p), p}, 2, 1);
}

/* ---- kinds ---- */

/* (batch): the sum or mean of what belongs to a sample. */
static mica_value *reduce(mica_value *each, int how) {
    static const int axes[] = {1, 2, 3, 4, 5};
    int count = mica_value_shape(each).rank - 1;
    if (!count)
        return each;
    return how == MICA_REDUCE_SUM ? mica_sum(each, axes, count, false)
                                  : mica_mean(each, axes, count, false);
}

/* A loss of numbers and targets, one by one. `output` turns what the layer gives into numbers like
 * the targets. */
static void elementwise(mica_network_head *head, const mica_loss_in *in,
    mica_value *(*each)(mica_value *x, mica_value *target), mica_value *output) {
    mica_value *x = in->x[0];
    mica_shape shape = mica_value_shape(x);
    if (in->loss->target == MICA_TARGET_LABEL && mica_value_dtype(in->label) == MICA_F32) {
        mica_shape target = mica_value_shape(in->label);
        head->number = mica_reshape(output, target.rank, target.dim);
        head->sample_loss =
            reduce(each(mica_reshape(x, target.rank, target.dim), in->label), in->loss->reduce);
        return;
    }
    if (in->loss->target == MICA_TARGET_LABEL) {
        head->sample_loss = reduce(each(x, label_rows(x, in->label)), in->loss->reduce);
        return;
    }
    mica_value *target = mica_reshape(in->input, shape.rank, shape.dim);
    mica_shape sample = mica_value_shape(in->input);
    head->sample_loss = reduce(each(x, target), in->loss->reduce);
    head->reconstruction = mica_reshape(output, sample.rank, sample.dim);
    head->reconstruction_error = reduce(mica_square(mica_sub(output, target)), MICA_REDUCE_MEAN);
}

static bool is_label(const mica_loss_in *in) {
    return in->loss->target == MICA_TARGET_LABEL && mica_value_dtype(in->label) == MICA_I32;
}

static mica_value *squares(mica_value *x, mica_value *target) {
    return mica_square(mica_sub(x, target));
}

static mica_value *distances(mica_value *x, mica_value *target) {
    return mica_abs(mica_sub(x, target));
}

static void softmax_cross_entropy(mica_network_head *head, const mica_loss_in *in) {
    mica_value *x = in->x[0], *label = in->label;
    float smoothing = in->loss->label_smoothing;
    if (smoothing > 0)
        label = mica_smooth_labels(mica_one_hot(label, units(x)), smoothing);
    head->sample_loss = reduce(mica_softmax_cross_entropy(x, label), MICA_REDUCE_MEAN);
    head->prediction = mica_argmax(x);
    head->probability = mica_softmax(x);
}

static void sigmoid_cross_entropy(mica_network_head *head, const mica_loss_in *in) {
    mica_value *x = in->x[0], *p = mica_sigmoid(x);
    elementwise(head, in, mica_sigmoid_cross_entropy, p);
    if (is_label(in)) {
        head->prediction = prediction(x, 0);
        head->probability = probabilities(p);
    }
}

static void binary_cross_entropy(mica_network_head *head, const mica_loss_in *in) {
    mica_value *p = in->x[0];
    elementwise(head, in, mica_binary_cross_entropy, p);
    if (is_label(in)) {
        head->prediction = prediction(p, 0.5f);
        head->probability = probabilities(p);
    }
}

static void mean_squared_error(mica_network_head *head, const mica_loss_in *in) {
    elementwise(head, in, squares, in->x[0]);
    if (is_label(in))
        head->prediction = prediction(in->x[0], 0.5f);
}

static void mean_absolute_error(mica_network_head *head, const mica_loss_in *in) {
    elementwise(head, in, distances, in->x[0]);
    if (is_label(in))
        head->prediction = prediction(in->x[0], 0.5f);
}

/* How surely the first item is put above the second: Rendle and others, 2009. */
static void bpr(mica_network_head *head, const mica_loss_in *in) {
    mica_value *x = in->x[0];
    mica_shape shape = mica_value_shape(x);
    int64_t batch = shape.dim[0];
    char text[96];
    if (mica_shape_count(shape) != 2 * batch) {
        mica_graph_failed(mica_value_graph(x),
            mica_fail(MICA_E_INVALID,
                "wanted two scores a sample, of the item and the other, but layer %s gives %s",
                in->loss->from.item[0], mica_shape_text(shape, text, sizeof text)));
        return;
    }
    x = mica_reshape(x, 2, (const int64_t[]){batch, 2});
    const int64_t first[] = {0, 0}, second[] = {0, 1}, size[] = {-1, 1};
    mica_value *lead = mica_sub(mica_slice(x, second, size), mica_slice(x, first, size));
    head->sample_loss = mica_reshape(mica_softplus(lead), 1, &batch);
}

static void kl_divergence(mica_network_head *head, const mica_loss_in *in) {
    head->sample_loss = mica_kl_divergence(in->x[0], in->x[1]);
}

const mica_loss_kind mica_loss_kinds[] = {
    {"softmax_cross_entropy",
        "-log softmax(x)[label]: one class of several. The layer gives one number a class.",
        "softmax", 1, 2, true, false, true, softmax_cross_entropy},
    {"sigmoid_cross_entropy",
        "The cross-entropy of sigmoid(x) with targets t from 0 to 1: -t log(p) - (1 - t) log(1 - "
        "p). With labels, logistic regression: the layer gives one number for two classes, or one "
        "number a class.",
        "sigmoid", 1, 1, true, true, false, sigmoid_cross_entropy},
    {"binary_cross_entropy",
        "The same of probabilities: the layer ends in a sigmoid. The form above is more exact.",
        NULL, 1, 1, true, true, false, binary_cross_entropy},
    {"mean_squared_error",
        "(x - t)^2; t is the one-hot label, with one unit the class's number, or the input.", NULL,
        1, 1, true, true, false, mean_squared_error},
    {"mean_absolute_error", "|x - t|, t as before.", NULL, 1, 1, true, true, false,
        mean_absolute_error},
    {"kl_divergence",
        "`from: [mean, log_variance]`: how far normal distributions are from the unit normal, -1/2 "
        "sum(1 + log_variance - mean^2 - exp(log_variance)) (Kingma and Welling, 2014). It has no "
        "target; its weight is the beta of a beta-VAE.",
        NULL, 2, 1, false, false, false, kl_divergence},
    {"bpr",
        "log(1 + exp(s' - s)) of the scores s of an item that the user has rated and s' of another, "
        "drawn anew in each epoch: the user's items are to come first (Bayesian personalized "
        "ranking, Rendle and others, 2009). For sets of ratings with an input of [3]; the layer "
        "gives two numbers. It has no target.",
        NULL, 1, 1, false, false, false, bpr},
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

static const char *const target_names[] = {"label", "input", NULL};
static const char *const reduce_names[] = {"mean", "sum", NULL};

static const mica_key loss_keys[] = {
    {"kind", MICA_KEY_TEXT, offsetof(mica_recipe_loss, kind), .required = true,
        .help = "which loss, as below"},
    {"name", MICA_KEY_TEXT, offsetof(mica_recipe_loss, name),
        .fallback_note = "none; required of several",
        .help = "of several, goes before its metrics: name_test_accuracy"},
    {"from", MICA_KEY_TEXTS, offsetof(mica_recipe_loss, from), .fallback_note = "the last layer",
        .help = "the layer that it judges; kl_divergence: a list of two"},
    {"target", MICA_KEY_CHOICE, offsetof(mica_recipe_loss, target), .choices = target_names,
        .help = "what the layer should give: the label, or the input itself, before any noise: an "
                "autoencoder"},
    {"reduce", MICA_KEY_CHOICE, offsetof(mica_recipe_loss, reduce), .choices = reduce_names,
        .help = "of the many numbers of a sample: their mean or their sum, which is what goes with "
                "kl_divergence. Over samples it is always the mean"},
    {"weight", MICA_KEY_NUMBER, offsetof(mica_recipe_loss, weight), .fallback = 1,
        .range = {0, .above = true}, .help = "its factor in the sum that training minimizes"},
    {"label_smoothing", MICA_KEY_FLOAT, offsetof(mica_recipe_loss, label_smoothing),
        .range = {0, 1, .below = true},
        .help = "softmax_cross_entropy: the part of a label that is shared among all classes"},
    {"artefacts", MICA_KEY_INTEGER, offsetof(mica_recipe_loss, artefacts), .range = {2, 64},
        .fallback_note = "none",
        .help = "target input, images: measure what upsampling with strides of so many pixels left "
                "in them: `checkerboard`, `border`"},
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

/* Refuses keys that the kind cannot have. */
static mica_status keys_check(
    const mica_yaml *yaml, mica_yaml_node map, const mica_recipe_loss *loss) {
    const mica_loss_kind *kind = mica_loss_kind_find(loss->kind);
    bool of_input = loss->target == MICA_TARGET_INPUT;
    bool softmax = !strcmp(loss->kind, "softmax_cross_entropy");
    const struct {
        const char *key;
        bool wrong;
        const char *why;
    } rules[] = {
        {"target", !kind->of_label && !kind->of_input, "has no target"},
        {"target", of_input && !kind->of_input, "tells classes apart: its target is the label"},
        {"reduce", softmax || !kind->of_label, "gives one number a sample by itself"},
        {"label_smoothing", !softmax, "does not smooth labels: softmax_cross_entropy does"},
        {"artefacts", !of_input, "judges no image here: artefacts need target: input"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        mica_yaml_node node = rules[i].wrong ? mica_schema_find(yaml, map, rules[i].key) : 0;
        if (node)
            return mica_yaml_fail(yaml, node, "%s %s", loss->kind, rules[i].why);
    }
    return MICA_OK;
}

static mica_status layer_check(const mica_yaml *yaml, const mica_recipe *recipe,
    mica_yaml_node node, const mica_recipe_loss *loss, size_t index) {
    size_t found = mica_layers_find(recipe, loss->from.item[index]);
    if (found == MICA_FROM_INPUT) {
        mica_yaml_node from = mica_schema_find(yaml, node, "from");
        const yaml_node_t *list = mica_yaml_get(yaml, from);
        if (list->type == YAML_SEQUENCE_NODE)
            from = list->data.sequence.items.start[index];
        return mica_layers_unknown(yaml, from, recipe);
    }
    const mica_recipe_layer *layer = &recipe->layers[found];
    const char *activation = layer->type->activation ? layer->type->activation(layer) : NULL;
    const char *includes = mica_loss_kind_find(loss->kind)->includes;
    if (activation && includes && !strcmp(activation, includes))
        return mica_yaml_fail(yaml, node,
            "%s applies the %s itself: take it out of the layer %s (%s)", loss->kind, includes,
            layer->name, layer->place);
    return MICA_OK;
}

static mica_status connect(
    const mica_yaml *yaml, const mica_recipe *recipe, mica_yaml_node node, mica_recipe_loss *loss) {
    const mica_loss_kind *kind = mica_loss_kind_find(loss->kind);
    if (mica_yaml_get(yaml, node)->type == YAML_MAPPING_NODE)
        MICA_TRY(keys_check(yaml, node, loss));
    if (!loss->from.count && kind->layers == 1) {
        loss->from.item = mica_alloc(1, sizeof *loss->from.item);
        if (!loss->from.item ||
            !(loss->from.item[0] = mica_strdup(recipe->layers[recipe->n_layers - 1].name)))
            return MICA_E_MEMORY;
        loss->from.count = 1;
    }
    if (loss->from.count != kind->layers)
        return mica_yaml_fail(yaml, node,
            kind->layers == 1 ? "%s judges one layer, not %zu"
                              : "%s needs two layers, not %zu: from: [mean, log_variance]",
            loss->kind, loss->from.count);
    for (size_t i = 0; i < loss->from.count; i++)
        MICA_TRY(layer_check(yaml, recipe, node, loss, i));
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
