/* Layers that give images another size. */
#include "recipe/layers.h"

#include "graph/graph_impl.h"

#include <string.h>

/* ---- padding ---- */

typedef struct pad_attrs {
    size_t count; /* dimensions given; 0: one number for height and width */
    int64_t before[MICA_MAX_RANK], after[MICA_MAX_RANK];
    int mode;
    float number;
} pad_attrs;

static mica_status amounts_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    static const char wanted[] =
        "amounts: expected an integer from 0 to 16777216, or a list of one "
        "or [before, after] for each dimension";
    pad_attrs *attrs = target;
    const yaml_node_t *list = mica_yaml_get(yaml, node);
    bool many = list->type == YAML_SEQUENCE_NODE;
    const yaml_node_item_t *items = many ? list->data.sequence.items.start : &node;
    size_t n = many ? (size_t)(list->data.sequence.items.top - items) : 0;
    if (many && (n < 1 || n >= MICA_MAX_RANK))
        return mica_yaml_fail(yaml, node, "%s, got a list of %zu", wanted, n);
    for (size_t i = 0; i < (many ? n : 1); i++) {
        int64_t pair[2];
        size_t count;
        MICA_TRY(mica_schema_integers(yaml, items[i], many ? 1 << 0 | 1 << 2 : 1 << 0, 0,
            MICA_SIZE_LIMIT, wanted, pair, &count));
        attrs->before[i] = pair[0];
        attrs->after[i] = pair[count ? 1 : 0];
    }
    attrs->count = n;
    return MICA_OK;
}

static const char *const mode_names[] = {"constant", "reflect", "symmetric", "edge", NULL};

static const mica_key pad_keys[] = {
    {"amounts", MICA_KEY_HOOK, .required = true, .hook = amounts_read,
        .type = "an integer, or a list of one or [before, after] for each dimension",
        .help = "rows and columns on each side of an image; or for each dimension of a sample: "
                "`[0, 0, [8, 8]]` adds 8 channels before and 8 after"},
    {"mode", MICA_KEY_CHOICE, offsetof(pad_attrs, mode), .choices = mode_names,
        .help = "what is put there: a number; or c b | a b c | b a; b a | a b c | c b; a a | a b c "
                "| c c"},
    {"number", MICA_KEY_FLOAT, offsetof(pad_attrs, number), .range = {.any = true},
        .help = "of the mode constant"},
};

static mica_value *pad_build(const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    const pad_attrs *attrs = layer->attrs;
    int rank = mica_value_shape(in[0]).rank;
    int64_t before[MICA_MAX_RANK] = {0}, after[MICA_MAX_RANK] = {0};
    if (attrs->count ? (int)attrs->count != rank - 1 : rank != 4)
        return mica_graph_failed(mica_value_graph(in[0]),
            attrs->count
                ? mica_fail(MICA_E_INVALID, "%zu amounts for a sample of %d dimensions",
                      attrs->count, rank - 1)
                : mica_fail(MICA_E_INVALID,
                      "one amount is for images (height, width, channels), and the sample has %d "
                      "dimensions: give an amount for each",
                      rank - 1));
    for (int i = 1; i < rank; i++) {
        int from = attrs->count ? i - 1 : 0;
        bool padded = attrs->count || i < 3;
        before[i] = padded ? attrs->before[from] : 0;
        after[i] = padded ? attrs->after[from] : 0;
    }
    return mica_pad(in[0], before, after, (mica_pad_mode)attrs->mode, attrs->number);
}

const mica_layer_type mica_layer_pad = {"pad", "Puts more around a sample.", 1, 1,
    sizeof(pad_attrs), MICA_BLOCK(pad_keys), pad_build, NULL};

/* ---- resizing ---- */

typedef struct resize_attrs {
    int64_t to[2];
    int64_t factor[2];
    int method;
    bool align_corners;
} resize_attrs;

static mica_status to_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    size_t count;
    return mica_schema_integers(yaml, node, 1 << 2, 1, MICA_SIZE_LIMIT,
        "to: expected [height, width]", ((resize_attrs *)target)->to, &count);
}

static mica_status factor_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    resize_attrs *attrs = target;
    size_t count;
    MICA_TRY(mica_schema_integers(yaml, node, 1 << 0 | 1 << 2, 1, 4096,
        "factor: expected an integer from 1 to 4096 or [height, width]", attrs->factor, &count));
    if (!count)
        attrs->factor[1] = attrs->factor[0];
    return MICA_OK;
}

static const char *const method_names[] = {"nearest", "bilinear", NULL};

static const mica_key resize_keys[] = {
    {"to", MICA_KEY_HOOK, .hook = to_read, .type = "[height, width]",
        .fallback_note = "none; this or factor is needed", .help = "the new size"},
    {"factor", MICA_KEY_HOOK, .hook = factor_read, .type = "an integer or [height, width]",
        .fallback_note = "none", .help = "how many times as large"},
    {"method", MICA_KEY_CHOICE, offsetof(resize_attrs, method), .choices = method_names,
        .help = "repeat the nearest pixel, or interpolate"},
    {"align_corners", MICA_KEY_BOOLEAN, offsetof(resize_attrs, align_corners),
        .help = "corner pixels keep their values; else pixels are areas, as in TensorFlow 2"},
};

static mica_value *resize_build(
    const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    const resize_attrs *attrs = layer->attrs;
    mica_shape shape = mica_value_shape(in[0]);
    if (!attrs->to[0] == !attrs->factor[0])
        return mica_graph_failed(mica_value_graph(in[0]),
            mica_fail(MICA_E_INVALID, "it needs either to: [height, width] or factor"));
    if (shape.rank != 4)
        return mica_graph_failed(mica_value_graph(in[0]),
            mica_fail(MICA_E_INVALID,
                "expected an image (height, width, channels), got a sample of %d dimensions",
                shape.rank - 1));
    int64_t height = attrs->to[0] ? attrs->to[0] : attrs->factor[0] * shape.dim[1];
    int64_t width = attrs->to[0] ? attrs->to[1] : attrs->factor[1] * shape.dim[2];
    return mica_resize(in[0], height, width, (mica_resize_method)attrs->method,
        attrs->align_corners ? MICA_ALIGN_CORNERS : MICA_HALF_PIXEL);
}

const mica_layer_type mica_layer_resize = {"resize",
    "An image of another size. Before a convolution it makes an image larger without a "
    "checkerboard.",
    1, 1, sizeof(resize_attrs), MICA_BLOCK(resize_keys), resize_build, NULL};

/* ---- blocks of pixels ---- */

typedef struct block_attrs {
    int64_t block;
} block_attrs;

static const mica_key block_keys[] = {
    {"block", MICA_KEY_INTEGER, offsetof(block_attrs, block), .fallback = 2, .range = {1, 4096},
        .help = "height and width of a block"},
};

static mica_value *space_to_depth_build(
    const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    return mica_space_to_depth(in[0], ((const block_attrs *)layer->attrs)->block);
}

static mica_value *depth_to_space_build(
    const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    return mica_depth_to_space(in[0], ((const block_attrs *)layer->attrs)->block);
}

const mica_layer_type mica_layer_space_to_depth = {"space_to_depth",
    "The pixels of each block behind each other in the channels: a smaller, deeper image.", 1, 1,
    sizeof(block_attrs), MICA_BLOCK(block_keys), space_to_depth_build, NULL};
const mica_layer_type mica_layer_depth_to_space = {"depth_to_space",
    "The reverse of space_to_depth: channels become blocks of pixels.", 1, 1, sizeof(block_attrs),
    MICA_BLOCK(block_keys), depth_to_space_build, NULL};
