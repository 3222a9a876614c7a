/* Reading safetensors. The header is not trusted: every length, shape and offset is checked against
 * the file's length before anything is allocated or read by it. Data are mapped, so that they go
 * from the page cache to a device without a copy in between; that the file still has its length is
 * asked again for each tensor, since a page that it has lost cannot be touched (SIGBUS). */
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "io/stored.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 16384 /* bytes read at a time for conversion */

struct entry {
    mica_stored_tensor tensor; /* its name is root's, its dim is the entry's */
    int64_t begin, end;        /* of the data, from data_start */
};

struct mica_safetensors {
    int fd;
    char *path;
    int64_t data_start, data_size;
    json_t *root; /* the header */
    size_t count;
    struct entry *entries; /* by offset */
    const char *map;       /* the whole file; NULL where it cannot be mapped */
    const char *seen;      /* what was viewed last: pages of the map from here on, */
    size_t seen_size;
    float *widened; /* or a block of its own */
};

static mica_status read_at(const mica_safetensors *file, int64_t offset, void *data, size_t size) {
    char *at = data;
    while (size) {
        ssize_t n = pread(file->fd, at, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return mica_fail(MICA_E_IO, "cannot read %s: %s", file->path, strerror(errno));
        if (n == 0)
            return mica_fail(MICA_E_IO, "%s: became shorter while it was open", file->path);
        at += n;
        offset += n;
        size -= (size_t)n;
    }
    return MICA_OK;
}

static mica_status header_load(mica_safetensors *file) {
    struct stat info;
    if (fstat(file->fd, &info) || !S_ISREG(info.st_mode))
        return mica_fail(MICA_E_INVALID, "cannot read %s: it is not a regular file", file->path);
    int64_t size = info.st_size;
    uint64_t length = 0;
    if (size < (int64_t)sizeof length)
        return mica_fail(MICA_E_FORMAT,
            "%s: wanted a safetensors file, came %lld bytes: empty or cut off", file->path,
            (long long)size);
    MICA_TRY(read_at(file, 0, &length, sizeof length));
    if (length > MICA_HEADER_LIMIT)
        return mica_fail(MICA_E_FORMAT,
            "%s: not a safetensors file: a header of %llu bytes, the format allows %d", file->path,
            (unsigned long long)length, MICA_HEADER_LIMIT);
    if ((int64_t)length > size - 8)
        return mica_fail(MICA_E_FORMAT,
            "%s: cut off: a header of %llu bytes in a file of %lld; get it again", file->path,
            (unsigned long long)length, (long long)size);
    file->data_start = 8 + (int64_t)length;
    file->data_size = size - file->data_start;
    char *json = mica_alloc(1, length);
    if (!json)
        return MICA_E_MEMORY;
    mica_status status = read_at(file, 8, json, length);
    json_error_t error = {.text = "it does not begin with {"};
    if (status == MICA_OK && json[0] == '{')
        file->root = json_loadb(json, length, JSON_REJECT_DUPLICATES, &error);
    if (status == MICA_OK && !file->root)
        status = mica_fail(MICA_E_FORMAT, "%s: not a safetensors file: its header is no JSON: %s",
            file->path, error.text);
    free(json);
    return status;
}

static mica_status metadata_check(const mica_safetensors *file, json_t *metadata) {
    const char *key;
    json_t *value;
    bool good = json_is_object(metadata);
    json_object_foreach(metadata, key, value) {
        good = good && json_is_string(value);
    }
    return good ? MICA_OK
                : mica_fail(MICA_E_FORMAT,
                      "%s: wanted an object of strings as " MICA_METADATA_KEY
                      ", came something else",
                      file->path);
}

/* A size or an offset: an integer from 0 on. */
static bool natural(const json_t *value, int64_t *number) {
    *number = json_integer_value(value);
    return json_is_integer(value) && *number >= 0;
}

static mica_status shape_read(const mica_safetensors *file, const char *name, const json_t *shape,
    mica_stored_tensor *tensor) {
    size_t rank = json_array_size(shape);
    if (!json_is_array(shape) || rank > INT_MAX)
        return mica_fail(
            MICA_E_FORMAT, "%s: tensor \"%.100s\": wanted a list as shape", file->path, name);
    int64_t *dim = mica_alloc(rank, sizeof *dim);
    if (!dim)
        return MICA_E_MEMORY;
    tensor->dim = dim;
    tensor->rank = (int)rank;
    for (size_t i = 0; i < rank; i++)
        if (!natural(json_array_get(shape, i), &dim[i]))
            return mica_fail(MICA_E_FORMAT,
                "%s: tensor \"%.100s\": wanted integers from 0 on in its shape", file->path, name);
    return MICA_OK;
}

static mica_status entry_read(
    const mica_safetensors *file, const char *name, const json_t *value, struct entry *entry) {
    mica_stored_tensor *tensor = &entry->tensor;
    if (!mica_stored_name_ok(name))
        return mica_fail(MICA_E_FORMAT,
            "%s: a tensor's name is empty, over %d bytes or has control characters", file->path,
            MICA_NAME_LIMIT);
    tensor->name = name;
    const char *type = json_string_value(json_object_get(value, "dtype"));
    if (!type || !mica_stored_type_find(type, &tensor->type))
        return mica_fail(MICA_E_FORMAT, "%s: tensor \"%.100s\": unknown dtype \"%.20s\"",
            file->path, name, type ? type : "");
    MICA_TRY(shape_read(file, name, json_object_get(value, "shape"), tensor));
    const json_t *offsets = json_object_get(value, "data_offsets");
    if (json_array_size(offsets) != 2 || !natural(json_array_get(offsets, 0), &entry->begin) ||
        !natural(json_array_get(offsets, 1), &entry->end))
        return mica_fail(MICA_E_FORMAT,
            "%s: tensor \"%.100s\": wanted two integers from 0 on as data_offsets", file->path,
            name);
    int64_t bytes = mica_stored_bytes(tensor);
    if (bytes < 0 || entry->end < entry->begin || entry->end - entry->begin != bytes)
        return mica_fail(MICA_E_FORMAT,
            "%s: tensor \"%.100s\": its data_offsets %lld to %lld do not fit its dtype and shape",
            file->path, name, (long long)entry->begin, (long long)entry->end);
    if (entry->end > file->data_size)
        return mica_fail(MICA_E_FORMAT,
            "%s: cut off: tensor \"%.100s\" ends at byte %lld of data, the file has %lld; get it "
            "again",
            file->path, name, (long long)entry->end, (long long)file->data_size);
    return MICA_OK;
}

static int by_offset(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static mica_status entries_load(mica_safetensors *file) {
    file->entries = mica_alloc(json_object_size(file->root), sizeof *file->entries);
    if (!file->entries)
        return MICA_E_MEMORY;
    const char *name;
    json_t *value;
    json_object_foreach(file->root, name, value) {
        if (!strcmp(name, MICA_METADATA_KEY))
            MICA_TRY(metadata_check(file, value));
        else
            MICA_TRY(entry_read(file, name, value, &file->entries[file->count++]));
    }
    qsort(file->entries, file->count, sizeof *file->entries, by_offset);
    int64_t end = 0;
    for (size_t i = 0; i < file->count; i++) {
        const struct entry *entry = &file->entries[i];
        if (entry->begin != end)
            return mica_fail(MICA_E_FORMAT,
                "%s: tensor \"%.100s\" begins at byte %lld of data, wanted %lld: tensors must follow "
                "each other without hole or overlap",
                file->path, entry->tensor.name, (long long)entry->begin, (long long)end);
        end = entry->end;
    }
    if (end != file->data_size)
        return mica_fail(MICA_E_FORMAT,
            "%s: too long: the tensors end at byte %lld of data, the file has %lld", file->path,
            (long long)end, (long long)file->data_size);
    return MICA_OK;
}

static size_t file_size(const mica_safetensors *file) {
    return (size_t)(file->data_start + file->data_size);
}

/* Gives back what the last view holds: pages that were copied need not stay with this process. */
static void view_end(mica_safetensors *file) {
    if (file->seen)
        madvise((void *)file->seen, file->seen_size, MADV_DONTNEED);
    file->seen = NULL;
    free(file->widened);
    file->widened = NULL;
}

mica_status mica_safetensors_open(const char *path, mica_safetensors **out) {
    mica_safetensors *file = mica_alloc(1, sizeof *file);
    if (!file)
        return MICA_E_MEMORY;
    file->fd = -1;
    file->path = mica_strdup(path);
    mica_status status = file->path ? MICA_OK : MICA_E_MEMORY;
    if (status == MICA_OK && (file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0)
        status = mica_open_failed(path);
    if (status == MICA_OK)
        status = header_load(file);
    if (status == MICA_OK)
        status = entries_load(file);
    if (status == MICA_OK) {
        void *map = mmap(NULL, file_size(file), PROT_READ, MAP_PRIVATE, file->fd, 0);
        file->map = map == MAP_FAILED ? NULL : map;
        *out = file;
    } else {
        mica_safetensors_close(&file);
    }
    return status;
}

void mica_safetensors_close(mica_safetensors **owner) {
    mica_safetensors *file = *owner;
    if (!file)
        return;
    view_end(file);
    if (file->map)
        munmap((void *)file->map, file_size(file));
    for (size_t i = 0; i < file->count; i++)
        free((void *)file->entries[i].tensor.dim);
    free(file->entries);
    json_decref(file->root);
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    free(file);
    *owner = NULL;
}

size_t mica_safetensors_count(const mica_safetensors *file) {
    return file->count;
}

const mica_stored_tensor *mica_safetensors_get(const mica_safetensors *file, size_t index) {
    return index < file->count ? &file->entries[index].tensor : NULL;
}

const mica_stored_tensor *mica_safetensors_find(const mica_safetensors *file, const char *name) {
    for (size_t i = 0; i < file->count; i++)
        if (!strcmp(file->entries[i].tensor.name, name))
            return &file->entries[i].tensor;
    return NULL;
}

const char *mica_safetensors_metadata(const mica_safetensors *file, const char *key) {
    return json_string_value(json_object_get(json_object_get(file->root, MICA_METADATA_KEY), key));
}

mica_status mica_safetensors_read_bytes(
    mica_safetensors *file, const mica_stored_tensor *tensor, void *bytes) {
    const struct entry *entry = (const struct entry *)tensor; /* its first member */
    return read_at(
        file, file->data_start + entry->begin, bytes, (size_t)(entry->end - entry->begin));
}

mica_status mica_safetensors_read_floats(
    mica_safetensors *file, const mica_stored_tensor *tensor, float *values) {
    if (tensor->type == MICA_STORED_F32)
        return mica_safetensors_read_bytes(file, tensor, values);
    MICA_TRY(mica_stored_widens(file->path, tensor));
    const struct entry *entry = (const struct entry *)tensor;
    size_t width = mica_stored_type_size(tensor->type);
    char piece[PIECE];
    for (int64_t at = entry->begin; at < entry->end; at += PIECE) {
        size_t size = entry->end - at < PIECE ? (size_t)(entry->end - at) : PIECE;
        MICA_TRY(read_at(file, file->data_start + at, piece, size));
        mica_stored_floats(tensor->type, piece, size / width, values);
        values += size / width;
    }
    return MICA_OK;
}

static mica_status same_length(const mica_safetensors *file) {
    struct stat info;
    if (fstat(file->fd, &info) || info.st_size < (off_t)file_size(file))
        return mica_fail(MICA_E_IO, "%s: became shorter while it was open", file->path);
    return MICA_OK;
}

mica_status mica_safetensors_view(
    mica_safetensors *file, const mica_stored_tensor *tensor, const float **values) {
    const struct entry *entry = (const struct entry *)tensor;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t begin = (size_t)(file->data_start + entry->begin);
    const size_t end = (size_t)(file->data_start + entry->end);
    view_end(file);
    if (file->map && tensor->type == MICA_STORED_F32 && begin % _Alignof(float) == 0) {
        MICA_TRY(same_length(file));
        file->seen = file->map + begin / page * page;
        file->seen_size = end - begin / page * page;
        *values = (const float *)(const void *)(file->map + begin);
        return MICA_OK;
    }
    float *room = mica_alloc((size_t)mica_stored_count(tensor), sizeof *room);
    mica_status status = room ? mica_safetensors_read_floats(file, tensor, room) : MICA_E_MEMORY;
    if (status != MICA_OK) {
        free(room);
        return status;
    }
    *values = file->widened = room;
    return MICA_OK;
}
