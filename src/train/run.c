/* Using a run: predictions and evaluation with the weights of its best epoch. */
#include "train/run.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/dataset.h"
#include "data/image.h"
#include "graph/model.h"
#include "recipe/changes.h"
#include "train/draw.h"
#include "train/folder.h"
#include "train/pictures.h"

#include <inttypes.h>
#include <math.h>
#include <mica/io.h>
#include <stdlib.h>
#include <string.h>

void mica_stage_close(mica_stage *s) {
    mica_model_destroy(&s->model);
    mica_onnx_network_destroy(&s->onnx);
    mica_network_destroy(&s->network);
}

void mica_run_destroy(mica_run **owner) {
    mica_run *run = *owner;
    if (!run)
        return;
    *owner = NULL;
    mica_program_destroy(&run->predict);
    mica_program_destroy(&run->encode);
    mica_decoder_destroy(&run->decoder);
    mica_writer_destroy(&run->writer);
    mica_scores_destroy(&run->scores);
    mica_evaluator_destroy(&run->evaluator);
    mica_dataset_destroy(&run->test);
    mica_stage_close(&run->one);
    mica_stage_close(&run->many);
    for (int64_t i = 0; run->class_names && i < run->info.classes; i++)
        free(run->class_names[i]);
    free(run->class_names);
    mica_onnx_close(&run->onnx);
    mica_device_destroy(&run->device);
    mica_recipe_destroy(&run->recipe);
    mica_manifest_clear(&run->manifest);
    free(run->data_note);
    free(run->device_text);
    free(run->weights);
    free(run->folder);
    free(run);
}

mica_status mica_stage_open(
    mica_run *run, const mica_recipe *recipe, int64_t batch, mica_stage *out) {
    mica_stage s = {0};
    if (run->onnx)
        return mica_stage_open_onnx(run, batch, out);
    mica_status status = mica_recipe_build(recipe, batch, &s.network);
    if (status == MICA_OK)
        status =
            mica_model_create_empty(s.network->graph, run->device, run->recipe->seed, &s.model);
    if (status == MICA_OK)
        status = mica_model_import(s.model, run->weights);
    if (status == MICA_OK)
        *out = s;
    else
        mica_stage_close(&s);
    return status;
}

mica_status mica_run_many(mica_run *run) {
    return run->many.model ? MICA_OK
                           : mica_stage_open(run, run->recipe, run->recipe->batch, &run->many);
}

#define CLASSES_LIMIT (1 << 20) /* bytes of all names */

/* The names in classes.txt, or numbers where there are none. */
static mica_status name_classes(mica_run *run) {
    int64_t classes = run->info.classes;
    const mica_recipe_data *data = &run->recipe->data;
    const mica_texts *trained = &run->manifest.classes;
    bool known = data->n_class_names == classes;
    char *path = mica_path_join(run->folder ? run->folder : ".", MICA_RUN_CLASSES), *names = NULL;
    size_t size;
    bool has = false;
    mica_status status =
        run->folder ? mica_folder_has(run->folder, MICA_RUN_CLASSES, &has) : MICA_OK;
    if (!path || !(run->class_names = mica_alloc((size_t)classes, sizeof *run->class_names)))
        status = MICA_E_MEMORY;
    else if (status == MICA_OK && has)
        status = mica_file_read(path, CLASSES_LIMIT, &names, &size);
    free(path);
    char *rest = names;
    for (int64_t i = 0; i < classes && status == MICA_OK; i++) {
        char *name = known ? data->class_names[i] : strsep(&rest, "\n");
        run->class_names[i] = name && *name ? mica_strdup(name) : mica_format("%" PRId64, i);
        if (!run->class_names[i])
            status = MICA_E_MEMORY;
        else if (!data->ids && (size_t)i < trained->count &&
                 strcmp(run->class_names[i], trained->item[i]) != 0)
            status = mica_fail(MICA_E_INVALID,
                "%s: class %" PRId64 " is %s, but it was %s when the run was trained: correct "
                "%s (mica predict --labels gives other names)",
                run->folder, i, run->class_names[i], trained->item[i],
                known ? MICA_RUN_RECIPE : MICA_RUN_CLASSES);
    }
    free(names);
    run->info.class_names = (const char *const *)run->class_names;
    return status;
}

/* A line without the number of a WordNet synset, "n01440764 ", that lists of ImageNet begin with.
 */
static const char *label_of(const char *line) {
    size_t digits = *line == 'n' ? strspn(line + 1, "0123456789") : 0;
    return digits == 8 && line[9] == ' ' && line[10] ? line + 10 : line;
}

mica_status mica_run_read_labels(mica_run *run, const char *path) {
    char *text = NULL, *rest, **names = mica_alloc((size_t)run->info.classes, sizeof *names);
    size_t size;
    int64_t count = 0;
    mica_status status = names ? mica_file_read(path, CLASSES_LIMIT, &text, &size) : MICA_E_MEMORY;
    rest = status == MICA_OK && *text ? text : NULL;
    for (char *line; status == MICA_OK && rest && (line = strsep(&rest, "\n"));) {
        line[strcspn(line, "\r")] = 0;
        if (!*line && (!rest || !*rest))
            break; /* what is behind the last line */
        if (count < run->info.classes && !(names[count] = mica_strdup(label_of(line))))
            status = MICA_E_MEMORY;
        count++;
    }
    if (status == MICA_OK && count != run->info.classes)
        status = mica_fail(MICA_E_FORMAT,
            "%s: %" PRId64 " lines, but %s has %" PRId64 " classes: wanted a name on each line",
            path, count, run->recipe->name, run->info.classes);
    for (int64_t i = 0; i < run->info.classes && names; i++) {
        char **old = status == MICA_OK ? &run->class_names[i] : &names[i], *taken = names[i];
        free(*old);
        *old = status == MICA_OK ? taken : NULL;
    }
    free(names);
    free(text);
    return status;
}

static mica_status describe(mica_run *run) {
    const mica_device_info *device = mica_device_get_info(run->device);
    if (!(run->device_text = mica_format("%s (%s)", device->id, device->name)))
        return MICA_E_MEMORY;
    mica_value *probability = run->one.network->heads[0].probability;
    run->info = (mica_run_info){
        .name = run->recipe->name,
        .device = run->device_text,
        .device_note = device->note,
        .sample = mica_shape_of(run->recipe->input_rank, run->recipe->input),
        .batch = run->recipe->batch,
        .text = mica_recipe_is_text(&run->recipe->data),
        .white = (float)(run->recipe->data.byte_scale * 255),
    };
    if (!probability)
        return MICA_OK;
    mica_shape shape = mica_value_shape(probability);
    run->info.classes = shape.dim[shape.rank - 1];
    return name_classes(run);
}

mica_status mica_run_open_parts(mica_run *run, const char *device) {
    MICA_TRY(mica_device_open(device, &run->device));
    MICA_TRY(mica_stage_open(run, run->recipe, 1, &run->one));
    return describe(run);
}

static mica_status open_folder(mica_run *run, const char *folder, const char *device) {
    MICA_TRY(mica_folder_check(folder));
    char *recipe = mica_path_join(folder, MICA_RUN_RECIPE);
    run->folder = mica_strdup(folder);
    run->weights = mica_path_join(folder, MICA_RUN_MODEL);
    mica_status status = recipe && run->folder && run->weights
                             ? mica_recipe_load(recipe, NULL, 0, &run->recipe)
                             : MICA_E_MEMORY;
    free(recipe);
    MICA_TRY(status);
    MICA_TRY(mica_manifest_read(folder, &run->manifest));
    if (run->manifest.recipe)
        MICA_TRY(mica_recipe_same(folder, run->manifest.recipe, run->recipe->text));
    return mica_run_open_parts(run, device);
}

mica_status mica_run_open(const char *folder, const char *device, mica_run **out) {
    if (!folder)
        return mica_fail(MICA_E_INVALID, "mica_run_open: the folder is NULL");
    mica_run *run = mica_alloc(1, sizeof *run);
    if (!run)
        return MICA_E_MEMORY;
    mica_status status = open_folder(run, folder, device);
    if (status == MICA_OK)
        *out = run;
    else
        mica_run_destroy(&run);
    return status;
}

mica_status mica_run_open_recipe(const char *recipe, const char *const *overrides,
    size_t n_overrides, const char *weights, const char *device, mica_run **out) {
    if (!recipe || !weights)
        return mica_fail(
            MICA_E_INVALID, "mica_run_open_recipe: the recipe or the weights are NULL");
    mica_run *run = mica_alloc(1, sizeof *run);
    if (!run)
        return MICA_E_MEMORY;
    mica_status status = MICA_E_MEMORY;
    if ((run->weights = mica_strdup(weights)))
        status = mica_recipe_load(recipe, overrides, n_overrides, &run->recipe);
    if (status == MICA_OK)
        status = mica_run_open_parts(run, device);
    if (status == MICA_OK)
        *out = run;
    else
        mica_run_destroy(&run);
    return status;
}

const mica_run_info *mica_run_get_info(const mica_run *run) {
    return &run->info;
}

/* The sets, compared with those that the run was trained with. Destroy them even after a failure.
 */
static mica_status open_sets(
    mica_run *run, const char *data, bool measured, mica_dataset *sets[3]) {
    mica_manifest now = {0};
    MICA_TRY(mica_recipe_open_data(run->recipe, data, &sets[0], &sets[1], &sets[2]));
    free(run->data_note);
    run->data_note = NULL;
    if (!run->folder)
        return MICA_OK;
    mica_status status = mica_manifest_make(run->recipe, data, sets, &now);
    if (status == MICA_OK)
        status = mica_manifest_fits(
            &run->manifest, &now, run->recipe, run->folder, measured, &run->data_note);
    mica_manifest_clear(&now);
    return status;
}

const char *mica_run_data_note(const mica_run *run) {
    return run->data_note;
}

mica_status mica_run_open_data(mica_run *run, const char *data, mica_dataset **train,
    mica_dataset **validation, mica_dataset **test) {
    mica_dataset *sets[3] = {NULL, NULL, NULL}, **outs[] = {train, validation, test};
    mica_status status = open_sets(run, data, false, sets);
    for (size_t i = 0; i < 3; i++)
        if (status == MICA_OK && outs[i])
            *outs[i] = sets[i];
        else
            mica_dataset_destroy(&sets[i]);
    return status;
}

mica_status mica_run_predict(
    mica_run *run, const float *sample, size_t n_sample, float *probabilities, size_t n_classes) {
    const mica_network *network = run->one.network;
    mica_value *probability = network->heads[0].probability;
    if (!probability)
        return mica_fail(MICA_E_UNSUPPORTED, "%s is not a classifier: it has no classes to predict",
            run->recipe->name);
    if (mica_value_shape(probability).rank > 2)
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s gives a class for each part of a sample, not one for it all", run->recipe->name);
    if (n_classes != (size_t)run->info.classes)
        return mica_fail(MICA_E_INVALID, "%s has %lld classes, but room was given for %zu",
            run->recipe->name, (long long)run->info.classes, n_classes);
    if (!run->predict)
        MICA_TRY(mica_program_create(run->one.model,
            &(mica_program_options){.outputs = &probability, .n_outputs = 1}, &run->predict));
    MICA_TRY(mica_program_write(run->predict, network->input, sample, n_sample * sizeof *sample));
    MICA_TRY(mica_program_run(run->predict));
    MICA_TRY(mica_program_read(
        run->predict, probability, probabilities, n_classes * sizeof *probabilities));
    for (size_t i = 0; i < n_classes; i++)
        if (!isfinite(probabilities[i]))
            return mica_fail(MICA_E_INVALID,
                "%s gives class %zu the probability %g: weights or sample are not finite, or too large",
                run->recipe->name, i, (double)probabilities[i]);
    return MICA_OK;
}

/* The shape of a picture that is a sample. */
static mica_status picture_shape(const mica_run *run, mica_shape *shape) {
    char text[96];
    if (run->recipe->data.ids || !mica_picture_shape(run->info.sample, shape))
        return mica_fail(MICA_E_UNSUPPORTED, "%s takes samples of %s, which no picture can be",
            run->recipe->name, mica_shape_text(run->info.sample, text, sizeof text));
    return MICA_OK;
}

mica_status mica_run_read_image(mica_run *run, const char *path, float *sample, size_t n_sample) {
    mica_shape shape;
    MICA_TRY(picture_shape(run, &shape));
    if (n_sample != (size_t)mica_shape_count(shape))
        return mica_fail(MICA_E_INVALID,
            "%s takes samples of %lld numbers, but room was given for %zu", run->recipe->name,
            (long long)mica_shape_count(shape), n_sample);
    const mica_preprocess how = mica_recipe_preprocess(run->recipe);
    return mica_image_prepare(path, shape, &how, sample);
}

mica_status mica_run_read_folder(mica_run *run, const char *folder, mica_dataset **set) {
    mica_preprocess how = mica_recipe_preprocess(run->recipe);
    mica_shape shape;
    MICA_TRY(picture_shape(run, &shape));
    for (int c = 0; c < 3; c++)
        how.deviation[c] = how.deviation[c] != 0 ? how.deviation[c] : 1;
    const mica_images_options options = {.set = {.sample = shape,
                                             .scale = how.scale != 0 ? how.scale : 1,
                                             .mean = how.mean,
                                             .deviation = how.deviation,
                                             .channels = (int32_t)shape.dim[2]},
        .preprocess = how,
        .plain = true};
    return mica_dataset_from_images(folder, &options, set);
}

mica_status mica_run_predict_image(
    mica_run *run, const char *path, float *probabilities, size_t n_classes) {
    size_t count = (size_t)mica_shape_count(run->info.sample);
    float *sample = mica_alloc(count, sizeof *sample);
    mica_status status = sample ? mica_run_read_image(run, path, sample, count) : MICA_E_MEMORY;
    if (status == MICA_OK)
        status = mica_run_predict(run, sample, count, probabilities, n_classes);
    free(sample);
    return status;
}

static mica_status evaluate(
    mica_run *run, const mica_dataset *test, const mica_evaluation **heads) {
    MICA_TRY(mica_run_many(run));
    if (!run->evaluator)
        MICA_TRY(mica_evaluator_create(run->many.model, run->many.network, false, &run->evaluator));
    MICA_TRY(mica_network_accepts(run->many.network, test, "test"));
    MICA_TRY(mica_evaluator_run(run->evaluator, test, heads));
    if (!run->folder)
        return MICA_OK;
    MICA_TRY(mica_draw_confusion(
        *heads, run->many.network->n_heads, mica_dataset_get_info(test), "test", run->folder));
    return mica_draw_mistakes(&(mica_showing){.recipe = run->recipe,
                                  .network = run->many.network,
                                  .model = run->many.model,
                                  .set = test,
                                  .set_name = "test",
                                  .folder = run->folder},
        run->evaluator);
}

mica_status mica_run_evaluate(mica_run *run, const char *data, const mica_evaluation **heads,
    size_t *n_heads, int64_t *samples) {
    mica_dataset *sets[3] = {NULL, NULL, NULL};
    mica_status status = open_sets(run, data, true, sets);
    const mica_dataset *test = sets[2];
    if (status == MICA_OK && !test)
        status = mica_fail(
            MICA_E_INVALID, "%s: the data of this recipe have no test set", run->recipe->path);
    if (status == MICA_OK)
        status = evaluate(run, test, heads);
    if (status == MICA_OK) {
        *n_heads = run->many.network->n_heads;
        *samples = mica_dataset_get_info(test)->count;
    }
    mica_dataset_destroy(&run->test);
    run->test = sets[2];
    mica_dataset_destroy(&sets[0]);
    mica_dataset_destroy(&sets[1]);
    return status;
}

const mica_dataset_info *mica_run_get_test(const mica_run *run) {
    return run->test ? mica_dataset_get_info(run->test) : NULL;
}

mica_status mica_run_compare(
    mica_run *run, const char *data, const mica_metric **metrics, size_t *n_metrics) {
    MICA_TRY(mica_compare_network(run->recipe, data, run->one.model, &run->comparison));
    *metrics = run->comparison.metrics;
    *n_metrics = run->comparison.count;
    return MICA_OK;
}
