/* How kernels that work row by row (cl/rows.h, shaders/rows.glsl) are spread over a device. Knows
 * traits and sizes, no operator. */
#ifndef MICA_OP_ROWS_H
#define MICA_OP_ROWS_H

#include "graph/graph_impl.h"

/* The parameters that every row kernel starts with. */
typedef struct mica_rows {
    uint32_t count; /* rows */
    uint32_t size;  /* elements of a row */
} mica_rows;

/* The last dimension are the rows' elements, all others count rows. Rank 0 is one row of one. */
mica_rows mica_rows_of(mica_shape shape);

/* The work-items that share a row. */
uint32_t mica_rows_lanes(const mica_traits *traits, uint32_t size);

/* Sets the number of groups and the loop steps for a number of equal jobs, each of so many elements
 * and of so many loop iterations of a work-item, at most. Where a job allows it they need no more
 * than half of the steps that the device makes: the rest is for what the kernel does beside. */
void mica_rows_groups(const mica_traits *traits, uint64_t jobs, uint64_t elements, uint64_t steps,
    mica_plan_launch_desc *desc);

/* Sets the kernel's local size, its first constant WIDTH and, as above, the groups of a launch
 * whose kernel shares the rows out among whatever number of groups there is. `steps` are the loop
 * iterations that a work-item needs for an element of its row, in all passes over the row. */
void mica_rows_map(
    const mica_plan *plan, mica_rows rows, uint64_t steps, mica_plan_launch_desc *desc);

/* Adds the launch, or as many as it takes, for a kernel that also walks over `count` entries, each
 * of which belongs to one row and takes a work-item `steps` loop iterations: *from and *to, of the
 * launch's parameters, are set to the entries of each. */
mica_status mica_rows_cut(mica_plan *plan, uint32_t count, uint64_t steps, uint32_t *from,
    uint32_t *to, mica_plan_launch_desc *desc);

#endif
