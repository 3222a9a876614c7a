/* Updates of the parameters over flat arenas; the formulas are in mica/optim.h.
 *
 * Buffers: w (weights, written), g (gradients), then the state arrays (written): v, or m and v; then
 * hyper (mica_hyper of graph/update.h: from place 4 on the learning rate and Adam's two corrections)
 * and norms (the gradients' total norm first).
 * Work: the arena is cut into pieces of WIDTH elements. With work-groups of one item, an item does
 * per_item neighbouring pieces; otherwise items stride over all pieces. Arenas are padded to whole
 * pieces. Nothing is written where the total norm is not finite. */
#include "vector.h"

typedef struct {
    uint pieces, decayed, per_item;
    uint variant; /* momentum: Nesterov; Adam: decoupled decay */
    float weight_decay, clip_norm;
    float beta1, beta2, epsilon; /* beta1 is the momentum of SGD */
} update_params;

#if LOCAL_X == 1
#define FOR_PIECES(i)                                                                              \
    for (uint i = get_global_id(0) * p.per_item, end = min(p.pieces, i + p.per_item); i < end; i++)
#else
#define FOR_PIECES(i) for (uint i = get_global_id(0); i < p.pieces; i += get_global_size(0))
#endif

/* What gradients are multiplied by, or a negative number where there is to be no update. The test
 * is on bits: compilers may take finiteness for granted. */
static float gradient_scale(float total, float clip_norm) {
    if ((as_uint(total) & 0x7f800000u) == 0x7f800000u)
        return -1.0f;
    return clip_norm > 0 && total > clip_norm ? clip_norm / total : 1.0f;
}

__kernel void sgd_update(__global vec *w, __global const vec *g, __global const float *hyper,
    __global const float *norms, const update_params p) {
    const float scale = gradient_scale(norms[0], p.clip_norm), rate = hyper[4];
    if (scale < 0)
        return;
    FOR_PIECES(i) {
        const float decay = i < p.decayed ? p.weight_decay : 0.0f;
        w[i] -= rate * (scale * g[i] + decay * w[i]);
    }
}

__kernel void momentum_update(__global vec *w, __global const vec *g, __global vec *v,
    __global const float *hyper, __global const float *norms, const update_params p) {
    const float scale = gradient_scale(norms[0], p.clip_norm), rate = hyper[4];
    if (scale < 0)
        return;
    FOR_PIECES(i) {
        const float decay = i < p.decayed ? p.weight_decay : 0.0f;
        const vec d = scale * g[i] + decay * w[i];
        const vec velocity = p.beta1 * v[i] + d;
        v[i] = velocity;
        w[i] -= rate * (p.variant ? d + p.beta1 * velocity : velocity);
    }
}

__kernel void adam_update(__global vec *w, __global const vec *g, __global vec *m, __global vec *v,
    __global const float *hyper, __global const float *norms, const update_params p) {
    const float scale = gradient_scale(norms[0], p.clip_norm), rate = hyper[4];
    if (scale < 0)
        return;
    FOR_PIECES(i) {
        const float decay = i < p.decayed ? p.weight_decay : 0.0f;
        const vec old = w[i];
        const vec d = scale * g[i] + (p.variant ? 0.0f : decay) * old;
        const vec first = p.beta1 * m[i] + (1.0f - p.beta1) * d;
        const vec second = p.beta2 * v[i] + (1.0f - p.beta2) * d * d;
        m[i] = first;
        v[i] = second;
        w[i] = old - rate * ((p.variant ? decay : 0.0f) * old +
                                first * hyper[5] / (sqrt(second * hyper[6]) + p.epsilon));
    }
}
