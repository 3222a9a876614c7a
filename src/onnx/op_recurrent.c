/* Recurrent networks. ONNX has W (directions, gates*hidden, in), R (directions, gates*hidden,
 * hidden) and B (directions, 2*gates*hidden: W's, then R's), with the gates i, o, f, c of LSTM and
 * z, r, h of GRU; Mica has (in, gates*hidden) with i, f, g, o and r, z, n. Stored weights are
 * arranged so at load: (directions, in, gates, hidden). */
#include "onnx/build.h"

#include <mica/sequence.h>
#include <string.h>
#include <strings.h>

typedef struct cell_kind {
    int gates;
    int64_t places[4]; /* of Mica's gates among ONNX's */
    const char *activations[3];
    mica_recurrent (*build)(mica_value *x, mica_value *weight, mica_value *recurrent,
        mica_value *bias, const mica_recurrent_options *options);
} cell_kind;

static const cell_kind rnn_cell = {1, {0}, {"Tanh"}, mica_rnn};
static const cell_kind lstm_cell = {4, {0, 2, 3, 1}, {"Sigmoid", "Tanh", "Tanh"}, mica_lstm};
static const cell_kind gru_cell = {3, {1, 0, 2}, {"Sigmoid", "Tanh"}, mica_gru};

/* A node as it was read. */
typedef struct recurrent {
    const cell_kind *cell;
    int64_t batch, time, in, hidden;
    int directions;
    bool reverse; /* of the one direction */
    bool batch_first;
    bool reset_last;
    bool relu[2]; /* by direction: RNN */
} recurrent;

/* ---- reading a node ---- */

static bool shape_is(const mica_onnx_value *value, int rank, const int64_t *dim) {
    return !value || (value->rank == rank && !memcmp(value->dim, dim, (size_t)rank * sizeof *dim));
}

/* Functions other than the cell's own are refused, but for RNN's Relu. */
static void activations_read(mica_onnx_call *call, recurrent *r) {
    int64_t count, unused;
    const char *const *names = mica_onnx_texts(call, "activations", &count);
    mica_onnx_floats(call, "activation_alpha", &unused); /* of functions that are not there */
    mica_onnx_floats(call, "activation_beta", &unused);
    const int each = r->cell == &rnn_cell ? 1 : r->cell == &lstm_cell ? 3 : 2;
    if (names && count != each * r->directions)
        mica_onnx_refuse(call, "%lld activations for %d direction%s", (long long)count,
            r->directions, r->directions > 1 ? "s" : "");
    for (int i = 0; names && i < count && call->status == MICA_OK; i++) {
        bool relu = r->cell == &rnn_cell && !strcasecmp(names[i], "Relu");
        if (relu)
            r->relu[i] = true;
        else if (strcasecmp(names[i], r->cell->activations[i % each]) != 0)
            mica_onnx_refuse(call, "the activation %.30s where only %s is there", names[i],
                r->cell->activations[i % each]);
    }
}

static void direction_read(mica_onnx_call *call, recurrent *r) {
    const char *direction = mica_onnx_text(call, "direction", "forward");
    r->directions = strcmp(direction, "bidirectional") ? 1 : 2;
    r->reverse = !strcmp(direction, "reverse");
    if (r->directions == 1 && !r->reverse && strcmp(direction, "forward") != 0)
        mica_onnx_refuse(call, "direction is \"%.20s\"", direction);
}

/* What only some networks have and Mica has not. */
static void options_refuse(mica_onnx_call *call, const recurrent *r) {
    if (mica_onnx_has(call, "clip"))
        mica_onnx_refuse(call, "clip, a bound on what goes into the activations");
    if (r->cell == &lstm_cell && mica_onnx_int(call, "input_forget", 0))
        mica_onnx_refuse(call, "input_forget, gates that are coupled");
    if (r->cell == &lstm_cell && mica_onnx_in(call, 7))
        mica_onnx_refuse(call, "peepholes (input P)");
}

static bool shapes_check(mica_onnx_call *call, recurrent *r) {
    const mica_onnx_value *x = mica_onnx_in(call, 0), *weights = mica_onnx_in(call, 2);
    if (x->rank != 3 || weights->rank != 3) {
        mica_onnx_refuse(call, "a sequence of %d dimensions and weights of %d, expected 3 each",
            x->rank, weights->rank);
        return false;
    }
    r->batch = x->dim[r->batch_first ? 0 : 1];
    r->time = x->dim[r->batch_first ? 1 : 0];
    r->in = x->dim[2];
    r->hidden = weights->dim[2];
    const int64_t d = r->directions, rows = r->cell->gates * r->hidden;
    const int64_t state[] = {
        r->batch_first ? r->batch : d, r->batch_first ? d : r->batch, r->hidden};
    bool fits = shape_is(mica_onnx_in(call, 1), 3, (int64_t[]){d, rows, r->in}) &&
                shape_is(weights, 3, (int64_t[]){d, rows, r->hidden}) &&
                shape_is(mica_onnx_in(call, 3), 2, (int64_t[]){d, 2 * rows}) &&
                shape_is(mica_onnx_in(call, 4), 1, &r->batch) &&
                shape_is(mica_onnx_in(call, 5), 3, state) &&
                mica_onnx_int(call, "hidden_size", r->hidden) == r->hidden;
    if (r->cell == &lstm_cell)
        fits = fits && shape_is(mica_onnx_in(call, 6), 3, state);
    if (!fits)
        mica_onnx_refuse(call, "the shapes of its inputs do not fit each other");
    return call->status == MICA_OK;
}

static bool read(mica_onnx_call *call, const cell_kind *cell, recurrent *r) {
    *r = (recurrent){.cell = cell};
    direction_read(call, r);
    r->batch_first = call->opset >= 14 && mica_onnx_int(call, "layout", 0) != 0;
    r->reset_last = cell == &gru_cell && mica_onnx_int(call, "linear_before_reset", 0) != 0;
    if (call->opset < 7)
        mica_onnx_int(call, "output_sequence", 0); /* results say it by their names, too */
    activations_read(call, r);
    options_refuse(call, r);
    for (int i = 0; i < mica_onnx_in_count(call); i++)
        if (i != 4 && mica_onnx_in(call, i) && !mica_onnx_floating(call, mica_onnx_in(call, i)))
            return false;
    return call->status == MICA_OK && shapes_check(call, r);
}

/* ---- values ---- */

/* Part `index` along `axis`, which goes. */
static mica_value *part_of(mica_value *value, int axis, int64_t index) {
    mica_shape shape = mica_value_shape(value), kept = {.rank = 0};
    int64_t begin[MICA_MAX_RANK] = {0};
    for (int i = 0; i < shape.rank; i++)
        if (i != axis)
            kept.dim[kept.rank++] = shape.dim[i];
    if (value && shape.dim[axis] > 1) {
        begin[axis] = index;
        shape.dim[axis] = 1;
        value = mica_slice(value, begin, shape.dim);
    }
    return mica_onnx_shaped(value, kept.rank, kept.dim);
}

/* The matrix (columns, gates*hidden) of a direction. */
static mica_value *matrix_of(
    mica_onnx_call *call, const recurrent *r, mica_onnx_value *stored, int direction) {
    const int64_t columns = stored->dim[2], width = r->cell->gates * r->hidden;
    const mica_onnx_arrangement a = {.rank = 4,
        .dim = {r->directions, r->cell->gates, r->hidden, columns},
        .axis = 1,
        .places = r->cell->places,
        .order = {0, 3, 1, 2}};
    mica_value *all = mica_onnx_shaped(
        mica_onnx_arranged_as(call, stored, &a), 3, (int64_t[]){r->directions, columns, width});
    return part_of(all, 0, direction);
}

/* The bias of all gates; with reset_last, what the reset gate acts on is *bias_n. */
static mica_value *bias_of(
    mica_onnx_call *call, const recurrent *r, int direction, mica_value **bias_n) {
    mica_onnx_value *stored = mica_onnx_in(call, 3);
    if (!stored)
        return NULL;
    const int64_t gates = r->cell->gates, width = gates * r->hidden, reach = 2 * r->hidden;
    const mica_onnx_arrangement a = {.rank = 4,
        .dim = {r->directions, 2, gates, r->hidden},
        .axis = 2,
        .places = r->cell->places,
        .order = {0, 1, 2, 3}};
    mica_value *all = mica_onnx_shaped(
        mica_onnx_arranged_as(call, stored, &a), 3, (int64_t[]){r->directions, 2, width});
    mica_value *both = part_of(all, 0, direction);
    mica_value *input = part_of(both, 0, 0), *state = part_of(both, 0, 1);
    if (!r->reset_last)
        return mica_add(input, state);
    *bias_n = mica_slice(state, &reach, &r->hidden);
    mica_value *parts[] = {mica_add(mica_slice(input, (int64_t[]){0}, &reach),
                               mica_slice(state, (int64_t[]){0}, &reach)),
        mica_slice(input, &reach, &r->hidden)};
    return mica_concat(parts, 2, 0);
}

static mica_value *state_of(mica_onnx_call *call, const recurrent *r, int index, int direction) {
    mica_onnx_value *state = mica_onnx_in(call, index);
    return state ? part_of(mica_onnx_plain(call, state), r->batch_first, direction) : NULL;
}

/* Integers of a device come from inputs and from operators: known lengths are the places of the
 * ones in rows of zeros. NULL where all steps count. */
static mica_value *lengths_of(mica_onnx_call *call, const recurrent *r) {
    mica_onnx_value *lengths = mica_onnx_in(call, 4);
    if (!lengths || lengths->state == MICA_ONNX_LIVE)
        return lengths ? mica_onnx_plain(call, lengths) : NULL;
    int64_t count;
    const int64_t *known = mica_onnx_integers(call, lengths, &count);
    bool all = true;
    for (int64_t i = 0; known && i < count; i++) {
        all = all && known[i] == r->time;
        if (known[i] < 0 || known[i] > r->time)
            mica_onnx_refuse(
                call, "a length of %lld of %lld steps", (long long)known[i], (long long)r->time);
    }
    if (!known || all || call->status != MICA_OK)
        return NULL;
    const int64_t columns = r->time + 1;
    if (count * columns > UINT16_MAX) {
        mica_onnx_refuse(
            call, "%lld known lengths of up to %lld", (long long)count, (long long)r->time);
        return NULL;
    }
    float *ones = mica_onnx_scratch(call, (size_t)(count * columns), sizeof *ones);
    for (int64_t i = 0; ones && i < count; i++)
        ones[i * columns + known[i]] = 1;
    return ones ? mica_argmax(mica_onnx_constant(call, "lengths", MICA_SHAPE(count, columns), ones))
                : NULL;
}

/* ---- results ---- */

/* Puts a value of each direction side by side along `axis`, which is new. */
static mica_value *side_by_side(const recurrent *r, mica_value *const *values, int axis) {
    mica_value *with_axis[2];
    for (int k = 0; k < r->directions; k++) {
        mica_shape shape = mica_value_shape(values[k]), wider = {.rank = shape.rank + 1};
        for (int i = 0; i < wider.rank; i++)
            wider.dim[i] = i == axis ? 1 : shape.dim[i < axis ? i : i - 1];
        with_axis[k] = mica_onnx_shaped(values[k], wider.rank, wider.dim);
    }
    return r->directions == 1 ? with_axis[0] : mica_concat(with_axis, 2, axis);
}

static mica_status give_all(
    mica_onnx_call *call, const recurrent *r, const mica_recurrent *results) {
    static const int time_first[] = {1, 2, 0, 3};
    mica_value *y[2], *h[2], *c[2];
    for (int k = 0; k < r->directions; k++) {
        y[k] = results[k].outputs;
        h[k] = results[k].h;
        c[k] = results[k].c;
    }
    if (call->status != MICA_OK || !y[0] || !y[r->directions - 1])
        return mica_onnx_give(call, 0, NULL);
    if (mica_onnx_wanted(call, 0)) {
        mica_value *all = side_by_side(r, y, 2);
        if (all && !r->batch_first)
            all = mica_onnx_transposed(all, time_first);
        MICA_TRY(mica_onnx_give(call, 0, all));
    }
    if (mica_onnx_wanted(call, 1))
        MICA_TRY(mica_onnx_give(call, 1, side_by_side(r, h, r->batch_first)));
    if (mica_onnx_wanted(call, 2) && r->cell == &lstm_cell)
        MICA_TRY(mica_onnx_give(call, 2, side_by_side(r, c, r->batch_first)));
    return MICA_OK;
}

static mica_status recurrent_build(mica_onnx_call *call, const cell_kind *cell) {
    recurrent r;
    if (!read(call, cell, &r))
        return call->status;
    mica_recurrent results[2] = {{0}};
    mica_value *x = mica_onnx_plain(call, mica_onnx_in(call, 0));
    if (x && !r.batch_first)
        x = mica_onnx_transposed(x, (int[]){1, 0, 2});
    mica_value *lengths = lengths_of(call, &r);
    for (int k = 0; k < r.directions && call->status == MICA_OK; k++) {
        mica_value *bias_n = NULL, *bias = bias_of(call, &r, k, &bias_n);
        const mica_recurrent_options options = {.reverse = r.reverse || k == 1,
            .lengths = lengths,
            .h0 = state_of(call, &r, 5, k),
            .c0 = cell == &lstm_cell ? state_of(call, &r, 6, k) : NULL,
            .relu = r.relu[k],
            .reset_first = cell == &gru_cell && !r.reset_last,
            .bias_n = bias_n};
        mica_value *weight = matrix_of(call, &r, mica_onnx_in(call, 1), k);
        mica_value *state_weight = matrix_of(call, &r, mica_onnx_in(call, 2), k);
        results[k] = cell->build(x, weight, state_weight, bias, &options);
    }
    return give_all(call, &r, results);
}

static mica_status rnn(mica_onnx_call *call) {
    return recurrent_build(call, &rnn_cell);
}

static mica_status lstm(mica_onnx_call *call) {
    return recurrent_build(call, &lstm_cell);
}

static mica_status gru(mica_onnx_call *call) {
    return recurrent_build(call, &gru_cell);
}

const mica_onnx_operator mica_onnx_recurrent_operators[] = {
    {"RNN", rnn, .least_in = 3},
    {"LSTM", lstm, .least_in = 3},
    {"GRU", gru, .least_in = 3},
    {0},
};
