/* Sequences: lookup tables, recurrent networks and their layers.
 *
 * A sequence is (batch, time, features). Weights stand in the order of Mica's dense layers, (in,
 * out), with the gates side by side: those of `hidden` units are i, f, g, o for LSTM and r, z, n
 * for GRU, which is PyTorch's order, so that weight is PyTorch's weight_ih transposed, recurrent
 * its weight_hh transposed, and bias the sum of its two (but for GRU's candidate: bias_n). */
#ifndef MICA_SEQUENCE_H
#define MICA_SEQUENCE_H

#include <mica/ops.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- lookup (src/op/embedding.c) ---- */

/* Rows of a table: table (rows, width), ids int32 (...) -> (..., width). A number out of range
 * gives a row of NaN, and no gradient. The gradient of a row is summed over the places that took
 * it, in their order. */
MICA_API mica_value *mica_embedding(mica_value *table, mica_value *ids);

/* The same along the first axis of any value: a (rows, ...), ids int32 (...) -> (ids..., ...). */
MICA_API mica_value *mica_gather(mica_value *a, mica_value *ids);

/* ---- recurrent networks (src/op/recurrent.c) ---- */

/* Zero means the default. */
typedef struct mica_recurrent_options {
    bool reverse;        /* from the last step to the first */
    mica_value *lengths; /* int32 (batch): a sample's steps from this one on give 0 and leave the
                            state as it is, in either direction; NULL: all steps count */
    mica_value *h0, *c0; /* (batch, hidden): the state before the first step; NULL: 0. c0: LSTM */
    bool relu;           /* mica_rnn: max(a, 0) instead of tanh */
    bool reset_first;    /* mica_gru: the reset gate acts on the state, before the product */
    mica_value *bias_n;  /* mica_gru without reset_first: (hidden), inside the reset gate's reach;
                            NULL: 0 */
} mica_recurrent_options;

/* Each is NULL after a failure (mica_graph_status). */
typedef struct mica_recurrent {
    mica_value *outputs; /* (batch, time, hidden): the state behind each step */
    mica_value *h;       /* (batch, hidden): the state behind the last step */
    mica_value *c;       /* (batch, hidden): the cell's state behind it; NULL: not LSTM */
} mica_recurrent;

/* With s = x_t weight + bias: x (batch, time, in), weight (in, gates * hidden), recurrent (hidden,
 * gates * hidden), bias (gates * hidden) or NULL: none. x may be int32 (batch, time), which stands
 * for one-hot rows of weight's height: their product is looked up. options may be NULL.
 *
 * mica_rnn: h' = tanh(s + h recurrent). Elman, "Finding structure in time", 1990. */
MICA_API mica_recurrent mica_rnn(mica_value *x, mica_value *weight, mica_value *recurrent,
    mica_value *bias, const mica_recurrent_options *options);

/* i, f, o = sigmoid(s + h recurrent), g = tanh(s + h recurrent), c' = f c + i g, h' = o tanh(c').
 * Hochreiter and Schmidhuber, "Long short-term memory", 1997; Gers, Schmidhuber and Cummins,
 * "Learning to forget", 2000. */
MICA_API mica_recurrent mica_lstm(mica_value *x, mica_value *weight, mica_value *recurrent,
    mica_value *bias, const mica_recurrent_options *options);

/* r, z = sigmoid(s + h recurrent), n = tanh(s + r (h recurrent + bias_n)), h' = (1 - z) n + z h;
 * with reset_first, n = tanh(s + (r h) recurrent). Cho et al., "Learning phrase representations
 * using RNN encoder-decoder", 2014, which is reset_first; the other is PyTorch's, and ONNX's with
 * linear_before_reset. */
MICA_API mica_recurrent mica_gru(mica_value *x, mica_value *weight, mica_value *recurrent,
    mica_value *bias, const mica_recurrent_options *options);

/* ---- layers (src/nn/recurrent.c) ---- */

/* Zero means the default. States are (layers * directions, batch, hidden): layer by layer, in each
 * first the one forward, then the one in reverse. */
typedef struct mica_recurrent_layer_options {
    int layers;             /* 0: 1. Each takes the outputs of the one before */
    bool bidirectional;     /* each layer also runs in reverse; outputs stand behind each other */
    bool reverse;           /* without bidirectional: only in reverse */
    float keep_prob;        /* mica_dropout between layers; 0: none */
    int64_t classes;        /* for int32 x: how many there are, the height of the first weight */
    mica_value *lengths;    /* as mica_recurrent_options */
    mica_value *h0, *c0;    /* initial states; NULL: 0 */
    bool stateful;          /* the initial states are parameters name/h and, for LSTM, name/c, which
                               start at 0 and take the final states after each training step
                               (mica_parameter_track): truncated back-propagation through time */
    bool relu, reset_first; /* as mica_recurrent_options */
    bool no_bias;
    bool frozen;           /* the layer's parameters stay as they are (mica_parameter_freeze) */
    const mica_init *init; /* of all parameters; fans of 0 are filled in; NULL: uniform between
                              +-1 / sqrt(hidden), as PyTorch */
} mica_recurrent_layer_options;

/* x (batch, time, features), or int32 (batch, time) -> outputs (batch, time, directions * hidden)
 * of the last layer and the final states of all. Parameters are name/weight, name/recurrent,
 * name/bias and, for GRU, name/bias_n, with the suffixes _l1, _l2, ... from the second layer on and
 * then _reverse. The graph's scope is set to `name` meanwhile and none afterwards. options may be
 * NULL. */
MICA_API mica_recurrent mica_rnn_layer(
    mica_value *x, const char *name, int64_t hidden, const mica_recurrent_layer_options *options);
MICA_API mica_recurrent mica_lstm_layer(
    mica_value *x, const char *name, int64_t hidden, const mica_recurrent_layer_options *options);
MICA_API mica_recurrent mica_gru_layer(
    mica_value *x, const char *name, int64_t hidden, const mica_recurrent_layer_options *options);

/* mica_embedding with the parameter name/weight (rows, width), normal with deviation 1 unless init
 * says otherwise (NULL). */
MICA_API mica_value *mica_embedding_layer(
    mica_value *ids, const char *name, int64_t rows, int64_t width, const mica_init *init);

#ifdef __cplusplus
}
#endif
#endif
