/* Blocks of pixels to depth and back, as reshapes around a transpose that swaps the columns of
 * blocks with the rows of a block:
 *
 *     (b, h, w, c) = (b, h/s, s, w/s, s*c) <-> (b, h/s, w/s, s, s*c) = (b, h/s, w/s, s*s*c) */
#include "base/error.h"
#include "graph/graph_impl.h"

#include <mica/ops.h>

static mica_value *refuse(const mica_value *x, const char *name, const char *what, int64_t block) {
    char text[96];
    return mica_graph_failed(x->node->graph,
        mica_fail(MICA_E_INVALID,
            "%s: wanted images (batch, height, width, depth) with %s of a block of %lld, but the "
            "shape of %s is %s",
            name, what, (long long)block, x->name, mica_shape_text(x->shape, text, sizeof text)));
}

mica_value *mica_space_to_depth(mica_value *x, int64_t block) {
    if (!x)
        return NULL;
    const int64_t *dim = x->shape.dim;
    if (x->shape.rank != 4 || block < 1 || dim[1] % block || dim[2] % block)
        return refuse(
            x, "space_to_depth", "a height and a width that are multiples of the side", block);
    const int64_t h = dim[1] / block, w = dim[2] / block;
    mica_value *y = mica_reshape(x, 5, (int64_t[]){dim[0], h, block, w, block * dim[3]});
    y = mica_transpose(y, (int[]){0, 1, 3, 2, 4});
    return mica_reshape(y, 4, (int64_t[]){dim[0], h, w, -1});
}

mica_value *mica_depth_to_space(mica_value *x, int64_t block) {
    if (!x)
        return NULL;
    const int64_t *dim = x->shape.dim;
    /* a depth is below 2^31, so that the first test keeps the square from overflowing */
    if (x->shape.rank != 4 || block < 1 || block > dim[3] || dim[3] % (block * block))
        return refuse(x, "depth_to_space", "a depth that is a multiple of the pixels", block);
    const int64_t row = dim[3] / block;
    mica_value *y = mica_reshape(x, 5, (int64_t[]){dim[0], dim[1], dim[2], block, row});
    y = mica_transpose(y, (int[]){0, 1, 3, 2, 4});
    return mica_reshape(y, 4, (int64_t[]){dim[0], dim[1] * block, dim[2] * block, -1});
}
