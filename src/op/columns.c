#include "op/columns.h"

#include "op/linear.h"

/* Less work than this is not worth a work-group of its own on a CPU, in floats touched. */
#define CPU_GROUP_WORK 8192
/* Groups that keep every core busy, also where cores are not equally fast; and any GPU. */
#define CPU_GROUPS_PER_UNIT 8
#define GPU_GROUPS          4096
/* Parts that one launch combines quickly. */
#define PARTS_MOST 256
/* Work-items in a group, where they run side by side; the kernels' local memory is for 256. */
#define CPU_GROUP_MOST 64
#define GROUP_MOST     256
/* Columns that a group reads side by side: a cache line. */
#define COLUMNS_MOST 32
#define SPAN_MOST    8
/* Rows that a work-item has to itself before another one helps. */
#define ITEM_LEAST 16

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

mica_columns mica_columns_map(
    const mica_plan *plan, mica_shape x, bool reduces, mica_plan_launch_desc *desc) {
    const mica_traits *traits = mica_plan_traits(plan);
    bool cpu = traits->kind == MICA_CPU;
    uint32_t width = traits->vector_width, span = 1, beside = 1, along = 1;
    mica_columns c = {
        .channels = (uint32_t)x.dim[x.rank - 1], .total = (uint32_t)mica_shape_count(x)};
    c.rows = c.total / c.channels;
    if (width > 1) {
        span = power_for(divide_up(c.channels, width), SPAN_MOST);
    } else {
        uint32_t lanes = (uint32_t)least(cpu ? CPU_GROUP_MOST : GROUP_MOST, traits->max_group_size);
        lanes = power_for(lanes / 2 + 1, GROUP_MOST);
        beside = power_for(c.channels, COLUMNS_MOST);
        along = power_for(divide_up(c.rows, ITEM_LEAST), lanes / beside);
    }
    c.chunks = (uint32_t)divide_up(c.channels, (uint64_t)beside * span * width);
    uint64_t groups = cpu ? least(divide_up(c.total, CPU_GROUP_WORK),
                                (uint64_t)traits->compute_units * CPU_GROUPS_PER_UNIT)
                          : GPU_GROUPS;
    uint64_t parts = least(divide_up(groups, c.chunks), divide_up(c.rows, along * ITEM_LEAST));
    parts = reduces ? least(parts, PARTS_MOST) : parts;
    /* Two passes over a part, in blocks of at least 32 rows, and sums over the group. */
    const uint64_t fits = mica_turns_most(traits, 5) * along;
    parts = most(parts, divide_up(c.rows, fits));
    c.part = (uint32_t)divide_up(c.rows, parts);
    c.parts = (uint32_t)divide_up(c.rows, c.part);
    c.units = c.parts * c.chunks;
    const uint64_t steps = 32 + divide_up(c.part, along) * 17 / 8;
    groups = most(groups, divide_up(c.units, mica_turns_most(traits, steps)));
    groups = least(least(groups, c.units), traits->max_groups[0]);
    c.per_group = (uint32_t)divide_up(c.units, groups);
    desc->groups[0] = (uint32_t)divide_up(c.units, c.per_group);
    desc->steps = c.per_group * steps;
    desc->kernel.local[0] = beside;
    desc->kernel.local[1] = along;
    desc->kernel.local[2] = 1;
    mica_constant_set(&desc->kernel, "WIDTH", (int32_t)width);
    mica_constant_set(&desc->kernel, "SPAN", (int32_t)span);
    return c;
}

void mica_channels_map(const mica_plan *plan, uint32_t channels, mica_plan_launch_desc *desc) {
    const mica_traits *traits = mica_plan_traits(plan);
    uint32_t local = traits->vector_width > 1 ? 1 : CPU_GROUP_MOST;
    while (local > traits->max_group_size)
        local /= 2;
    desc->kernel.local[0] = local;
    desc->kernel.local[1] = desc->kernel.local[2] = 1;
    desc->groups[0] = (uint32_t)divide_up(channels, (uint64_t)local * traits->vector_width);
    mica_constant_set(&desc->kernel, "WIDTH", (int32_t)traits->vector_width);
}
