/* Pooling of images (batch, height, width, depth): the maximum or the mean of each window, every
 * channel for itself.
 *
 *     window (i, j) has the elements x[i * S + u * D - P, j * S + v * D - P] that are inside
 *     max: y = the largest, NaN if one is     dx = the sum of dy over the windows that it won
 *     avg: y = the sum / n                    dx = the sum of dy / n over the windows it is in
 *
 * A maximum is won by the first of equal elements (the first NaN, if there is one). Which element
 * won is a second output of the forward node, one byte a maximum (a word where windows have more
 * than 256 elements), so that backward need not read x again. Backward gathers: each element of dx
 * asks the windows that it is in.
 *
 * Sizes: VALID and SAME as TensorFlow, explicit padding and its `ceil` as PyTorch, where a window's
 * part behind the padding counts for nothing. */
#include "base/error.h"
#include "op/attributes.h"
#include "op/linear.h"
#include "op/rows.h"

#include <mica/ops.h>

/* Of a window, its dilation included: far more than any use, and products fit in 32 bits. */
#define REACH_MOST 65535
/* Elements of a window that a byte can number. */
#define BYTE_PLACES 256
/* Work-items in a group, where they run side by side. */
#define GROUP_ITEMS 256

/* ---- infer ---- */

static int64_t or_one(int64_t number) {
    return number ? number : 1;
}

static int64_t divide_up(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

static bool in_range(int64_t number, int64_t least, int64_t most) {
    return number >= least && number <= most;
}

/* Where an image is smaller than the dilation, a window may step over it. */
static bool has_empty_window(const mica_pool_axis *a) {
    for (int32_t start = -a->pad; start < 0 && a->dilation > a->in; start += a->stride) {
        int32_t first = (int32_t)divide_up(-start, a->dilation);
        if (start + first * a->dilation >= a->in)
            return true;
    }
    return false;
}

/* `axis` is 1 for the height, 2 for the width. */
static mica_status make_axis(
    const mica_pool_options *options, int axis, int64_t pixels, mica_pool_axis *out) {
    const char *what = axis == 1 ? "height" : "width";
    int64_t size = options->ksize[axis], stride = or_one(options->strides[axis]);
    int64_t dilation = or_one(options->dilations[axis]);
    if (!in_range(size, 1, REACH_MOST) || !in_range(dilation, 1, REACH_MOST) ||
        !in_range((size - 1) * dilation + 1, 1, REACH_MOST) || !in_range(stride, 1, INT32_MAX))
        return mica_fail(MICA_E_INVALID,
            "a window's size, stride and dilation in %s must be at least 1 and its reach at most "
            "%d, but they are %lld, %lld and %lld",
            what, REACH_MOST, (long long)size, (long long)stride, (long long)dilation);
    int64_t reach = (size - 1) * dilation + 1, before = 0, after = 0, windows;
    const int64_t *pad = &options->pad[axis == 1 ? 0 : 2];
    switch (options->padding) {
    case MICA_VALID:
        windows = pixels < reach ? 0 : (pixels - reach) / stride + 1;
        break;
    case MICA_SAME:
        windows = divide_up(pixels, stride);
        after = (windows - 1) * stride + reach - pixels;
        after = after > 0 ? after : 0;
        before = after / 2;
        after -= before;
        break;
    case MICA_EXPLICIT:
        before = pad[0], after = pad[1];
        if (!in_range(before, 0, reach - 1) || !in_range(after, 0, reach - 1))
            return mica_fail(MICA_E_INVALID,
                "padding in %s must be from 0 to %lld, less than a window's reach, but it is %lld "
                "and %lld",
                what, (long long)reach - 1, (long long)before, (long long)after);
        windows = pixels + before + after - reach;
        windows = windows < 0 ? 0 : windows / stride + 1 + (options->ceil && windows % stride > 0);
        if (options->ceil && (windows - 1) * stride - before >= pixels)
            windows--;
        break;
    default:
        return mica_fail(MICA_E_INVALID, "padding %d is not one of mica_padding", options->padding);
    }
    if (windows < 1 || pixels + before + after + reach > INT32_MAX)
        return mica_fail(MICA_E_INVALID,
            "windows that reach over %lld pixels do not fit the %s of %lld, padded by %lld and "
            "%lld",
            (long long)reach, what, (long long)pixels, (long long)before, (long long)after);
    mica_pool_axis made = {.in = (int32_t)pixels,
        .out = (int32_t)windows,
        .size = (int32_t)size,
        .stride = (int32_t)stride,
        .dilation = (int32_t)dilation,
        .pad = (int32_t)before,
        .low = options->count_padding ? -(int32_t)before : 0,
        .high = (int32_t)(options->count_padding ? pixels + after : pixels)};
    if (has_empty_window(&made))
        return mica_fail(MICA_E_INVALID,
            "the dilation of %lld in %s steps over all %lld pixels: a window would be empty",
            (long long)dilation, what, (long long)pixels);
    *out = made;
    return MICA_OK;
}

static mica_status infer_pool(mica_node *node) {
    mica_pool_attrs *attrs = node->attrs;
    const mica_pool_options *options = &attrs->options;
    const mica_value *x = node->in[0];
    char text[96];
    if (x->dtype != MICA_F32 || x->shape.rank != 4)
        return mica_fail(MICA_E_INVALID,
            "%s must be float32 (batch, height, width, depth), but is %s %s", x->name,
            x->dtype == MICA_F32 ? "float32" : "int32",
            mica_shape_text(x->shape, text, sizeof text));
    for (int i = 0; i < 4; i += 3)
        if (or_one(options->ksize[i]) != 1 || or_one(options->strides[i]) != 1 ||
            or_one(options->dilations[i]) != 1)
            return mica_fail(MICA_E_INVALID,
                "windows are of one image and one channel: size, stride and dilation in %s must be "
                "1, but are %lld, %lld and %lld",
                i ? "depth" : "batch", (long long)options->ksize[i],
                (long long)or_one(options->strides[i]), (long long)or_one(options->dilations[i]));
    const int64_t *pad = options->pad;
    if (options->padding != MICA_EXPLICIT &&
        (options->ceil || pad[0] || pad[1] || pad[2] || pad[3]))
        return mica_fail(MICA_E_INVALID, "pad and ceil are for MICA_EXPLICIT alone");
    MICA_TRY(make_axis(options, 1, x->shape.dim[1], &attrs->h));
    MICA_TRY(make_axis(options, 2, x->shape.dim[2], &attrs->w));
    mica_shape *out = &node->out[0]->shape;
    *out = x->shape;
    out->dim[1] = attrs->h.out;
    out->dim[2] = attrs->w.out;
    return MICA_OK;
}

static bool places_are_bytes(const mica_pool_attrs *attrs) {
    return (int64_t)attrs->h.size * attrs->w.size <= BYTE_PLACES;
}

/* Output 1: the number of each window's winner, u * width + v. Bytes fill whole words a pixel. */
static mica_status infer_max_pool(mica_node *node) {
    MICA_TRY(infer_pool(node));
    mica_value *places = node->out[1];
    places->dtype = MICA_I32;
    places->shape = node->out[0]->shape;
    if (places_are_bytes(node->attrs))
        places->shape.dim[3] = divide_up(places->shape.dim[3], 4);
    return MICA_OK;
}

static mica_status infer_grad(mica_node *node) {
    const mica_pool_attrs *attrs = node->attrs;
    mica_shape *out = &node->out[0]->shape;
    *out = node->in[0]->shape;
    out->dim[1] = attrs->h.in;
    out->dim[2] = attrs->w.in;
    return MICA_OK;
}

/* ---- gradient ---- */

static const mica_op op_max_pool_grad, op_avg_pool_grad;

static void grad_max(
    mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    mica_value *in[] = {dout[0], node->out[1]};
    if (needs[0])
        din[0] = mica_node_build(&op_max_pool_grad, node->attrs, in, 2);
}

static void grad_avg(
    mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    if (needs[0])
        din[0] = mica_node_build(&op_avg_pool_grad, node->attrs, dout, 1);
}

/* ---- plan ---- */

/* The parameters of cl/pool.cl and shaders/pool.comp. */
typedef struct pool_params {
    mica_pool_axis h, w;
    uint32_t channels, rows, per_group, total;
    int32_t from, to; /* rows of a window that a launch takes */
} pool_params;

/* Loop steps of a work-item: for each element that it makes, and for each row of the elements that
 * are looked at for it, of which there are `rows`; `apart` is how far apart they lie in a window.
 */
typedef struct pool_steps {
    uint64_t element, row;
    int64_t rows, apart;
    uint64_t unit; /* channels of an element of the loops */
} pool_steps;

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Of the elements of a window along an axis, those inside of the image. */
static int64_t taps_of(const mica_pool_axis *a) {
    return least(a->size, a->in);
}

static int64_t apart(const mica_pool_axis *a) {
    return a->dilation == 1 ? a->stride : 1;
}

/* The windows along an axis that may have an element. */
static int64_t windows_along(const mica_pool_axis *a) {
    return least((int64_t)divide_up(a->size, apart(a)), apart(a) == 1 ? a->size : a->out);
}

/* Spreads rows of so many elements over groups; returns the number of rows for each. *rows: those
 * of a window that a launch takes, all at first. */
static uint32_t map_rows(const mica_traits *traits, uint32_t rows, uint64_t elements,
    pool_steps steps, int64_t *window_rows, mica_plan_launch_desc *desc) {
    uint32_t *local = desc->kernel.local;
    local[0] = local[1] = local[2] = 1;
    if (traits->vector_width == 1) {
        uint32_t items = GROUP_ITEMS;
        while (items > traits->max_group_size || items > traits->max_group_dim[0])
            items /= 2;
        while (local[0] < items && local[0] < elements)
            local[0] *= 2;
        while (local[0] * local[1] < items && local[1] < rows &&
               local[1] * 2 <= traits->max_group_dim[1])
            local[1] *= 2;
    }
    const uint64_t each =
        (uint64_t)divide_up(divide_up((int64_t)elements, (int64_t)steps.unit), local[0]);
    const uint64_t most = mica_turns_most(traits, 2 * each * (steps.element + steps.row));
    *window_rows = least(*window_rows, (int64_t)most);
    uint32_t turns = (rows - 1) / local[1] + 1;
    mica_rows_groups(traits, turns, elements * local[1],
        1 + each * (steps.element + (uint64_t)*window_rows * steps.row), desc);
    uint32_t per_group = (uint32_t)divide_up(turns, desc->groups[0]) * local[1];
    desc->groups[0] = (uint32_t)divide_up(rows, per_group);
    return per_group;
}

/* The kernels go row by row over `whole`, their output. `taps` is the number of elements that make
 * one of it. The usual windows are constants of the kernel, which unrolls and divides better. */
static mica_status launch(const mica_node *node, mica_plan *plan, const mica_value *x,
    const mica_value *whole, double taps, pool_steps steps, mica_plan_launch_desc *desc) {
    const mica_pool_attrs *attrs = node->attrs;
    const mica_traits *traits = mica_plan_traits(plan);
    const mica_shape *shape = &whole->shape;
    const mica_pool_axis *h = &attrs->h, *w = &attrs->w;
    bool usual = h->size == w->size && h->stride == w->stride && h->stride == 2 &&
                 h->dilation * w->dilation == 1 && (h->size == 2 || h->size == 3);
    int64_t rows = steps.rows;
    desc->kernel.source = "pool";
    mica_constant_set(&desc->kernel, "WIDTH", (int32_t)traits->vector_width);
    mica_constant_set(&desc->kernel, "BYTES", places_are_bytes(attrs));
    mica_constant_set(&desc->kernel, "WINDOW", usual ? h->size : 0);
    mica_constant_set(&desc->kernel, "STRIDE", usual ? h->stride : 0);
    pool_params params = {.h = *h,
        .w = *w,
        .channels = (uint32_t)shape->dim[3],
        .rows = (uint32_t)(shape->dim[0] * shape->dim[1]),
        .total = (uint32_t)mica_shape_count(x->shape)};
    params.per_group = map_rows(
        traits, params.rows, (uint64_t)(shape->dim[2] * shape->dim[3]), steps, &rows, desc);
    desc->params = &params;
    desc->params_size = sizeof params;
    desc->flops = taps * (double)mica_shape_count(*shape);
    const int64_t part = rows < steps.rows ? rows * steps.apart : h->size;
    for (; params.from < h->size; params.from = params.to) {
        params.to = (int32_t)least(params.from + part, h->size);
        MICA_TRY(mica_plan_launch(plan, desc));
        desc->flops = 0;
    }
    return MICA_OK;
}

static double window_size(const mica_node *node) {
    const mica_pool_attrs *attrs = node->attrs;
    return (double)attrs->h.size * attrs->w.size;
}

/* Windows that an element is in, on the average. */
static double windows_of(const mica_node *node) {
    return window_size(node) * (double)mica_shape_count(node->in[0]->shape) /
           (double)mica_shape_count(node->out[0]->shape);
}

/* For so many channels at a time. */
static pool_steps forward(const mica_node *node, uint64_t channels) {
    const mica_pool_attrs *attrs = node->attrs;
    return (pool_steps){.element = 1 + channels,
        .row = channels * (1 + (uint64_t)taps_of(&attrs->w)),
        .rows = taps_of(&attrs->h),
        .apart = 1,
        .unit = channels};
}

/* `steps`: for each window of so many channels. */
static pool_steps backward(const mica_node *node, uint64_t steps, uint64_t channels) {
    const mica_pool_attrs *attrs = node->attrs;
    return (pool_steps){.element = 10,
        .row = 1 + steps * (uint64_t)windows_along(&attrs->w),
        .rows = windows_along(&attrs->h),
        .apart = apart(&attrs->h),
        .unit = channels};
}

static mica_status plan_max(const mica_node *node, mica_plan *plan) {
    mica_plan_launch_desc desc = {.kernel.entry = "max_pool_fwd",
        .slots = {MICA_SLOT(node->in[0]), MICA_SLOT(node->out[0]), MICA_SLOT(node->out[1])},
        .n_slots = 3};
    return launch(
        node, plan, node->in[0], node->out[0], window_size(node), forward(node, 4), &desc);
}

static mica_status plan_max_grad(const mica_node *node, mica_plan *plan) {
    mica_plan_launch_desc desc = {.kernel.entry = "max_pool_bwd",
        .slots = {MICA_SLOT(node->in[0]), MICA_SLOT(node->in[1]), MICA_SLOT(node->out[0])},
        .n_slots = 3};
    return launch(
        node, plan, node->in[0], node->out[0], windows_of(node), backward(node, 5, 4), &desc);
}

static mica_status plan_avg(const mica_node *node, mica_plan *plan) {
    mica_plan_launch_desc desc = {.kernel.entry = "avg_pool_fwd",
        .slots = {MICA_SLOT(node->in[0]), MICA_SLOT(node->out[0])},
        .n_slots = 2};
    return launch(
        node, plan, node->in[0], node->out[0], window_size(node), forward(node, 1), &desc);
}

static mica_status plan_avg_grad(const mica_node *node, mica_plan *plan) {
    mica_plan_launch_desc desc = {.kernel.entry = "avg_pool_bwd",
        .slots = {MICA_SLOT(node->in[0]), MICA_SLOT(node->out[0])},
        .n_slots = 2};
    return launch(
        node, plan, node->in[0], node->out[0], windows_of(node), backward(node, 1, 1), &desc);
}

/* ---- records and builders ---- */

static const mica_op op_max_pool = {
    .name = "max_pool",
    .attrs_size = sizeof(mica_pool_attrs),
    .n_out = 2,
    .infer = infer_max_pool,
    .grad = grad_max,
    .plan = plan_max,
};

static const mica_op op_max_pool_grad = {
    .name = "max_pool_grad",
    .attrs_size = sizeof(mica_pool_attrs),
    .infer = infer_grad,
    .plan = plan_max_grad,
};

static const mica_op op_avg_pool = {
    .name = "avg_pool",
    .attrs_size = sizeof(mica_pool_attrs),
    .infer = infer_pool,
    .grad = grad_avg,
    .plan = plan_avg,
};

static const mica_op op_avg_pool_grad = {
    .name = "avg_pool_grad",
    .attrs_size = sizeof(mica_pool_attrs),
    .infer = infer_grad,
    .plan = plan_avg_grad,
};

static mica_value *build(const mica_op *op, mica_value *x, const mica_pool_options *options) {
    if (x && !options)
        return mica_graph_failed(mica_value_graph(x),
            mica_fail(MICA_E_INVALID, "%s: options must give the window's size", op->name));
    return x ? mica_node_build(op, &(mica_pool_attrs){.options = *options}, &x, 1) : NULL;
}

mica_value *mica_max_pool(mica_value *x, const mica_pool_options *options) {
    return build(&op_max_pool, x, options);
}

mica_value *mica_avg_pool(mica_value *x, const mica_pool_options *options) {
    return build(&op_avg_pool, x, options);
}

mica_value *mica_global_avg_pool(mica_value *x) {
    char text[96];
    if (x && x->shape.rank != 4)
        return mica_graph_failed(mica_value_graph(x),
            mica_fail(MICA_E_INVALID,
                "global_avg_pool: %s must be (batch, height, width, depth), but is %s", x->name,
                mica_shape_text(x->shape, text, sizeof text)));
    return mica_mean(x, (const int[]){1, 2}, 2, false);
}
