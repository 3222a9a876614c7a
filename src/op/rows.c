#include "op/rows.h"

#include "op/linear.h"

/* Work-groups a CPU core gets, so that all are done at about the same time. */
#define GROUPS_PER_UNIT 8
/* Less work than this is not worth a work-group of its own on a CPU. */
#define ELEMENTS_PER_GROUP 4096
#define ITEMS_PER_GROUP    128
#define LANES_MOST         256
/* Loop steps of a row beside those of its elements, at most: three reductions over the lanes, or
 * two binary searches. */
#define ROW_STEPS 96

mica_rows mica_rows_of(mica_shape shape) {
    uint32_t size = shape.rank ? (uint32_t)shape.dim[shape.rank - 1] : 1;
    return (mica_rows){.count = (uint32_t)mica_shape_count(shape) / size, .size = size};
}

/* A row of some elements a lane, and the whole group for long rows. Few distinct answers, since
 * each is a kernel of its own. */
uint32_t mica_rows_lanes(const mica_traits *traits, uint32_t size) {
    if (traits->vector_width > 1)
        return 1;
    uint32_t lanes = size < 16 ? 1 : size < 128 ? 8 : size < 1024 ? 32 : LANES_MOST;
    while (lanes > traits->max_group_size || lanes > traits->max_group_dim[0])
        lanes /= 2;
    return lanes;
}

static uint32_t rows_for(const mica_traits *traits, uint32_t lanes) {
    uint32_t rows = lanes < ITEMS_PER_GROUP ? ITEMS_PER_GROUP / lanes : 1;
    while (lanes * rows > traits->max_group_size || rows > traits->max_group_dim[1])
        rows /= 2;
    return rows;
}

void mica_rows_groups(const mica_traits *traits, uint64_t jobs, uint64_t elements, uint64_t steps,
    mica_plan_launch_desc *desc) {
    const uint64_t turns = mica_turns_most(traits, 2 * steps), least = (jobs + turns - 1) / turns;
    uint64_t groups = jobs;
    if (traits->kind == MICA_CPU) {
        const uint64_t worth = jobs * elements / ELEMENTS_PER_GROUP + 1;
        const uint64_t busy = (uint64_t)traits->compute_units * GROUPS_PER_UNIT;
        groups = worth < groups ? worth : groups;
        groups = busy < groups ? busy : groups;
    }
    groups = groups > least ? groups : least;
    groups = groups < traits->max_groups[0] ? groups : traits->max_groups[0];
    desc->groups[0] = (uint32_t)groups;
    desc->steps = (jobs + groups - 1) / groups * steps;
}

void mica_rows_map(
    const mica_plan *plan, mica_rows rows, uint64_t steps, mica_plan_launch_desc *desc) {
    const mica_traits *traits = mica_plan_traits(plan);
    const uint32_t width = traits->vector_width;
    const uint32_t lanes = mica_rows_lanes(traits, rows.size);
    const uint32_t height = width > 1 ? 1 : rows_for(traits, lanes);
    desc->kernel.local[0] = lanes;
    desc->kernel.local[1] = height;
    desc->kernel.local[2] = 1;
    mica_constant_set(&desc->kernel, "WIDTH", (int32_t)width);
    mica_rows_groups(traits, (rows.count + (uint64_t)height - 1) / height,
        (uint64_t)height * rows.size, ROW_STEPS + (rows.size + (uint64_t)lanes - 1) / lanes * steps,
        desc);
}

mica_status mica_rows_cut(mica_plan *plan, uint32_t count, uint64_t steps, uint32_t *from,
    uint32_t *to, mica_plan_launch_desc *desc) {
    const uint64_t most = mica_turns_most(mica_plan_traits(plan), 2 * steps);
    desc->steps += (count < most ? count : most) * steps;
    *from = *to = 0;
    do {
        *from = *to;
        *to = count - *from < most ? count : *from + (uint32_t)most;
        MICA_TRY(mica_plan_launch(plan, desc));
    } while (*to < count);
    return MICA_OK;
}
