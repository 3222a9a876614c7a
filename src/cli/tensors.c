#include "cli/tensors.h"

#include "base/mem.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool mica_cli_is_tensors(const char *path) {
    return mica_cli_ends(path, ".onnx") || mica_cli_ends(path, ".safetensors") ||
           mica_cli_ends(path, ".npz") || mica_cli_ends(path, ".npy");
}

mica_status mica_cli_tensors_open(const char *path, mica_cli_tensors *out) {
    mica_cli_tensors t = {0};
    if (mica_cli_ends(path, ".onnx")) {
        MICA_TRY(mica_onnx_open(path, &t.onnx));
        t.count = mica_onnx_tensor_count(t.onnx);
    } else if (mica_cli_ends(path, ".safetensors")) {
        MICA_TRY(mica_safetensors_open(path, &t.safetensors));
        t.count = mica_safetensors_count(t.safetensors);
    } else {
        MICA_TRY(mica_npz_read(path, &t.npz));
        while (mica_npz_get(t.npz, t.count))
            t.count++;
    }
    *out = t;
    return MICA_OK;
}

void mica_cli_tensors_close(mica_cli_tensors *t) {
    mica_onnx_close(&t->onnx);
    mica_safetensors_close(&t->safetensors);
    mica_npz_destroy(&t->npz);
}

bool mica_cli_tensor_real(const mica_stored_tensor *tensor) {
    return tensor->type <= MICA_STORED_F8_E5M2;
}

mica_status mica_cli_tensors_get(
    const mica_cli_tensors *t, size_t index, mica_stored_tensor *tensor) {
    if (t->onnx)
        return mica_onnx_get_tensor(t->onnx, index, tensor);
    if (t->safetensors) {
        *tensor = *mica_safetensors_get(t->safetensors, index);
        return MICA_OK;
    }
    const mica_array *array = mica_npz_get(t->npz, index);
    *tensor = (mica_stored_tensor){*array->name ? array->name : "array",
        array->floats ? MICA_STORED_F32 : MICA_STORED_I32, array->shape.rank, array->shape.dim};
    return MICA_OK;
}

const mica_array *mica_cli_tensors_texts(const mica_cli_tensors *t, size_t index) {
    const mica_array *array = t->npz ? mica_npz_get(t->npz, index) : NULL;
    return array && array->texts ? array : NULL;
}

/* Numbers of 64 bits as float32, none of which becomes infinite on the way. */
static mica_status read_doubles(
    mica_safetensors *file, const mica_stored_tensor *tensor, float *floats) {
    const size_t count = (size_t)mica_stored_count(tensor);
    double *doubles = mica_alloc(count, sizeof *doubles);
    mica_status status =
        doubles ? mica_safetensors_read_bytes(file, tensor, doubles) : MICA_E_MEMORY;
    for (size_t i = 0; i < count && status == MICA_OK; i++) {
        floats[i] = (float)doubles[i];
        if (isfinite(doubles[i]) && !isfinite(floats[i]))
            status = mica_fail(MICA_E_UNSUPPORTED,
                "it has %g, and F64 becomes F32, which ends at 3.4e38", doubles[i]);
    }
    free(doubles);
    return status;
}

mica_status mica_cli_tensors_floats(const mica_cli_tensors *t, size_t index, float *floats) {
    if (t->onnx)
        return mica_onnx_read_floats(t->onnx, index, floats);
    if (t->safetensors) {
        const mica_stored_tensor *tensor = mica_safetensors_get(t->safetensors, index);
        return tensor->type == MICA_STORED_F64
                   ? read_doubles(t->safetensors, tensor, floats)
                   : mica_safetensors_read_floats(t->safetensors, tensor, floats);
    }
    const mica_array *array = mica_npz_get(t->npz, index);
    memcpy(floats, array->floats, (size_t)mica_shape_count(array->shape) * sizeof *floats);
    return MICA_OK;
}

/* The file's integers, as wide as they are, widened in place from the last on. */
static void widen(int64_t *integers, size_t count, mica_stored_type type) {
    const char *bytes = (const char *)integers;
    const size_t size = mica_stored_type_size(type);
    for (size_t i = count; i-- > 0;) {
        int64_t number = 0;
        memcpy(&number, bytes + i * size, size); /* little-endian, as the file */
        const int unused = 64 - 8 * (int)size;
        const bool has_sign = type == MICA_STORED_I8 || type == MICA_STORED_I16 ||
                              type == MICA_STORED_I32 || type == MICA_STORED_I64;
        if (has_sign && unused)
            number = (number ^ ((int64_t)1 << (63 - unused))) - ((int64_t)1 << (63 - unused));
        integers[i] = number;
    }
}

/* Those of 64 bits without a sign came as they are. */
static mica_status check_sign(const mica_stored_tensor *tensor, const int64_t *integers) {
    const int64_t count = tensor->type == MICA_STORED_U64 ? mica_stored_count(tensor) : 0;
    for (int64_t i = 0; i < count; i++)
        if (integers[i] < 0)
            return mica_fail(MICA_E_UNSUPPORTED,
                "it has %" PRIu64 ", and U64 becomes I64, which ends at %" PRId64,
                (uint64_t)integers[i], INT64_MAX);
    return MICA_OK;
}

mica_status mica_cli_tensors_integers(const mica_cli_tensors *t, size_t index, int64_t *integers) {
    if (t->onnx) {
        mica_stored_tensor tensor;
        MICA_TRY(mica_onnx_get_tensor(t->onnx, index, &tensor));
        MICA_TRY(mica_onnx_read_integers(t->onnx, index, integers));
        return check_sign(&tensor, integers);
    }
    if (t->safetensors) {
        const mica_stored_tensor *tensor = mica_safetensors_get(t->safetensors, index);
        MICA_TRY(mica_safetensors_read_bytes(t->safetensors, tensor, integers));
        widen(integers, (size_t)mica_stored_count(tensor), tensor->type);
        return check_sign(tensor, integers);
    }
    const mica_array *array = mica_npz_get(t->npz, index);
    for (int64_t i = 0; i < mica_shape_count(array->shape); i++)
        integers[i] = array->integers[i];
    return MICA_OK;
}
