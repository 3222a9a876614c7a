/* Operators on images: convolution, pooling, and between depth and space. Sequences (batch, depth,
 * length) are images of one row. */
#include "onnx/build.h"

#include <string.h>

/* An image operator's input as (batch, height, width, depth). NULL (refused): it is none. */
static mica_value *image_of(mica_onnx_call *call, mica_onnx_value *x) {
    if (!mica_onnx_floating(call, x))
        return NULL;
    if (x->rank != 3 && x->rank != 4) {
        mica_onnx_refuse(call, "images of %d dimensions; those of 1 and 2 are there", x->rank - 2);
        return NULL;
    }
    mica_value *last = mica_onnx_last(call, x);
    return x->rank == 4
               ? last
               : mica_onnx_shaped(last, 4, (int64_t[]){x->dim[0], 1, x->dim[2], x->dim[1]});
}

/* The result for an input of this rank. */
static mica_status give_image(mica_onnx_call *call, int rank, mica_value *y) {
    mica_shape shape = mica_value_shape(y);
    if (rank == 3)
        y = mica_onnx_shaped(y, 3, (int64_t[]){shape.dim[0], shape.dim[2], shape.dim[3]});
    return mica_onnx_give_last(call, 0, y);
}

/* How windows move over height and width. Sequences have a height of 1. */
typedef struct window {
    int64_t size[2], stride[2], dilation[2], before[2], after[2];
    const char *auto_pad;
} window;

/* Spreads a number for each dimension over [0] height and [1] width. */
static void spread(int spatial, const int64_t *numbers, int64_t one_row, int64_t *both) {
    both[0] = spatial == 2 ? numbers[0] : one_row;
    both[1] = numbers[spatial - 1];
}

/* Reads strides, dilations and pads; `size` is that of the filter or window. */
static void window_read(mica_onnx_call *call, int spatial, const int64_t *size, window *w) {
    int64_t numbers[2], pads[4];
    spread(spatial, size, 1, w->size);
    mica_onnx_ints_exact(call, "strides", spatial, 1, numbers);
    spread(spatial, numbers, 1, w->stride);
    mica_onnx_ints_exact(call, "dilations", spatial, 1, numbers);
    spread(spatial, numbers, 1, w->dilation);
    mica_onnx_ints_exact(call, "pads", 2 * spatial, 0, pads);
    spread(spatial, pads, 0, w->before);
    spread(spatial, pads + spatial, 0, w->after);
    w->auto_pad = mica_onnx_text(call, "auto_pad", "NOTSET");
    const int64_t *const limited[] = {w->size, w->stride, w->dilation};
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 3; k++)
            if (limited[k][i] < 1 || limited[k][i] > 65535)
                mica_onnx_refuse(
                    call, "a kernel size, stride or dilation of %lld", (long long)limited[k][i]);
        if (w->before[i] < 0 || w->after[i] < 0 || w->before[i] > 65535 || w->after[i] > 65535)
            mica_onnx_refuse(
                call, "padding of %lld and %lld", (long long)w->before[i], (long long)w->after[i]);
    }
}

static int64_t reach_of(const window *w, int i) {
    return (w->size[i] - 1) * w->dilation[i] + 1;
}

/* Shares out zeros: SAME_LOWER has the odd one before, SAME_UPPER after. */
static void share_out(const char *auto_pad, int64_t zeros, int64_t *before, int64_t *after) {
    zeros = zeros > 0 ? zeros : 0;
    *before = !strcmp(auto_pad, "SAME_LOWER") ? zeros - zeros / 2 : zeros / 2;
    *after = zeros - *before;
}

/* Turns auto_pad into numbers for windows over an image of this height and width. */
static void pad_resolve(mica_onnx_call *call, const int64_t *image, window *w) {
    if (!strcmp(w->auto_pad, "NOTSET") || call->status != MICA_OK)
        return;
    bool valid = !strcmp(w->auto_pad, "VALID");
    if (!valid && strncmp(w->auto_pad, "SAME_", 5))
        mica_onnx_refuse(call, "auto_pad is \"%.20s\"", w->auto_pad);
    for (int i = 0; i < 2; i++) {
        int64_t windows = (image[i] - 1) / w->stride[i] + 1;
        int64_t zeros = valid ? 0 : (windows - 1) * w->stride[i] + reach_of(w, i) - image[i];
        share_out(w->auto_pad, zeros, &w->before[i], &w->after[i]);
    }
}

/* ---- convolution ---- */

static mica_conv2d_options conv_options(const window *w, int64_t groups) {
    return (mica_conv2d_options){.strides = {1, w->stride[0], w->stride[1], 1},
        .dilations = {1, w->dilation[0], w->dilation[1], 1},
        .padding = MICA_EXPLICIT,
        .pad = {w->before[0], w->after[0], w->before[1], w->after[1]},
        .groups = groups};
}

/* ONNX's filters are (output depth, depth / groups, height, width), those of the transpose (depth,
 * output depth / groups, height, width); both become Mica's by the same transposition. */
static mica_value *filter_of(mica_onnx_call *call, mica_onnx_value *w) {
    static const int order[] = {2, 3, 1, 0};
    int64_t dim[4] = {w->dim[0], w->dim[1], w->rank == 4 ? w->dim[2] : 1, w->dim[w->rank - 1]};
    return mica_onnx_floating(call, w) ? mica_onnx_arranged(call, w, 4, dim, order) : NULL;
}

/* Reads what both convolutions have in common. False: refused. */
static bool conv_read(mica_onnx_call *call, window *w, int64_t *groups) {
    const mica_onnx_value *x = mica_onnx_in(call, 0), *filter = mica_onnx_in(call, 1);
    if (x->rank < 3 || x->rank > 4 || filter->rank != x->rank) {
        mica_onnx_refuse(call, "images of %d dimensions and a filter of %d; 1 and 2 are there",
            x->rank - 2, filter->rank - 2);
        return false;
    }
    int spatial = x->rank - 2;
    window_read(call, spatial, filter->dim + 2, w);
    int64_t kernel[2];
    mica_onnx_ints_exact(call, "kernel_shape", spatial, -1, kernel);
    for (int i = 0; i < spatial; i++)
        if (kernel[i] != -1 && kernel[i] != filter->dim[2 + i])
            mica_onnx_refuse(call, "kernel_shape is not the shape of the filter");
    *groups = mica_onnx_int(call, "group", 1);
    if (*groups < 1 || *groups > INT32_MAX)
        mica_onnx_refuse(call, "group is %lld", (long long)*groups);
    return call->status == MICA_OK;
}

static mica_value *bias_added(mica_onnx_call *call, mica_value *y) {
    mica_onnx_value *bias = mica_onnx_in(call, 2);
    return bias && y ? mica_bias_add(y, mica_onnx_plain(call, bias)) : y;
}

static mica_status conv(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    window w;
    int64_t groups, image[2];
    if (!conv_read(call, &w, &groups))
        return call->status;
    spread(x->rank - 2, x->dim + 2, 1, image);
    pad_resolve(call, image, &w);
    mica_value *in = image_of(call, x), *filter = filter_of(call, mica_onnx_in(call, 1));
    if (call->status != MICA_OK)
        return call->status;
    mica_conv2d_options options = conv_options(&w, groups);
    return give_image(call, x->rank, bias_added(call, mica_conv2d(in, filter, &options)));
}

/* Finds the result's size, from which the padding follows where the node gives the size. */
static void transpose_resolve(
    mica_onnx_call *call, const int64_t *image, int spatial, window *w, int64_t *output) {
    int64_t numbers[2], extra[2], wanted[2];
    mica_onnx_ints_exact(call, "output_padding", spatial, 0, numbers);
    spread(spatial, numbers, 0, extra);
    mica_onnx_ints_exact(call, "output_shape", spatial, 0, numbers);
    spread(spatial, numbers, numbers[0] ? 1 : 0, wanted);
    bool same = !strncmp(w->auto_pad, "SAME_", 5);
    for (int i = 0; i < 2; i++) {
        if (extra[i] < 0 || extra[i] > INT32_MAX || wanted[i] < 0 || wanted[i] > INT32_MAX) {
            mica_onnx_refuse(call, "output_padding of %lld or output_shape of %lld",
                (long long)extra[i], (long long)wanted[i]);
            return;
        }
        int64_t full = (image[i] - 1) * w->stride[i] + reach_of(w, i);
        if (same && !wanted[i])
            wanted[i] = image[i] * w->stride[i];
        if (wanted[i]) {
            int64_t zeros = full + extra[i] - wanted[i];
            /* as the specification has it: all but SAME_UPPER have the odd zero before */
            bool upper = !strcmp(w->auto_pad, "SAME_UPPER");
            share_out(upper ? "SAME_UPPER" : "SAME_LOWER", zeros, &w->before[i], &w->after[i]);
        }
        output[i] = wanted[i] ? wanted[i] : full + extra[i] - w->before[i] - w->after[i];
        int64_t least = full - w->before[i] - w->after[i];
        if (output[i] < 1 || output[i] < least || output[i] - least >= w->stride[i])
            mica_onnx_refuse(call,
                "a result of size %lld, which no convolution would take to the input's %lld",
                (long long)output[i], (long long)image[i]);
    }
}

static mica_status conv_transpose(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    window w;
    int64_t groups, image[2], output[2];
    if (!conv_read(call, &w, &groups))
        return call->status;
    spread(x->rank - 2, x->dim + 2, 1, image);
    transpose_resolve(call, image, x->rank - 2, &w, output);
    mica_value *in = image_of(call, x), *filter = filter_of(call, mica_onnx_in(call, 1));
    if (call->status != MICA_OK)
        return call->status;
    mica_conv2d_options options = conv_options(&w, groups);
    memcpy(options.output, output, sizeof output);
    return give_image(call, x->rank, bias_added(call, mica_conv2d_transpose(in, filter, &options)));
}

/* ---- pooling ---- */

static mica_status pool(
    mica_onnx_call *call, mica_value *(*build)(mica_value *, const mica_pool_options *)) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    if (x->rank < 3 || x->rank > 4)
        return mica_onnx_refuse(
            call, "images of %d dimensions; those of 1 and 2 are there", x->rank - 2);
    int spatial = x->rank - 2;
    int64_t kernel[2], image[2];
    window w;
    mica_onnx_ints_exact(call, "kernel_shape", spatial, 0, kernel);
    window_read(call, spatial, kernel, &w);
    if (call->status != MICA_OK)
        return call->status;
    spread(spatial, x->dim + 2, 1, image);
    pad_resolve(call, image, &w);
    mica_pool_options options = {.ksize = {1, w.size[0], w.size[1], 1},
        .strides = {1, w.stride[0], w.stride[1], 1},
        .dilations = {1, w.dilation[0], w.dilation[1], 1},
        .padding = MICA_EXPLICIT,
        .pad = {w.before[0], w.after[0], w.before[1], w.after[1]},
        .ceil = mica_onnx_int(call, "ceil_mode", 0) != 0,
        .count_padding = mica_onnx_int(call, "count_include_pad", 0) != 0};
    for (int i = 0; i < 2; i++)
        if (w.before[i] >= reach_of(&w, i) || w.after[i] >= reach_of(&w, i))
            mica_onnx_refuse(call, "padding as large as the window");
    mica_value *in = image_of(call, x);
    return call->status != MICA_OK ? call->status : give_image(call, x->rank, build(in, &options));
}

static mica_status max_pool(mica_onnx_call *call) {
    mica_onnx_int(call, "storage_order", 0); /* of the places of maxima, which are not given */
    return pool(call, mica_max_pool);
}

static mica_status average_pool(mica_onnx_call *call) {
    return pool(call, mica_avg_pool);
}

/* Over all but batch and depth, which stay with sizes of 1. */
static mica_status global_pool(mica_onnx_call *call,
    mica_value *(*reduce)(mica_value *, const int *axes, int count, bool keep)) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    bool last;
    if (x->rank < 3 || !mica_onnx_floating(call, x))
        return mica_onnx_refuse(call, "its input is no image");
    mica_value *in = mica_onnx_either(call, x, &last);
    int axes[MICA_MAX_RANK], count = 0;
    for (int i = 2; i < x->rank; i++)
        axes[count++] = mica_onnx_place(x->rank, i, last);
    return mica_onnx_give_either(call, 0, in ? reduce(in, axes, count, true) : NULL, last);
}

static mica_status global_average_pool(mica_onnx_call *call) {
    return global_pool(call, mica_mean);
}

static mica_status global_max_pool(mica_onnx_call *call) {
    return global_pool(call, mica_max);
}

/* ---- depth and space ---- */

static int64_t block_of(mica_onnx_call *call) {
    int64_t block = mica_onnx_int(call, "blocksize", 0);
    const mica_onnx_value *x = mica_onnx_in(call, 0);
    if (block < 1 || block > 32767 || x->rank != 4)
        mica_onnx_refuse(call, "a blocksize of %lld for %d dimensions", (long long)block, x->rank);
    return block;
}

static mica_status space_to_depth(mica_onnx_call *call) {
    int64_t block = block_of(call);
    const mica_onnx_value *x = mica_onnx_in(call, 0);
    if (call->status == MICA_OK && (x->dim[2] % block || x->dim[3] % block))
        return mica_onnx_refuse(call, "blocks that do not divide the image");
    mica_value *in = call->status == MICA_OK ? image_of(call, mica_onnx_in(call, 0)) : NULL;
    return mica_onnx_give_last(call, 0, in ? mica_space_to_depth(in, block) : NULL);
}

/* Mode DCR has the pixels of a block as blocks of depth, as Mica; CRD has them side by side. */
static mica_status depth_to_space(mica_onnx_call *call) {
    int64_t block = block_of(call);
    const char *mode = mica_onnx_text(call, "mode", "DCR");
    mica_onnx_value *x = mica_onnx_in(call, 0);
    bool side = !strcmp(mode, "CRD");
    if (!side && strcmp(mode, "DCR"))
        return mica_onnx_refuse(call, "mode is \"%.20s\"", mode);
    if (call->status == MICA_OK && x->dim[1] % (block * block))
        return mica_onnx_refuse(call, "blocks that do not divide the depth");
    mica_value *in = call->status == MICA_OK ? image_of(call, x) : NULL;
    if (in && side) {
        int64_t depth = x->dim[1] / (block * block), pixels = x->dim[0] * x->dim[2] * x->dim[3];
        in = mica_onnx_shaped(in, 3, (int64_t[]){pixels, depth, block * block});
        in = mica_onnx_transposed(in, (int[]){0, 2, 1});
        in = mica_onnx_shaped(in, 4, (int64_t[]){x->dim[0], x->dim[2], x->dim[3], x->dim[1]});
    }
    return mica_onnx_give_last(call, 0, in ? mica_depth_to_space(in, block) : NULL);
}

const mica_onnx_operator mica_onnx_image_operators[] = {
    {"Conv", conv, .least_in = 2},
    {"ConvTranspose", conv_transpose, .least_in = 2},
    {"MaxPool", max_pool, .least_in = 1},
    {"AveragePool", average_pool, .least_in = 1},
    {"GlobalAveragePool", global_average_pool, .least_in = 1},
    {"GlobalMaxPool", global_max_pool, .least_in = 1},
    {"SpaceToDepth", space_to_depth, .least_in = 1},
    {"DepthToSpace", depth_to_space, .least_in = 1},
    {0},
};
