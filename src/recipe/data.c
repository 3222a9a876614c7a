/* The `data:` block of a recipe: its keys, where its files lie, and its data sets. */
#include "recipe/data.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The test set of digits and csv is the same in every run. */
#define TEST_SEED 1

enum { CLASSES_LIMIT = 100000 };

/* What is known of each set. */
static const struct {
    const char *name;
    int64_t sample; /* numbers in a sample; 0: as the file says */
    int64_t classes;
    size_t files_min, files_max;
    double scale, largest; /* largest: the value in the files that white has in an image */
} sets[] = {
    {"digits", 64, 10, 0, 0, 1.0 / 16, 16},
    {"mnist", 784, 10, 0, 0, 1.0 / 255, 255},
    {"fashion-mnist", 784, 10, 0, 0, 1.0 / 255, 255},
    {"idx", 0, 0, 2, 4, 1.0 / 255, 255},
    {"csv", 0, 0, 1, 1, 1, 255},
};

static const char *const set_names[] = {"digits", "mnist", "fashion-mnist", "idx", "csv", NULL};

static size_t set_index(const mica_recipe_data *data) {
    size_t i = 0;
    while (strcmp(sets[i].name, data->set))
        i++;
    return i;
}

/* ---- keys ---- */

static mica_status files_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    mica_recipe_data *data = target;
    mica_texts texts = {0};
    mica_status status =
        mica_schema_texts(yaml, node, sizeof data->files / sizeof *data->files, &texts);
    for (size_t i = 0; i < texts.count && status == MICA_OK; i++) {
        data->files[i] = texts.item[i];
        texts.item[i] = NULL;
    }
    mica_texts_clear(&texts);
    return status;
}

static mica_status class_names_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    mica_recipe_data *data = target;
    mica_texts texts = {0};
    mica_status status = mica_schema_texts(yaml, node, CLASSES_LIMIT, &texts);
    data->class_names = texts.item;
    data->n_class_names = (int64_t)texts.count;
    return status;
}

static const mica_key data_keys[] = {
    {"set", MICA_KEY_TEXT, offsetof(mica_recipe_data, set), .required = true, .choices = set_names,
        .help = "digits: 8x8, comes with Mica; mnist, fashion-mnist: 28x28, IDX files in the data "
                "folder; idx, csv: your own"},
    {"files", MICA_KEY_HOOK, .hook = files_read, .type = "a list of 1 to 4 paths",
        .fallback_note = "none; needed for idx and csv",
        .help = "idx: training images, training labels and perhaps test images, test labels; csv: "
                "one file, a sample a line, its class last. Looked for in --data DIR, then beside "
                "the recipe, then in the current folder"},
    {"classes", MICA_KEY_INTEGER, offsetof(mica_recipe_data, classes), .range = {2, CLASSES_LIMIT},
        .fallback_note = "the set's; needed for idx and csv",
        .help = "labels are 0 to classes - 1"},
    {"class_names", MICA_KEY_HOOK, .hook = class_names_read, .type = "a list of texts",
        .fallback_note = "the set's, or numbers", .help = "one a class, in order"},
    {"scale", MICA_KEY_NUMBER, offsetof(mica_recipe_data, scale), .range = {0, .above = true},
        .fallback_note = "1/16 digits, 1 csv, else 1/255",
        .help = "what the numbers in the files are multiplied by"},
    {"validation", MICA_KEY_NUMBER, offsetof(mica_recipe_data, validation),
        .range = {0, 1, .below = true},
        .help = "the part of the training samples that is held out to watch progress"},
    {"test", MICA_KEY_NUMBER, offsetof(mica_recipe_data, test), .fallback = 0.2,
        .range = {0, 1, .below = true},
        .help = "digits, csv: the part held out for the test, the same for every seed"},
    {"invert", MICA_KEY_BOOLEAN, offsetof(mica_recipe_data, invert),
        .help = "`mica predict` turns dark strokes on light paper into light ones on dark"},
};

const mica_block mica_recipe_data_block = MICA_BLOCK(data_keys);

mica_status mica_recipe_data_read(const mica_yaml *yaml, mica_yaml_node node, void *recipe) {
    mica_target target = {mica_recipe_data_block, &((mica_recipe *)recipe)->data};
    return mica_schema_read(yaml, node, "data", &target, 1);
}

void mica_recipe_data_clear(mica_recipe_data *data) {
    mica_schema_clear(mica_recipe_data_block, data);
    for (size_t i = 0; i < sizeof data->files / sizeof *data->files; i++)
        free(data->files[i]);
    for (int64_t i = 0; i < data->n_class_names; i++)
        free(data->class_names[i]);
    free(data->class_names);
    *data = (mica_recipe_data){0};
}

/* ---- checks ---- */

static size_t files_count(const mica_recipe_data *data) {
    size_t count = 0;
    while (count < sizeof data->files / sizeof *data->files && data->files[count])
        count++;
    return count;
}

static mica_status files_check(
    const mica_yaml *yaml, mica_yaml_node map, const mica_recipe_data *data, size_t set) {
    size_t count = files_count(data);
    mica_yaml_node node = mica_schema_find(yaml, map, "files");
    if (!node)
        node = mica_schema_find(yaml, map, "set");
    if (count && !sets[set].files_max)
        return mica_yaml_fail(yaml, node,
            "%s has files of its own; take files out, or use set: idx or csv", data->set);
    if (count < sets[set].files_min || count > sets[set].files_max || (count > 1 && count % 2))
        return mica_yaml_fail(yaml, node,
            sets[set].files_max == 1
                ? "set csv needs files: [FILE]"
                : "set idx needs files: [IMAGES, LABELS] or [IMAGES, LABELS, TEST_IMAGES, "
                  "TEST_LABELS]");
    return MICA_OK;
}

static mica_status classes_check(
    const mica_yaml *yaml, mica_yaml_node map, mica_recipe_data *data, size_t set) {
    mica_yaml_node classes = mica_schema_find(yaml, map, "classes");
    mica_yaml_node names = mica_schema_find(yaml, map, "class_names");
    if (!data->classes)
        data->classes = sets[set].classes ? sets[set].classes : data->n_class_names;
    if (sets[set].classes && data->classes != sets[set].classes)
        return mica_yaml_fail(yaml, classes, "%s has %lld classes, not %lld", data->set,
            (long long)sets[set].classes, (long long)data->classes);
    if (data->classes < 2)
        return mica_yaml_fail(yaml, classes ? classes : mica_schema_find(yaml, map, "set"),
            "set %s needs classes: 2 or more, or class_names", data->set);
    if (names && data->n_class_names != data->classes)
        return mica_yaml_fail(yaml, names, "%lld names for %lld classes",
            (long long)data->n_class_names, (long long)data->classes);
    return MICA_OK;
}

mica_status mica_recipe_data_check(const mica_yaml *yaml, mica_recipe *recipe) {
    mica_recipe_data *data = &recipe->data;
    if (!data->set)
        return MICA_OK;
    mica_yaml_node root = mica_yaml_root(yaml);
    mica_yaml_node map = mica_schema_find(yaml, root, "data");
    size_t set = set_index(data);
    MICA_TRY(files_check(yaml, map, data, set));
    MICA_TRY(classes_check(yaml, map, data, set));
    if (data->scale == 0)
        data->scale = sets[set].scale;
    data->byte_scale = data->scale * sets[set].largest / 255;
    int64_t count = mica_shape_count(mica_shape_of(recipe->input_rank, recipe->input));
    if (sets[set].sample && count != sets[set].sample)
        return mica_yaml_fail(yaml, mica_schema_find(yaml, root, "input"),
            "a sample of %s has %lld numbers, but the input has %lld", data->set,
            (long long)sets[set].sample, (long long)count);
    if (count < 0)
        return mica_yaml_fail(yaml, mica_schema_find(yaml, root, "input"),
            "a sample has too many numbers: at most 2^31 - 1 fit");
    return MICA_OK;
}

/* ---- files ---- */

/* The folder of the recipe; free(). */
static char *recipe_folder(const mica_recipe *recipe) {
    const char *slash = strrchr(recipe->path, '/');
    if (!slash)
        return mica_strdup(".");
    return mica_format("%.*s", (int)(slash - recipe->path) + (slash == recipe->path), recipe->path);
}

/* The first of `count` folders (NULL ones are passed over) that holds the file; free(). */
static mica_status file_find(
    const char *file, const char *const *folders, size_t count, char **found) {
    mica_text tried = {0};
    for (size_t i = 0; i < count; i++) {
        if (!folders[i])
            continue;
        char *path = *file == '/' ? mica_strdup(file) : mica_path_join(folders[i], file);
        if (!path)
            return MICA_E_MEMORY;
        if (!access(path, F_OK)) {
            free(tried.data);
            *found = path;
            return MICA_OK;
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
    char *own = recipe_folder(recipe);
    char *beside = own ? mica_path_join(own, "data") : NULL;
    char *below = folder ? mica_path_join(folder, "digits") : NULL;
    const char *folders[] = {folder, below, beside, MICA_DATA_DIR, MICA_SOURCE_DATA_DIR};
    mica_status status =
        file_find("digits.csv.gz", folders, sizeof folders / sizeof *folders, path);
    free(own);
    free(beside);
    free(below);
    return status;
}

static mica_status own_path(
    const mica_recipe *recipe, const char *folder, size_t index, char **path) {
    char *own = recipe_folder(recipe);
    const char *folders[] = {folder, own, "."};
    mica_status status = file_find(recipe->data.files[index], folders, 3, path);
    free(own);
    return status;
}

/* ---- data sets ---- */

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

/* The one file of a set that has no test file, parted into training and test samples. */
static mica_status open_csv(const mica_recipe *recipe, const char *folder,
    const mica_dataset_options *options, mica_dataset **train, mica_dataset **test) {
    char *path = NULL;
    bool digits = !strcmp(recipe->data.set, "digits");
    MICA_TRY(digits ? digits_path(recipe, folder, &path) : own_path(recipe, folder, 0, &path));
    mica_dataset *whole = NULL, *parts[2] = {NULL, NULL};
    mica_status status = mica_dataset_from_csv(path, options, &whole);
    free(path);
    if (status == MICA_OK && recipe->data.test == 0) {
        *train = whole;
        return MICA_OK;
    }
    if (status == MICA_OK)
        status =
            mica_dataset_split(whole, TEST_SEED, 2, (const double[]){0, recipe->data.test}, parts);
    mica_dataset_destroy(&whole);
    if (status != MICA_OK)
        return status;
    *train = parts[0];
    *test = parts[1];
    return MICA_OK;
}

static mica_status open_whole(const mica_recipe *recipe, const char *folder,
    const mica_dataset_options *options, mica_dataset **train, mica_dataset **test) {
    const mica_recipe_data *data = &recipe->data;
    size_t files_max = sets[set_index(data)].files_max;
    if (files_max == 4) {
        MICA_TRY(open_idx(recipe, folder, 0, options, train));
        return data->files[2] ? open_idx(recipe, folder, 2, options, test) : MICA_OK;
    }
    if (files_max == 1 || !strcmp(data->set, "digits"))
        return open_csv(recipe, folder, options, train, test);
    MICA_TRY(mica_dataset_from_mnist(folder, data->set, true, options, train));
    return mica_dataset_from_mnist(folder, data->set, false, options, test);
}

mica_status mica_recipe_open_data(const mica_recipe *recipe, const char *folder,
    mica_dataset **train, mica_dataset **validation, mica_dataset **test) {
    const mica_recipe_data *data = &recipe->data;
    if (!data->set)
        return mica_fail(MICA_E_INVALID, "%s: the recipe has no data: block", recipe->path);
    bool named = data->class_names;
    bool known = sets[set_index(data)].sample && strcmp(data->set, "digits");
    mica_dataset_options options = {.sample = mica_shape_of(recipe->input_rank, recipe->input),
        .classes = known && !named ? 0 : (int32_t)data->classes, /* 0: with the set's names */
        .class_names = (const char *const *)data->class_names,
        .scale = (float)data->scale};
    mica_dataset *made[3] = {NULL, NULL, NULL}; /* train, validation, test */
    mica_status status = open_whole(recipe, folder, &options, &made[0], &made[2]);
    if (status == MICA_OK && data->validation > 0) {
        mica_dataset *parts[2];
        status = mica_dataset_split(
            made[0], recipe->seed, 2, (const double[]){0, data->validation}, parts);
        if (status == MICA_OK) {
            mica_dataset_destroy(&made[0]);
            made[0] = parts[0];
            made[1] = parts[1];
        }
    }
    mica_dataset **outs[] = {train, validation, test};
    for (size_t i = 0; i < 3; i++)
        if (status == MICA_OK && outs[i])
            *outs[i] = made[i];
        else
            mica_dataset_destroy(&made[i]);
    return status;
}
