/* Fuzz targets, one for each parser of files that somebody else may have written. For libFuzzer,
 * TARGET names the function. A parser gets the bytes as a file and, where it took them, its result
 * is read whole. Bad input must be an error, never a crash, a leak, undefined behaviour, or minutes
 * of work. */
#include "tests/fuzz/targets.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/dataset.h"
#include "data/image.h"
#include "recipe/recipe.h"

#include <fcntl.h>
#include <mica/mica.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files ---- */

static char folder[64];

static void folder_remove(void) {
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        perror(folder);
}

/* The path of a file of this process with these bytes. */
static const char *file_of(const char *name, const uint8_t *data, size_t size) {
    static char paths[4][128];
    static int used;
    if (!*folder) {
        snprintf(folder, sizeof folder, "%s/mica-fuzz-XXXXXX",
            access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
        if (!mkdtemp(folder))
            abort();
        atexit(folder_remove);
    }
    char *path = paths[used++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || write(file, data, size) != (ssize_t)size)
        abort();
    close(file);
    return path;
}

/* ---- results ---- */

static void dataset_use(mica_dataset *set) {
    const mica_dataset_info *info = mica_dataset_get_info(set);
    const size_t sample = (size_t)mica_shape_count(info->sample);
    const size_t target = (size_t)mica_shape_count(info->target);
    void *numbers = mica_alloc(sample + target, 4);
    for (int64_t i = 0; numbers && i < info->count && i < 100; i++)
        (void)mica_dataset_sample(set, i, numbers, (char *)numbers + sample * 4);
    free(numbers);
    mica_dataset_destroy(&set);
}

static void sets_use(mica_dataset *train, mica_dataset *test) {
    dataset_use(train);
    if (test)
        dataset_use(test);
}

/* ---- targets ---- */

#define MOST (1 << 20) /* elements of a tensor that are worth reading here */

void fuzz_onnx(const uint8_t *data, size_t size) {
    mica_onnx *file;
    if (mica_onnx_open(file_of("model.onnx", data, size), &file) != MICA_OK)
        return;
    for (size_t i = 0; i < mica_onnx_tensor_count(file); i++) {
        mica_stored_tensor tensor;
        if (mica_onnx_get_tensor(file, i, &tensor) != MICA_OK || mica_stored_count(&tensor) > MOST)
            continue;
        void *numbers = mica_alloc((size_t)mica_stored_count(&tensor), 8);
        if (numbers && mica_onnx_read_floats(file, i, numbers) != MICA_OK)
            (void)mica_onnx_read_integers(file, i, numbers);
        free(numbers);
    }
    mica_graph *graph;
    mica_onnx_network *network = NULL;
    if (mica_graph_create(&graph) == MICA_OK) {
        (void)mica_onnx_build(file, graph, NULL, &network);
        mica_onnx_network_destroy(&network);
        mica_graph_destroy(&graph);
    }
    mica_onnx_close(&file);
}

void fuzz_safetensors(const uint8_t *data, size_t size) {
    mica_safetensors *file;
    if (mica_safetensors_open(file_of("a.safetensors", data, size), &file) != MICA_OK)
        return;
    for (size_t i = 0; i < mica_safetensors_count(file); i++) {
        const mica_stored_tensor *tensor = mica_safetensors_get(file, i);
        const float *view;
        if (mica_stored_count(tensor) < MOST)
            (void)mica_safetensors_view(file, tensor, &view);
    }
    (void)mica_safetensors_metadata(file, "format");
    mica_safetensors_close(&file);
}

void fuzz_npz(const uint8_t *data, size_t size) {
    mica_npz *npz;
    mica_dataset *set;
    if (mica_npz_read(file_of("a.npy", data, size), &npz) == MICA_OK)
        mica_npz_destroy(&npz);
    if (mica_dataset_from_npz(file_of("a.npz", data, size), NULL, NULL, &set) == MICA_OK)
        dataset_use(set);
}

void fuzz_recipe(const uint8_t *data, size_t size) {
    mica_recipe *recipe = NULL;
    mica_network *network = NULL;
    if (mica_recipe_load(file_of("recipe.yaml", data, size), NULL, 0, &recipe) != MICA_OK)
        return;
    if (!recipe->neighbours.wanted)
        (void)mica_recipe_build(recipe, 1, &network);
    mica_network_destroy(&network);
    mica_recipe_destroy(&recipe);
}

void fuzz_image(const uint8_t *data, size_t size) {
    mica_image image = {0};
    (void)mica_image_decode("picture", data, size, 0, 0, &image);
    mica_image_free(&image);
}

/* The first two bytes say how many of the others are the images, the rest are the labels. */
void fuzz_idx(const uint8_t *data, size_t size) {
    mica_dataset *set;
    if (size < 2)
        return;
    size_t first = data[0] | (size_t)data[1] << 8;
    first = first < size - 2 ? first : size - 2;
    const char *images = file_of("images", data + 2, first);
    const char *labels = file_of("labels", data + 2 + first, size - 2 - first);
    if (mica_dataset_from_idx(images, labels, NULL, &set) == MICA_OK)
        dataset_use(set);
}

void fuzz_csv(const uint8_t *data, size_t size) {
    mica_dataset *set;
    if (mica_dataset_from_csv(file_of("a.csv", data, size), NULL, &set) == MICA_OK)
        dataset_use(set);
}

/* As an archive, and as one of the files in it. */
void fuzz_cifar10(const uint8_t *data, size_t size) {
    mica_dataset *set;
    const char *path = file_of("cifar-10-binary.tar.gz", data, size);
    if (mica_dataset_from_cifar10(path, true, NULL, &set) == MICA_OK)
        dataset_use(set);
    file_of("test_batch.bin", data, size);
    if (mica_dataset_from_cifar10(folder, false, NULL, &set) == MICA_OK)
        dataset_use(set);
}

/* As ratings, and as the titles of an item of others. */
void fuzz_ratings(const uint8_t *data, size_t size) {
    static const char two[] = "u,7,1\nv,8,2\n";
    mica_ratings *ratings;
    if (mica_ratings_read(file_of("ratings", data, size), NULL, &ratings) == MICA_OK)
        mica_ratings_destroy(&ratings);
    const mica_ratings_options options = {.titles = file_of("titles", data, size)};
    const char *others = file_of("others", (const uint8_t *)two, sizeof two - 1);
    if (mica_ratings_read(others, &options, &ratings) == MICA_OK)
        mica_ratings_destroy(&ratings);
}

void fuzz_text(const uint8_t *data, size_t size) {
    mica_dataset *train = NULL, *test = NULL;
    const mica_text_options options = {.sequences = 2, .length = 4, .test = 0.2};
    if (mica_dataset_from_text(file_of("text", data, size), &options, &train, NULL, &test) ==
        MICA_OK)
        sets_use(train, test);
}

void fuzz_series(const uint8_t *data, size_t size) {
    mica_dataset *train = NULL, *test = NULL;
    const mica_series_options options = {.window = 3, .test = 0.2};
    if (mica_dataset_from_series(file_of("a.csv", data, size), &options, &train, NULL, &test) ==
        MICA_OK)
        sets_use(train, test);
}

#ifdef TARGET
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    TARGET(data, size);
    return 0;
}
#endif
