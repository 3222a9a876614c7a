/* Layer normalization of rows. Mapping of work and limits: rows.h. Constants: WIDTH.
 *
 * layer_norm_fwd: bindings 0 x, 1 gamma, 2 beta, 3 y = gamma * (x - mean) * inverse + beta, 4 mean
 *     and 5 inverse = 1 / sqrt(variance + epsilon) of each row. y may be x.
 * layer_norm_bwd: bindings 0 dy, 1 x, 2 mean, 3 inverse, 4 gamma, 5 dx.
 *     dx = inverse * (h - mean(h) - n * mean(h * n)) with h = dy * gamma, n = (x - mean) * inverse.
 *     dx may be dy or x. */
#include "rows.h"

typedef struct {
    uint rows, size;
    float epsilon;
} layer_norm_params;

__kernel GROUP_SIZE void layer_norm_fwd(__global const float *x, __global const float *gamma,
    __global const float *beta, __global float *y, __global float *means, __global float *inverses,
    const layer_norm_params p) {
    POOL(pool)
    const uint total = p.rows * p.size;
    FOR_ROWS(first, p.rows) {
        const uint row = ROW_OF(first, p.rows);
        const uint start = row * p.size, end = END_OF(first, p.rows, p.size);
        vec sums = 0;
        FOR_PARTS(at, start, end) {
            sums += part_load_in(x, at, end, total, 0);
        }
        const float mean = lanes_sum(vec_sum(sums), pool) / p.size;
        vec squares = 0;
        FOR_PARTS(at, start, end) {
            const vec d = part_load_in(x, at, end, total, mean) - mean;
            squares += d * d;
        }
        const float variance = lanes_sum(vec_sum(squares), pool) / p.size;
        const float inverse = 1 / sqrt(variance + p.epsilon);
        FOR_PARTS(at, start, end) {
            const vec n = (part_load_in(x, at, end, total, 0) - mean) * inverse;
            const vec g = part_load(gamma, at - start, p.size, 0);
            part_store(n * g + part_load(beta, at - start, p.size, 0), y, at, end);
        }
        if (LANE == 0 && start < end) {
            means[row] = mean;
            inverses[row] = inverse;
        }
    }
}

__kernel GROUP_SIZE void layer_norm_bwd(__global const float *dy, __global const float *x,
    __global const float *means, __global const float *inverses, __global const float *gamma,
    __global float *dx, const layer_norm_params p) {
    POOL(pool)
    const uint total = p.rows * p.size;
    FOR_ROWS(first, p.rows) {
        const uint row = ROW_OF(first, p.rows);
        const uint start = row * p.size, end = END_OF(first, p.rows, p.size);
        const float mean = means[row], inverse = inverses[row];
        vec sums = 0, products = 0;
        FOR_PARTS(at, start, end) {
            const vec h =
                part_load_in(dy, at, end, total, 0) * part_load(gamma, at - start, p.size, 0);
            sums += h;
            products += h * ((part_load_in(x, at, end, total, mean) - mean) * inverse);
        }
        const float sum = lanes_sum(vec_sum(sums), pool) / p.size;
        const float product = lanes_sum(vec_sum(products), pool) / p.size;
        FOR_PARTS(at, start, end) {
            const vec h =
                part_load_in(dy, at, end, total, 0) * part_load(gamma, at - start, p.size, 0);
            const vec n = (part_load_in(x, at, end, total, mean) - mean) * inverse;
            part_store((h - sum - n * product) * inverse, dx, at, end);
        }
    }
}
