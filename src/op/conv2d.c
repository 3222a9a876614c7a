/* Convolution of images, and its transpose. With strides S, dilations D, zeros P at the top and
 * left (for width as for height), for each image b and each of the `groups` parts of the depth:
 *
 *     map[b,i,j,k] = sum_{u,v,c} image[b, i*S + u*D - P, j*S + v*D - P, c] * filter[u,v,c,k]
 *
 *     image (batch, height, width, in)   filter (height, width, in / groups, out)
 *     map (batch, windows down, windows across, out)
 *
 * which is cross-correlation, as in TensorFlow (Goodfellow, Bengio and Courville, "Deep Learning",
 * 2016, chapter 9). Pixels outside the image are 0. The form T(image, filter, map), the sum of all
 * map * image * filter that the formula pairs, is linear in each of the three, so each pass is the
 * derivative of T in one of them, and so is every gradient of a pass:
 *
 *     FORWARD (image, filter) -> map      gradients DATA (dmap, filter), FILTER (image, dmap)
 *     DATA (map, filter) -> image         gradients FORWARD (dimage, filter), FILTER (dimage, map)
 *     FILTER (image, map) -> filter       gradients DATA (map, dfilter), FORWARD (image, dfilter)
 *
 * mica_conv2d is FORWARD and mica_conv2d_transpose DATA (Dumoulin and Visin, "A guide to
 * convolution arithmetic for deep learning", 2016, chapter 4). A bias and an activation that follow
 * run in the kernel's epilogue: the node then has the bias as its third input. */
#include "op/conv2d.h"

#include "base/error.h"
#include "op/elementwise.h"

#include <mica/ops.h>
#include <stdio.h>

/* The attributes of all three records. */
typedef struct conv2d_attrs {
    mica_conv2d_attrs node;      /* first: it is what plans read */
    mica_conv2d_options options; /* where a user made the node: infer finds the shape from them */
} conv2d_attrs;

/* ---- infer ---- */

/* Height or width. */
typedef struct axis {
    const char *name;
    int64_t image, map, filter, stride, dilation;
    int64_t before, after; /* zeros around the image */
} axis;

static int64_t reach_of(const axis *a) {
    return (a->filter - 1) * a->dilation + 1;
}

/* Finds the map's size, and the zeros of MICA_SAME. */
static mica_status count_windows(axis *a, mica_padding padding) {
    int64_t reach = reach_of(a);
    if (padding == MICA_SAME) {
        a->map = (a->image - 1) / a->stride + 1;
        int64_t zeros = (a->map - 1) * a->stride + reach - a->image;
        a->before = zeros > 0 ? zeros / 2 : 0;
        a->after = zeros > 0 ? zeros - a->before : 0;
    }
    int64_t size = a->image + a->before + a->after;
    if (size > INT32_MAX - reach) /* kernels work out places in 32 bits */
        return mica_fail(MICA_E_INVALID,
            "the %s of %lld with padding and the filter's reach of %lld together must be below "
            "2^31",
            a->name, (long long)size, (long long)reach);
    if (size < reach)
        return mica_fail(MICA_E_INVALID,
            "the result would be empty: the filter reaches over %lld of the %s, but the image has "
            "%lld with its padding",
            (long long)reach, a->name, (long long)size);
    a->map = (size - reach) / a->stride + 1;
    return MICA_OK;
}

/* Finds the image's size: `wanted` or, where that is 0, the usual one. */
static mica_status size_image(axis *a, mica_padding padding, int64_t wanted) {
    int64_t windows = a->map, least = (windows - 1) * a->stride + 1;
    if (padding != MICA_SAME)
        least += reach_of(a) - 1 - a->before - a->after;
    int64_t most = least + a->stride - 1;
    a->image = wanted ? wanted : padding == MICA_SAME ? most : least;
    if (a->image < 1 || a->image > INT32_MAX)
        return mica_fail(MICA_E_INVALID, "the result's %s would be %lld, but must be 1 to 2^31 - 1",
            a->name, (long long)a->image);
    if (a->image < least || a->image > most)
        return mica_fail(MICA_E_INVALID,
            "a result of %s %lld does not belong to x's %s of %lld: it must be %lld to %lld",
            a->name, (long long)a->image, a->name, (long long)windows,
            (long long)(least > 1 ? least : 1), (long long)most);
    return count_windows(a, padding);
}

/* strides or dilations: those of batch and depth must be 1. */
static mica_status check_steps(const char *what, const int64_t steps[4]) {
    if ((steps[0] && steps[0] != 1) || (steps[3] && steps[3] != 1))
        return mica_fail(MICA_E_INVALID,
            "the %s of batch and depth must be 1, since it moves over height and width only, but "
            "they are %lld and %lld",
            what, (long long)steps[0], (long long)steps[3]);
    for (int i = 1; i < 3; i++)
        if (steps[i] < 0 || steps[i] > INT32_MAX)
            return mica_fail(MICA_E_INVALID,
                "the %s of height and width must be 1 to 2^31 - 1, "
                "but they are %lld and %lld",
                what, (long long)steps[1], (long long)steps[2]);
    return MICA_OK;
}

static mica_status check_options(const mica_conv2d_options *o, bool transpose) {
    MICA_TRY(check_steps("strides", o->strides));
    MICA_TRY(check_steps("dilations", o->dilations));
    if (o->padding != MICA_VALID && o->padding != MICA_SAME && o->padding != MICA_EXPLICIT)
        return mica_fail(MICA_E_INVALID,
            "padding %d is none of MICA_VALID, MICA_SAME, "
            "MICA_EXPLICIT",
            (int)o->padding);
    for (int i = 0; i < 4; i++) {
        if (o->pad[i] < 0 || o->pad[i] > INT32_MAX)
            return mica_fail(MICA_E_INVALID, "pad must be 0 to 2^31 - 1, but pad[%d] is %lld", i,
                (long long)o->pad[i]);
        if (o->pad[i] && o->padding != MICA_EXPLICIT)
            return mica_fail(MICA_E_INVALID,
                "pad[%d] is %lld, but only MICA_EXPLICIT padding takes numbers", i,
                (long long)o->pad[i]);
    }
    if (o->groups < 0 || o->groups > INT32_MAX)
        return mica_fail(MICA_E_INVALID, "groups must be 1 to 2^31 - 1, but they are %lld",
            (long long)o->groups);
    for (int i = 0; i < 2; i++)
        if (o->output[i] < 0 || (o->output[i] && !transpose))
            return mica_fail(MICA_E_INVALID, "output[%d] is %lld, but %s", i,
                (long long)o->output[i],
                transpose ? "a size cannot be negative"
                          : "only mica_conv2d_transpose lets one choose the result's size");
    return MICA_OK;
}

/* `depth` of the image and `other` of the map. */
static mica_status check_groups(
    int64_t groups, const char *name, int64_t depth, int64_t other, const mica_value *filter) {
    char text[96];
    mica_shape_text(filter->shape, text, sizeof text);
    if (depth % groups || other % groups)
        return mica_fail(MICA_E_INVALID,
            "groups must divide the depths, but there are %lld groups and depths of %lld and %lld",
            (long long)groups, (long long)depth, (long long)other);
    if (filter->shape.dim[2] != depth / groups)
        return mica_fail(MICA_E_INVALID,
            "%s has depth %lld, so with %lld group%s the filter's third size must be %lld, but its "
            "shape is %s",
            name, (long long)depth, (long long)groups, groups > 1 ? "s" : "",
            (long long)(depth / groups), text);
    return MICA_OK;
}

static mica_status check_inputs(const mica_node *node) {
    static const char *const names[] = {"x", "filter"};
    static const char *const sizes[] = {
        "(batch, height, width, depth)", "(height, width, depth / groups, output depth)"};
    static const char *const sizes_transposed[] = {
        "(batch, height, width, depth)", "(height, width, output depth / groups, depth)"};
    bool transpose = ((const conv2d_attrs *)node->attrs)->node.pass == MICA_CONV2D_DATA;
    for (int i = 0; i < 2; i++) {
        const mica_value *in = node->in[i];
        char text[96];
        if (in->dtype != MICA_F32)
            return mica_fail(
                MICA_E_INVALID, "%s must be float32, but %s is int32", names[i], in->name);
        if (in->shape.rank != 4)
            return mica_fail(MICA_E_INVALID, "%s must have 4 dimensions %s, but %s is %s", names[i],
                (transpose ? sizes_transposed : sizes)[i], in->name,
                mica_shape_text(in->shape, text, sizeof text));
    }
    return MICA_OK;
}

static int64_t or_one(int64_t step) {
    return step ? step : 1;
}

/* A node that a user made: from the options and the inputs to the shape and the output. */
static mica_status infer(mica_node *node) {
    conv2d_attrs *attrs = node->attrs;
    const mica_conv2d_options *o = &attrs->options;
    bool transpose = attrs->node.pass == MICA_CONV2D_DATA;
    MICA_TRY(check_inputs(node));
    MICA_TRY(check_options(o, transpose));
    const int64_t *x = node->in[0]->shape.dim, *filter = node->in[1]->shape.dim;
    int64_t groups = or_one(o->groups);
    int64_t in_c = x[3], out_c = filter[3];
    if (transpose) {
        if (x[3] != filter[3])
            return mica_fail(MICA_E_INVALID, "x has depth %lld, but the filter's last size is %lld",
                (long long)x[3], (long long)filter[3]);
        in_c = filter[2] * groups;
    }
    MICA_TRY(check_groups(groups, transpose ? "the result" : "x", in_c, out_c, node->in[1]));
    axis axes[2];
    for (int i = 0; i < 2; i++) {
        axes[i] = (axis){.name = i ? "width" : "height",
            .filter = filter[i],
            .stride = or_one(o->strides[1 + i]),
            .dilation = or_one(o->dilations[1 + i]),
            .before = o->pad[2 * i],
            .after = o->pad[2 * i + 1]};
        *(transpose ? &axes[i].map : &axes[i].image) = x[1 + i];
        MICA_TRY(transpose ? size_image(&axes[i], o->padding, o->output[i])
                           : count_windows(&axes[i], o->padding));
    }
    attrs->node.shape = (mica_conv2d_shape){.batch = (int32_t)x[0],
        .in_h = (int32_t)axes[0].image,
        .in_w = (int32_t)axes[1].image,
        .in_c = (int32_t)in_c,
        .out_h = (int32_t)axes[0].map,
        .out_w = (int32_t)axes[1].map,
        .out_c = (int32_t)out_c,
        .filter_h = (int32_t)filter[0],
        .filter_w = (int32_t)filter[1],
        .stride_h = (int32_t)axes[0].stride,
        .stride_w = (int32_t)axes[1].stride,
        .dilation_h = (int32_t)axes[0].dilation,
        .dilation_w = (int32_t)axes[1].dilation,
        .pad_top = (int32_t)axes[0].before,
        .pad_left = (int32_t)axes[1].before,
        .groups = (int32_t)groups};
    node->out[0]->shape = transpose ? MICA_SHAPE(x[0], axes[0].image, axes[1].image, in_c)
                                    : MICA_SHAPE(x[0], axes[0].map, axes[1].map, out_c);
    return MICA_OK;
}

/* A node of a gradient: the shape is known. */
static mica_status pass_infer(mica_node *node) {
    const mica_conv2d_attrs *attrs = node->attrs;
    const mica_conv2d_shape *s = &attrs->shape;
    mica_shape *out = &node->out[0]->shape;
    switch (attrs->pass) {
    case MICA_CONV2D_FORWARD:
        *out = MICA_SHAPE(s->batch, s->out_h, s->out_w, s->out_c);
        break;
    case MICA_CONV2D_DATA:
        *out = MICA_SHAPE(s->batch, s->in_h, s->in_w, s->in_c);
        break;
    case MICA_CONV2D_FILTER:
        *out = MICA_SHAPE(s->filter_h, s->filter_w, s->in_c / s->groups, s->out_c);
        break;
    }
    return MICA_OK;
}

/* ---- gradient ---- */

static const mica_op op_conv2d_pass;

static mica_value *derived(
    const mica_node *node, mica_conv2d_pass pass, mica_value *a, mica_value *b) {
    conv2d_attrs attrs = *(const conv2d_attrs *)node->attrs;
    attrs.node.pass = pass;
    return mica_node_build(&op_conv2d_pass, &attrs, (mica_value *[]){a, b}, 2);
}

static void grad(mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    const mica_conv2d_attrs *attrs = node->attrs;
    mica_value *a = node->in[0], *b = node->in[1], *d = dout[0];
    switch (attrs->pass) {
    case MICA_CONV2D_FORWARD: /* a the image, b the filter */
        din[0] = needs[0] ? derived(node, MICA_CONV2D_DATA, d, b) : NULL;
        din[1] = needs[1] ? derived(node, MICA_CONV2D_FILTER, a, d) : NULL;
        break;
    case MICA_CONV2D_DATA: /* a the map, b the filter */
        din[0] = needs[0] ? derived(node, MICA_CONV2D_FORWARD, d, b) : NULL;
        din[1] = needs[1] ? derived(node, MICA_CONV2D_FILTER, d, a) : NULL;
        break;
    case MICA_CONV2D_FILTER: /* a the image, b the map */
        din[0] = needs[0] ? derived(node, MICA_CONV2D_DATA, b, d) : NULL;
        din[1] = needs[1] ? derived(node, MICA_CONV2D_FORWARD, a, d) : NULL;
        break;
    }
}

/* ---- plan, fusion ---- */

static mica_status plan(const mica_node *node, mica_plan *plan) {
    if (mica_plan_traits(plan)->vector_width > 1)
        return mica_conv2d_plan_cpu(node, plan);
    return mica_conv2d_plan_gemm(node, plan);
}

static mica_node *absorb(const mica_node *node, const mica_node *consumer, int at) {
    conv2d_attrs attrs = *(const conv2d_attrs *)node->attrs;
    mica_value *in[3] = {node->in[0], node->in[1], node->n_in > 2 ? node->in[2] : NULL};
    if (attrs.node.pass == MICA_CONV2D_FILTER || attrs.node.act >= 0)
        return NULL;
    if (!attrs.node.bias && mica_elementwise_is_bias(consumer, at, &in[2])) {
        attrs.node.bias = true;
        return mica_node_fused(node->op, &attrs, in, 3, consumer);
    }
    attrs.node.act = mica_elementwise_unary_row(consumer, at, &attrs.node.act_k);
    return attrs.node.act < 0 ? NULL : mica_node_fused(node->op, &attrs, in, node->n_in, consumer);
}

static const char *describe(const mica_node *node, char *text, size_t size) {
    static const char *const passes[] = {"conv2d", "conv2d_data", "conv2d_filter"};
    const mica_conv2d_attrs *attrs = node->attrs;
    snprintf(text, size, "%s%s%s%s",
        node->op == &op_conv2d_pass ? passes[attrs->pass] : node->op->name,
        attrs->bias ? "+bias" : "", attrs->act < 0 ? "" : "+",
        attrs->act < 0 ? "" : mica_elementwise_row_name(attrs->act));
    return text;
}

/* ---- records and builders ---- */

static const mica_op op_conv2d = {
    .name = "conv2d",
    .attrs_size = sizeof(conv2d_attrs),
    .infer = infer,
    .grad = grad,
    .plan = plan,
    .absorb = absorb,
    .describe = describe,
};

static const mica_op op_conv2d_transpose = {
    .name = "conv2d_transpose",
    .attrs_size = sizeof(conv2d_attrs),
    .infer = infer,
    .grad = grad,
    .plan = plan,
    .absorb = absorb,
    .describe = describe,
};

static const mica_op op_conv2d_pass = {
    .name = "conv2d_pass",
    .attrs_size = sizeof(conv2d_attrs),
    .infer = pass_infer,
    .grad = grad,
    .plan = plan,
    .absorb = absorb,
    .describe = describe,
};

static mica_value *build(const mica_op *op, mica_conv2d_pass pass, mica_value *x,
    mica_value *filter, const mica_conv2d_options *options) {
    conv2d_attrs attrs = {.node = {.pass = pass, .act = -1}};
    if (options)
        attrs.options = *options;
    return mica_node_build(op, &attrs, (mica_value *[]){x, filter}, 2);
}

mica_value *mica_conv2d(mica_value *x, mica_value *filter, const mica_conv2d_options *options) {
    return build(&op_conv2d, MICA_CONV2D_FORWARD, x, filter, options);
}

static int64_t round_up(int64_t a, int64_t b) {
    return (a + b - 1) / b * b;
}

/* Where the stride does not divide the filter, neighbouring pixels are sums of different numbers of
 * products: Odena, Dumoulin and Olah, "Deconvolution and checkerboard artifacts", 2016. */
static void warn_of_checkerboard(const mica_value *y) {
    const mica_conv2d_shape *s = &((const mica_conv2d_attrs *)y->node->attrs)->shape;
    if (s->filter_h % s->stride_h == 0 && s->filter_w % s->stride_w == 0)
        return;
    char stride[32];
    if (s->stride_h == s->stride_w)
        snprintf(stride, sizeof stride, "%d", s->stride_h);
    else
        snprintf(stride, sizeof stride, "%dx%d", s->stride_h, s->stride_w);
    mica_graph_warn(mica_value_graph(y),
        "the %dx%d filter is not divisible by the stride %s: overlapping windows make a "
        "checkerboard pattern; use a filter of %lldx%lld or resize and then convolve",
        s->filter_h, s->filter_w, stride, (long long)round_up(s->filter_h, s->stride_h),
        (long long)round_up(s->filter_w, s->stride_w));
}

mica_value *mica_conv2d_transpose(
    mica_value *x, mica_value *filter, const mica_conv2d_options *options) {
    mica_value *y = build(&op_conv2d_transpose, MICA_CONV2D_DATA, x, filter, options);
    if (y)
        warn_of_checkerboard(y);
    return y;
}
