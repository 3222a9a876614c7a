// Columns of floats in GLSL: what cl/columns.h is, with WIDTH and SPAN (constants 0 and 1) of 1.
layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;

struct Columns {
    uint rows, channels, total;
    uint part, parts, chunks;
    uint units, per_group;
};

#define LANE     gl_LocalInvocationID.x
#define ROW_LANE gl_LocalInvocationID.y
#define WIDE     gl_WorkGroupSize.x
#define HIGH     gl_WorkGroupSize.y

// This group's units; in each, this invocation's column j and the part's rows from .. to - 1, none
// where j is behind the last.
#define FOR_UNITS(c)                                                                               \
    for (uint unit = gl_WorkGroupID.x * (c).per_group,                                             \
              last_unit = min((c).units, (gl_WorkGroupID.x + 1) * (c).per_group);                  \
         unit < last_unit; unit++)
#define COLUMN_OF(c, unit) ((unit) % (c).chunks * WIDE + LANE)
#define FROM_OF(c, unit)   ((unit) / (c).chunks * (c).part)
#define TO_OF(c, unit, j)                                                                          \
    ((j) < (c).channels ? min((c).rows, FROM_OF(c, unit) + (c).part) : FROM_OF(c, unit))
