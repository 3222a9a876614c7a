/* Columns of floats in OpenCL C: x is (rows, channels).
 *
 * A unit is a chunk of LOCAL_X * SPAN * WIDTH neighbouring columns in a part of `part` rows, which
 * are spread over LOCAL_Y; a work-item takes WIDTH elements at once, and SPAN such vectors of a
 * row. A group works through per_group consecutive units. Limits: LOCAL_X and LOCAL_Y are powers of
 * two, and 1 where WIDTH or SPAN is not; at most 256 work-items; less than 2^31 elements. */
#include "rows.h"

typedef struct {
    uint rows, channels, total;
    uint part, parts, chunks;
    uint units, per_group;
} columns;

/* This group's units; in each, this work-item's first column j and the part's rows from .. to - 1,
 * none where j is behind the last. */
#define FOR_UNITS(c, j, from, to)                                                                  \
    for (uint unit = get_group_id(0) * (c).per_group, j, from, to;                                 \
         unit < min((c).units, (uint)(get_group_id(0) + 1) * (c).per_group) &&                     \
         (j = (unit % (c).chunks * LOCAL_X + LANE) * SPAN * WIDTH,                                 \
         from = unit / (c).chunks * (c).part,                                                      \
         to = j < (c).channels ? min((c).rows, from + (c).part) : from, true);                     \
         unit++)

/* Loops over the span are unrolled, since PoCL would otherwise keep their arrays in memory. */
#define EACH(k) _Pragma("unroll") for (uint k = 0; k < SPAN; k++)

/* Vector k of columns from j on: of a vector of all channels, of row i of x. */
#define CHANNELS_LOAD(c, v, j, k)                                                                  \
    part_load(v, min((j) + (k)*WIDTH, (c).channels - 1), (c).channels, 0.0f)
#define COLUMNS_LOAD(c, x, i, j, k)                                                                \
    part_load_in(x, (i) * (c).channels + (j) + (k)*WIDTH, ((i) + 1) * (c).channels, (c).total, 0.0f)
#define COLUMNS_STORE(c, v, y, i, j, k)                                                            \
    if ((j) + (k)*WIDTH < (c).channels)                                                            \
    part_store(v, y, (i) * (c).channels + (j) + (k)*WIDTH, ((i) + 1) * (c).channels)
