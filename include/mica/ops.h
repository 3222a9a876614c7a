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
MICA_API mica_value *mica_abs(mica_value *a);
MICA_API mica_value *mica_pow(mica_value *a, float exponent);    /* a >= 0 unless it is whole */
MICA_API mica_value *mica_minimum(mica_value *a, mica_value *b); /* of equals, the slope is a's */
MICA_API mica_value *mica_maximum(mica_value *a, mica_value *b);
MICA_API mica_value *mica_clip(mica_value *a, float low, float high); /* slope 1 at the ends */
MICA_API mica_value *mica_leaky_relu(mica_value *a, float slope);     /* a < 0: slope * a */
MICA_API mica_value *mica_elu(
    mica_value *a, float alpha);               /* a < 0: alpha * (exp(a) - 1); alpha >= 0 */
MICA_API mica_value *mica_gelu(mica_value *a); /* a * Phi(a), by erf: Hendrycks and Gimpel, 2016 */
MICA_API mica_value *mica_erf(mica_value *a);  /* 2 Phi(sqrt(2) a) - 1: the error function */
MICA_API mica_value *mica_silu(mica_value *a); /* a * sigmoid(a) */
MICA_API mica_value *mica_softplus(mica_value *a); /* log(1 + exp(a)), stable */
MICA_API mica_value *mica_hard_sigmoid(mica_value *a, float slope, float offset);
/* ^ min(max(slope * a + offset, 0), 1); MobileNetV3's and PyTorch's have slope 1/6, offset 0.5 */
MICA_API mica_value *mica_hard_swish(mica_value *a); /* a * hard_sigmoid(a, 1/6, 0.5) */
MICA_API mica_value *mica_hard_tanh(mica_value *a);  /* clip(a, -1, 1) */

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

/* ---- convolution; images are (batch, height, width, depth) ---- */

typedef enum mica_padding {
    MICA_VALID, /* none: windows that fit, ceil((H - F + 1) / S) of them */
    MICA_SAME,  /* as TensorFlow: ceil(H / S) windows; zeros, of an odd number the one more after */
    MICA_EXPLICIT /* `pad`: floor((H - F + P) / S) + 1 windows, P before and after together */
} mica_padding;

/* Zero means the default. F above is the reach of a filter with its dilation: (F - 1) * D + 1. */
typedef struct mica_conv2d_options {
    int64_t strides[4]; /* batch, height, width, depth; 0: 1. Those of batch and depth must be 1 */
    int64_t dilations[4]; /* the same order and rule */
    mica_padding padding;
    int64_t pad[4];    /* MICA_EXPLICIT: zeros at the top, bottom, left, right */
    int64_t groups;    /* 0: 1. Depth is cut into so many parts that do not see each other */
    int64_t output[2]; /* mica_conv2d_transpose: height and width of the result; 0: see there */
} mica_conv2d_options;

/* y[b,i,j,k] = sum_{u,v,c} x[b, i*S + u*D - P, j*S + v*D - P, c] * filter[u,v,c,k]: x (batch,
 * height, width, depth), filter (height, width, depth / groups, output depth) -> (batch, height,
 * width, output depth), the convolution of TensorFlow (cross-correlation). groups equal to depth is
 * the depthwise convolution. Add a bias with mica_bias_add: it and an activation are computed in
 * the same pass. options may be NULL. */
MICA_API mica_value *mica_conv2d(
    mica_value *x, mica_value *filter, const mica_conv2d_options *options);

/* The transpose of mica_conv2d with these options (its gradient in x), also called deconvolution:
 * x (batch, height, width, depth), filter (height, width, output depth / groups, depth) -> an image
 * that mica_conv2d would take to x's shape, by default of (H - 1) * S + F rows for VALID, H * S for
 * SAME, (H - 1) * S + F - P for EXPLICIT. Dumoulin and Visin, "A guide to convolution arithmetic",
 * 2016. A filter that the stride does not divide makes a checkerboard and adds a warning to the
 * graph (mica_graph_warning). options may be NULL. */
MICA_API mica_value *mica_conv2d_transpose(
    mica_value *x, mica_value *filter, const mica_conv2d_options *options);

/* ---- pooling (src/op/pool.c) ---- */
typedef struct mica_pool_options {
    int64_t ksize[4];   /* batch, height, width, depth, as TensorFlow; those of batch and depth 1
                           (or 0), of the others at least 1; a window reaches over 65535 at most */
    int64_t strides[4]; /* 0: 1 */
    int64_t dilations[4];
    mica_padding padding;
    int64_t pad[4]; /* MICA_EXPLICIT: top, bottom, left, right; smaller than the window's reach */
    bool ceil;      /* MICA_EXPLICIT: ceil instead of floor in the number of windows; a last
                       window that would begin behind the image is left out */
    bool count_padding; /* mica_avg_pool: divide by the elements in the image and the padding; what
                           `ceil` adds behind the padding never counts */
} mica_pool_options;

/* The largest number of each window; padding never wins. The gradient goes to the first of equal
 * numbers. (batch, height, width, depth) -> the same with fewer rows and columns. */
MICA_API mica_value *mica_max_pool(mica_value *x, const mica_pool_options *options);
/* The mean of each window, of those elements that are inside the image. */
MICA_API mica_value *mica_avg_pool(mica_value *x, const mica_pool_options *options);
/* (batch, height, width, depth) -> (batch, depth): the mean over height and width. */
MICA_API mica_value *mica_global_avg_pool(mica_value *x);

/* ---- normalization ---- */
typedef struct mica_batch_norm_options {
    float epsilon;  /* 0: 1e-5 */
    float momentum; /* what stays of the running statistics at each step; 0: 0.9 */
    bool frozen;    /* use the running statistics while training too, and leave them as they are */
} mica_batch_norm_options;

/* gamma * (x - m) / sqrt(v + epsilon) + beta, each channel (the last axis) for itself: while
 * training with the mean m and the (biased) variance v of the batch, which also move `mean` and
 * `variance` (momentum * old + (1 - momentum) * new, the new variance unbiased, n - 1); otherwise
 * with `mean` and `variance`. x (..., channels); the others (channels); mean and variance are
 * parameters, which it freezes. Ioffe and Szegedy, 2015. options may be NULL. */
MICA_API mica_value *mica_batch_norm(mica_value *x, mica_value *gamma, mica_value *beta,
    mica_value *mean, mica_value *variance, const mica_batch_norm_options *options);

/* gamma * (x - m) / sqrt(v + epsilon) + beta over the last axis of each sample; gamma and beta have
 * its size. epsilon 0: 1e-5. Ba, Kiros, Hinton, 2016. */
MICA_API mica_value *mica_layer_norm(
    mica_value *x, mica_value *gamma, mica_value *beta, float epsilon);

/* x_c / (bias + alpha * sum of x_d^2 for |d - c| <= radius)^beta over the last axis, as TensorFlow;
 * all 0: 5, 1, 1, 0.5. Krizhevsky et al., "ImageNet classification", 2012, section 3.3, which is 2,
 * 2, 1e-4, 0.75. options may be NULL. */
typedef struct mica_lrn_options {
    int64_t radius;
    float bias, alpha, beta;
} mica_lrn_options;
MICA_API mica_value *mica_local_response_norm(mica_value *x, const mica_lrn_options *options);

/* ---- images to other sizes ---- */
typedef enum mica_pad_mode {
    MICA_PAD_CONSTANT,
    MICA_PAD_REFLECT,   /* c b | a b c | b a: less than the size on each side */
    MICA_PAD_SYMMETRIC, /* b a | a b c | c b: at most the size on each side */
    MICA_PAD_EDGE       /* a a | a b c | c c */
} mica_pad_mode;

/* before[i] and after[i] elements more in dimension i; `number` is for MICA_PAD_CONSTANT. */
MICA_API mica_value *mica_pad(
    mica_value *x, const int64_t *before, const int64_t *after, mica_pad_mode mode, float number);

typedef enum mica_resize_method { MICA_NEAREST, MICA_BILINEAR } mica_resize_method;
typedef enum mica_resize_grid {
    MICA_HALF_PIXEL, /* source = (i + 0.5) * in / out - 0.5: TensorFlow's tf.image.resize, PyTorch's
                        align_corners=False; nearest is floor((i + 0.5) * in / out) */
    MICA_ALIGN_CORNERS, /* source = i * (in - 1) / (out - 1); nearest rounds halves up */
    MICA_ASYMMETRIC     /* source = i * in / out, nearest rounds down */
} mica_resize_grid;

/* (batch, height, width, depth) -> (batch, new height, new width, depth). Bilinear does not widen
 * its window when it shrinks (no antialiasing). Old times new height, and width, below 2^30. */
MICA_API mica_value *mica_resize(
    mica_value *x, int64_t height, int64_t width, mica_resize_method method, mica_resize_grid grid);

/* (b, h, w, c) -> (b, h/s, w/s, s*s*c): the s x s pixels of a block behind each other in depth, row
 * by row; and back. */
MICA_API mica_value *mica_space_to_depth(mica_value *x, int64_t block);
MICA_API mica_value *mica_depth_to_space(mica_value *x, int64_t block);

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

/* -t*log(p) - (1-t)*log(1-p), elementwise; probabilities p and targets t in 0..1, of the same
 * shape. Each logarithm is at least -100, as in PyTorch. Not differentiable in targets. */
MICA_API mica_value *mica_binary_cross_entropy(mica_value *probabilities, mica_value *targets);

/* mean((a - b)^2) and mean(|a - b|) over everything: scalars. */
MICA_API mica_value *mica_mean_squared_error(mica_value *a, mica_value *b);
MICA_API mica_value *mica_mean_absolute_error(mica_value *a, mica_value *b);

/* One-hot rows (..., classes) to (1 - amount) * row + amount / classes: Szegedy et al., "Rethinking
 * the inception architecture", 2016. */
MICA_API mica_value *mica_smooth_labels(mica_value *one_hot, float amount);

/* The divergence from the unit normal of normals with `mean` and exp(log_variance), both (batch,
 * n): (batch), -1/2 sum(1 + log_variance - mean^2 - exp(log_variance)). Kingma and Welling, 2014.
 */
MICA_API mica_value *mica_kl_divergence(mica_value *mean, mica_value *log_variance);

/* 0.5 * beta * sum(w^2): a scalar, added to a loss. */
MICA_API mica_value *mica_l2_penalty(mica_value *w, float beta);

/* ---- classes ---- */
/* int32 (...) -> float32 (..., classes): 1 at the class, 0 elsewhere, all 0 where out of range. */
MICA_API mica_value *mica_one_hot(mica_value *labels, int64_t classes);
/* float32 (..., classes) -> int32 (...): the place of the largest, the first of equals (NaN counts
 * as largest). Not differentiable. */
MICA_API mica_value *mica_argmax(mica_value *a);
/* The k largest numbers of the last axis in descending order, of equals the first (NaN counts as
 * largest): float32 (..., n) -> (..., k), and in *places, which may be NULL, their places, int32
 * (..., k). k is at most n and 1024. Not differentiable. */
MICA_API mica_value *mica_top_k(mica_value *a, int64_t k, mica_value **places);
/* The same for rows that come in parts: the k largest of `best` and a part together. best (..., k)
 * in descending order and ids (..., k) are what was found before, a (..., n) the part, whose
 * numbers are called first, first + 1, ...; first (1). Of equals the lower id comes first.
 * *merged_ids (..., k) go with the result. All float32: ids are whole numbers below 2^24. Not
 * differentiable. */
MICA_API mica_value *mica_top_k_merge(
    mica_value *best, mica_value *ids, mica_value *a, mica_value *first, mica_value **merged_ids);
/* The fraction of samples whose argmax of logits is the label (int32): a float32 scalar. Not
 * differentiable. */
MICA_API mica_value *mica_accuracy(mica_value *logits, mica_value *labels);

/* ---- sparse rows ---- */
/* Compressed sparse rows made dense: y[r][column[i]] = value[i] for start[r] <= i < start[r + 1],
 * else 0; value NULL stands for 1. start int32 (rows + 1), column int32 (n), value float32 (n) ->
 * (rows, columns). What lies outside is passed over; of a column given twice the last counts. Not
 * differentiable. */
MICA_API mica_value *mica_csr_dense(
    mica_value *start, mica_value *column, mica_value *value, int64_t columns);

/* ---- regularization ---- */
/* While training each element is kept with probability keep_prob in (0, 1] and divided by it, else
 * 0; when evaluating it passes through. Srivastava et al., "Dropout", 2014. The mask is Philox of
 * (step, node, element). */
MICA_API mica_value *mica_dropout(mica_value *a, float keep_prob);

/* Random numbers, when evaluating too, by Philox of (step, node, element): the same on every
 * device, others after each update; runs between two updates repeat them. Normal: mean 0, deviation
 * 1 (Box and Muller, 1958). Uniform: 0 <= u < 1. */
MICA_API mica_value *mica_random_normal(mica_graph *graph, mica_shape shape);
MICA_API mica_value *mica_random_uniform(mica_graph *graph, mica_shape shape);
/* mean + exp(log_variance / 2) * random normal, of their shape: the reparameterization of Kingma
 * and Welling, "Auto-encoding variational Bayes", 2014. */
MICA_API mica_value *mica_gaussian_sample(mica_value *mean, mica_value *log_variance);

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
