/* Operators that take parts of values and put them together. Known places are read by slices. */
#include "onnx/build.h"

#include <mica/sequence.h>
#include <string.h>

#define RUNS_MOST 256 /* slices that one node may become */

/* ---- places along an axis ---- */

static mica_value *slice_of(mica_value *value, int axis, int64_t begin, int64_t size) {
    mica_shape shape = mica_value_shape(value);
    int64_t begins[MICA_MAX_RANK] = {0};
    if (!value || (begin == 0 && size == shape.dim[axis]))
        return value;
    begins[axis] = begin;
    shape.dim[axis] = size;
    return mica_slice(value, begins, shape.dim);
}

/* Neighbours are taken together. */
mica_value *mica_onnx_take(
    mica_onnx_call *call, mica_value *value, int axis, const int64_t *places, int64_t count) {
    mica_value *runs[RUNS_MOST];
    int n_runs = 0;
    for (int64_t i = 0, run; i < count; i += run) {
        for (run = 1; i + run < count && places[i + run] == places[i] + run; run++)
            ;
        if (!mica_onnx_work(call, MICA_ONNX_NODE_WORK))
            return NULL;
        if (n_runs == RUNS_MOST) {
            mica_onnx_refuse(call, "it takes more than %d separate pieces", RUNS_MOST);
            return NULL;
        }
        runs[n_runs++] = slice_of(value, axis, places[i], run);
    }
    if (!n_runs) {
        mica_onnx_refuse(call, "its result has no elements");
        return NULL;
    }
    return n_runs == 1 ? runs[0] : mica_concat(runs, n_runs, axis);
}

/* ---- Gather ---- */

/* The shape of the data with its axis replaced by the shape of the indices. */
static int gathered_dim(
    const mica_onnx_value *x, const mica_onnx_value *indices, int axis, int64_t *dim) {
    int rank = x->rank - 1 + indices->rank;
    for (int i = 0; i < rank && rank <= MICA_ONNX_MAX_RANK; i++)
        dim[i] = i < axis                   ? x->dim[i]
                 : i < axis + indices->rank ? indices->dim[i - axis]
                                            : x->dim[i - indices->rank + 1];
    return rank;
}

/* Known indices as places from 0 on; NULL (refused) where one is out of range. */
static int64_t *places_of(mica_onnx_call *call, mica_onnx_value *indices, int64_t size) {
    if (mica_onnx_know(call, indices) != MICA_OK)
        return NULL;
    int64_t count = mica_onnx_value_count(indices);
    int64_t *places = mica_onnx_scratch(call, (size_t)count, sizeof *places);
    for (int64_t i = 0; places && i < count; i++) {
        places[i] = indices->whole ? indices->whole[i] : -size - 1;
        if (places[i] < -size || places[i] >= size) {
            mica_onnx_refuse(
                call, "an index is not in %lld .. %lld", (long long)-size, (long long)size - 1);
            return NULL;
        }
        places[i] += places[i] < 0 ? size : 0;
    }
    return places;
}

/* Indices that the network computes or takes: rows are looked up, with the axis in front. */
static mica_status gather_live(
    mica_onnx_call *call, mica_onnx_value *x, mica_onnx_value *indices, int axis) {
    if (!mica_onnx_floating(call, x))
        return call->status;
    if (x->rank - 1 + indices->rank > MICA_MAX_RANK)
        return mica_onnx_refuse(call, "its result would have too many dimensions");
    int order[MICA_ONNX_MAX_RANK], back[MICA_ONNX_MAX_RANK];
    mica_value *table = mica_onnx_plain(call, x), *ids = mica_onnx_plain(call, indices);
    for (int i = 0; i < x->rank; i++)
        order[i] = i == 0 ? axis : i <= axis ? i - 1 : i;
    for (int i = 0; i < x->rank - 1 + indices->rank; i++)
        back[i] = i < axis ? indices->rank + i : i < axis + indices->rank ? i - axis : i;
    mica_value *rows = table && ids ? mica_gather(mica_onnx_transposed(table, order), ids) : NULL;
    return mica_onnx_give(call, 0, rows ? mica_onnx_transposed(rows, back) : NULL);
}

static mica_status gather(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0), *indices = mica_onnx_in(call, 1);
    int axis = mica_onnx_axis(call, mica_onnx_int(call, "axis", 0), x->rank);
    if (call->status != MICA_OK)
        return call->status;
    if (indices->state == MICA_ONNX_LIVE)
        return gather_live(call, x, indices, axis);
    int64_t *places = places_of(call, indices, x->dim[axis]), dim[MICA_ONNX_MAX_RANK];
    int rank = gathered_dim(x, indices, axis, dim);
    if (!places || rank > MICA_MAX_RANK)
        return mica_onnx_refuse(call, "its result would have %d dimensions", rank);
    mica_value *value = mica_onnx_plain(call, x);
    if (value)
        value = mica_onnx_take(call, value, axis, places, mica_onnx_value_count(indices));
    return mica_onnx_give(call, 0, mica_onnx_shaped(value, rank, dim));
}

static mica_status fold_gather(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0), *indices = mica_onnx_in(call, 1);
    int axis = mica_onnx_axis(call, mica_onnx_int(call, "axis", 0), x->rank);
    if (call->status != MICA_OK || mica_onnx_know(call, x) != MICA_OK)
        return call->status;
    int64_t *places = places_of(call, indices, x->dim[axis]), dim[MICA_ONNX_MAX_RANK];
    int rank = gathered_dim(x, indices, axis, dim);
    if (!places || rank > MICA_ONNX_MAX_RANK)
        return mica_onnx_refuse(call, "its result would have %d dimensions", rank);
    mica_onnx_value *out = mica_onnx_give_known(call, 0, x->type, rank, dim);
    if (!out)
        return call->status;
    int64_t inner = mica_onnx_count(x->rank - axis - 1, x->dim + axis + 1);
    int64_t taken = mica_onnx_value_count(indices), total = mica_onnx_value_count(out);
    for (int64_t n = 0; n < total; n++) {
        int64_t outer = n / (taken * inner), place = places[n / inner % taken];
        int64_t from = (outer * x->dim[axis] + place) * inner + n % inner;
        if (out->real)
            out->real[n] = x->real[from];
        else
            out->whole[n] = x->whole[from];
    }
    return MICA_OK;
}

/* ---- Slice ---- */

/* What is taken along each axis: `count` places from `begin` on, `step` apart. */
typedef struct cut {
    int64_t begin, step, count;
} cut;

static int64_t clamped(int64_t number, int64_t low, int64_t high) {
    return number < low ? low : number > high ? high : number;
}

static cut cut_of(int64_t size, int64_t begin, int64_t end, int64_t step) {
    bool back = step < 0;
    begin = clamped(
        begin < 0 && begin >= -size ? begin + size : begin, back ? -1 : 0, back ? size - 1 : size);
    end = clamped(end < 0 && end >= -size ? end + size : end, back ? -1 : 0, size);
    int64_t length = back ? begin - end : end - begin;
    int64_t stride = back ? -(step < -size ? -size - 1 : step) : step > size ? size + 1 : step;
    return (cut){begin, back ? -stride : stride, length > 0 ? (length - 1) / stride + 1 : 0};
}

/* The lists of a Slice node: attributes before opset 10, inputs from then on. */
static const int64_t *list_of(mica_onnx_call *call, const char *name, int input, int64_t *count) {
    *count = -1;
    if (call->opset < 10) {
        const int64_t *list = mica_onnx_ints(call, name, count);
        *count = list ? *count : -1;
        return list;
    }
    mica_onnx_value *value = mica_onnx_in(call, input);
    return value ? mica_onnx_integers(call, value, count) : NULL;
}

static bool cuts_read(mica_onnx_call *call, cut *cuts) {
    const mica_onnx_value *x = mica_onnx_in(call, 0);
    int64_t n_begins, n_ends, n_axes, n_steps = -1;
    const int64_t *begins = list_of(call, "starts", 1, &n_begins);
    const int64_t *ends = list_of(call, "ends", 2, &n_ends);
    const int64_t *axes = list_of(call, "axes", 3, &n_axes);
    const int64_t *steps = call->opset >= 10 ? list_of(call, "steps", 4, &n_steps) : NULL;
    if (!begins || !ends || n_begins != n_ends || (axes && n_axes != n_begins) ||
        (steps && n_steps != n_begins) || n_begins > x->rank)
        mica_onnx_refuse(call, "its starts, ends, axes and steps do not fit each other");
    for (int i = 0; i < x->rank; i++)
        cuts[i] = (cut){0, 1, x->dim[i]};
    for (int64_t i = 0; call->status == MICA_OK && i < n_begins; i++) {
        int axis = mica_onnx_axis(call, axes ? axes[i] : i, x->rank);
        int64_t step = steps ? steps[i] : 1;
        if (step == 0)
            mica_onnx_refuse(call, "a step of 0");
        else if (call->status == MICA_OK)
            cuts[axis] = cut_of(x->dim[axis], begins[i], ends[i], step);
    }
    return call->status == MICA_OK;
}

static mica_status slice(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    cut cuts[MICA_ONNX_MAX_RANK];
    bool last;
    if (!cuts_read(call, cuts))
        return call->status;
    mica_value *value = mica_onnx_either(call, x, &last);
    for (int i = 0; i < x->rank && value; i++) {
        int axis = mica_onnx_place(x->rank, i, last);
        if (cuts[i].step == 1 && cuts[i].count > 0) {
            value = slice_of(value, axis, cuts[i].begin, cuts[i].count);
            continue;
        }
        int64_t *places = mica_onnx_scratch(call, (size_t)cuts[i].count, sizeof *places);
        for (int64_t k = 0; places && k < cuts[i].count; k++)
            places[k] = cuts[i].begin + k * cuts[i].step;
        value = places ? mica_onnx_take(call, value, axis, places, cuts[i].count) : NULL;
    }
    return mica_onnx_give_either(call, 0, value, last);
}

static mica_status fold_slice(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    cut cuts[MICA_ONNX_MAX_RANK];
    int64_t own[MICA_ONNX_MAX_RANK], step[MICA_ONNX_MAX_RANK], dim[MICA_ONNX_MAX_RANK], offset = 0;
    if (!cuts_read(call, cuts))
        return call->status;
    mica_onnx_steps(x->rank, x->dim, own);
    for (int i = 0; i < x->rank; i++) {
        dim[i] = cuts[i].count;
        step[i] = own[i] * cuts[i].step;
        offset += own[i] * cuts[i].begin;
    }
    return mica_onnx_fold_strided(call, 0, x, x->rank, dim, offset, step);
}

/* ---- Split ---- */

static mica_status split(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0), *input = mica_onnx_in(call, 1);
    int axis = mica_onnx_axis(call, mica_onnx_int(call, "axis", 0), x->rank);
    int64_t count, parts = (int64_t)call->node->n_out;
    const int64_t *sizes = mica_onnx_ints(call, "split", &count);
    if (input)
        sizes = mica_onnx_integers(call, input, &count);
    parts = mica_onnx_int(call, "num_outputs", parts);
    if (call->status != MICA_OK)
        return call->status;
    if (parts != (int64_t)call->node->n_out || parts < 1 || (sizes && count != parts))
        return mica_onnx_refuse(call, "its parts do not fit its outputs");
    int64_t size = x->dim[axis], each = (size - 1) / parts + 1, at = 0;
    bool last, known = x->state == MICA_ONNX_KNOWN && !x->weight;
    mica_value *value = known ? NULL : mica_onnx_either(call, x, &last);
    for (int i = 0; i < parts; i++) {
        int64_t part = sizes ? sizes[i] : each < size - at ? each : size - at;
        if (part < 0 || part > size - at || (part == 0 && !known))
            return mica_onnx_refuse(
                call, "a part of %lld of %lld", (long long)part, (long long)size);
        if (known) {
            int64_t step[MICA_ONNX_MAX_RANK], dim[MICA_ONNX_MAX_RANK];
            mica_onnx_steps(x->rank, x->dim, step);
            memcpy(dim, x->dim, sizeof dim);
            dim[axis] = part;
            if (mica_onnx_wanted(call, i))
                MICA_TRY(mica_onnx_fold_strided(call, i, x, x->rank, dim, at * step[axis], step));
        } else {
            if (!mica_onnx_work(call, MICA_ONNX_NODE_WORK))
                return call->status;
            MICA_TRY(mica_onnx_give_either(call, i,
                value ? slice_of(value, mica_onnx_place(x->rank, axis, last), at, part) : NULL,
                last));
        }
        at += part;
    }
    return MICA_OK;
}

/* ---- Concat ---- */

static mica_status concat(mica_onnx_call *call) {
    int count = mica_onnx_in_count(call);
    const mica_onnx_value *first = mica_onnx_in(call, 0);
    int axis = mica_onnx_axis(call, mica_onnx_int(call, "axis", 1), first->rank);
    mica_value **values = mica_onnx_scratch(call, (size_t)count, sizeof *values);
    bool last = false;
    for (int i = 0; i < count; i++) {
        const mica_onnx_value *value = mica_onnx_in(call, i);
        if (!value || value->rank != first->rank)
            return mica_onnx_refuse(call, "its inputs have different numbers of dimensions");
        last = last || mica_onnx_is_last(value);
    }
    for (int i = 0; values && i < count; i++) {
        mica_onnx_value *value = mica_onnx_in(call, i);
        values[i] = last ? mica_onnx_last(call, value) : mica_onnx_plain(call, value);
        if (!values[i])
            return mica_onnx_give(call, 0, NULL);
    }
    if (call->status != MICA_OK)
        return call->status;
    int place = mica_onnx_place(first->rank, axis, last);
    return mica_onnx_give_either(
        call, 0, count == 1 ? values[0] : mica_concat(values, count, place), last);
}

static mica_status fold_concat(mica_onnx_call *call) {
    mica_onnx_value *first = mica_onnx_in(call, 0);
    int axis = mica_onnx_axis(call, mica_onnx_int(call, "axis", 1), first->rank);
    int64_t dim[MICA_ONNX_MAX_RANK];
    memcpy(dim, first->dim, sizeof dim);
    for (int i = 0; i < mica_onnx_in_count(call) && call->status == MICA_OK; i++) {
        mica_onnx_value *value = mica_onnx_in(call, i);
        bool fits = value && value->rank == first->rank && value->type == first->type;
        for (int d = 0; fits && d < first->rank; d++)
            fits = d == axis || value->dim[d] == first->dim[d];
        if (!fits)
            return mica_onnx_refuse(call, "the shapes or types of its inputs differ");
        dim[axis] += i ? value->dim[axis] : 0;
        MICA_TRY(mica_onnx_know(call, value));
    }
    if (call->status != MICA_OK)
        return call->status;
    mica_onnx_value *out = mica_onnx_give_known(call, 0, first->type, first->rank, dim);
    int64_t inner = mica_onnx_count(first->rank - axis - 1, dim + axis + 1), before = 0;
    for (int i = 0; out && i < mica_onnx_in_count(call); i++) {
        const mica_onnx_value *value = mica_onnx_in(call, i);
        int64_t run = value->dim[axis] * inner, total = mica_onnx_value_count(value);
        for (int64_t n = 0; n < total; n++) {
            int64_t to = n / run * dim[axis] * inner + before + n % run;
            if (out->real)
                out->real[to] = value->real[n];
            else
                out->whole[to] = value->whole[n];
        }
        before += run;
    }
    return call->status;
}

/* ---- OneHot ---- */

static int64_t depth_of(mica_onnx_call *call) {
    return mica_onnx_truncated(mica_onnx_number(call, mica_onnx_in(call, 1), 0));
}

static mica_status fold_one_hot(mica_onnx_call *call) {
    mica_onnx_value *indices = mica_onnx_in(call, 0), *values = mica_onnx_in(call, 2);
    int64_t depth = depth_of(call);
    int rank = indices->rank + 1;
    if (mica_onnx_know(call, indices) != MICA_OK || mica_onnx_know(call, values) != MICA_OK)
        return call->status;
    if (depth < 1 || depth > INT32_MAX || rank > MICA_ONNX_MAX_RANK || values->rank != 1 ||
        values->dim[0] != 2)
        return mica_onnx_refuse(call, "its depth is %lld", (long long)depth);
    int axis = mica_onnx_axis(call, mica_onnx_int(call, "axis", -1), rank);
    int64_t dim[MICA_ONNX_MAX_RANK];
    for (int i = 0; i < rank; i++)
        dim[i] = i < axis ? indices->dim[i] : i == axis ? depth : indices->dim[i - 1];
    mica_onnx_value *out = mica_onnx_give_known(call, 0, values->type, rank, dim);
    int64_t inner = mica_onnx_count(rank - axis - 1, dim + axis + 1);
    for (int64_t n = 0; out && n < mica_onnx_value_count(out); n++) {
        int64_t from = n / (depth * inner) * inner + n % inner;
        double index = indices->real ? indices->real[from] : (double)indices->whole[from];
        index += index < 0 ? (double)depth : 0;
        int on = index == (double)(n / inner % depth);
        if (out->real)
            out->real[n] = values->real[on];
        else
            out->whole[n] = values->whole[on];
    }
    return call->status;
}

/* Of classes that the network computes or takes, from 0 on: zeros and a one. */
static mica_status one_hot(mica_onnx_call *call) {
    mica_onnx_value *indices = mica_onnx_in(call, 0), *values = mica_onnx_in(call, 2);
    int64_t depth = depth_of(call);
    int64_t axis = mica_onnx_int(call, "axis", -1);
    mica_value *ids = mica_onnx_plain(call, indices);
    if (call->status != MICA_OK || mica_onnx_know(call, values) != MICA_OK)
        return call->status;
    bool simple = indices->type != MICA_ONNX_FLOAT && values->type == MICA_ONNX_FLOAT &&
                  mica_onnx_value_count(values) == 2 && values->real[0] == 0 &&
                  values->real[1] == 1 && (axis == -1 || axis == indices->rank);
    if (!simple || depth < 1 || depth > INT32_MAX || indices->rank >= MICA_MAX_RANK)
        return mica_onnx_refuse(call,
            "of numbers that are not known: integers as rows of floats, zeros and a one, are there");
    return mica_onnx_give(call, 0, mica_one_hot(ids, depth));
}

const mica_onnx_operator mica_onnx_take_operators[] = {
    {"Gather", gather, fold_gather, .least_in = 2},
    {"Slice", slice, fold_slice, .least_in = 1},
    {"Split", split, .least_in = 1},
    {"Concat", concat, fold_concat, .least_in = 1},
    {"OneHot", one_hot, fold_one_hot, .least_in = 3, .since = 9},
    {0},
};
