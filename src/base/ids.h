/* Texts numbered from 0 in the order in which they are first met: a hash table. */
#ifndef MICA_BASE_IDS_H
#define MICA_BASE_IDS_H

#include <mica/status.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialize. */
typedef struct mica_ids {
    char **texts; /* `count`, copies */
    int32_t count;
    size_t capacity;
    int32_t *slots; /* number + 1 by hash, 0 where free; n_slots is a power of two */
    size_t n_slots;
    uint64_t seed; /* random, so that texts that share a slot cannot be prepared */
} mica_ids;

/* *number is that of the text, which is added if it is new. */
mica_status mica_ids_number(mica_ids *ids, const char *text, int32_t *number);

/* -1: it is not there. */
int32_t mica_ids_find(const mica_ids *ids, const char *text);

void mica_ids_free(mica_ids *ids);

#endif
