/* Where the files of a recipe's data lie, and the data sets that they become. */
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "config.h"
#include "recipe/data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files ---- */

char *mica_recipe_folder(const mica_recipe *recipe) {
    const char *slash = strrchr(recipe->path, '/');
    if (!slash)
        return mica_strdup(".");
    return mica_format("%.*s", (int)(slash - recipe->path) + (slash == recipe->path), recipe->path);
}

mica_status mica_recipe_find_file(
    const char *file, const char *const *folders, size_t count, char **found) {
    mica_text tried = {0};
    for (size_t i = 0; i < count; i++) {
        if (!folders[i])
            continue;
        char *path = *file == '/' ? mica_strdup(file) : mica_path_join(folders[i], file);
        bool there = false;
        mica_status status = path ? mica_path_exists(path, &there) : MICA_E_MEMORY;
        if (status != MICA_OK || there) {
            free(tried.data);
            if (there)
                *found = path;
            else
                free(path);
            return status;
        }
        mica_text_add(&tried, "%s%s", tried.size ? ", " : "", path);
        free(path);
        if (*file == '/')
            break;
    }
    mica_fail(MICA_E_NOT_FOUND, "%s is not there: looked for %s; name its folder with --data", file,
        tried.data ? tried.data : "nothing");
    free(tried.data);
    return MICA_E_NOT_FOUND;
}

static mica_status digits_path(const mica_recipe *recipe, const char *folder, char **path) {
    char *own = mica_recipe_folder(recipe);
    char *beside = own ? mica_path_join(own, "data") : NULL;
    char *below = folder ? mica_path_join(folder, "digits") : NULL;
    const char *folders[] = {folder, below, beside, MICA_DATA_DIR, MICA_SOURCE_DATA_DIR};
    mica_status status =
        mica_recipe_find_file("digits.csv.gz", folders, sizeof folders / sizeof *folders, path);
    free(own);
    free(beside);
    free(below);
    return status;
}

/* What the recipe's `files` names in place `index`. */
static mica_status own_path(
    const mica_recipe *recipe, const char *folder, size_t index, char **path) {
    char *own = mica_recipe_folder(recipe);
    const char *folders[] = {folder, own, "."};
    mica_status status = mica_recipe_find_file(recipe->data.files[index], folders, 3, path);
    free(own);
    return status;
}

mica_status mica_recipe_weights_path(const mica_recipe *recipe, const char *folder, char **path) {
    char *own = mica_recipe_folder(recipe), *cache = mica_cache_path("data"), *found = NULL;
    const char *folders[] = {folder, cache, "../shared/data", own, "."};
    mica_status status =
        mica_recipe_find_file(recipe->weights, folders, sizeof folders / sizeof *folders, &found);
    free(own);
    free(cache);
    MICA_TRY(status);
    struct stat info;
    if (!stat(found, &info) && S_ISDIR(info.st_mode)) {
        *path = mica_path_join(found, "model.safetensors");
        free(found);
        return *path ? MICA_OK : MICA_E_MEMORY;
    }
    *path = found;
    return MICA_OK;
}

/* ---- data sets ---- */

bool mica_recipe_is_npy(const mica_recipe_data *data) {
    const char *path = data->files[0];
    size_t size = path ? strlen(path) : 0;
    return size > 4 && !strcmp(path + size - 4, ".npy");
}

static mica_status open_idx(const mica_recipe *recipe, const char *folder, size_t first,
    const mica_dataset_options *options, mica_dataset **dataset) {
    char *images = NULL, *labels = NULL;
    mica_status status = own_path(recipe, folder, first, &images);
    if (status == MICA_OK)
        status = own_path(recipe, folder, first + 1, &labels);
    if (status == MICA_OK)
        status = mica_dataset_from_idx(images, labels, options, dataset);
    free(images);
    free(labels);
    return status;
}

static mica_status open_csv(const mica_recipe *recipe, const char *folder,
    const mica_dataset_options *options, mica_dataset **dataset) {
    char *path = NULL;
    if (mica_recipe_data_kind(&recipe->data) == MICA_DATA_DIGITS)
        MICA_TRY(digits_path(recipe, folder, &path));
    else
        MICA_TRY(own_path(recipe, folder, 0, &path));
    mica_status status = mica_dataset_from_csv(path, options, dataset);
    free(path);
    return status;
}

static mica_status open_cifar10(const mica_recipe *recipe, const char *folder, size_t index,
    const mica_dataset_options *options, mica_dataset **dataset) {
    if (!recipe->data.files[0])
        return mica_dataset_from_cifar10(folder, index == 0, options, dataset);
    char *path = NULL;
    MICA_TRY(own_path(recipe, folder, index, &path));
    mica_status status = mica_dataset_from_cifar10(path, index == 0, options, dataset);
    free(path);
    return status;
}

/* The test set has the classes of the training set, `train`, which is NULL for that itself. */
static mica_status open_images(const mica_recipe *recipe, const char *folder, size_t index,
    const mica_dataset_options *options, const mica_dataset *train, mica_dataset **dataset) {
    mica_images_options images = {.set = *options,
        .preprocess = recipe->preprocess,
        .strict = recipe->data.strict,
        .memory = (uint64_t)ceil(recipe->data.memory * 0x1p20)};
    if (train) {
        images.set.classes = mica_dataset_get_info(train)->classes;
        images.set.class_names = mica_dataset_get_info(train)->class_names;
    }
    char *path = NULL;
    MICA_TRY(own_path(recipe, folder, index, &path));
    mica_status status = mica_dataset_from_images(path, &images, dataset);
    free(path);
    return status;
}

/* Codes in a .npz file, or in a .npy file with their labels in the next. The test set, number 1,
 * has the classes of the training set. */
static mica_status open_codes(const mica_recipe *recipe, const char *folder, size_t index,
    const mica_dataset_options *options, const mica_dataset *train, mica_dataset **dataset) {
    mica_dataset_options filled = *options;
    char *codes = NULL, *labels = NULL;
    bool pairs = mica_recipe_is_npy(&recipe->data);
    size_t first = pairs ? 2 * index : index;
    if (train) {
        filled.classes = mica_dataset_get_info(train)->classes;
        filled.class_names = mica_dataset_get_info(train)->class_names;
    }
    mica_status status = own_path(recipe, folder, first, &codes);
    if (status == MICA_OK && pairs)
        status = own_path(recipe, folder, first + 1, &labels);
    if (status == MICA_OK)
        status = mica_dataset_from_npz(codes, labels, &filled, dataset);
    free(codes);
    free(labels);
    return status;
}

/* Sets *test to NULL where the set has no test samples of its own. Both are to be destroyed even
 * after a failure. */
static mica_status open_parts(const mica_recipe *recipe, const char *folder,
    const mica_dataset_options *options, mica_dataset **train, mica_dataset **test) {
    const mica_recipe_data *data = &recipe->data;
    switch (mica_recipe_data_kind(data)) {
    case MICA_DATA_MNIST:
    case MICA_DATA_FASHION_MNIST:
        MICA_TRY(mica_dataset_from_mnist(folder, data->set, true, options, train));
        return mica_dataset_from_mnist(folder, data->set, false, options, test);
    case MICA_DATA_CIFAR10:
        MICA_TRY(open_cifar10(recipe, folder, 0, options, train));
        if (data->files[0] && !data->files[1])
            return MICA_OK;
        return open_cifar10(recipe, folder, 1, options, test);
    case MICA_DATA_IMAGES:
        MICA_TRY(open_images(recipe, folder, 0, options, NULL, train));
        return data->files[1] ? open_images(recipe, folder, 1, options, *train, test) : MICA_OK;
    case MICA_DATA_IDX:
        MICA_TRY(open_idx(recipe, folder, 0, options, train));
        return data->files[2] ? open_idx(recipe, folder, 2, options, test) : MICA_OK;
    case MICA_DATA_CODES:
        MICA_TRY(open_codes(recipe, folder, 0, options, NULL, train));
        if (!data->files[mica_recipe_is_npy(data) ? 2 : 1])
            return MICA_OK;
        return open_codes(recipe, folder, 1, options, *train, test);
    case MICA_DATA_DIGITS:
    case MICA_DATA_CSV:
        return open_csv(recipe, folder, options, train);
    case MICA_DATA_TEXT:
    case MICA_DATA_SERIES:
    case MICA_DATA_RATINGS:
    case MICA_DATA_MOVIELENS_100K:
        break; /* are opened before this */
    }
    return MICA_OK;
}

/* Replaces *whole by a part of it; *part is the rest. */
static mica_status hold_out(const mica_recipe *recipe, const char *key, uint64_t seed, double size,
    mica_dataset **whole, mica_dataset **part) {
    mica_dataset *parts[2];
    mica_status status = mica_dataset_split(*whole, seed, 2, (const double[]){0, size}, parts);
    if (status != MICA_OK)
        return mica_fail_in(status, "%s: data.%s (0: no such part)", recipe->path, key);
    mica_dataset_destroy(whole);
    *whole = parts[0];
    *part = parts[1];
    return MICA_OK;
}

mica_test_choice mica_recipe_test_choice(const mica_recipe *recipe) {
    const mica_recipe_data *data = &recipe->data;
    const mica_test_choice drawn = data->test > 0 ? MICA_TEST_DRAWN : MICA_TEST_GIVEN;
    switch (mica_recipe_data_kind(data)) {
    case MICA_DATA_MNIST:
    case MICA_DATA_FASHION_MNIST:
    case MICA_DATA_IDX: /* without test files it is taken as it is: it names what it has */
        return MICA_TEST_GIVEN;
    case MICA_DATA_CIFAR10:
        return data->files[0] && !data->files[1] ? drawn : MICA_TEST_GIVEN;
    case MICA_DATA_IMAGES:
        return data->files[1] ? MICA_TEST_GIVEN : drawn;
    case MICA_DATA_CODES:
        return data->files[mica_recipe_is_npy(data) ? 2 : 1] ? MICA_TEST_GIVEN : drawn;
    case MICA_DATA_DIGITS:
    case MICA_DATA_CSV:
        return drawn;
    case MICA_DATA_RATINGS:
    case MICA_DATA_MOVIELENS_100K:
        return data->ratings.split == MICA_SPLIT_RANDOM ? drawn : MICA_TEST_PLACED;
    case MICA_DATA_TEXT:
    case MICA_DATA_SERIES:
        break;
    }
    return MICA_TEST_PLACED;
}

mica_status mica_recipe_data_files(
    const mica_recipe *recipe, const char *folder, mica_texts *names, mica_texts *paths) {
    const mica_recipe_data *data = &recipe->data;
    const mica_data_kind kind = mica_recipe_data_kind(data);
    const bool sequence = mica_recipe_is_sequence(kind);
    for (size_t i = 0; i < sizeof data->files / sizeof *data->files && data->files[i]; i++) {
        char *path = NULL;
        size_t place = i;
        if (sequence)
            MICA_TRY(mica_recipe_sequence_file(recipe, folder, &place, &path));
        else if (mica_recipe_is_ratings(kind))
            MICA_TRY(mica_recipe_ratings_path(recipe, folder, &path));
        else
            MICA_TRY(own_path(recipe, folder, i, &path));
        MICA_TRY(mica_texts_add(paths, path));
        MICA_TRY(mica_texts_add(names, mica_strdup(data->files[place])));
        if (sequence)
            break;
    }
    return MICA_OK;
}

static mica_status open_samples(
    const mica_recipe *recipe, const char *folder, mica_dataset *made[3]) {
    const mica_recipe_data *data = &recipe->data;
    const mica_data_kind kind = mica_recipe_data_kind(data);
    bool known = kind == MICA_DATA_MNIST || kind == MICA_DATA_FASHION_MNIST ||
                 kind == MICA_DATA_CIFAR10; /* by names of their own */
    const float *mean = data->channels ? data->mean : NULL;
    const float *deviation = data->channels ? data->deviation : NULL;
    mica_dataset_options options = {.sample = mica_shape_of(recipe->input_rank, recipe->input),
        .classes = known && !data->class_names ? 0 : (int32_t)data->classes,
        .class_names = (const char *const *)data->class_names,
        .scale = (float)data->scale,
        .mean = mean,
        .deviation = deviation,
        .channels = (int32_t)data->channels};
    MICA_TRY(open_parts(recipe, folder, &options, &made[0], &made[2]));
    if (mica_recipe_test_choice(recipe) == MICA_TEST_DRAWN)
        MICA_TRY(hold_out(recipe, "test", MICA_TEST_SEED, data->test, &made[0], &made[2]));
    return data->validation > 0
               ? hold_out(recipe, "validation", recipe->seed, data->validation, &made[0], &made[1])
               : MICA_OK;
}

mica_status mica_recipe_open_data(const mica_recipe *recipe, const char *folder,
    mica_dataset **train, mica_dataset **validation, mica_dataset **test) {
    const mica_recipe_data *data = &recipe->data;
    if (!data->set)
        return mica_fail(MICA_E_INVALID, "%s: the recipe has no data: block", recipe->path);
    mica_data_kind kind = mica_recipe_data_kind(data);
    if (mica_recipe_is_sequence(kind))
        return mica_recipe_open_sequence(recipe, folder, train, validation, test);
    mica_dataset *made[3] = {NULL, NULL, NULL}; /* train, validation, test */
    mica_status status = mica_recipe_is_ratings(kind)
                             ? mica_recipe_open_rating_samples(recipe, folder, made)
                             : open_samples(recipe, folder, made);
    mica_dataset **outs[] = {train, validation, test};
    for (size_t i = 0; i < 3; i++)
        if (status == MICA_OK && outs[i])
            *outs[i] = made[i];
        else
            mica_dataset_destroy(&made[i]);
    return status;
}
