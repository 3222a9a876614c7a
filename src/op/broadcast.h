/* NumPy's rule of broadcasting, and how a stretched input is read where it lies. */
#ifndef MICA_OP_BROADCAST_H
#define MICA_OP_BROADCAST_H

#include "graph/graph_impl.h"

extern const mica_op mica_op_broadcast;

/* The shape that a and b stretch to: dimensions align at the right, and 1 stretches. False where
 * two sizes differ and neither is 1; *out is undefined then. */
bool mica_broadcast_shape(mica_shape a, mica_shape b, mica_shape *out);

/* Where output element i lies in a stretched input: at (i / div % mod) * inner + i % inner. */
typedef struct mica_stretch {
    uint32_t div, mod, inner;
} mica_stretch;

/* False if the shape `in` does not stretch to `out`, or needs more runs of kept and of stretched
 * dimensions than a mica_stretch describes: from the inside, kept, stretched, kept, stretched. */
bool mica_stretch_of(mica_shape in, mica_shape out, mica_stretch *stretch);

/* The gradient of a value of the given shape from that of its stretched copy: the sum over what was
 * stretched. */
mica_value *mica_unbroadcast(mica_value *gradient, mica_shape shape);

#endif
