/* What a run was begun with: its recipe, and the samples, classes and files of its data. It is a
 * file in the run's folder, by which training that goes on and whatever uses the run notice that
 * these are others now. */
#ifndef MICA_TRAIN_MANIFEST_H
#define MICA_TRAIN_MANIFEST_H

#include "recipe/recipe.h"

typedef struct mica_manifest_part {
    int64_t count; /* samples; 0: there is no such part */
    uint64_t digest;
    uint64_t *samples; /* their mica_dataset_content, ascending; only of training and test samples
                          that were drawn by it */
    size_t n_samples;
} mica_manifest_part;

typedef struct mica_manifest_file {
    char *name; /* as the recipe's `files` has it; of a folder of pictures, that of each */
    uint64_t size, digest;
} mica_manifest_file;

/* Zero-initialize. */
typedef struct mica_manifest {
    mica_manifest_part parts[3]; /* train, validation, test */
    uint64_t ids;                /* of ratings: see mica_ratings_info; else 0 */
    mica_texts classes;
    mica_manifest_file *files; /* in the order of their names */
    size_t n_files;
    char *recipe; /* its text; NULL: the manifest is empty */
} mica_manifest;

/* Of a recipe and its data, as mica_recipe_open_data gave them; what is not there is NULL. folder
 * is where they were opened. */
mica_status mica_manifest_make(const mica_recipe *recipe, const char *folder,
    mica_dataset *const sets[3], mica_manifest *manifest);
void mica_manifest_clear(mica_manifest *manifest);

/* The run's file. Reading leaves the manifest empty where there is none: runs of versions before
 * this. */
mica_status mica_manifest_save(const mica_manifest *manifest, const char *run);
mica_status mica_manifest_read(const char *run, mica_manifest *manifest);

/* May the run go on with what `now` says? Else MICA_E_INVALID, and what differs first. */
mica_status mica_manifest_continues(
    const mica_manifest *begun, const mica_manifest *now, const char *run);

/* Are the data `now` those of the run? MICA_E_INVALID where labels or ids mean something else, and,
 * where the run is to be measured on them, where it may have been trained on what would now be its
 * test samples. *note says what differs all the same, or is NULL; free() it. */
mica_status mica_manifest_fits(const mica_manifest *begun, const mica_manifest *now,
    const mica_recipe *recipe, const char *run, bool measured, char **note);

#endif
