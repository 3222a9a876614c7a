/* How the passes of a convolution are spread over devices whose lanes are work-items: the variants
 * of cl/conv2d_gemm.cl and shaders/conv2d_gemm.comp, and the measured choice among them. A pass is
 * a matrix product of which no matrix but the filter exists as such (implicit GEMM: Chetlur et al.,
 * "cuDNN: efficient primitives for deep learning", 2014, section 3). Knows traits and shapes, no
 * values. */
#include "base/error.h"
#include "op/conv2d.h"
#include "op/linear.h"
#include "tune/tune.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* As in the kernels. */
typedef struct conv_params {
    mica_conv2d_shape shape;
    /* MICA_CONV2D_DATA, 1 elsewhere: how far apart the taps that meet one pixel are, and how many
     * kinds of pixels by the taps that they meet there are. */
    int32_t period_h, period_w, phases_h, phases_w;
    uint32_t tiles_m, tiles_n, splits, kper;
    uint32_t count, per_group; /* elements of the result; items of a work-group */
    uint32_t has_bias;
    float act_k;
} conv_params;

typedef enum binding { IN_0, IN_1, BIAS, OUT, PARTS, BINDINGS } binding;

typedef struct launch {
    mica_kernel_desc kernel;
    binding bindings[4];
    uint32_t groups[3];
    uint64_t steps; /* loop iterations of a work-item, at most */
    conv_params params;
} launch;

typedef struct variant {
    const char *name; /* in the tuning file */
    double cost;      /* expected; enough to rank variants, no more */
    launch launches[2];
    int n_launches;
    uint64_t parts; /* scratch elements: partial sums of a split over k */
} variant;

/* A pass as a product of m x k by k x n, for each group and phase. */
typedef struct product {
    const mica_conv2d_attrs *attrs;
    conv_params params; /* what all variants have in common */
    uint32_t m, n, k, batch;
    double flops;
} product;

enum { VARIANTS_MOST = 6, VARIANTS_TRIED = 3 };

static uint32_t ceil_div(uint32_t a, uint32_t b) {
    return a / b + (a % b != 0);
}

static int32_t least(int32_t a, int32_t b) {
    return a < b ? a : b;
}

static int32_t common_divisor(int32_t a, int32_t b) {
    while (b) {
        int32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static product product_of(const mica_node *node) {
    const mica_conv2d_attrs *attrs = node->attrs;
    const mica_conv2d_shape *s = &attrs->shape;
    product x = {.attrs = attrs,
        .batch = (uint32_t)s->groups,
        .params = {.shape = *s,
            .period_h = 1,
            .period_w = 1,
            .phases_h = 1,
            .phases_w = 1,
            .splits = 1,
            .count = (uint32_t)mica_shape_count(node->out[0]->shape),
            .has_bias = attrs->bias,
            .act_k = attrs->act_k}};
    uint32_t taps = (uint32_t)s->filter_h * (uint32_t)s->filter_w;
    uint32_t in_c = (uint32_t)(s->in_c / s->groups), out_c = (uint32_t)(s->out_c / s->groups);
    uint32_t windows = (uint32_t)s->batch * (uint32_t)s->out_h * (uint32_t)s->out_w;
    x.flops = 2.0 * windows * taps * in_c * s->out_c;
    switch (attrs->pass) {
    case MICA_CONV2D_FORWARD:
        x.m = windows, x.n = out_c, x.k = taps * in_c;
        break;
    case MICA_CONV2D_DATA:
        x.params.period_h = s->stride_h / common_divisor(s->stride_h, s->dilation_h);
        x.params.period_w = s->stride_w / common_divisor(s->stride_w, s->dilation_w);
        x.params.phases_h = least(s->stride_h, s->in_h);
        x.params.phases_w = least(s->stride_w, s->in_w);
        x.m = (uint32_t)s->batch * ceil_div((uint32_t)s->in_h, (uint32_t)s->stride_h) *
              ceil_div((uint32_t)s->in_w, (uint32_t)s->stride_w);
        x.n = in_c;
        x.k = ceil_div((uint32_t)s->filter_h, (uint32_t)x.params.period_h) *
              ceil_div((uint32_t)s->filter_w, (uint32_t)x.params.period_w) * out_c;
        x.batch *= (uint32_t)x.params.phases_h * (uint32_t)x.params.phases_w;
        break;
    case MICA_CONV2D_FILTER:
        x.m = taps * in_c, x.n = out_c, x.k = windows;
        break;
    }
    return x;
}

/* ---- launches ---- */

static bool is_filter(const product *x) {
    return x->attrs->pass == MICA_CONV2D_FILTER;
}

/* A kernel of two tensors, for gathers the bias, and the result. */
static launch *add_launch(const product *x, const char *entry, variant *v) {
    launch *l = &v->launches[v->n_launches++];
    *l = (launch){.kernel = {.source = "conv2d_gemm",
                      .entry = entry,
                      .n_bindings = is_filter(x) ? 3 : 4,
                      .params_size = sizeof l->params,
                      .local = {1, 1, 1}},
        .bindings = {IN_0, IN_1,
            is_filter(x)     ? OUT
            : x->attrs->bias ? BIAS
                             : IN_0,
            OUT},
        .groups = {1, 1, 1},
        .params = x->params};
    return l;
}

static void constants(const product *x, bool epilogue, launch *l) {
    mica_constant_set(&l->kernel, "DATA", x->attrs->pass == MICA_CONV2D_DATA);
    mica_constant_set(&l->kernel, "ACT", epilogue ? x->attrs->act : -1);
}

/* An item for each of `items` elements in a row, each worth `cost` floats and `steps` iterations.
 */
static void spread(const mica_traits *t, uint64_t items, uint32_t cost, uint64_t steps, launch *l) {
    mica_plan_launch_desc desc = {.kernel = l->kernel, .groups = {1, 1, 1}};
    l->params.per_group = mica_linear_map(t, items, 1, cost, steps, &desc);
    l->steps = desc.steps;
    l->kernel = desc.kernel;
    memcpy(l->groups, desc.groups, sizeof l->groups);
}

/* Makes `l` write the parts of a sum in place of the result, and adds the launch that sums them. */
static void split(const mica_traits *t, const product *x, variant *v, launch *l, uint32_t splits) {
    uint32_t k = x->k;
    l->params.splits = splits;
    l->params.kper = ceil_div(k, splits);
    if (splits == 1)
        return;
    l->bindings[l->kernel.n_bindings - 1] = PARTS;
    v->parts = (uint64_t)splits * x->params.count;
    launch *sum = add_launch(x, "conv2d_sum", v);
    sum->kernel.n_bindings = 3;
    sum->bindings[0] = PARTS;
    sum->bindings[1] = x->attrs->bias ? BIAS : PARTS;
    sum->bindings[2] = OUT;
    sum->params.splits = splits;
    constants(x, true, sum);
    spread(t, x->params.count, splits, 1 + splits, sum);
}

/* Parts so that `groups` work-groups become `wanted`, if each is left a sum of `shortest`, and so
 * that none is a sum longer than `longest`. */
static uint32_t parts_for(const mica_traits *t, const product *x, double groups, double wanted,
    uint32_t shortest, uint32_t longest) {
    const uint64_t scratch_most = 64 << 20;
    uint64_t bytes = t->max_binding_bytes < scratch_most ? t->max_binding_bytes : scratch_most;
    uint32_t most = (uint32_t)(bytes / 4 / x->params.count), splits = 1;
    while (groups * splits < wanted && x->k / (splits + 1) >= shortest && splits < most &&
           splits < 256)
        splits++;
    while (ceil_div(x->k, splits) > longest && splits < most)
        splits++;
    return ceil_div(x->k, ceil_div(x->k, splits));
}

/* ---- variants ---- */

typedef struct tile_size {
    const char *name;
    uint32_t m, n, k; /* k: of the blocks in local memory */
    uint32_t local[2];
} tile_size;

/* Through local memory, and for CPUs from registers alone. */
static const tile_size tiles[] = {{"tile128", 128, 128, 16, {16, 16}},
    {"tile64", 64, 64, 16, {16, 16}}, {"tile128x32", 128, 32, 16, {16, 16}},
    {"tile32", 32, 32, 32, {16, 16}}, {"tile128x16", 128, 16, 16, {16, 16}}};
static const tile_size register_tiles[] = {{"reg64", 64, 64, 1, {8, 8}},
    {"reg64x32", 64, 32, 1, {8, 8}}, {"reg64x16", 64, 16, 1, {8, 8}},
    {"reg16x64", 16, 64, 1, {8, 2}}};

static bool tile(const mica_traits *t, const product *x, const tile_size *size, variant *v) {
    bool registers = t->kind == MICA_CPU;
    uint32_t tiles_m = ceil_div(x->m, size->m), tiles_n = ceil_div(x->n, size->n);
    double groups = (double)tiles_m * tiles_n * x->batch;
    *v = (variant){.name = size->name};
    const char *gather = registers ? "conv2d_gather_reg" : "conv2d_gather_tile";
    const char *filter = registers ? "conv2d_filter_reg" : "conv2d_filter_tile";
    launch *l = add_launch(x, is_filter(x) ? filter : gather, v);
    const uint32_t items = size->local[0] * size->local[1];
    const uint32_t loads = size->k * (size->m + size->n) / items;
    /* Of a block; registers run over taps as well, of which there are no more than channels. */
    const uint32_t steps = registers ? 2 : 1 + size->k + loads;
    const uint64_t blocks = mica_turns_most(t, 1 + steps);
    uint32_t splits = parts_for(t, x, groups, 2.0 * t->compute_units, 256,
        (uint32_t)(blocks < UINT32_MAX / size->k ? blocks * size->k : UINT32_MAX));
    constants(x, splits == 1, l);
    mica_constant_set(&l->kernel, "GM", (int32_t)size->m);
    mica_constant_set(&l->kernel, "GN", (int32_t)size->n);
    mica_constant_set(&l->kernel, "GK", (int32_t)size->k);
    memcpy(l->kernel.local, size->local, sizeof size->local);
    l->params.tiles_m = tiles_m;
    l->params.tiles_n = tiles_n;
    split(t, x, v, l, splits);
    /* Before and behind: the loops over rows and over the elements that an item stores. */
    l->steps = (uint64_t)ceil_div(l->params.kper, size->k) * steps + 4 * (size->m + size->n) +
               2 * size->m * size->n / items;
    if (groups * splits > INT32_MAX)
        return false;
    uint32_t rest = (uint32_t)groups * splits;
    for (int i = 0; i < 3; i++) {
        l->groups[i] = rest < t->max_groups[i] ? rest : t->max_groups[i];
        rest = ceil_div(rest, l->groups[i]);
    }
    uint32_t sum = ceil_div(l->params.kper, size->k) * size->k;
    v->cost = ceil(groups * splits / t->compute_units) * sum *
              (size->m * size->n + 24.0 * (size->m + size->n));
    return rest == 1;
}

/* An item makes one element of the result (of a part). Where a group has few channels, a product
 * would be narrow; depthwise, its n is 1. */
static void direct(const mica_traits *t, const product *x, variant *v) {
    *v = (variant){.name = "direct"};
    launch *l = add_launch(x, is_filter(x) ? "conv2d_filter_direct" : "conv2d_gather_direct", v);
    uint32_t splits = 1;
    if (is_filter(x))
        splits = parts_for(t, x, (double)x->params.count, 2048.0 * t->compute_units, 64,
            (uint32_t)mica_turns_most(t, 2));
    constants(x, splits == 1, l);
    split(t, x, v, l, splits);
    /* Taps, and the channels of each; or the windows. */
    const mica_conv2d_shape *s = &x->attrs->shape;
    const uint64_t channels =
        (uint64_t)(x->attrs->pass == MICA_CONV2D_DATA ? s->out_c : s->in_c) / (uint64_t)s->groups;
    const uint64_t gather = (uint64_t)s->filter_h * (1 + (uint64_t)s->filter_w * (1 + channels));
    spread(t, (uint64_t)x->params.count * splits, l->params.kper,
        1 + (is_filter(x) ? l->params.kper : gather), l);
    v->cost = ceil(x->params.count / 256.0 / t->compute_units) * 256 * 6.0 * x->k;
}

/* The variants that can serve the product, the one expected best first. */
static int variants_of(const mica_traits *t, const product *x, variant variants[VARIANTS_MOST]) {
    bool cpu = t->kind == MICA_CPU;
    size_t n_sizes = cpu ? sizeof register_tiles / sizeof *tiles : sizeof tiles / sizeof *tiles;
    int n = 0;
    direct(t, x, &variants[n++]);
    for (size_t i = 0; i < n_sizes; i++) {
        variant v;
        if (!tile(t, x, cpu ? &register_tiles[i] : &tiles[i], &v))
            continue;
        int at = n++;
        for (; at > 0 && variants[at - 1].cost > v.cost; at--)
            variants[at] = variants[at - 1];
        variants[at] = v;
    }
    /* Without those that the device would not run to their end, unless there is no other. */
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (variants[i].launches[0].steps <= t->max_loop_steps / 2)
            variants[kept++] = variants[i];
    return kept ? kept : n;
}

/* ---- the measured choice ---- */

typedef struct bench {
    mica_device *device;
    const mica_node *node;
    const variant *variants;
    int n_variants;
    mica_buffer *buffers[BINDINGS];
} bench;

static mica_status make_buffer(bench *b, binding which, uint64_t count) {
    MICA_TRY(mica_buffer_create(b->device, count * 4, MICA_MEMORY_DEVICE, &b->buffers[which]));
    return mica_tune_fill(b->buffers[which], which);
}

static mica_status make_buffers(bench *b) {
    uint64_t parts = 1;
    for (int i = 0; i < b->n_variants; i++)
        parts = b->variants[i].parts > parts ? b->variants[i].parts : parts;
    for (int i = 0; i < b->node->n_in; i++)
        MICA_TRY(
            make_buffer(b, IN_0 + (binding)i, (uint64_t)mica_shape_count(b->node->in[i]->shape)));
    MICA_TRY(make_buffer(b, OUT, (uint64_t)mica_shape_count(b->node->out[0]->shape)));
    return make_buffer(b, PARTS, parts);
}

static mica_status record(void *user, int index, mica_commands **commands) {
    bench *b = user;
    const variant *v = &b->variants[index];
    mica_launch launches[2] = {0};
    if (!b->buffers[PARTS])
        MICA_TRY(make_buffers(b));
    for (int i = 0; i < v->n_launches; i++) {
        const launch *planned = &v->launches[i];
        MICA_TRY(mica_kernel_get(b->device, &planned->kernel, &launches[i].kernel));
        for (uint32_t k = 0; k < planned->kernel.n_bindings; k++) {
            mica_buffer *buffer = b->buffers[planned->bindings[k]];
            launches[i].bindings[k] = (mica_range){buffer, 0, mica_buffer_bytes(buffer) / 4};
        }
        memcpy(launches[i].groups, planned->groups, sizeof planned->groups);
        memcpy(launches[i].params, &planned->params, sizeof planned->params);
    }
    return mica_commands_create(b->device, launches, (size_t)v->n_launches, true, commands);
}

/* x lies in 2^(result-1) + 1 .. 2^result */
static int log2_up(uint32_t x) {
    int bits = 0;
    while (bits < 31 && x > UINT32_C(1) << bits)
        bits++;
    return bits;
}

static mica_buffer *result(void *user) {
    return ((bench *)user)->buffers[OUT];
}

static double expect(void *user, uint64_t at, double *slack) {
    return mica_conv2d_expect(((const bench *)user)->node->attrs, at, slack);
}

/* NULL: none gives right numbers. */
static const variant *choose(mica_device *device, const mica_node *node, const product *x,
    const variant *variants, int n_variants) {
    static const char *const passes[] = {"forward", "data", "filter"};
    const double worth_measuring = 2e6; /* flops: below, a launch costs more than a kernel saves */
    const char *names[VARIANTS_TRIED];
    const mica_conv2d_shape *s = &x->attrs->shape;
    if (x->flops < worth_measuring)
        return variants;
    int n = least(n_variants, VARIANTS_TRIED);
    for (int i = 0; i < n; i++)
        names[i] = variants[i].name;
    char key[128];
    snprintf(key, sizeof key, "conv2d %s %dx%d stride %dx%d m%d n%d k%d batch%d",
        passes[x->attrs->pass], s->filter_h, s->filter_w, s->stride_h, s->stride_w, log2_up(x->m),
        log2_up(x->n), log2_up(x->k), log2_up(x->batch));
    bench b = {.device = device, .node = node, .variants = variants, .n_variants = n};
    const mica_tune_problem problem = {.record = record,
        .result = result,
        .count = x->params.count,
        .terms = x->k,
        .expect = expect,
        .user = &b,
        .graph = node->graph};
    int choice = mica_tune_choose(device, key, names, n, &problem);
    for (int i = 0; i < BINDINGS; i++)
        mica_buffer_destroy(&b.buffers[i]);
    return choice < 0 ? NULL : &variants[choice];
}

/* ---- plan ---- */

static mica_slot slot_of(const mica_node *node, binding which, int parts) {
    return which == PARTS ? MICA_SCRATCH(parts)
                          : MICA_SLOT(which == OUT ? node->out[0] : node->in[which]);
}

mica_status mica_conv2d_plan_gemm(const mica_node *node, mica_plan *plan) {
    product x = product_of(node);
    variant variants[VARIANTS_MOST];
    int n = variants_of(mica_plan_traits(plan), &x, variants);
    const variant *v = choose(mica_plan_device(plan), node, &x, variants, n);
    if (!v)
        return MICA_E_DEVICE;
    int parts = v->parts ? mica_plan_scratch(plan, v->parts) : -1;
    for (int i = 0; i < v->n_launches; i++) {
        const launch *l = &v->launches[i];
        mica_plan_launch_desc desc = {.kernel = l->kernel,
            .n_slots = l->kernel.n_bindings,
            .params = &l->params,
            .params_size = l->kernel.params_size,
            .groups = {l->groups[0], l->groups[1], l->groups[2]},
            .steps = l->steps,
            .flops = i ? 0 : x.flops};
        for (uint32_t k = 0; k < l->kernel.n_bindings; k++)
            desc.slots[k] = slot_of(node, l->bindings[k], parts);
        MICA_TRY(mica_plan_launch(plan, &desc));
    }
    return MICA_OK;
}
