/* Layers that look at images, (height, width, channels), through windows. */
#include "recipe/layers.h"

#include <string.h>

enum { WINDOW_LIMIT = 1 << 15 };

/* What a window is like. The first member of each layer's attributes, so that they share hooks. */
typedef struct window {
    int64_t kernel[2], strides[4], dilations[4];
    mica_padding padding;
    int64_t pad[4];
} window;

#define EXPECTED "expected an integer from 1 to 32768, "

static mica_status kernel_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    window *w = target;
    size_t count;
    MICA_TRY(mica_schema_integers(yaml, node, 1 << 0 | 1 << 2, 1, WINDOW_LIMIT,
        "kernel: " EXPECTED "or [height, width]", w->kernel, &count));
    if (!count)
        w->kernel[1] = w->kernel[0];
    return MICA_OK;
}

/* One number, [height, width], or the four of TensorFlow: [batch, height, width, channels]. */
static mica_status steps_read(
    const mica_yaml *yaml, mica_yaml_node node, const char *wanted, int64_t steps[4]) {
    int64_t found[4];
    size_t count;
    MICA_TRY(mica_schema_integers(
        yaml, node, 1 << 0 | 1 << 2 | 1 << 4, 1, WINDOW_LIMIT, wanted, found, &count));
    if (count == 4) {
        memcpy(steps, found, sizeof found);
    } else {
        steps[0] = steps[3] = 1;
        steps[1] = found[0];
        steps[2] = found[count ? 1 : 0];
    }
    return MICA_OK;
}

static mica_status strides_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    return steps_read(yaml, node,
        "strides: " EXPECTED "[height, width] or [batch, height, width, channels]",
        ((window *)target)->strides);
}

static mica_status dilation_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    return steps_read(yaml, node,
        "dilation: " EXPECTED "[height, width] or [batch, height, width, channels]",
        ((window *)target)->dilations);
}

static mica_status padding_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    window *w = target;
    const char *text = mica_yaml_scalar(yaml, node);
    if (text && !strcmp(text, "valid")) {
        w->padding = MICA_VALID;
        return MICA_OK;
    }
    if (text && !strcmp(text, "same")) {
        w->padding = MICA_SAME;
        return MICA_OK;
    }
    size_t count;
    MICA_TRY(mica_schema_integers(yaml, node, 1 << 0 | 1 << 4, 0, WINDOW_LIMIT,
        "padding: expected valid, same, an integer from 0 to 32768 or [top, bottom, left, right]",
        w->pad, &count));
    for (size_t i = 1; i < 4 && !count; i++)
        w->pad[i] = w->pad[0];
    w->padding = MICA_EXPLICIT;
    return MICA_OK;
}

#define STEPS "an integer, [height, width] or [batch, height, width, channels]"
#define WINDOW_KEYS(kernel_note, strides_note)                                                     \
    {"kernel", MICA_KEY_HOOK, .hook = kernel_read, .type = "an integer or [height, width]",        \
        .fallback_note = kernel_note, .help = "the size of the window"},                           \
        {"strides", MICA_KEY_HOOK, .hook = strides_read, .type = STEPS,                            \
            .fallback_note = strides_note,                                                         \
            .help = "how far the window moves on; of batch and channels: 1"},                      \
        {"dilation", MICA_KEY_HOOK, .hook = dilation_read, .type = STEPS, .fallback_note = "1",    \
            .help = "the distance of the pixels that a window takes"},                             \
    {                                                                                              \
        "padding", MICA_KEY_HOOK,                                                                  \
            .hook = padding_read, .type = "valid, same, an integer or [top, bottom, left, right]", \
            .fallback_note = "valid",                                                              \
            .help = "valid: only windows that fit; same: zeros around the image, so that there "   \
                    "is a window for each stride, as in TensorFlow; or so many rows and columns"   \
    }

/* ---- convolution ---- */

typedef struct conv_attrs {
    window window;
    mica_weights_attrs weights;
    int64_t filters, groups;
    int64_t output[2];
} conv_attrs;

static mica_status output_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    size_t count;
    return mica_schema_integers(yaml, node, 1 << 2, 1, MICA_SIZE_LIMIT,
        "output: expected [height, width]", ((conv_attrs *)target)->output, &count);
}

static const mica_key conv_keys[] = {
    {"filters", MICA_KEY_INTEGER, offsetof(conv_attrs, filters), .required = true, .sizes = true,
        .range = {1, MICA_SIZE_LIMIT}, .help = "channels that come out"},
    WINDOW_KEYS("3", "1"),
    {"groups", MICA_KEY_INTEGER, offsetof(conv_attrs, groups), .fallback = 1,
        .range = {1, MICA_SIZE_LIMIT},
        .help = "parts of the channels that do not see each other; as many as channels: depthwise"},
    MICA_WEIGHTS_KEYS(conv_attrs),
};

static const mica_key conv_transpose_keys[] = {
    {"filters", MICA_KEY_INTEGER, offsetof(conv_attrs, filters), .required = true,
        .range = {1, MICA_SIZE_LIMIT}, .help = "channels that come out"},
    WINDOW_KEYS("3", "1"),
    {"groups", MICA_KEY_INTEGER, offsetof(conv_attrs, groups), .fallback = 1,
        .range = {1, MICA_SIZE_LIMIT}, .help = "parts of the channels that do not see each other"},
    {"output", MICA_KEY_HOOK, .hook = output_read, .type = "[height, width]",
        .fallback_note = "the least", .help = "the size of the result, where several are possible"},
    MICA_WEIGHTS_KEYS(conv_attrs),
};

static mica_conv2d_layer_options conv_options(const mica_recipe_layer *layer, mica_init *init) {
    const conv_attrs *attrs = layer->attrs;
    const window *w = &attrs->window;
    mica_conv2d_layer_options options = {.conv = {.padding = w->padding, .groups = attrs->groups},
        .activation = (mica_activation)attrs->weights.activation,
        .no_bias = !attrs->weights.bias,
        .frozen = layer->frozen,
        .init = mica_weights_init(&attrs->weights, init)};
    memcpy(options.kernel, w->kernel, sizeof w->kernel);
    memcpy(options.conv.strides, w->strides, sizeof w->strides);
    memcpy(options.conv.dilations, w->dilations, sizeof w->dilations);
    memcpy(options.conv.pad, w->pad, sizeof w->pad);
    memcpy(options.conv.output, attrs->output, sizeof attrs->output);
    return options;
}

static mica_value *conv_build(const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    mica_init init;
    mica_conv2d_layer_options options = conv_options(layer, &init);
    return mica_conv2d_layer(
        in[0], layer->name, ((const conv_attrs *)layer->attrs)->filters, &options);
}

static mica_value *conv_transpose_build(
    const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    mica_init init;
    mica_conv2d_layer_options options = conv_options(layer, &init);
    return mica_conv2d_transpose_layer(
        in[0], layer->name, ((const conv_attrs *)layer->attrs)->filters, &options);
}

static const char *conv_activation(const mica_recipe_layer *layer) {
    return mica_weights_activation(&((const conv_attrs *)layer->attrs)->weights);
}

const mica_layer_type mica_layer_conv2d = {"conv2d",
    "activation(convolution + b) of an image (height, width, channels): each filter looks at a "
    "window of all channels (LeCun and others, 1989).",
    1, 1, sizeof(conv_attrs), MICA_BLOCK(conv_keys), conv_build, conv_activation};

const mica_layer_type mica_layer_conv2d_transpose = {"conv2d_transpose",
    "The transpose of a convolution (\"deconvolution\"), which makes an image larger by its "
    "strides. A kernel that the stride does not divide leaves a checkerboard (Odena and others, "
    "2016): `mica summary` says so.",
    1, 1, sizeof(conv_attrs), MICA_BLOCK(conv_transpose_keys), conv_transpose_build,
    conv_activation};

/* ---- pooling ---- */

typedef struct pool_attrs {
    window window;
    bool ceil, count_padding;
} pool_attrs;

#define POOL_KEYS                                                                                  \
    WINDOW_KEYS("2", "as the kernel"), {                                                           \
        "ceil", MICA_KEY_BOOLEAN, offsetof(pool_attrs, ceil),                                      \
            .help = "with padding in numbers: a last window may reach beyond the image"            \
    }

static const mica_key max_pool_keys[] = {POOL_KEYS};
static const mica_key avg_pool_keys[] = {
    POOL_KEYS,
    {"count_padding", MICA_KEY_BOOLEAN, offsetof(pool_attrs, count_padding),
        .help = "the padding counts as zeros; else the mean is that of the image's own pixels"},
};

static mica_value *pool(const mica_recipe_layer *layer, mica_value *x,
    mica_value *(*build)(mica_value *x, const mica_pool_options *options)) {
    const pool_attrs *attrs = layer->attrs;
    const window *w = &attrs->window;
    int64_t height = w->kernel[0] ? w->kernel[0] : 2, width = w->kernel[1] ? w->kernel[1] : 2;
    mica_pool_options options = {.ksize = {1, height, width, 1},
        .strides = {1, height, width, 1},
        .padding = w->padding,
        .ceil = attrs->ceil,
        .count_padding = attrs->count_padding};
    if (w->strides[0])
        memcpy(options.strides, w->strides, sizeof w->strides);
    memcpy(options.dilations, w->dilations, sizeof w->dilations);
    memcpy(options.pad, w->pad, sizeof w->pad);
    return build(x, &options);
}

static mica_value *max_pool_build(
    const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    return pool(layer, in[0], mica_max_pool);
}

static mica_value *avg_pool_build(
    const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    return pool(layer, in[0], mica_avg_pool);
}

static mica_value *global_avg_pool_build(
    const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)layer;
    (void)n_in;
    return mica_global_avg_pool(in[0]);
}

const mica_layer_type mica_layer_max_pool = {"max_pool",
    "The largest number of each window, channel by channel.", 1, 1, sizeof(pool_attrs),
    MICA_BLOCK(max_pool_keys), max_pool_build, NULL};
const mica_layer_type mica_layer_avg_pool = {"avg_pool",
    "The mean of each window, channel by channel. A kernel of 1 with strides of 2 takes every "
    "second pixel.",
    1, 1, sizeof(pool_attrs), MICA_BLOCK(avg_pool_keys), avg_pool_build, NULL};
const mica_layer_type mica_layer_global_avg_pool = {"global_avg_pool",
    "The mean of each channel over the whole image: one row of numbers.", 1, 1, 0, {NULL, 0},
    global_avg_pool_build, NULL};
