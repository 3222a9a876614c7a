#include "base/mem.h"

#include "base/error.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *mica_alloc(size_t count, size_t size) {
    void *block = calloc(count ? count : 1, size ? size : 1);
    if (!block)
        mica_fail(MICA_E_MEMORY, "out of host memory: wanted %zu x %zu bytes", count, size);
    return block;
}

void *mica_copy(const void *data, size_t size) {
    void *block = mica_alloc(1, size);
    if (block && size)
        memcpy(block, data, size);
    return block;
}

char *mica_strdup(const char *text) {
    return mica_copy(text, strlen(text) + 1);
}

char *mica_format(const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = mica_alloc(1, n < 0 ? 1 : (size_t)n + 1);
    if (!text || n < 0)
        return text;
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}

void *mica_grow(void *array, size_t count, size_t *capacity, size_t size) {
    if (count < *capacity)
        return array;
    size_t wanted = *capacity ? *capacity * 2 : 16;
    if (wanted > SIZE_MAX / size) {
        mica_fail(
            MICA_E_MEMORY, "out of host memory: an array of %zu elements is too large", wanted);
        return NULL;
    }
    void *moved = realloc(array, wanted * size);
    if (!moved) {
        mica_fail(MICA_E_MEMORY, "out of host memory: wanted %zu x %zu bytes", wanted, size);
        return NULL;
    }
    memset((char *)moved + *capacity * size, 0, (wanted - *capacity) * size);
    *capacity = wanted;
    return moved;
}
