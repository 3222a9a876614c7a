/* Copies between strided layouts: what slice, concat and transpose come down to. Knows launches, no
 * operator. */
#ifndef MICA_OP_STRIDED_H
#define MICA_OP_STRIDED_H

#include "graph/graph_impl.h"

/* A box of elements in two layouts, outermost dimension first; strides and offsets in elements. */
typedef struct mica_strided {
    int rank;
    int64_t dim[MICA_MAX_RANK];
    int64_t from[MICA_MAX_RANK], to[MICA_MAX_RANK];
    int64_t from_offset, to_offset;
} mica_strided;

/* The strides of a shape whose elements lie one after the other. */
void mica_strides(mica_shape shape, int64_t stride[MICA_MAX_RANK]);

/* Drops dimensions of size 1 and joins neighbours that lie alike in both layouts. */
void mica_strided_merge(mica_strided *box);

/* Whether both layouts are one and the same run of memory. */
bool mica_strided_is_same(const mica_strided *box);

/* Adds the launch that copies the box, merged or not. */
mica_status mica_strided_copy(
    mica_plan *plan, const mica_value *from, const mica_value *to, mica_strided box);

/* Adds the launch that writes `to`, of the given shape: `from` in the box at `begin`, of from's
 * shape, and 0 elsewhere. */
mica_status mica_strided_pad(
    mica_plan *plan, const mica_value *from, const mica_value *to, const int64_t *begin);

#endif
