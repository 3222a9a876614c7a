#include "op/linear.h"

/* Less work than this is not worth a work-group of its own on a CPU, in floats touched. */
#define CPU_GROUP_WORK 8192
/* Groups that keep every core busy, also where cores are not equally fast. */
#define CPU_GROUPS_PER_UNIT 8
/* Enough groups to fill any GPU many times over; longer arrays mean longer groups. */
#define GPU_GROUPS 8192
/* Work-items in a group, where they run side by side. */
#define CPU_LOCAL 64
#define GPU_LOCAL 256

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t divide_up(uint64_t a, uint64_t b) {
    return (a + b - 1) / b;
}

static uint64_t most(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

uint64_t mica_turns_most(const mica_traits *traits, uint64_t steps) {
    return most(traits->max_loop_steps / 2 / most(steps, 1), 1);
}

uint32_t mica_linear_map(const mica_traits *traits, uint64_t count, uint32_t unit, uint32_t cost,
    uint64_t steps, mica_plan_launch_desc *desc) {
    bool cpu = traits->kind == MICA_CPU;
    uint64_t local = traits->vector_width > 1 ? 1 : cpu ? CPU_LOCAL : GPU_LOCAL;
    local = least(local, least(traits->max_group_size, traits->max_group_dim[0]));
    uint64_t groups = cpu ? least(divide_up(count * cost, CPU_GROUP_WORK),
                                (uint64_t)traits->compute_units * CPU_GROUPS_PER_UNIT)
                          : least(divide_up(count, local * unit), GPU_GROUPS);
    uint64_t step = local * unit;
    groups = most(groups, divide_up(count, mica_turns_most(traits, steps) * step));
    groups = least(groups, traits->max_groups[0]);
    uint64_t per_group = divide_up(divide_up(count, groups), step) * step;
    desc->kernel.local[0] = (uint32_t)local;
    desc->kernel.local[1] = desc->kernel.local[2] = 1;
    desc->groups[0] = (uint32_t)divide_up(count, per_group);
    desc->steps = per_group / step * steps;
    return (uint32_t)per_group;
}
