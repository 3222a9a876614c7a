/* Weights that PyTorch saved. */
#include "base/error.h"
#include "base/mem.h"

#include <mica/io.h>
#include <mica/train.h>
#include <stdlib.h>
#include <string.h>

/* Where each dimension of Mica's weights stands in PyTorch's, by rank: (height, width, in, out) of
 * (out, in, height, width), the same for transposed convolutions, (in, out) of (out, in). */
static const int places[5][4] = {{0}, {0}, {1, 0}, {0, 1, 2}, {2, 3, 1, 0}};

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
    float *room = mica_alloc(2 * count, sizeof *room);
    mica_status status = room ? mica_safetensors_read_floats(file, tensor, room) : MICA_E_MEMORY;
    if (status == MICA_OK) {
        reorder(shape, room, room + count);
        status = mica_model_write(model, parameter, room + count, count);
    }
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
