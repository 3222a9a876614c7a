/* The graph itself, for the files of graph/ alone. */
#ifndef MICA_GRAPH_GRAPH_H
#define MICA_GRAPH_GRAPH_H

#include "base/ids.h"
#include "graph/graph_impl.h"

/* A growing list. */
typedef struct mica_values {
    mica_value **list;
    size_t count, capacity;
} mica_values;

mica_status mica_values_add(mica_values *values, mica_value *value);

/* The gradient of a table that is updated row by row (graph/sparse.h). */
typedef struct mica_sparse {
    mica_value *ids, *order;
    mica_value *gradient; /* (places, width) */
    mica_value *rows;     /* int32 (places): which row of the table it is for; -1: none */
    mica_value *squares;  /* the sum of the gradient's squares, in MICA_SPARSE_SUMS parts */
} mica_sparse;

struct mica_graph {
    mica_node **nodes; /* by id: inputs of a node have smaller ids */
    size_t n_nodes, nodes_capacity;
    mica_value **values; /* by id */
    size_t n_values, values_capacity;
    mica_ids names;   /* of the values */
    int *name_suffix; /* by name: the last number that made a name of it unique */
    size_t suffixes_capacity;
    mica_value **parameters; /* in the order of their making */
    size_t n_parameters, parameters_capacity;
    float **blobs; /* data of constants */
    size_t n_blobs, blobs_capacity;
    char **warnings;
    size_t n_warnings, warnings_capacity;
    char *scope;
    bool backward; /* autodiff is adding nodes */
    mica_value *step;
    mica_value *loss;       /* whose gradients for all trainable parameters are `gradients` */
    mica_value **gradients; /* by the parameter's place in `parameters`; NULL for frozen ones */
    mica_sparse *sparse;    /* likewise, of those that mica_parameter_sparse chose, instead */
    mica_status status;     /* the first error */
    char error[512];
};

/* Sources: nodes without inputs and without launches, told apart by their record. */
extern const mica_op mica_op_input, mica_op_parameter, mica_op_constant;

typedef struct mica_parameter_attrs {
    mica_init init;
    bool frozen;
    float rate;          /* by mica_parameter_rate */
    mica_value *tracked; /* by mica_parameter_track or _carry; NULL: none */
    float momentum;
    bool carried; /* by mica_parameter_carry */
    bool sparse;  /* by mica_parameter_sparse */
} mica_parameter_attrs;

typedef struct mica_constant_attrs {
    mica_shape shape;
    const float *data; /* owned by the graph; NULL: `number` everywhere */
    float number;
} mica_constant_attrs;

const mica_parameter_attrs *mica_parameter_get(const mica_value *parameter);

void mica_node_destroy(mica_node *node); /* a fused node, or one of a graph that is torn down */

/* Marks, by node id, the nodes that those already marked depend on. */
void mica_graph_need_inputs(const mica_graph *graph, bool *needed);

/* The gradients of `loss` for all trainable parameters, made once and kept in graph->gradients and
 * graph->sparse. */
mica_status mica_graph_differentiate(mica_graph *graph, mica_value *loss);

#endif
