#include "op/rows.h"

/* Work-groups a CPU core gets, so that all are done at about the same time. */
#define GROUPS_PER_UNIT 8
/* Less work than this is not worth a work-group of its own on a CPU. */
#define ELEMENTS_PER_GROUP 4096
#define ITEMS_PER_GROUP    128
#define LANES_MOST         256

mica_rows mica_rows_of(mica_shape shape) {
    uint32_t size = shape.rank ? (uint32_t)shape.dim[shape.rank - 1] : 1;
    return (mica_rows){.count = (uint32_t)mica_shape_count(shape) / size, .size = size};
}

/* Lanes that share a row: a row of some elements a lane, and the whole group for long rows. Few
 * distinct answers, since each is a kernel of its own. */
static uint32_t lanes_for(const mica_traits *traits, uint32_t size) {
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

uint32_t mica_rows_groups(const mica_traits *traits, uint64_t jobs, uint64_t elements) {
    uint64_t groups = jobs;
    if (traits->kind == MICA_CPU) {
        const uint64_t worth = jobs * elements / ELEMENTS_PER_GROUP + 1;
        const uint64_t busy = (uint64_t)traits->compute_units * GROUPS_PER_UNIT;
        groups = worth < groups ? worth : groups;
        groups = busy < groups ? busy : groups;
    }
    return groups < traits->max_groups[0] ? (uint32_t)groups : traits->max_groups[0];
}

void mica_rows_map(const mica_plan *plan, mica_rows rows, mica_plan_launch_desc *desc) {
    const mica_traits *traits = mica_plan_traits(plan);
    const uint32_t width = traits->vector_width;
    const uint32_t lanes = width > 1 ? 1 : lanes_for(traits, rows.size);
    const uint32_t height = width > 1 ? 1 : rows_for(traits, lanes);
    desc->kernel.local[0] = lanes;
    desc->kernel.local[1] = height;
    desc->kernel.local[2] = 1;
    mica_constant_set(&desc->kernel, "WIDTH", (int32_t)width);
    desc->groups[0] = mica_rows_groups(
        traits, (rows.count + (uint64_t)height - 1) / height, (uint64_t)height * rows.size);
}
