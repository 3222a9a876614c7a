/* Reductions over axes, and the places of largest and smallest elements. */
#include "onnx/build.h"

#include <string.h>

typedef mica_value *(*reduction)(mica_value *x, const int *axes, int count);

/* The axes that a node reduces; none: an empty set. */
static uint32_t axes_of(mica_onnx_call *call) {
    const mica_onnx_value *x = mica_onnx_in(call, 0);
    bool input = call->opset >= (strcmp(call->op->name, "ReduceSum") ? 18 : 13);
    bool nothing = input && mica_onnx_int(call, "noop_with_empty_axes", 0) != 0;
    return mica_onnx_axes(call, "axes", input ? 1 : -1, x->rank, nothing ? 0 : (1u << x->rank) - 1);
}

/* ONNX's shape of a result that still has its reduced axes, or not. */
static int reduced_dim(mica_onnx_call *call, uint32_t axes, int64_t *dim) {
    const mica_onnx_value *x = mica_onnx_in(call, 0);
    bool keep = mica_onnx_int(call, "keepdims", 1) != 0;
    int rank = 0;
    for (int i = 0; i < x->rank; i++)
        if (!(axes >> i & 1) || keep)
            dim[rank++] = axes >> i & 1 ? 1 : x->dim[i];
    return rank;
}

static mica_status reduce(mica_onnx_call *call, reduction f) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    uint32_t set = axes_of(call);
    int64_t dim[MICA_ONNX_MAX_RANK];
    int axes[MICA_ONNX_MAX_RANK], count = 0, rank = reduced_dim(call, set, dim);
    bool last;
    if (!mica_onnx_floating(call, x) || call->status != MICA_OK)
        return call->status;
    mica_value *value = mica_onnx_either(call, x, &last);
    for (int i = 0; i < x->rank; i++)
        if (set >> i & 1)
            axes[count++] = mica_onnx_place(x->rank, i, last);
    if (value && count)
        value = f(value, axes, count);
    if (rank == x->rank || !value)
        return mica_onnx_give_either(call, 0, value, last);
    if (last) { /* the axes that stay, in ONNX's order */
        int order[MICA_MAX_RANK];
        mica_onnx_order(x->rank, false, order);
        value = mica_onnx_transposed(value, order);
    }
    return mica_onnx_give(call, 0, mica_onnx_shaped(value, rank, dim));
}

static mica_value *sum(mica_value *x, const int *axes, int count) {
    return mica_sum(x, axes, count, true);
}
static mica_value *mean(mica_value *x, const int *axes, int count) {
    return mica_mean(x, axes, count, true);
}
static mica_value *largest(mica_value *x, const int *axes, int count) {
    return mica_max(x, axes, count, true);
}
static mica_value *smallest(mica_value *x, const int *axes, int count) {
    return mica_neg(largest(mica_neg(x), axes, count));
}
static mica_value *sum_of_sizes(mica_value *x, const int *axes, int count) {
    return sum(mica_abs(x), axes, count);
}
static mica_value *sum_of_squares(mica_value *x, const int *axes, int count) {
    return sum(mica_square(x), axes, count);
}
static mica_value *length(mica_value *x, const int *axes, int count) {
    return mica_sqrt(sum_of_squares(x, axes, count));
}
static mica_value *log_sum(mica_value *x, const int *axes, int count) {
    return mica_log(sum(x, axes, count));
}
/* The largest is taken out first, so that nothing overflows. */
static mica_value *log_sum_exp(mica_value *x, const int *axes, int count) {
    mica_value *most = largest(x, axes, count);
    return mica_add(log_sum(mica_exp(mica_sub(x, most)), axes, count), most);
}

static mica_status reduce_sum(mica_onnx_call *call) {
    return reduce(call, sum);
}
static mica_status reduce_mean(mica_onnx_call *call) {
    return reduce(call, mean);
}
static mica_status reduce_max(mica_onnx_call *call) {
    return reduce(call, largest);
}
static mica_status reduce_min(mica_onnx_call *call) {
    return reduce(call, smallest);
}
static mica_status reduce_l1(mica_onnx_call *call) {
    return reduce(call, sum_of_sizes);
}
static mica_status reduce_l2(mica_onnx_call *call) {
    return reduce(call, length);
}
static mica_status reduce_sum_square(mica_onnx_call *call) {
    return reduce(call, sum_of_squares);
}
static mica_status reduce_log_sum(mica_onnx_call *call) {
    return reduce(call, log_sum);
}
static mica_status reduce_log_sum_exp(mica_onnx_call *call) {
    return reduce(call, log_sum_exp);
}

/* ---- on the host ---- */

static double real_prod(double a, double b) {
    return a * b;
}
static bool whole_prod(int64_t a, int64_t b, int64_t *y) {
    *y = (int64_t)((uint64_t)a * (uint64_t)b);
    return true;
}
static double real_sum(double a, double b) {
    return a + b;
}
static bool whole_sum(int64_t a, int64_t b, int64_t *y) {
    *y = (int64_t)((uint64_t)a + (uint64_t)b);
    return true;
}
static double real_max(double a, double b) {
    return a > b ? a : b;
}
static bool whole_max(int64_t a, int64_t b, int64_t *y) {
    *y = a > b ? a : b;
    return true;
}
static double real_min(double a, double b) {
    return a < b ? a : b;
}
static bool whole_min(int64_t a, int64_t b, int64_t *y) {
    *y = a < b ? a : b;
    return true;
}

/* op->real or op->whole from the first element of each run to the last. */
static mica_status fold(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    uint32_t set = axes_of(call);
    int64_t dim[MICA_ONNX_MAX_RANK], step[MICA_ONNX_MAX_RANK], kept = 1;
    int rank = reduced_dim(call, set, dim);
    if (mica_onnx_know(call, x) != MICA_OK)
        return call->status;
    if (!mica_onnx_value_count(x))
        return mica_onnx_refuse(call, "it has no elements");
    mica_onnx_value *out = mica_onnx_give_known(call, 0, x->type, rank, dim);
    bool *begun = mica_onnx_scratch(call, out ? (size_t)mica_onnx_value_count(out) : 0, 1);
    if (!out || !begun)
        return call->status;
    for (int i = x->rank; i-- > 0;) {
        step[i] = set >> i & 1 ? 0 : kept;
        kept *= set >> i & 1 ? 1 : x->dim[i];
    }
    for (int64_t n = 0; n < mica_onnx_value_count(x); n++) {
        int64_t at = 0, left = n;
        for (int i = x->rank; i-- > 0; left /= x->dim[i])
            at += left % x->dim[i] * step[i];
        if (out->real)
            out->real[at] = begun[at] ? call->op->real(out->real[at], x->real[n]) : x->real[n];
        else if (!begun[at])
            out->whole[at] = x->whole[n];
        else
            call->op->whole(out->whole[at], x->whole[n], &out->whole[at]);
        begun[at] = true;
    }
    return MICA_OK;
}

/* ---- places ---- */

static mica_status place(mica_onnx_call *call, bool of_smallest) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    int axis = mica_onnx_axis(call, mica_onnx_int(call, "axis", 0), x->rank);
    int64_t dim[MICA_ONNX_MAX_RANK];
    int rank = reduced_dim(call, 1u << axis, dim), order[MICA_MAX_RANK];
    if (mica_onnx_int(call, "select_last_index", 0))
        return mica_onnx_refuse(call, "it wants the last of equals; the first is there");
    if (!mica_onnx_floating(call, x) || call->status != MICA_OK)
        return call->status;
    bool ready = axis == 1 && mica_onnx_is_last(x);
    mica_value *value = ready ? x->last : mica_onnx_plain(call, x);
    for (int i = 0; value && i < x->rank; i++)
        order[i] = i < axis ? i : i < x->rank - 1 ? i + 1 : axis;
    if (value && !ready)
        value = mica_onnx_transposed(value, order);
    value = mica_argmax(of_smallest ? mica_neg(value) : value);
    return mica_onnx_give(call, 0, value ? mica_onnx_shaped(value, rank, dim) : NULL);
}

static mica_status arg_max(mica_onnx_call *call) {
    return place(call, false);
}

static mica_status arg_min(mica_onnx_call *call) {
    return place(call, true);
}

const mica_onnx_operator mica_onnx_reduce_operators[] = {
    {"ReduceSum", reduce_sum, fold, .real = real_sum, .whole = whole_sum, .least_in = 1},
    {"ReduceMax", reduce_max, fold, .real = real_max, .whole = whole_max, .least_in = 1},
    {"ReduceMin", reduce_min, fold, .real = real_min, .whole = whole_min, .least_in = 1},
    {"ReduceProd", NULL, fold, .real = real_prod, .whole = whole_prod, .least_in = 1},
    {"ReduceMean", reduce_mean, .least_in = 1},
    {"ReduceL1", reduce_l1, .least_in = 1},
    {"ReduceL2", reduce_l2, .least_in = 1},
    {"ReduceSumSquare", reduce_sum_square, .least_in = 1},
    {"ReduceLogSum", reduce_log_sum, .least_in = 1},
    {"ReduceLogSumExp", reduce_log_sum_exp, .least_in = 1},
    {"ArgMax", arg_max, .least_in = 1},
    {"ArgMin", arg_min, .least_in = 1},
    {0},
};
