/* Writing safetensors: 8 bytes of header length, the header in JSON, the data. */
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "io/json.h"
#include "io/stored.h"

#include <stdlib.h>
#include <string.h>

struct mica_safetensors_writer {
    mica_file_writer *file;
    char *path;
    uint64_t wanted, written; /* bytes of data */
};

static mica_status metadata_add(json_t *root, const mica_metadata *metadata, size_t count) {
    if (!count)
        return MICA_OK;
    json_t *object = json_object();
    if (json_object_set_new(root, MICA_METADATA_KEY, object))
        return mica_fail(MICA_E_MEMORY, "out of host memory: the header of a safetensors file");
    for (size_t i = 0; i < count; i++)
        if (json_object_get(object, metadata[i].key) ||
            json_object_set_new(object, metadata[i].key, json_string(metadata[i].value)))
            return mica_fail(MICA_E_INVALID,
                "metadata \"%.100s\": wanted distinct keys, and keys and values in UTF-8",
                metadata[i].key);
    return MICA_OK;
}

static mica_status tensor_add(json_t *root, const mica_stored_tensor *tensor, uint64_t *offset) {
    int64_t bytes = mica_stored_bytes(tensor);
    if (!mica_stored_name_ok(tensor->name))
        return mica_fail(MICA_E_INVALID,
            "a tensor's name is empty, over %d bytes or has control characters", MICA_NAME_LIMIT);
    if (!strcmp(tensor->name, MICA_METADATA_KEY) || json_object_get(root, tensor->name))
        return mica_fail(MICA_E_INVALID,
            "tensor \"%.100s\": this name is taken: wanted distinct ones", tensor->name);
    if (bytes < 0 || (uint64_t)bytes > INT64_MAX - *offset)
        return mica_fail(
            MICA_E_INVALID, "tensor \"%.100s\": its type or shape cannot be written", tensor->name);
    if (*offset % mica_stored_type_size(tensor->type))
        return mica_fail(MICA_E_INVALID,
            "tensor \"%.100s\": %s would lie at byte %llu, not at a multiple of its size: put wider "
            "types first",
            tensor->name, mica_stored_type_name(tensor->type), (unsigned long long)*offset);
    json_t *shape = json_array();
    for (int i = 0; i < tensor->rank; i++)
        json_array_append_new(shape, json_integer(tensor->dim[i]));
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", mica_stored_type_name(tensor->type),
        "shape", shape, "data_offsets", (json_int_t)*offset, (json_int_t)*offset + bytes);
    if (!entry || (int)json_array_size(shape) != tensor->rank) {
        json_decref(entry);
        return mica_fail(MICA_E_MEMORY, "out of host memory: the header of a safetensors file");
    }
    if (json_object_set_new(root, tensor->name, entry))
        return mica_fail(MICA_E_INVALID, "tensor \"%.100s\": wanted a name in UTF-8", tensor->name);
    *offset += (uint64_t)bytes;
    return MICA_OK;
}

/* The length and the JSON, padded with spaces so that the data begin at a multiple of 8. */
static mica_status header_write(mica_file_writer *file, const json_t *root) {
    char *json = mica_json_dumps(root, JSON_COMPACT);
    if (!json)
        return MICA_E_MEMORY;
    size_t used = strlen(json), padding = (8 - used % 8) % 8;
    uint64_t length = used + padding;
    mica_status status =
        length > MICA_HEADER_LIMIT
            ? mica_fail(MICA_E_INVALID, "a safetensors header of %llu bytes: the format allows %d",
                  (unsigned long long)length, MICA_HEADER_LIMIT)
            : mica_file_write(file, &length, sizeof length);
    if (status == MICA_OK)
        status = mica_file_write(file, json, used);
    if (status == MICA_OK)
        status = mica_file_write(file, "       ", padding);
    free(json);
    return status;
}

mica_status mica_safetensors_begin(const char *path, const mica_stored_tensor *tensors,
    size_t count, const mica_metadata *metadata, size_t metadata_count,
    mica_safetensors_writer **out) {
    json_t *root = json_object();
    if (!root)
        return mica_fail(MICA_E_MEMORY, "out of host memory: the header of a safetensors file");
    mica_safetensors_writer *writer = mica_alloc(1, sizeof *writer);
    mica_status status = writer ? metadata_add(root, metadata, metadata_count) : MICA_E_MEMORY;
    for (size_t i = 0; i < count && status == MICA_OK; i++)
        status = tensor_add(root, &tensors[i], &writer->wanted);
    if (status == MICA_OK && !(writer->path = mica_strdup(path)))
        status = MICA_E_MEMORY;
    if (status == MICA_OK)
        status = mica_file_begin(path, &writer->file);
    if (status == MICA_OK)
        status = header_write(writer->file, root);
    json_decref(root);
    if (status == MICA_OK)
        *out = writer;
    else if (writer)
        mica_safetensors_abort(&writer);
    return status;
}

mica_status mica_safetensors_write(mica_safetensors_writer *writer, const void *data, size_t size) {
    if (size > writer->wanted - writer->written)
        return mica_fail(MICA_E_INVALID,
            "%s: %zu bytes of data where the tensors have %llu left to write", writer->path, size,
            (unsigned long long)(writer->wanted - writer->written));
    writer->written += size;
    return mica_file_write(writer->file, data, size);
}

void mica_safetensors_abort(mica_safetensors_writer **owner) {
    mica_safetensors_writer *writer = *owner;
    if (!writer)
        return;
    mica_file_abort(&writer->file);
    free(writer->path);
    free(writer);
    *owner = NULL;
}

mica_status mica_safetensors_commit(mica_safetensors_writer **owner) {
    mica_safetensors_writer *writer = *owner;
    mica_status status =
        writer->written == writer->wanted
            ? mica_file_commit(&writer->file)
            : mica_fail(MICA_E_INVALID, "%s: wanted %llu bytes of data, came %llu", writer->path,
                  (unsigned long long)writer->wanted, (unsigned long long)writer->written);
    mica_safetensors_abort(owner);
    return status;
}
