/* Plans convolutions for CPUs under OpenCL (cl/conv2d_cpu.cl): cuts the pixels into boxes, the
 * depth and the filter into blocks, and shares them out among the cores. Knows traits and shapes.
 */
#include "op/conv2d.h"

#include "base/error.h"
#include "op/conv2d_winograd.h"

typedef mica_conv2d_shape shape;

/* As in cl/conv2d_cpu.h. */
typedef struct gather_params {
    uint32_t batch;
    uint32_t in_h, in_w, in_c, out_h, out_w, out_c;
    uint32_t filter_h, filter_w;
    uint32_t stride_h, stride_w, dilation_h, dilation_w;
    int32_t pad_top, pad_left;
    uint32_t groups;
    uint32_t box_b, box_h, box_w;
    uint32_t boxes;
    uint32_t depth;
    uint32_t block;
    uint32_t taps;
    uint32_t cols;
    float act_k;
} gather_params;

typedef struct sum_params {
    uint32_t size, parts, chunk;
} sum_params;

typedef struct turn_params {
    uint32_t parts, positions, rows, cols;
} turn_params;

/* The kernel's constants. */
typedef struct limits {
    uint32_t vw, mr, nv, slab, panel, taps, pixels;
} limits;

/* Rows or columns, as the largest phase has them. */
typedef struct axis {
    uint32_t pixels;
    uint32_t taps; /* filter rows */
    uint32_t stride,
        span; /* slab rows from one pixel to the next; from the first tap to the last */
} axis;

static uint32_t ceil_div(uint32_t a, uint32_t b) {
    return a / b + (a % b != 0);
}

static uint32_t round_up(uint32_t a, uint32_t b) {
    return ceil_div(a, b) * b;
}

static uint32_t min_u(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static uint32_t max_u(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

static uint32_t gcd(uint32_t a, uint32_t b) {
    while (b) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static axis axis_of(
    bool data, int32_t image, int32_t map, int32_t filter, int32_t stride_, int32_t dilation_) {
    uint32_t stride = (uint32_t)stride_, dilation = (uint32_t)dilation_, f = (uint32_t)filter;
    if (data)
        return (axis){.pixels = ceil_div((uint32_t)image, stride),
            .taps = ceil_div(f, stride / gcd(stride, dilation)),
            .stride = 1,
            .span = (f - 1) * dilation / stride};
    uint32_t step = f > 1 ? dilation : 0, gap = gcd(step, stride);
    return (axis){
        .pixels = (uint32_t)map, .taps = f, .stride = stride / gap, .span = (f - 1) * (step / gap)};
}

static limits limits_for(const mica_traits *t, uint32_t columns) {
    limits l = {.vw = t->vector_width, .nv = columns <= t->vector_width ? 1 : 2};
    /* Two vectors and the addresses of eight rows fit in the registers, where those of 512 bits
     * come with 32. */
    l.mr = l.vw >= 16 ? 8 : 6;
    /* Slab and panel together are a third of the second-level cache: with pages placed at random,
     * more of it already lose lines to each other. */
    uint64_t cache = (t->cache_bytes ? t->cache_bytes : 512 * 1024) / 4, local = t->local_bytes / 4;
    l.slab = l.panel = (uint32_t)(cache / 32 * 5 < local / 8 * 3 ? cache / 32 * 5 : local / 8 * 3);
    l.taps = local / 16 < 4096 ? (uint32_t)local / 16 : 4096;
    l.pixels = local / 32 < 2048 ? (uint32_t)local / 32 : 2048;
    return l;
}

static double slab_of(const axis *h, const axis *w, uint32_t rows, uint32_t cols, uint32_t depth) {
    return ((rows - 1.0) * h->stride + h->span + 1) * ((cols - 1.0) * w->stride + w->span + 1) *
           depth;
}

/* The most rows whose slab fits, in parts of about equal size; 0 if not even one. */
static uint32_t rows_that_fit(
    const limits *l, const axis *h, const axis *w, uint32_t cols, uint32_t depth) {
    for (uint32_t rows = h->pixels;;) {
        if (slab_of(h, w, rows, cols, depth) <= l->slab && (double)rows * cols <= l->pixels)
            return rows;
        if (rows == 1)
            return 0;
        /* the fewest parts that make fewer rows, no more than could fit */
        rows = ceil_div(h->pixels, ceil_div(h->pixels, min_u(rows - 1, 2 * l->pixels)));
    }
}

/* Sets the box, with the least copying a pixel; false if not even one pixel fits. */
static bool set_box(
    const limits *l, const axis *h, const axis *w, uint32_t depth, gather_params *p) {
    double best = -1;
    uint32_t cols = min_u(w->pixels, l->pixels);
    for (;;) {
        uint32_t rows = rows_that_fit(l, h, w, cols, depth);
        if (rows) {
            double pixels = (double)rows * cols;
            double cost = slab_of(h, w, rows, cols, depth) / pixels;
            if (best < 0 || cost < best) {
                best = cost;
                p->box_h = rows;
                p->box_w = cols;
            }
        }
        if (cols == 1)
            break;
        cols = ceil_div(cols, 2);
    }
    p->box_b = 1;
    if (p->box_h == h->pixels && p->box_w == w->pixels && best >= 0) {
        uint32_t pixels = p->box_h * p->box_w;
        uint32_t fit = min_u(l->slab / (uint32_t)(best * pixels + 0.5), l->pixels / pixels);
        p->box_b = ceil_div(p->batch, ceil_div(p->batch, min_u(fit, p->batch)));
    }
    return best >= 0;
}

static double count_boxes(const axis *h, const axis *w, const gather_params *p) {
    return (double)ceil_div(p->batch, p->box_b) * ceil_div(h->pixels, p->box_h) *
           ceil_div(w->pixels, p->box_w);
}

static gather_params params_of(const shape *s, float act_k) {
    return (gather_params){.batch = (uint32_t)s->batch,
        .in_h = (uint32_t)s->in_h,
        .in_w = (uint32_t)s->in_w,
        .in_c = (uint32_t)s->in_c,
        .out_h = (uint32_t)s->out_h,
        .out_w = (uint32_t)s->out_w,
        .out_c = (uint32_t)s->out_c,
        .filter_h = (uint32_t)s->filter_h,
        .filter_w = (uint32_t)s->filter_w,
        .stride_h = (uint32_t)s->stride_h,
        .stride_w = (uint32_t)s->stride_w,
        .dilation_h = (uint32_t)s->dilation_h,
        .dilation_w = (uint32_t)s->dilation_w,
        .pad_top = s->pad_top,
        .pad_left = s->pad_left,
        .groups = (uint32_t)s->groups,
        .act_k = act_k};
}

static void set_constants(mica_kernel_desc *kernel, const limits *l) {
    mica_constant_set(kernel, "VW", (int32_t)l->vw);
    mica_constant_set(kernel, "MR", (int32_t)l->mr);
    mica_constant_set(kernel, "NV", (int32_t)l->nv);
    mica_constant_set(kernel, "SLAB", (int32_t)l->slab);
    mica_constant_set(kernel, "PANEL", (int32_t)l->panel);
    mica_constant_set(kernel, "TAPS", (int32_t)l->taps);
    mica_constant_set(kernel, "PIXELS", (int32_t)l->pixels);
}

static double flops_of(const shape *s) {
    return 2.0 * s->batch * s->out_h * s->out_w * s->out_c * s->filter_h * s->filter_w *
           (s->in_c / s->groups);
}

/* A length that cuts `size` into as few about equal parts of at most `most`, a multiple of
 * `unit` where there is more than one. */
static uint32_t even_block(uint32_t size, uint32_t most, uint32_t unit) {
    most = max_u(most, 1);
    uint32_t parts = ceil_div(size, most);
    if (parts == 1)
        return size;
    uint32_t block = round_up(ceil_div(size, parts), unit);
    return block <= most ? block : most;
}

/* Steps of the product between two visits of an accumulator: a tile's part of the panel is about as
 * large as the first-level cache. */
static const uint32_t steps_wanted = 288;
/* Work-groups for each core, so that an uneven end costs little. */
static const uint32_t groups_per_core = 6;

/* What plan_pixels decides. */
typedef struct pixels_plan {
    limits l;
    axis h, w;
    gather_params p;
    bool data, few;
    uint32_t from, to; /* channels of the source and of the result in a group */
} pixels_plan;

/* conv2d_gather; false if not even one pixel's slab fits. */
static bool set_columns(pixels_plan *d) {
    const limits *l = &d->l;
    gather_params *p = &d->p;
    uint32_t nr = l->nv * l->vw, most = min_u(l->taps, l->panel / nr);
    double positions = (double)d->h.taps * d->w.taps;
    p->taps = positions < most ? (uint32_t)positions : most;
    p->depth = even_block(d->from, min_u(steps_wanted, most) / p->taps, l->vw);
    while (!set_box(l, &d->h, &d->w, p->depth, p)) {
        if (p->depth == 1)
            return false;
        p->depth = ceil_div(p->depth, 2);
    }
    /* All channels of some columns, or else some channels of all columns: the result of a box then
     * is visited once for each block. */
    uint32_t to = round_up(d->to, nr);
    bool whole = (double)p->taps * d->from * min_u(2 * nr, to) <= l->panel;
    p->block = whole ? d->from : p->depth;
    p->cols = even_block(to, l->panel / (p->taps * p->block) / nr * nr, nr);
    return true;
}

/* conv2d_gather_few; false if it cannot serve. */
static bool set_few(pixels_plan *d) {
    limits *l = &d->l;
    double taps = (double)d->h.taps * d->w.taps * d->from;
    if (d->to > 4 || d->from % l->vw || taps > l->taps || !set_box(l, &d->h, &d->w, d->from, &d->p))
        return false;
    l->mr = l->vw >= 16 ? min_u(8, 24 / d->to) : min_u(6, 12 / d->to);
    d->p.depth = d->p.block = d->from;
    d->p.cols = d->to;
    return d->few = true;
}

/* Shares the boxes out; returns how many work-groups there are. */
static uint64_t share_out(pixels_plan *d, const mica_traits *t) {
    gather_params *p = &d->p;
    uint64_t blocks = (uint64_t)ceil_div(d->to, p->cols) * p->groups;
    if (d->data)
        blocks *= (uint64_t)min_u(p->stride_h, p->in_h) * min_u(p->stride_w, p->in_w);
    double wanted = (double)groups_per_core * t->compute_units;
    while (count_boxes(&d->h, &d->w, p) * (double)blocks < wanted &&
           p->box_b * p->box_h * p->box_w > 4 * d->l.mr) {
        uint32_t *longest = p->box_b > 1 ? &p->box_b : p->box_h > 1 ? &p->box_h : &p->box_w;
        *longest = ceil_div(*longest, 2);
    }
    double boxes = count_boxes(&d->h, &d->w, p), parts = wanted / (double)blocks;
    p->boxes = max_u(1, (uint32_t)(parts > 1 ? boxes / parts : boxes));
    return blocks * (((uint64_t)boxes + p->boxes - 1) / p->boxes);
}

static pixels_plan pixels_plan_of(const mica_conv2d_attrs *attrs, const mica_traits *t) {
    const shape *s = &attrs->shape;
    bool data = attrs->pass == MICA_CONV2D_DATA;
    pixels_plan d = {.h = axis_of(data, s->in_h, s->out_h, s->filter_h, s->stride_h, s->dilation_h),
        .w = axis_of(data, s->in_w, s->out_w, s->filter_w, s->stride_w, s->dilation_w),
        .p = params_of(s, attrs->act_k),
        .data = data};
    d.from = (data ? d.p.out_c : d.p.in_c) / d.p.groups;
    d.to = (data ? d.p.in_c : d.p.out_c) / d.p.groups;
    d.l = limits_for(t, d.to);
    return d;
}

static mica_status launch_pixels(
    const mica_node *node, mica_plan *plan, const char *source, const char *entry, pixels_plan d) {
    const mica_conv2d_attrs *attrs = node->attrs;
    const mica_traits *t = mica_plan_traits(plan);
    uint64_t groups = share_out(&d, t);
    if (groups > t->max_groups[0])
        return mica_conv2d_plan_gemm(node, plan);
    mica_plan_launch_desc desc = {.kernel = {.source = source, .entry = entry},
        .n_slots = 4,
        .slots = {MICA_SLOT(node->in[0]), MICA_SLOT(node->in[1]),
            MICA_SLOT(node->in[attrs->bias ? 2 : 1]), MICA_SLOT(node->out[0])},
        .params = &d.p,
        .params_size = sizeof d.p,
        .groups = {(uint32_t)groups},
        .flops = flops_of(&attrs->shape)};
    mica_constant_set(&desc.kernel, "DATA", d.data);
    mica_constant_set(&desc.kernel, "HAS_BIAS", attrs->bias);
    mica_constant_set(&desc.kernel, "ACT", attrs->act);
    if (d.few)
        mica_constant_set(&desc.kernel, "COLS", (int32_t)d.to);
    set_constants(&desc.kernel, &d.l);
    bool planned;
    MICA_TRY(mica_conv2d_plan_winograd(node, &desc, plan, &planned));
    return planned ? MICA_OK : mica_plan_launch(plan, &desc);
}

/* Forward and data. */
static mica_status plan_pixels(const mica_node *node, mica_plan *plan) {
    pixels_plan d = pixels_plan_of(node->attrs, mica_plan_traits(plan));
    if (set_few(&d))
        return launch_pixels(node, plan, "conv2d_cpu", "conv2d_gather_few", d);
    if (set_columns(&d))
        return launch_pixels(node, plan, "conv2d_cpu", "conv2d_gather", d);
    return mica_conv2d_plan_gemm(node, plan);
}

static mica_status plan_sum(const mica_node *node, int scratch, uint32_t size, uint32_t parts,
    const limits *l, mica_plan *plan) {
    sum_params p = {.size = size, .parts = parts, .chunk = 4096};
    mica_plan_launch_desc desc = {.kernel = {.source = "conv2d_cpu", .entry = "conv2d_gather_sum"},
        .n_slots = 2,
        .slots = {MICA_SCRATCH(scratch), MICA_SLOT(node->out[0])},
        .params = &p,
        .params_size = sizeof p,
        .groups = {ceil_div(size, p.chunk)}};
    mica_constant_set(&desc.kernel, "VW", (int32_t)l->vw);
    return mica_plan_launch(plan, &desc);
}

/* Adds the parts where image and map changed places. */
static mica_status plan_turn(
    const mica_node *node, int scratch, uint32_t parts, const shape *s, mica_plan *plan) {
    uint32_t positions = (uint32_t)s->filter_h * (uint32_t)s->filter_w;
    turn_params p = {parts, positions, (uint32_t)s->in_c, (uint32_t)s->out_c};
    mica_plan_launch_desc desc = {.kernel = {.source = "conv2d_cpu", .entry = "conv2d_gather_turn"},
        .n_slots = 2,
        .slots = {MICA_SCRATCH(scratch), MICA_SLOT(node->out[0])},
        .params = &p,
        .params_size = sizeof p,
        .groups = {positions}};
    return mica_plan_launch(plan, &desc);
}

/* Pixels of a box: their columns of the panel should stay in the first-level cache, but the sums
 * are visited once for each box. */
static const uint32_t pixels_wanted = 256;

/* What the plan of a filter pass decides. */
typedef struct filter_plan {
    limits l;
    axis h, w;
    gather_params p;
    uint64_t blocks;     /* work-groups for each part of the pixels */
    const shape *turned; /* its image and map changed places; or NULL */
} filter_plan;

/* Splits the pixels into parts where there are too few blocks for the cores. */
static mica_status launch_filter(
    const mica_node *node, mica_plan *plan, const char *source, const char *entry, filter_plan d) {
    const mica_conv2d_attrs *attrs = node->attrs;
    const mica_traits *t = mica_plan_traits(plan);
    const bool turn = d.turned != NULL;
    double boxes = count_boxes(&d.h, &d.w, &d.p);
    if (boxes > UINT32_MAX)
        return mica_conv2d_plan_gemm(node, plan);
    uint32_t wanted = groups_per_core * t->compute_units;
    uint32_t parts = d.blocks < wanted ? ceil_div(wanted, (uint32_t)d.blocks) : 1;
    d.p.boxes = ceil_div((uint32_t)boxes, min_u(parts, (uint32_t)boxes));
    parts = ceil_div((uint32_t)boxes, d.p.boxes);
    if (d.blocks * parts > t->max_groups[0])
        return mica_conv2d_plan_gemm(node, plan);
    uint32_t size = (uint32_t)mica_shape_count(node->out[0]->shape);
    bool sum = parts > 1 || turn;
    int scratch = sum ? mica_plan_scratch(plan, (uint64_t)size * parts) : -1;
    mica_plan_launch_desc desc = {.kernel = {.source = source, .entry = entry},
        .n_slots = 3,
        .slots = {MICA_SLOT(node->in[turn]), MICA_SLOT(node->in[!turn]),
            sum ? MICA_SCRATCH(scratch) : MICA_SLOT(node->out[0])},
        .params = &d.p,
        .params_size = sizeof d.p,
        .groups = {(uint32_t)(d.blocks * parts)},
        .flops = flops_of(&attrs->shape)};
    set_constants(&desc.kernel, &d.l);
    MICA_TRY(mica_plan_launch(plan, &desc));
    if (turn)
        return plan_turn(node, scratch, parts, d.turned, plan);
    return sum ? plan_sum(node, scratch, size, parts, &d.l, plan) : MICA_OK;
}

/* The height of a register tile that leaves the fewest rows of the last one empty. */
static uint32_t tile_height(const limits *l, uint32_t rows) {
    uint32_t best = l->mr;
    for (uint32_t mr = l->mr + 1; l->vw >= 16 && mr <= 10; mr++)
        if (round_up(rows, mr) < round_up(rows, best))
            best = mr;
    return best;
}

/* With stride 1, the filter pass of the map as image and the image as map gives the filter turned
 * round, its depths exchanged. That is better where the map has few channels to fill a vector. */
static bool turn_shape(const mica_traits *t, shape *s) {
    const shape u = *s;
    uint32_t vw = t->vector_width;
    if (u.stride_h > 1 || u.stride_w > 1 || u.groups > 1 || (uint32_t)u.out_c * 2 > vw ||
        (uint32_t)u.in_c < vw)
        return false;
    s->in_h = u.out_h, s->in_w = u.out_w, s->in_c = u.out_c;
    s->out_h = u.in_h, s->out_w = u.in_w, s->out_c = u.in_c;
    s->pad_top = (u.filter_h - 1) * u.dilation_h - u.pad_top;
    s->pad_left = (u.filter_w - 1) * u.dilation_w - u.pad_left;
    return true;
}

static mica_status plan_filter(const mica_node *node, mica_plan *plan) {
    const mica_conv2d_attrs *attrs = node->attrs;
    const mica_traits *t = mica_plan_traits(plan);
    shape turned = attrs->shape;
    const bool turn = turn_shape(t, &turned);
    const shape *s = &turned;
    axis h = axis_of(false, s->in_h, s->out_h, s->filter_h, s->stride_h, s->dilation_h);
    axis w = axis_of(false, s->in_w, s->out_w, s->filter_w, s->stride_w, s->dilation_w);
    gather_params p = params_of(s, 0);
    uint32_t in_depth = p.in_c / p.groups, out_depth = p.out_c / p.groups;
    limits l = limits_for(t, out_depth);
    uint32_t nr = l.nv * l.vw, positions = h.taps * w.taps;
    l.pixels = min_u(min_u(l.pixels, pixels_wanted), l.panel / nr);
    l.panel = l.pixels * nr;
    p.taps = min_u(positions, l.taps);
    p.depth = even_block(in_depth, l.taps / p.taps, l.vw);
    uint64_t all = (uint64_t)p.batch * p.out_h * p.out_w;
    uint32_t enough = all < l.pixels / 2 ? (uint32_t)all : l.pixels / 2;
    for (;;) {
        bool fits = set_box(&l, &h, &w, p.depth, &p);
        if (fits && (p.depth <= l.vw || p.box_b * p.box_h * p.box_w >= enough))
            break;
        if (p.depth == 1)
            return mica_conv2d_plan_gemm(node, plan);
        p.depth = ceil_div(p.depth, 2);
    }
    l.mr = tile_height(&l, p.taps * p.depth);
    uint64_t blocks =
        (uint64_t)p.groups * ceil_div(in_depth, p.depth) * ceil_div(positions, p.taps);
    uint32_t wanted = groups_per_core * t->compute_units;
    uint32_t tiles = ceil_div(out_depth, nr);
    uint32_t cols = tiles; /* tiles in a work-group */
    while (cols > 2 && blocks * ceil_div(tiles, cols) < wanted)
        cols = ceil_div(cols, 2);
    p.cols = cols * nr;
    blocks *= ceil_div(tiles, cols);
    const filter_plan d = {l, h, w, p, blocks, turn ? s : NULL};
    return launch_filter(node, plan, "conv2d_cpu", "conv2d_gather_filter", d);
}

/* ---- depthwise ---- */

/* Channels of a work-group, a few cache lines. */
static const uint32_t depth_wanted = 64;

static bool is_depthwise(const shape *s) {
    return s->groups > 1 && s->groups == s->in_c && s->groups == s->out_c;
}

/* What conv2d_depthwise and conv2d_depthwise_filter have in common; false if they cannot serve. */
static bool set_depthwise(limits *l, const axis *h, const axis *w, gather_params *p) {
    l->taps = min_u(l->taps, 128);
    if ((double)h->taps * w->taps > l->taps)
        return false;
    p->groups = 1;
    p->depth = even_block(p->in_c, depth_wanted, l->vw);
    while (!set_box(l, h, w, p->depth, p)) {
        if (p->depth <= l->vw)
            return false;
        p->depth = round_up(p->depth / 2, l->vw);
    }
    p->cols = p->depth;
    return true;
}

static mica_status plan_depthwise(const mica_node *node, mica_plan *plan) {
    const mica_conv2d_attrs *attrs = node->attrs;
    const mica_traits *t = mica_plan_traits(plan);
    pixels_plan d = pixels_plan_of(attrs, t);
    d.from = d.to = d.p.in_c;
    d.l.nv = 1;
    if (!set_depthwise(&d.l, &d.h, &d.w, &d.p))
        return plan_pixels(node, plan);
    return launch_pixels(node, plan, "conv2d_depthwise", "conv2d_depthwise", d);
}

static mica_status plan_depthwise_filter(const mica_node *node, mica_plan *plan) {
    const mica_conv2d_attrs *attrs = node->attrs;
    const shape *s = &attrs->shape;
    filter_plan d = {limits_for(mica_plan_traits(plan), 1),
        axis_of(false, s->in_h, s->out_h, s->filter_h, s->stride_h, s->dilation_h),
        axis_of(false, s->in_w, s->out_w, s->filter_w, s->stride_w, s->dilation_w), params_of(s, 0),
        0, NULL};
    d.l.pixels = min_u(min_u(d.l.pixels, pixels_wanted), d.l.panel / d.l.vw);
    if (!set_depthwise(&d.l, &d.h, &d.w, &d.p))
        return plan_filter(node, plan);
    d.l.mr = tile_height(&d.l, d.h.taps * d.w.taps);
    d.blocks = ceil_div(d.p.in_c, d.p.depth);
    return launch_filter(node, plan, "conv2d_depthwise", "conv2d_depthwise_filter", d);
}

mica_status mica_conv2d_plan_cpu(const mica_node *node, mica_plan *plan) {
    const mica_conv2d_attrs *attrs = node->attrs;
    if (attrs->pass == MICA_CONV2D_FILTER)
        return is_depthwise(&attrs->shape) ? plan_depthwise_filter(node, plan)
                                           : plan_filter(node, plan);
    return is_depthwise(&attrs->shape) ? plan_depthwise(node, plan) : plan_pixels(node, plan);
}
