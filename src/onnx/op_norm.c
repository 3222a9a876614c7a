/* Normalization, softmax and dropout. */
#include "onnx/build.h"

#include <float.h>
#include <string.h>

/* Mica's options read 0 as the default; this is as good as 0. */
static float not_zero(double number) {
    return number == 0 ? FLT_MIN : (float)number;
}

static mica_value *scalar(mica_onnx_call *call, double number) {
    return mica_full(call->graph, MICA_SCALAR, (float)number);
}

/* 1 / sqrt(x + epsilon) */
static mica_value *inverse_root(mica_onnx_call *call, mica_value *x, double epsilon) {
    return mica_pow(mica_sqrt(mica_add(x, scalar(call, epsilon))), -1);
}

/* ---- batch normalization ---- */

/* Statistics that the file stores are the layer's running ones; others take part as values. */
static bool is_own(const mica_onnx_value *value) {
    return value->weight && (!value->source || value->plain == value->source);
}

static mica_status batch_norm(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0), *in[4];
    double epsilon = mica_onnx_float(call, "epsilon", 1e-5f);
    double momentum = mica_onnx_float(call, "momentum", 0.9f);
    bool training = mica_onnx_int(call, "training_mode", 0) != 0;
    if (call->opset < 7)
        training = mica_onnx_int(call, "is_test", 0) == 0;
    if (training)
        return mica_onnx_refuse(call, "it is in training mode; export the network for inference");
    if (call->opset < 9 && mica_onnx_int(call, "spatial", 1) != 1)
        return mica_onnx_refuse(call, "statistics for each pixel (spatial is 0)");
    if (x->rank < 2 || !mica_onnx_floating(call, x))
        return mica_onnx_refuse(call, "its input has %d dimensions", x->rank);
    mica_value *values[4];
    for (int i = 0; i < 4; i++) {
        in[i] = mica_onnx_in(call, i + 1);
        if (!mica_onnx_floating(call, in[i]))
            return call->status;
        if (in[i]->rank != 1 || in[i]->dim[0] != x->dim[1])
            return mica_onnx_refuse(call,
                "\"%.100s\" is no list of a number for each of %lld "
                "channels",
                in[i]->name, (long long)x->dim[1]);
        values[i] = mica_onnx_plain(call, in[i]);
    }
    mica_value *y = mica_onnx_last(call, x);
    if (is_own(in[2]) && is_own(in[3])) {
        mica_batch_norm_options options = {
            not_zero(epsilon), not_zero(momentum), .frozen = call->frozen};
        y = mica_batch_norm(y, values[0], values[1], values[2], values[3], &options);
    } else {
        mica_value *slope = mica_mul(values[0], inverse_root(call, values[3], epsilon));
        y = mica_add(mica_mul(mica_sub(y, values[2]), slope), values[1]);
    }
    return mica_onnx_give_either(call, 0, y, x->rank > 2);
}

/* ---- other normalizations ---- */

static mica_status local_response(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    int64_t size = mica_onnx_int(call, "size", 0);
    double bias = mica_onnx_float(call, "bias", 1), alpha = mica_onnx_float(call, "alpha", 1e-4f);
    double beta = mica_onnx_float(call, "beta", 0.75f);
    if (size < 1 || size % 2 == 0 || size > 65535 || bias == 0 || beta == 0)
        return mica_onnx_refuse(
            call, "size %lld (odd ones are there), bias %g, beta %g", (long long)size, bias, beta);
    if (x->rank < 3 || !mica_onnx_floating(call, x))
        return mica_onnx_refuse(call, "its input is no image");
    /* radius 0 would be the default; a window of one channel is that of a larger one alone */
    if (size == 1)
        return mica_onnx_refuse(call, "a window of one channel");
    mica_lrn_options options = {.radius = (size - 1) / 2,
        .bias = (float)bias,
        .alpha = not_zero(alpha / (double)size),
        .beta = (float)beta};
    return mica_onnx_give_last(
        call, 0, mica_local_response_norm(mica_onnx_last(call, x), &options));
}

/* A parameter of a layer normalization as one row. */
static mica_value *row_of(mica_onnx_call *call, mica_onnx_value *value, int64_t size) {
    if (!mica_onnx_floating(call, value))
        return NULL;
    if (mica_onnx_value_count(value) != size) {
        mica_onnx_refuse(call, "\"%.100s\" has not the shape of what is normalized", value->name);
        return NULL;
    }
    return mica_onnx_arranged(call, value, 1, &size, (int[]){0});
}

/* Over the dimensions from `axis` on, which become one. */
static mica_status layer_norm(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0), *shift = mica_onnx_in(call, 2);
    int axis = mica_onnx_axis(call, mica_onnx_int(call, "axis", -1), x->rank);
    double epsilon = mica_onnx_float(call, "epsilon", 1e-5f);
    if (mica_onnx_int(call, "stash_type", 1) != 1)
        return mica_onnx_refuse(call, "stash_type is not 1");
    if (call->status != MICA_OK || !mica_onnx_floating(call, x))
        return call->status;
    int64_t outer = mica_onnx_count(axis, x->dim);
    int64_t size = mica_onnx_count(x->rank - axis, x->dim + axis);
    mica_value *in = mica_onnx_shaped(mica_onnx_plain(call, x), 2, (int64_t[]){outer, size});
    mica_value *gamma = row_of(call, mica_onnx_in(call, 1), size);
    mica_value *beta =
        shift ? row_of(call, shift, size) : mica_full(call->graph, MICA_SHAPE(size), 0);
    mica_value *y = mica_layer_norm(in, gamma, beta, not_zero(epsilon));
    MICA_TRY(mica_onnx_give(call, 0, mica_onnx_shaped(y, x->rank, x->dim)));
    if (!mica_onnx_wanted(call, 1) && !mica_onnx_wanted(call, 2))
        return MICA_OK;
    int64_t dim[MICA_ONNX_MAX_RANK];
    for (int i = 0; i < x->rank; i++)
        dim[i] = i < axis ? x->dim[i] : 1;
    mica_value *mean = mica_mean(in, (int[]){1}, 1, true);
    mica_value *variance = mica_mean(mica_square(mica_sub(in, mean)), (int[]){1}, 1, true);
    MICA_TRY(mica_onnx_give(call, 1, mica_onnx_shaped(mean, x->rank, dim)));
    return mica_onnx_give(
        call, 2, mica_onnx_shaped(inverse_root(call, variance, epsilon), x->rank, dim));
}

/* Each image and channel for itself. */
static mica_status instance_norm(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    double epsilon = mica_onnx_float(call, "epsilon", 1e-5f);
    if (x->rank < 3 || !mica_onnx_floating(call, x))
        return mica_onnx_refuse(call, "its input is no image");
    for (int i = 1; i < 3; i++)
        if (!mica_onnx_floating(call, mica_onnx_in(call, i)))
            return call->status;
    int axes[MICA_MAX_RANK], count = 0;
    for (int i = 1; i < x->rank - 1; i++)
        axes[count++] = i;
    mica_value *in = mica_onnx_last(call, x);
    mica_value *centred = mica_sub(in, mica_mean(in, axes, count, true));
    mica_value *variance = mica_mean(mica_square(centred), axes, count, true);
    mica_value *y = mica_mul(centred, inverse_root(call, variance, epsilon));
    y = mica_mul(y, mica_onnx_plain(call, mica_onnx_in(call, 1)));
    return mica_onnx_give_last(call, 0, mica_add(y, mica_onnx_plain(call, mica_onnx_in(call, 2))));
}

static mica_status mean_variance(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    uint32_t set = mica_onnx_axes(call, "axes", -1, x->rank, 1 | 4 | 8);
    int axes[MICA_ONNX_MAX_RANK], count = 0;
    bool last;
    if (!mica_onnx_floating(call, x) || call->status != MICA_OK)
        return call->status;
    if (set >> x->rank)
        return mica_onnx_refuse(call, "its input has %d dimensions, expected 4", x->rank);
    mica_value *in = mica_onnx_either(call, x, &last);
    for (int i = 0; i < x->rank; i++)
        if (set >> i & 1)
            axes[count++] = mica_onnx_place(x->rank, i, last);
    mica_value *centred = in ? mica_sub(in, mica_mean(in, axes, count, true)) : NULL;
    mica_value *variance = centred ? mica_mean(mica_square(centred), axes, count, true) : NULL;
    mica_value *deviation = mica_add(mica_sqrt(variance), scalar(call, 1e-9));
    return mica_onnx_give_either(call, 0, mica_div(centred, deviation), last);
}

/* ---- softmax ---- */

/* Applies a function of the last axis along `axis`; before opset 13, along all from it on. */
static mica_status along_axis(mica_onnx_call *call, mica_value *(*f)(mica_value *)) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    bool flat = call->opset < 13;
    int axis = mica_onnx_axis(call, mica_onnx_int(call, "axis", flat ? 1 : -1), x->rank);
    if (call->status != MICA_OK || !mica_onnx_floating(call, x))
        return call->status;
    if (flat && axis < x->rank - 1) {
        int64_t dim[2] = {
            mica_onnx_count(axis, x->dim), mica_onnx_count(x->rank - axis, x->dim + axis)};
        mica_value *y = f(mica_onnx_shaped(mica_onnx_plain(call, x), 2, dim));
        return mica_onnx_give(call, 0, y ? mica_onnx_shaped(y, x->rank, x->dim) : NULL);
    }
    if (axis == 1 && mica_onnx_is_last(x))
        return mica_onnx_give_last(call, 0, f(x->last));
    int order[MICA_MAX_RANK], back[MICA_MAX_RANK];
    mica_value *in = mica_onnx_plain(call, x);
    for (int i = 0; in && i < x->rank; i++) {
        order[i] = i < axis ? i : i < x->rank - 1 ? i + 1 : axis;
        back[order[i]] = i;
    }
    mica_value *y = in ? f(mica_onnx_transposed(in, order)) : NULL;
    return mica_onnx_give(call, 0, y ? mica_onnx_transposed(y, back) : NULL);
}

static mica_status softmax(mica_onnx_call *call) {
    return along_axis(call, mica_softmax);
}

static mica_status log_softmax(mica_onnx_call *call) {
    return along_axis(call, mica_log_softmax);
}

static mica_value *one_at_largest(mica_value *x) {
    mica_shape shape = mica_value_shape(x);
    return x ? mica_one_hot(mica_argmax(x), shape.dim[shape.rank - 1]) : NULL;
}

static mica_status hardmax(mica_onnx_call *call) {
    return along_axis(call, one_at_largest);
}

/* ---- dropout ---- */

static mica_status dropout(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    double ratio = mica_onnx_float(call, "ratio", 0.5);
    mica_onnx_int(call, "seed", 0);
    if (call->opset < 7 && mica_onnx_int(call, "is_test", 0) == 0)
        return mica_onnx_refuse(call, "it is in training mode; export the network for inference");
    if (call->opset >= 12) {
        ratio = mica_onnx_number(call, mica_onnx_in(call, 1), ratio);
        if (mica_onnx_number(call, mica_onnx_in(call, 2), 0) != 0)
            return mica_onnx_refuse(
                call, "it is in training mode; export the network for inference");
    }
    bool drops = ratio > 0 && ratio < 1 && !call->frozen && x->state == MICA_ONNX_LIVE &&
                 x->type == MICA_ONNX_FLOAT;
    if (!drops)
        return mica_onnx_give_shaped(call, 0, x, x->rank, x->dim);
    bool last;
    mica_value *in = mica_onnx_either(call, x, &last);
    return mica_onnx_give_either(call, 0, mica_dropout(in, (float)(1 - ratio)), last);
}

const mica_onnx_operator mica_onnx_norm_operators[] = {
    {"BatchNormalization", batch_norm, .least_in = 5},
    {"LRN", local_response, .least_in = 1},
    {"LayerNormalization", layer_norm, .least_in = 2, .since = 17},
    {"InstanceNormalization", instance_norm, .least_in = 3},
    {"MeanVarianceNormalization", mean_variance, .least_in = 1, .since = 9},
    {"Softmax", softmax, .least_in = 1},
    {"LogSoftmax", log_softmax, .least_in = 1},
    {"Hardmax", hardmax, .least_in = 1},
    {"Dropout", dropout, .least_in = 1},
    {0},
};
