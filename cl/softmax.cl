/* Softmax and log-softmax of rows. Mapping of work and limits: rows.h.
 * Constants: WIDTH; LOG: 0 softmax, 1 log-softmax.
 *
 * softmax_fwd: bindings 0 x, 1 y; y = exp(x - m) / sum(exp(x - m)), or x - m - log(sum), with the
 *     row's largest element m. y may be x.
 * softmax_bwd: bindings 0 y, 1 dy, 2 dx; dx = y * (dy - sum(dy * y)), or dy - exp(y) * sum(dy). dx
 *     may be y or dy. */
#include "rows.h"

typedef struct {
    uint rows;
    uint size;
} softmax_params;

__kernel GROUP_SIZE void softmax_fwd(
    __global const float *x, __global float *y, const softmax_params p) {
    POOL(pool)
    const uint total = p.rows * p.size;
    FOR_ROWS(first, p.rows) {
        const uint start = ROW_OF(first, p.rows) * p.size, end = END_OF(first, p.rows, p.size);
        vec tops = -INFINITY;
        FOR_PARTS(at, start, end) {
            tops = max(tops, part_load_in(x, at, end, total, -INFINITY));
        }
        const float top = lanes_max(vec_max(tops), pool);
        vec sums = 0;
        FOR_PARTS(at, start, end) {
            const vec e = exp(part_load_in(x, at, end, total, -INFINITY) - top);
            sums += e;
#if !LOG
            part_store(e, y, at, end);
#endif
        }
        const float sum = lanes_sum(vec_sum(sums), pool);
#if LOG
        const float shift = log(sum);
        FOR_PARTS(at, start, end) {
            part_store(part_load_in(x, at, end, total, 0) - top - shift, y, at, end);
        }
#else
        const float factor = 1 / sum;
        FOR_PARTS(at, start, end) {
            part_store(part_load_in(y, at, end, total, 0) * factor, y, at, end);
        }
#endif
    }
}

__kernel GROUP_SIZE void softmax_bwd(
    __global const float *y, __global const float *dy, __global float *dx, const softmax_params p) {
    POOL(pool)
    const uint total = p.rows * p.size;
    FOR_ROWS(first, p.rows) {
        const uint start = ROW_OF(first, p.rows) * p.size, end = END_OF(first, p.rows, p.size);
        vec sums = 0;
        FOR_PARTS(at, start, end) {
            const vec g = part_load_in(dy, at, end, total, 0);
            sums += LOG ? g : g * part_load_in(y, at, end, total, 0);
        }
        const float sum = lanes_sum(vec_sum(sums), pool);
        FOR_PARTS(at, start, end) {
            const vec g = part_load_in(dy, at, end, total, 0),
                      f = part_load_in(y, at, end, total, 0);
            part_store(LOG ? g - exp(f) * sum : f * (g - sum), dx, at, end);
        }
    }
}
