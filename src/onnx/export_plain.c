/* Writers of operators that keep the order of dimensions: matrix products, softmax, shapes,
 * reductions, lookups. */
#include "onnx/export.h"
#include "op/attributes.h"

#include <string.h>

/* ---- matrices ---- */

/* A factor of more dimensions, with its last two exchanged if asked. */
static const char *factor(mica_onnx_writer *w, mica_value *value, bool transposed) {
    const char *name = mica_onnx_own(w, value);
    if (!transposed)
        return name;
    int64_t order[MICA_MAX_RANK];
    const int rank = value->shape.rank;
    for (int i = 0; i < rank; i++)
        order[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    const char *turned = mica_onnx_between(w, value);
    mica_onnx_pb_node *node = mica_onnx_put(w, "Transpose", turned, MICA_ONNX_IN(name));
    mica_onnx_put_ints(w, node, "perm", rank, order);
    return turned;
}

static void matmul(mica_onnx_writer *w, const mica_node *node) {
    const mica_matmul_attrs *attrs = node->attrs;
    mica_value *a = node->in[0], *b = node->in[1], *y = node->out[0];
    if (a->shape.rank == 2 && b->shape.rank == 2) {
        const char *in[8] = {mica_onnx_own(w, a), mica_onnx_own(w, b)};
        mica_onnx_pb_node *gemm = mica_onnx_put(w, "Gemm", mica_onnx_gives(w, y, false), in);
        if (attrs->ta)
            mica_onnx_put_int(w, gemm, "transA", 1);
        if (attrs->tb)
            mica_onnx_put_int(w, gemm, "transB", 1);
        mica_onnx_biasable(w, y, gemm);
        return;
    }
    const char *in[8] = {factor(w, a, attrs->ta), factor(w, b, attrs->tb)};
    mica_onnx_put(w, "MatMul", mica_onnx_gives(w, y, false), in);
}

/* ---- the last axis ---- */

static void softmax(mica_onnx_writer *w, const mica_node *node) {
    const mica_softmax_attrs *attrs = node->attrs;
    const char *x = mica_onnx_own(w, node->in[0]);
    mica_onnx_pb_node *made = mica_onnx_put(w, attrs->log ? "LogSoftmax" : "Softmax",
        mica_onnx_gives(w, node->out[0], false), MICA_ONNX_IN(x));
    mica_onnx_put_int(w, made, "axis", -1);
}

static void layer_norm(mica_onnx_writer *w, const mica_node *node) {
    const mica_layer_norm_attrs *attrs = node->attrs;
    const char *in[8] = {mica_onnx_own(w, node->in[0]), mica_onnx_own(w, node->in[1]),
        mica_onnx_own(w, node->in[2])};
    mica_onnx_pb_node *made =
        mica_onnx_put(w, "LayerNormalization", mica_onnx_gives(w, node->out[0], false), in);
    mica_onnx_put_int(w, made, "axis", -1);
    mica_onnx_put_float(w, made, "epsilon", attrs->epsilon);
}

/* Classes are int32 here and int64 there. */
static void argmax(mica_onnx_writer *w, const mica_node *node) {
    const char *wide = mica_onnx_between(w, node->out[0]);
    const char *x = mica_onnx_own(w, node->in[0]);
    mica_onnx_pb_node *made = mica_onnx_put(w, "ArgMax", wide, MICA_ONNX_IN(x));
    mica_onnx_put_int(w, made, "axis", -1);
    mica_onnx_put_int(w, made, "keepdims", 0);
    made = mica_onnx_put(w, "Cast", mica_onnx_gives(w, node->out[0], false), MICA_ONNX_IN(wide));
    mica_onnx_put_int(w, made, "to", 6); /* TensorProto.INT32 */
}

/* ---- lookups ---- */

static void embedding(mica_onnx_writer *w, const mica_node *node) {
    const char *in[8] = {mica_onnx_own(w, node->in[0]), mica_onnx_own(w, node->in[1])};
    mica_onnx_pb_node *made =
        mica_onnx_put(w, "Gather", mica_onnx_gives(w, node->out[0], false), in);
    mica_onnx_put_int(w, made, "axis", 0);
}

static void one_hot(mica_onnx_writer *w, const mica_node *node) {
    mica_value *y = node->out[0];
    const char *name =
        mica_onnx_one_hot_put(w, mica_onnx_own(w, node->in[0]), y, y->shape.dim[y->shape.rank - 1]);
    mica_onnx_put(w, "Identity", mica_onnx_gives(w, y, false), MICA_ONNX_IN(name));
}

const char *mica_onnx_one_hot_put(
    mica_onnx_writer *w, const char *ids, const mica_value *like, int64_t classes) {
    const char *wide = mica_onnx_between(w, like), *rows = mica_onnx_between(w, like);
    mica_onnx_pb_node *cast = mica_onnx_put(w, "Cast", wide, MICA_ONNX_IN(ids));
    mica_onnx_put_int(w, cast, "to", 7); /* TensorProto.INT64 */
    const char *depth = mica_onnx_integers_stored(w, like, 1, &classes);
    const char *values = mica_onnx_floats_stored(w, like, 1, (int64_t[]){2}, (float[]){0, 1});
    mica_onnx_put(w, "OneHot", rows, MICA_ONNX_IN(wide, depth, values));
    return rows;
}

/* ---- shapes ---- */

/* Sizes that stay are 0, so that they are the input's, whatever it is. */
static void reshape(mica_onnx_writer *w, const mica_node *node) {
    const mica_shape from = node->in[0]->shape, to = node->out[0]->shape;
    const char *x = mica_onnx_own(w, node->in[0]);
    if (mica_shape_equal(from, to)) {
        mica_onnx_same(w, node->out[0], node->in[0]);
        return;
    }
    int64_t dim[MICA_MAX_RANK];
    bool same = true;
    for (int i = 0; i < to.rank; i++) {
        same = same && i < from.rank && from.dim[i] == to.dim[i];
        dim[i] = same ? 0 : to.dim[i];
    }
    const char *shape = mica_onnx_integers_stored(w, node->out[0], to.rank, dim);
    mica_onnx_put(w, "Reshape", mica_onnx_gives(w, node->out[0], false), MICA_ONNX_IN(x, shape));
}

static void transpose(mica_onnx_writer *w, const mica_node *node) {
    const mica_transpose_attrs *attrs = node->attrs;
    int64_t order[MICA_MAX_RANK];
    for (int i = 0; i < node->out[0]->shape.rank; i++)
        order[i] = attrs->order[i];
    const char *x = mica_onnx_own(w, node->in[0]);
    mica_onnx_pb_node *made =
        mica_onnx_put(w, "Transpose", mica_onnx_gives(w, node->out[0], false), MICA_ONNX_IN(x));
    mica_onnx_put_ints(w, made, "perm", node->out[0]->shape.rank, order);
}

static void broadcast(mica_onnx_writer *w, const mica_node *node) {
    const mica_shape *to = &node->out[0]->shape;
    const char *x = mica_onnx_own(w, node->in[0]);
    const char *shape = mica_onnx_integers_stored(w, node->out[0], to->rank, to->dim);
    mica_onnx_put(w, "Expand", mica_onnx_gives(w, node->out[0], false), MICA_ONNX_IN(x, shape));
}

static void concat(mica_onnx_writer *w, const mica_node *node) {
    const mica_concat_attrs *attrs = node->attrs;
    bool first = false;
    for (int i = 0; i < node->n_in; i++)
        first = first || mica_onnx_only_first(w, node->in[i]);
    mica_onnx_pb_node *made =
        mica_onnx_put(w, "Concat", mica_onnx_gives(w, node->out[0], first), MICA_ONNX_IN(NULL));
    for (int i = 0; i < node->n_in; i++)
        mica_onnx_put_input(
            w, made, first ? mica_onnx_first(w, node->in[i]) : mica_onnx_own(w, node->in[i]));
    mica_onnx_put_int(w, made, "axis", first ? mica_onnx_first_place(attrs->axis) : attrs->axis);
}

static void slice(mica_onnx_writer *w, const mica_node *node) {
    const mica_slice_attrs *attrs = node->attrs;
    const mica_value *x = node->in[0], *y = node->out[0];
    const bool first = mica_onnx_only_first(w, x);
    int64_t begins[MICA_MAX_RANK], ends[MICA_MAX_RANK], axes[MICA_MAX_RANK];
    int count = 0;
    for (int i = 0; i < x->shape.rank; i++) {
        if (y->shape.dim[i] == x->shape.dim[i])
            continue;
        begins[count] = attrs->begin[i];
        ends[count] = attrs->begin[i] + y->shape.dim[i];
        axes[count++] = first ? mica_onnx_first_place(i) : i;
    }
    if (!count) {
        mica_onnx_same(w, y, node->in[0]);
        return;
    }
    const char *in[8] = {first ? mica_onnx_first(w, node->in[0]) : mica_onnx_own(w, node->in[0]),
        mica_onnx_integers_stored(w, y, count, begins),
        mica_onnx_integers_stored(w, y, count, ends), mica_onnx_integers_stored(w, y, count, axes)};
    mica_onnx_put(w, "Slice", mica_onnx_gives(w, y, first), in);
}

static void pad(mica_onnx_writer *w, const mica_node *node) {
    static const char *const modes[] = {
        [MICA_PAD_CONSTANT] = "constant", [MICA_PAD_REFLECT] = "reflect", [MICA_PAD_EDGE] = "edge"};
    const mica_pad_attrs *attrs = node->attrs;
    const mica_value *x = node->in[0], *y = node->out[0];
    if (attrs->mode == MICA_PAD_SYMMETRIC) {
        mica_onnx_cannot(w, node, "ONNX has no symmetric padding");
        return;
    }
    const bool first = mica_onnx_only_first(w, x);
    const int rank = x->shape.rank;
    int64_t pads[2 * MICA_MAX_RANK];
    for (int i = 0; i < rank; i++) {
        const int place = first ? mica_onnx_first_place(i) : i;
        pads[place] = attrs->before[i];
        pads[rank + place] = attrs->after[i];
    }
    const char *in[8] = {first ? mica_onnx_first(w, node->in[0]) : mica_onnx_own(w, node->in[0]),
        mica_onnx_integers_stored(w, y, 2 * rank, pads),
        mica_onnx_number_stored(w, y, attrs->number)};
    mica_onnx_pb_node *made = mica_onnx_put(w, "Pad", mica_onnx_gives(w, y, first), in);
    mica_onnx_put_text(w, made, "mode", modes[attrs->mode]);
}

/* Evaluating, it is not there. */
static void dropout(mica_onnx_writer *w, const mica_node *node) {
    mica_onnx_same(w, node->out[0], node->in[0]);
}

/* Other numbers than here, of the same distribution. */
static void random_numbers(mica_onnx_writer *w, const mica_node *node) {
    const mica_random_attrs *attrs = node->attrs;
    mica_value *y = node->out[0];
    mica_onnx_pb_node *made = mica_onnx_put(w, attrs->normal ? "RandomNormal" : "RandomUniform",
        mica_onnx_gives(w, y, false), MICA_ONNX_IN(NULL));
    mica_onnx_put_ints(w, made, "shape", y->shape.rank, y->shape.dim);
}

/* ---- reductions ---- */

/* A mean over axes that are no neighbours is a sum and then a scaled mean. */
static void reduce(mica_onnx_writer *w, const mica_node *node) {
    static const char *const ops[] = {[MICA_REDUCTION_SUM] = "ReduceSum",
        [MICA_REDUCTION_MEAN] = "ReduceSum",
        [MICA_REDUCTION_MAX] = "ReduceMax",
        [MICA_REDUCTION_SUM_SQUARES] = "ReduceSumSquare",
        [MICA_REDUCTION_NORM] = "ReduceL2"};
    const mica_reduce_attrs *attrs = node->attrs;
    mica_value *x = node->in[0], *y = node->out[0];
    /* without them, channels lie last in either order */
    const bool pixels = attrs->axes == (1u << 1 | 1u << 2) && mica_onnx_only_first(w, x);
    const bool first = pixels && attrs->keep;
    const char *in = pixels ? mica_onnx_first(w, x) : mica_onnx_own(w, x);
    int64_t axes[MICA_MAX_RANK], size = 1;
    int count = 0;
    for (int i = 0; i < x->shape.rank; i++)
        if (attrs->axes >> i & 1) {
            size *= x->shape.dim[i];
            axes[count++] = pixels ? mica_onnx_first_place(i) : i;
        }
    const bool mean = attrs->kind == MICA_REDUCTION_MEAN && attrs->scale == 1.0f / (float)size;
    const bool scaled = !mean && attrs->scale != 1;
    const char *op = mean ? "ReduceMean" : ops[attrs->kind];
    const char *name = mica_onnx_gives(w, y, first);
    const char *made_name = scaled ? mica_onnx_between(w, y) : name;
    mica_onnx_pb_node *made = mica_onnx_put(w, op, made_name, MICA_ONNX_IN(in));
    if (!strcmp(op, "ReduceSum")) /* of opset 13: axes are an input */
        mica_onnx_put_input(w, made, mica_onnx_integers_stored(w, y, count, axes));
    else
        mica_onnx_put_ints(w, made, "axes", count, axes);
    mica_onnx_put_int(w, made, "keepdims", attrs->keep);
    if (scaled)
        mica_onnx_put(
            w, "Mul", name, MICA_ONNX_IN(made_name, mica_onnx_number_stored(w, y, attrs->scale)));
}

const mica_onnx_written mica_onnx_written_plain[] = {
    {"argmax", argmax},
    {"broadcast", broadcast},
    {"concat", concat},
    {"dropout", dropout},
    {"elementwise", mica_onnx_write_elementwise},
    {"embedding", embedding},
    {"layer_norm", layer_norm},
    {"matmul", matmul},
    {"one_hot", one_hot},
    {"pad", pad},
    {"random", random_numbers},
    {"reduce", reduce},
    {"reshape", reshape},
    {"slice", slice},
    {"softmax", softmax},
    {"transpose", transpose},
    {0},
};
