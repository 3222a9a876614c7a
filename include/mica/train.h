/* Training from a recipe, and using what was trained.
 *
 * A run is a folder: recipe.yaml (with every override applied), model.safetensors (the weights of
 * the best epoch), checkpoint.safetensors (everything that continuing needs), metrics.csv and
 * metrics.jsonl (a row an epoch), manifest.txt (what the run was begun with: by it the rest notices
 * other data and another recipe), and pictures: curves.svg, gradients.svg, confusion.svg and .png,
 * filters.png, mistakes.png; of autoencoders reconstructions.png, walk.png, samples.png; of models
 * of ratings comparison.svg; of time series forecast.svg. A neighbourhood model, which is found at
 * one go, has no checkpoint, one row of metrics, and a result of 0 epochs. Each file is replaced
 * whole or not at all, so a run that was killed can always be continued. */
#ifndef MICA_TRAIN_H
#define MICA_TRAIN_H

#include <mica/data.h>
#include <mica/graph.h>
#include <mica/io.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes a model's parameters as a safetensors file, in their order and under their names; reads
 * them back. Loading checks all names and shapes first: a file of another model is MICA_E_FORMAT,
 * names what differs and leaves the model untouched. Blocking. */
MICA_API mica_status mica_model_save(mica_model *model, const char *path);
MICA_API mica_status mica_model_load(mica_model *model, const char *path);

/* The same, or weights as PyTorch names and orders them: layer/weight is layer.weight, a filter
 * (out, in, height, width), a dense weight (out, in). Tensors called num_batches_tracked are passed
 * over. What a dense layer expects of a flattened image is not reordered: PyTorch flattens channels
 * first.
 */
MICA_API mica_status mica_model_import(mica_model *model, const char *path);

/* One number that was measured: "train_loss", "validation_accuracy", "test_loss", ... In a network
 * with several losses those of one head are prefixed by its name: "relu_test_accuracy". */
typedef struct mica_metric {
    const char *name;
    double value; /* NaN where it was not measured */
} mica_metric;

/* ---- training ---- */

typedef enum mica_train_event {
    MICA_TRAIN_START, /* everything is compiled; epoch and step say where training begins */
    MICA_TRAIN_STEP,  /* a step was queued */
    MICA_TRAIN_EPOCH, /* an epoch was finished, validated and saved; metrics holds its row */
    MICA_TRAIN_LOST   /* pictures were found lost */
} mica_train_event;

typedef struct mica_train_progress {
    mica_train_event event;
    const char *device;       /* "opencl:0 (name of the device)" */
    const char *out;          /* the run's folder */
    int64_t epoch, epochs;    /* from 1 */
    int64_t step, steps;      /* done in this epoch, and all of it */
    double loss;              /* mean over this epoch's steps so far; NaN before the first */
    double samples_per_s;     /* 0 before it is known */
    double seconds_left;      /* until the last epoch is done; negative before it is known */
    double seconds;           /* since the run began, earlier sessions included */
    const char *const *notes; /* what works, but hardly as meant (mica_graph_warning) */
    size_t n_notes;
    const mica_metric *metrics; /* the last finished epoch's; 0 of them before the first */
    size_t n_metrics;
    const char *const *skipped; /* pictures left out of the data sets: "PATH: why" */
    size_t n_skipped;
    const char *const *lost; /* pictures that others have replaced since the event before, since
                                they can no longer be read: "PATH: why" */
    size_t n_lost;
} mica_train_progress;

typedef struct mica_train_options {
    const char *device;           /* for mica_device_open; NULL: "auto" */
    const char *data;             /* folder of the data sets; NULL: the user's cache folder */
    const char *out;              /* the run's folder; NULL: see mica_train */
    const char *const *overrides; /* "key.subkey=value", applied to the recipe */
    size_t n_overrides;
    bool resume;
    double checkpoint_seconds; /* between checkpoints inside an epoch; 0: 30 */

    /* Called by the thread that called mica_train; what it points to lives for the call. */
    void (*progress)(void *user, const mica_train_progress *progress);
    void *user;

    /* Training saves and returns MICA_E_INTERRUPTED soon after this becomes nonzero; a signal
     * handler or another thread may set it. May be NULL. */
    const volatile int *stop;
} mica_train_options;

/* What a training ended with. The counts are those of the whole run, earlier sessions included. */
typedef struct mica_train_result {
    const char *device;
    const char *out;
    int64_t epochs, best_epoch; /* from 1; the best has the lowest validation loss */
    uint64_t steps;
    double seconds;
    double samples_per_s; /* of this session's training steps; 0 if there were none */
    double data_wait;     /* the part of their time that they waited for samples, 0 to 1 */
    const mica_metric *metrics;
    size_t n_metrics;
} mica_train_result;

/* Trains the recipe in the file, or in the run's folder, `recipe`. Losses are those of the data;
 * the training loss has the L2 penalty too and is a mean over the epoch's steps, taken while the
 * weights change. Test metrics are those of the best weights.
 *
 * A folder that holds a run is continued with options->resume, bit for bit as if it had never
 * stopped, and refused without. With `out` NULL a new run gets a folder of its own under runs/,
 * named after the recipe and the seed, and resume continues the latest of these. resume where
 * nothing was saved starts from the beginning, and says so in the notes. Other training or
 * validation data than the run was begun with, and a recipe that differs in what may not change
 * meanwhile (network, loss, preparation of the data), are refused.
 *
 * options and result may be NULL; *result is freed with mica_train_result_destroy. A loss or
 * gradient that is not finite ends training with MICA_E_NUMERIC; the text names the step, the layer
 * and the value, and the checkpoint before it stays. */
MICA_API mica_status mica_train(
    const char *recipe, const mica_train_options *options, mica_train_result **result);
MICA_API void mica_train_result_destroy(mica_train_result **result);

/* A preset's (mica_preprocess_preset), or what a YAML file with the keys of a recipe's block
 * `preprocess` says. */
MICA_API mica_status mica_preprocess_read(const char *preset_or_file, mica_preprocess *how);

/* ---- using a run ---- */

/* A trained network on a device, ready to predict. One thread at a time. */
typedef struct mica_run mica_run;

/* Opens a run's folder with the weights of its best epoch. device as for mica_device_open. */
MICA_API mica_status mica_run_open(const char *folder, const char *device, mica_run **run);

/* Opens a recipe with weights from a file, which mica_model_import reads. overrides as in
 * mica_train_options. */
MICA_API mica_status mica_run_open_recipe(const char *recipe, const char *const *overrides,
    size_t n_overrides, const char *weights, const char *device, mica_run **run);

/* Opens an ONNX file: a network whose one input is pictures, (batch, channels, height, width). Its
 * class names are numbers, its layers the values that its nodes give; how says what becomes of
 * pictures (the file does not) and may be NULL. Without a softmax at its end one is added to
 * predictions. */
MICA_API mica_status mica_run_open_onnx(
    const char *path, const mica_preprocess *how, const char *device, mica_run **run);
MICA_API void mica_run_destroy(mica_run **run);

typedef struct mica_run_info {
    const char *name;               /* the recipe's */
    const char *device;             /* "opencl:0 (name of the device)" */
    const char *device_note;        /* see mica_device_info; "" if there is none */
    mica_shape sample;              /* what one prediction takes */
    int64_t batch;                  /* samples that are encoded at a time */
    float white;                    /* the number of a white pixel in the data, before they are
                                       normalized */
    int64_t classes;                /* 0 if it is not a classifier */
    const char *const *class_names; /* `classes` of them */
    bool text;                      /* the classes are characters: see mica_run_sample_text */
} mica_run_info;

/* Lives as long as the run. */
MICA_API const mica_run_info *mica_run_get_info(const mica_run *run);

/* Reads the names of the run's classes from a text file, one a line in the order of the classes;
 * the number of a WordNet synset before a name is passed over. */
MICA_API mica_status mica_run_read_labels(mica_run *run, const char *path);

/* The run's data sets, those of its recipe; any may be NULL, and is set to NULL where there is
 * none. data as in mica_train_options. Destroy them. */
MICA_API mica_status mica_run_open_data(mica_run *run, const char *data, mica_dataset **train,
    mica_dataset **validation, mica_dataset **test);

/* What differs in the data that were opened last, here or by mica_run_evaluate, from those that the
 * run was trained with, in a line for people; NULL: nothing, or it is no run's folder. Lives until
 * the next are opened. Data that give classes or ids another meaning are refused. */
MICA_API const char *mica_run_data_note(const mica_run *run);

/* The probability of each class for one sample of info->sample, already scaled as the recipe's data
 * are. In a network with several losses: of the first. MICA_E_INVALID: one is not finite. */
MICA_API mica_status mica_run_predict(
    mica_run *run, const float *sample, size_t n_sample, float *probabilities, size_t n_classes);

/* Makes the file of a picture a sample of info->sample as the recipe's block `preprocess` or else
 * its data say (mica_image_fit). */
MICA_API mica_status mica_run_read_image(
    mica_run *run, const char *path, float *sample, size_t n_sample);

/* Makes a set of the pictures in a folder, each as mica_run_read_image makes it a sample (but
 * rounded to 1/255 of white): with a folder for each class, or without any
 * (mica_images_options.plain). What cannot be read is left out. */
MICA_API mica_status mica_run_read_folder(mica_run *run, const char *folder, mica_dataset **set);

/* Reads a picture and predicts. */
MICA_API mica_status mica_run_predict_image(
    mica_run *run, const char *path, float *probabilities, size_t n_classes);

/* The shape of what a layer gives for one sample. NULL, in an autoencoder: the layer of its code
 * (the recipe's key `code`); otherwise MICA_E_INVALID. */
MICA_API mica_status mica_run_layer_shape(mica_run *run, const char *layer, mica_shape *shape);

/* What a layer (as above) gives for samples (count, sample...): codes (count, shape...), n_codes
 * numbers in all. */
MICA_API mica_status mica_run_encode(mica_run *run, const char *layer, const float *samples,
    int64_t count, float *codes, size_t n_codes);

/* Draws numbers from the unit normal and decodes them, with an autoencoder that has a gaussian
 * layer (others are MICA_E_UNSUPPORTED): samples (count, info->sample...) in the data's own
 * numbers, scaled but not normalized. The same seed gives the same samples. */
MICA_API mica_status mica_run_sample(
    mica_run *run, uint64_t seed, int64_t count, float *samples, size_t n_samples);

/* Zero means the default. */
typedef struct mica_text_sampling {
    const char *prime; /* UTF-8, what is read first; NULL: a new line, or the first character */
    int64_t length;    /* characters to write; must be given */
    double
        temperature; /* numbers are divided by it: near 0 the likeliest alone; 0: 1, as learned */
    int64_t top_k;   /* only the likeliest so many; 0: all */
    uint64_t seed;
} mica_text_sampling;

/* Has a run whose data are a text (set: text), and whose recurrent layers are stateful, write on
 * behind `prime`. write is called with each character, in UTF-8, as it is made; false ends it with
 * MICA_E_INTERRUPTED. The choice is by Philox from the seed and the character's place, so the same
 * seed gives the same text, on another device too unless two characters come nearer to each other
 * than what devices differ by in rounding, which is rare. */
MICA_API mica_status mica_run_sample_text(mica_run *run, const mica_text_sampling *options,
    bool (*write)(void *user, const char *character), void *user);

/* How one head of a network does on a data set. */
typedef struct mica_evaluation {
    const char *head;            /* "" where there is only one */
    double loss;                 /* mean over the samples */
    double weight;               /* of the loss in the sum that training minimizes */
    double accuracy;             /* NaN if it is not a classifier */
    double perplexity;           /* exp(loss), of sequences of labels; else NaN */
    double bits_per_character;   /* loss / ln 2, likewise */
    double rmse, mae;            /* root mean squared and mean absolute error, in the data's own
                                    numbers, where the target is numbers; else NaN. Of ratings after
                                    predictions were cut to their range */
    double reconstruction_error; /* mean squared difference from the input; NaN where that is not
                                    the target */
    /* What upsampling left in reconstructions (images), NaN unless the recipe asks for it.
     * checkerboard: their power at the frequencies of the stride that the input does not explain,
     * over the input's power there; 0 for none. border: the mean squared difference from the input
     * in the outermost pixels, as many as the stride, over that inside; 1 where the border is as
     * good.
     */
    double checkerboard, border;
    int64_t classes;          /* 0 if it is not a classifier */
    const int64_t *confusion; /* (classes, classes): samples of the row's class that were taken
                                 for the column's; NULL above 1,000 classes */
} mica_evaluation;

/* Evaluates on the recipe's test set and draws confusion.svg in the run's folder; data as in
 * mica_train_options. Data that have changed so that the run may have been trained on some of the
 * test samples are MICA_E_INVALID; other changes: see mica_run_data_note. Gives an entry a head,
 * which live until the next call or as long as the run. */
MICA_API mica_status mica_run_evaluate(mica_run *run, const char *data,
    const mica_evaluation **heads, size_t *n_heads, int64_t *samples);

/* What the test set was that mica_run_evaluate measured last, with what was left out of it; NULL
 * before. Lives until the next call or as long as the run. */
MICA_API const mica_dataset_info *mica_run_get_test(const mica_run *run);

/* How a run on ratings does on the test ratings beside models that know nothing of tastes:
 * `baseline_mean_rmse`, `baseline_biases_rmse` and the same _mae; where the recipe says which
 * ratings are `relevant`, `test_precision_at_10`, recall, ndcg and coverage of its first 10 of all
 * items that are new to a user, and the same of `baseline_popularity`. *n_metrics is 0 for other
 * data; the metrics live until the next call or as long as the run. data as in
 * mica_train_options. */
MICA_API mica_status mica_run_compare(
    mica_run *run, const char *data, const mica_metric **metrics, size_t *n_metrics);

#ifdef __cplusplus
}
#endif
#endif
