#include "train/neighbours.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "train/compare.h"
#include "train/draw.h"
#include "train/folder.h"
#include "train/manifest.h"
#include "train/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Parts of the search that progress is shown in. */
enum { STEPS = 1000 };

typedef struct search {
    const mica_train_options *options;
    mica_recipe *recipe; /* the caller's */
    mica_ratings *train;
    mica_manifest manifest;
    char *note; /* or NULL */
    mica_device *device;
    char *device_text;
    mica_folder folder;
    char *model_path;
    mica_neighbours *model;
    double began;
} search;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void report(const search *s, mica_train_event event, double done) {
    const double seconds = now() - s->began;
    const char *notes[3] = {mica_device_get_info(s->device)->note};
    size_t n_notes = *notes[0] != 0;
    if (mica_ratings_get_info(s->train)->note)
        notes[n_notes++] = mica_ratings_get_info(s->train)->note;
    if (s->note)
        notes[n_notes++] = s->note;
    if (s->options->progress)
        s->options->progress(
            s->options->user, &(mica_train_progress){
                                  .event = event,
                                  .device = s->device_text,
                                  .out = s->folder.path,
                                  .epoch = 1,
                                  .epochs = 1,
                                  .step = (int64_t)(done * STEPS),
                                  .steps = STEPS,
                                  .loss = NAN,
                                  .seconds_left = done > 0 ? seconds / done - seconds : -1,
                                  .seconds = seconds,
                                  .notes = notes,
                                  .n_notes = n_notes,
                              });
}

static void progress(void *user, double done) {
    report(user, MICA_TRAIN_STEP, done);
}

/* The recipe with the numbers of users and items. */
static mica_status settle(mica_recipe **recipe, const mica_ratings_info *info) {
    const mica_texts *before = &(*recipe)->overrides;
    mica_recipe *settled = NULL;
    const char **all = mica_alloc(before->count + 2, sizeof *all);
    char *users = mica_format("data.users=%d", info->users);
    char *items = mica_format("data.items=%d", info->items);
    mica_status status = all && users && items ? MICA_OK : MICA_E_MEMORY;
    if (status == MICA_OK) {
        for (size_t i = 0; i < before->count; i++)
            all[i] = before->item[i];
        all[before->count] = users;
        all[before->count + 1] = items;
        status = mica_recipe_load((*recipe)->path, all, before->count + 2, &settled);
    }
    free(all);
    free(users);
    free(items);
    MICA_TRY(status);
    mica_recipe_destroy(recipe);
    *recipe = settled;
    return MICA_OK;
}

static mica_status manifest_make(search *s) {
    mica_dataset *sets[3] = {NULL, NULL, NULL};
    mica_status status =
        mica_recipe_open_data(s->recipe, s->options->data, &sets[0], &sets[1], &sets[2]);
    if (status == MICA_OK)
        status = mica_manifest_make(s->recipe, s->options->data, sets, &s->manifest);
    for (size_t i = 0; i < 3; i++)
        mica_dataset_destroy(&sets[i]);
    return status;
}

static mica_status open_parts(search *s, mica_recipe **recipe) {
    const mica_train_options *o = s->options;
    if (o->out && !o->resume)
        MICA_TRY(mica_folder_is_free(o->out)); /* before the work of opening the rest */
    MICA_TRY(mica_recipe_open_ratings(*recipe, o->data, &s->train, NULL, NULL));
    MICA_TRY(settle(recipe, mica_ratings_get_info(s->train)));
    MICA_TRY(mica_compare_check(*recipe, o->data));
    s->recipe = *recipe;
    MICA_TRY(manifest_make(s));
    MICA_TRY(mica_device_open(o->device, &s->device));
    const mica_device_info *info = mica_device_get_info(s->device);
    if (!(s->device_text = mica_format("%s (%s)", info->id, info->name)))
        return MICA_E_MEMORY;
    MICA_TRY(mica_folder_open(o->out, s->recipe->name, s->recipe->seed, o->resume, &s->folder));
    s->model_path = mica_path_join(s->folder.path, MICA_RUN_MODEL);
    return s->model_path ? MICA_OK : MICA_E_MEMORY;
}

/* Only now the folder is a run's: where no neighbours are found another recipe may use it. */
static mica_status save(const search *s) {
    char *path = mica_path_join(s->folder.path, MICA_RUN_RECIPE);
    mica_status status =
        path ? mica_file_replace(path, s->recipe->text, strlen(s->recipe->text)) : MICA_E_MEMORY;
    free(path);
    MICA_TRY(status);
    MICA_TRY(mica_manifest_save(&s->manifest, s->folder.path));
    return mica_neighbours_save(s->model, s->model_path);
}

/* The model that is there is of the same recipe and data. */
static mica_status check_unchanged(search *s) {
    mica_manifest begun = {0};
    MICA_TRY(mica_manifest_read(s->folder.path, &begun));
    mica_status status = mica_manifest_continues(&begun, &s->manifest, s->folder.path);
    if (status == MICA_OK)
        status =
            mica_manifest_fits(&begun, &s->manifest, s->recipe, s->folder.path, true, &s->note);
    mica_manifest_clear(&begun);
    return status;
}

static mica_status find(search *s) {
    const mica_recipe_neighbours *recipe = &s->recipe->neighbours;
    bool found = false;
    if (s->options->resume)
        MICA_TRY(mica_folder_has(s->folder.path, MICA_RUN_MODEL, &found));
    if (found)
        MICA_TRY(check_unchanged(s));
    else if (s->options->resume &&
             !(s->note = mica_format("%s has no %s: the search starts from the beginning",
                   s->folder.path, MICA_RUN_MODEL)))
        return MICA_E_MEMORY;
    report(s, MICA_TRAIN_START, 0);
    if (found)
        return mica_neighbours_load(s->train, s->model_path, &s->model);
    MICA_TRY(mica_neighbours_create(s->train, s->device,
        &(mica_neighbours_options){.by = (mica_neighbours_by)recipe->by,
            .similarity = (mica_similarity)recipe->similarity,
            .shrinkage = recipe->shrinkage,
            .k = (int32_t)recipe->k,
            .min_overlap = (int32_t)recipe->min_overlap,
            .progress = progress,
            .user = s,
            .stop = s->options->stop},
        &s->model));
    return save(s);
}

/* ---- measuring ---- */

mica_status mica_run_is_neighbours(const char *folder, bool *is) {
    *is = false;
    bool has;
    MICA_TRY(mica_folder_has(folder, MICA_RUN_RECIPE, &has));
    if (!has)
        return MICA_OK;
    mica_recipe *recipe = NULL;
    char *path = mica_path_join(folder, MICA_RUN_RECIPE);
    mica_status status = path ? mica_recipe_load(path, NULL, 0, &recipe) : MICA_E_MEMORY;
    *is = status == MICA_OK && recipe->neighbours.wanted;
    mica_recipe_destroy(&recipe);
    free(path);
    return status;
}

static mica_status errors_measure(const mica_recipe *recipe, const char *data,
    mica_neighbours *model, mica_metric *metrics, size_t *count) {
    mica_ratings *test = NULL;
    mica_rating_errors errors;
    MICA_TRY(mica_recipe_open_ratings(recipe, data, NULL, NULL, &test));
    if (!test)
        return MICA_OK;
    mica_status status = mica_ratings_errors(test, mica_neighbours_predict, model, &errors);
    mica_ratings_destroy(&test);
    MICA_TRY(status);
    metrics[(*count)++] = (mica_metric){"test_rmse", errors.rmse};
    metrics[(*count)++] = (mica_metric){"test_mae", errors.mae};
    return MICA_OK;
}

mica_status mica_neighbours_measure(const mica_recipe *recipe, const char *data,
    mica_neighbours *model, mica_metric *metrics, size_t *count) {
    mica_comparison comparison;
    *count = 0;
    if (!recipe->data.ratings.implicit)
        MICA_TRY(errors_measure(recipe, data, model, metrics, count));
    MICA_TRY(mica_compare(recipe, data, mica_neighbours_score, model, &comparison));
    for (size_t i = 0; i < comparison.count; i++)
        metrics[(*count)++] = comparison.metrics[i];
    return MICA_OK;
}

/* ---- results ---- */

/* metrics.csv and metrics.jsonl have one row. */
static mica_status save_metrics(const search *s, const mica_train_result *result) {
    mica_metrics table = {0};
    mica_status status = MICA_OK;
    int column;
    for (size_t i = 0; i < result->n_metrics && status == MICA_OK; i++)
        status = mica_metrics_column(&table, &column, "%s", result->metrics[i].name);
    if (status == MICA_OK)
        status = mica_metrics_column(&table, &column, "seconds");
    double *row = status == MICA_OK ? mica_metrics_row(&table) : NULL;
    if (status == MICA_OK && !row)
        status = MICA_E_MEMORY;
    if (status == MICA_OK) {
        for (size_t i = 0; i < result->n_metrics; i++)
            row[i] = result->metrics[i].value;
        row[column] = result->seconds;
        status = mica_metrics_save(&table, s->folder.path);
    }
    mica_metrics_clear(&table);
    return status;
}

static mica_status result_create(
    const search *s, const mica_metric *metrics, size_t count, mica_train_result **out) {
    mica_train_result *result = mica_alloc(1, sizeof *result);
    if (!result)
        return MICA_E_MEMORY;
    mica_metric *own = mica_alloc(count, sizeof *own);
    result->metrics = own;
    result->device = mica_strdup(s->device_text);
    result->out = mica_strdup(s->folder.path);
    result->seconds = now() - s->began;
    bool whole = own && result->device && result->out;
    for (size_t i = 0; i < count && whole; i++) {
        own[i] = (mica_metric){mica_strdup(metrics[i].name), metrics[i].value};
        result->n_metrics += own[i].name != NULL;
        whole = own[i].name;
    }
    if (whole)
        *out = result;
    else
        mica_train_result_destroy(&result);
    return whole ? MICA_OK : MICA_E_MEMORY;
}

static mica_status finish(search *s, mica_train_result **out) {
    mica_metric metrics[MICA_NEIGHBOURS_METRICS];
    size_t count;
    mica_train_result *result = NULL;
    MICA_TRY(mica_neighbours_measure(s->recipe, s->options->data, s->model, metrics, &count));
    MICA_TRY(result_create(s, metrics, count, &result));
    mica_status status = save_metrics(s, result);
    if (status == MICA_OK)
        status = mica_draw_comparison(metrics, count, s->recipe->name, s->folder.path);
    if (status == MICA_OK && out)
        *out = result;
    else
        mica_train_result_destroy(&result);
    return status;
}

mica_status mica_train_neighbours(
    mica_recipe **recipe, const mica_train_options *options, mica_train_result **result) {
    search s = {.options = options, .began = now()};
    mica_status status = open_parts(&s, recipe);
    if (status == MICA_OK)
        status = find(&s);
    if (status == MICA_OK)
        status = finish(&s, result);
    mica_neighbours_destroy(&s.model);
    mica_folder_close(&s.folder);
    mica_device_destroy(&s.device);
    mica_ratings_destroy(&s.train);
    mica_manifest_clear(&s.manifest);
    free(s.note);
    free(s.model_path);
    free(s.device_text);
    return status;
}
