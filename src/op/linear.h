/* How kernels that walk over the elements of their output in memory order are spread over a device.
 * Knows traits and sizes, no operator. */
#ifndef MICA_OP_LINEAR_H
#define MICA_OP_LINEAR_H

#include "graph/graph_impl.h"

/* Sets the kernel's local size, the number of groups and the loop steps for `count` items in a row,
 * and gives the number of consecutive items that each group works through, a multiple of `unit`.
 * `cost` is the work of an item in floats touched, about; `steps` the loop iterations that a
 * work-item needs for `unit` items, at most. */
uint32_t mica_linear_map(const mica_traits *traits, uint64_t count, uint32_t unit, uint32_t cost,
    uint64_t steps, mica_plan_launch_desc *desc);

/* How many turns of `steps` loop iterations a work-item may make: 1 at least. A driver that ends
 * loops counts n + 1 for one of n iterations, at most twice what plans count. */
uint64_t mica_turns_most(const mica_traits *traits, uint64_t steps);

#endif
