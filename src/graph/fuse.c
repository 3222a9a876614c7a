/* Fusion: a value that only one node uses need not be stored if one kernel can compute both, and
 * one that costs nothing to compute may go into each of several. Which pairs can be is the
 * operators' knowledge (their absorb hooks); this pass finds the candidates. */
#include "graph/plan.h"

#include "base/error.h"
#include "base/mem.h"

#include <stdlib.h>

typedef struct use {
    uint32_t count;
    size_t position; /* of one user; the only one where count is 1 */
} use;

static void count_uses(const mica_node *node, size_t position, use *uses) {
    for (int k = 0; k < node->n_in; k++) {
        uses[node->in[k]->id].count++;
        uses[node->in[k]->id].position = position;
    }
}

/* The users of every value may have moved: counts are small work beside what fusion saves. */
static void count_all(mica_node **list, size_t count, use *uses, size_t n_values) {
    for (size_t i = 0; i < n_values; i++)
        uses[i] = (use){0};
    for (size_t i = 0; i < count; i++)
        if (list[i])
            count_uses(list[i], i, uses);
}

static mica_node *try_absorb(
    mica_node *const *list, const mica_node *producer, const use *uses, const bool *kept) {
    if (!producer || !producer->op->absorb || producer->n_out != 1)
        return NULL;
    const mica_value *value = producer->out[0];
    const uint32_t users = uses[value->id].count;
    if (kept[value->id] || users == 0 || (users > 1 && !producer->op->is_free))
        return NULL;
    const mica_node *consumer = list[uses[value->id].position];
    int at = 0;
    while (consumer->in[at] != value)
        at++;
    return producer->op->absorb(producer, consumer, at);
}

mica_status mica_fuse(mica_node **list, size_t count, const bool *kept, size_t n_values,
    mica_node ***owned, size_t *n_owned) {
    use *uses = mica_alloc(n_values, sizeof *uses);
    size_t capacity = 0;
    mica_status status = uses ? MICA_OK : MICA_E_MEMORY;
    if (status == MICA_OK)
        count_all(list, count, uses, n_values);
    for (size_t i = 0; i < count && status == MICA_OK;) {
        mica_node *fused = try_absorb(list, list[i], uses, kept);
        if (!fused) {
            i++;
            continue;
        }
        mica_node **grown = mica_grow(*owned, *n_owned, &capacity, sizeof *grown);
        if (!grown) {
            mica_node_destroy(fused);
            status = MICA_E_MEMORY;
            break;
        }
        *owned = grown;
        grown[(*n_owned)++] = fused;
        const uint32_t value = list[i]->out[0]->id;
        list[uses[value].position] = fused;
        count_all(list, count, uses, n_values);
        if (!uses[value].count) {
            list[i] = NULL;
            count_all(list, count, uses, n_values);
        }
    }
    free(uses);
    return status;
}
