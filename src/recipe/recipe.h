/* A recipe: what a YAML file says, checked, and the network that it describes. Knows no devices and
 * no training loop. */
#ifndef MICA_RECIPE_RECIPE_H
#define MICA_RECIPE_RECIPE_H

#include "recipe/schema.h"

#include <mica/data.h>
#include <mica/graph.h>
#include <mica/optim.h>
#include <mica/ratings.h>

#define MICA_RECIPE_CHANNELS 16 /* that may have a mean and a deviation */

/* What only sets of ratings have. */
typedef struct mica_recipe_ratings {
    int format;   /* mica_ratings_format */
    char *titles; /* file, or NULL */
    bool implicit;
    float at_least, lowest, highest; /* as in mica_ratings_options */
    float relevant;                  /* test ratings from this on are to be found; 0: no ranking */
    int split;                       /* mica_ratings_split_kind */
    int64_t last, fold, folds;
    bool pairs; /* training compares two items of a user: the loss bpr */
} mica_recipe_ratings;

/* Where the data comes from. */
typedef struct mica_recipe_data {
    char *set;          /* "digits", "mnist", ...; NULL: no data block */
    char *files[4];     /* as docs/recipes.md says for each set */
    int64_t classes;    /* 0: as the folders of pictures say */
    char **class_names; /* `classes` of them, or NULL */
    int64_t n_class_names;
    int64_t users, items;    /* of ratings; 0: as the file says */
    bool ids;                /* samples are int32 */
    mica_shape target;       /* of a sample; rank 0: one number */
    mica_dtype target_dtype; /* MICA_I32: classes */
    double scale;            /* a value of the files is multiplied by this */
    double byte_scale;       /* predict: a pixel of 0 .. 255 is multiplied by this */
    float mean[MICA_RECIPE_CHANNELS], deviation[MICA_RECIPE_CHANNELS];
    int64_t channels;  /* of mean and deviation: the input's, or 1; 0: there are none */
    double validation; /* fraction of the training samples held out, 0 .. <1 */
    double test;       /* sets without test files: fraction held out, whatever the seed */
    bool invert;       /* predict: dark strokes on light paper become light on dark */
    double memory;     /* MiB that decoded pictures may take */
    bool strict;       /* a picture that cannot be read is an error */
    mica_recipe_ratings ratings;
    mica_augment augment;
    mica_texts columns; /* of a series: names or numbers; none: all; of ratings: user, item, ... */
    int64_t horizon;    /* of a series: steps of a target */
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

/* A neighbourhood model of ratings, in the place of layers and losses: as in
 * mica_neighbours_options. */
typedef struct mica_recipe_neighbours {
    bool wanted; /* the recipe describes one, and no network */
    int by, similarity;
    int64_t k, min_overlap;
    float shrinkage;
} mica_recipe_neighbours;

typedef enum mica_recipe_target { MICA_TARGET_LABEL, MICA_TARGET_INPUT } mica_recipe_target;
typedef enum mica_recipe_reduce { MICA_REDUCE_MEAN, MICA_REDUCE_SUM } mica_recipe_reduce;

typedef struct mica_recipe {
    char *path;
    mica_texts overrides; /* of --set, and those of mica_recipe_settle */
    char *text;           /* with every one applied: what the run's folder keeps */
    char *name;
    int input_rank;
    int64_t input[MICA_MAX_RANK]; /* shape of one sample */
    mica_recipe_data data;
    bool preprocessed; /* `preprocess` was given; data's scale and normalization are its */
    mica_preprocess preprocess;
    mica_recipe_layer *layers;
    size_t n_layers;
    mica_recipe_loss *losses;
    size_t n_losses;
    mica_recipe_neighbours neighbours;
    char *code;                         /* name of the layer whose numbers are the code; NULL: see
                                           mica_network */
    char *weights;                      /* file that training starts from, or NULL */
    float weights_rate;                 /* of layers without a learning rate of their own */
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

/* What becomes of a picture that is given to the network, whichever block of the recipe says it. */
mica_preprocess mica_recipe_preprocess(const mica_recipe *recipe);

/* Are the samples of the data's set the characters of a text? */
bool mica_recipe_is_text(const mica_recipe_data *data);

/* Turns schedule lengths in epochs into steps. */
void mica_recipe_schedule(mica_recipe *recipe, int64_t steps_per_epoch);

/* Reads the recipe anew with what only its data tell, so that the run's folder has it: the classes
 * of a text, the users and items of ratings, which of several files was read. folder is where they
 * were opened. Nothing happens where the recipe has it already. */
mica_status mica_recipe_settle(mica_recipe **recipe, const char *folder, const mica_dataset *train);

/* The same for a recipe some of whose layers have a size that only the data tell: opens them,
 * folder as below. Nothing happens to others. */
mica_status mica_recipe_complete(mica_recipe **recipe, const char *folder);

/* The file that the recipe's training starts from, looked for as its data are; free() it. */
mica_status mica_recipe_weights_path(const mica_recipe *recipe, const char *folder, char **path);

/* The recipe's data sets. folder (--data) is where files are looked for first; NULL: the recipe's
 * folder and the user's cache. Any out may be NULL. *validation is set to NULL where the recipe
 * holds nothing out, and so is *test where it has none. */
mica_status mica_recipe_open_data(const mica_recipe *recipe, const char *folder,
    mica_dataset **train, mica_dataset **validation, mica_dataset **test);

/* How the samples of the test part are chosen. */
typedef enum mica_test_choice {
    MICA_TEST_GIVEN, /* by files of their own, or there are none */
    MICA_TEST_DRAWN, /* each by its content: see mica_dataset_split */
    MICA_TEST_PLACED /* by their places in the file */
} mica_test_choice;
mica_test_choice mica_recipe_test_choice(const mica_recipe *recipe);

/* The parts of a set of ratings (NULL: there is none) as samples, as mica_recipe_open_data makes
 * them; destroy them. */
mica_status mica_recipe_rating_samples(
    const mica_recipe *recipe, mica_ratings *const parts[3], mica_dataset *sets[3]);

/* What the recipe's `files` are called there, and where each lies, of which folders of pictures are
 * folders: as many of both, none where the set has files of its own. Clear both. */
mica_status mica_recipe_data_files(
    const mica_recipe *recipe, const char *folder, mica_texts *names, mica_texts *paths);

/* Adds a text to the list, which takes it over; NULL, where memory ran out, is MICA_E_MEMORY. */
mica_status mica_texts_add(mica_texts *texts, char *text);

/* The ratings that those of a set of ratings are made of; other sets are MICA_E_UNSUPPORTED. Any
 * out may be NULL, and is set to NULL where there is no such part. */
mica_status mica_recipe_open_ratings(const mica_recipe *recipe, const char *folder,
    mica_ratings **train, mica_ratings **validation, mica_ratings **test);

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
    mica_value *prediction;  /* int32 (batch, target...): the class */
    mica_value *probability; /* (batch, target..., classes); NULL where the loss gives none */
    mica_value *number;      /* (batch, target...) where the target is numbers, else NULL */
    /* Where the target is the input, else NULL. */
    mica_value *reconstruction;       /* of the input's shape */
    mica_value *reconstruction_error; /* (batch): mean squared difference from the input */
    int64_t artefacts;                /* as in the recipe's loss */
} mica_network_head;

typedef struct mica_network {
    mica_graph *graph;
    mica_value *input;
    mica_value *label; /* the target (batch, target...); NULL where no loss looks at it */
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
