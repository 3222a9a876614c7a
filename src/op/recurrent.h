/* What the two halves of the recurrent operators share: recurrent.c, which knows shapes and
 * gradients, and recurrent_plan.c, which lays steps out over a device. */
#ifndef MICA_OP_RECURRENT_H
#define MICA_OP_RECURRENT_H

#include "graph/graph_impl.h"

typedef enum mica_cell {
    MICA_CELL_TANH,
    MICA_CELL_RELU,
    MICA_CELL_LSTM,
    MICA_CELL_GRU,
    MICA_CELL_GRU_RESET_FIRST
} mica_cell;

/* Of the node and of its gradient's. */
typedef struct mica_recurrent_attrs {
    mica_cell cell;
    bool reverse, masked;
    bool has_dout, has_dh, has_dc; /* the gradient's: what comes in */
    bool wants_start;              /* the gradient's: dh0 is needed */
} mica_recurrent_attrs;

/* A node's values by name; NULL: not there. x, gates and their gradients are (batch, time,
 * gates * hidden), dinner only for GRU; h0, c0, h, c, carry, dcell are (batch, hidden); the rest is
 * (batch, time, hidden). See cl/recurrent_fwd.h and cl/recurrent_bwd.h. */
typedef struct mica_recurrent_values {
    mica_value *x, *weights, *h0, *c0, *bias_n, *lengths;
    mica_value *gates, *outputs, *h, *states, *extra, *c;
    mica_value *dout, *dh, *dc;
    mica_value *dgates, *carry, *dinner, *dcell;
} mica_recurrent_values;

/* Forward: in x, weights, h0[, c0 or bias_n][, lengths]; out gates, outputs, h, states[, extra][,
 * c]. Backward: in gates, weights, states[, extra][, lengths][, dout][, dh][, dc]; out dgates,
 * carry (the gradient of h0)[, dinner][, dcell (that of c0)]. */
mica_recurrent_values mica_recurrent_forward_values(const mica_node *node);
mica_recurrent_values mica_recurrent_backward_values(const mica_node *node);

mica_status mica_recurrent_plan_forward(const mica_node *node, mica_plan *plan);
mica_status mica_recurrent_plan_backward(const mica_node *node, mica_plan *plan);

#endif
