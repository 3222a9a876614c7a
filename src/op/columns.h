/* How kernels that work column by column (cl/columns.h, shaders/columns.glsl) are spread over a
 * device: channels are columns, everything before the last dimension is rows. Knows traits and
 * sizes, no operator. */
#ifndef MICA_OP_COLUMNS_H
#define MICA_OP_COLUMNS_H

#include "graph/graph_impl.h"

/* The parameters that every column kernel starts with. A unit is a chunk of neighbouring columns in
 * a part of `part` rows. */
typedef struct mica_columns {
    uint32_t rows, channels, total; /* total is rows * channels */
    uint32_t part, parts, chunks;
    uint32_t units, per_group; /* units are chunks * parts; so many a group */
} mica_columns;

/* Sets the kernel's local size, its first constants WIDTH and SPAN and the number of groups of a
 * launch over x. A launch that `reduces` its rows gets no more parts than keep the device busy. */
mica_columns mica_columns_map(
    const mica_plan *plan, mica_shape x, bool reduces, mica_plan_launch_desc *desc);

/* The same for a kernel that does `channels` things, WIDTH a work-item, and has no SPAN. */
void mica_channels_map(const mica_plan *plan, uint32_t channels, mica_plan_launch_desc *desc);

#endif
