/* A run's folder: its name, its lock, what killed runs left in it. Knows nothing of what the files
 * hold. */
#ifndef MICA_TRAIN_FOLDER_H
#define MICA_TRAIN_FOLDER_H

#include <mica/status.h>
#include <stdbool.h>
#include <stdint.h>

#define MICA_RUN_RECIPE     "recipe.yaml"
#define MICA_RUN_MODEL      "model.safetensors"
#define MICA_RUN_CHECKPOINT "checkpoint.safetensors"
#define MICA_RUN_MANIFEST   "manifest.txt" /* what it was begun with: train/manifest.h */
#define MICA_RUN_CLASSES    "classes.txt"  /* their names, one a line; not there without classes */

/* Zero-initialize. */
typedef struct mica_folder {
    char *path;
    int lock; /* file descriptor + 1; 0: none */
} mica_folder;

/* Makes the folder, or takes the one that is there, and locks it for this process, then removes
 * temporary files that killed runs left. A folder that holds a run is refused without `resume`.
 * With path NULL it is runs/<name>-seed<seed> for a new run, or the first free of
 * runs/<name>-seed<seed>-2 and so on; with `resume` the last of these that is there. */
mica_status mica_folder_open(
    const char *path, const char *name, uint64_t seed, bool resume, mica_folder *folder);
void mica_folder_close(mica_folder *folder);

/* MICA_E_INVALID if the folder holds a run. */
mica_status mica_folder_is_free(const char *path);

/* Whether the folder holds a file of this name; see mica_path_exists. */
mica_status mica_folder_has(const char *folder, const char *name, bool *has);

/* MICA_E_NOT_FOUND unless the folder holds a run's recipe and weights. */
mica_status mica_folder_check(const char *folder);

#endif
