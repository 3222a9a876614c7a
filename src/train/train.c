/* The training loop: steps, epochs, validation, early stopping, saving, continuing. */
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "graph/model.h"
#include "train/checkpoint.h"
#include "train/compare.h"
#include "train/diagnose.h"
#include "train/draw.h"
#include "train/evaluate.h"
#include "train/folder.h"
#include "train/import.h"
#include "train/manifest.h"
#include "train/neighbours.h"
#include "train/pictures.h"
#include "train/record.h"
#include "train/result.h"
#include "train/uses.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define CHECKPOINT_SECONDS 30.0
#define EPOCH_SECONDS      1.0 /* between checkpoints at the ends of epochs: writing takes its time */
#define SHOW_SECONDS       2.0 /* between writings of metrics and pictures while training */

typedef struct training {
    mica_train_options options;
    mica_recipe *recipe;
    mica_dataset *train, *validation, *test;
    mica_loader *loader;
    mica_device *device;
    char *device_text;
    mica_network *network;
    mica_model *model;
    mica_program *program;
    mica_evaluator *evaluator;
    mica_folder folder;
    mica_manifest manifest;
    char *checkpoint_path, *model_path;

    mica_record record;
    mica_position position; /* of what has been summed up; one step more may be queued */
    bool pending;           /* that step */
    float *sample_loss;     /* (batch): room for one head's losses */
    mica_metric *row;       /* the last epoch's, for the caller */
    bool has_row;
    const char **notes; /* of the device, the data and the graph's warnings */
    size_t n_notes;
    mica_texts import_notes, use_notes, resume_notes; /* among them */
    const char **skipped;                             /* pictures that no data set holds */
    size_t n_skipped;
    size_t n_lost[2];   /* pictures of the training and the test set that were told of as lost */
    int64_t saved_step; /* of the checkpoint */
    bool unsound;       /* the device failed in a step, so the model may be between two */

    double began;        /* this session */
    double earlier;      /* seconds of the sessions before */
    double saved, shown; /* when */
    double rate_began;   /* when the first step was done: what came before was warming up */
    double validating;   /* seconds since then that were no training */
    int64_t rate_steps;  /* since then */
    double rate_waited;  /* seconds that the loader had waited until then */
} training;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double run_seconds(const training *t) {
    return t->earlier + now() - t->began;
}

static bool stop_wanted(const training *t) {
    return t->options.stop && __atomic_load_n(t->options.stop, __ATOMIC_RELAXED);
}

static double samples_per_s(const training *t) {
    double seconds = now() - t->rate_began - t->validating;
    return t->rate_steps && seconds > 0 ? (double)(t->rate_steps * t->position.batch_size) / seconds
                                        : 0;
}

/* The part of the time of training steps in which they waited for samples. */
static double data_wait(const training *t) {
    double seconds = now() - t->rate_began - t->validating;
    return t->rate_steps && seconds > 0 ? (mica_loader_waited(t->loader) - t->rate_waited) / seconds
                                        : 0;
}

static double seconds_left(const training *t) {
    if (!t->rate_steps)
        return -1;
    int64_t steps = t->position.steps_per_epoch;
    int64_t left = (t->recipe->epochs - t->position.epoch) * steps - t->position.batch;
    return left <= 0 ? 0 : (now() - t->rate_began) / (double)t->rate_steps * (double)left;
}

static void report_some(
    training *t, mica_train_event event, const char *const *lost, size_t n_lost) {
    if (!t->options.progress)
        return;
    const mica_position *p = &t->position;
    bool done = event == MICA_TRAIN_EPOCH; /* the epoch that was finished, at its last step */
    mica_train_progress progress = {
        .event = event,
        .device = t->device_text,
        .out = t->folder.path,
        .epoch = p->epoch + !done,
        .epochs = t->recipe->epochs,
        .step = done ? p->steps_per_epoch : p->batch + t->pending,
        .steps = p->steps_per_epoch,
        .loss = p->batch ? t->record.sums[t->record.train_loss] / (double)p->batch : NAN,
        .samples_per_s = samples_per_s(t),
        .seconds_left = seconds_left(t),
        .seconds = run_seconds(t),
        .notes = t->notes,
        .n_notes = t->n_notes,
        .metrics = t->row,
        .n_metrics = t->has_row ? t->record.metrics.n_columns : 0,
        .skipped = t->skipped,
        .n_skipped = t->n_skipped,
        .lost = lost,
        .n_lost = n_lost,
    };
    if (done)
        progress.loss = t->row[t->record.train_loss].value;
    t->options.progress(t->options.user, &progress);
}

/* Tells of pictures that were found lost since. The test set may share the training set's list. */
static void report_lost(training *t) {
    const mica_dataset *sets[] = {t->train, t->test};
    for (int i = 0; i < 2 && sets[i]; i++) {
        const char *lost;
        if (i && mica_dataset_lost(sets[1], 0) == mica_dataset_lost(sets[0], 0))
            break;
        while ((lost = mica_dataset_lost(sets[i], t->n_lost[i]))) {
            t->n_lost[i]++;
            report_some(t, MICA_TRAIN_LOST, &lost, 1);
        }
    }
}

static void report(training *t, mica_train_event event) {
    report_lost(t);
    report_some(t, event, NULL, 0);
}

static void show_last_row(training *t) {
    const mica_metrics *metrics = &t->record.metrics;
    t->has_row = metrics->n_rows > 0;
    for (size_t j = 0; j < metrics->n_columns && t->has_row; j++)
        t->row[j].value = metrics->values[(metrics->n_rows - 1) * metrics->n_columns + j];
}

/* ---- saving and continuing ---- */

static mica_status save_checkpoint(training *t) {
    t->position.seconds = run_seconds(t);
    MICA_TRY(mica_checkpoint_save(
        t->checkpoint_path, t->model, &t->position, &t->record.metrics, t->record.sums));
    t->saved = now();
    t->saved_step = t->position.step;
    return MICA_OK;
}

/* Keeps the weights if they are those of the best epoch. It comes after the checkpoint, and again
 * when that is loaded, so that a kill between the two files does no harm. */
static mica_status save_best(training *t) {
    const mica_position *p = &t->position;
    bool best = !p->batch && p->epoch && p->epoch == p->best_epoch;
    return best ? mica_model_save(t->model, t->model_path) : MICA_OK;
}

/* The files that people look at. Whatever is in them is in the checkpoint too. */
static mica_status show_metrics(training *t) {
    const mica_metrics *metrics = &t->record.metrics;
    MICA_TRY(mica_metrics_save(metrics, t->folder.path));
    MICA_TRY(mica_draw_metrics(metrics, t->network, t->recipe->name, t->folder.path));
    t->shown = now();
    return MICA_OK;
}

static mica_status load_checkpoint(training *t) {
    mica_position wanted = t->position, saved;
    MICA_TRY(mica_checkpoint_load(
        t->checkpoint_path, t->model, &saved, &t->record.metrics, t->record.sums));
    if (saved.seed != wanted.seed || saved.batch_size != wanted.batch_size ||
        saved.samples != wanted.samples || saved.steps_per_epoch != wanted.steps_per_epoch ||
        saved.batch > saved.steps_per_epoch ||
        saved.step != saved.epoch * saved.steps_per_epoch + saved.batch ||
        saved.best_epoch > saved.epoch || !saved.best_epoch != !saved.epoch)
        return mica_fail(MICA_E_FORMAT, "%s: its training position is damaged", t->checkpoint_path);
    t->position = saved;
    t->saved_step = saved.step;
    t->earlier = saved.seconds;
    show_last_row(t);
    MICA_TRY(mica_loader_seek(t->loader, saved.epoch, saved.batch));
    return save_best(t);
}

/* ---- a step ---- */

/* The batch is the one before the loader's next, and is read again from there. */
static mica_status diagnose(training *t, float loss, float norm) {
    const mica_position *p = &t->position;
    mica_batch batch;
    MICA_TRY(show_metrics(t));
    MICA_TRY(mica_loader_seek(t->loader, p->epoch, p->batch));
    MICA_TRY(mica_loader_next(t->loader, &batch));
    char when[96];
    snprintf(when, sizeof when, "step %" PRId64 " (epoch %" PRId64 ", batch %" PRId64 ")",
        p->step + 1, p->epoch + 1, p->batch + 1);
    return mica_diagnose(t->model, t->network, &batch, (uint64_t)p->step, when, loss, norm);
}

static mica_status sum_heads(training *t) {
    for (size_t i = 0; i < t->record.n_heads; i++) {
        int column = t->record.heads[i].train_loss;
        if (column < 0)
            continue;
        int64_t batch = t->position.batch_size;
        double sum = 0;
        MICA_TRY(mica_program_read(t->program, t->network->heads[i].sample_loss, t->sample_loss,
            (size_t)batch * sizeof(float)));
        for (int64_t s = 0; s < batch; s++)
            sum += (double)t->sample_loss[s];
        t->record.sums[column] += sum / (double)batch;
    }
    return MICA_OK;
}

/* Takes in the results of the step that is queued. Reading them waits for it. */
static mica_status collect(training *t) {
    if (!t->pending)
        return MICA_OK;
    mica_record *record = &t->record;
    bool norms = mica_record_wants_norms(record, t->position.batch);
    float loss, total;
    t->pending = false;
    t->unsound = true; /* until its results are there */
    MICA_TRY(mica_program_read(t->program, t->network->loss, &loss, sizeof loss));
    MICA_TRY(mica_program_gradient_norms(
        t->program, norms ? record->norms : NULL, record->n_parameters, &total));
    t->unsound = false;
    if (!isfinite(loss) || !isfinite(total))
        return diagnose(t, loss, total);
    record->sums[record->train_loss] += (double)loss;
    MICA_TRY(sum_heads(t));
    if (norms)
        mica_record_norms(record);
    t->position.batch++;
    t->position.step++;
    if (t->rate_began > 0) {
        t->rate_steps++;
    } else {
        t->rate_began = now();
        t->rate_waited = mica_loader_waited(t->loader);
    }
    return MICA_OK;
}

static mica_status interrupt(training *t) {
    MICA_TRY(collect(t));
    MICA_TRY(save_checkpoint(t));
    MICA_TRY(show_metrics(t));
    report_lost(t);
    return mica_fail(MICA_E_INTERRUPTED,
        "interrupted: saved at epoch %" PRId64 ", step %" PRId64 " of %" PRId64
        " in %s; continue with --resume",
        t->position.epoch + 1, t->position.batch, t->position.steps_per_epoch, t->folder.path);
}

/* Saves what came before an error in a step or behind an epoch, whose text then says so. Steps
 * whose results were not taken in yet are part of it if they can be. */
static mica_status save_sound(training *t, mica_status status) {
    if (status == MICA_E_INTERRUPTED)
        return status;
    char *why = mica_strdup(mica_last_error());
    report_lost(t);
    const mica_position *p = &t->position;
    const bool sound = collect(t) == MICA_OK && !t->unsound && p->step;
    const bool saved = sound && (p->step == t->saved_step || save_checkpoint(t) == MICA_OK);
    if (why && saved)
        mica_fail(status,
            "%s; saved at epoch %" PRId64 ", step %" PRId64 " of %" PRId64
            " in %s: --resume continues from there",
            why, t->position.epoch + 1, t->position.batch, t->position.steps_per_epoch,
            t->folder.path);
    else if (why)
        mica_fail(status, "%s", why);
    free(why);
    return status;
}

/* Writing the next batch is what waits for the step before, whose results are read then: one
 * synchronization a step. */
static mica_status train_steps(training *t) {
    const mica_position *p = &t->position;
    if (!p->batch)
        MICA_TRY(mica_model_reset(t->model));
    while (p->batch + t->pending < p->steps_per_epoch) {
        if (stop_wanted(t))
            return interrupt(t);
        mica_batch batch;
        MICA_TRY(mica_loader_next(t->loader, &batch));
        MICA_TRY(mica_network_write(t->network, t->program, &batch));
        MICA_TRY(collect(t));
        if (now() - t->saved >= t->options.checkpoint_seconds)
            MICA_TRY(save_checkpoint(t));
        t->unsound = true;
        MICA_TRY(mica_program_run(t->program));
        t->unsound = false;
        t->pending = true;
        report(t, MICA_TRAIN_STEP);
    }
    return collect(t);
}

/* ---- an epoch ---- */

/* A network whose loss overflows on the validation set still counts as the best until another. */
static bool is_better(const mica_position *position, double loss) {
    return !position->best_epoch || !isfinite(position->best) || loss < position->best;
}

static bool finished(const training *t) {
    const mica_position *p = &t->position;
    bool impatient = t->recipe->patience && t->validation && !p->batch &&
                     p->epoch - p->best_epoch >= t->recipe->patience;
    return p->epoch >= t->recipe->epochs || impatient;
}

static mica_status finish_epoch(training *t) {
    mica_position *p = &t->position;
    const mica_evaluation *heads = NULL;
    double start = now();
    if (t->validation)
        MICA_TRY(mica_evaluator_run(t->evaluator, t->validation, &heads));
    double *row = mica_record_epoch(&t->record, p->steps_per_epoch, heads);
    if (!row)
        return MICA_E_MEMORY;
    p->epoch++;
    p->batch = 0;
    row[t->record.epoch] = (double)p->epoch;
    row[t->record.step] = (double)p->step;
    row[t->record.learning_rate] =
        (double)mica_learning_rate(&t->recipe->optimizer, (uint64_t)p->step - 1);
    row[t->record.seconds] = run_seconds(t);
    double loss = heads ? row[t->record.validation_loss] : NAN;
    bool better = !heads || is_better(p, loss);
    if (better) {
        p->best = loss;
        p->best_epoch = p->epoch;
    }
    show_last_row(t);
    double interval = fmin(EPOCH_SECONDS, t->options.checkpoint_seconds);
    if (better || finished(t) || now() - t->saved >= interval)
        MICA_TRY(save_checkpoint(t));
    if (better)
        MICA_TRY(save_best(t));
    if (now() - t->shown >= SHOW_SECONDS)
        MICA_TRY(show_metrics(t));
    t->validating += now() - start;
    report(t, MICA_TRAIN_EPOCH);
    return MICA_OK;
}

/* ---- beginning and end ---- */

static mica_status open_recipe(training *t, const char *path) {
    struct stat info;
    char *inside = NULL;
    if (!stat(path, &info) && S_ISDIR(info.st_mode)) {
        if (!(inside = mica_path_join(path, MICA_RUN_RECIPE)))
            return MICA_E_MEMORY;
        if (t->options.resume && !t->options.out)
            t->options.out = path;
    }
    mica_status status = mica_recipe_load(
        inside ? inside : path, t->options.overrides, t->options.n_overrides, &t->recipe);
    free(inside);
    MICA_TRY(status);
    if (!t->recipe->data.set)
        return mica_fail(MICA_E_INVALID, "%s: training needs a data block", t->recipe->path);
    return MICA_OK;
}

/* Test sets may share the training set's files, and what was left out of them. */
static mica_status list_skipped(training *t) {
    const mica_dataset_info *train = mica_dataset_get_info(t->train);
    const mica_dataset_info *test = t->test ? mica_dataset_get_info(t->test) : train;
    size_t n_train = (size_t)train->n_skipped;
    size_t n_test = test->skipped == train->skipped ? 0 : (size_t)test->n_skipped;
    t->skipped = mica_alloc(n_train + n_test, sizeof *t->skipped);
    if (!t->skipped)
        return MICA_E_MEMORY;
    for (size_t i = 0; i < n_train + n_test; i++)
        t->skipped[i] = i < n_train ? train->skipped[i] : test->skipped[i - n_train];
    t->n_skipped = n_train + n_test;
    return MICA_OK;
}

static mica_status open_data(training *t) {
    MICA_TRY(
        mica_recipe_open_data(t->recipe, t->options.data, &t->train, &t->validation, &t->test));
    MICA_TRY(mica_recipe_settle(&t->recipe, t->options.data, t->train));
    MICA_TRY(list_skipped(t));
    MICA_TRY(mica_manifest_make(t->recipe, t->options.data,
        (mica_dataset *const[]){t->train, t->validation, t->test}, &t->manifest));
    mica_loader_options options = {.batch = t->recipe->batch,
        .shuffle = true,
        .drop_last = true,
        .seed = t->recipe->seed,
        .replace = !t->recipe->data.strict,
        .augment = t->recipe->data.augment};
    MICA_TRY(mica_loader_create(t->train, &options, &t->loader));
    t->position = (mica_position){
        .seed = (int64_t)t->recipe->seed,
        .batch_size = t->recipe->batch,
        .steps_per_epoch = mica_loader_batches(t->loader),
        .samples = mica_dataset_get_info(t->train)->count,
        .best = INFINITY,
    };
    mica_recipe_schedule(t->recipe, t->position.steps_per_epoch);
    return MICA_OK;
}

static mica_status open_device(training *t) {
    MICA_TRY(mica_device_open(t->options.device, &t->device));
    const mica_device_info *info = mica_device_get_info(t->device);
    t->device_text = mica_format("%s (%s)", info->id, info->name);
    return t->device_text ? MICA_OK : MICA_E_MEMORY;
}

/* What is to be said of the data, the network and its programs. */
static mica_status take_notes(training *t) {
    const char *of_data = mica_dataset_get_info(t->train)->note;
    size_t count = 0;
    while (mica_graph_warning(t->network->graph, count))
        count++;
    const char *of_device = mica_device_get_info(t->device)->note;
    const char **notes = realloc(t->notes, (t->n_notes + count + 2) * sizeof *notes);
    if (!notes)
        return mica_fail(MICA_E_MEMORY, "out of host memory");
    t->notes = notes;
    if (*of_device)
        notes[t->n_notes++] = of_device;
    if (of_data)
        notes[t->n_notes++] = of_data;
    for (size_t i = 0; i < count; i++)
        notes[t->n_notes++] = mica_graph_warning(t->network->graph, i);
    return MICA_OK;
}

static mica_status add_notes(training *t, const mica_texts *more) {
    const char **notes = realloc(t->notes, (t->n_notes + more->count + 1) * sizeof *notes);
    if (!notes)
        return mica_fail(MICA_E_MEMORY, "out of host memory");
    t->notes = notes;
    for (size_t i = 0; i < more->count; i++)
        notes[t->n_notes++] = more->item[i];
    return MICA_OK;
}

/* What the run will be used for is tried before the work of training. */
static mica_status try_uses(training *t) {
    MICA_TRY(mica_compare_check(t->recipe, t->options.data));
    MICA_TRY(mica_uses_check(t->recipe, t->network, &t->use_notes));
    return add_notes(t, &t->use_notes);
}

static mica_status start_weights(training *t) {
    char *path = NULL;
    if (!t->recipe->weights)
        return MICA_OK;
    MICA_TRY(mica_recipe_weights_path(t->recipe, t->options.data, &path));
    mica_status status = mica_model_import_fitting(t->model, path, &t->import_notes);
    free(path);
    MICA_TRY(status);
    return add_notes(t, &t->import_notes);
}

static mica_status compile(training *t) {
    MICA_TRY(mica_recipe_build(t->recipe, t->recipe->batch, &t->network));
    MICA_TRY(try_uses(t));
    MICA_TRY(mica_network_accepts(t->network, t->train, "training"));
    if (t->validation)
        MICA_TRY(mica_network_accepts(t->network, t->validation, "validation"));
    if (t->test)
        MICA_TRY(mica_network_accepts(t->network, t->test, "test"));
    MICA_TRY(mica_model_create(t->network->graph, t->device, t->recipe->seed, &t->model));
    if (!t->options.resume)
        MICA_TRY(start_weights(t));
    size_t heads = t->network->n_heads;
    mica_value **outputs = mica_alloc(heads, sizeof(mica_value *));
    if (!outputs)
        return MICA_E_MEMORY;
    for (size_t i = 0; i < heads; i++)
        outputs[i] = t->network->heads[i].sample_loss;
    mica_status status = mica_program_create(t->model,
        &(mica_program_options){.loss = t->network->loss,
            .optimizer = &t->recipe->optimizer,
            .training = true,
            .outputs = outputs,
            .n_outputs = heads > 1 ? heads : 0}, /* one head's is the loss itself */
        &t->program);
    free(outputs);
    MICA_TRY(status);
    if (t->validation || t->test)
        MICA_TRY(
            mica_evaluator_create(t->model, t->network, !t->recipe->data.strict, &t->evaluator));
    MICA_TRY(take_notes(t));
    MICA_TRY(mica_record_create(t->recipe, t->network, t->model, t->position.steps_per_epoch,
        t->validation != NULL, &t->record));
    t->sample_loss = mica_alloc((size_t)t->recipe->batch, sizeof *t->sample_loss);
    t->row = mica_alloc(t->record.metrics.n_columns, sizeof *t->row);
    if (!t->sample_loss || !t->row)
        return MICA_E_MEMORY;
    for (size_t j = 0; j < t->record.metrics.n_columns; j++)
        t->row[j].name = t->record.metrics.names[j];
    return MICA_OK;
}

static mica_status write_inside(const training *t, const char *name, const char *text) {
    char *path = mica_path_join(t->folder.path, name);
    mica_status status = path ? mica_file_replace(path, text, strlen(text)) : MICA_E_MEMORY;
    free(path);
    return status;
}

/* The recipe itself has those of a text. */
static mica_status write_classes(const training *t) {
    const mica_dataset_info *info = mica_dataset_get_info(t->train);
    if (t->recipe->data.ids)
        return MICA_OK;
    mica_text names = {0};
    for (int32_t i = 0; i < info->classes; i++)
        mica_text_add(&names, "%s\n", info->class_names[i]);
    mica_status status = MICA_OK;
    if (names.failed)
        status = MICA_E_MEMORY;
    else if (names.data)
        status = write_inside(t, MICA_RUN_CLASSES, names.data);
    free(names.data);
    return status;
}

/* The checkpoint is of the same recipe and data. */
static mica_status check_unchanged(training *t) {
    mica_manifest begun = {0};
    char *note = NULL;
    MICA_TRY(mica_manifest_read(t->folder.path, &begun));
    mica_status status = mica_manifest_continues(&begun, &t->manifest, t->folder.path);
    if (status == MICA_OK)
        status = mica_manifest_fits(&begun, &t->manifest, t->recipe, t->folder.path, true, &note);
    if (status == MICA_OK && note)
        status = mica_texts_add(&t->resume_notes, note);
    mica_manifest_clear(&begun);
    MICA_TRY(status);
    return add_notes(t, &t->resume_notes);
}

/* A run that was to be continued begins instead, if there is nothing in it to lose. */
static mica_status nothing_saved(training *t) {
    bool model = false;
    MICA_TRY(mica_folder_has(t->folder.path, MICA_RUN_MODEL, &model));
    if (model)
        return mica_fail(MICA_E_INVALID,
            "%s cannot be continued: it has %s but no %s; give another folder with --out",
            t->folder.path, MICA_RUN_MODEL, MICA_RUN_CHECKPOINT);
    MICA_TRY(mica_texts_add(&t->resume_notes,
        mica_format("%s has no checkpoint: training starts from the beginning", t->folder.path)));
    MICA_TRY(add_notes(t, &t->resume_notes));
    return start_weights(t);
}

/* Nothing is written before all that the user gave has been checked. */
static mica_status open_folder(training *t) {
    MICA_TRY(mica_folder_open(
        t->options.out, t->recipe->name, t->recipe->seed, t->options.resume, &t->folder));
    t->checkpoint_path = mica_path_join(t->folder.path, MICA_RUN_CHECKPOINT);
    t->model_path = mica_path_join(t->folder.path, MICA_RUN_MODEL);
    if (!t->checkpoint_path || !t->model_path)
        return MICA_E_MEMORY;
    bool saved = false;
    if (t->options.resume)
        MICA_TRY(mica_folder_has(t->folder.path, MICA_RUN_CHECKPOINT, &saved));
    if (saved) {
        MICA_TRY(check_unchanged(t));
        MICA_TRY(load_checkpoint(t));
    } else {
        if (t->options.resume)
            MICA_TRY(nothing_saved(t));
        MICA_TRY(mica_manifest_save(&t->manifest, t->folder.path));
    }
    MICA_TRY(write_inside(t, MICA_RUN_RECIPE, t->recipe->text));
    return write_classes(t);
}

/* Measures the best weights and writes what shows the whole run. */
static mica_status finish(training *t, mica_train_result **result) {
    const mica_evaluation *heads = NULL;
    double rate = samples_per_s(t), waited = data_wait(t);
    MICA_TRY(mica_model_load(t->model, t->model_path));
    mica_dataset *measured = t->test ? t->test : t->validation;
    mica_showing showing = {
        .recipe = t->recipe,
        .network = t->network,
        .model = t->model,
        .set = measured ? measured : t->train,
        .set_name = t->test    ? "test"
                    : measured ? "validation"
                               : "training",
        .folder = t->folder.path,
    };
    if (measured) {
        MICA_TRY(mica_evaluator_run(t->evaluator, measured, &heads));
        MICA_TRY(mica_draw_confusion(heads, t->network->n_heads, mica_dataset_get_info(measured),
            showing.set_name, t->folder.path));
        MICA_TRY(mica_draw_mistakes(&showing, t->evaluator));
    }
    MICA_TRY(mica_draw_pictures(&showing));
    MICA_TRY(show_metrics(t));
    if (!result)
        return MICA_OK;
    mica_train_result summary = {
        .device = t->device_text,
        .out = t->folder.path,
        .epochs = t->position.epoch,
        .best_epoch = t->position.best_epoch,
        .steps = (uint64_t)t->position.step,
        .seconds = run_seconds(t),
        .samples_per_s = rate,
        .data_wait = waited,
    };
    mica_comparison comparison;
    MICA_TRY(mica_compare_network(t->recipe, t->options.data, t->model, &comparison));
    mica_train_result *made = NULL;
    MICA_TRY(mica_result_create(
        &summary, &t->record, t->network, t->test ? heads : NULL, &comparison, &made));
    mica_status status =
        mica_draw_comparison(made->metrics, made->n_metrics, t->recipe->name, t->folder.path);
    if (status == MICA_OK)
        *result = made;
    else
        mica_train_result_destroy(&made);
    return status;
}

static mica_status run(training *t, const char *path, mica_train_result **result) {
    MICA_TRY(open_recipe(t, path));
    if (t->recipe->neighbours.wanted)
        return mica_train_neighbours(&t->recipe, &t->options, result);
    if (t->options.out && !t->options.resume)
        MICA_TRY(mica_folder_is_free(t->options.out)); /* before the work of opening the rest */
    MICA_TRY(open_data(t));
    MICA_TRY(open_device(t));
    MICA_TRY(compile(t));
    MICA_TRY(open_folder(t));
    t->saved = now();
    report(t, MICA_TRAIN_START);
    while (!finished(t)) {
        mica_status status = train_steps(t);
        if (status == MICA_OK)
            status = finish_epoch(t);
        if (status != MICA_OK)
            return save_sound(t, status);
    }
    mica_status status = finish(t, result);
    report_lost(t);
    return status == MICA_OK ? status : save_sound(t, status);
}

static void training_clear(training *t) {
    free(t->notes);
    mica_texts_clear(&t->import_notes);
    mica_texts_clear(&t->resume_notes);
    mica_manifest_clear(&t->manifest);
    mica_texts_clear(&t->use_notes);
    free(t->skipped);
    free(t->row);
    free(t->sample_loss);
    mica_record_clear(&t->record);
    free(t->model_path);
    free(t->checkpoint_path);
    mica_folder_close(&t->folder);
    mica_evaluator_destroy(&t->evaluator);
    mica_program_destroy(&t->program);
    mica_model_destroy(&t->model);
    mica_network_destroy(&t->network);
    free(t->device_text);
    mica_device_destroy(&t->device);
    mica_loader_destroy(&t->loader);
    mica_dataset_destroy(&t->test);
    mica_dataset_destroy(&t->validation);
    mica_dataset_destroy(&t->train);
    mica_recipe_destroy(&t->recipe);
}

mica_status mica_train(
    const char *recipe, const mica_train_options *options, mica_train_result **result) {
    if (!recipe)
        return mica_fail(MICA_E_INVALID, "mica_train: the recipe's path is NULL");
    training t = {.began = now()};
    if (options)
        t.options = *options;
    if (t.options.checkpoint_seconds == 0)
        t.options.checkpoint_seconds = CHECKPOINT_SECONDS;
    mica_status status = run(&t, recipe, result);
    training_clear(&t);
    return status;
}
