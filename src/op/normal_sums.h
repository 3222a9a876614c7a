/* The sums over rows that the gradients of normalizations share. Not differentiable. */
#ifndef MICA_OP_NORMAL_SUMS_H
#define MICA_OP_NORMAL_SUMS_H

#include "graph/graph_impl.h"

/* Two sums over the rows of x (..., channels), for gradients of normalizations:
 *     sum(dy * (x - mean) * inverse) and sum(dy)
 * mean and inverse are of the channels or, `by_row`, of the rows. Returns the first; its node's
 * other output is the second. NULL on failure. */
mica_value *mica_normal_sums(
    mica_value *dy, mica_value *x, mica_value *mean, mica_value *inverse, bool by_row);

#endif
