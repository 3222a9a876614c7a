/* Updates of the parameters; the formulas are in mica/optim.h.
 *
 * Buffers: w (weights, written), g (gradients), then the state arrays (written): v, or m and v;
 * then hyper (mica_hyper of graph/update.h: from place 4 on the learning rate and Adam's two
 * corrections) and norms (the gradients' total norm first).
 *
 *   sgd_update, ..       flat arenas, padded to whole pieces of WIDTH elements
 *   sgd_update_rows, ..  rows of `size` elements of a table, and of its states; a last buffer has,
 *                        for each row of g, which one of w it is for, once at most, or -1
 *
 * Work: with work-groups of one item, an item does per_item neighbouring pieces; otherwise items
 * stride over all pieces. Of rows, a piece is a row in the former and an element in the latter
 * case. Nothing is written where the total norm is not
 * finite. */
#include "rows.h"

typedef struct {
    uint pieces, decayed, per_item;
    uint size;
    uint variant; /* momentum: Nesterov; Adam: decoupled decay */
    float weight_decay, clip_norm;
    float beta1, beta2, epsilon; /* beta1 is the momentum of SGD */
    float rate;                  /* of the learning rate: a factor */
} update_params;

#if LOCAL_X == 1
#define FOR_PIECES(i)                                                                              \
    for (uint i = get_global_id(0) * p.per_item, end = min(p.pieces, i + p.per_item); i < end; i++)
#else
#define FOR_PIECES(i) for (uint i = get_global_id(0); i < p.pieces; i += get_global_size(0))
#endif

/* A step's numbers: what gradients are multiplied by, negative where there is to be no update. */
typedef struct {
    float scale, rate, decay, correction1, correction2;
} step_numbers;

/* The test is on bits: compilers may take finiteness for granted. */
static step_numbers step_of(
    __global const float *hyper, __global const float *norms, const update_params p) {
    const float total = norms[0];
    step_numbers s = {1.0f, hyper[4] * p.rate, 0.0f, hyper[5], hyper[6]};
    if ((as_uint(total) & 0x7f800000u) == 0x7f800000u)
        s.scale = -1.0f;
    else if (p.clip_norm > 0 && total > p.clip_norm)
        s.scale = p.clip_norm / total;
    return s;
}

static vec sgd(vec w, vec g, const step_numbers s) {
    return w - s.rate * (s.scale * g + s.decay * w);
}

static vec momentum(vec w, vec g, vec *v, const step_numbers s, const update_params p) {
    const vec d = s.scale * g + s.decay * w;
    *v = p.beta1 * *v + d;
    return w - s.rate * (p.variant ? d + p.beta1 * *v : *v);
}

static vec adam(vec w, vec g, vec *m, vec *v, const step_numbers s, const update_params p) {
    const vec d = s.scale * g + (p.variant ? 0.0f : s.decay) * w;
    *m = p.beta1 * *m + (1.0f - p.beta1) * d;
    *v = p.beta2 * *v + (1.0f - p.beta2) * d * d;
    return w - s.rate * ((p.variant ? s.decay : 0.0f) * w +
                            *m * s.correction1 / (sqrt(*v * s.correction2) + p.epsilon));
}

__kernel void sgd_update(__global vec *w, __global const vec *g, __global const float *hyper,
    __global const float *norms, const update_params p) {
    step_numbers s = step_of(hyper, norms, p);
    if (s.scale < 0)
        return;
    FOR_PIECES(i) {
        s.decay = i < p.decayed ? p.weight_decay : 0.0f;
        w[i] = sgd(w[i], g[i], s);
    }
}

__kernel void momentum_update(__global vec *w, __global const vec *g, __global vec *v,
    __global const float *hyper, __global const float *norms, const update_params p) {
    step_numbers s = step_of(hyper, norms, p);
    if (s.scale < 0)
        return;
    FOR_PIECES(i) {
        s.decay = i < p.decayed ? p.weight_decay : 0.0f;
        vec velocity = v[i];
        w[i] = momentum(w[i], g[i], &velocity, s, p);
        v[i] = velocity;
    }
}

__kernel void adam_update(__global vec *w, __global const vec *g, __global vec *m, __global vec *v,
    __global const float *hyper, __global const float *norms, const update_params p) {
    step_numbers s = step_of(hyper, norms, p);
    if (s.scale < 0)
        return;
    FOR_PIECES(i) {
        s.decay = i < p.decayed ? p.weight_decay : 0.0f;
        vec first = m[i], second = v[i];
        w[i] = adam(w[i], g[i], &first, &second, s, p);
        m[i] = first;
        v[i] = second;
    }
}

/* `at` in the tables and `from` in g: for each element, and on CPUs, where a piece is a row, for
 * each vector. `end` is the row's in the tables, from_end that in g. */
#if LOCAL_X == 1
#define FOR_ROW_PARTS                                                                              \
    FOR_PIECES(n)                                                                                  \
    for (uint at = max(rows[n], 0) * p.size, row_end = at + p.size, from = n * p.size,             \
              from_end = from + p.size;                                                            \
         rows[n] >= 0 && at < row_end; at += WIDTH, from += WIDTH)
#else
#define FOR_ROW_PARTS                                                                              \
    FOR_PIECES(from)                                                                               \
    for (uint at = max(rows[from / p.size], 0) * p.size + from % p.size, row_end = at + 1,         \
              from_end = from + 1;                                                                 \
         rows[from / p.size] >= 0 && at < row_end; at++)
#endif

__kernel void sgd_update_rows(__global float *w, __global const float *g,
    __global const float *hyper, __global const float *norms, __global const int *rows,
    const update_params p) {
    step_numbers s = step_of(hyper, norms, p);
    s.decay = p.weight_decay;
    if (s.scale < 0)
        return;
    FOR_ROW_PARTS {
        const vec now = part_load(w, at, row_end, 0);
        part_store(sgd(now, part_load(g, from, from_end, 0), s), w, at, row_end);
    }
}

__kernel void momentum_update_rows(__global float *w, __global const float *g, __global float *v,
    __global const float *hyper, __global const float *norms, __global const int *rows,
    const update_params p) {
    step_numbers s = step_of(hyper, norms, p);
    s.decay = p.weight_decay;
    if (s.scale < 0)
        return;
    FOR_ROW_PARTS {
        const vec now = part_load(w, at, row_end, 0);
        vec velocity = part_load(v, at, row_end, 0);
        const vec next = momentum(now, part_load(g, from, from_end, 0), &velocity, s, p);
        part_store(velocity, v, at, row_end);
        part_store(next, w, at, row_end);
    }
}

__kernel void adam_update_rows(__global float *w, __global const float *g, __global float *m,
    __global float *v, __global const float *hyper, __global const float *norms,
    __global const int *rows, const update_params p) {
    step_numbers s = step_of(hyper, norms, p);
    s.decay = p.weight_decay;
    if (s.scale < 0)
        return;
    FOR_ROW_PARTS {
        const vec now = part_load(w, at, row_end, 0);
        vec first = part_load(m, at, row_end, 0), second = part_load(v, at, row_end, 0);
        const vec next = adam(now, part_load(g, from, from_end, 0), &first, &second, s, p);
        part_store(first, m, at, row_end);
        part_store(second, v, at, row_end);
        part_store(next, w, at, row_end);
    }
}
