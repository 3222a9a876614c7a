/* How kernels that walk over the elements of their output in memory order are spread over a device.
 * Knows traits and sizes, no operator. */
#ifndef MICA_OP_LINEAR_H
#define MICA_OP_LINEAR_H

#include "graph/graph_impl.h"

/* Sets the kernel's local size and the number of groups for `count` items in a row, and gives the
 * number of consecutive items that each group works through, a multiple of `unit`. `cost` is the
 * work of an item in floats touched, about. */
uint32_t mica_linear_map(const mica_traits *traits, uint64_t count, uint32_t unit, uint32_t cost,
    mica_plan_launch_desc *desc);

#endif
