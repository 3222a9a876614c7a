/* Tensors of ONNX files. Nothing they say is trusted: shapes are multiplied with care, data must be
 * exactly as many as the shape has elements, and files beside the model are opened component by
 * component, without following links, so that none outside the model's folder is ever read. */
#include "onnx/tensor.h"

#include "base/error.h"
#include "base/mem.h"
#include "io/stored.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXTERNAL 1 /* TensorProto.DataLocation */

/* By TensorProto.DataType. `stored` is the type of the raw bytes. */
static const struct {
    const char *name;
    bool readable;
    mica_stored_type stored;
} types[] = {
    {"undefined", false, 0},
    {"float", true, MICA_STORED_F32},
    {"uint8", true, MICA_STORED_U8},
    {"int8", true, MICA_STORED_I8},
    {"uint16", true, MICA_STORED_U16},
    {"int16", true, MICA_STORED_I16},
    {"int32", true, MICA_STORED_I32},
    {"int64", true, MICA_STORED_I64},
    {"string", false, 0},
    {"bool", true, MICA_STORED_BOOL},
    {"float16", true, MICA_STORED_F16},
    {"double", true, MICA_STORED_F64},
    {"uint32", true, MICA_STORED_U32},
    {"uint64", true, MICA_STORED_U64},
    {"complex64", false, 0},
    {"complex128", false, 0},
    {"bfloat16", true, MICA_STORED_BF16},
};

#define TYPES ((int)(sizeof types / sizeof *types))

const char *mica_onnx_type_name(int type) {
    return type >= 0 && type < TYPES ? types[type].name : "unknown";
}

bool mica_onnx_type_stored(int type, mica_stored_type *stored) {
    if (type < 0 || type >= TYPES || !types[type].readable)
        return false;
    *stored = types[type].stored;
    return true;
}

bool mica_onnx_type_real(int type) {
    mica_stored_type stored;
    return mica_onnx_type_stored(type, &stored) && stored <= MICA_STORED_BF16;
}

bool mica_onnx_type_whole(int type) {
    mica_stored_type stored;
    return mica_onnx_type_stored(type, &stored) && stored > MICA_STORED_BF16;
}

int64_t mica_onnx_count(int rank, const int64_t *dim) {
    int64_t count = 1;
    bool empty = false;
    for (int i = 0; i < rank; i++) {
        if (dim[i] < 0 || dim[i] > INT32_MAX)
            return -1;
        empty = empty || dim[i] == 0;
        count *= dim[i] ? dim[i] : 1;
        if (count > INT32_MAX)
            return -1;
    }
    return empty ? 0 : count;
}

/* ---- data outside the model ---- */

/* A number of an entry: digits, or absent and `number` stays. */
static mica_status entry_number(const Mica__Onnx__Entry *entry, int64_t *number) {
    char *end = NULL;
    errno = 0;
    long long read = entry->value ? strtoll(entry->value, &end, 10) : -1;
    if (read < 0 || errno || !end || *end || end == entry->value)
        return mica_fail(
            MICA_E_FORMAT, "%s of its external data: wanted an integer from 0 on", entry->key);
    *number = read;
    return MICA_OK;
}

/* Opens a file below the folder. The path must be made of plain names, none of them a link. */
static mica_status open_below(int folder, const char *location, int *out) {
    char *path = mica_strdup(location);
    if (!path)
        return MICA_E_MEMORY;
    int at = dup(folder);
    mica_status status = MICA_OK;
    for (char *name = path, *slash; name && status == MICA_OK; name = slash) {
        if ((slash = strchr(name, '/')))
            *slash++ = 0;
        if (!*name || !strcmp(name, ".") || !strcmp(name, "..")) {
            status = mica_fail(MICA_E_FORMAT,
                "its external data \"%.200s\": wanted a path below the model's folder", location);
            break;
        }
        int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (slash ? O_DIRECTORY : O_NONBLOCK);
        int next = openat(at, name, flags);
        if (next < 0)
            status = mica_fail(errno == ENOENT ? MICA_E_NOT_FOUND : MICA_E_FORMAT,
                "cannot read its external data \"%.200s\": %s", location,
                errno == ELOOP     ? "links are not followed"
                : errno == ENOTDIR ? "no folder, or a link, and links are not followed"
                                   : strerror(errno));
        close(at);
        at = next;
    }
    free(path);
    struct stat info;
    if (status == MICA_OK && (fstat(at, &info) || !S_ISREG(info.st_mode)))
        status = mica_fail(
            MICA_E_FORMAT, "its external data \"%.200s\" is not a regular file", location);
    if (status == MICA_OK)
        *out = at;
    else if (at >= 0)
        close(at);
    return status;
}

static mica_status external_check(int folder, mica_onnx_tensor *tensor, int64_t bytes) {
    const mica_onnx_pb_tensor *proto = tensor->proto;
    int64_t length = bytes;
    for (size_t i = 0; i < proto->n_external_data; i++) {
        const Mica__Onnx__Entry *entry = proto->external_data[i];
        const char *key = entry->key ? entry->key : "";
        if (!strcmp(key, "location"))
            tensor->location = entry->value;
        else if (!strcmp(key, "offset"))
            MICA_TRY(entry_number(entry, &tensor->offset));
        else if (!strcmp(key, "length"))
            MICA_TRY(entry_number(entry, &length));
    }
    if (!tensor->location || !mica_stored_name_ok(tensor->location) || folder < 0)
        return mica_fail(MICA_E_FORMAT, "its external data have no location");
    if (length != bytes)
        return mica_fail(MICA_E_FORMAT, "%lld bytes of external data, its shape and type need %lld",
            (long long)length, (long long)bytes);
    int file;
    MICA_TRY(open_below(folder, tensor->location, &file));
    struct stat info;
    int64_t size = fstat(file, &info) ? 0 : info.st_size;
    close(file);
    if (tensor->offset > size || size - tensor->offset < bytes)
        return mica_fail(MICA_E_FORMAT,
            "its external data \"%.200s\" have %lld bytes, wanted %lld from byte %lld on",
            tensor->location, (long long)size, (long long)bytes, (long long)tensor->offset);
    return MICA_OK;
}

static mica_status external_read(
    int folder, const mica_onnx_tensor *tensor, void *data, size_t size) {
    int file;
    MICA_TRY(open_below(folder, tensor->location, &file));
    size_t done = 0;
    ssize_t n = 1;
    while (done < size && n) {
        n = pread(file, (char *)data + done, size - done, (off_t)(tensor->offset + (int64_t)done));
        if (n < 0 && errno != EINTR)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    close(file);
    return done == size ? MICA_OK
                        : mica_fail(MICA_E_IO, "cannot read \"%.200s\": %s", tensor->location,
                              n < 0 ? strerror(errno) : "it became shorter");
}

/* ---- checks ---- */

/* How many elements the field has that the format names for this type. */
static size_t field_count(const mica_onnx_pb_tensor *proto) {
    switch (types[proto->data_type].stored) {
    case MICA_STORED_F32:
        return proto->n_float_data;
    case MICA_STORED_F64:
        return proto->n_double_data;
    case MICA_STORED_I64:
        return proto->n_int64_data;
    case MICA_STORED_U32:
    case MICA_STORED_U64:
        return proto->n_uint64_data;
    default:
        return proto->n_int32_data;
    }
}

mica_status mica_onnx_tensor_check(
    int folder, const mica_onnx_pb_tensor *proto, mica_onnx_tensor *out) {
    mica_onnx_tensor tensor = {.proto = proto, .type = proto->data_type};
    if (proto->n_dims > MICA_ONNX_MAX_RANK)
        return mica_fail(MICA_E_FORMAT, "%zu dimensions, at most %d can be read", proto->n_dims,
            MICA_ONNX_MAX_RANK);
    tensor.rank = (int)proto->n_dims;
    for (int i = 0; i < tensor.rank; i++)
        tensor.dim[i] = proto->dims[i];
    tensor.count = mica_onnx_count(tensor.rank, tensor.dim);
    if (tensor.count < 0)
        return mica_fail(MICA_E_FORMAT,
            "its sizes must be from 0 on and their product below 2^31, but one is %lld",
            (long long)(proto->n_dims ? proto->dims[0] : 0));
    if (proto->has_segment)
        return mica_fail(MICA_E_UNSUPPORTED, "it is stored in segments");
    mica_stored_type stored;
    if (mica_onnx_type_stored(tensor.type, &stored)) {
        int64_t bytes = tensor.count * (int64_t)mica_stored_type_size(stored);
        if (proto->data_location == EXTERNAL)
            MICA_TRY(external_check(folder, &tensor, bytes));
        else if (proto->has_raw_data && proto->raw_data.len != (size_t)bytes)
            return mica_fail(MICA_E_FORMAT, "%zu bytes of data, its shape and type need %lld",
                proto->raw_data.len, (long long)bytes);
        else if (!proto->has_raw_data && field_count(proto) != (size_t)tensor.count)
            return mica_fail(MICA_E_FORMAT, "%zu elements of data, its shape has %lld",
                field_count(proto), (long long)tensor.count);
    }
    *out = tensor;
    return MICA_OK;
}

/* ---- reading ---- */

/* The elements as raw bytes: those in the model, or a block from *owned. NULL: they stand in a
 * field of numbers. */
static mica_status raw_bytes(
    int folder, const mica_onnx_tensor *tensor, const void **raw, void **owned) {
    mica_stored_type stored;
    if (!mica_onnx_type_stored(tensor->type, &stored))
        return mica_fail(MICA_E_UNSUPPORTED, "data of type %s", mica_onnx_type_name(tensor->type));
    *raw = *owned = NULL;
    if (tensor->location) {
        size_t size = (size_t)tensor->count * mica_stored_type_size(stored);
        void *block = mica_alloc(size, 1);
        mica_status status = block ? external_read(folder, tensor, block, size) : MICA_E_MEMORY;
        if (status != MICA_OK) {
            free(block);
            return status;
        }
        *raw = *owned = block;
    } else if (tensor->proto->has_raw_data) {
        *raw = tensor->proto->raw_data.data;
    }
    return MICA_OK;
}

mica_status mica_onnx_tensor_floats(int folder, const mica_onnx_tensor *tensor, float *values) {
    size_t size = (size_t)tensor->count * sizeof *values;
    if (tensor->location)
        return external_read(folder, tensor, values, size);
    if (size)
        memcpy(values,
            tensor->proto->has_raw_data ? (const void *)tensor->proto->raw_data.data
                                        : (const void *)tensor->proto->float_data,
            size);
    return MICA_OK;
}

/* Files' data need not be aligned, so elements are copied out. */
#define WIDEN(element)                                                                             \
    for (size_t i = 0; i < count; i++) {                                                           \
        element x;                                                                                 \
        memcpy(&x, (const char *)raw + i * sizeof x, sizeof x);                                    \
        values[i] = x;                                                                             \
    }                                                                                              \
    break

mica_status mica_onnx_tensor_reals(int folder, const mica_onnx_tensor *tensor, double *values) {
    const mica_onnx_pb_tensor *proto = tensor->proto;
    const size_t count = (size_t)tensor->count;
    const void *raw;
    void *owned;
    MICA_TRY(raw_bytes(folder, tensor, &raw, &owned));
    mica_stored_type stored = types[tensor->type].stored;
    uint16_t half;
    float value;
    switch (stored) {
    case MICA_STORED_F64:
        raw = raw ? raw : proto->double_data;
        WIDEN(double);
    case MICA_STORED_F32:
        raw = raw ? raw : proto->float_data;
        WIDEN(float);
    default: /* float16 and bfloat16; in a field, their bits are integers */
        for (size_t i = 0; i < count; i++) {
            half = raw ? 0 : (uint16_t)proto->int32_data[i];
            mica_stored_floats(
                stored, raw ? (const char *)raw + i * sizeof half : (const char *)&half, 1, &value);
            values[i] = value;
        }
    }
    free(owned);
    return MICA_OK;
}

mica_status mica_onnx_tensor_wholes(int folder, const mica_onnx_tensor *tensor, int64_t *values) {
    const mica_onnx_pb_tensor *proto = tensor->proto;
    const size_t count = (size_t)tensor->count;
    const void *raw;
    void *owned;
    MICA_TRY(raw_bytes(folder, tensor, &raw, &owned));
    mica_stored_type stored = types[tensor->type].stored;
    if (!raw) { /* the fields are of 32 or 64 bits */
        bool wide = stored == MICA_STORED_U32 || stored == MICA_STORED_U64;
        for (size_t i = 0; i < count; i++)
            values[i] = stored == MICA_STORED_I64 ? proto->int64_data[i]
                        : wide                    ? (int64_t)proto->uint64_data[i]
                                                  : proto->int32_data[i];
    } else {
        switch (stored) {
        case MICA_STORED_I32:
            WIDEN(int32_t);
        case MICA_STORED_U32:
            WIDEN(uint32_t);
        case MICA_STORED_I16:
            WIDEN(int16_t);
        case MICA_STORED_U16:
            WIDEN(uint16_t);
        case MICA_STORED_I8:
            WIDEN(int8_t);
        case MICA_STORED_U8:
        case MICA_STORED_BOOL:
            WIDEN(uint8_t);
        case MICA_STORED_U64:
            WIDEN(uint64_t);
        default:
            WIDEN(int64_t);
        }
    }
    free(owned);
    return MICA_OK;
}
