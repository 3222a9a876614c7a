/* broadcast: y = a, stretched to a larger shape by NumPy's rule: dimensions align at the right; one
 * of size 1, or one that a lacks, repeats a. Backward: the sum over what was stretched.
 *
 * Elementwise kernels read stretched inputs where they lie (mica_stretch), so a broadcast is the
 * elementwise program without steps, and is absorbed by elementwise nodes that use it. */
#include "op/broadcast.h"

#include "base/error.h"
#include "op/elementwise.h"

#include <mica/ops.h>

typedef struct broadcast_attrs {
    mica_shape shape;
} broadcast_attrs;

/* The size of dimension i from the right; 1 where there is none. */
static int64_t from_right(mica_shape shape, int i) {
    return i < shape.rank ? shape.dim[shape.rank - 1 - i] : 1;
}

bool mica_broadcast_shape(mica_shape a, mica_shape b, mica_shape *out) {
    out->rank = a.rank > b.rank ? a.rank : b.rank;
    for (int i = 0; i < out->rank; i++) {
        int64_t m = from_right(a, i), n = from_right(b, i);
        if (m != n && m != 1 && n != 1)
            return false;
        out->dim[out->rank - 1 - i] = m == 1 ? n : m;
    }
    return true;
}

static bool stretches(mica_shape in, mica_shape out) {
    mica_shape both;
    return mica_broadcast_shape(in, out, &both) && mica_shape_equal(both, out);
}

bool mica_stretch_of(mica_shape in, mica_shape out, mica_stretch *stretch) {
    if (!stretches(in, out))
        return false;
    /* Sizes of the runs from the inside: kept at even places, stretched at odd ones. */
    int64_t size[MICA_MAX_RANK + 1] = {1};
    int last = 0;
    for (int i = 0; i < out.rank; i++) {
        int64_t n = from_right(out, i);
        if (n == 1)
            continue;
        bool stretched = from_right(in, i) == 1;
        if (last % 2 != stretched)
            size[++last] = 1;
        size[last] *= n;
    }
    if (last > 3)
        return false;
    *stretch = (mica_stretch){
        .inner = (uint32_t)size[0],
        .div = (uint32_t)(size[0] * (last >= 1 ? size[1] : 1)),
        .mod = (uint32_t)(last >= 2 ? size[2] : 1),
    };
    return true;
}

mica_value *mica_unbroadcast(mica_value *gradient, mica_shape shape) {
    if (!gradient || mica_shape_equal(gradient->shape, shape))
        return gradient;
    mica_shape from = gradient->shape;
    int axes[MICA_MAX_RANK], count = 0;
    int absent = from.rank - shape.rank;
    for (int i = 0; i < from.rank; i++)
        if (from_right(shape, from.rank - 1 - i) != from.dim[i])
            axes[count++] = i;
    /* Where just the dimensions that the value lacks were stretched, the sum drops them itself. */
    bool drops = count == absent && (count == 0 || axes[count - 1] < absent);
    if (count)
        gradient = mica_sum(gradient, axes, count, !drops);
    if (!gradient || mica_shape_equal(gradient->shape, shape))
        return gradient;
    return mica_reshape(gradient, shape.rank, shape.dim);
}

static mica_status broadcast_infer(mica_node *node) {
    const broadcast_attrs *attrs = node->attrs;
    const mica_value *in = node->in[0];
    char have[96], want[96];
    if (!stretches(in->shape, attrs->shape))
        return mica_fail(MICA_E_INVALID,
            "the shape %s of %s does not stretch to %s: sizes, aligned at the right, must be equal "
            "or 1",
            mica_shape_text(in->shape, have, sizeof have), in->name,
            mica_shape_text(attrs->shape, want, sizeof want));
    node->out[0]->dtype = in->dtype;
    node->out[0]->shape = attrs->shape;
    return MICA_OK;
}

static void broadcast_grad(
    mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    if (needs[0])
        din[0] = mica_unbroadcast(dout[0], node->in[0]->shape);
}

const mica_op mica_op_broadcast = {
    .name = "broadcast",
    .attrs_size = sizeof(broadcast_attrs),
    .infer = broadcast_infer,
    .grad = broadcast_grad,
    .plan = mica_elementwise_plan,
    .absorb = mica_elementwise_absorb,
    .is_free = true,
};

/* What is too intricate for one mica_stretch is stretched in two steps, its innermost part first.
 */
mica_value *mica_broadcast(mica_value *a, mica_shape shape) {
    if (!a)
        return NULL;
    mica_stretch stretch;
    if (mica_shape_count(shape) > 0 && stretches(a->shape, shape) &&
        !mica_stretch_of(a->shape, shape, &stretch)) {
        mica_shape part = shape;
        bool entered = false, left = false;
        for (int i = 0; i < shape.rank; i++) {
            int64_t n = from_right(shape, i), own = from_right(a->shape, i);
            bool stretched = own == 1 && n != 1;
            left = left || (entered && own != 1);
            entered = entered || stretched;
            if (stretched && left)
                part.dim[shape.rank - 1 - i] = 1;
        }
        return mica_broadcast(mica_broadcast(a, part), shape);
    }
    broadcast_attrs attrs = {shape};
    return mica_node_build(&mica_op_broadcast, &attrs, &a, 1);
}
