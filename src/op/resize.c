/* Images to another size. Along each axis, output i lies at the place s(i) of the input,
 *
 *     half pixel     (i + 1/2) in / out - 1/2
 *     align corners  i (in - 1) / (out - 1); 0 where out is 1
 *     asymmetric     i in / out
 *
 * Nearest takes the pixel at round(s), halves upwards (for asymmetric floor(s)); bilinear weighs
 * the pixels at floor(s) and behind it by how near they are, and stays inside the image. Backward,
 * each input pixel adds up what was made of it. All places are computed in whole numbers.
 *
 *     x (batch, height, width, depth) -> y (batch, new height, new width, depth) */
#include "base/error.h"
#include "op/attributes.h"
#include "op/linear.h"
#include "op/rows.h"

#include <mica/ops.h>

/* An axis of cl/resize.h. */
typedef struct resize_axis {
    int32_t from, to, scale, shift, unit;
} resize_axis;

static resize_axis axis_of(const mica_resize_attrs *attrs, int64_t in, int64_t out) {
    const int32_t from = (int32_t)in, to = (int32_t)out;
    const bool nearest = attrs->method == MICA_NEAREST;
    resize_axis axis = {.from = from, .to = to};
    switch (attrs->grid) {
    case MICA_HALF_PIXEL:
        axis.scale = 2 * from;
        axis.shift = nearest ? from : from - to;
        axis.unit = 2 * to;
        break;
    case MICA_ALIGN_CORNERS:
        axis.scale = to > 1 ? 2 * (from - 1) : 0;
        axis.unit = to > 1 ? 2 * (to - 1) : 1;
        axis.shift = nearest ? axis.unit / 2 : 0;
        break;
    case MICA_ASYMMETRIC:
        axis.scale = from;
        axis.unit = to;
        break;
    }
    return axis;
}

/* ---- infer ---- */

static mica_status check(const mica_value *x, const mica_resize_attrs *attrs) {
    char text[96];
    if (x->dtype != MICA_F32 || x->shape.rank != 4)
        return mica_fail(MICA_E_INVALID,
            "wanted float32 images (batch, height, width, depth), but %s is %s %s", x->name,
            x->dtype == MICA_F32 ? "float32" : "int32",
            mica_shape_text(x->shape, text, sizeof text));
    if ((attrs->method != MICA_NEAREST && attrs->method != MICA_BILINEAR) ||
        (attrs->grid != MICA_HALF_PIXEL && attrs->grid != MICA_ALIGN_CORNERS &&
            attrs->grid != MICA_ASYMMETRIC))
        return mica_fail(MICA_E_INVALID,
            "method %d or grid %d is not one of mica_resize_method and mica_resize_grid",
            (int)attrs->method, (int)attrs->grid);
    for (int i = 0; i < 2; i++) {
        const int64_t from = x->shape.dim[1 + i], to = attrs->size[i];
        if (to < 1)
            return mica_fail(MICA_E_INVALID, "the new %s must be at least 1, but is %lld",
                i ? "width" : "height", (long long)to);
        if (to > INT32_MAX / 2 || from + 1 > INT32_MAX / 2 / (to + 1))
            return mica_fail(MICA_E_UNSUPPORTED,
                "%s %lld to %lld: their product must be below 2^30", i ? "width" : "height",
                (long long)from, (long long)to);
    }
    return MICA_OK;
}

static mica_status sized_infer(mica_node *node) {
    const mica_resize_attrs *attrs = node->attrs;
    const mica_shape in = node->in[0]->shape;
    node->out[0]->shape = (mica_shape){4, {in.dim[0], attrs->size[0], attrs->size[1], in.dim[3]}};
    return MICA_OK;
}

static mica_status resize_infer(mica_node *node) {
    mica_status status = check(node->in[0], node->attrs);
    return status == MICA_OK ? sized_infer(node) : status;
}

/* ---- gradient ---- */

static const mica_op op_resize_grad;

static void resize_grad(
    mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    (void)needs;
    const mica_shape x = node->in[0]->shape;
    mica_resize_attrs attrs = *(const mica_resize_attrs *)node->attrs;
    attrs.size[0] = x.dim[1];
    attrs.size[1] = x.dim[2];
    din[0] = mica_node_build(&op_resize_grad, &attrs, dout, 1);
}

static void resize_grad_grad(
    mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    (void)needs;
    const mica_shape dy = node->in[0]->shape;
    const mica_resize_attrs *attrs = node->attrs;
    din[0] = mica_resize(dout[0], dy.dim[1], dy.dim[2], attrs->method, attrs->grid);
}

/* ---- plan ---- */

/* The parameters of cl/resize.cl and shaders/resize.comp. */
typedef struct resize_params {
    mica_rows rows;
    int32_t depth;
    resize_axis h, w;
    int32_t from, to; /* lines of the larger image that a launch backward takes */
} resize_params;

/* The pixels of the resized image, along an axis, that one of the image may have a share in. */
static uint64_t share_of(const resize_axis *axis) {
    const uint64_t from = (uint64_t)axis->from, to = (uint64_t)axis->to;
    const uint64_t share = 2 * ((to + from - 1) / from) + 2;
    return share < to ? share : to;
}

/* x, y: the shapes of the image and of the resized one, one of which is the node's result. */
static mica_status launch(const mica_node *node, mica_plan *plan, mica_shape x, mica_shape y,
    bool backward, const char *const entries[2]) {
    const mica_resize_attrs *attrs = node->attrs;
    const mica_value *in = node->in[0], *out = node->out[0];
    const uint32_t depth = (uint32_t)x.dim[3];
    resize_params params = {
        .rows = {.count = (uint32_t)(out->shape.dim[0] * out->shape.dim[1]),
            .size = (uint32_t)out->shape.dim[2] * depth},
        .depth = (int32_t)depth,
        .h = axis_of(attrs, x.dim[1], y.dim[1]),
        .w = axis_of(attrs, x.dim[2], y.dim[2]),
    };
    const bool bilinear = attrs->method == MICA_BILINEAR;
    mica_plan_launch_desc desc = {
        .kernel = {.source = "resize", .entry = entries[bilinear]},
        .n_slots = 2,
        .slots = {MICA_SLOT(in), MICA_SLOT(out)},
        .params = &params,
        .params_size = sizeof params,
        .flops = bilinear ? 8 * (double)mica_shape_count(y) : 0,
        .bytes = 4 * ((double)mica_shape_count(x) + (double)mica_shape_count(y)),
    };
    const uint64_t share = backward ? share_of(&params.h) : 0;
    const uint64_t line = 1 + share_of(&params.w);
    const uint32_t lanes = mica_rows_lanes(mica_plan_traits(plan), params.rows.size);
    const uint64_t most =
        mica_turns_most(mica_plan_traits(plan), 3 * (params.rows.size / lanes + 1) * line);
    const int32_t lines = share > most ? (int32_t)most : params.h.to;
    mica_rows_map(plan, params.rows, 1 + (share < most ? share : most) * line, &desc);
    for (; params.from < params.h.to; params.from = params.to) {
        params.to = params.h.to - params.from > lines ? params.from + lines : params.h.to;
        MICA_TRY(mica_plan_launch(plan, &desc));
    }
    return MICA_OK;
}

static mica_status resize_plan(const mica_node *node, mica_plan *plan) {
    return launch(node, plan, node->in[0]->shape, node->out[0]->shape, false,
        (const char *const[]){"resize_nearest_fwd", "resize_bilinear_fwd"});
}

static mica_status resize_grad_plan(const mica_node *node, mica_plan *plan) {
    return launch(node, plan, node->out[0]->shape, node->in[0]->shape, true,
        (const char *const[]){"resize_nearest_bwd", "resize_bilinear_bwd"});
}

/* Every pixel lies at its own place. */
static bool passes(const mica_node *node, bool training) {
    (void)training;
    return mica_shape_equal(node->in[0]->shape, node->out[0]->shape);
}

/* ---- records and builder ---- */

static const mica_op op_resize = {
    .name = "resize",
    .attrs_size = sizeof(mica_resize_attrs),
    .infer = resize_infer,
    .grad = resize_grad,
    .plan = resize_plan,
    .passes = passes,
};

static const mica_op op_resize_grad = {
    .name = "resize_grad",
    .attrs_size = sizeof(mica_resize_attrs),
    .infer = sized_infer,
    .grad = resize_grad_grad,
    .plan = resize_grad_plan,
    .passes = passes,
};

mica_value *mica_resize(mica_value *x, int64_t height, int64_t width, mica_resize_method method,
    mica_resize_grid grid) {
    const mica_resize_attrs attrs = {{height, width}, method, grid};
    return mica_node_build(&op_resize, &attrs, &x, 1);
}
