/* The launches of one program, while operators add to them. */
#ifndef MICA_GRAPH_PLAN_H
#define MICA_GRAPH_PLAN_H

#include "graph/graph.h"

/* One launch and the node it belongs to (its place in the program's list). */
typedef struct mica_planned {
    mica_plan_launch_desc desc;
    size_t position;
    uint32_t params[MICA_MAX_PARAMS / 4];
} mica_planned;

typedef struct mica_scratch {
    uint64_t count;
    size_t position;
} mica_scratch;

struct mica_plan {
    mica_device *device;
    bool training;
    size_t position; /* of the node whose hook is running */
    mica_planned *launches;
    size_t n_launches, launches_capacity;
    mica_scratch *scratches;
    size_t n_scratches, scratches_capacity;
    mica_status status;
};

/* Runs the node's plan hook; errors name the node. */
mica_status mica_plan_node(mica_plan *plan, const mica_node *node, size_t position);
void mica_plan_clear(mica_plan *plan);

/* Replaces pairs of nodes in the list by fused ones while operators offer any (fuse.c). Entries of
 * nodes that were absorbed become NULL. `kept` is true, by value id, where a value must be computed
 * as such. Fused nodes are appended to *owned, which the caller destroys. */
mica_status mica_fuse(mica_node **list, size_t count, const bool *kept, size_t n_values,
    mica_node ***owned, size_t *n_owned);

#endif
