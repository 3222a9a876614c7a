#include "base/ids.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>

/* The slot that holds the text, or the free one where it would stand. */
static size_t slot_of(const mica_ids *ids, const char *text) {
    uint64_t hash = mica_hash_text(MICA_HASH_START ^ ids->seed, text);
    size_t slot = (size_t)(hash ^ hash >> 32) & (ids->n_slots - 1);
    while (ids->slots[slot] && strcmp(ids->texts[ids->slots[slot] - 1], text))
        slot = (slot + 1) & (ids->n_slots - 1);
    return slot;
}

static mica_status slots_double(mica_ids *ids) {
    mica_ids wider = *ids;
    wider.n_slots = ids->n_slots ? ids->n_slots * 2 : 64;
    if (!ids->n_slots && getrandom(&wider.seed, sizeof wider.seed, GRND_NONBLOCK) < 0)
        wider.seed = 0;
    wider.slots = mica_alloc(wider.n_slots, sizeof *wider.slots);
    if (!wider.slots)
        return MICA_E_MEMORY;
    for (int32_t i = 0; i < ids->count; i++)
        wider.slots[slot_of(&wider, ids->texts[i])] = i + 1;
    free(ids->slots);
    *ids = wider;
    return MICA_OK;
}

mica_status mica_ids_number(mica_ids *ids, const char *text, int32_t *number) {
    if ((size_t)ids->count * 2 >= ids->n_slots)
        MICA_TRY(slots_double(ids));
    size_t slot = slot_of(ids, text);
    if (!ids->slots[slot]) {
        if (ids->count == INT32_MAX - 1)
            return mica_fail(MICA_E_UNSUPPORTED, "more than %d ids", ids->count);
        char **texts = mica_grow(ids->texts, (size_t)ids->count, &ids->capacity, sizeof *texts);
        if (!texts)
            return MICA_E_MEMORY;
        ids->texts = texts;
        texts[ids->count] = mica_strdup(text);
        if (!texts[ids->count])
            return MICA_E_MEMORY;
        ids->slots[slot] = ++ids->count;
    }
    *number = ids->slots[slot] - 1;
    return MICA_OK;
}

int32_t mica_ids_find(const mica_ids *ids, const char *text) {
    return ids->n_slots ? ids->slots[slot_of(ids, text)] - 1 : -1;
}

void mica_ids_free(mica_ids *ids) {
    for (int32_t i = 0; i < ids->count; i++)
        free(ids->texts[i]);
    free(ids->texts);
    free(ids->slots);
    *ids = (mica_ids){0};
}
