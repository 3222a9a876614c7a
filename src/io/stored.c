/* Element types of safetensors: names, sizes, conversion to float32. Knows no files. */
#include "io/stored.h"

#include "base/error.h"

#include <string.h>

static const struct {
    const char *name;
    size_t size;
} types[] = {
    [MICA_STORED_F32] = {"F32", 4},
    [MICA_STORED_F64] = {"F64", 8},
    [MICA_STORED_F16] = {"F16", 2},
    [MICA_STORED_BF16] = {"BF16", 2},
    [MICA_STORED_F8_E4M3] = {"F8_E4M3", 1},
    [MICA_STORED_F8_E5M2] = {"F8_E5M2", 1},
    [MICA_STORED_I64] = {"I64", 8},
    [MICA_STORED_U64] = {"U64", 8},
    [MICA_STORED_I32] = {"I32", 4},
    [MICA_STORED_U32] = {"U32", 4},
    [MICA_STORED_I16] = {"I16", 2},
    [MICA_STORED_U16] = {"U16", 2},
    [MICA_STORED_I8] = {"I8", 1},
    [MICA_STORED_U8] = {"U8", 1},
    [MICA_STORED_BOOL] = {"BOOL", 1},
};

#define TYPES (sizeof types / sizeof *types)

const char *mica_stored_type_name(mica_stored_type type) {
    return (size_t)type < TYPES ? types[type].name : "unknown";
}

size_t mica_stored_type_size(mica_stored_type type) {
    return (size_t)type < TYPES ? types[type].size : 0;
}

bool mica_stored_type_find(const char *name, mica_stored_type *type) {
    for (size_t i = 0; i < TYPES; i++)
        if (!strcmp(types[i].name, name)) {
            *type = (mica_stored_type)i;
            return true;
        }
    return false;
}

int64_t mica_stored_bytes(const mica_stored_tensor *tensor) {
    int64_t bytes = (int64_t)mica_stored_type_size(tensor->type);
    if (!bytes || tensor->rank < 0)
        return -1;
    for (int i = 0; i < tensor->rank; i++) {
        int64_t dim = tensor->dim[i];
        if (dim < 0 || (dim && bytes > INT64_MAX / dim))
            return -1;
        bytes *= dim;
    }
    return bytes;
}

int64_t mica_stored_count(const mica_stored_tensor *tensor) {
    int64_t bytes = mica_stored_bytes(tensor);
    return bytes < 0 ? -1 : bytes / (int64_t)mica_stored_type_size(tensor->type);
}

bool mica_stored_name_ok(const char *name) {
    size_t size = 0;
    for (; name[size]; size++)
        if ((unsigned char)name[size] < 0x20 || name[size] == 0x7f || size == MICA_NAME_LIMIT)
            return false;
    return size > 0;
}

static float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 binary16: sign, 5 bits of exponent (bias 15), 10 of fraction. */
static float from_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31;
    uint32_t fraction = half & 0x3ff;
    if (exponent == 31)
        return from_bits(sign | 0x7f800000 | fraction << 13);
    if (exponent)
        return from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
    float value = (float)fraction * 0x1p-24f;
    return sign ? -value : value;
}

/* The files' data need not be aligned, so elements are copied out. */
#define WIDEN(element, expression)                                                                 \
    for (size_t i = 0; i < count; i++) {                                                           \
        element x;                                                                                 \
        memcpy(&x, (const char *)data + i * sizeof x, sizeof x);                                   \
        values[i] = (expression);                                                                  \
    }                                                                                              \
    return true

bool mica_stored_floats(mica_stored_type type, const void *data, size_t count, float *values) {
    switch (type) {
    case MICA_STORED_F32:
        memcpy(values, data, count * sizeof *values);
        return true;
    case MICA_STORED_F64:
        WIDEN(double, (float)x);
    case MICA_STORED_F16:
        WIDEN(uint16_t, from_half(x));
    case MICA_STORED_BF16:
        WIDEN(uint16_t, from_bits((uint32_t)x << 16));
    case MICA_STORED_I16:
        WIDEN(int16_t, x);
    case MICA_STORED_U16:
        WIDEN(uint16_t, x);
    case MICA_STORED_I8:
        WIDEN(int8_t, x);
    case MICA_STORED_U8:
        WIDEN(uint8_t, x);
    case MICA_STORED_BOOL:
        WIDEN(uint8_t, x != 0);
    default:
        return false;
    }
}

mica_status mica_stored_widens(const char *path, const mica_stored_tensor *tensor) {
    if (tensor->type == MICA_STORED_F32 || mica_stored_floats(tensor->type, NULL, 0, NULL))
        return MICA_OK;
    return mica_fail(MICA_E_UNSUPPORTED, "%s: tensor \"%.100s\": %s does not fit into float32",
        path, tensor->name, mica_stored_type_name(tensor->type));
}
