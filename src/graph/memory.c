#include "graph/memory.h"

#include "base/error.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static int by_size(const void *a, const void *b) {
    const mica_block *x = *(mica_block *const *)a, *y = *(mica_block *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : 1; /* the same plan every time */
}

/* The lowest offset in an arena where `block` overlaps none of `placed`, which are in the order of
 * their offsets, that is alive with it. */
static uint64_t find_gap(const mica_block *block, const mica_block *placed, size_t n) {
    uint64_t offset = 0;
    for (size_t i = 0; i < n && placed[i].offset < offset + block->bytes; i++) {
        const uint64_t end = placed[i].offset + placed[i].bytes;
        if (end > offset && placed[i].arena == block->arena && placed[i].first <= block->last &&
            block->first <= placed[i].last)
            offset = end;
    }
    return offset;
}

/* Puts a copy where its offset belongs. */
static void insert(mica_block *placed, size_t n, const mica_block *block) {
    size_t low = 0, high = n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (placed[middle].offset <= block->offset)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(placed + low + 1, placed + low, (n - low) * sizeof *placed);
    placed[low] = *block;
}

mica_status mica_memory_place(mica_block *blocks, size_t count, uint64_t align, uint64_t limit,
    uint64_t **out_sizes, size_t *out_n) {
    mica_block **order = mica_alloc(count, sizeof *order);
    mica_block *placed = mica_alloc(count, sizeof *placed);
    uint64_t *sizes = mica_alloc(count, sizeof *sizes);
    size_t n = 0;
    mica_status status = order && placed && sizes ? MICA_OK : MICA_E_MEMORY;
    for (size_t i = 0; i < count && status == MICA_OK; i++) {
        blocks[i].bytes = (blocks[i].bytes + align - 1) / align * align;
        order[i] = &blocks[i];
        if (blocks[i].bytes > limit)
            status = mica_fail(MICA_E_MEMORY,
                "one value needs %llu bytes, but the device allocates at most %llu at once",
                (unsigned long long)blocks[i].bytes, (unsigned long long)limit);
    }
    if (status != MICA_OK) {
        free(order);
        free(placed);
        free(sizes);
        return status;
    }
    qsort(order, count, sizeof *order, by_size);
    for (size_t i = 0; i < count; i++) {
        mica_block *block = order[i];
        do {
            block->offset = find_gap(block, placed, i);
        } while (block->offset + block->bytes > limit && ++block->arena);
        insert(placed, i, block);
        if (block->arena >= n)
            n = block->arena + (size_t)1;
        if (block->offset + block->bytes > sizes[block->arena])
            sizes[block->arena] = block->offset + block->bytes;
    }
    free(order);
    free(placed);
    *out_sizes = sizes;
    *out_n = n;
    return MICA_OK;
}
