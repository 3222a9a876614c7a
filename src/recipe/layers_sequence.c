/* Layers of sequences, (time, features) a sample, and of numbers that stand for something:
 * characters, users, items. */
#include "recipe/layers.h"

#include "base/error.h"
#include "graph/graph_impl.h"

#include <mica/sequence.h>

/* ---- embedding ---- */

typedef struct embedding_attrs {
    int64_t rows, width, column, columns;
    bool sparse;
    int init;
    float init_value;
} embedding_attrs;

enum { ALL_COLUMNS = -1 };

static const mica_key embedding_keys[] = {
    {"rows", MICA_KEY_INTEGER, offsetof(embedding_attrs, rows), .required = true, .sizes = true,
        .range = {1, MICA_SIZE_LIMIT},
        .help = "how many things there are: numbers are 0 to rows - 1"},
    {"width", MICA_KEY_INTEGER, offsetof(embedding_attrs, width), .required = true,
        .range = {1, MICA_SIZE_LIMIT}, .help = "learned numbers for each"},
    {"column", MICA_KEY_INTEGER, offsetof(embedding_attrs, column), .range = {0, MICA_SIZE_LIMIT},
        .help = "the first of a sample's numbers that is looked up, from 0"},
    {"columns", MICA_KEY_INTEGER, offsetof(embedding_attrs, columns), .fallback = ALL_COLUMNS,
        .fallback_note = "the rest", .range = {1, MICA_SIZE_LIMIT}, .help = "how many of them"},
    {"sparse", MICA_KEY_BOOLEAN, offsetof(embedding_attrs, sparse),
        .help =
            "a step computes and updates only the rows that it looks up, so that a large table "
            "costs no time; with momentum, weight decay or Adam the others then rest meanwhile"},
    {"init", MICA_KEY_CHOICE, offsetof(embedding_attrs, init), .choices = mica_init_names,
        .help = "how the numbers start; auto: normal with deviation 1"},
    {"init_value", MICA_KEY_FLOAT, offsetof(embedding_attrs, init_value), .fallback = 0.05,
        .range = {.any = true},
        .help = "the constant, the deviation of normal and truncated_normal, the bound of uniform"},
};

/* Columns up to the last are the rest: also where a pair of a user and an item is scored by a
 * network that was trained to compare two items. */
static void embedding_settle(mica_recipe_layer *layer, int rank, const int64_t *input) {
    embedding_attrs *attrs = layer->attrs;
    if (attrs->columns != ALL_COLUMNS && attrs->column + attrs->columns == input[rank - 1])
        attrs->columns = ALL_COLUMNS;
}

static mica_value *embedding_build(
    const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    const embedding_attrs *attrs = layer->attrs;
    mica_graph *graph = mica_value_graph(in[0]);
    const mica_shape shape = mica_value_shape(in[0]);
    const int64_t last = shape.dim[shape.rank - 1];
    mica_value *ids = in[0];
    char text[96];
    if (mica_value_dtype(ids) != MICA_I32)
        return mica_graph_failed(graph,
            mica_fail(MICA_E_INVALID,
                "only whole numbers can be looked up, those of a text or of ratings, but %s %s are "
                "float32",
                mica_value_name(ids), mica_shape_text(shape, text, sizeof text)));
    if (attrs->column || attrs->columns != ALL_COLUMNS) {
        const int64_t columns =
            attrs->columns == ALL_COLUMNS ? last - attrs->column : attrs->columns;
        if (shape.rank != 2 || columns < 1 || attrs->column + columns > last)
            return mica_graph_failed(graph,
                mica_fail(MICA_E_INVALID,
                    "column %lld and %lld columns from it on are not all there: samples have %lld "
                    "numbers",
                    (long long)attrs->column, (long long)columns, (long long)last));
        const int64_t begin[] = {0, attrs->column}, size[] = {-1, columns};
        ids = mica_slice(ids, begin, size);
    }
    const mica_init init = {(mica_init_kind)(attrs->init - 1), attrs->init_value, 0, 0};
    return mica_embedding_layer(ids, layer->name, attrs->rows, attrs->width,
        &(mica_embedding_layer_options){
            .init = attrs->init ? &init : NULL, .sparse = attrs->sparse, .frozen = layer->frozen});
}

const mica_layer_type mica_layer_embedding = {"embedding",
    "A row of learned numbers in place of each whole number of a sample: (time) becomes (time, "
    "width).",
    1, 1, sizeof(embedding_attrs), MICA_BLOCK(embedding_keys), embedding_build, NULL,
    embedding_settle};

/* ---- recurrent layers ---- */

typedef struct recurrent_attrs {
    int64_t units, layers, classes;
    float keep_prob;
    bool bidirectional, stateful, last, relu;
} recurrent_attrs;

#define RECURRENT_KEYS                                                                             \
    {"units", MICA_KEY_INTEGER, offsetof(recurrent_attrs, units), .required = true,                \
        .range = {1, 1 << 20}, .help = "numbers of the state, which come out of each step"},       \
        {"layers", MICA_KEY_INTEGER, offsetof(recurrent_attrs, layers), .fallback = 1,             \
            .range = {1, 64}, .help = "each takes what the one before gives"},                     \
        {"keep_prob", MICA_KEY_FLOAT, offsetof(recurrent_attrs, keep_prob), .fallback = 1,         \
            .range = {0, 1, .above = true},                                                        \
            .help = "dropout between the layers: the probability that a number stays"},            \
        {"bidirectional", MICA_KEY_BOOLEAN, offsetof(recurrent_attrs, bidirectional),              \
            .help = "each layer also runs from the last step to the first; both results stand "    \
                    "behind each other"},                                                          \
        {"last", MICA_KEY_BOOLEAN, offsetof(recurrent_attrs, last),                                \
            .help = "give only the state behind the last step, (units), not that of every step, "  \
                    "(time, units)"},                                                              \
        {"stateful", MICA_KEY_BOOLEAN, offsetof(recurrent_attrs, stateful),                        \
            .help = "begin with the state behind the batch before, for batches that go on where "  \
                    "the last one ended, as those of a text do; 0 at the start of an epoch"},      \
    {                                                                                              \
        "classes", MICA_KEY_INTEGER, offsetof(recurrent_attrs, classes),                           \
            .sizes = true, .range = {0, MICA_SIZE_LIMIT},                                          \
            .help = "for samples of whole numbers, as a text's: how many there are. Each stands "  \
                    "for a row of zeros with a one in its place"                                   \
    }

/* The state of the top layer behind its last step; in two directions, both side by side. */
static mica_value *top(const mica_value *x, const recurrent_attrs *attrs, mica_value *states) {
    mica_value *side[2] = {NULL, NULL};
    const int directions = attrs->bidirectional ? 2 : 1;
    const int64_t row[] = {mica_value_shape(x).dim[0], attrs->units}, size[] = {1, -1, -1};
    if (!states)
        return NULL;
    for (int i = 0; i < directions; i++) {
        const int64_t begin[] = {(attrs->layers - 1) * directions + i, 0, 0};
        side[i] = mica_reshape(mica_slice(states, begin, size), 2, row);
    }
    return directions == 1 ? side[0] : mica_concat(side, 2, 1);
}

typedef mica_recurrent make_layer(
    mica_value *x, const char *name, int64_t hidden, const mica_recurrent_layer_options *options);

static mica_value *recurrent_build(
    make_layer *make, const mica_recipe_layer *layer, mica_value *const *in) {
    const recurrent_attrs *attrs = layer->attrs;
    if (attrs->stateful && attrs->bidirectional)
        return mica_graph_failed(mica_value_graph(in[0]),
            mica_fail(MICA_E_INVALID,
                "stateful and bidirectional exclude each other: the state in reverse would come "
                "from what is not read yet"));
    const mica_recurrent y = make(in[0], layer->name, attrs->units,
        &(mica_recurrent_layer_options){.layers = (int)attrs->layers,
            .bidirectional = attrs->bidirectional,
            .keep_prob = attrs->keep_prob < 1 ? attrs->keep_prob : 0,
            .classes = attrs->classes,
            .stateful = attrs->stateful,
            .relu = attrs->relu,
            .frozen = layer->frozen});
    return attrs->last ? top(in[0], attrs, y.h) : y.outputs;
}

static const mica_key rnn_keys[] = {
    RECURRENT_KEYS,
    {"relu", MICA_KEY_BOOLEAN, offsetof(recurrent_attrs, relu),
        .help = "max(a, 0) in place of the hyperbolic tangent"},
};
static const mica_key gated_keys[] = {RECURRENT_KEYS};

static mica_value *rnn_build(const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    return recurrent_build(mica_rnn_layer, layer, in);
}

static mica_value *lstm_build(const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    return recurrent_build(mica_lstm_layer, layer, in);
}

static mica_value *gru_build(const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)n_in;
    return recurrent_build(mica_gru_layer, layer, in);
}

const mica_layer_type mica_layer_rnn = {"rnn",
    "A simple recurrent network: h = tanh(x w + h u + b), step by step through (time, features): "
    "Elman, 1990.",
    1, 1, sizeof(recurrent_attrs), MICA_BLOCK(rnn_keys), rnn_build, NULL};
const mica_layer_type mica_layer_lstm = {"lstm",
    "Long short-term memory, whose gates decide what its cell keeps: Hochreiter and Schmidhuber, "
    "1997.",
    1, 1, sizeof(recurrent_attrs), MICA_BLOCK(gated_keys), lstm_build, NULL};
const mica_layer_type mica_layer_gru = {"gru",
    "A gated recurrent unit, an LSTM's smaller relative without a cell: Cho and others, 2014.", 1,
    1, sizeof(recurrent_attrs), MICA_BLOCK(gated_keys), gru_build, NULL};

/* ---- sum ---- */

static mica_value *sum_build(const mica_recipe_layer *layer, mica_value *const *in, size_t n_in) {
    (void)layer;
    (void)n_in;
    const int last = mica_value_shape(in[0]).rank - 1;
    if (last < 1)
        return mica_graph_failed(mica_value_graph(in[0]),
            mica_fail(MICA_E_INVALID, "a sample of one number has no dimension to sum over"));
    return mica_sum(in[0], &last, 1, true);
}

const mica_layer_type mica_layer_sum = {"sum",
    "The sum over the last dimension, which stays with the size 1.", 1, 1, 0, {NULL, 0}, sum_build,
    NULL};
