/* The reference workloads of `mica bench`: networks that are built for measuring. */
#ifndef MICA_CLI_WORKLOADS_H
#define MICA_CLI_WORKLOADS_H

#include <mica/graph.h>

typedef struct mica_workload_network {
    mica_value *inputs[3]; /* NULL after the last */
    int32_t below[3];      /* what int32 ones are below */
    mica_value *loss;      /* NULL: `result` is all that is wanted, forward only */
    mica_value *result;
} mica_workload_network;

typedef struct mica_workload {
    const char *name;
    int64_t batch;
    void (*build)(mica_workload_network *network, mica_graph *graph, int64_t batch);
    const char *help;
} mica_workload;

extern const mica_workload mica_workloads[];
extern const size_t mica_workload_count;

#endif
