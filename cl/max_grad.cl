/* The gradient of a maximum along one dimension of (outer, size, inner): g at the first element
 * that equals the maximum (or is NaN), 0 elsewhere.
 *
 * Bindings: 0 a, 1 the maxima, 2 their gradient g (both outer * inner), 3 the gradient of a.
 *
 * Mapping: LANES work-items search an output's elements, then fill in its gradient. With ROWS
 * (inner = 1) lanes lie along x and outputs along y, else the other way round, so that neighbours
 * read neighbours. A group works through per_group consecutive outputs.
 *
 * Constants: ROWS. Limits: local sizes powers of two; fewer than 2^31 elements.
 * Parameters: as below; outputs is outer * inner. */
typedef struct {
    uint size, inner, outputs, per_group;
} max_grad_params;

#if ROWS
#define LANES    LOCAL_X
#define TOGETHER LOCAL_Y
#define LANE     get_local_id(0)
#define OUTPUT   get_local_id(1)
#else
#define LANES    LOCAL_Y
#define TOGETHER LOCAL_X
#define LANE     get_local_id(1)
#define OUTPUT   get_local_id(0)
#endif

__kernel __attribute__((reqd_work_group_size(LOCAL_X, LOCAL_Y, LOCAL_Z))) void max_grad_bwd(
    __global const float *a, __global const float *top, __global const float *g, __global float *da,
    const max_grad_params p) {
    __local uint places[LANES * TOGETHER];
    const uint lane = LANE, me = OUTPUT * LANES + lane;
    const uint begin = get_group_id(0) * p.per_group, end = min(p.outputs, begin + p.per_group);
    for (uint first = begin; first < end; first += TOGETHER) {
        const uint o = min(first + (uint)OUTPUT, end - 1);
        const uint base = o / p.inner * p.size * p.inner + o % p.inner;
        uint place = p.size;
        for (uint i = lane; i < p.size && place == p.size; i += LANES) {
            const float v = a[base + i * p.inner];
            if (v == top[o] || isnan(v))
                place = i;
        }
        if (LANES > 1) {
            places[me] = place;
            for (uint reach = LANES / 2; reach > 0; reach /= 2) {
                barrier(CLK_LOCAL_MEM_FENCE);
                if (lane < reach)
                    places[me] = min(places[me], places[me + reach]);
            }
            barrier(CLK_LOCAL_MEM_FENCE);
            place = places[me - lane];
            barrier(CLK_LOCAL_MEM_FENCE);
        }
        if (first + OUTPUT < end)
            for (uint i = lane; i < p.size; i += LANES)
                da[base + i * p.inner] = i == place ? g[o] : 0.0f;
    }
}
