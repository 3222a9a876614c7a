/* Sequences: lookup tables, recurrent networks and their layers.
 *
 * A sequence is (batch, time, features). Weights stand in the order of Mica's dense layers, (in,
 * out), with the gates side by side: those of `hidden` units are i, f, g, o for LSTM and r, z, n
 * for GRU, which is PyTorch's order, so that weight is PyTorch's weight_ih transposed, recurrent
 * its weight_hh transposed, and bias the sum of its two (but for GRU's candidate: bias_n). */
#ifndef MICA_SEQUENCE_H
#define MICA_SEQUENCE_H

#include <mica/data.h>
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
                               start at 0 and take the final states after each run
                               (mica_parameter_carry): truncated back-propagation through time */
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

typedef struct mica_embedding_layer_options {
    const mica_init *init; /* fans of 0 are filled in; NULL: normal with deviation 1 */
    bool sparse;           /* mica_parameter_sparse: only rows that are looked up are updated */
    bool frozen;           /* mica_parameter_freeze */
} mica_embedding_layer_options;

/* mica_embedding with the parameter name/weight (rows, width). options may be NULL. */
MICA_API mica_value *mica_embedding_layer(mica_value *ids, const char *name, int64_t rows,
    int64_t width, const mica_embedding_layer_options *options);

/* ---- data (src/data/sequences.c, text.c, series.c) ---- */

/* Mini-batches of one long sequence. Its numbers are laid out as `sequences` rows of as many whole
 * windows of `length` as there are for each; batch b is window b of every row, so that row r of a
 * batch goes on where row r of the batch before ended, and a recurrent network's state can be
 * carried along. 1 to 12 as 2 sequences with length 3: [[1,2,3],[7,8,9]], [[4,5,6],[10,11,12]].
 *
 * The number of batches; what does not fill one is left out. 0 for sizes below 1 and for numbers
 * that are too few. */
MICA_API int64_t mica_sequence_batches(int64_t count, int64_t sequences, int64_t length);

/* Writes batch number `batch`, (sequences, length). MICA_E_INVALID: there is no such batch. */
MICA_API mica_status mica_sequence_batch(const int32_t *numbers, int64_t count, int64_t sequences,
    int64_t length, int64_t batch, int32_t *out);

/* Numbers UTF-8 text by the character: the one at characters[i] (one character in UTF-8 each) is
 * i. numbers needs room for `size` of them; *count says how many there are. A byte that is no UTF-8
 * is MICA_E_FORMAT, a character that is not among them MICA_E_INVALID; the text of the error names
 * it and its line. */
MICA_API mica_status mica_text_encode(const char *const *characters, int32_t classes,
    const char *text, size_t size, int32_t *numbers, int64_t *count);

/* Zero means the default. */
typedef struct mica_text_options {
    int64_t sequences;             /* rows of a batch; must be given */
    int64_t length;                /* characters of a sample; must be given */
    const char *const *characters; /* the vocabulary, as for mica_text_encode; NULL: those that
                                      occur in the file, in the order of their code points */
    int32_t classes;               /* of them; 0 without characters: as many as occur */
    double validation, test;       /* fractions of the text, taken from its end: training first,
                                      then validation, then test */
} mica_text_options;

/* Reads a file of UTF-8 text, plain or gzip, as samples of `length` numbers (int32) with as many
 * targets: the number that follows each. Unshuffled batches of `sequences` samples are those of
 * mica_sequence_batch; each part's are of the part alone. The set's class names are the characters.
 * A byte order mark is passed over. What is no UTF-8 (overlong forms and surrogates too), an empty
 * file and a part that is too short for one batch are refused. Each of the data sets may be NULL,
 * and is set to NULL where there is none. */
MICA_API mica_status mica_dataset_from_text(const char *path, const mica_text_options *options,
    mica_dataset **train, mica_dataset **validation, mica_dataset **test);

/* Zero means the default. */
typedef struct mica_series_options {
    const char *const *columns; /* names of the first line, or numbers from 1; NULL: all */
    size_t n_columns;
    int64_t window;          /* steps of a sample; must be given */
    int64_t horizon;         /* steps of a target; 0: 1 */
    double validation, test; /* fractions of the time, taken from its end */
} mica_series_options;

/* Reads a time series, a text file, plain or gzip, of comma-separated values with a step a line, as
 * samples of (window, columns) numbers whose targets are the (horizon, columns) that follow. All
 * are normalized: info->mean and info->deviation, `channels` each, are those of the training part
 * alone. Every step of the validation and test parts is a target; the windows before may reach back
 * into the part before. A first line without a number is taken for names; quotes around a cell are
 * passed over. An empty cell and one that is no finite number is MICA_E_FORMAT, with its line and
 * column. Each of the data sets may be NULL, and is set to NULL where there is none. */
MICA_API mica_status mica_dataset_from_series(const char *path, const mica_series_options *options,
    mica_dataset **train, mica_dataset **validation, mica_dataset **test);

#ifdef __cplusplus
}
#endif
#endif
