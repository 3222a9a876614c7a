/* Matrix products. */
#include "onnx/build.h"

#include <string.h>

/* A factor of Gemm, transposed as asked: a stored one once, at load, so that it is (in, out). */
static mica_value *factor(mica_onnx_call *call, mica_onnx_value *value, bool transposed) {
    if (!mica_onnx_floating(call, value))
        return NULL;
    if (value->rank != 2) {
        mica_onnx_refuse(call, "a factor of %d dimensions, expected 2", value->rank);
        return NULL;
    }
    return transposed ? mica_onnx_arranged(call, value, 2, value->dim, (int[]){1, 0})
                      : mica_onnx_plain(call, value);
}

/* alpha * op(a) op(b) + beta * c */
static mica_status gemm(mica_onnx_call *call) {
    mica_onnx_value *a = mica_onnx_in(call, 0), *b = mica_onnx_in(call, 1);
    mica_onnx_value *c = mica_onnx_in(call, 2);
    float alpha = (float)mica_onnx_float(call, "alpha", 1);
    float beta = (float)mica_onnx_float(call, "beta", 1);
    bool ta = mica_onnx_int(call, "transA", 0) != 0, tb = mica_onnx_int(call, "transB", 0) != 0;
    if (call->opset < 7)
        mica_onnx_int(call, "broadcast", 0);
    mica_value *x = factor(call, a, ta), *w = factor(call, b, tb);
    mica_value *y = mica_matmul(x, w, NULL);
    if (alpha != 1)
        y = mica_scale(y, alpha);
    if (!c || beta == 0 || !y)
        return mica_onnx_give(call, 0, y);
    if (!mica_onnx_floating(call, c))
        return call->status;
    mica_shape shape = mica_value_shape(y);
    mica_value *bias = mica_onnx_plain(call, c);
    if (beta != 1)
        bias = mica_scale(bias, beta);
    bool row = c->rank == 1 && c->dim[0] == shape.dim[1];
    return mica_onnx_give(call, 0, row ? mica_bias_add(y, bias) : mica_add(y, bias));
}

/* Stretches the leading dimensions of a factor to those of the result. */
static mica_value *stretched(mica_value *x, int lead, const int64_t *dim) {
    mica_shape shape = mica_value_shape(x), wanted = shape;
    if (!x || shape.rank == 2)
        return x;
    wanted.rank = lead + 2;
    memcpy(wanted.dim, dim, (size_t)lead * sizeof *dim);
    memcpy(wanted.dim + lead, shape.dim + shape.rank - 2, 2 * sizeof *dim);
    return mica_shape_equal(shape, wanted) ? x : mica_broadcast(x, wanted);
}

/* As NumPy's matmul: vectors are a row on the left, a column on the right. */
static mica_status matmul(mica_onnx_call *call) {
    mica_onnx_value *a = mica_onnx_in(call, 0), *b = mica_onnx_in(call, 1);
    if (!mica_onnx_floating(call, a) || !mica_onnx_floating(call, b))
        return call->status;
    int lead = 0, rank_a = a->rank < 2 ? 2 : a->rank, rank_b = b->rank < 2 ? 2 : b->rank;
    int64_t dim[MICA_ONNX_MAX_RANK];
    if (!a->rank || !b->rank || rank_a > MICA_MAX_RANK || rank_b > MICA_MAX_RANK ||
        !mica_onnx_broadcast(rank_a - 2, a->dim, rank_b - 2, b->dim, &lead, dim))
        return mica_onnx_refuse(call, "the shapes of its factors do not fit each other");
    mica_value *x = mica_onnx_plain(call, a), *w = mica_onnx_plain(call, b);
    if (a->rank == 1)
        x = mica_onnx_shaped(x, 2, (int64_t[]){1, a->dim[0]});
    if (b->rank == 1)
        w = mica_onnx_shaped(w, 2, (int64_t[]){b->dim[0], 1});
    mica_value *y = mica_matmul(stretched(x, lead, dim), stretched(w, lead, dim), NULL);
    if (!y || (a->rank > 1 && b->rank > 1))
        return mica_onnx_give(call, 0, y);
    mica_shape shape = mica_value_shape(y);
    if (b->rank == 1)
        shape.rank--;
    if (a->rank == 1) {
        shape.dim[shape.rank - (b->rank > 1 ? 2 : 1)] = shape.dim[shape.rank - 1];
        shape.rank--;
    }
    return mica_onnx_give(call, 0, mica_onnx_shaped(y, shape.rank, shape.dim));
}

const mica_onnx_operator mica_onnx_matrix_operators[] = {
    {"Gemm", gemm, .least_in = 2},
    {"MatMul", matmul, .least_in = 2},
    {0},
};
