/* Tables that are updated row by row (mica_parameter_sparse): instead of a gradient as large as the
 * table, a row for each looked-up place, the numbers of the rows to update and the sum of squares.
 */
#ifndef MICA_GRAPH_SPARSE_H
#define MICA_GRAPH_SPARSE_H

#include "graph/model.h"

/* Appends what is looked up in a sparse table on the way to the loss: outputs of nodes whose
 * operator has `looks_up`. MICA_E_INVALID, naming the node, where the loss uses the table in
 * another way, and where it does not use it. */
mica_status mica_sparse_lookups(
    mica_graph *graph, const mica_value *loss, mica_value *table, mica_values *lookups);

/* Adds the nodes of a table's gradient, given those of its lookups. */
mica_status mica_sparse_differentiate(mica_graph *graph, size_t parameter,
    mica_value *const *lookups, mica_value *const *gradients, size_t count);

/* MICA_E_INVALID if mica_parameter_sparse changed a parameter after the model was made. */
mica_status mica_sparse_check(const mica_model *model);

/* ---- implemented in op/embedding.c ---- */

/* int32 ids -> the value whose node finds equal ids: what embedding_compact needs of them. */
mica_value *mica_embedding_order(mica_value *ids);

/* dy (..., width) -> (places, width): at the first place of an id below `rows` the sum of dy over
 * its places in their order, elsewhere 0. Its node's second output is, by place, that id or -1, and
 * the third the squares' sum, in MICA_SPARSE_SUMS parts. */
mica_value *mica_embedding_compact(mica_value *order, mica_value *dy, int64_t rows);

#endif
