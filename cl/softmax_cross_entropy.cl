/* Cross-entropy of softmax, a loss for each row. Mapping of work and limits: rows.h.
 * Constants: WIDTH; DENSE: 0 labels are class numbers (one a row), 1 they are probabilities t.
 * With the row's largest element m, s = sum(exp(x - m)) and w = sum(t), which is 1 for a class
 * number and NaN where that is out of range; 0 log 0 = 0:
 *
 * softmax_cross_entropy_fwd: bindings 0 x, 1 labels, 2 loss (one a row) = w log(s) - sum(t (x -
 * m)), 3 state (two a row) = m, w / s. softmax_cross_entropy_bwd: bindings 0 x, 1 labels, 2 state,
 * 3 dloss (one a row), 4 dx = dloss * (exp(x - m) * w / s - t). dx may be x. */
#include "rows.h"

typedef struct {
    uint rows;
    uint size;
} softmax_params;

#if DENSE
typedef float label_type;
#else
typedef int label_type;
#endif

__kernel GROUP_SIZE void softmax_cross_entropy_fwd(__global const float *x,
    __global const label_type *labels, __global float *loss, __global float *state,
    const softmax_params p) {
    POOL(pool)
    const uint total = p.rows * p.size;
    FOR_ROWS(first, p.rows) {
        const uint row = ROW_OF(first, p.rows), start = row * p.size;
        const uint end = END_OF(first, p.rows, p.size);
        vec tops = -INFINITY;
        FOR_PARTS(at, start, end) {
            tops = max(tops, part_load_in(x, at, end, total, -INFINITY));
        }
        const float top = lanes_max(vec_max(tops), pool);
        vec sums = 0;
#if DENSE
        vec weights = 0, dots = 0;
#endif
        FOR_PARTS(at, start, end) {
            const vec shifted = part_load_in(x, at, end, total, -INFINITY) - top;
            sums += exp(shifted);
#if DENSE
            const vec t = part_load_in(labels, at, end, total, 0);
            weights += t;
            dots += select(t * shifted, (vec)0, t == 0);
#endif
        }
        const float sum = lanes_sum(vec_sum(sums), pool);
#if DENSE
        const float weight = lanes_sum(vec_sum(weights), pool);
        const float dot_ = lanes_sum(vec_sum(dots), pool);
#else
        const bool known = labels[row] >= 0 && labels[row] < (int)p.size;
        const float weight = known ? 1.0f : NAN;
        const float dot_ = known ? x[start + labels[row]] - top : NAN;
#endif
        if (ROW_IS_LIVE(first, p.rows) && LANE == 0) {
            loss[row] = weight * log(sum) - dot_;
            state[2 * row] = top;
            state[2 * row + 1] = weight / sum;
        }
    }
}

__kernel GROUP_SIZE void softmax_cross_entropy_bwd(__global const float *x,
    __global const label_type *labels, __global const float *state, __global const float *dloss,
    __global float *dx, const softmax_params p) {
    const uint total = p.rows * p.size;
    FOR_ROWS(first, p.rows) {
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        const uint row = ROW_OF(first, p.rows), start = row * p.size, end = start + p.size;
        const float top = state[2 * row], factor = state[2 * row + 1], g = dloss[row];
        FOR_PARTS(at, start, end) {
#if DENSE
            const vec t = part_load_in(labels, at, end, total, 0);
#else
            const vec t = select((vec)0, (vec)1, (int)(at - start) + LANE_NUMBERS == labels[row]);
#endif
            const vec e = exp(part_load_in(x, at, end, total, 0) - top);
            part_store(g * (e * factor - t), dx, at, end);
        }
    }
}
