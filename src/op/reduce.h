/* A reduction that losses are made of. */
#ifndef MICA_OP_REDUCE_H
#define MICA_OP_REDUCE_H

#include "graph/graph_impl.h"

/* scale * sum(a^2) over everything: a scalar. */
mica_value *mica_sum_squares(mica_value *a, float scale);

#endif
