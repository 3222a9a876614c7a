/* What the device layer measures and tests itself with; no operator uses it.
 *
 * probe_axpb: y[i] = SCALE * x[i] + b for i < count; x and y may be the same range.
 * bindings: 0 x, 1 y; one work-item an element; any local size in x; parameters: count, b. */
#include "fma.h"

typedef struct {
    uint count;
    float b;
} probe_params;

__kernel __attribute__((reqd_work_group_size(LOCAL_X, LOCAL_Y, LOCAL_Z))) void probe_axpb(
    __global const float *x, __global float *y, const probe_params p) {
    const uint i = get_global_id(0);
    if (i < p.count)
        y[i] = FMA((float)SCALE, x[i], p.b);
}
