/* Plans convolutions by Winograd's method where that was measured faster than the direct kernel.
 * Knows traits and shapes. */
#include "op/conv2d_winograd.h"

#include "base/error.h"
#include "tune/tune.h"

#include <stdio.h>
#include <string.h>

/* As in cl/conv2d_winograd.cl. */
typedef struct winograd_params {
    uint32_t batch;
    uint32_t from_h, from_w, from_c, to_h, to_w, to_c; /* channels of a group */
    uint32_t groups;
    int32_t pad_top, pad_left;
    uint32_t tiles_down, tiles_across;
    uint32_t tiles, cols, depth;
    float act_k;
} winograd_params;

enum { SIDE = 4, POSITIONS = 36, FILTER_ROWS = 16, LAUNCHES = 2 };

typedef struct winograd {
    winograd_params params;
    mica_plan_launch_desc launches[LAUNCHES];
    uint64_t turned; /* elements of the transformed filter, the only scratch */
} winograd;

static uint32_t ceil_div(uint32_t a, uint32_t b) {
    return a / b + (a % b != 0);
}

static uint32_t round_up(uint32_t a, uint32_t b) {
    return ceil_div(a, b) * b;
}

/* About equal parts of at most `most`, multiples of `unit`. */
static uint32_t even_block(uint32_t size, uint32_t most, uint32_t unit) {
    return round_up(ceil_div(size, ceil_div(size, most)), unit);
}

/* ---- the shape of the work ---- */

/* Source channels of a block: fewer cost more visits of the sums. */
static const uint32_t depth_wanted = 128;
/* Tiles that share a read of the transformed filter, at least; about twice as many if these are
 * all, which read it once. */
static const uint32_t tiles_wanted = 16;
/* Work-groups for each core. */
static const uint32_t groups_per_core = 2;

static uint64_t count_tiles(const winograd_params *p) {
    return (uint64_t)p->batch * p->tiles_down * p->tiles_across;
}

/* Sets tiles, depth and columns of a work-group; false if they do not fit in `local` floats. */
static bool set_blocks(
    winograd_params *p, uint32_t local, uint32_t vw, uint32_t nr, uint32_t mr, uint32_t cores) {
    const uint64_t tiles = count_tiles(p);
    p->tiles = round_up(tiles <= 2 * tiles_wanted ? (uint32_t)tiles : tiles_wanted, mr);
    const uint32_t column = p->tiles * POSITIONS; /* floats */
    p->depth = even_block(p->from_c, depth_wanted, vw);
    while (p->depth > vw && p->tiles * vw + column * (p->depth + nr) > local)
        p->depth = round_up(p->depth / 2, vw);
    const uint32_t source = p->tiles * vw + column * p->depth;
    if (source + column * nr > local)
        return false;
    p->cols = even_block(p->to_c, (local - source) / column / nr * nr, nr);
    const uint64_t blocks = (tiles + p->tiles - 1) / p->tiles;
    while (
        p->cols > nr && blocks * ceil_div(p->to_c, p->cols) * p->groups < groups_per_core * cores)
        p->cols = round_up(p->cols / 2, nr);
    return true;
}

static bool is_suitable(const mica_conv2d_shape *s, uint32_t vw) {
    return s->filter_h == 3 && s->filter_w == 3 && s->stride_h == 1 && s->stride_w == 1 &&
           s->dilation_h == 1 && s->dilation_w == 1 && (uint32_t)(s->in_c / s->groups) >= vw / 2 &&
           (uint32_t)(s->out_c / s->groups) >= vw / 2;
}

static winograd_params params_of(const mica_conv2d_attrs *attrs) {
    const mica_conv2d_shape *s = &attrs->shape;
    winograd_params p = {
        .batch = (uint32_t)s->batch, .groups = (uint32_t)s->groups, .act_k = attrs->act_k};
    uint32_t in[3] = {(uint32_t)s->in_h, (uint32_t)s->in_w, (uint32_t)(s->in_c / s->groups)};
    uint32_t out[3] = {(uint32_t)s->out_h, (uint32_t)s->out_w, (uint32_t)(s->out_c / s->groups)};
    const bool data = attrs->pass == MICA_CONV2D_DATA;
    const uint32_t *from = data ? out : in, *to = data ? in : out;
    p.from_h = from[0], p.from_w = from[1], p.from_c = from[2];
    p.to_h = to[0], p.to_w = to[1], p.to_c = to[2];
    p.pad_top = data ? 2 - s->pad_top : s->pad_top;
    p.pad_left = data ? 2 - s->pad_left : s->pad_left;
    p.tiles_down = ceil_div(p.to_h, SIDE);
    p.tiles_across = ceil_div(p.to_w, SIDE);
    return p;
}

/* Sets the launches; false if they cannot serve. */
static bool describe(
    winograd *w, const mica_node *node, const mica_plan_launch_desc *direct, const mica_traits *t) {
    const mica_conv2d_attrs *attrs = node->attrs;
    uint32_t vw = t->vector_width, nr = 2 * vw, mr = vw >= 16 ? 8 : 6;
    uint64_t cache = t->cache_bytes ? t->cache_bytes : 512 * 1024;
    uint64_t local = cache < t->local_bytes ? cache : t->local_bytes;
    uint32_t floats = (uint32_t)(local / 32 * 7); /* the rest is for what streams by */
    winograd_params *p = &w->params;
    if (!is_suitable(&attrs->shape, vw))
        return false;
    *p = params_of(attrs);
    if (count_tiles(p) > INT32_MAX || !set_blocks(p, floats, vw, nr, mr, t->compute_units))
        return false;
    w->turned = (uint64_t)p->groups * round_up(p->to_c, nr) * POSITIONS * p->from_c;
    mica_plan_launch_desc *filter = &w->launches[0], *product = &w->launches[1];
    *filter = (mica_plan_launch_desc){
        .kernel = {.source = "conv2d_winograd", .entry = "conv2d_winograd_filter"},
        .n_slots = 2,
        .slots = {MICA_SLOT(node->in[1]), MICA_SCRATCH(0)},
        .groups = {ceil_div(p->from_c, FILTER_ROWS), ceil_div(p->to_c, nr), p->groups}};
    *product =
        (mica_plan_launch_desc){.kernel = {.source = "conv2d_winograd", .entry = "conv2d_winograd"},
            .n_slots = 4,
            .slots = {direct->slots[0], MICA_SCRATCH(0), direct->slots[2], direct->slots[3]},
            .groups = {ceil_div(p->to_c, p->cols), ceil_div((uint32_t)count_tiles(p), p->tiles),
                p->groups},
            .flops = direct->flops};
    for (int i = 0; i < LAUNCHES; i++) {
        mica_plan_launch_desc *l = &w->launches[i];
        l->params = p;
        l->params_size = sizeof *p;
        mica_constant_set(&l->kernel, "VW", (int32_t)vw);
        mica_constant_set(&l->kernel, "MR", (int32_t)mr);
        mica_constant_set(&l->kernel, "NV", 2);
        for (int dim = 0; dim < 3; dim++)
            if (l->groups[dim] > t->max_groups[dim])
                return false;
    }
    mica_constant_set(&filter->kernel, "DATA", attrs->pass == MICA_CONV2D_DATA);
    mica_constant_set(&product->kernel, "LOCAL", (int32_t)floats);
    mica_constant_set(&product->kernel, "HAS_BIAS", attrs->bias);
    mica_constant_set(&product->kernel, "ACT", attrs->act);
    return w->turned * 4 <= t->max_binding_bytes;
}

/* ---- the measured choice ---- */

enum { OUT = 3, TURNED, BUFFERS };

typedef struct bench {
    mica_device *device;
    const mica_node *node;
    const mica_plan_launch_desc *direct;
    const winograd *winograd;
    mica_buffer *buffers[BUFFERS]; /* of the node's inputs first */
} bench;

static mica_status make_buffer(bench *b, int which, uint64_t count) {
    MICA_TRY(mica_buffer_create(b->device, count * 4, MICA_MEMORY_DEVICE, &b->buffers[which]));
    return mica_tune_fill(b->buffers[which], (uint32_t)which);
}

static mica_status make_buffers(bench *b) {
    for (int i = 0; i < b->node->n_in; i++)
        MICA_TRY(make_buffer(b, i, (uint64_t)mica_shape_count(b->node->in[i]->shape)));
    MICA_TRY(make_buffer(b, OUT, (uint64_t)mica_shape_count(b->node->out[0]->shape)));
    return make_buffer(b, TURNED, b->winograd->turned);
}

static mica_buffer *buffer_of(const bench *b, const mica_slot *slot) {
    if (!slot->value)
        return b->buffers[TURNED];
    for (int i = 0; i < b->node->n_in; i++)
        if (slot->value == b->node->in[i])
            return b->buffers[i];
    return b->buffers[OUT];
}

static mica_status set_launch(
    const bench *b, const mica_plan_launch_desc *planned, mica_launch *launch) {
    mica_kernel_desc kernel = planned->kernel;
    kernel.n_bindings = planned->n_slots;
    kernel.params_size = planned->params_size;
    for (int i = 0; i < 3; i++) {
        kernel.local[i] = 1;
        launch->groups[i] = planned->groups[i] ? planned->groups[i] : 1;
    }
    MICA_TRY(mica_kernel_get(b->device, &kernel, &launch->kernel));
    for (uint32_t i = 0; i < planned->n_slots; i++) {
        mica_buffer *buffer = buffer_of(b, &planned->slots[i]);
        launch->bindings[i] = (mica_range){buffer, 0, mica_buffer_bytes(buffer) / 4};
    }
    memcpy(launch->params, planned->params, planned->params_size);
    return MICA_OK;
}

static mica_status record(void *user, int index, mica_commands **commands) {
    bench *b = user;
    mica_launch launches[LAUNCHES] = {0};
    size_t n = index ? LAUNCHES : 1;
    if (!b->buffers[TURNED])
        MICA_TRY(make_buffers(b));
    for (size_t i = 0; i < n; i++)
        MICA_TRY(set_launch(b, index ? &b->winograd->launches[i] : b->direct, &launches[i]));
    return mica_commands_create(b->device, launches, n, true, commands);
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

static mica_status is_faster(mica_device *device, const mica_node *node,
    const mica_plan_launch_desc *direct, const winograd *w, bool *faster) {
    static const char *const names[] = {"direct", "winograd"};
    const double worth_measuring = 1e5; /* flops: below, a launch costs more than it saves */
    const winograd_params *p = &w->params;
    *faster = false;
    if (direct->flops < worth_measuring)
        return MICA_OK;
    const mica_conv2d_attrs *attrs = node->attrs;
    char key[128], parts[24] = "";
    if (p->groups > 1)
        snprintf(parts, sizeof parts, " groups%u", p->groups);
    snprintf(key, sizeof key, "conv2d %s 3x3 %ux%u from%d to%d batch%d%s",
        attrs->pass == MICA_CONV2D_DATA ? "data" : "forward", p->to_h, p->to_w, log2_up(p->from_c),
        log2_up(p->to_c), log2_up(p->batch), parts);
    bench b = {.device = device, .node = node, .direct = direct, .winograd = w};
    const mica_tune_problem problem = {.record = record,
        .result = result,
        .count = (uint64_t)mica_shape_count(node->out[0]->shape),
        .terms = 9 * (uint64_t)p->from_c,
        .expect = expect,
        .user = &b,
        .graph = node->graph};
    int choice = mica_tune_choose(device, key, names, 2, &problem);
    for (int i = 0; i < BUFFERS; i++)
        mica_buffer_destroy(&b.buffers[i]);
    *faster = choice == 1;
    return choice < 0 ? MICA_E_DEVICE : MICA_OK;
}

/* ---- plan ---- */

mica_status mica_conv2d_plan_winograd(
    const mica_node *node, const mica_plan_launch_desc *direct, mica_plan *plan, bool *planned) {
    winograd w = {.turned = 0};
    *planned = describe(&w, node, direct, mica_plan_traits(plan));
    if (*planned)
        MICA_TRY(is_faster(mica_plan_device(plan), node, direct, &w, planned));
    if (!*planned)
        return MICA_OK;
    int turned = mica_plan_scratch(plan, w.turned);
    w.launches[0].slots[1] = w.launches[1].slots[1] = MICA_SCRATCH(turned);
    MICA_TRY(mica_plan_launch(plan, &w.launches[0]));
    return mica_plan_launch(plan, &w.launches[1]);
}
