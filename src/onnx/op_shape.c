/* Operators that change shapes or make numbers of them: for known numbers and for live values. */
#include "onnx/build.h"

#include <math.h>
#include <string.h>

/* ---- the same elements under another shape ---- */

static mica_status reshape(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    int64_t count, dim[MICA_ONNX_MAX_RANK], known = 1;
    const int64_t *wanted = mica_onnx_integers(call, mica_onnx_in(call, 1), &count);
    bool zeros = mica_onnx_int(call, "allowzero", 0) != 0;
    if (!wanted || count > MICA_ONNX_MAX_RANK)
        return mica_onnx_refuse(call, "the new shape has %lld dimensions", (long long)count);
    int open = -1;
    for (int i = 0; i < count; i++) {
        dim[i] = wanted[i] || zeros ? wanted[i] : i < x->rank ? x->dim[i] : -2;
        if (dim[i] == -1 && open < 0)
            open = i;
        else if (dim[i] < 0 || (dim[i] && known > INT32_MAX / dim[i]))
            return mica_onnx_refuse(call, "the new shape has the size %lld", (long long)dim[i]);
        else
            known *= dim[i];
    }
    const int64_t elements = mica_onnx_value_count(x);
    const bool other_batch = open < 0 && count > 0 && x->rank > 0 && dim[0] > 0 &&
                             known != elements && known / dim[0] * x->dim[0] == elements;
    if (other_batch) /* each sample fits, their number does not */
        return mica_onnx_refuse(call,
            "the new shape is for a batch of %lld, and the network is built for one of %lld: export "
            "the file with an open batch here (-1 or 0 first), or use it with a batch of %lld",
            (long long)dim[0], (long long)x->dim[0], (long long)dim[0]);
    if (open >= 0)
        dim[open] = known ? elements / known : 0;
    return mica_onnx_give_shaped(call, 0, x, (int)count, dim);
}

static mica_status flatten(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    int64_t axis = mica_onnx_int(call, "axis", 1);
    int at = axis == x->rank ? x->rank : mica_onnx_axis(call, axis, x->rank);
    int64_t dim[2] = {mica_onnx_count(at, x->dim), mica_onnx_count(x->rank - at, x->dim + at)};
    return mica_onnx_give_shaped(call, 0, x, 2, dim);
}

static mica_status squeeze(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    uint32_t ones = 0;
    for (int i = 0; i < x->rank; i++)
        ones |= (uint32_t)(x->dim[i] == 1) << i;
    uint32_t axes = mica_onnx_axes(call, "axes", call->opset >= 13 ? 1 : -1, x->rank, ones);
    int64_t dim[MICA_ONNX_MAX_RANK];
    int rank = 0;
    for (int i = 0; i < x->rank; i++)
        if (!(axes >> i & 1))
            dim[rank++] = x->dim[i];
    if (axes & ~ones)
        return mica_onnx_refuse(call, "an axis to be left out has a size other than 1");
    return mica_onnx_give_shaped(call, 0, x, rank, dim);
}

static mica_status unsqueeze(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    int64_t count;
    const int64_t *list = call->opset >= 13
                              ? mica_onnx_integers(call, mica_onnx_in(call, 1), &count)
                              : mica_onnx_ints(call, "axes", &count);
    if (!list || count + x->rank > MICA_ONNX_MAX_RANK)
        return mica_onnx_refuse(call, "the result would have too many dimensions, or no axes");
    int rank = x->rank + (int)count;
    int64_t dim[MICA_ONNX_MAX_RANK];
    uint32_t axes = 0;
    for (int64_t i = 0; i < count; i++)
        axes |= 1u << mica_onnx_axis(call, list[i], rank);
    for (int i = 0, from = 0; i < rank; i++)
        dim[i] = axes >> i & 1 ? 1 : from < x->rank ? x->dim[from++] : 0;
    return mica_onnx_give_shaped(call, 0, x, rank, dim);
}

static mica_status identity(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    return mica_onnx_give_shaped(call, 0, x, x->rank, x->dim);
}

/* ---- other orders, more elements ---- */

static int permutation(mica_onnx_call *call, int rank, int *order) {
    int64_t perm[MICA_ONNX_MAX_RANK];
    mica_onnx_ints_exact(call, "perm", rank, -1, perm);
    uint32_t seen = 0;
    for (int i = 0; i < rank; i++) {
        order[i] = perm[i] < 0 ? rank - 1 - i : (int)(perm[i] < rank ? perm[i] : 0);
        seen |= 1u << order[i];
    }
    if (seen != (1u << rank) - 1)
        mica_onnx_refuse(call, "perm is no permutation");
    return rank;
}

/* What is there with channels last may be just what is wanted. */
static mica_status transpose(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    int order[MICA_ONNX_MAX_RANK], to_last[MICA_ONNX_MAX_RANK], from_last[MICA_ONNX_MAX_RANK];
    permutation(call, x->rank, order);
    mica_onnx_order(x->rank, true, to_last);
    mica_onnx_order(x->rank, false, from_last);
    size_t size = (size_t)x->rank * sizeof *order;
    if (x->rank > MICA_MAX_RANK || call->status != MICA_OK)
        return mica_onnx_refuse(call, "it has too many dimensions");
    if (x->rank > 2 && !memcmp(order, from_last, size))
        return mica_onnx_give_last(call, 0, mica_onnx_plain(call, x));
    if (x->rank > 2 && mica_onnx_is_last(x)) {
        for (int i = 0; i < x->rank; i++)
            order[i] = mica_onnx_place(x->rank, order[i], true);
        return mica_onnx_give(call, 0, mica_onnx_transposed(x->last, order));
    }
    return mica_onnx_give(call, 0, mica_onnx_transposed(mica_onnx_plain(call, x), order));
}

static mica_status fold_transpose(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    int order[MICA_ONNX_MAX_RANK];
    int64_t own[MICA_ONNX_MAX_RANK], step[MICA_ONNX_MAX_RANK], dim[MICA_ONNX_MAX_RANK];
    permutation(call, x->rank, order);
    mica_onnx_steps(x->rank, x->dim, own);
    for (int i = 0; i < x->rank; i++) {
        dim[i] = x->dim[order[i]];
        step[i] = own[order[i]];
    }
    return mica_onnx_fold_strided(call, 0, x, x->rank, dim, 0, step);
}

/* The shape that Expand gives; false (refused) where it is none. */
static bool expanded(mica_onnx_call *call, int *rank, int64_t *dim) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    int64_t count;
    const int64_t *wanted = mica_onnx_integers(call, mica_onnx_in(call, 1), &count);
    if (!wanted || count > MICA_ONNX_MAX_RANK ||
        !mica_onnx_broadcast(x->rank, x->dim, (int)count, wanted, rank, dim) ||
        mica_onnx_count(*rank, dim) < 0) {
        mica_onnx_refuse(call, "\"%.100s\" cannot be stretched to the new shape", x->name);
        return false;
    }
    return true;
}

static mica_status expand(mica_onnx_call *call) {
    int rank;
    int64_t dim[MICA_ONNX_MAX_RANK];
    if (!expanded(call, &rank, dim))
        return call->status;
    if (rank > MICA_MAX_RANK)
        return mica_onnx_refuse(call, "the result would have %d dimensions", rank);
    mica_value *x = mica_onnx_plain(call, mica_onnx_in(call, 0));
    return mica_onnx_give(call, 0, x ? mica_broadcast(x, mica_shape_of(rank, dim)) : NULL);
}

static mica_status fold_expand(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    int rank;
    int64_t dim[MICA_ONNX_MAX_RANK], own[MICA_ONNX_MAX_RANK], step[MICA_ONNX_MAX_RANK];
    if (!expanded(call, &rank, dim))
        return call->status;
    mica_onnx_steps(x->rank, x->dim, own);
    for (int i = 0; i < rank; i++) {
        int from = i - (rank - x->rank);
        step[i] = from < 0 || x->dim[from] == 1 ? 0 : own[from];
    }
    return mica_onnx_fold_strided(call, 0, x, rank, dim, 0, step);
}

/* Repeats along one axis after the other: (outer, 1, rest) is stretched to (outer, times, rest). */
static mica_status tile(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    int64_t count, dim[MICA_ONNX_MAX_RANK];
    const int64_t *times = mica_onnx_integers(call, mica_onnx_in(call, 1), &count);
    if (!times || count != x->rank)
        return mica_onnx_refuse(call, "repeats must have a number for each dimension");
    memcpy(dim, x->dim, sizeof dim);
    mica_value *value = mica_onnx_plain(call, x);
    for (int i = 0; i < x->rank; i++) {
        if (times[i] < 1 || times[i] > INT32_MAX)
            return mica_onnx_refuse(call, "repeats has %lld", (long long)times[i]);
        if (times[i] == 1)
            continue;
        int64_t outer = mica_onnx_count(i, dim), rest = mica_onnx_count(x->rank - i, dim + i);
        value = mica_onnx_shaped(value, 3, (int64_t[]){outer, 1, rest});
        if (value)
            value = mica_broadcast(value, MICA_SHAPE(outer, times[i], rest));
        dim[i] *= times[i];
    }
    return mica_onnx_give(call, 0, value ? mica_onnx_shaped(value, x->rank, dim) : NULL);
}

/* ---- shapes as numbers ---- */

static mica_status shape(mica_onnx_call *call) {
    const mica_onnx_value *x = mica_onnx_in(call, 0);
    int64_t start = mica_onnx_int(call, "start", 0), end = mica_onnx_int(call, "end", x->rank);
    start += start < 0 ? x->rank : 0;
    end += end < 0 ? x->rank : 0;
    start = start < 0 ? 0 : start;
    end = end > x->rank ? x->rank : end;
    int64_t count = end > start ? end - start : 0;
    mica_onnx_value *out = mica_onnx_give_known(call, 0, MICA_ONNX_INT64, 1, &count);
    for (int64_t i = 0; out && i < count; i++)
        out->whole[i] = x->dim[start + i];
    return call->status;
}

static mica_status size(mica_onnx_call *call) {
    mica_onnx_value *out = mica_onnx_give_known(call, 0, MICA_ONNX_INT64, 0, NULL);
    if (out)
        out->whole[0] = mica_onnx_value_count(mica_onnx_in(call, 0));
    return call->status;
}

/* ---- numbers from nothing ---- */

/* A tensor of the node becomes its result. */
static mica_status give_tensor(mica_onnx_call *call, const mica_onnx_pb_tensor *proto) {
    mica_onnx_tensor *tensor = mica_onnx_scratch(call, 1, sizeof *tensor);
    if (!tensor)
        return call->status;
    MICA_TRY(mica_onnx_tensor_check(-1, proto, tensor));
    return mica_onnx_give_tensor(call, 0, tensor);
}

static mica_status constant(mica_onnx_call *call) {
    const mica_onnx_pb_tensor *tensor = mica_onnx_tensor_attribute(call, "value");
    if (tensor)
        return give_tensor(call, tensor);
    int64_t n_floats, n_ints;
    const float *floats = mica_onnx_floats(call, "value_floats", &n_floats);
    const int64_t *ints = mica_onnx_ints(call, "value_ints", &n_ints);
    bool real = floats || (!ints && mica_onnx_has(call, "value_float"));
    int rank = floats || ints;
    mica_onnx_value *out = mica_onnx_give_known(
        call, 0, real ? MICA_ONNX_FLOAT : MICA_ONNX_INT64, rank, floats ? &n_floats : &n_ints);
    if (!out)
        return call->status;
    if (!rank && real)
        out->real[0] = mica_onnx_float(call, "value_float", 0);
    else if (!rank && mica_onnx_has(call, "value_int"))
        out->whole[0] = mica_onnx_int(call, "value_int", 0);
    else if (!rank)
        return mica_onnx_refuse(call, "it has no number or tensor as its value");
    for (int64_t i = 0; i < n_floats; i++)
        out->real[i] = floats[i];
    for (int64_t i = 0; i < n_ints && !floats; i++)
        out->whole[i] = ints[i];
    return MICA_OK;
}

static mica_status constant_of_shape(mica_onnx_call *call) {
    int64_t count;
    const int64_t *dim = mica_onnx_integers(call, mica_onnx_in(call, 0), &count);
    const mica_onnx_pb_tensor *proto = mica_onnx_tensor_attribute(call, "value");
    if (!dim || count > MICA_ONNX_MAX_RANK || mica_onnx_count((int)count, dim) < 0)
        return mica_onnx_refuse(call, "its input is no possible shape");
    mica_onnx_tensor tensor = {.type = MICA_ONNX_FLOAT};
    double real = 0;
    int64_t whole = 0;
    if (proto) {
        MICA_TRY(mica_onnx_tensor_check(-1, proto, &tensor));
        if (tensor.count != 1)
            return mica_onnx_refuse(
                call, "its value has %lld numbers, expected one", (long long)tensor.count);
        MICA_TRY(mica_onnx_type_real(tensor.type) ? mica_onnx_tensor_reals(-1, &tensor, &real)
                                                  : mica_onnx_tensor_wholes(-1, &tensor, &whole));
    }
    mica_onnx_value *out = mica_onnx_give_known(call, 0, tensor.type, (int)count, dim);
    for (int64_t i = 0; out && i < mica_onnx_value_count(out); i++)
        if (out->real)
            out->real[i] = real;
        else
            out->whole[i] = whole;
    return call->status;
}

static mica_status range(mica_onnx_call *call) {
    mica_onnx_value *in = mica_onnx_in(call, 0);
    double start = mica_onnx_number(call, in, 0);
    double limit = mica_onnx_number(call, mica_onnx_in(call, 1), 0);
    double delta = mica_onnx_number(call, mica_onnx_in(call, 2), 1);
    double steps = ceil((limit - start) / delta);
    if (!(fabs(steps) < INT32_MAX))
        return mica_onnx_refuse(call, "it has no end");
    int64_t count = steps > 0 ? (int64_t)steps : 0;
    mica_onnx_value *out = mica_onnx_give_known(call, 0, in->type, 1, &count);
    for (int64_t i = 0; out && i < count; i++)
        if (out->real)
            out->real[i] = start + (double)i * delta;
        else
            out->whole[i] = mica_onnx_truncated(start + (double)i * delta);
    return call->status;
}

/* ---- types ---- */

static mica_status cast_to(mica_onnx_call *call, int64_t type) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    bool integer = type == MICA_ONNX_INT32 || type == MICA_ONNX_INT64;
    bool alike =
        type == x->type || (integer && (x->type == MICA_ONNX_INT32 || x->type == MICA_ONNX_INT64));
    if (x->state == MICA_ONNX_LIVE || x->weight) {
        if (!alike)
            return mica_onnx_refuse(call, "from %s to %s of numbers that are not known",
                mica_onnx_type_name(x->type), mica_onnx_type_name((int)type));
        return mica_onnx_give_shaped(call, 0, x, x->rank, x->dim);
    }
    if (mica_onnx_know(call, x) != MICA_OK)
        return call->status;
    if (type != MICA_ONNX_FLOAT && type != MICA_ONNX_DOUBLE && type != MICA_ONNX_BOOL && !integer)
        return mica_onnx_refuse(call, "to %s", mica_onnx_type_name((int)type));
    mica_onnx_value *out = mica_onnx_give_known(call, 0, (int)type, x->rank, x->dim);
    for (int64_t i = 0; out && i < mica_onnx_value_count(x); i++) {
        double real = x->real ? x->real[i] : (double)x->whole[i];
        if (out->real)
            out->real[i] = type == MICA_ONNX_FLOAT ? (double)(float)real : real;
        else if (type == MICA_ONNX_BOOL)
            out->whole[i] = real != 0;
        else if (x->whole)
            out->whole[i] = type == MICA_ONNX_INT32 ? (int32_t)x->whole[i] : x->whole[i];
        else
            out->whole[i] = mica_onnx_truncated(real);
    }
    return call->status;
}

static mica_status cast(mica_onnx_call *call) {
    mica_onnx_int(call, "saturate", 1);
    return cast_to(call, mica_onnx_int(call, "to", 0));
}

static mica_status cast_like(mica_onnx_call *call) {
    mica_onnx_int(call, "saturate", 1);
    return cast_to(call, mica_onnx_in(call, 1)->type);
}

const mica_onnx_operator mica_onnx_shape_operators[] = {
    {"Reshape", reshape, .least_in = 2},
    {"Flatten", flatten, .least_in = 1},
    {"Squeeze", squeeze, .least_in = 1},
    {"Unsqueeze", unsqueeze, .least_in = 1},
    {"Identity", identity, .least_in = 1, .since = 1},
    {"Transpose", transpose, fold_transpose, .least_in = 1},
    {"Expand", expand, fold_expand, .least_in = 2, .since = 8},
    {"Tile", tile, .least_in = 2},
    {"Shape", shape, .least_in = 1},
    {"Size", size, .least_in = 1},
    {"Constant", constant},
    {"ConstantOfShape", constant_of_shape, .least_in = 1, .since = 9},
    {"Range", range, .least_in = 3, .since = 11},
    {"Cast", cast, .least_in = 1},
    {"CastLike", cast_like, .least_in = 2, .since = 15},
    {0},
};
