/* The graph's insides, for graph/, op/ and optim/: nodes, the operator's contract, launch plans. */
#ifndef MICA_GRAPH_IMPL_H
#define MICA_GRAPH_IMPL_H

#include "base/error.h"
#include "device/device.h"

#include <mica/graph.h>

typedef struct mica_node mica_node;
typedef struct mica_op mica_op;
typedef struct mica_plan mica_plan;

/* One result of a node. */
struct mica_value {
    mica_node *node;
    int index; /* which of the node's outputs */
    mica_dtype dtype;
    mica_shape shape;
    const char *name; /* unique in the graph, which owns it */
    uint32_t id;      /* unique in the graph, dense from 0 */
};

/* One use of an operator. Nodes of the graph are owned by it; fused nodes by their program. */
struct mica_node {
    const mica_op *op;
    mica_graph *graph;
    uint32_t id;   /* in the order of making: inputs of a node come before it */
    char *label;   /* "fc1/matmul": scope and operator */
    void *attrs;   /* op->attrs_size bytes, owned */
    bool backward; /* made by autodiff */
    int n_in, n_out;
    mica_value **in;
    mica_value **out;
};

/* An operator: a constant record, one a file (src/op/<name>.c). */
struct mica_op {
    const char *name;
    size_t attrs_size;
    int n_out; /* 0 means 1 */

    /* Checks the inputs and attributes and sets dtype and shape of node->out[...]. */
    mica_status (*infer)(mica_node *node);

    /* Adds nodes for the gradients of the inputs: dout[i] is the gradient of output i or NULL if
     * nothing depends on it; for each input with needs[i], sets din[i] (of that input's shape), or
     * leaves NULL where it is zero everywhere. A builder that failed shows in the graph's status.
     * NULL hook: not differentiable. */
    void (*grad)(mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din);

    /* Adds the launches that compute the outputs (mica_plan_launch). NULL only with `passes`. */
    mica_status (*plan)(const mica_node *node, mica_plan *plan);

    /* True where output 0 is input 0's memory and nothing runs (reshape; dropout when evaluating).
     * NULL: never. */
    bool (*passes)(const mica_node *node, bool training);

    /* Bit i: output 0 may be written over input i, where the sizes are equal and the input is not
     * needed afterwards. NULL: never. */
    uint32_t (*in_place)(const mica_node *node);

    /* Input 0 is a table (rows, width), of which the rows are used that int32 input 1 names: what
     * mica_parameter_sparse leaves a table for. */
    bool looks_up;

    /* Fusion: `node` is the only user-visible producer of its output 0, whose only consumer is
     * `consumer`, at input number `at`. If one node can compute both, makes it with
     * mica_node_fused (its outputs are the consumer's) and returns it, else NULL. NULL hook: never.
     */
    mica_node *(*absorb)(const mica_node *node, const mica_node *consumer, int at);

    /* The node computes nothing, so that each of several consumers may absorb it. */
    bool is_free;

    /* The operator's name for this node, where `name` is too general; NULL: name. */
    const char *(*describe)(const mica_node *node, char *text, size_t size);
};

/* Builds a node in the graph of its inputs; what every public builder ends in. attrs is copied.
 * Returns output 0, or NULL with the graph's error set (an input that is NULL: just NULL). For a
 * node without inputs use mica_node_source, whose output gets the name, which must be free; NULL:
 * one made of the node's label. */
mica_value *mica_node_build(const mica_op *op, const void *attrs, mica_value *const *in, int n_in);
mica_value *mica_node_source(
    mica_graph *graph, const mica_op *op, const void *attrs, const char *name);

/* A node that stands for a fused pair: outputs are those of `consumer`; attrs is copied. The caller
 * (the fuse pass) owns it. NULL when memory runs out. */
mica_node *mica_node_fused(const mica_op *op, const void *attrs, mica_value *const *in, int n_in,
    const mica_node *consumer);

/* Records the graph's first error (the last error's text) and returns NULL, for builders that fail
 * before there is a node: return mica_graph_failed(graph, mica_fail(...)). */
mica_value *mica_graph_failed(mica_graph *graph, mica_status status);
mica_graph *mica_value_graph(const mica_value *value);

/* Adds a warning (mica_graph_warning), beginning with the scope. */
void mica_graph_warn(mica_graph *graph, const char *format, ...) MICA_PRINTF(2, 3);

/* int32 (4): step number (low, high word), then the key of Philox (two words, the model's seed).
 * Written before every run. Operators that draw random numbers take it as their last input. */
mica_value *mica_step_input(mica_graph *graph);

/* ---- launch plans ---- */

/* What a launch binds: a value, or scratch memory of this node. */
typedef struct mica_slot {
    const mica_value *value; /* NULL: scratch */
    int scratch;             /* from mica_plan_scratch */
} mica_slot;

typedef struct mica_plan_launch_desc {
    mica_kernel_desc kernel; /* n_bindings and params_size are filled in from below */
    uint32_t n_slots;
    mica_slot slots[MICA_MAX_BINDINGS]; /* in the kernel's order of buffers */
    const void *params;                 /* the kernel's parameter struct, copied */
    uint32_t params_size;
    uint32_t groups[3];  /* 0 means 1 */
    uint64_t steps;      /* iterations of all loops of a work-item, at most; 0: few */
    double flops, bytes; /* for reports */
} mica_plan_launch_desc;

/* What `plan` hooks may ask. */
const mica_traits *mica_plan_traits(const mica_plan *plan);
mica_device *mica_plan_device(const mica_plan *plan); /* for measured choices */
bool mica_plan_training(const mica_plan *plan);

/* Memory of `count` 4-byte elements that lives for this node's launches only. Negative on failure
 * (which shows when the plan is finished). */
int mica_plan_scratch(mica_plan *plan, uint64_t count);

/* MICA_E_UNSUPPORTED where a work-item needs more loop steps than the device makes. */
mica_status mica_plan_launch(mica_plan *plan, const mica_plan_launch_desc *desc);

#define MICA_SLOT(v)    ((mica_slot){.value = (v)})
#define MICA_SCRATCH(i) ((mica_slot){.value = NULL, .scratch = (i)})

/* ---- helpers that operators share (graph/node.c) ---- */

/* Fills kernel.constants[i]. Use in order. */
void mica_constant_set(mica_kernel_desc *kernel, const char *name, int32_t value);

/* An axis given by the user, -rank .. rank-1, to 0 .. rank-1. */
mica_status mica_axis_check(int axis, int rank, int *checked);

#endif
