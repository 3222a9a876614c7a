/* Losses that are made of other operators. */
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
