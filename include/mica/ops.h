/* The operators: each adds a node to its inputs' graph and returns its value, or NULL (see
 * mica_graph_status). All are differentiable in their float32 inputs unless said otherwise. Numbers
 * are float32 with float32 accumulation. Rules of shapes: two-input elementwise operators broadcast
 * as NumPy does (dimensions align at the right; 1 stretches); an axis may be negative, counting
 * from the last. */
#ifndef MICA_OPS_H
#define MICA_OPS_H

#include <mica/graph.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- elementwise (src/op/elementwise.c) ---- */
MICA_API mica_value *mica_add(mica_value *a, mica_value *b);
MICA_API mica_value *mica_sub(mica_value *a, mica_value *b);
MICA_API mica_value *mica_mul(mica_value *a, mica_value *b);
MICA_API mica_value *mica_div(mica_value *a, mica_value *b);
MICA_API mica_value *mica_scale(mica_value *a, float factor); /* factor * a */
MICA_API mica_value *mica_square(mica_value *a);
MICA_API mica_value *mica_sqrt(mica_value *a);
MICA_API mica_value *mica_neg(mica_value *a);
MICA_API mica_value *mica_relu(mica_value *a);    /* max(a, 0); slope 0 at 0 */
MICA_API mica_value *mica_sigmoid(mica_value *a); /* 1 / (1 + exp(-a)) */
MICA_API mica_value *mica_tanh(mica_value *a);
MICA_API mica_value *mica_exp(mica_value *a);
MICA_API mica_value *mica_log(mica_value *a); /* natural */

/* ---- matrix product (src/op/matmul.c) ---- */
typedef struct mica_matmul_options {
    bool transpose_a, transpose_b; /* of the last two dimensions */
} mica_matmul_options;

/* op(a) op(b) over the last two dimensions: (..., m, k) x (..., k, n) -> (..., m, n); the leading
 * dimensions are equal, or absent on one side, which is then used for every batch. options may be
 * NULL. */
MICA_API mica_value *mica_matmul(mica_value *a, mica_value *b, const mica_matmul_options *options);

/* a + bias, bias of the size of a's last dimension. */
MICA_API mica_value *mica_bias_add(mica_value *a, mica_value *bias);

/* ---- softmax and losses; the class axis is the last ---- */
MICA_API mica_value *mica_softmax(mica_value *logits);
MICA_API mica_value *mica_log_softmax(mica_value *logits);

/* Per-sample loss -log softmax(logits)[label]: logits (..., classes); labels int32 (...) of class
 * numbers, or float32 (..., classes) of probabilities (one-hot). Result (...). Not differentiable
 * in labels. A class number out of range gives NaN. */
MICA_API mica_value *mica_softmax_cross_entropy(mica_value *logits, mica_value *labels);

/* max(x,0) - x*t + log(1 + exp(-|x|)), elementwise; targets t in 0..1, of the same shape. Not
 * differentiable in targets. */
MICA_API mica_value *mica_sigmoid_cross_entropy(mica_value *logits, mica_value *targets);

/* mean((a - b)^2) over everything: a scalar. */
MICA_API mica_value *mica_mean_squared_error(mica_value *a, mica_value *b);

/* 0.5 * beta * sum(w^2): a scalar, added to a loss. */
MICA_API mica_value *mica_l2_penalty(mica_value *w, float beta);

/* ---- classes ---- */
/* int32 (...) -> float32 (..., classes): 1 at the class, 0 elsewhere, all 0 where out of range. */
MICA_API mica_value *mica_one_hot(mica_value *labels, int64_t classes);
/* float32 (..., classes) -> int32 (...): the place of the largest, the first of equals (NaN counts
 * as largest). Not differentiable. */
MICA_API mica_value *mica_argmax(mica_value *a);
/* The fraction of samples whose argmax of logits is the label (int32): a float32 scalar. Not
 * differentiable. */
MICA_API mica_value *mica_accuracy(mica_value *logits, mica_value *labels);

/* ---- regularization ---- */
/* While training each element is kept with probability keep_prob in (0, 1] and divided by it, else
 * 0; when evaluating it passes through. Srivastava et al., "Dropout", 2014. The mask is Philox of
 * (step, node, element). */
MICA_API mica_value *mica_dropout(mica_value *a, float keep_prob);

/* ---- reductions over axes. count 0 with axes NULL: over all. keep: reduced axes stay as 1 ---- */
MICA_API mica_value *mica_sum(mica_value *a, const int *axes, int count, bool keep);
MICA_API mica_value *mica_mean(mica_value *a, const int *axes, int count, bool keep);
/* The gradient goes to the first of equal maxima. */
MICA_API mica_value *mica_max(mica_value *a, const int *axes, int count, bool keep);
/* sqrt(sum(a^2)) over everything: a scalar; slope 0 where it is 0. */
MICA_API mica_value *mica_norm(mica_value *a);

/* ---- shapes; they take float32 and int32 ---- */
MICA_API mica_value *mica_broadcast(mica_value *a, mica_shape shape);
/* One size of -1 is worked out. Costs nothing: the memory is shared. */
MICA_API mica_value *mica_reshape(mica_value *a, int rank, const int64_t *dim);
/* Result dimension i is dimension order[i] of a; order NULL reverses all. */
MICA_API mica_value *mica_transpose(mica_value *a, const int *order);
MICA_API mica_value *mica_concat(mica_value *const *values, int count, int axis);
/* a[begin_i : begin_i + size_i] in each dimension; a size of -1 means up to the end. */
MICA_API mica_value *mica_slice(mica_value *a, const int64_t *begin, const int64_t *size);

#ifdef __cplusplus
}
#endif
#endif
