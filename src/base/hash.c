#include "base/hash.h"

#include <string.h>

uint64_t mica_hash(uint64_t hash, const void *data, size_t size) {
    const unsigned char *byte = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3u;
    return hash;
}

uint64_t mica_hash_text(uint64_t hash, const char *text) {
    return mica_hash(hash, text, strlen(text) + 1);
}
