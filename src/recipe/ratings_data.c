/* The data sets `ratings` and `movielens-100k` of a recipe: what they ask of it, and how they are
 * opened. */
#include "recipe/data.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "config.h"
#include "data/folder.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHIPPED        "ratings.csv"
#define SHIPPED_TITLES "ratings-titles.csv"
#define MOVIELENS      "movielens-100k"

bool mica_recipe_is_ratings(mica_data_kind kind) {
    return kind == MICA_DATA_RATINGS || kind == MICA_DATA_MOVIELENS_100K;
}

/* ---- checks ---- */

/* Does a loss compare two items? */
static bool wants_pairs(const mica_recipe *recipe) {
    for (size_t i = 0; i < recipe->n_losses; i++)
        if (!strcmp(recipe->losses[i].kind, "bpr"))
            return true;
    return false;
}

static mica_status split_check(
    const mica_yaml *yaml, mica_yaml_node map, const mica_recipe_data *data) {
    static const struct {
        const char *key;
        mica_ratings_split_kind kind;
    } keys[] = {{"test", MICA_SPLIT_RANDOM}, {"last", MICA_SPLIT_LAST}, {"fold", MICA_SPLIT_FOLD},
        {"folds", MICA_SPLIT_FOLD}};
    static const char *const names[] = {"random", "last", "fold"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        mica_yaml_node node = mica_schema_find(yaml, map, keys[i].key);
        if (node && data->ratings.split != (int)keys[i].kind)
            return mica_yaml_fail(yaml, node, "%s belongs to split: %s, and the split is %s",
                keys[i].key, names[keys[i].kind], names[data->ratings.split]);
    }
    if (data->ratings.fold > data->ratings.folds)
        return mica_yaml_fail(yaml, mica_schema_find(yaml, map, "fold"), "fold %lld of %lld folds",
            (long long)data->ratings.fold, (long long)data->ratings.folds);
    return MICA_OK;
}

mica_status mica_recipe_ratings_check(
    const mica_yaml *yaml, mica_yaml_node map, mica_recipe *recipe) {
    mica_recipe_data *data = &recipe->data;
    mica_recipe_ratings *ratings = &data->ratings;
    mica_yaml_node input = mica_schema_find(yaml, mica_yaml_root(yaml), "input");
    mica_yaml_node least = mica_schema_find(yaml, map, "at_least");
    mica_yaml_node titles = mica_schema_find(yaml, map, "titles");
    static const char *const unused[] = {
        "classes", "class_names", "scale", "std", "augment", "horizon", NULL};
    MICA_TRY(mica_recipe_refuse_keys(yaml, map, data->set, unused));
    ratings->pairs = wants_pairs(recipe);
    int64_t wanted = ratings->pairs ? 3 : 2;
    if (recipe->input_rank != 1 || recipe->input[0] != wanted)
        return mica_yaml_fail(yaml, input, "set %s needs an input of [%lld]: a user and %s",
            data->set, (long long)wanted,
            ratings->pairs ? "two items, which the loss bpr compares" : "an item");
    if (data->channels > 1)
        return mica_yaml_fail(yaml, mica_schema_find(yaml, map, "mean"),
            "set %s has one mean, that of the ratings", data->set);
    if (least && !ratings->implicit)
        return mica_yaml_fail(yaml, least, "at_least belongs to implicit: true");
    mica_yaml_node lowest = mica_schema_find(yaml, map, "lowest");
    mica_yaml_node highest = mica_schema_find(yaml, map, "highest");
    if (!lowest != !highest)
        return mica_yaml_fail(yaml, lowest ? lowest : highest,
            "lowest and highest go together: give both, or none for what the file has");
    if (ratings->lowest > ratings->highest)
        return mica_yaml_fail(yaml, lowest, "lowest %g is above highest %g",
            (double)ratings->lowest, (double)ratings->highest);
    if (titles && !data->files[0])
        return mica_yaml_fail(
            yaml, titles, "set %s without files has titles of its own; take them out", data->set);
    mica_yaml_node columns = mica_schema_find(yaml, map, "columns");
    const size_t least_columns = ratings->implicit ? 2 : 3;
    if (columns && !data->files[0])
        return mica_yaml_fail(
            yaml, columns, "set %s without files has columns of its own; take them out", data->set);
    if (columns && (data->columns.count < least_columns || data->columns.count > 4))
        return mica_yaml_fail(yaml, columns,
            "columns: expected those of the user, the item%s and perhaps the time, got %zu",
            ratings->implicit ? ", perhaps the rating" : ", the rating", data->columns.count);
    MICA_TRY(split_check(yaml, map, data));
    if (mica_recipe_data_kind(data) == MICA_DATA_MOVIELENS_100K && !ratings->highest) {
        ratings->lowest = 1;
        ratings->highest = 5;
    }
    if (ratings->implicit && ratings->relevant == 0)
        ratings->relevant = 1;
    data->ids = true;
    data->target_dtype = ratings->pairs ? MICA_I32 : MICA_F32;
    return MICA_OK;
}

/* ---- files ---- */

/* The length of the archive's path where `file` is in one, else of it all. */
static size_t archive_length(const char *file) {
    static const char *const ends[] = {".tar/", ".tar.gz/", ".tgz/"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const char *end = strstr(file, ends[i]);
        if (end)
            return (size_t)(end - file) + strlen(ends[i]) - 1;
    }
    return strlen(file);
}

/* What the recipe names, in --data, beside the recipe, here, or where Mica's own data lie. */
static mica_status own_path(
    const mica_recipe *recipe, const char *folder, const char *file, char **path) {
    char *own = mica_recipe_folder(recipe), *beside = own ? mica_path_join(own, "data") : NULL;
    size_t length = archive_length(file);
    char *archive = mica_format("%.*s", (int)length, file), *found = NULL;
    const char *folders[] = {folder, own, ".", beside, MICA_DATA_DIR, MICA_SOURCE_DATA_DIR};
    mica_status status =
        !own || !beside || !archive
            ? MICA_E_MEMORY
            : mica_recipe_find_file(archive, folders, sizeof folders / sizeof *folders, &found);
    if (status == MICA_OK && !(*path = mica_format("%s%s", found, file + length)))
        status = MICA_E_MEMORY;
    free(found);
    free(archive);
    free(beside);
    free(own);
    return status;
}

/* The archive or the folder that has u.data and u.item; free(). */
static mica_status movielens_base(const char *folder, char **base) {
    static const char *const places[][2] = {{MOVIELENS "/ml-100k.tar.gz", ""},
        {"ml-100k.tar.gz", ""}, {MOVIELENS "/ml-100k", "/u.data"}, {MOVIELENS, "/u.data"},
        {"ml-100k", "/u.data"}, {".", "/u.data"}};
    char *standard = folder ? NULL : mica_data_folder(MOVIELENS);
    if (!folder && !(folder = standard))
        return MICA_E_NOT_FOUND;
    mica_status status = MICA_E_NOT_FOUND;
    for (size_t i = 0; i < sizeof places / sizeof *places && status == MICA_E_NOT_FOUND; i++) {
        char *path = mica_format("%s/%s", folder, places[i][0]);
        char *file = path ? mica_format("%s%s", path, places[i][1]) : NULL;
        bool there = false;
        mica_status looked = file ? mica_path_exists(file, &there) : MICA_E_MEMORY;
        if (looked != MICA_OK || there)
            status = looked;
        free(file);
        if (status == MICA_OK)
            *base = path;
        else
            free(path);
    }
    if (status == MICA_E_NOT_FOUND)
        mica_fail(status,
            MOVIELENS ": no " MOVIELENS "/ml-100k.tar.gz and no " MOVIELENS
                      "/u.data in %s: get ml-100k from grouplens.org and unpack it there, or name "
                      "the folder that has it with --data; --set data.set=ratings takes the "
                      "ratings that come with Mica",
            folder);
    free(standard);
    return status;
}

static mica_status paths_find(
    const mica_recipe *recipe, const char *folder, char **file, char **titles) {
    const mica_recipe_data *data = &recipe->data;
    if (mica_recipe_data_kind(data) == MICA_DATA_MOVIELENS_100K) {
        char *base = NULL;
        MICA_TRY(movielens_base(folder, &base));
        *file = mica_path_join(base, "u.data");
        *titles = mica_path_join(base, "u.item");
        free(base);
        return *file && *titles ? MICA_OK : MICA_E_MEMORY;
    }
    const char *named = data->files[0] ? data->ratings.titles : SHIPPED_TITLES;
    MICA_TRY(own_path(recipe, folder, data->files[0] ? data->files[0] : SHIPPED, file));
    return named ? own_path(recipe, folder, named, titles) : MICA_OK;
}

mica_status mica_recipe_ratings_path(const mica_recipe *recipe, const char *folder, char **path) {
    const char *file = recipe->data.files[0];
    char *found = NULL;
    MICA_TRY(own_path(recipe, folder, file, &found));
    found[strlen(found) - (strlen(file) - archive_length(file))] = 0;
    *path = found;
    return MICA_OK;
}

/* ---- ratings ---- */

static mica_status whole_read(
    const mica_recipe *recipe, const char *folder, mica_ratings **ratings) {
    const mica_recipe_ratings *keys = &recipe->data.ratings;
    char *file = NULL, *titles = NULL;
    mica_status status = paths_find(recipe, folder, &file, &titles);
    if (status == MICA_OK)
        status = mica_ratings_read(file,
            &(mica_ratings_options){.format = (mica_ratings_format)keys->format,
                .implicit = keys->implicit,
                .lowest = keys->lowest,
                .highest = keys->highest,
                .at_least = keys->at_least,
                .titles = titles,
                .columns = (const char *const *)recipe->data.columns.item,
                .n_columns = recipe->data.columns.count},
            ratings);
    free(file);
    free(titles);
    return status;
}

/* A run's recipe has the sizes of what it was trained with. */
static mica_status sizes_check(const mica_recipe *recipe, const mica_ratings *ratings) {
    const mica_recipe_data *data = &recipe->data;
    const mica_ratings_info *info = mica_ratings_get_info(ratings);
    if ((data->users && data->users != info->users) || (data->items && data->items != info->items))
        return mica_fail(MICA_E_INVALID,
            "%s has %lld users and %lld items, its ratings have %d and %d: wanted the file that it "
            "was trained with",
            recipe->path, (long long)data->users, (long long)data->items, info->users, info->items);
    return MICA_OK;
}

/* Splits *whole, which becomes its training part. */
static mica_status part_off(
    const mica_ratings_split_options *options, mica_ratings **whole, mica_ratings **part) {
    mica_ratings *rest;
    MICA_TRY(mica_ratings_split(*whole, options, &rest, part));
    mica_ratings_destroy(whole);
    *whole = rest;
    return MICA_OK;
}

mica_status mica_recipe_open_ratings(const mica_recipe *recipe, const char *folder,
    mica_ratings **train, mica_ratings **validation, mica_ratings **test) {
    const mica_recipe_data *data = &recipe->data;
    if (!data->set || !mica_recipe_is_ratings(mica_recipe_data_kind(data)))
        return mica_fail(MICA_E_UNSUPPORTED, "%s: its data are no ratings", recipe->path);
    mica_ratings_split_options split = {.kind = (mica_ratings_split_kind)data->ratings.split,
        .seed = MICA_TEST_SEED,
        .part = data->test,
        .last = (int32_t)data->ratings.last,
        .folds = (int32_t)data->ratings.folds,
        .fold = (int32_t)data->ratings.fold};
    mica_ratings *made[3] = {NULL, NULL, NULL}; /* train, validation, test */
    mica_status status = whole_read(recipe, folder, &made[0]);
    if (status == MICA_OK)
        status = sizes_check(recipe, made[0]);
    if (status == MICA_OK && (split.kind != MICA_SPLIT_RANDOM || split.part > 0))
        status = part_off(&split, &made[0], &made[2]);
    if (status == MICA_OK && data->validation > 0)
        status =
            part_off(&(mica_ratings_split_options){.seed = recipe->seed, .part = data->validation},
                &made[0], &made[1]);
    mica_ratings **outs[] = {train, validation, test};
    for (size_t i = 0; i < 3; i++)
        if (status == MICA_OK && outs[i])
            *outs[i] = made[i];
        else
            mica_ratings_destroy(&made[i]);
    return status;
}

/* What the targets are relative to. */
static float middle_of(const mica_recipe *recipe, const mica_ratings *train) {
    const mica_recipe_data *data = &recipe->data;
    if (data->channels)
        return data->mean[0];
    return data->ratings.implicit ? 0 : (float)mica_ratings_get_info(train)->mean;
}

mica_status mica_recipe_rating_samples(
    const mica_recipe *recipe, mica_ratings *const parts[3], mica_dataset *sets[3]) {
    float middle = middle_of(recipe, parts[0]);
    mica_status status = MICA_OK;
    for (size_t i = 0; i < 3; i++)
        sets[i] = NULL;
    for (size_t i = 0; i < 3 && status == MICA_OK; i++) {
        if (parts[i])
            status = mica_dataset_from_ratings(
                parts[i], recipe->data.ratings.pairs ? parts[0] : NULL, middle, &sets[i]);
    }
    for (size_t i = 0; i < 3 && status != MICA_OK; i++)
        mica_dataset_destroy(&sets[i]);
    return status;
}

mica_status mica_recipe_open_rating_samples(
    const mica_recipe *recipe, const char *folder, mica_dataset *sets[3]) {
    mica_ratings *parts[3] = {NULL, NULL, NULL};
    MICA_TRY(mica_recipe_open_ratings(recipe, folder, &parts[0], &parts[1], &parts[2]));
    mica_status status = mica_recipe_rating_samples(recipe, parts, sets);
    for (size_t i = 0; i < 3; i++)
        mica_ratings_destroy(&parts[i]);
    return status;
}
