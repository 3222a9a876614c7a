/* The block `preprocess:`, in recipes and in files of its own. */
#include "recipe/data.h"

#include "base/error.h"

#include <mica/train.h>

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { SIDE_LIMIT = 1 << 14, CHANNELS = 3 };

typedef struct block {
    char *preset;
    int order; /* 1: bgr */
    mica_preprocess how;
} block;

static const char *const preset_names[] = {"alexnet", "vgg", "torchvision", "squeezenet", NULL};
static const char *const order_names[] = {"rgb", "bgr", NULL};
static const char *const interpolation_names[] = {"linear", "cubic", NULL};

/* A number for each channel, or one for all. */
static mica_status colour_read(
    const mica_yaml *yaml, mica_yaml_node node, bool above_zero, float colour[CHANNELS]) {
    float numbers[MICA_RECIPE_CHANNELS];
    size_t count;
    MICA_TRY(mica_recipe_channels_read(yaml, node, above_zero, numbers, &count));
    if (count != 1 && count != CHANNELS)
        return mica_yaml_fail(
            yaml, node, "expected a number a channel: 3, or 1 for all, got %zu", count);
    for (size_t c = 0; c < CHANNELS; c++)
        colour[c] = numbers[count == 1 ? 0 : c];
    return MICA_OK;
}

static mica_status mean_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    return colour_read(yaml, node, false, ((block *)target)->how.mean);
}

static mica_status std_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    return colour_read(yaml, node, true, ((block *)target)->how.deviation);
}

static const mica_key keys[] = {
    {"preset", MICA_KEY_TEXT, offsetof(block, preset), .choices = preset_names,
        .fallback_note = "none",
        .help = "all keys as a well-known network wants them; those given here come before it. "
                "alexnet, vgg and squeezenet are Caffe's: bgr, 0 to 255, less a mean colour; "
                "torchvision: 0 to 1, normalized"},
    {"size", MICA_KEY_INTEGER, offsetof(block, how.size), .range = {0, SIDE_LIMIT},
        .help = "the shorter side is scaled to so many pixels and the centre of the input's height "
                "and width cut out; 0: the largest centred part of the input's proportions is "
                "scaled to the input"},
    {"crop", MICA_KEY_INTEGER, offsetof(block, how.crop), .range = {0, SIDE_LIMIT},
        .fallback_note = "the input's",
        .help = "height and width of what is cut out, where an ONNX file leaves them open"},
    {"interpolation", MICA_KEY_CHOICE, offsetof(block, how.interpolation),
        .choices = interpolation_names,
        .help = "of the scaling; when pictures shrink, all pixels count"},
    {"order", MICA_KEY_CHOICE, offsetof(block, order), .choices = order_names,
        .help = "of the channels"},
    {"scale", MICA_KEY_FLOAT, offsetof(block, how.scale), .range = {0, .above = true},
        .fallback = 1, .help = "what values from 0 to 255 are multiplied by"},
    {"mean", MICA_KEY_HOOK, .hook = mean_read, .type = "a list of numbers", .fallback_note = "0",
        .help = "then subtracted: one a channel in the order above, or one for all"},
    {"std", MICA_KEY_HOOK, .hook = std_read, .type = "a list of numbers", .fallback_note = "1",
        .help = "what is then divided by: as many"},
};

const mica_block mica_recipe_preprocess_block = MICA_BLOCK(keys);

/* Puts the preset's choice where a key was not given. */
static void complete(const mica_yaml *yaml, mica_yaml_node map, block *b) {
    const mica_preprocess *preset = mica_preprocess_preset(b->preset);
    mica_preprocess *how = &b->how;
    if (!mica_schema_find(yaml, map, "size"))
        how->size = preset->size;
    if (!mica_schema_find(yaml, map, "crop"))
        how->crop = preset->crop;
    if (!mica_schema_find(yaml, map, "interpolation"))
        how->interpolation = preset->interpolation;
    if (!mica_schema_find(yaml, map, "order"))
        b->order = preset->bgr;
    if (!mica_schema_find(yaml, map, "scale"))
        how->scale = preset->scale;
    if (!mica_schema_find(yaml, map, "mean"))
        memcpy(how->mean, preset->mean, sizeof how->mean);
    if (!mica_schema_find(yaml, map, "std"))
        memcpy(how->deviation, preset->deviation, sizeof how->deviation);
}

static mica_status map_read(const mica_yaml *yaml, mica_yaml_node node, mica_preprocess *how) {
    block b = {0};
    mica_target target = {mica_recipe_preprocess_block, &b};
    mica_status status = mica_schema_read(yaml, node, "preprocess", &target, 1);
    if (status == MICA_OK && b.preset)
        complete(yaml, node, &b);
    mica_schema_clear(mica_recipe_preprocess_block, &b);
    b.how.bgr = b.order;
    if (status == MICA_OK)
        *how = b.how;
    return status;
}

mica_status mica_recipe_preprocess_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    mica_recipe *recipe = target;
    recipe->preprocessed = true;
    const char *name = mica_yaml_scalar(yaml, node);
    if (!name)
        return map_read(yaml, node, &recipe->preprocess);
    const mica_preprocess *preset = mica_preprocess_preset(name);
    if (!preset)
        return mica_schema_unknown(
            yaml, node, "preset", preset_names, sizeof preset_names / sizeof *preset_names - 1);
    recipe->preprocess = *preset;
    return MICA_OK;
}

mica_status mica_recipe_preprocess_check(const mica_yaml *yaml, mica_recipe *recipe) {
    static const char *const same[] = {"scale", "mean", "std", "invert", NULL};
    if (!recipe->preprocessed)
        return MICA_OK;
    const mica_preprocess *how = &recipe->preprocess;
    mica_recipe_data *data = &recipe->data;
    mica_yaml_node root = mica_yaml_root(yaml), map = mica_schema_find(yaml, root, "data");
    mica_yaml_node node = mica_schema_find(yaml, root, "preprocess");
    int64_t channels = recipe->input[2];
    if (recipe->input_rank != 3 || (channels != 1 && channels != 3) ||
        (data->set && mica_recipe_data_kind(data) != MICA_DATA_IMAGES))
        return mica_yaml_fail(yaml, node,
            "preprocess is for pictures: an input of [height, width, 3] or [height, width, 1], and "
            "the set images or none");
    if (how->size && (how->size < recipe->input[0] || how->size < recipe->input[1]))
        return mica_yaml_fail(yaml, node,
            "size %lld: expected at least the input's height and width, %lld and %lld",
            (long long)how->size, (long long)recipe->input[0], (long long)recipe->input[1]);
    for (size_t i = 0; same[i] && map; i++)
        if (mica_schema_find(yaml, map, same[i]))
            return mica_yaml_fail(yaml, mica_schema_find(yaml, map, same[i]),
                "preprocess says what becomes of a picture: put %s there", same[i]);
    data->scale = how->scale != 0 ? (double)how->scale : 1;
    data->channels = channels;
    for (int64_t c = 0; c < channels; c++) {
        data->mean[c] = how->mean[c];
        data->deviation[c] = how->deviation[c] != 0 ? how->deviation[c] : 1;
    }
    return MICA_OK;
}

mica_preprocess mica_recipe_preprocess(const mica_recipe *recipe) {
    const mica_recipe_data *data = &recipe->data;
    if (recipe->preprocessed)
        return recipe->preprocess;
    mica_preprocess how = {.invert = data->invert, .scale = (float)data->byte_scale};
    for (int64_t c = 0; c < CHANNELS && data->channels; c++) {
        how.mean[c] = data->mean[c % data->channels];
        how.deviation[c] = data->deviation[c % data->channels];
    }
    return how;
}

mica_status mica_preprocess_read(const char *name, mica_preprocess *how) {
    const mica_preprocess *preset = mica_preprocess_preset(name);
    if (preset) {
        *how = *preset;
        return MICA_OK;
    }
    mica_yaml yaml;
    mica_status status = mica_yaml_open(&yaml, name, NULL, 0);
    if (status == MICA_OK)
        status = map_read(&yaml, mica_yaml_root(&yaml), how);
    mica_yaml_close(&yaml);
    if (status == MICA_E_NOT_FOUND)
        return mica_fail(MICA_E_NOT_FOUND,
            "%s is no file with the keys of preprocess, and none of the presets alexnet, vgg, "
            "torchvision and squeezenet",
            name);
    return status;
}
