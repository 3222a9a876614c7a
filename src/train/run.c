/* Using a run: predictions and evaluation with the weights of its best epoch. */
#include "train/run.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/dataset.h"
#include "data/image.h"
#include "train/draw.h"
#include "train/folder.h"
#include "train/pictures.h"

#include <inttypes.h>
#include <mica/io.h>
#include <stdlib.h>
#include <string.h>

static void stage_close(mica_stage *s) {
    mica_model_destroy(&s->model);
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
    mica_evaluator_destroy(&run->evaluator);
    stage_close(&run->one);
    stage_close(&run->many);
    for (int64_t i = 0; run->class_names && i < run->info.classes; i++)
        free(run->class_names[i]);
    free(run->class_names);
    mica_device_destroy(&run->device);
    mica_recipe_destroy(&run->recipe);
    free(run->device_text);
    free(run->weights);
    free(run->folder);
    free(run);
}

static mica_status stage_open(mica_run *run, int64_t batch, mica_stage *out) {
    mica_stage s = {0};
    mica_status status = mica_recipe_build(run->recipe, batch, &s.network);
    if (status == MICA_OK)
        status = mica_model_create(s.network->graph, run->device, run->recipe->seed, &s.model);
    if (status == MICA_OK)
        status = mica_model_import(s.model, run->weights);
    if (status == MICA_OK)
        *out = s;
    else
        stage_close(&s);
    return status;
}

mica_status mica_run_many(mica_run *run) {
    return run->many.model ? MICA_OK : stage_open(run, run->recipe->batch, &run->many);
}

#define CLASSES_LIMIT (1 << 20) /* bytes of all names */

/* The names in classes.txt, or numbers where there are none. */
static mica_status name_classes(mica_run *run) {
    int64_t classes = run->info.classes;
    char *path = mica_path_join(run->folder ? run->folder : ".", MICA_RUN_CLASSES), *names = NULL;
    size_t size;
    mica_status status = MICA_OK;
    if (!path || !(run->class_names = mica_alloc((size_t)classes, sizeof *run->class_names)))
        status = MICA_E_MEMORY;
    else if (run->folder && mica_folder_has(run->folder, MICA_RUN_CLASSES))
        status = mica_file_read(path, CLASSES_LIMIT, &names, &size);
    free(path);
    char *rest = names;
    for (int64_t i = 0; i < classes && status == MICA_OK; i++) {
        char *name = strsep(&rest, "\n");
        run->class_names[i] = name && *name ? mica_strdup(name) : mica_format("%" PRId64, i);
        if (!run->class_names[i])
            status = MICA_E_MEMORY;
    }
    free(names);
    run->info.class_names = (const char *const *)run->class_names;
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
        .sample = mica_shape_of(run->recipe->input_rank, run->recipe->input),
        .white = (float)(run->recipe->data.byte_scale * 255),
    };
    if (!probability)
        return MICA_OK;
    mica_shape shape = mica_value_shape(probability);
    run->info.classes = shape.dim[shape.rank - 1];
    return name_classes(run);
}

static mica_status open_parts(mica_run *run, const char *device) {
    MICA_TRY(mica_device_open(device, &run->device));
    MICA_TRY(stage_open(run, 1, &run->one));
    return describe(run);
}

static mica_status open_folder(mica_run *run, const char *folder, const char *device) {
    if (!mica_folder_has(folder, MICA_RUN_RECIPE))
        return mica_fail(MICA_E_NOT_FOUND,
            "%s is not the folder of a run: it has no %s (mica train makes one)", folder,
            MICA_RUN_RECIPE);
    if (!mica_folder_has(folder, MICA_RUN_MODEL))
        return mica_fail(MICA_E_NOT_FOUND,
            "%s has no %s yet: its first epoch is not done (mica train --resume continues it)",
            folder, MICA_RUN_MODEL);
    char *recipe = mica_path_join(folder, MICA_RUN_RECIPE);
    run->folder = mica_strdup(folder);
    run->weights = mica_path_join(folder, MICA_RUN_MODEL);
    mica_status status = recipe && run->folder && run->weights
                             ? mica_recipe_load(recipe, NULL, 0, &run->recipe)
                             : MICA_E_MEMORY;
    free(recipe);
    MICA_TRY(status);
    return open_parts(run, device);
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
        status = open_parts(run, device);
    if (status == MICA_OK)
        *out = run;
    else
        mica_run_destroy(&run);
    return status;
}

const mica_run_info *mica_run_get_info(const mica_run *run) {
    return &run->info;
}

mica_status mica_run_open_data(mica_run *run, const char *data, mica_dataset **train,
    mica_dataset **validation, mica_dataset **test) {
    return mica_recipe_open_data(run->recipe, data, train, validation, test);
}

mica_status mica_run_predict(
    mica_run *run, const float *sample, size_t n_sample, float *probabilities, size_t n_classes) {
    const mica_network *network = run->one.network;
    mica_value *probability = network->heads[0].probability;
    if (!probability)
        return mica_fail(MICA_E_UNSUPPORTED, "%s is not a classifier: it has no classes to predict",
            run->recipe->name);
    if (n_classes != (size_t)run->info.classes)
        return mica_fail(MICA_E_INVALID, "%s has %lld classes, but room was given for %zu",
            run->recipe->name, (long long)run->info.classes, n_classes);
    if (!run->predict)
        MICA_TRY(mica_program_create(run->one.model,
            &(mica_program_options){.outputs = &probability, .n_outputs = 1}, &run->predict));
    MICA_TRY(mica_program_write(run->predict, network->input, sample, n_sample * sizeof *sample));
    MICA_TRY(mica_program_run(run->predict));
    return mica_program_read(
        run->predict, probability, probabilities, n_classes * sizeof *probabilities);
}

mica_status mica_run_read_image(mica_run *run, const char *path, float *sample, size_t n_sample) {
    mica_shape shape;
    char text[96];
    if (!mica_picture_shape(run->info.sample, &shape))
        return mica_fail(MICA_E_UNSUPPORTED, "%s takes samples of %s, which no picture can be",
            run->recipe->name, mica_shape_text(run->info.sample, text, sizeof text));
    if (n_sample != (size_t)mica_shape_count(shape))
        return mica_fail(MICA_E_INVALID,
            "%s takes samples of %lld numbers, but room was given for %zu", run->recipe->name,
            (long long)mica_shape_count(shape), n_sample);
    const mica_recipe_data *data = &run->recipe->data;
    mica_image image = {0};
    MICA_TRY(mica_image_load(path, shape.dim[0], shape.dim[1], &image));
    mica_status status =
        mica_image_fit(&image, shape, data->invert, (float)data->byte_scale, sample);
    mica_image_free(&image);
    if (status == MICA_OK)
        mica_normalize(
            data->mean, data->deviation, data->channels, mica_shape_count(shape), sample);
    return status;
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
        MICA_TRY(mica_evaluator_create(run->many.model, run->many.network, &run->evaluator));
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
    mica_dataset *test = NULL;
    MICA_TRY(mica_recipe_open_data(run->recipe, data, NULL, NULL, &test));
    if (!test)
        return mica_fail(
            MICA_E_INVALID, "%s: the data of this recipe have no test set", run->recipe->path);
    mica_status status = evaluate(run, test, heads);
    if (status == MICA_OK) {
        *n_heads = run->many.network->n_heads;
        *samples = mica_dataset_get_info(test)->count;
    }
    mica_dataset_destroy(&test);
    return status;
}
