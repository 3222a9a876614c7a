/* A recipe: what a YAML file says, checked, and the network that it describes. Knows no devices and
 * no training loop. */
#ifndef MICA_RECIPE_RECIPE_H
#define MICA_RECIPE_RECIPE_H

#include "recipe/schema.h"

#include <mica/data.h>
#include <mica/graph.h>
#include <mica/optim.h>

#define MICA_RECIPE_CHANNELS 16 /* that may have a mean and a deviation */

/* Where the data comes from. */
typedef struct mica_recipe_data {
    char *set;          /* "digits", "mnist", ...; NULL: no data block */
    char *files[4];     /* as docs/recipes.md says for each set */
    int64_t classes;    /* 0: as the folders of pictures say */
    char **class_names; /* `classes` of them, or NULL */
    int64_t n_class_names;
    double scale;      /* a value of the files is multiplied by this */
    double byte_scale; /* predict: a pixel of 0 .. 255 is multiplied by this */
    float mean[MICA_RECIPE_CHANNELS], deviation[MICA_RECIPE_CHANNELS];
    int64_t channels;  /* of mean and deviation: the input's, or 1; 0: there are none */
    double validation; /* fraction of the training samples held out, 0 .. <1 */
    double test;       /* sets without test files: fraction held out, whatever the seed */
    bool invert;       /* predict: dark strokes on light paper become light on dark */
    double memory;     /* MiB that decoded pictures may take */
    bool strict;       /* a picture that cannot be read is an error */
    mica_augment augment;
} mica_recipe_data;

typedef struct mica_recipe_layer mica_recipe_layer; /* private to recipe/ */

/* One loss of possibly several: the training loss is their weighted sum. */
typedef struct mica_recipe_loss {
    char *name;      /* prefix of its metrics where there are several: "relu" */
    char *kind;      /* "softmax_cross_entropy", ... */
    mica_texts from; /* names of the layers that it judges; set for the last layer too */
    int target;      /* mica_recipe_target */
    int reduce;      /* mica_recipe_reduce */
    double weight;
    float label_smoothing;
    int64_t artefacts; /* stride whose traces in reconstructions are measured; 0: none */
    char *place;       /* "file:line:column" */
} mica_recipe_loss;

typedef enum mica_recipe_target { MICA_TARGET_LABEL, MICA_TARGET_INPUT } mica_recipe_target;
typedef enum mica_recipe_reduce { MICA_REDUCE_MEAN, MICA_REDUCE_SUM } mica_recipe_reduce;

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
    char *code;                         /* name of the layer whose numbers are the code; NULL: see
                                           mica_network */
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
    mica_value *value;
    mica_shape output; /* of value: the batch is its first dimension */
    int64_t parameters, frozen_parameters;
    char *from; /* names of the layers it takes, comma separated; "" for the input */
} mica_network_layer;

/* One head of the network: a loss with what is measured on it. */
typedef struct mica_network_head {
    const char *name; /* "" where there is only one */
    mica_value *logits;
    mica_value *sample_loss; /* (batch): one loss a sample */
    double weight;           /* of its mean in the network's loss */
    /* Of a classifier, else NULL. */
    mica_value *prediction;  /* int32 (batch): the class */
    mica_value *probability; /* (batch, classes); NULL where the loss gives none */
    /* Where the target is the input, else NULL. */
    mica_value *reconstruction;       /* of the input's shape */
    mica_value *reconstruction_error; /* (batch): mean squared difference from the input */
    int64_t artefacts;                /* as in the recipe's loss */
} mica_network_head;

typedef struct mica_network {
    mica_graph *graph;
    mica_value *input;
    mica_value *label; /* int32 (batch); NULL where no loss looks at it */
    mica_value *noisy; /* the input with noise, of its shape; NULL: there is no such layer */
    mica_value *loss;  /* scalar: what training minimizes, penalty included */
    mica_network_head *heads;
    size_t n_heads;
    mica_network_layer *layers; /* the input first, then in an order of computing */
    size_t n_layers;
    /* Of a network with a reconstruction, else NULL. */
    const mica_network_layer *code;  /* the recipe's, or the mean of the first gaussian layer, or
                                        the layer with the fewest numbers a sample */
    const mica_network_layer *drawn; /* the first gaussian layer, NULL: none */
} mica_network;

/* Builds the graph for a batch size; errors read "file:line:column: layer fc1: ...". The recipe
 * must outlive the network. */
mica_status mica_recipe_build(const mica_recipe *recipe, int64_t batch, mica_network **network);

/* Builds the decoder alone: the first reconstruction from the numbers of the layer `code`, which
 * are its input. It has one head, of which only name, logits and reconstruction are set, and
 * parameters under the names that they have in the whole. MICA_E_UNSUPPORTED where nothing is
 * reconstructed or not from that layer alone. */
mica_status mica_recipe_build_decoder(
    const mica_recipe *recipe, const char *code, int64_t batch, mica_network **network);

/* The layer of that name, "input" included; MICA_E_NOT_FOUND names those that there are. */
mica_status mica_network_find(
    const mica_network *network, const char *name, const mica_network_layer **layer);
void mica_network_destroy(mica_network **network);

#endif
