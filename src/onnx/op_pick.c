/* Operators that pick or mark single elements by known numbers: on the host, what exporters compute
 * for masks and positions. */
#include "onnx/build.h"

#include <string.h>

static void copy_one(mica_onnx_value *to, int64_t at, const mica_onnx_value *from, int64_t place) {
    if (to->real)
        to->real[at] = from->real[place];
    else
        to->whole[at] = from->whole[place];
}

/* An index of -size .. size-1 from 0 on; refuses the node where it is out of range. */
static int64_t index_in(mica_onnx_call *call, int64_t index, int64_t size) {
    if (index < -size || index >= size) {
        mica_onnx_refuse(call, "the index %lld is not in %lld .. %lld", (long long)index,
            (long long)-size, (long long)size - 1);
        return 0;
    }
    return index < 0 ? index + size : index;
}

static bool indices_know(mica_onnx_call *call, mica_onnx_value *x, mica_onnx_value *indices) {
    if (mica_onnx_know(call, x) != MICA_OK || mica_onnx_know(call, indices) != MICA_OK)
        return false;
    if (!indices->whole)
        mica_onnx_refuse(call, "its indices are %s", mica_onnx_type_name(indices->type));
    return call->status == MICA_OK;
}

/* Result element (i, j, ...) is that of x with the index at (i, j, ...) along one axis. */
static mica_status gather_elements(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0), *indices = mica_onnx_in(call, 1);
    int axis = mica_onnx_axis(call, mica_onnx_int(call, "axis", 0), x->rank);
    bool fits = x->rank == indices->rank;
    for (int i = 0; fits && i < x->rank; i++)
        fits = i == axis || indices->dim[i] <= x->dim[i];
    if (!fits || !indices_know(call, x, indices))
        return mica_onnx_refuse(call, "its inputs do not fit each other");
    mica_onnx_value *out = mica_onnx_give_known(call, 0, x->type, x->rank, indices->dim);
    int64_t step[MICA_ONNX_MAX_RANK];
    mica_onnx_steps(x->rank, x->dim, step);
    for (int64_t n = 0; out && n < mica_onnx_value_count(out); n++) {
        int64_t from = index_in(call, indices->whole[n], x->dim[axis]) * step[axis];
        for (int64_t i = x->rank, rest = n; i-- > 0; rest /= indices->dim[i])
            from += i == axis ? 0 : rest % indices->dim[i] * step[i];
        if (call->status != MICA_OK)
            return call->status;
        copy_one(out, n, x, from);
    }
    return call->status;
}

/* The last dimension of the indices is a place in x behind the first `batch_dims` dimensions. */
static mica_status gather_nd(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0), *indices = mica_onnx_in(call, 1);
    int64_t batch = mica_onnx_int(call, "batch_dims", 0), dim[2 * MICA_ONNX_MAX_RANK];
    if (batch < 0 || batch >= x->rank || batch >= indices->rank ||
        memcmp(x->dim, indices->dim, (size_t)batch * sizeof *dim) != 0)
        return mica_onnx_refuse(call, "batch_dims is %lld", (long long)batch);
    int64_t depth = indices->dim[indices->rank - 1];
    int inner = (int)(batch + depth), rank = indices->rank - 1;
    if (depth < 1 || depth > x->rank - batch || !indices_know(call, x, indices))
        return mica_onnx_refuse(call, "its indices have %lld numbers", (long long)depth);
    memcpy(dim, indices->dim, (size_t)rank * sizeof *dim);
    for (int i = inner; i < x->rank; i++)
        dim[rank++] = x->dim[i];
    mica_onnx_value *out =
        rank > MICA_ONNX_MAX_RANK ? NULL : mica_onnx_give_known(call, 0, x->type, rank, dim);
    if (!out)
        return mica_onnx_refuse(call, "its result would have %d dimensions", rank);
    int64_t step[MICA_ONNX_MAX_RANK];
    mica_onnx_steps(x->rank, x->dim, step);
    const int64_t run = step[inner - 1], places = mica_onnx_value_count(indices) / depth;
    const int64_t batches = mica_onnx_count((int)batch, x->dim);
    for (int64_t p = 0; p < places && call->status == MICA_OK; p++) {
        int64_t from = p / (places / batches) * (mica_onnx_value_count(x) / batches);
        for (int64_t i = 0; i < depth; i++)
            from +=
                index_in(call, indices->whole[p * depth + i], x->dim[batch + i]) * step[batch + i];
        for (int64_t i = 0; i < run && call->status == MICA_OK; i++)
            copy_one(out, p * run + i, x, from + i);
    }
    return call->status;
}

/* Sums along an axis, with or without the element itself. */
static mica_status cumulative_sum(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    double number = mica_onnx_number(call, mica_onnx_in(call, 1), 0);
    int axis = mica_onnx_axis(call, mica_onnx_truncated(number), x->rank);
    bool exclusive = mica_onnx_int(call, "exclusive", 0) != 0;
    bool reverse = mica_onnx_int(call, "reverse", 0) != 0;
    if (call->status != MICA_OK || mica_onnx_know(call, x) != MICA_OK)
        return call->status;
    mica_onnx_value *out = mica_onnx_give_known(call, 0, x->type, x->rank, x->dim);
    int64_t step[MICA_ONNX_MAX_RANK], size = x->dim[axis];
    mica_onnx_steps(x->rank, x->dim, step);
    int64_t lines = size ? mica_onnx_value_count(x) / size : 0;
    for (int64_t line = 0; out && line < lines; line++) {
        int64_t at = line / step[axis] * step[axis] * size + line % step[axis];
        at += reverse ? (size - 1) * step[axis] : 0;
        double real = 0;
        uint64_t whole = 0; /* integers wrap around */
        for (int64_t i = 0; i < size; i++, at += reverse ? -step[axis] : step[axis]) {
            const double last_real = real;
            const uint64_t last_whole = whole;
            real += x->real ? x->real[at] : 0;
            whole += x->whole ? (uint64_t)x->whole[at] : 0;
            if (out->real)
                out->real[at] = exclusive ? last_real : real;
            else
                out->whole[at] = (int64_t)(exclusive ? last_whole : whole);
        }
    }
    return call->status;
}

/* Matrices with zeros below (upper) or above the diagonal k columns to the right. */
static mica_status triangle(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    double k = mica_onnx_number(call, mica_onnx_in(call, 1), 0);
    bool upper = mica_onnx_int(call, "upper", 1) != 0;
    if (x->rank < 2)
        return mica_onnx_refuse(call, "its input is no matrix");
    if (call->status != MICA_OK || mica_onnx_know(call, x) != MICA_OK)
        return call->status;
    mica_onnx_value *out = mica_onnx_give_known(call, 0, x->type, x->rank, x->dim);
    const int64_t rows = x->dim[x->rank - 2], columns = x->dim[x->rank - 1];
    for (int64_t n = 0; out && n < mica_onnx_value_count(out); n++) {
        double right = (double)(n % columns) - (double)(n / columns % rows);
        if (upper ? right >= k : right <= k)
            copy_one(out, n, x, n);
    }
    return call->status;
}

/* A matrix of its input's shape with ones on the diagonal k columns to the right. */
static mica_status eye_like(mica_onnx_call *call) {
    const mica_onnx_value *x = mica_onnx_in(call, 0);
    int64_t k = mica_onnx_int(call, "k", 0), type = mica_onnx_int(call, "dtype", x->type);
    if (x->rank != 2 || (type != MICA_ONNX_FLOAT && type != MICA_ONNX_DOUBLE &&
                            type != MICA_ONNX_INT32 && type != MICA_ONNX_INT64))
        return mica_onnx_refuse(
            call, "a result of %d dimensions and type %s", x->rank, mica_onnx_type_name((int)type));
    mica_onnx_value *out = mica_onnx_give_known(call, 0, (int)type, 2, x->dim);
    for (int64_t n = 0; out && n < mica_onnx_value_count(out); n++) {
        bool one = k > -INT32_MAX && k < INT32_MAX && n % x->dim[1] == n / x->dim[1] + k;
        if (out->real)
            out->real[n] = one;
        else
            out->whole[n] = one;
    }
    return call->status;
}

/* The places of all that is not 0, (rank, count). */
static mica_status non_zero(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    if (mica_onnx_know(call, x) != MICA_OK)
        return call->status;
    int64_t total = mica_onnx_value_count(x), dim[2] = {x->rank, 0}, at = 0;
    for (int64_t n = 0; n < total; n++)
        dim[1] += x->real ? x->real[n] != 0 : x->whole[n] != 0;
    mica_onnx_value *out = mica_onnx_give_known(call, 0, MICA_ONNX_INT64, 2, dim);
    for (int64_t n = 0; out && n < total; n++) {
        if (x->real ? x->real[n] == 0 : x->whole[n] == 0)
            continue;
        for (int64_t i = x->rank, rest = n; i-- > 0; rest /= x->dim[i])
            out->whole[i * dim[1] + at] = rest % x->dim[i];
        at++;
    }
    return call->status;
}

const mica_onnx_operator mica_onnx_pick_operators[] = {
    {"GatherElements", NULL, gather_elements, .least_in = 2, .since = 11},
    {"GatherND", NULL, gather_nd, .least_in = 2, .since = 11},
    {"CumSum", NULL, cumulative_sum, .least_in = 2, .since = 11},
    {"Trilu", NULL, triangle, .least_in = 1, .since = 14},
    {"EyeLike", eye_like, .least_in = 1, .since = 9},
    {"NonZero", NULL, non_zero, .least_in = 1, .since = 9},
    {0},
};
