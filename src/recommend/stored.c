#include "recommend/stored.h"

#include "base/error.h"
#include "base/mem.h"

#include <inttypes.h>
#include <math.h>
#include <mica/io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const mica_neighbours_by_names[] = {"items", "users", NULL};
const char *const mica_similarity_names[] = {"cosine", "adjusted_cosine", "pearson", NULL};

enum { TEXT = 32 };

mica_status mica_neighbours_write(const mica_neighbours_info *info, const char *path) {
    const int64_t dim[] = {info->rows, info->k};
    const size_t size = (size_t)info->rows * (size_t)info->k;
    const mica_stored_tensor tensors[] = {
        {.name = "neighbours", .type = MICA_STORED_I32, .rank = 2, .dim = dim},
        {.name = "similarities", .type = MICA_STORED_F32, .rank = 2, .dim = dim}};
    char shrinkage[TEXT], min_overlap[TEXT];
    snprintf(shrinkage, sizeof shrinkage, "%.9g", (double)info->shrinkage);
    snprintf(min_overlap, sizeof min_overlap, "%" PRId32, info->min_overlap);
    const mica_metadata metadata[] = {{"by", mica_neighbours_by_names[info->by]},
        {"similarity", mica_similarity_names[info->similarity]}, {"shrinkage", shrinkage},
        {"min_overlap", min_overlap}};
    mica_safetensors_writer *writer;
    MICA_TRY(mica_safetensors_begin(
        path, tensors, 2, metadata, sizeof metadata / sizeof *metadata, &writer));
    /* A failed write shows when the file is committed. */
    mica_safetensors_write(writer, info->ids, size * sizeof *info->ids);
    mica_safetensors_write(writer, info->similarity_of, size * sizeof *info->similarity_of);
    return mica_safetensors_commit(&writer);
}

/* The place of a key's value in a list of names; -1: it is not there. */
static int find_name(const mica_safetensors *file, const char *key, const char *const *names) {
    const char *value = mica_safetensors_metadata(file, key);
    for (int i = 0; value && names[i]; i++)
        if (!strcmp(value, names[i]))
            return i;
    return -1;
}

/* A key's number, at least 0; negative if it is none. */
static double find_number(const mica_safetensors *file, const char *key) {
    const char *value = mica_safetensors_metadata(file, key);
    char *end = NULL;
    const double number = value ? strtod(value, &end) : -1;
    return value && end != value && !*end && isfinite(number) && number < INT32_MAX ? number : -1;
}

static mica_status read_metadata(
    const mica_safetensors *file, const char *path, mica_neighbours_info *info) {
    const int by = find_name(file, "by", mica_neighbours_by_names);
    const int similarity = find_name(file, "similarity", mica_similarity_names);
    const double shrinkage = find_number(file, "shrinkage");
    const double min_overlap = find_number(file, "min_overlap");
    if (by < 0 || similarity < 0 || shrinkage < 0 || min_overlap < 1)
        return mica_fail(MICA_E_FORMAT, "%s holds no neighbourhood model", path);
    info->by = (mica_neighbours_by)by;
    info->similarity = (mica_similarity)similarity;
    info->shrinkage = (float)shrinkage;
    info->min_overlap = (int32_t)min_overlap;
    return MICA_OK;
}

static mica_status read_table(mica_safetensors *file, const char *path, mica_neighbours_info *info,
    int32_t **ids, float **similarities) {
    const mica_stored_tensor *n = mica_safetensors_find(file, "neighbours");
    const mica_stored_tensor *s = mica_safetensors_find(file, "similarities");
    if (!n || !s || n->type != MICA_STORED_I32 || s->type != MICA_STORED_F32 || n->rank != 2 ||
        s->rank != 2 || n->dim[0] != s->dim[0] || n->dim[1] != s->dim[1] || n->dim[0] < 1 ||
        n->dim[1] < 1 || n->dim[0] > INT32_MAX || n->dim[1] > INT32_MAX)
        return mica_fail(MICA_E_FORMAT,
            "%s: neighbours and similarities must be int32 and float32 of the same (rows, k)",
            path);
    info->rows = (int32_t)n->dim[0];
    info->k = (int32_t)n->dim[1];
    const size_t size = (size_t)info->rows * (size_t)info->k; /* the file holds so many */
    info->ids = *ids = mica_alloc(size, sizeof **ids);
    info->similarity_of = *similarities = mica_alloc(size, sizeof **similarities);
    if (!*ids || !*similarities)
        return MICA_E_MEMORY;
    MICA_TRY(mica_safetensors_read_bytes(file, n, *ids));
    MICA_TRY(mica_safetensors_read_floats(file, s, *similarities));
    for (size_t i = 0; i < size; i++)
        if ((*ids)[i] < -1 || (*ids)[i] >= info->rows || !isfinite((*similarities)[i]))
            return mica_fail(MICA_E_FORMAT, "%s: row %zu has a neighbour that cannot be", path,
                i / (size_t)info->k);
    return MICA_OK;
}

mica_status mica_neighbours_read(
    const char *path, mica_neighbours_info *info, int32_t **ids, float **similarities) {
    mica_safetensors *file;
    MICA_TRY(mica_safetensors_open(path, &file));
    mica_status status = read_metadata(file, path, info);
    if (status == MICA_OK)
        status = read_table(file, path, info, ids, similarities);
    mica_safetensors_close(&file);
    return status;
}
