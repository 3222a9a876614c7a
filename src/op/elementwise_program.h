/* What the two halves of the elementwise operator share: elementwise.c, which runs and fuses
 * programs, and elementwise_functions.c, which knows the functions. */
#ifndef MICA_OP_ELEMENTWISE_PROGRAM_H
#define MICA_OP_ELEMENTWISE_PROGRAM_H

#include "cl/elementwise_table.h"
#include "op/elementwise.h"

#define ROW(number, name, operands, formula) ROW_##name = number,
enum { MICA_ELEMENTWISE_ROWS(ROW) ROWS };
#undef ROW

typedef struct mica_elementwise_step {
    uint8_t row;
    uint8_t operand[3]; /* registers: the inputs, then the results of earlier steps */
    float immediate;
} mica_elementwise_step;

/* A node's attributes. */
typedef struct mica_elementwise_attrs {
    int n_steps;
    bool bias; /* input 1 must be a vector of the last dimension's size */
    mica_elementwise_step steps[MICA_ELEMENTWISE_STEPS];
} mica_elementwise_attrs;

int mica_elementwise_operands(int row);

/* The operator's hook. */
void mica_elementwise_grad(
    mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din);

#endif
