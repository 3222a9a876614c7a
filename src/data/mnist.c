/* Where the files of MNIST and of the sets published in its format lie. */
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/dataset.h"
#include "data/folder.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLASSES 10

static const struct {
    const char *name;
    const char *class_names[CLASSES];
} sets[] = {
    {"mnist", {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}},
    {"fashion-mnist", {"T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt",
                          "sneaker", "bag", "ankle boot"}},
};

#define FILES "{train,t10k}-images-idx3-ubyte and {train,t10k}-labels-idx1-ubyte"

/* *found is the path of `file`, plain or .gz, in folder/name or in folder; free() it. */
static mica_status file_find(const char *folder, const char *name, const char *file, char **found) {
    for (int i = 0; i < 4; i++) {
        const char *end = i % 2 ? ".gz" : "";
        char *path = i < 2 ? mica_format("%s/%s/%s%s", folder, name, file, end)
                           : mica_format("%s/%s%s", folder, file, end);
        bool there = false;
        mica_status status = path ? mica_path_exists(path, &there) : MICA_E_MEMORY;
        if (there) {
            *found = path;
            return MICA_OK;
        }
        free(path);
        MICA_TRY(status);
    }
    return mica_fail(MICA_E_NOT_FOUND,
        "%s: no %s or %s.gz in %s/%s or %s: `mica fetch %s` gets " FILES
        ", or name the folder that has them",
        name, file, file, folder, name, folder, name);
}

static mica_status load(const char *folder, size_t set, bool train,
    const mica_dataset_options *options, mica_dataset **dataset) {
    mica_dataset_options filled = options ? *options : (mica_dataset_options){0};
    if (!filled.classes) {
        filled.classes = CLASSES;
        filled.class_names = sets[set].class_names;
    }
    char *images = NULL, *labels = NULL;
    mica_status status = file_find(folder, sets[set].name,
        train ? "train-images-idx3-ubyte" : "t10k-images-idx3-ubyte", &images);
    if (status == MICA_OK)
        status = file_find(folder, sets[set].name,
            train ? "train-labels-idx1-ubyte" : "t10k-labels-idx1-ubyte", &labels);
    if (status == MICA_OK)
        status = mica_dataset_from_idx(images, labels, &filled, dataset);
    free(images);
    free(labels);
    return status;
}

mica_status mica_dataset_from_mnist(const char *folder, const char *name, bool train,
    const mica_dataset_options *options, mica_dataset **dataset) {
    size_t count = sizeof sets / sizeof *sets, set = 0;
    while (set < count && strcmp(sets[set].name, name))
        set++;
    if (set == count)
        return mica_fail(MICA_E_NOT_FOUND, "data set %s: wanted mnist or fashion-mnist", name);
    char *standard = folder ? NULL : mica_data_folder(name);
    if (!folder && !standard)
        return MICA_E_NOT_FOUND;
    mica_status status = load(folder ? folder : standard, set, train, options, dataset);
    free(standard);
    return status;
}
