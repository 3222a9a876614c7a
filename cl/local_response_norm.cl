/* Local response normalization of rows: n_c = bias + alpha * sum of x_d^2 for |d - c| <= radius.
 * Mapping of work and limits: rows.h. Constants: WIDTH.
 *
 * local_response_norm_fwd: bindings 0 x, 1 y = x / n^beta.
 * local_response_norm_bwd: bindings 0 dy, 1 x, 2 scratch, a row for each of a group's LOCAL_Y rows,
 *     3 dx_c = dy_c / n_c^beta - 2 * alpha * beta * x_c * sum of t_d for |d - c| <= radius, where
 *     t = dy * x / n^(beta + 1). dx may be dy. */
#include "rows.h"

typedef struct {
    uint rows, size, radius;
    float bias, alpha, beta;
} local_response_norm_params;

/* The vector at x[at] of a row start .. end - 1, 0 outside; x has `total` elements. */
vec row_load(__global const float *x, int at, int start, int end, int total) {
#if WIDTH == 1
    return at >= start && at < end ? x[at] : 0;
#else
    if (at >= start && at + WIDTH <= end)
        return vec_load(0, x + at);
    if (at >= 0 && at + WIDTH <= total) {
        const ivec place = at + LANE_NUMBERS;
        return select((vec)0.0f, vec_load(0, x + at), (place >= start) & (place < end));
    }
    float part[WIDTH];
    for (int i = 0; i < WIDTH; i++)
        part[i] = at + i >= start && at + i < end ? x[at + i] : 0;
    return vec_load(0, part);
#endif
}

vec norm_at(__global const float *x, int at, int start, int end, int total,
    const local_response_norm_params p) {
    vec sum = 0;
    for (int d = -(int)p.radius; d <= (int)p.radius; d++) {
        const vec v = row_load(x, at + d, start, end, total);
        sum += v * v;
    }
    return sum * p.alpha + p.bias;
}

__kernel GROUP_SIZE void local_response_norm_fwd(
    __global const float *x, __global float *y, const local_response_norm_params p) {
    const uint total = p.rows * p.size;
    FOR_ROWS(first, p.rows) {
        const uint start = ROW_OF(first, p.rows) * p.size, end = END_OF(first, p.rows, p.size);
        FOR_PARTS(at, start, end) {
            const vec n = norm_at(x, at, start, end, total, p);
            part_store(part_load_in(x, at, end, total, 0) * exp(-p.beta * log(n)), y, at, end);
        }
    }
}

__kernel GROUP_SIZE void local_response_norm_bwd(__global const float *dy, __global const float *x,
    __global float *scratch, __global float *dx, const local_response_norm_params p) {
    const int total = p.rows * p.size, reach = get_num_groups(0) * LOCAL_Y * p.size;
    const int mine = (get_group_id(0) * LOCAL_Y + ROW_LANE) * p.size;
    FOR_ROWS(first, p.rows) {
        const uint start = ROW_OF(first, p.rows) * p.size, end = END_OF(first, p.rows, p.size);
        const int shift = mine - (int)start;
        FOR_PARTS(at, start, end) {
            const vec n = norm_at(x, at, start, end, total, p);
            const vec g = part_load_in(dy, at, end, total, 0) * exp(-p.beta * log(n));
            part_store(
                g * part_load_in(x, at, end, total, 0) / n, scratch, at + shift, end + shift);
            part_store(g, dx, at, end);
        }
#if LOCAL_X > 1
        barrier(CLK_GLOBAL_MEM_FENCE);
#endif
        FOR_PARTS(at, start, end) {
            vec sum = 0;
            for (int d = -(int)p.radius; d <= (int)p.radius; d++)
                sum += row_load(scratch, at + shift + d, mine, end + shift, reach);
            const vec v = part_load_in(x, at, end, total, 0);
            part_store(
                part_load_in(dx, at, end, total, 0) - 2 * p.alpha * p.beta * v * sum, dx, at, end);
        }
#if LOCAL_X > 1
        barrier(CLK_GLOBAL_MEM_FENCE);
#endif
    }
}
