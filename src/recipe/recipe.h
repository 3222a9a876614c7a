/* A recipe: what a YAML file says, checked, and the network that it describes. Knows no devices and
 * no training loop. */
#ifndef MICA_RECIPE_RECIPE_H
#define MICA_RECIPE_RECIPE_H

#include <mica/data.h>
#include <mica/graph.h>
#include <mica/optim.h>

/* Where the data comes from. */
typedef struct mica_recipe_data {
    char *set;      /* "digits", "mnist", "fashion-mnist", "idx", "csv"; NULL: no data block */
    char *files[4]; /* idx: train images, train labels, test images, test labels; csv: files[0] */
    int64_t classes;
    char **class_names; /* `classes` of them, or NULL */
    int64_t n_class_names;
    double scale;      /* a value of the files is multiplied by this */
    double byte_scale; /* predict: a pixel of 0 .. 255 is multiplied by this */
    double validation; /* fraction of the training samples held out, 0 .. <1 */
    double test;       /* csv, digits: fraction held out as the test set, whatever the seed */
    bool invert;       /* predict: dark strokes on light paper become light on dark */
} mica_recipe_data;

typedef struct mica_recipe_layer mica_recipe_layer; /* private to recipe/ */

/* One loss of possibly several: the training loss is their weighted sum. */
typedef struct mica_recipe_loss {
    char *name; /* prefix of its metrics where there are several: "relu" */
    char *kind; /* "softmax_cross_entropy", ... */
    char *from; /* name of the layer that gives the logits; set for the last layer too */
    double weight;
    char *place; /* "file:line:column" */
} mica_recipe_loss;

typedef struct mica_recipe {
    char *path;
    char *text; /* with every --set applied: what the run's folder keeps */
    char *name;
    int input_rank;
    int64_t input[MICA_MAX_RANK]; /* shape of one sample */
    mica_recipe_data data;
    mica_recipe_layer *layers;
    size_t n_layers;
    mica_recipe_loss *losses;
    size_t n_losses;
    double l2;                          /* beta of the L2 penalty over weights; 0: none */
    mica_optimizer optimizer;           /* its schedule's lengths: see mica_recipe_schedule */
    double warmup_epochs, every_epochs; /* schedule lengths as the recipe gives them, in epochs */
    int64_t batch, epochs;
    uint64_t seed;
    int64_t patience;    /* early stopping: epochs without a better validation metric; 0: off */
    bool gradient_norms; /* log and draw each layer's gradient norm */
} mica_recipe;

/* Reads and checks a recipe. overrides: "key.subkey=value" strings from --set, applied before
 * checking. Errors read "file:line:column: ...". */
mica_status mica_recipe_load(
    const char *path, const char *const *overrides, size_t n_overrides, mica_recipe **recipe);
void mica_recipe_destroy(mica_recipe **recipe);

/* Turns schedule lengths in epochs into steps. */
void mica_recipe_schedule(mica_recipe *recipe, int64_t steps_per_epoch);

/* The recipe's data sets. folder (--data) is where files are looked for first; NULL: the recipe's
 * folder and the user's cache. Any out may be NULL. *validation is set to NULL where the recipe
 * holds nothing out, and so is *test where it has none. */
mica_status mica_recipe_open_data(const mica_recipe *recipe, const char *folder,
    mica_dataset **train, mica_dataset **validation, mica_dataset **test);

/* A row of `mica summary`. */
typedef struct mica_network_layer {
    char *name, *type;
    mica_shape output; /* with the batch as first dimension */
    int64_t parameters, frozen_parameters;
    char *from; /* names of the layers it takes, comma separated; "" for the input */
} mica_network_layer;

/* One head of the network: a loss with what is measured on it. */
typedef struct mica_network_head {
    const char *name; /* "" where there is only one */
    mica_value *logits;
    mica_value *sample_loss; /* (batch): one loss a sample */
    mica_value *prediction;  /* int32 (batch): the class; NULL if not a classifier */
    mica_value *probability; /* (batch, classes); NULL where the loss gives none */
} mica_network_head;

typedef struct mica_network {
    mica_graph *graph;
    mica_value *input, *label;
    mica_value *loss; /* scalar: what training minimizes, penalty included */
    mica_network_head *heads;
    size_t n_heads;
    mica_network_layer *layers; /* the input first, then in an order of computing */
    size_t n_layers;
} mica_network;

/* Builds the graph for a batch size; errors read "file:line:column: layer fc1: ...". The recipe
 * must outlive the network. */
mica_status mica_recipe_build(const mica_recipe *recipe, int64_t batch, mica_network **network);
void mica_network_destroy(mica_network **network);

#endif
