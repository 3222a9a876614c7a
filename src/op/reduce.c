/* reduce: sums, means, maxima and norms over axes.
 *
 *     sum   y = sum(a)                        da = g, stretched
 *     mean  y = scale * sum(a)                da = scale * g, stretched
 *     max   y = max(a), NaN if one is         da = g at the first of equal maxima, 0 elsewhere
 *     sum_squares  y = scale * sum(a^2)       da = 2 * scale * g * a
 *     norm  y = sqrt(sum(a^2))                da = g * a / y, 0 where y is 0
 *
 * The axes of one node are neighbours, so that a is (outer, size, inner) and y (outer, inner); the
 * builders make a node for each such run of axes. A run that is long beside outer and inner is cut
 * into parts that a second launch reduces; the order of summation depends on shapes and traits
 * alone. */
#include "op/reduce.h"

#include "base/error.h"
#include "op/attributes.h"
#include "op/elementwise.h"
#include "op/linear.h"

#include <mica/ops.h>

static const char *const kind_names[] = {"sum", "mean", "max", "sum_squares", "norm"};

/* a as (outer, size, inner). */
typedef struct view {
    uint32_t outer, size, inner;
} view;

/* The reduced axes of size 1 lie anywhere and change nothing. */
static view view_of(mica_shape shape, uint32_t axes) {
    view v = {1, 1, 1};
    for (int i = 0; i < shape.rank; i++) {
        uint32_t n = (uint32_t)shape.dim[i];
        if (axes >> i & 1 && n > 1) {
            v.size *= n;
        } else if (v.size == 1) {
            v.outer *= n;
        } else {
            v.inner *= n;
        }
    }
    return v;
}

static mica_shape reduced_shape(mica_shape shape, uint32_t axes, bool keep) {
    mica_shape out = {0};
    for (int i = 0; i < shape.rank; i++)
        if (!(axes >> i & 1))
            out.dim[out.rank++] = shape.dim[i];
        else if (keep)
            out.dim[out.rank++] = 1;
    return out;
}

static const char *describe(const mica_node *node, char *text, size_t size) {
    (void)text, (void)size;
    return kind_names[((const mica_reduce_attrs *)node->attrs)->kind];
}

/* ---- infer ---- */

static mica_status infer(mica_node *node) {
    const mica_reduce_attrs *attrs = node->attrs;
    const mica_value *a = node->in[0];
    if (a->dtype != MICA_F32)
        return mica_fail(MICA_E_INVALID, "%s: %s must be float32, but is int32",
            kind_names[attrs->kind], a->name);
    node->out[0]->shape = reduced_shape(a->shape, attrs->axes, attrs->keep);
    return MICA_OK;
}

/* ---- gradient ---- */

static const mica_op op_max_grad;

static mica_value *stretched(const mica_node *node, mica_value *g) {
    const mica_reduce_attrs *attrs = node->attrs;
    mica_shape shape = node->in[0]->shape;
    bool leading = (attrs->axes & (attrs->axes + 1)) == 0; /* then the rest aligns at the right */
    mica_shape kept = reduced_shape(shape, attrs->axes, true);
    if (!leading && !attrs->keep)
        g = mica_reshape(g, kept.rank, kept.dim);
    if (attrs->scale != 1)
        g = mica_scale(g, attrs->scale);
    return mica_broadcast(g, shape);
}

static void grad(mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    const mica_reduce_attrs *attrs = node->attrs;
    mica_value *a = node->in[0], *y = node->out[0], *g = dout[0];
    if (!needs[0])
        return;
    switch (attrs->kind) {
    case MICA_REDUCTION_SUM:
    case MICA_REDUCTION_MEAN:
        din[0] = stretched(node, g);
        break;
    case MICA_REDUCTION_MAX:
        din[0] = mica_node_build(&op_max_grad, attrs, (mica_value *[]){a, y, g}, 3);
        break;
    case MICA_REDUCTION_SUM_SQUARES:
        din[0] = mica_mul(a, mica_scale(g, 2 * attrs->scale));
        break;
    case MICA_REDUCTION_NORM:
        din[0] = mica_mul(a, mica_div_or_zero(g, y));
        break;
    }
}

/* ---- plan ---- */

/* A CPU's groups have at least this many elements to read, and its parts fit its caches. */
#define CPU_GROUP_WORK 8192
#define CPU_PART       16384
/* Groups that keep a device busy: for each core of a CPU, and on any GPU. */
#define CPU_GROUPS_PER_UNIT 8
#define GPU_GROUPS          1024
#define PARTS_MOST          1024
/* Work-items in a group, where they run side by side; the kernels' local memory is for 256. */
#define CPU_GROUP_MOST 64
#define GROUP_MOST     256
/* Columns that a group reads side by side, where there are so many: a cache line. */
#define COLUMNS_LEAST 32
#define SPAN_MOST     8
/* Elements that a work-item has to itself before another one helps. */
#define ITEM_LEAST 32
/* Loop steps of a turn beside those of its elements: sums over the group. */
#define TURN_STEPS 16

typedef struct reduce_params {
    uint32_t size, inner, total, part, parts, chunks, units, per_group;
    float scale;
} reduce_params;

typedef struct max_grad_params {
    uint32_t size, inner, outputs, per_group;
} max_grad_params;

/* The local size: work-items that share one reduction, and those for its neighbours. */
typedef struct group_shape {
    uint32_t along, beside;
} group_shape;

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static uint64_t divide_up(uint64_t a, uint64_t b) {
    return (a + b - 1) / b;
}

/* The least power of two that is at least n, or `most`. */
static uint32_t power_for(uint64_t n, uint32_t most) {
    uint32_t power = 1;
    while (power < n && power < most)
        power *= 2;
    return power;
}

static bool is_rows(view v) {
    return v.inner == 1;
}

static group_shape group_of(const mica_traits *traits, view v) {
    if (traits->vector_width > 1)
        return (group_shape){1, 1};
    uint32_t most = traits->kind == MICA_CPU ? CPU_GROUP_MOST : GROUP_MOST;
    most = power_for(least(most, traits->max_group_size) / 2 + 1, GROUP_MOST);
    uint32_t least_beside = is_rows(v) ? 1 : power_for(v.inner, COLUMNS_LEAST);
    uint32_t along = power_for(divide_up(v.size, ITEM_LEAST), most / least_beside);
    return (group_shape){along, power_for(is_rows(v) ? v.outer : v.inner, most / along)};
}

/* Vectors of columns that a CPU's work-item sums side by side, to read whole cache lines in a row.
 */
static uint32_t span_of(const mica_traits *traits, view v) {
    uint32_t width = traits->vector_width;
    return is_rows(v) || width == 1 ? 1 : power_for(divide_up(v.inner, width), SPAN_MOST);
}

static uint32_t parts_for(const mica_traits *traits, view v, group_shape group, uint64_t groups) {
    uint64_t elements = (uint64_t)v.size * v.inner, parts;
    if (traits->kind == MICA_CPU)
        parts = v.outer >= 4 * traits->compute_units || elements <= 2 * CPU_PART
                    ? 1
                    : divide_up(elements, CPU_PART);
    else
        parts = least(GPU_GROUPS / groups, v.size / (ITEM_LEAST * group.along));
    parts = least(least(parts, v.size), PARTS_MOST);
    /* Half of the steps of a work-item, and blocks of at least 64. */
    parts = most(parts, divide_up(v.size, mica_turns_most(traits, 3) * group.along));
    return parts ? (uint32_t)parts : 1;
}

/* Sets the local size, the groups and the loop steps for `units`, of which a group works through so
 * many that are given back, a multiple of `batch`. A work-item needs `steps` loop iterations for
 * each batch. */
static uint32_t map_units(const mica_traits *traits, view v, group_shape group, uint64_t units,
    uint32_t batch, uint64_t steps, mica_plan_launch_desc *desc) {
    uint64_t work = (uint64_t)v.outer * v.size * v.inner;
    uint64_t groups = traits->kind == MICA_CPU
                          ? least(divide_up(work, CPU_GROUP_WORK),
                                (uint64_t)traits->compute_units * CPU_GROUPS_PER_UNIT)
                          : traits->max_groups[0];
    const uint64_t batches = divide_up(units, batch);
    groups = most(groups, divide_up(batches, mica_turns_most(traits, steps)));
    groups = least(groups, traits->max_groups[0]);
    uint64_t per_group = divide_up(batches, groups) * batch;
    desc->steps = per_group / batch * steps;
    desc->kernel.local[0] = is_rows(v) ? group.along : group.beside;
    desc->kernel.local[1] = is_rows(v) ? group.beside : group.along;
    desc->kernel.local[2] = 1;
    desc->groups[0] = (uint32_t)divide_up(units, per_group);
    return (uint32_t)per_group;
}

/* Reduces `from` to (outer, parts, inner), with the kind's prologue where it is the first launch
 * and its epilogue where it is the last. */
static mica_status reduce(mica_plan *plan, const mica_reduce_attrs *attrs, view v, uint32_t parts,
    mica_slot from, mica_slot to, bool first, bool last) {
    const mica_traits *traits = mica_plan_traits(plan);
    uint32_t width = traits->vector_width, span = span_of(traits, v);
    group_shape group = group_of(traits, v);
    bool rows = is_rows(v),
         squares = attrs->kind == MICA_REDUCTION_SUM_SQUARES || attrs->kind == MICA_REDUCTION_NORM;
    uint64_t chunks = rows ? 1 : divide_up(v.inner, (uint64_t)group.beside * span * width);
    uint64_t units = v.outer * chunks * parts;
    mica_plan_launch_desc desc = {
        .kernel = {.source = "reduce", .entry = rows ? "reduce_fwd_rows" : "reduce_fwd_columns"},
        .slots = {from, to},
        .n_slots = 2,
        .flops = (double)v.outer * v.size * v.inner,
    };
    mica_constant_set(&desc.kernel, "WIDTH", (int32_t)width);
    mica_constant_set(&desc.kernel, "SPAN", (int32_t)span);
    mica_constant_set(&desc.kernel, "MAXIMUM", attrs->kind == MICA_REDUCTION_MAX);
    mica_constant_set(&desc.kernel, "SQUARE", squares && first);
    mica_constant_set(&desc.kernel, "ROOT", attrs->kind == MICA_REDUCTION_NORM && last);
    reduce_params params = {
        .size = v.size,
        .inner = v.inner,
        .total = v.outer * v.size * v.inner,
        .part = (uint32_t)divide_up(v.size, parts),
        .parts = parts,
        .chunks = (uint32_t)chunks,
        .units = (uint32_t)units,
        .per_group = map_units(traits, v, group, units, rows ? group.beside : 1,
            TURN_STEPS + divide_up(divide_up(v.size, parts), group.along) * 17 / 16, &desc),
        .scale = last ? attrs->scale : 1,
    };
    desc.params = &params;
    desc.params_size = sizeof params;
    return mica_plan_launch(plan, &desc);
}

static mica_status plan_reduce(const mica_node *node, mica_plan *plan) {
    const mica_reduce_attrs *attrs = node->attrs;
    const mica_traits *traits = mica_plan_traits(plan);
    view v = view_of(node->in[0]->shape, attrs->axes);
    group_shape group = group_of(traits, v);
    uint64_t groups =
        is_rows(v) ? divide_up(v.outer, group.beside) : v.outer * divide_up(v.inner, group.beside);
    uint32_t parts = parts_for(traits, v, group, groups);
    mica_slot in = MICA_SLOT(node->in[0]), out = MICA_SLOT(node->out[0]);
    if (parts == 1)
        return reduce(plan, attrs, v, 1, in, out, true, true);
    parts = (uint32_t)divide_up(v.size, divide_up(v.size, parts)); /* none is empty */
    view second = {v.outer, parts, v.inner};
    int scratch = mica_plan_scratch(plan, (uint64_t)v.outer * parts * v.inner);
    MICA_TRY(reduce(plan, attrs, v, parts, in, MICA_SCRATCH(scratch), true, false));
    return reduce(plan, attrs, second, 1, MICA_SCRATCH(scratch), out, false, true);
}

static mica_status plan_max_grad(const mica_node *node, mica_plan *plan) {
    const mica_reduce_attrs *attrs = node->attrs;
    const mica_traits *traits = mica_plan_traits(plan);
    view v = view_of(node->in[0]->shape, attrs->axes);
    group_shape group = group_of(traits, v);
    mica_plan_launch_desc desc = {
        .kernel = {.source = "max_grad", .entry = "max_grad_bwd"},
        .slots = {MICA_SLOT(node->in[0]), MICA_SLOT(node->in[1]), MICA_SLOT(node->in[2]),
            MICA_SLOT(node->out[0])},
        .n_slots = 4,
        .flops = (double)v.outer * v.size * v.inner,
    };
    mica_constant_set(&desc.kernel, "ROWS", is_rows(v));
    uint64_t outputs = (uint64_t)v.outer * v.inner;
    max_grad_params params = {v.size, v.inner, (uint32_t)outputs,
        map_units(traits, v, group, outputs, group.beside,
            TURN_STEPS + 2 * divide_up(v.size, group.along), &desc)};
    desc.params = &params;
    desc.params_size = sizeof params;
    return mica_plan_launch(plan, &desc);
}

/* ---- records and builders ---- */

static const mica_op op_reduce = {
    .name = "reduce",
    .attrs_size = sizeof(mica_reduce_attrs),
    .infer = infer,
    .grad = grad,
    .plan = plan_reduce,
    .describe = describe,
};

static mica_status infer_max_grad(mica_node *node) {
    node->out[0]->shape = node->in[0]->shape;
    return MICA_OK;
}

static const mica_op op_max_grad = {
    .name = "max_grad",
    .attrs_size = sizeof(mica_reduce_attrs),
    .infer = infer_max_grad,
    .plan = plan_max_grad,
};

static mica_status axes_of(
    const char *name, mica_shape shape, const int *axes, int count, uint32_t *set) {
    *set = 0;
    if (!axes && count == 0)
        *set = (1u << shape.rank) - 1;
    else if (!axes || count < 1)
        return mica_fail(
            MICA_E_INVALID, "%s: %d axes; give at least one, or NULL and 0 for all", name, count);
    for (int i = 0; i < count; i++) {
        int axis;
        mica_status status = mica_axis_check(axes[i], shape.rank, &axis);
        if (status != MICA_OK)
            return mica_fail_in(status, "%s", name);
        if (*set >> axis & 1)
            return mica_fail(MICA_E_INVALID, "%s: axis %d is given twice", name, axes[i]);
        *set |= 1u << axis;
    }
    return MICA_OK;
}

/* The innermost axes of the set that have no kept axis, larger than 1, between them. */
static uint32_t innermost_run(mica_shape shape, uint32_t axes) {
    uint32_t run = 0;
    bool entered = false;
    for (int i = shape.rank - 1; i >= 0; i--) {
        if (axes >> i & 1) {
            run |= 1u << i;
            entered = entered || shape.dim[i] > 1;
        } else if (entered && shape.dim[i] > 1) {
            break;
        }
    }
    return run;
}

static mica_value *build(
    mica_reduction kind, mica_value *a, const int *axes, int count, bool keep) {
    mica_reduce_attrs attrs = {.kind = kind, .keep = keep, .scale = 1};
    if (!a)
        return NULL;
    mica_shape shape = a->shape;
    mica_status status = axes_of(kind_names[kind], shape, axes, count, &attrs.axes);
    if (status != MICA_OK)
        return mica_graph_failed(mica_value_graph(a), status);
    if (kind == MICA_REDUCTION_MEAN)
        attrs.scale = 1.0f / (float)view_of(shape, attrs.axes).size;
    uint32_t run, all = attrs.axes;
    while (a && (run = innermost_run(shape, attrs.axes)) != attrs.axes) {
        mica_reduce_attrs inner = {
            kind == MICA_REDUCTION_MEAN ? MICA_REDUCTION_SUM : kind, run, true, 1};
        a = mica_node_build(&op_reduce, &inner, &a, 1);
        attrs.axes &= ~run;
        attrs.keep = true;
    }
    a = mica_node_build(&op_reduce, &attrs, &a, 1);
    mica_shape out = reduced_shape(shape, all, keep);
    return attrs.keep == keep ? a : mica_reshape(a, out.rank, out.dim);
}

mica_value *mica_sum(mica_value *a, const int *axes, int count, bool keep) {
    return build(MICA_REDUCTION_SUM, a, axes, count, keep);
}

mica_value *mica_mean(mica_value *a, const int *axes, int count, bool keep) {
    return build(MICA_REDUCTION_MEAN, a, axes, count, keep);
}

mica_value *mica_max(mica_value *a, const int *axes, int count, bool keep) {
    return build(MICA_REDUCTION_MAX, a, axes, count, keep);
}

static mica_value *build_squares(mica_reduction kind, mica_value *a, float scale) {
    if (!a)
        return NULL;
    mica_reduce_attrs attrs = {.kind = kind, .axes = (1u << a->shape.rank) - 1, .scale = scale};
    return mica_node_build(&op_reduce, &attrs, &a, 1);
}

mica_value *mica_sum_squares(mica_value *a, float scale) {
    return build_squares(MICA_REDUCTION_SUM_SQUARES, a, scale);
}

mica_value *mica_norm(mica_value *a) {
    return build_squares(MICA_REDUCTION_NORM, a, 1);
}
