/* Memory by lifetime: places blocks in as few bytes as a greedy search finds. Knows no devices. */
#ifndef MICA_GRAPH_MEMORY_H
#define MICA_GRAPH_MEMORY_H

#include <mica/status.h>
#include <stddef.h>
#include <stdint.h>

/* A block is alive from position `first` to `last`, both included. */
typedef struct mica_block {
    uint64_t bytes;
    int first, last;
    uint32_t arena; /* result */
    uint64_t offset;
} mica_block;

/* Blocks that live at the same time never overlap. Offsets are multiples of `align`; no arena is
 * larger than `limit`. *sizes gets the bytes of each of the *n arenas; free with free(). Greedy by
 * size: Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020. */
mica_status mica_memory_place(
    mica_block *blocks, size_t count, uint64_t align, uint64_t limit, uint64_t **sizes, size_t *n);

#endif
