#include "graph/memory.h"

#include "base/error.h"
#include "base/mem.h"

#include <stdlib.h>

static int by_size(const void *a, const void *b) {
    const mica_block *x = *(mica_block *const *)a, *y = *(mica_block *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : 1; /* the same plan every time */
}

static int by_offset(const void *a, const void *b) {
    const mica_block *x = *(mica_block *const *)a, *y = *(mica_block *const *)b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* The lowest offset in an arena where `block` overlaps none of `placed` that is alive with it. */
static uint64_t find_gap(
    const mica_block *block, mica_block **placed, size_t n, mica_block **alive, uint32_t arena) {
    size_t n_alive = 0;
    for (size_t i = 0; i < n; i++)
        if (placed[i]->arena == arena && placed[i]->first <= block->last &&
            block->first <= placed[i]->last)
            alive[n_alive++] = placed[i];
    qsort(alive, n_alive, sizeof *alive, by_offset);
    uint64_t offset = 0;
    for (size_t i = 0; i < n_alive && alive[i]->offset < offset + block->bytes; i++) {
        uint64_t end = alive[i]->offset + alive[i]->bytes;
        if (end > offset)
            offset = end;
    }
    return offset;
}

mica_status mica_memory_place(mica_block *blocks, size_t count, uint64_t align, uint64_t limit,
    uint64_t **out_sizes, size_t *out_n) {
    mica_block **order = mica_alloc(count, sizeof *order);
    mica_block **alive = mica_alloc(count, sizeof *alive);
    uint64_t *sizes = mica_alloc(count, sizeof *sizes);
    size_t n = 0;
    mica_status status = order && alive && sizes ? MICA_OK : MICA_E_MEMORY;
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
        free(alive);
        free(sizes);
        return status;
    }
    qsort(order, count, sizeof *order, by_size);
    for (size_t i = 0; i < count; i++) {
        mica_block *block = order[i];
        do {
            block->offset = find_gap(block, order, i, alive, block->arena);
        } while (block->offset + block->bytes > limit && ++block->arena);
        if (block->arena >= n)
            n = block->arena + (size_t)1;
        if (block->offset + block->bytes > sizes[block->arena])
            sizes[block->arena] = block->offset + block->bytes;
    }
    free(order);
    free(alive);
    *out_sizes = sizes;
    *out_n = n;
    return MICA_OK;
}
