/* The data sets `text` and `series` of a recipe: what they ask of it, and how they are opened. */
#include "recipe/data.h"

#include "base/error.h"
#include "config.h"

#include <mica/sequence.h>

#include <stdlib.h>

bool mica_recipe_is_sequence(mica_data_kind kind) {
    return kind == MICA_DATA_TEXT || kind == MICA_DATA_SERIES;
}

bool mica_recipe_is_text(const mica_recipe_data *data) {
    return data->set && mica_recipe_data_kind(data) == MICA_DATA_TEXT;
}

static mica_status text_check(const mica_yaml *yaml, mica_yaml_node map, mica_recipe *recipe) {
    static const char *const unused[] = {
        "scale", "mean", "std", "augment", "columns", "horizon", NULL};
    mica_recipe_data *data = &recipe->data;
    MICA_TRY(mica_recipe_refuse_keys(yaml, map, data->set, unused));
    if (recipe->input_rank != 1)
        return mica_yaml_fail(yaml, mica_schema_find(yaml, mica_yaml_root(yaml), "input"),
            "set text needs an input of [characters], such as [50]");
    data->ids = true;
    data->target = MICA_SHAPE(recipe->input[0]);
    return MICA_OK;
}

static mica_status series_check(const mica_yaml *yaml, mica_yaml_node map, mica_recipe *recipe) {
    static const char *const unused[] = {
        "scale", "mean", "std", "augment", "classes", "class_names", NULL};
    mica_recipe_data *data = &recipe->data;
    MICA_TRY(mica_recipe_refuse_keys(yaml, map, data->set, unused));
    if (recipe->input_rank != 2)
        return mica_yaml_fail(yaml, mica_schema_find(yaml, mica_yaml_root(yaml), "input"),
            "set series needs an input of [steps, columns], such as [24, 1]");
    if (data->columns.count && (int64_t)data->columns.count != recipe->input[1])
        return mica_yaml_fail(yaml, mica_schema_find(yaml, map, "columns"),
            "%zu columns, but the input has %lld: wanted as many", data->columns.count,
            (long long)recipe->input[1]);
    data->target = MICA_SHAPE(data->horizon, recipe->input[1]);
    data->target_dtype = MICA_F32;
    return MICA_OK;
}

mica_status mica_recipe_sequence_check(
    const mica_yaml *yaml, mica_yaml_node map, mica_recipe *recipe) {
    const mica_recipe_data *data = &recipe->data;
    if (data->validation + data->test >= 1)
        return mica_yaml_fail(yaml, mica_schema_find(yaml, map, "validation"),
            "validation %g and test %g leave nothing for training", data->validation, data->test);
    return mica_recipe_data_kind(data) == MICA_DATA_TEXT ? text_check(yaml, map, recipe)
                                                         : series_check(yaml, map, recipe);
}

mica_status mica_recipe_sequence_file(
    const mica_recipe *recipe, const char *folder, size_t *index, char **path) {
    const mica_recipe_data *data = &recipe->data;
    const size_t most = sizeof data->files / sizeof *data->files;
    char *own = mica_recipe_folder(recipe);
    const char *folders[] = {folder, own, ".", MICA_DATA_DIR, MICA_SOURCE_DATA_DIR};
    mica_status status = MICA_E_NOT_FOUND;
    for (size_t i = 0; i < most && data->files[i] && status == MICA_E_NOT_FOUND; i++) {
        status =
            mica_recipe_find_file(data->files[i], folders, sizeof folders / sizeof *folders, path);
        *index = i;
    }
    free(own);
    return status;
}

mica_status mica_recipe_open_sequence(const mica_recipe *recipe, const char *folder,
    mica_dataset **train, mica_dataset **validation, mica_dataset **test) {
    const mica_recipe_data *data = &recipe->data;
    char *path = NULL;
    size_t index;
    MICA_TRY(mica_recipe_sequence_file(recipe, folder, &index, &path));
    mica_status status;
    if (mica_recipe_data_kind(data) == MICA_DATA_TEXT)
        status = mica_dataset_from_text(path,
            &(mica_text_options){.sequences = recipe->batch,
                .length = recipe->input[0],
                .characters = (const char *const *)data->class_names,
                .classes = (int32_t)data->classes,
                .validation = data->validation,
                .test = data->test},
            train, validation, test);
    else
        status = mica_dataset_from_series(path,
            &(mica_series_options){
                .columns = data->columns.count ? (const char *const *)data->columns.item : NULL,
                .n_columns = data->columns.count,
                .window = recipe->input[0],
                .horizon = data->horizon,
                .validation = data->validation,
                .test = data->test},
            train, validation, test);
    free(path);
    return status;
}
