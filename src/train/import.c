/* Weights that PyTorch saved. */
#include "train/import.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/stored.h"

#include <mica/io.h>
#include <mica/train.h>
#include <stdlib.h>
#include <string.h>

/* Where each dimension of Mica's weights stands in PyTorch's, by rank: (height, width, in, out) of
 * (out, in, height, width), the same for transposed convolutions, (in, out) of (out, in). */
static const int places[5][4] = {{0}, {0}, {1, 0}, {0, 1, 2}, {2, 3, 1, 0}};

#define UNUSED_SHOWN 8 /* tensors that are named */

static bool ends(const char *text, const char *with) {
    size_t n = strlen(text), m = strlen(with);
    return n >= m && !strcmp(text + n - m, with);
}

/* The parameter's name with dots; free(). */
static char *dotted(const mica_value *parameter) {
    char *name = mica_strdup(mica_value_name(parameter));
    for (char *c = name; c && *c; c++)
        if (*c == '/')
            *c = '.';
    return name;
}

/* Puts numbers of PyTorch's order into Mica's. */
static void reorder(mica_shape shape, const float *from, float *to) {
    const int *place = places[shape.rank];
    int64_t size[4] = {1, 1, 1, 1}, step[4] = {0}, strides[4];
    int64_t stride = 1;
    for (int there = shape.rank - 1; there >= 0; there--)
        for (int i = 0; i < shape.rank; i++)
            if (place[i] == there) {
                strides[i] = stride;
                stride *= shape.dim[i];
            }
    for (int i = 0; i < shape.rank; i++) {
        size[4 - shape.rank + i] = shape.dim[i];
        step[4 - shape.rank + i] = strides[i];
    }
    for (int64_t a = 0; a < size[0]; a++)
        for (int64_t b = 0; b < size[1]; b++)
            for (int64_t c = 0; c < size[2]; c++)
                for (int64_t d = 0; d < size[3]; d++)
                    *to++ = from[a * step[0] + b * step[1] + c * step[2] + d * step[3]];
}

/* The tensor for a parameter, checked. */
static mica_status tensor_find(const char *path, const mica_safetensors *file,
    const mica_value *parameter, const mica_stored_tensor **out) {
    mica_shape shape = mica_value_shape(parameter);
    char *name = dotted(parameter), text[96], wanted[96];
    if (!name)
        return MICA_E_MEMORY;
    const mica_stored_tensor *tensor = mica_safetensors_find(file, name);
    bool same = tensor && tensor->rank == shape.rank && shape.rank <= 4;
    for (int i = 0; same && i < shape.rank; i++)
        same = tensor->dim[places[shape.rank][i]] == shape.dim[i];
    mica_status status = MICA_OK;
    if (!tensor)
        status = mica_fail(MICA_E_FORMAT,
            "%s: weights of another model: %s %s is not in the file, nor %s", path,
            mica_value_name(parameter), mica_shape_text(shape, text, sizeof text), name);
    else if (!same)
        status = mica_fail(MICA_E_FORMAT,
            "%s: weights of another model: %s is %s in the file, which does not become %s %s", path,
            name,
            tensor->rank <= MICA_MAX_RANK
                ? mica_shape_text(mica_shape_of(tensor->rank, tensor->dim), text, sizeof text)
                : "of many dimensions",
            mica_value_name(parameter), mica_shape_text(shape, wanted, sizeof wanted));
    else
        status = mica_stored_widens(path, tensor);
    if (status == MICA_OK)
        *out = tensor;
    free(name);
    return status;
}

/* Nothing of the file may be left over, but for counters. */
static mica_status all_used(
    const char *path, const mica_safetensors *file, const mica_model *model) {
    for (size_t i = 0; i < mica_safetensors_count(file); i++) {
        const char *tensor = mica_safetensors_get(file, i)->name;
        bool used = ends(tensor, "num_batches_tracked");
        for (size_t j = 0; j < mica_model_count(model) && !used; j++) {
            char *name = dotted(mica_model_parameter(model, j));
            if (!name)
                return MICA_E_MEMORY;
            used = !strcmp(name, tensor);
            free(name);
        }
        if (!used)
            return mica_fail(MICA_E_FORMAT,
                "%s: weights of another model: the file has %s, the model has not", path, tensor);
    }
    return MICA_OK;
}

static mica_status tensor_read(mica_safetensors *file, const mica_stored_tensor *tensor,
    mica_model *model, const mica_value *parameter) {
    mica_shape shape = mica_value_shape(parameter);
    size_t count = (size_t)mica_shape_count(shape);
    const float *stored;
    MICA_TRY(mica_safetensors_view(file, tensor, &stored));
    if (shape.rank < 2)
        return mica_model_write(model, parameter, stored, count);
    float *room = mica_alloc(count, sizeof *room);
    if (!room)
        return MICA_E_MEMORY;
    reorder(shape, stored, room);
    mica_status status = mica_model_write(model, parameter, room, count);
    free(room);
    return status;
}

static mica_status import(mica_model *model, const char *path, mica_safetensors *file) {
    size_t count = mica_model_count(model);
    const mica_stored_tensor **tensors = mica_alloc(count, sizeof *tensors);
    mica_status status = tensors ? all_used(path, file, model) : MICA_E_MEMORY;
    for (size_t i = 0; i < count && status == MICA_OK; i++)
        status = tensor_find(path, file, mica_model_parameter(model, i), &tensors[i]);
    for (size_t i = 0; i < count && status == MICA_OK; i++)
        status = tensor_read(file, tensors[i], model, mica_model_parameter(model, i));
    free(tensors);
    return status;
}

/* Mica's own names have a slash. */
static bool is_ours(const mica_safetensors *file) {
    for (size_t i = 0; i < mica_safetensors_count(file); i++)
        if (strchr(mica_safetensors_get(file, i)->name, '/'))
            return true;
    return false;
}

/* ---- what fits ---- */

static mica_status note_add(mica_texts *notes, char *text) {
    char **item = text ? realloc(notes->item, (notes->count + 1) * sizeof *item) : NULL;
    if (!item) {
        free(text);
        return mica_fail(MICA_E_MEMORY, "out of host memory");
    }
    notes->item = item;
    item[notes->count++] = text;
    return MICA_OK;
}

static bool fits(const mica_stored_tensor *tensor, mica_shape shape, bool ours) {
    bool same = tensor->rank == shape.rank && (ours || shape.rank <= 4);
    for (int i = 0; same && i < shape.rank; i++)
        same = tensor->dim[ours ? i : places[shape.rank][i]] == shape.dim[i];
    return same;
}

static mica_status own_read(mica_safetensors *file, const mica_stored_tensor *tensor,
    mica_model *model, const mica_value *parameter) {
    const float *stored;
    MICA_TRY(mica_safetensors_view(file, tensor, &stored));
    return mica_model_write(
        model, parameter, stored, (size_t)mica_shape_count(mica_value_shape(parameter)));
}

/* Takes one parameter, or says that it starts anew. */
static mica_status parameter_take(const char *path, mica_safetensors *file, bool ours,
    mica_model *model, const mica_value *parameter, size_t *taken, mica_texts *notes) {
    mica_shape shape = mica_value_shape(parameter);
    char *name = ours ? mica_strdup(mica_value_name(parameter)) : dotted(parameter);
    char text[96], stored[96];
    if (!name)
        return MICA_E_MEMORY;
    const mica_stored_tensor *tensor = mica_safetensors_find(file, name);
    mica_status status;
    if (tensor && fits(tensor, shape, ours)) {
        *taken += 1;
        status = mica_stored_widens(path, tensor);
        if (status == MICA_OK)
            status = ours ? own_read(file, tensor, model, parameter)
                          : tensor_read(file, tensor, model, parameter);
    } else if (tensor) {
        status = note_add(
            notes, mica_format("%s %s starts anew: it is %s in %s", mica_value_name(parameter),
                       mica_shape_text(shape, text, sizeof text),
                       tensor->rank <= MICA_MAX_RANK
                           ? mica_shape_text(
                                 mica_shape_of(tensor->rank, tensor->dim), stored, sizeof stored)
                           : "of many dimensions",
                       path));
    } else {
        status = note_add(
            notes, mica_format("%s %s starts anew: it is not in %s", mica_value_name(parameter),
                       mica_shape_text(shape, text, sizeof text), path));
    }
    free(name);
    return status;
}

/* Names the tensors that no parameter is called after. */
static mica_status note_unused(const char *path, const mica_safetensors *file, bool ours,
    const mica_model *model, mica_texts *notes) {
    mica_text text = {0};
    size_t unused = 0;
    for (size_t i = 0; i < mica_safetensors_count(file); i++) {
        const char *tensor = mica_safetensors_get(file, i)->name;
        bool used = ends(tensor, "num_batches_tracked");
        for (size_t j = 0; j < mica_model_count(model) && !used; j++) {
            const mica_value *parameter = mica_model_parameter(model, j);
            char *name = ours ? mica_strdup(mica_value_name(parameter)) : dotted(parameter);
            used = name && !strcmp(name, tensor);
            text.failed = text.failed || !name;
            free(name);
        }
        if (!used && unused++ < UNUSED_SHOWN)
            mica_text_add(&text, "%s%s", unused > 1 ? ", " : "", tensor);
    }
    mica_status status = text.failed ? MICA_E_MEMORY : MICA_OK;
    if (status == MICA_OK && unused)
        status = note_add(notes, mica_format("not taken from %s: %s%s", path, text.data,
                                     unused > UNUSED_SHOWN ? ", ..." : ""));
    free(text.data);
    return status;
}

mica_status mica_model_import_fitting(mica_model *model, const char *path, mica_texts *notes) {
    mica_safetensors *file = NULL;
    MICA_TRY(mica_safetensors_open(path, &file));
    bool ours = is_ours(file);
    size_t taken = 0;
    mica_status status = MICA_OK;
    for (size_t i = 0; i < mica_model_count(model) && status == MICA_OK; i++)
        status =
            parameter_take(path, file, ours, model, mica_model_parameter(model, i), &taken, notes);
    if (status == MICA_OK && !taken)
        status = mica_fail(MICA_E_FORMAT,
            "%s: weights of another model: none has the name and shape of a parameter here", path);
    if (status == MICA_OK)
        status = note_unused(path, file, ours, model, notes);
    mica_safetensors_close(&file);
    return status;
}

/* ---- all of it ---- */

mica_status mica_model_import(mica_model *model, const char *path) {
    if (!model || !path)
        return mica_fail(MICA_E_INVALID, "mica_model_import: the model or the path is NULL");
    mica_safetensors *file = NULL;
    MICA_TRY(mica_safetensors_open(path, &file));
    mica_status status = MICA_OK;
    bool ours = is_ours(file);
    if (!ours)
        status = import(model, path, file);
    mica_safetensors_close(&file);
    return ours ? mica_model_load(model, path) : status;
}
