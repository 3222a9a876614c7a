/* The values of a build: the two orders of live ones, and how known ones become sources of the
 * graph. Knows no operator. */
#include "base/mem.h"
#include "onnx/state.h"

#include <stdlib.h>
#include <string.h>

/* ---- inputs and results ---- */

mica_onnx_value *mica_onnx_in(const mica_onnx_call *call, int index) {
    if ((size_t)index >= call->node->n_in || call->node->in[index] == MICA_ONNX_NONE)
        return NULL;
    return &call->build->values[call->node->in[index]];
}

int mica_onnx_in_count(const mica_onnx_call *call) {
    return (int)call->node->n_in;
}

static mica_onnx_value *out_of(const mica_onnx_call *call, int index) {
    if ((size_t)index >= call->node->n_out || call->node->out[index] == MICA_ONNX_NONE)
        return NULL;
    return &call->build->values[call->node->out[index]];
}

bool mica_onnx_wanted(const mica_onnx_call *call, int index) {
    return out_of(call, index) != NULL;
}

int64_t mica_onnx_value_count(const mica_onnx_value *value) {
    return mica_onnx_count(value->rank, value->dim);
}

void *mica_onnx_scratch(mica_onnx_call *call, size_t count, size_t size) {
    mica_onnx_build_state *build = call->build;
    mica_onnx_network *network = build->network;
    size_t cost = count * size + 32; /* counts are bounded by the callers */
    if (cost > build->scratch_left) {
        mica_onnx_refuse(call, "too many numbers would be worked out while building");
        return NULL;
    }
    void **blocks =
        mica_grow(network->blocks, network->n_blocks, &network->blocks_capacity, sizeof *blocks);
    void *block = blocks ? mica_alloc(count, size) : NULL;
    if (blocks)
        network->blocks = blocks;
    if (!block) {
        call->status = call->status == MICA_OK ? MICA_E_MEMORY : call->status;
        return NULL;
    }
    build->scratch_left -= cost;
    return network->blocks[network->n_blocks++] = block;
}

/* ---- orders ---- */

int mica_onnx_place(int rank, int axis, bool last) {
    return !last || axis == 0 ? axis : axis == 1 ? rank - 1 : axis - 1;
}

bool mica_onnx_is_last(const mica_onnx_value *value) {
    return value->state == MICA_ONNX_LIVE && value->last && !value->plain;
}

bool mica_onnx_floating(mica_onnx_call *call, const mica_onnx_value *value) {
    if (value->type == MICA_ONNX_FLOAT)
        return true;
    mica_onnx_refuse(call, "\"%.100s\" is %s, but devices compute this in float only", value->name,
        mica_onnx_type_name(value->type));
    return false;
}

mica_value *mica_onnx_shaped(mica_value *value, int rank, const int64_t *dim) {
    if (!value || mica_shape_equal(mica_value_shape(value), mica_shape_of(rank, dim)))
        return value;
    return mica_reshape(value, rank, dim);
}

/* A transposition that moves only sizes of 1 is a reshape, which costs nothing. */
mica_value *mica_onnx_transposed(mica_value *value, const int *order) {
    mica_shape shape = mica_value_shape(value), moved = shape;
    int previous = -1;
    bool moves = false;
    for (int i = 0; i < shape.rank; i++) {
        moved.dim[i] = shape.dim[order[i]];
        if (moved.dim[i] > 1) {
            moves = moves || order[i] < previous;
            previous = order[i];
        }
    }
    return !value  ? NULL
           : moves ? mica_transpose(value, order)
                   : mica_onnx_shaped(value, moved.rank, moved.dim);
}

void mica_onnx_order(int rank, bool to_last, int *order) {
    for (int i = 0; i < rank; i++)
        order[to_last ? mica_onnx_place(rank, i, true) : i] =
            to_last ? i : mica_onnx_place(rank, i, true);
}

/* The place that element i along dimension `axis` is read from. */
static int64_t place_in(const mica_onnx_arrangement *a, int axis, int64_t i) {
    return a->places && axis == a->axis ? a->places[i] : i;
}

void mica_onnx_arrange(const mica_onnx_arrangement *a, const float *from, float *to) {
    int64_t step[MICA_MAX_RANK], place[MICA_MAX_RANK] = {0};
    mica_onnx_steps(a->rank, a->dim, step);
    int64_t count = mica_onnx_count(a->rank, a->dim), at = 0;
    for (int i = 0; i < a->rank; i++)
        at += step[i] * place_in(a, i, 0);
    for (int64_t n = 0; n < count; n++) {
        to[n] = from[at];
        for (int i = a->rank; i-- > 0;) {
            const int axis = a->order[i];
            const int64_t last = place[i]++;
            place[i] %= a->dim[axis];
            at += step[axis] * (place_in(a, axis, place[i]) - place_in(a, axis, last));
            if (place[i])
                break;
        }
    }
}

/* The numbers of a known value of type float. */
static mica_status floats_read(mica_onnx_call *call, const mica_onnx_value *value, float *floats) {
    if (value->tensor && !value->real)
        return mica_onnx_tensor_floats(call->build->file->folder, value->tensor, floats);
    for (int64_t i = 0; i < mica_onnx_value_count(value); i++)
        floats[i] = (float)value->real[i];
    return MICA_OK;
}

static mica_value *constant_make(
    mica_onnx_call *call, const mica_onnx_value *value, const mica_onnx_arrangement *a) {
    int64_t dim[MICA_MAX_RANK];
    for (int i = 0; i < a->rank; i++)
        dim[i] = a->dim[a->order[i]];
    size_t count = (size_t)mica_onnx_value_count(value);
    float *read = mica_alloc(count, sizeof *read), *arranged = mica_alloc(count, sizeof *arranged);
    mica_status status = read && arranged ? floats_read(call, value, read) : MICA_E_MEMORY;
    mica_value *made = NULL;
    if (status == MICA_OK) {
        mica_onnx_arrange(a, read, arranged);
        mica_shape shape = mica_shape_of(a->rank, dim);
        made = count == 1 ? mica_full(call->graph, shape, *arranged)
                          : mica_constant(call->graph, value->name, shape, arranged);
    } else if (call->status == MICA_OK) {
        call->status = status;
    }
    free(read);
    free(arranged);
    return made;
}

static mica_value *parameter_make(
    mica_onnx_call *call, const mica_onnx_value *value, const mica_onnx_arrangement *a) {
    mica_onnx_network *network = call->build->network;
    mica_onnx_weight *weights = mica_grow(
        network->weights, network->n_weights, &network->weights_capacity, sizeof *weights);
    if (!weights) {
        call->status = call->status == MICA_OK ? MICA_E_MEMORY : call->status;
        return NULL;
    }
    network->weights = weights;
    int64_t dim[MICA_MAX_RANK];
    for (int i = 0; i < a->rank; i++)
        dim[i] = a->dim[a->order[i]];
    mica_value *made = mica_parameter(
        call->graph, value->name, mica_shape_of(a->rank, dim), (mica_init){MICA_INIT_ZEROS});
    if (!made)
        return NULL;
    mica_parameter_freeze(made, call->frozen);
    weights[network->n_weights++] = (mica_onnx_weight){made, value->tensor, *a};
    return made;
}

/* Sources bear the file's own names, without the scope of the node that uses them first. */
static mica_value *source_make(
    mica_onnx_call *call, const mica_onnx_value *value, const mica_onnx_arrangement *a) {
    if (value->type != MICA_ONNX_FLOAT) {
        mica_onnx_refuse(call, "\"%.100s\" is a constant of type %s, expected float", value->name,
            mica_onnx_type_name(value->type));
        return NULL;
    }
    if (mica_onnx_value_count(value) < 1) {
        mica_onnx_refuse(call, "\"%.100s\" has no elements", value->name);
        return NULL;
    }
    mica_graph_set_scope(call->graph, NULL);
    mica_value *made =
        value->weight ? parameter_make(call, value, a) : constant_make(call, value, a);
    mica_onnx_scope_set(call);
    return made;
}

mica_value *mica_onnx_constant(
    mica_onnx_call *call, const char *name, mica_shape shape, const float *numbers) {
    /* results have unique names, nodes need not */
    const mica_onnx_value *result = out_of(call, 0);
    mica_graph_set_scope(call->graph, result ? result->name : NULL);
    mica_value *made = mica_constant(call->graph, name, shape, numbers);
    mica_onnx_scope_set(call);
    return made;
}

static bool same_arrangement(const mica_onnx_arrangement *a, const mica_onnx_arrangement *b) {
    bool same = a->rank == b->rank && a->places == b->places && (!a->places || a->axis == b->axis);
    for (int i = 0; i < a->rank && same; i++)
        same = a->dim[i] == b->dim[i] && a->order[i] == b->order[i];
    return same;
}

/* The source that a known value became with its elements in ONNX's order, in the shape that they
 * were arranged in. */
static mica_value *source_undo(mica_onnx_call *call, const mica_onnx_value *value) {
    const mica_onnx_arrangement *a = &value->arrangement;
    int back[MICA_MAX_RANK];
    for (int i = 0; i < a->rank; i++)
        back[a->order[i]] = i;
    mica_value *made = mica_onnx_transposed(value->source, back);
    if (made && a->places) {
        const int64_t count = a->dim[a->axis];
        int64_t *undo = mica_onnx_scratch(call, (size_t)count, sizeof *undo);
        for (int64_t i = 0; undo && i < count; i++)
            undo[a->places[i]] = i;
        made = undo ? mica_onnx_take(call, made, a->axis, undo, count) : NULL;
    }
    return made;
}

mica_value *mica_onnx_arranged_as(
    mica_onnx_call *call, mica_onnx_value *value, const mica_onnx_arrangement *wanted) {
    mica_onnx_value *root = value->root ? value->root : value, *from = value;
    const bool fresh = value->state == MICA_ONNX_KNOWN && !value->source;
    if (value->source && same_arrangement(&value->arrangement, wanted))
        return value->source;
    mica_value *made;
    if (fresh && !root->user) {
        made = source_make(call, value, wanted);
        root->user = made ? value : NULL;
    } else {
        from = fresh ? root->user : value;
        made = from->source && !from->plain ? source_undo(call, from) : mica_onnx_plain(call, from);
        made = mica_onnx_shaped(made, wanted->rank, wanted->dim);
        if (made && wanted->places)
            made =
                mica_onnx_take(call, made, wanted->axis, wanted->places, wanted->dim[wanted->axis]);
        made = made ? mica_onnx_transposed(made, wanted->order) : NULL;
    }
    if (fresh) {
        value->source = made;
        value->arrangement = *wanted;
    }
    return made;
}

mica_value *mica_onnx_arranged(
    mica_onnx_call *call, mica_onnx_value *value, int rank, const int64_t *dim, const int *order) {
    if (!value)
        return NULL;
    if (rank > MICA_MAX_RANK || mica_onnx_count(rank, dim) != mica_onnx_value_count(value)) {
        mica_onnx_refuse(call,
            "\"%.100s\" of %d dimensions cannot become one of %d; at most %d are possible",
            value->name, value->rank, rank, MICA_MAX_RANK);
        return NULL;
    }
    mica_onnx_arrangement wanted = {.rank = rank};
    memcpy(wanted.dim, dim, (size_t)rank * sizeof *dim);
    memcpy(wanted.order, order, (size_t)rank * sizeof *order);
    return mica_onnx_arranged_as(call, value, &wanted);
}

mica_value *mica_onnx_plain(mica_onnx_call *call, mica_onnx_value *value) {
    static const int as_it_is[MICA_MAX_RANK] = {0, 1, 2, 3, 4, 5};
    if (!value || value->plain)
        return value ? value->plain : NULL;
    int order[MICA_MAX_RANK];
    if (value->state == MICA_ONNX_LIVE) {
        mica_onnx_order(value->rank, false, order);
        value->plain = mica_onnx_transposed(value->last, order);
    } else if (value->source) {
        value->plain = mica_onnx_shaped(source_undo(call, value), value->rank, value->dim);
    } else {
        value->plain = mica_onnx_arranged(call, value, value->rank, value->dim, as_it_is);
    }
    return value->plain;
}

mica_value *mica_onnx_last(mica_onnx_call *call, mica_onnx_value *value) {
    if (!value || value->last)
        return value ? value->last : NULL;
    mica_value *plain = mica_onnx_plain(call, value);
    int order[MICA_MAX_RANK];
    if (!plain || value->rank < 3) /* stored tensors may have more dimensions than the graph's */
        return value->last = plain;
    mica_onnx_order(value->rank, true, order);
    return value->last = mica_onnx_transposed(plain, order);
}

mica_value *mica_onnx_either(mica_onnx_call *call, mica_onnx_value *value, bool *last) {
    *last = mica_onnx_is_last(value);
    return *last ? value->last : mica_onnx_plain(call, value);
}

/* ---- results ---- */

mica_status mica_onnx_give_either(mica_onnx_call *call, int index, mica_value *made, bool last) {
    if (call->status != MICA_OK)
        return call->status;
    if (!made) {
        mica_status status = mica_graph_status(call->graph);
        return call->status = status != MICA_OK ? status : MICA_E_MEMORY;
    }
    mica_onnx_value *value = out_of(call, index);
    if (!value)
        return MICA_OK;
    mica_shape shape = mica_value_shape(made);
    value->state = MICA_ONNX_LIVE;
    value->type = mica_value_dtype(made) == MICA_F32 ? MICA_ONNX_FLOAT : MICA_ONNX_INT64;
    value->rank = shape.rank;
    for (int i = 0; i < shape.rank; i++)
        value->dim[i] = shape.dim[mica_onnx_place(shape.rank, i, last)];
    *(last ? &value->last : &value->plain) = made;
    return MICA_OK;
}

mica_status mica_onnx_give(mica_onnx_call *call, int index, mica_value *plain) {
    return mica_onnx_give_either(call, index, plain, false);
}

mica_status mica_onnx_give_last(mica_onnx_call *call, int index, mica_value *last) {
    return mica_onnx_give_either(call, index, last, true);
}

void mica_onnx_store(const mica_onnx_tensor *tensor, mica_onnx_value *value) {
    value->state = MICA_ONNX_KNOWN;
    value->tensor = tensor;
    value->type = tensor->type;
    value->rank = tensor->rank;
    memcpy(value->dim, tensor->dim, sizeof value->dim);
}

mica_status mica_onnx_give_tensor(mica_onnx_call *call, int index, const mica_onnx_tensor *tensor) {
    mica_onnx_value *value = out_of(call, index);
    if (call->status == MICA_OK && value)
        mica_onnx_store(tensor, value);
    return call->status;
}

mica_status mica_onnx_give_shaped(
    mica_onnx_call *call, int index, mica_onnx_value *value, int rank, const int64_t *dim) {
    if (call->status != MICA_OK)
        return call->status;
    if (rank > MICA_ONNX_MAX_RANK || mica_onnx_count(rank, dim) != mica_onnx_value_count(value))
        return mica_onnx_refuse(call, "the %lld elements of \"%.100s\" do not fit the new shape",
            (long long)mica_onnx_value_count(value), value->name);
    if (value->state == MICA_ONNX_LIVE || value->weight) {
        if (rank > MICA_MAX_RANK)
            return mica_onnx_refuse(call,
                "its result would have %d dimensions, at most %d are possible", rank,
                MICA_MAX_RANK);
        if (rank == value->rank && !memcmp(dim, value->dim, (size_t)rank * sizeof *dim)) {
            bool last;
            mica_value *same = mica_onnx_either(call, value, &last);
            return mica_onnx_give_either(call, index, same, last);
        }
        return mica_onnx_give(
            call, index, mica_onnx_shaped(mica_onnx_plain(call, value), rank, dim));
    }
    mica_onnx_value *out = out_of(call, index);
    if (!out)
        return MICA_OK;
    out->state = MICA_ONNX_KNOWN;
    out->type = value->type;
    out->rank = rank;
    memcpy(out->dim, dim, (size_t)rank * sizeof *dim);
    out->real = value->real;
    out->whole = value->whole;
    out->tensor = value->tensor;
    out->root = value->root ? value->root : value;
    return MICA_OK;
}

mica_onnx_value *mica_onnx_give_known(
    mica_onnx_call *call, int index, int type, int rank, const int64_t *dim) {
    mica_onnx_value *value = out_of(call, index);
    int64_t count = rank <= MICA_ONNX_MAX_RANK ? mica_onnx_count(rank, dim) : -1;
    if (!value || call->status != MICA_OK)
        return NULL;
    if (count < 0 || count > MICA_ONNX_KNOWN_MOST ||
        !(mica_onnx_type_real(type) || mica_onnx_type_whole(type))) {
        mica_onnx_refuse(call, "its result is known while building, but too large or a %s",
            mica_onnx_type_name(type));
        return NULL;
    }
    if (!mica_onnx_work(call, count))
        return NULL;
    void *numbers = mica_onnx_scratch(call, (size_t)count, sizeof(int64_t));
    if (!numbers)
        return NULL;
    value->state = MICA_ONNX_KNOWN;
    value->type = type;
    value->rank = rank;
    for (int i = 0; i < rank; i++) /* dim may be NULL for a scalar */
        value->dim[i] = dim[i];
    value->real = mica_onnx_type_real(type) ? numbers : NULL;
    value->whole = mica_onnx_type_real(type) ? NULL : numbers;
    return value;
}

/* ---- known numbers ---- */

bool mica_onnx_work(mica_onnx_call *call, int64_t count) {
    int64_t *left = &call->build->work_left;
    if (count > *left) {
        mica_onnx_refuse(call, "too many numbers would be worked out while building");
        return false;
    }
    *left -= count;
    return true;
}

int64_t mica_onnx_truncated(double real) {
    return real >= -0x1p63 && real < 0x1p63 ? (int64_t)real : INT64_MIN;
}

mica_status mica_onnx_know(mica_onnx_call *call, mica_onnx_value *value) {
    if (!value)
        return mica_onnx_refuse(
            call, "an input is left out that its version of the operator needs");
    if (value->state != MICA_ONNX_KNOWN)
        return mica_onnx_refuse(call,
            "\"%.100s\" must be known when the network is built, but is computed by it or an input",
            value->name);
    int64_t count = mica_onnx_value_count(value);
    if (call->status != MICA_OK || !mica_onnx_work(call, count) || value->real || value->whole)
        return call->status;
    if (count > MICA_ONNX_KNOWN_MOST || !value->tensor)
        return mica_onnx_refuse(
            call, "\"%.100s\" is too large to be worked with while building", value->name);
    bool real = mica_onnx_type_real(value->type);
    void *numbers = mica_onnx_scratch(call, (size_t)count, sizeof(int64_t));
    if (!numbers)
        return call->status;
    int folder = call->build->file->folder;
    mica_status status = real ? mica_onnx_tensor_reals(folder, value->tensor, numbers)
                              : mica_onnx_tensor_wholes(folder, value->tensor, numbers);
    if (status != MICA_OK)
        return call->status = status;
    *(real ? (void **)&value->real : (void **)&value->whole) = numbers;
    return MICA_OK;
}

const int64_t *mica_onnx_integers(mica_onnx_call *call, mica_onnx_value *value, int64_t *count) {
    *count = 0;
    if (mica_onnx_know(call, value) != MICA_OK)
        return NULL;
    if (!value->whole || value->rank > 1) {
        mica_onnx_refuse(call, "\"%.100s\" must be a list of integers", value->name);
        return NULL;
    }
    *count = mica_onnx_value_count(value);
    return value->whole;
}

double mica_onnx_number(mica_onnx_call *call, mica_onnx_value *value, double otherwise) {
    if (!value || mica_onnx_know(call, value) != MICA_OK)
        return otherwise;
    if (mica_onnx_value_count(value) != 1) {
        mica_onnx_refuse(call, "\"%.100s\" must be one number, but has %lld", value->name,
            (long long)mica_onnx_value_count(value));
        return otherwise;
    }
    return value->real ? value->real[0] : (double)value->whole[0];
}
