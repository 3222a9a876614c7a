/* The keys of a recipe outside its layers and losses, and the checks across them. */
#include "recipe/recipe.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "recipe/changes.h"
#include "recipe/connect.h"
#include "recipe/data.h"
#include "recipe/loss.h"
#include "recipe/neighbours.h"
#include "recipe/reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(mica_recipe, member)

static const char *const optimizer_names[] = {"sgd", "adam", "adamw", NULL};
static const char *const schedule_names[] = {"constant", "step", "cosine", NULL};

static const mica_key schedule_keys[] = {
    {"kind", MICA_KEY_CHOICE, AT(optimizer.schedule.kind), .choices = schedule_names,
        .help = "constant; step: times gamma every so often; cosine: down to `final` along half a "
                "cosine"},
    {"warmup", MICA_KEY_NUMBER, AT(warmup_epochs), .range = {0, 1e6},
        .help = "epochs in which the rate first rises from near 0, in a straight line"},
    {"every", MICA_KEY_NUMBER, AT(every_epochs), .range = {0, 1e6},
        .help = "step: epochs between two steps"},
    {"gamma", MICA_KEY_FLOAT, AT(optimizer.schedule.gamma), .fallback = 0.1,
        .range = {0, 1, .above = true}, .help = "step: the factor"},
    {"final", MICA_KEY_FLOAT, AT(optimizer.schedule.final), .help = "cosine: the last rate"},
};

static const mica_key optimizer_keys[] = {
    {"kind", MICA_KEY_CHOICE, AT(optimizer.kind), .choices = optimizer_names,
        .help = "sgd; adam; adamw: Adam with decoupled weight decay"},
    {"learning_rate", MICA_KEY_FLOAT, AT(optimizer.learning_rate), .may_change = true,
        .fallback = 0.01, .range = {0, .above = true}, .help = "the size of a step"},
    {"momentum", MICA_KEY_FLOAT, AT(optimizer.momentum), .may_change = true,
        .range = {0, 1, .below = true},
        .help = "sgd: the part of the last step that the next keeps"},
    {"nesterov", MICA_KEY_BOOLEAN, AT(optimizer.nesterov), .may_change = true,
        .help = "sgd: look ahead along the momentum"},
    {"beta1", MICA_KEY_FLOAT, AT(optimizer.beta1), .may_change = true, .fallback = 0.9,
        .range = {0, 1, .above = true, .below = true},
        .help = "adam, adamw: decay of the mean of gradients"},
    {"beta2", MICA_KEY_FLOAT, AT(optimizer.beta2), .may_change = true, .fallback = 0.999,
        .range = {0, 1, .above = true, .below = true},
        .help = "adam, adamw: decay of the mean of squared gradients"},
    {"epsilon", MICA_KEY_FLOAT, AT(optimizer.epsilon), .may_change = true, .fallback = 1e-8,
        .range = {0, .above = true}, .help = "adam, adamw: keeps the division from 0"},
    {"weight_decay", MICA_KEY_FLOAT, AT(optimizer.weight_decay), .may_change = true,
        .help = "pulls weights, not biases, towards 0"},
    {"clip_norm", MICA_KEY_FLOAT, AT(optimizer.clip_norm), .may_change = true,
        .help = "gradients are scaled so that their common norm is at most this; 0: never"},
    {"schedule", MICA_KEY_BLOCK, .may_change = true, .block = MICA_BLOCK(schedule_keys),
        .fallback_note = "constant", .help = "how the learning rate changes, as below"},
};

static mica_status input_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    mica_recipe *recipe = target;
    return mica_schema_shape(yaml, node, false, &recipe->input_rank, recipe->input);
}

static const mica_key weights_keys[] = {
    {"file", MICA_KEY_TEXT, AT(weights), .fallback_note = "none",
        .help = "safetensors of Mica's or PyTorch's, or a run's folder; what of it does not fit a "
                "layer by name and shape is named and left out, and that layer starts anew. Looked "
                "for in the data folder, beside the recipe, then in the current folder"},
    {"learning_rate", MICA_KEY_FLOAT, AT(weights_rate), .fallback = 1,
        .help = "factor of the learning rate of all layers that have none of their own; 0: they "
                "stay as they are"},
};

/* Of every recipe. */
static const mica_key common_keys[] = {
    {"name", MICA_KEY_TEXT, AT(name), .may_change = true, .fallback_note = "the file's name",
        .help = "what the model is called"},
    {"data", MICA_KEY_HOOK, .hook = mica_recipe_data_read, .type = "a mapping",
        .fallback_note = "none; needed for training", .help = "where samples come from, as below"},
    {"seed", MICA_KEY_INTEGER, AT(seed), .fallback = 1,
        .help = "of everything random: the same seed gives the same run"},
};

/* Of those that describe a network. */
static const mica_key network_keys[] = {
    {"input", MICA_KEY_HOOK, .required = true, .hook = input_read, .type = "a list of sizes",
        .help = "the shape of one sample: `[784]`, or `[28, 28, 1]`: height, width, channels"},
    {"preprocess", MICA_KEY_HOOK, .hook = mica_recipe_preprocess_read,
        .type = "alexnet, vgg, torchvision, squeezenet or a mapping",
        .fallback_note = "data's keys",
        .help = "what becomes of a picture, as below: of the set images, and of those given to "
                "`mica predict` and `mica encode`"},
    {"layers", MICA_KEY_HOOK, .required = true, .hook = mica_layers_read,
        .type = "a list of mappings",
        .help = "the network, as below, in any order: a layer may name any other in `from`"},
    {"loss", MICA_KEY_HOOK, .required = true, .hook = mica_losses_read,
        .type = "the kind, a mapping or a list of mappings",
        .help = "what training minimizes, as below; of several, the weighted sum"},
    {"code", MICA_KEY_TEXT, AT(code),
        .fallback_note = "the mean of a gaussian layer, else the narrowest layer",
        .help = "autoencoders: the layer whose numbers `mica encode` writes and the decoder begins "
                "with"},
    {"l2", MICA_KEY_NUMBER, AT(l2), .range = {0, 1e6},
        .help = "beta of the penalty beta / 2 * sum(w^2) over all weights, not biases"},
    {"weights", MICA_KEY_BLOCK, .block = MICA_BLOCK(weights_keys),
        .fallback_note = "drawn at random", .help = "what training starts from, as below"},
    {"optimizer", MICA_KEY_BLOCK, .block = MICA_BLOCK(optimizer_keys), .fallback_note = "sgd",
        .help = "how parameters change, as below"},
    {"batch", MICA_KEY_INTEGER, AT(batch), .fallback = 32, .range = {1, 1 << 20},
        .help = "samples a step"},
    {"epochs", MICA_KEY_INTEGER, AT(epochs), .may_change = true, .fallback = 10, .range = {1, 1e6},
        .help = "passes over the training samples"},
    {"patience", MICA_KEY_INTEGER, AT(patience), .may_change = true, .range = {0, 1e6},
        .help = "stop after so many epochs without a better validation loss; 0: never"},
    {"gradient_norms", MICA_KEY_BOOLEAN, AT(gradient_norms),
        .help = "log and draw the norm of each layer's gradient"},
};

static const mica_block common_block = MICA_BLOCK(common_keys);
static const mica_block network_block = MICA_BLOCK(network_keys);

void mica_recipe_blocks(mica_block blocks[MICA_RECIPE_BLOCKS]) {
    blocks[0] = common_block;
    blocks[1] = network_block;
    blocks[2] = mica_recipe_neighbours_block;
}

/* ---- reading ---- */

static mica_yaml_node find(const mica_yaml *yaml, mica_yaml_node map, const char *key) {
    return map ? mica_schema_find(yaml, map, key) : 0;
}

/* The file's name without folders and the last extension, in the characters of a name. */
static char *name_of_path(const char *path) {
    const char *slash = strrchr(path, '/');
    char *name = mica_strdup(slash ? slash + 1 : path);
    if (!name)
        return NULL;
    char *dot = strrchr(name, '.');
    if (dot && dot != name)
        *dot = 0;
    if (strlen(name) > 64)
        name[64] = 0;
    for (char *c = name; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.", *c) ||
            (c == name && (*c == '-' || *c == '.')))
            *c = '_';
    return name;
}

static mica_status optimizer_check(const mica_yaml *yaml, const mica_recipe *recipe) {
    mica_yaml_node map = find(yaml, mica_yaml_root(yaml), "optimizer");
    mica_yaml_node schedule = find(yaml, map, "schedule");
    const mica_optimizer *optimizer = &recipe->optimizer;
    static const char *const of_sgd[] = {"momentum", "nesterov"};
    static const char *const of_adam[] = {"beta1", "beta2", "epsilon"};
    for (size_t i = 0; i < 2; i++)
        if (optimizer->kind != MICA_SGD && find(yaml, map, of_sgd[i]))
            return mica_yaml_fail(yaml, find(yaml, map, of_sgd[i]),
                "%s belongs to sgd, and the optimizer is %s", of_sgd[i],
                optimizer_names[optimizer->kind]);
    for (size_t i = 0; i < 3; i++)
        if (optimizer->kind == MICA_SGD && find(yaml, map, of_adam[i]))
            return mica_yaml_fail(yaml, find(yaml, map, of_adam[i]),
                "%s belongs to adam and adamw, and the optimizer is sgd", of_adam[i]);
    if (optimizer->nesterov && optimizer->momentum == 0)
        return mica_yaml_fail(yaml, find(yaml, map, "nesterov"), "nesterov needs a momentum");
    if (optimizer->schedule.kind == MICA_SCHEDULE_STEP && recipe->every_epochs == 0)
        return mica_yaml_fail(
            yaml, schedule, "the schedule step needs every: the epochs between two steps");
    if (optimizer->schedule.kind == MICA_SCHEDULE_COSINE &&
        recipe->warmup_epochs >= (double)recipe->epochs)
        return mica_yaml_fail(yaml, find(yaml, schedule, "warmup"),
            "warmup takes %g epochs and training %lld: nothing is left for the cosine",
            recipe->warmup_epochs, (long long)recipe->epochs);
    return MICA_OK;
}

static mica_status recipe_check(const mica_yaml *yaml, mica_recipe *recipe) {
    mica_yaml_node root = mica_yaml_root(yaml);
    if (recipe->name)
        MICA_TRY(mica_name_check(yaml, find(yaml, root, "name"), recipe->name));
    else if (!(recipe->name = name_of_path(recipe->path)))
        return MICA_E_MEMORY;
    if (recipe->code && mica_layers_find(recipe, recipe->code) == MICA_FROM_INPUT)
        return mica_layers_unknown(yaml, find(yaml, root, "code"), recipe);
    for (size_t i = 0; i < recipe->n_layers; i++) {
        mica_recipe_layer *layer = &recipe->layers[i];
        layer->rate = layer->rate < 0 ? recipe->weights_rate : layer->rate;
        layer->frozen = layer->frozen || layer->rate == 0;
    }
    MICA_TRY(mica_recipe_data_check(yaml, recipe));
    if (recipe->patience && recipe->data.validation == 0)
        return mica_yaml_fail(yaml, find(yaml, root, "patience"),
            "patience watches the validation loss: set data.validation, the part held out for it");
    return optimizer_check(yaml, recipe);
}

static mica_status recipe_read(mica_yaml *yaml, mica_recipe *recipe) {
    mica_target targets[] = {{common_block, recipe}, {network_block, recipe}};
    if (find(yaml, mica_yaml_root(yaml), "neighbours"))
        targets[1].block = mica_recipe_neighbours_block;
    MICA_TRY(mica_schema_read(yaml, mica_yaml_root(yaml), "the recipe", targets, 2));
    if (recipe->neighbours.wanted) {
        MICA_TRY(mica_recipe_neighbours_check(yaml, recipe));
    } else {
        MICA_TRY(mica_layers_name(yaml, recipe));
        MICA_TRY(mica_losses_connect(yaml, recipe));
        MICA_TRY(mica_layers_connect(yaml, recipe));
    }
    MICA_TRY(recipe_check(yaml, recipe));
    const int64_t sizes[] = {recipe->data.classes, recipe->data.users, recipe->data.items};
    for (size_t i = 0; i < recipe->n_layers; i++)
        mica_schema_resolve(recipe->layers[i].type->block, recipe->layers[i].attrs, sizes);
    return mica_yaml_text(yaml, &recipe->text);
}

static mica_status texts_copy(const char *const *from, size_t count, mica_texts *texts) {
    if (!(texts->item = mica_alloc(count, sizeof *texts->item)))
        return MICA_E_MEMORY;
    for (; texts->count < count; texts->count++)
        if (!(texts->item[texts->count] = mica_strdup(from[texts->count])))
            return MICA_E_MEMORY;
    return MICA_OK;
}

mica_status mica_texts_add(mica_texts *texts, char *text) {
    char **item = text ? realloc(texts->item, (texts->count + 1) * sizeof *item) : NULL;
    if (!item) {
        free(text);
        return mica_fail(MICA_E_MEMORY, "out of host memory");
    }
    texts->item = item;
    item[texts->count++] = text;
    return MICA_OK;
}

mica_status mica_recipe_load(
    const char *path, const char *const *overrides, size_t n_overrides, mica_recipe **out) {
    mica_recipe *recipe = mica_alloc(1, sizeof *recipe);
    if (!recipe)
        return MICA_E_MEMORY;
    mica_yaml yaml;
    mica_status status = mica_yaml_open(&yaml, path, overrides, n_overrides);
    if (status == MICA_OK && !(recipe->path = mica_strdup(path)))
        status = MICA_E_MEMORY;
    if (status == MICA_OK)
        status = texts_copy(overrides, n_overrides, &recipe->overrides);
    if (status == MICA_OK)
        status = recipe_read(&yaml, recipe);
    mica_yaml_close(&yaml);
    if (status == MICA_OK)
        *out = recipe;
    else
        mica_recipe_destroy(&recipe);
    return status;
}

void mica_recipe_destroy(mica_recipe **owner) {
    mica_recipe *recipe = *owner;
    *owner = NULL;
    if (!recipe)
        return;
    mica_layers_clear(recipe);
    mica_losses_clear(recipe);
    mica_recipe_data_clear(&recipe->data);
    mica_texts_clear(&recipe->overrides);
    mica_schema_clear(common_block, recipe);
    mica_schema_clear(network_block, recipe);
    free(recipe->path);
    free(recipe->text);
    free(recipe);
}

/* Does YAML take a character as it is? */
static bool is_printable(int32_t point) {
    return (point >= 0x20 && point < 0x7f) ||
           (point >= 0xa0 && point < 0xfffe && point != 0xfeff) || point >= 0x10000;
}

/* "KEY=[...]" with texts in YAML's double quotes, and every character that is not plain as its
 * number. */
static char *texts_override(const char *key, const char *const *texts, size_t count) {
    mica_text text = {0};
    mica_text_add(&text, "%s=[", key);
    for (size_t i = 0; i < count; i++) {
        mica_text_add(&text, i ? ", \"" : "\"");
        const char *why;
        int32_t point;
        for (const char *c = texts[i]; *c;) {
            const int size = mica_utf8_read(c, strnlen(c, 4), &point, &why);
            if (!size || !is_printable(point))
                mica_text_add(&text, "\\U%08x", size ? (unsigned)point : 0xfffdu);
            else
                mica_text_add(&text, point == '"' || point == '\\' ? "\\%.*s" : "%.*s", size, c);
            c += size ? size : 1;
        }
        mica_text_add(&text, "\"");
    }
    mica_text_add(&text, "]");
    if (!text.failed)
        return text.data;
    free(text.data);
    return NULL;
}

/* Of several files that a text may be read from, the one that was. */
static mica_status file_settle(const mica_recipe *recipe, const char *folder, mica_texts *all) {
    const mica_recipe_data *data = &recipe->data;
    if (!data->files[0] || !data->files[1] || !mica_recipe_is_sequence(mica_recipe_data_kind(data)))
        return MICA_OK;
    char *path = NULL;
    size_t index;
    MICA_TRY(mica_recipe_sequence_file(recipe, folder, &index, &path));
    free(path);
    const char *const file[] = {data->files[index]};
    return mica_texts_add(all, texts_override("data.files", file, 1));
}

/* Has a layer a size that only the data tell? */
static bool has_open_size(const mica_recipe *recipe) {
    bool open = false;
    for (size_t i = 0; i < recipe->n_layers; i++) {
        const mica_recipe_layer *layer = &recipe->layers[i];
        const char *size;
        open = open || mica_schema_unresolved(layer->type->block, layer->attrs, &size);
    }
    return open;
}

mica_status mica_recipe_settle(
    mica_recipe **recipe, const char *folder, const mica_dataset *train) {
    const mica_recipe_data *data = &(*recipe)->data;
    const mica_texts *before = &(*recipe)->overrides;
    const mica_dataset_info *info = mica_dataset_get_info(train);
    mica_texts all = {0};
    mica_recipe *settled = NULL;
    mica_status status = texts_copy((const char *const *)before->item, before->count, &all);
    bool named = data->ids || (!data->classes && has_open_size(*recipe));
    if (status == MICA_OK && named && !data->class_names && info->classes && !info->users)
        status = mica_texts_add(
            &all, texts_override("data.class_names", info->class_names, (size_t)info->classes));
    if (status == MICA_OK)
        status = file_settle(*recipe, folder, &all);
    if (status == MICA_OK && !data->users && info->users)
        status = mica_texts_add(&all, mica_format("data.users=%d", info->users));
    if (status == MICA_OK && !data->items && info->items)
        status = mica_texts_add(&all, mica_format("data.items=%d", info->items));
    if (status == MICA_OK && !data->channels && info->users && info->mean)
        status = mica_texts_add(&all, mica_format("data.mean=[%.9g]", (double)*info->mean));
    if (status == MICA_OK && all.count > before->count)
        status =
            mica_recipe_load((*recipe)->path, (const char *const *)all.item, all.count, &settled);
    mica_texts_clear(&all);
    if (settled) {
        mica_recipe_destroy(recipe);
        *recipe = settled;
    }
    return status;
}

mica_status mica_recipe_complete(mica_recipe **recipe, const char *folder) {
    if (!has_open_size(*recipe) || !(*recipe)->data.set)
        return MICA_OK;
    mica_dataset *train = NULL;
    MICA_TRY(mica_recipe_open_data(*recipe, folder, &train, NULL, NULL));
    mica_status status = mica_recipe_settle(recipe, folder, train);
    mica_dataset_destroy(&train);
    return status;
}

void mica_recipe_schedule(mica_recipe *recipe, int64_t steps_per_epoch) {
    mica_schedule *schedule = &recipe->optimizer.schedule;
    double steps = (double)steps_per_epoch;
    schedule->warmup = (uint64_t)llround(recipe->warmup_epochs * steps);
    schedule->every = (uint64_t)fmax(1, round(recipe->every_epochs * steps));
    schedule->total = (uint64_t)steps_per_epoch * (uint64_t)recipe->epochs;
}

/* ---- the reference ---- */

static void section(mica_text *text, const char *title, mica_block block) {
    mica_text_add(text, "### %s\n\n", title);
    mica_schema_reference(text, block);
    mica_text_add(text, "\n");
}

void mica_recipe_reference(mica_text *text) {
    section(text, "Every recipe", common_block);
    section(text, "A network", network_block);
    section(text, "data", mica_recipe_data_block);
    section(text, "data.augment", mica_recipe_augment_block);
    section(text, "preprocess", mica_recipe_preprocess_block);
    section(text, "weights", (mica_block)MICA_BLOCK(weights_keys));
    section(text, "optimizer", (mica_block)MICA_BLOCK(optimizer_keys));
    section(text, "optimizer.schedule", (mica_block)MICA_BLOCK(schedule_keys));
    section(text, "A neighbourhood model", mica_recipe_neighbours_block);
    section(text, "neighbours", mica_recipe_neighbours_keys);
    section(text, "loss", mica_loss_block);
    for (size_t i = 0; i < mica_loss_kinds_count; i++)
        mica_text_add(text, "- `%s`: %s\n", mica_loss_kinds[i].name, mica_loss_kinds[i].help);
    mica_text_add(text, "\n");
    section(text, "Every layer", mica_layer_common);
    for (size_t i = 0; i < mica_layer_types_count; i++) {
        const mica_layer_type *type = mica_layer_types[i];
        mica_text_add(text, "### %s\n\n%s\n\n", type->name, type->help);
        if (type->block.count) {
            mica_schema_reference(text, type->block);
            mica_text_add(text, "\n");
        }
    }
}
