/* Writers of operators on images, which ONNX has with channels first. */
#include "onnx/export.h"
#include "op/attributes.h"
#include "op/conv2d.h"

/* The zeros behind an image that let the last window begin in it. */
static int64_t after_of(int64_t in, int64_t out, int64_t reach, int64_t stride, int64_t before) {
    const int64_t zeros = (out - 1) * stride + reach - in - before;
    return zeros > 0 ? zeros : 0;
}

static void pair_put(
    mica_onnx_writer *w, mica_onnx_pb_node *node, const char *name, int64_t h, int64_t v) {
    mica_onnx_put_ints(w, node, name, 2, (int64_t[]){h, v});
}

/* ---- convolution ---- */

/* (height, width, a, b) becomes (b, a, height, width). */
static const char *filter_name(mica_onnx_writer *w, const mica_node *node) {
    static const int order[] = {3, 2, 0, 1};
    mica_value *filter = node->in[1];
    if (mica_onnx_is_source(filter))
        return mica_onnx_stored(w, filter, 4, filter->shape.dim, order, 0, NULL);
    const char *name = mica_onnx_between(w, filter);
    mica_onnx_pb_node *made =
        mica_onnx_put(w, "Transpose", name, MICA_ONNX_IN(mica_onnx_own(w, filter)));
    mica_onnx_put_ints(w, made, "perm", 4, (int64_t[]){3, 2, 0, 1});
    return name;
}

static mica_onnx_pb_node *conv_put(mica_onnx_writer *w, const mica_node *node, const char *op) {
    const mica_conv2d_shape *s = &((const mica_conv2d_attrs *)node->attrs)->shape;
    const char *in[8] = {mica_onnx_first(w, node->in[0]), filter_name(w, node)};
    mica_onnx_pb_node *made = mica_onnx_put(w, op, mica_onnx_gives(w, node->out[0], true), in);
    pair_put(w, made, "kernel_shape", s->filter_h, s->filter_w);
    pair_put(w, made, "strides", s->stride_h, s->stride_w);
    pair_put(w, made, "dilations", s->dilation_h, s->dilation_w);
    mica_onnx_put_int(w, made, "group", s->groups);
    mica_onnx_biasable(w, node->out[0], made);
    return made;
}

static int64_t reach_of(int32_t filter, int32_t dilation) {
    return (int64_t)(filter - 1) * dilation + 1;
}

static void conv2d(mica_onnx_writer *w, const mica_node *node) {
    const mica_conv2d_shape *s = &((const mica_conv2d_attrs *)node->attrs)->shape;
    mica_onnx_pb_node *made = conv_put(w, node, "Conv");
    const int64_t pads[] = {s->pad_top, s->pad_left,
        after_of(s->in_h, s->out_h, reach_of(s->filter_h, s->dilation_h), s->stride_h, s->pad_top),
        after_of(
            s->in_w, s->out_w, reach_of(s->filter_w, s->dilation_w), s->stride_w, s->pad_left)};
    mica_onnx_put_ints(w, made, "pads", 4, pads);
}

/* The result is what the map's windows cover, without `pads`, and with `extra` at the end. */
static void conv2d_transpose(mica_onnx_writer *w, const mica_node *node) {
    const mica_conv2d_shape *s = &((const mica_conv2d_attrs *)node->attrs)->shape;
    const int64_t full[] = {
        (s->out_h - 1) * (int64_t)s->stride_h + reach_of(s->filter_h, s->dilation_h),
        (s->out_w - 1) * (int64_t)s->stride_w + reach_of(s->filter_w, s->dilation_w)};
    int64_t pads[] = {
        s->pad_top, s->pad_left, full[0] - s->pad_top - s->in_h, full[1] - s->pad_left - s->in_w};
    int64_t extra[] = {0, 0};
    for (int i = 0; i < 2; i++)
        if (pads[2 + i] < 0) {
            extra[i] = -pads[2 + i];
            pads[2 + i] = 0;
        }
    mica_onnx_pb_node *made = conv_put(w, node, "ConvTranspose");
    mica_onnx_put_ints(w, made, "pads", 4, pads);
    mica_onnx_put_ints(w, made, "output_padding", 2, extra);
}

/* ---- pooling ---- */

static mica_onnx_pb_node *pool_put(mica_onnx_writer *w, const mica_node *node, const char *op) {
    const mica_pool_attrs *attrs = node->attrs;
    const mica_pool_axis *h = &attrs->h, *v = &attrs->w;
    const bool given = attrs->options.padding == MICA_EXPLICIT;
    const int64_t *pad = attrs->options.pad;
    const int64_t pads[] = {h->pad, v->pad,
        given ? pad[1] : after_of(h->in, h->out, reach_of(h->size, h->dilation), h->stride, h->pad),
        given ? pad[3]
              : after_of(v->in, v->out, reach_of(v->size, v->dilation), v->stride, v->pad)};
    const char *in = mica_onnx_first(w, node->in[0]);
    mica_onnx_pb_node *made =
        mica_onnx_put(w, op, mica_onnx_gives(w, node->out[0], true), MICA_ONNX_IN(in));
    pair_put(w, made, "kernel_shape", h->size, v->size);
    pair_put(w, made, "strides", h->stride, v->stride);
    mica_onnx_put_ints(w, made, "pads", 4, pads);
    if (given && attrs->options.ceil)
        mica_onnx_put_int(w, made, "ceil_mode", 1);
    return made;
}

static void max_pool(mica_onnx_writer *w, const mica_node *node) {
    const mica_pool_attrs *attrs = node->attrs;
    mica_onnx_pb_node *made = pool_put(w, node, "MaxPool");
    pair_put(w, made, "dilations", attrs->h.dilation, attrs->w.dilation);
}

/* Dilations are of opset 19. */
static void avg_pool(mica_onnx_writer *w, const mica_node *node) {
    const mica_pool_attrs *attrs = node->attrs;
    if (attrs->h.dilation != 1 || attrs->w.dilation != 1) {
        mica_onnx_cannot(w, node, "ONNX has no dilated mean");
        return;
    }
    mica_onnx_pb_node *made = pool_put(w, node, "AveragePool");
    if (attrs->options.count_padding)
        mica_onnx_put_int(w, made, "count_include_pad", 1);
}

/* ---- normalization ---- */

/* The statistics of a node are those that its own node before it takes. */
static void batch_norm_stats(mica_onnx_writer *w, const mica_node *node) {
    (void)w, (void)node;
}

static void batch_norm(mica_onnx_writer *w, const mica_node *node) {
    const mica_batch_norm_attrs *attrs = node->attrs;
    const mica_node *stats = node->in[1]->node;
    mica_value *x = node->in[0], *y = node->out[0];
    if (x->shape.rank != 2 && x->shape.rank != 4) {
        mica_onnx_cannot(w, node, "batch normalization of values of %d dimensions", x->shape.rank);
        return;
    }
    const bool first = x->shape.rank == 4;
    const char *in[8] = {first ? mica_onnx_first(w, x) : mica_onnx_own(w, x),
        mica_onnx_own(w, node->in[3]), mica_onnx_own(w, node->in[4]),
        mica_onnx_own(w, stats->in[0]), mica_onnx_own(w, stats->in[1])};
    mica_onnx_pb_node *made =
        mica_onnx_put(w, "BatchNormalization", mica_onnx_gives(w, y, first), in);
    mica_onnx_put_float(w, made, "epsilon", attrs->epsilon);
}

/* ONNX divides alpha by the size of the window. */
static void local_response_norm(mica_onnx_writer *w, const mica_node *node) {
    const mica_lrn_options *attrs = node->attrs;
    mica_value *x = node->in[0];
    const int64_t size = 2 * attrs->radius + 1;
    if (x->shape.rank != 4) {
        mica_onnx_cannot(w, node, "its input is no image");
        return;
    }
    const char *in = mica_onnx_first(w, x);
    mica_onnx_pb_node *made =
        mica_onnx_put(w, "LRN", mica_onnx_gives(w, node->out[0], true), MICA_ONNX_IN(in));
    mica_onnx_put_int(w, made, "size", size);
    mica_onnx_put_float(w, made, "alpha", attrs->alpha * (float)size);
    mica_onnx_put_float(w, made, "beta", attrs->beta);
    mica_onnx_put_float(w, made, "bias", attrs->bias);
}

/* ---- other sizes ---- */

static void resize(mica_onnx_writer *w, const mica_node *node) {
    static const char *const grids[] = {[MICA_HALF_PIXEL] = "half_pixel",
        [MICA_ALIGN_CORNERS] = "align_corners",
        [MICA_ASYMMETRIC] = "asymmetric"};
    const mica_resize_attrs *attrs = node->attrs;
    mica_value *x = node->in[0], *y = node->out[0];
    const int64_t sizes[] = {x->shape.dim[0], x->shape.dim[3], attrs->size[0], attrs->size[1]};
    const char *in[8] = {mica_onnx_first(w, x), "", "", mica_onnx_integers_stored(w, y, 4, sizes)};
    mica_onnx_pb_node *made = mica_onnx_put(w, "Resize", mica_onnx_gives(w, y, true), in);
    mica_onnx_put_text(w, made, "coordinate_transformation_mode", grids[attrs->grid]);
    mica_onnx_put_text(w, made, "mode", attrs->method == MICA_NEAREST ? "nearest" : "linear");
    if (attrs->method == MICA_NEAREST)
        mica_onnx_put_text(w, made, "nearest_mode",
            attrs->grid == MICA_ASYMMETRIC ? "floor" : "round_prefer_ceil");
}

const mica_onnx_written mica_onnx_written_images[] = {
    {"avg_pool", avg_pool},
    {"batch_norm", batch_norm},
    {"batch_norm_stats", batch_norm_stats},
    {"conv2d", conv2d},
    {"conv2d_transpose", conv2d_transpose},
    {"local_response_norm", local_response_norm},
    {"max_pool", max_pool},
    {"resize", resize},
    {0},
};
