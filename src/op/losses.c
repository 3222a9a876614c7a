/* Losses that are made of other operators. */
#include "base/error.h"
#include "op/elementwise.h"
#include "op/reduce.h"

#include <mica/ops.h>

mica_value *mica_mean_squared_error(mica_value *a, mica_value *b) {
    mica_value *difference = mica_sub(a, b);
    return difference
               ? mica_sum_squares(difference, 1.0f / (float)mica_shape_count(difference->shape))
               : NULL;
}

mica_value *mica_l2_penalty(mica_value *w, float beta) {
    return mica_sum_squares(w, 0.5f * beta);
}

mica_value *mica_mean_absolute_error(mica_value *a, mica_value *b) {
    return mica_mean(mica_abs(mica_sub(a, b)), NULL, 0, false);
}

mica_value *mica_smooth_labels(mica_value *one_hot, float amount) {
    if (!one_hot)
        return NULL;
    mica_shape shape = one_hot->shape;
    if (shape.rank < 1 || !(amount >= 0 && amount <= 1))
        return mica_graph_failed(mica_value_graph(one_hot),
            shape.rank < 1
                ? mica_fail(MICA_E_INVALID,
                      "smooth_labels: wanted rows of classes, but %s is a scalar", one_hot->name)
                : mica_fail(MICA_E_INVALID,
                      "smooth_labels: the amount must be in 0 .. 1, but is %g", (double)amount));
    return mica_shift(mica_scale(one_hot, 1 - amount), amount / (float)shape.dim[shape.rank - 1]);
}

mica_value *mica_kl_divergence(mica_value *mean, mica_value *log_variance) {
    if (!mean || !log_variance)
        return NULL;
    if (mean->shape.rank != 2 || !mica_shape_equal(mean->shape, log_variance->shape)) {
        char first[96], second[96];
        return mica_graph_failed(mica_value_graph(mean),
            mica_fail(MICA_E_INVALID,
                "kl_divergence: mean and log_variance must both be (batch, n), but their shapes "
                "are %s and %s",
                mica_shape_text(mean->shape, first, sizeof first),
                mica_shape_text(log_variance->shape, second, sizeof second)));
    }
    mica_value *second_moment = mica_add(mica_square(mean), mica_exp(log_variance));
    mica_value *excess = mica_shift(mica_sub(second_moment, log_variance), -1);
    return mica_scale(mica_sum(excess, (const int[]){1}, 1, false), 0.5f);
}
