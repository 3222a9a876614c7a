#include "device/cache.h"

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT ((size_t)256 << 20)

/* What precedes the binary in a file. The key is told by its length and by two hashes of it, one in
 * the file's name and one here. */
typedef struct header {
    char magic[8];
    uint64_t key_length, key_hash;
    uint64_t size, checksum; /* of the binary */
} header;

static header header_of(const char *key, const void *data, size_t size) {
    header head = {.magic = "micakrn1", .key_length = strlen(key), .size = size};
    head.key_hash = mica_hash(mica_hash(MICA_HASH_START, "key", 3), key, head.key_length);
    head.checksum = mica_hash(MICA_HASH_START, data, size);
    return head;
}

static char *entry_path(const char *key) {
    char *name = mica_format(
        "kernels/%016llx", (unsigned long long)mica_hash(MICA_HASH_START, key, strlen(key)));
    char *path = name ? mica_cache_path(name) : NULL;
    free(name);
    return path;
}

mica_status mica_cache_load(const char *key, void **data, size_t *size) {
    char *path = entry_path(key), *file = NULL;
    size_t file_size = 0;
    mica_status status =
        path ? mica_private_read(path, LIMIT, &file, &file_size) : MICA_E_NOT_FOUND;
    free(path);
    if (status != MICA_OK)
        return MICA_E_NOT_FOUND;
    size_t body = file_size < sizeof(header) ? 0 : file_size - sizeof(header);
    header wanted = header_of(key, file + (file_size - body), body);
    if (!body || memcmp(file, &wanted, sizeof wanted)) {
        free(file);
        return mica_fail(MICA_E_NOT_FOUND, "the cached kernel is damaged or of another key");
    }
    memmove(file, file + sizeof(header), body);
    *data = file;
    *size = body;
    return MICA_OK;
}

void mica_cache_store(const char *key, const void *data, size_t size) {
    if (!size || size > LIMIT - sizeof(header))
        return;
    header head = header_of(key, data, size);
    char *path = entry_path(key);
    mica_file_writer *writer;
    if (path && mica_private_begin(path, &writer) == MICA_OK) {
        mica_file_write(writer, &head, sizeof head);
        mica_file_write(writer, data, size);
        mica_file_commit(&writer);
    }
    free(path);
}

void mica_cache_drop(const char *key) {
    char *path = entry_path(key);
    if (path)
        unlink(path);
    free(path);
}
