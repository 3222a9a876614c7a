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

/* How many groups are worth while for a number of equal jobs of so many elements. */
uint32_t mica_rows_groups(const mica_traits *traits, uint64_t jobs, uint64_t elements);

/* Sets the kernel's local size, its first constant WIDTH and the number of groups of a launch whose
 * kernel shares the rows out among whatever number of groups there is. */
void mica_rows_map(const mica_plan *plan, mica_rows rows, mica_plan_launch_desc *desc);

#endif
