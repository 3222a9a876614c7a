/* Norms of the gradients.
 *
 * norm_chunks: g (arena), chunks (offset and count of each, in pieces of WIDTH elements), sums (one a
 * chunk, written). A work-group sums the squares of one chunk; its items (a power of two) stride over
 * it and then add up in a tree. Padding between parameters is zero.
 * norm_finish: sums, owners (first chunk and number of chunks of each parameter), norms (the total,
 * then one a parameter, written). One work-item, so that the order is fixed. */
#include "vector.h"

__kernel void norm_chunks(
    __global const vec *g, __global const uint *chunks, __global float *sums) {
    const uint chunk = get_group_id(0), item = get_local_id(0);
    const uint begin = chunks[2 * chunk], end = begin + chunks[2 * chunk + 1];
    vec sum = 0.0f;
    for (uint i = begin + item; i < end; i += LOCAL_X)
        sum += g[i] * g[i];
#if LOCAL_X == 1
    sums[chunk] = vec_sum(sum);
#else
    __local float part[LOCAL_X];
    part[item] = vec_sum(sum);
    for (uint half_size = LOCAL_X / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < half_size)
            part[item] += part[item + half_size];
    }
    if (item == 0)
        sums[chunk] = part[0];
#endif
}

typedef struct {
    uint parameters;
} finish_params;

__kernel void norm_finish(__global const float *sums, __global const uint *owners,
    __global float *norms, const finish_params p) {
    float total = 0;
    for (uint i = 0; i < p.parameters; i++) {
        float sum = 0;
        for (uint k = 0; k < owners[2 * i + 1]; k++)
            sum += sums[owners[2 * i] + k];
        norms[i + 1] = sqrt(sum);
        total += sum;
    }
    norms[0] = sqrt(total);
}
