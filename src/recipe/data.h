/* The `data:` block. For recipe/ alone. */
#ifndef MICA_RECIPE_DATA_H
#define MICA_RECIPE_DATA_H

#include "recipe/recipe.h"
#include "recipe/schema.h"

extern const mica_block mica_recipe_data_block;    /* the keys, of mica_recipe_data */
extern const mica_block mica_recipe_augment_block; /* of its augment */

typedef enum mica_data_kind {
    MICA_DATA_DIGITS,
    MICA_DATA_MNIST,
    MICA_DATA_FASHION_MNIST,
    MICA_DATA_CIFAR10,
    MICA_DATA_IMAGES,
    MICA_DATA_IDX,
    MICA_DATA_CSV,
    MICA_DATA_CODES,
    MICA_DATA_TEXT,
    MICA_DATA_SERIES,
    MICA_DATA_RATINGS,
    MICA_DATA_MOVIELENS_100K
} mica_data_kind;

/* The kind of data->set, which is not NULL. */
mica_data_kind mica_recipe_data_kind(const mica_recipe_data *data);

/* Reads `data:` into recipe->data. */
mica_status mica_recipe_data_read(const mica_yaml *yaml, mica_yaml_node node, void *recipe);
void mica_recipe_data_clear(mica_recipe_data *data);

/* Checks it against the rest of the recipe and fills in what depends on the set. */
mica_status mica_recipe_data_check(const mica_yaml *yaml, mica_recipe *recipe);

/* Of test parts that are drawn: the same in every run, and apart from a recipe's seed, which draws
 * the validation part from the rest. */
#define MICA_TEST_SEED 0x6d6963612d746573u

/* The path of `file` in the first of `count` folders that has it; NULL ones are passed over. free()
 * it. */
mica_status mica_recipe_find_file(
    const char *file, const char *const *folders, size_t count, char **path);

/* Of the set codes: are they in .npy files, each followed by that of its labels? */
bool mica_recipe_is_npy(const mica_recipe_data *data);

/* The folder of the recipe; free(). */
char *mica_recipe_folder(const mica_recipe *recipe);

/* Refuses keys, the last of them NULL, that a set has no use for. */
mica_status mica_recipe_refuse_keys(
    const mica_yaml *yaml, mica_yaml_node map, const char *set, const char *const *keys);

/* Reads a list of numbers, one a channel. */
mica_status mica_recipe_channels_read(const mica_yaml *yaml, mica_yaml_node node, bool above_zero,
    float numbers[MICA_RECIPE_CHANNELS], size_t *count);

/* ---- preprocess.c ---- */

extern const mica_block mica_recipe_preprocess_block;

/* Reads `preprocess:`, a preset's name or a mapping, into the recipe. */
mica_status mica_recipe_preprocess_read(const mica_yaml *yaml, mica_yaml_node node, void *recipe);

/* Checks it against the rest, and fills in what the data's keys would otherwise have said. */
mica_status mica_recipe_preprocess_check(const mica_yaml *yaml, mica_recipe *recipe);

/* ---- ratings_data.c ---- */

bool mica_recipe_is_ratings(mica_data_kind kind);

/* What mica_recipe_data_check and mica_recipe_open_data do for these sets. */
mica_status mica_recipe_ratings_check(
    const mica_yaml *yaml, mica_yaml_node map, mica_recipe *recipe);
mica_status mica_recipe_open_rating_samples(
    const mica_recipe *recipe, const char *folder, mica_dataset *sets[3]);

/* The path of the first of `files`, of the archive where it is in one; free() it. */
mica_status mica_recipe_ratings_path(const mica_recipe *recipe, const char *folder, char **path);

/* ---- sequence_data.c: text and series ---- */

bool mica_recipe_is_sequence(mica_data_kind kind);

/* What mica_recipe_data_check does for these sets. */
mica_status mica_recipe_sequence_check(
    const mica_yaml *yaml, mica_yaml_node map, mica_recipe *recipe);

/* What mica_recipe_open_data does for these sets. */
mica_status mica_recipe_open_sequence(const mica_recipe *recipe, const char *folder,
    mica_dataset **train, mica_dataset **validation, mica_dataset **test);

/* Which of the recipe's `files` a text or series is read from: the first that is there. path is to
 * be freed. */
mica_status mica_recipe_sequence_file(
    const mica_recipe *recipe, const char *folder, size_t *index, char **path);

#endif
