/* What other operators may know of elementwise nodes, to take them into their epilogues. The
 * kernels find the formulas of the rows in cl/elementwise_apply.h. */
#ifndef MICA_OP_ELEMENTWISE_H
#define MICA_OP_ELEMENTWISE_H

#include "graph/graph_impl.h"

extern const mica_op mica_op_elementwise;

/* Whether `consumer` does nothing but add a vector, of the size of its output's last dimension, to
 * its input number `at`, which has the output's shape. *bias is set to the vector. */
bool mica_elementwise_is_bias(const mica_node *consumer, int at, mica_value **bias);

/* The row (a number of cl/elementwise_table.h) if `consumer` does nothing but apply a function of
 * one operand to its input number `at`; else -1. *immediate is the number that the row may use (the
 * factor of `scale`). */
int mica_elementwise_unary_row(const mica_node *consumer, int at, float *immediate);

/* "relu"; NULL if there is no such row. Static storage. */
const char *mica_elementwise_row_name(int row);

/* The row's value for one operand in double precision; -1: a itself. *slack, how far a may be off,
 * becomes how far a kernel's result may be off. */
double mica_elementwise_value(int row, float immediate, double a, double *slack);

/* a + number. */
mica_value *mica_shift(mica_value *a, float number);

/* b == 0 ? 0 : a / b. Not differentiable. */
mica_value *mica_div_or_zero(mica_value *a, mica_value *b);

/* Hooks that broadcast nodes, programs without steps, share. */
mica_status mica_elementwise_plan(const mica_node *node, mica_plan *plan);
mica_node *mica_elementwise_absorb(const mica_node *node, const mica_node *consumer, int at);

#endif
