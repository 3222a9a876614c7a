/* Fusion: a value that only one node uses need not be stored if one kernel can compute both, and
 * one that costs nothing to compute may go into each of several. Which pairs can be is the
 * operators' knowledge (their absorb hooks); this pass finds the candidates. */
#include "graph/plan.h"

#include "base/error.h"
#include "base/mem.h"

#include <stdlib.h>

typedef struct use {
    uint32_t count;
    size_t position; /* the last user's, or behind it */
    size_t sum;      /* of all users' positions: that of the only one where count is 1 */
} use;

/* A node that is put at a position, or taken away from it. */
static void count_uses(const mica_node *node, size_t position, bool there, use *uses) {
    for (int k = 0; k < node->n_in; k++) {
        use *u = &uses[node->in[k]->id];
        u->count += there ? 1 : UINT32_MAX;
        u->sum += there ? position : -position;
        if (there && position > u->position)
            u->position = position;
    }
}

static bool is_user(const mica_node *node, const mica_value *value) {
    for (int k = 0; node && k < node->n_in; k++)
        if (node->in[k] == value)
            return true;
    return false;
}

static mica_node *try_absorb(
    mica_node *const *list, const mica_node *producer, use *uses, const bool *kept) {
    if (!producer || !producer->op->absorb || producer->n_out != 1)
        return NULL;
    const mica_value *value = producer->out[0];
    const uint32_t users = uses[value->id].count;
    if (kept[value->id] || users == 0 || (users > 1 && !producer->op->is_free))
        return NULL;
    size_t *position = &uses[value->id].position;
    if (users == 1)
        *position = uses[value->id].sum;
    while (!is_user(list[*position], value))
        --*position;
    const mica_node *consumer = list[*position];
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
        for (size_t i = 0; i < count; i++)
            count_uses(list[i], i, true, uses);
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
        const use *u = &uses[list[i]->out[0]->id];
        count_uses(list[u->position], u->position, false, uses);
        list[u->position] = fused;
        count_uses(fused, u->position, true, uses);
        if (!u->count) {
            count_uses(list[i], i, false, uses);
            list[i] = NULL;
        }
    }
    free(uses);
    return status;
}
