/* Codes of samples, as `mica encode` and NumPy write them. */
#include "data/dataset.h"

#include "base/error.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "came (60) of float64" */
static const char *came(const mica_array *array, char *text, size_t size) {
    char shape[96], type[16];
    if (!array)
        return "and there is none";
    snprintf(text, size, "came %s of %s", mica_shape_text(array->shape, shape, sizeof shape),
        mica_npz_type(array, type, sizeof type));
    return text;
}

/* Codes (count, ...) and labels (count), whose data are not loaded yet. */
static mica_status arrays_check(
    const char *path, const mica_array *codes, const mica_array *labels) {
    char text[128];
    if (!codes || mica_npz_kind(codes) != 'f' || codes->shape.rank < 2)
        return mica_fail(MICA_E_FORMAT,
            "%s: wanted an array codes (samples, ...) of float16, float32 or float64, %s", path,
            came(codes, text, sizeof text));
    if (!labels || !strchr("iub", mica_npz_kind(labels)) || labels->shape.rank != 1 ||
        labels->shape.dim[0] != codes->shape.dim[0])
        return mica_fail(MICA_E_FORMAT,
            "%s: wanted an array labels (%lld) of integers, one a sample, %s", path,
            (long long)codes->shape.dim[0], came(labels, text, sizeof text));
    return MICA_OK;
}

static mica_status values_check(const char *path, const mica_array *codes) {
    for (int64_t i = 0, n = mica_shape_count(codes->shape); i < n; i++)
        if (!isfinite(codes->floats[i]))
            return mica_fail(
                MICA_E_FORMAT, "%s: number %lld of codes is not finite", path, (long long)i);
    return MICA_OK;
}

/* Names in the file become those of the set, and must be those that are asked for. */
static mica_status names_check(
    const char *path, const mica_array *names, mica_dataset_options *options) {
    char text[128];
    if (!names)
        return MICA_OK;
    if (!names->texts)
        return mica_fail(MICA_E_FORMAT, "%s: wanted an array class_names of texts, %s", path,
            came(names, text, sizeof text));
    int32_t count = (int32_t)mica_shape_count(names->shape);
    bool same = !options->classes || options->classes == count;
    for (int32_t i = 0; i < count && same && options->class_names; i++)
        same = !strcmp(options->class_names[i], names->texts[i]);
    if (!same)
        return mica_fail(MICA_E_FORMAT,
            "%s: its %d class_names are not those of the other files or the recipe: the labels "
            "would mean something else",
            path, count);
    options->classes = count;
    options->class_names = names->texts;
    return MICA_OK;
}

static mica_status make(const char *path, mica_npz *file, mica_npz *beside,
    const mica_dataset_options *options, mica_dataset **dataset) {
    mica_dataset_options filled = options ? *options : (mica_dataset_options){0};
    const mica_array *codes = mica_npz_find(file, beside ? "" : "codes");
    const mica_array *labels = mica_npz_find(beside ? beside : file, beside ? "" : "labels");
    if (beside && !labels) /* an archive */
        labels = mica_npz_find(beside, "labels");
    const mica_array *names = mica_npz_find(file, "class_names");
    MICA_TRY(arrays_check(path, codes, labels));
    if (names)
        MICA_TRY(mica_npz_load(file, names));
    MICA_TRY(names_check(path, names, &filled));
    MICA_TRY(mica_npz_load(beside ? beside : file, labels));
    MICA_TRY(mica_npz_load(file, codes));
    MICA_TRY(values_check(path, codes));
    mica_shape shape = mica_shape_of(codes->shape.rank - 1, codes->shape.dim + 1);
    int64_t count = codes->shape.dim[0];
    mica_samples samples = {.count = count, .sample = shape};
    samples.floats =
        mica_copy(codes->floats, (size_t)mica_shape_count(codes->shape) * sizeof(float));
    samples.labels = mica_copy(labels->integers, (size_t)count * sizeof(int32_t));
    mica_status status = samples.floats && samples.labels
                             ? mica_dataset_adopt(&samples, &filled, dataset)
                             : MICA_E_MEMORY;
    if (status != MICA_OK)
        mica_samples_free(&samples);
    return status == MICA_E_INVALID ? mica_fail_in(MICA_E_FORMAT, "%s", path) : status;
}

mica_status mica_dataset_from_npz(const char *path, const char *labels_path,
    const mica_dataset_options *options, mica_dataset **dataset) {
    mica_npz *file = NULL, *beside = NULL;
    mica_status status = mica_npz_open(path, &file);
    if (status == MICA_OK && labels_path)
        status = mica_npz_open(labels_path, &beside);
    if (status == MICA_OK)
        status = make(path, file, beside, options, dataset);
    mica_npz_destroy(&file);
    mica_npz_destroy(&beside);
    return status;
}
