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

static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

double mica_hash_unit(uint64_t seed, uint64_t hash) {
    return (double)(mix(mix(seed + 0x9e3779b97f4a7c15u) ^ hash) >> 11) * 0x1p-53;
}
