/* What the writers of operators (export_*.c) see: names of values in the file, nodes and stored
 * tensors to add to it.
 *
 * A value of four dimensions is in the file in one or both of two orders: Mica's own, and `first`,
 * the same with channels (the last dimension) moved behind the batch, as ONNX's image operators
 * want it. Writers ask for the order they need or take what is there; the Transpose between them is
 * written where it is first asked for. Other values have one order.
 *
 * Functions that return a name never return NULL: after a failure, which the writer keeps, and for
 * a value that was refused, names are empty, and nothing that is written then matters. */
#ifndef MICA_ONNX_EXPORT_H
#define MICA_ONNX_EXPORT_H

#include "graph/graph_impl.h"
#include "onnx/onnx.pb-c.h"

#include <mica/onnx.h>

typedef struct mica_onnx_writer mica_onnx_writer;
typedef Mica__Onnx__Node mica_onnx_pb_node;

/* Writes one node of the graph. */
typedef void (*mica_onnx_write_node)(mica_onnx_writer *w, const mica_node *node);

/* A row of a table that ends with a name of NULL: by the operator's name. */
typedef struct mica_onnx_written {
    const char *name;
    mica_onnx_write_node write;
} mica_onnx_written;

extern const mica_onnx_written mica_onnx_written_plain[], mica_onnx_written_images[],
    mica_onnx_written_recurrent[];
void mica_onnx_write_elementwise(mica_onnx_writer *w, const mica_node *node);

/* Rows of zeros with a one at the class: the name of (ids..., classes). */
const char *mica_onnx_one_hot_put(
    mica_onnx_writer *w, const char *ids, const mica_value *like, int64_t classes);

/* The inputs of a recurrent node that the file's node takes: those of the product before it (see
 * export_recurrent.c). Gives how many; `in` has room for 8. */
int mica_onnx_recurrent_inputs(const mica_node *node, mica_value **in);

/* ---- names of values ---- */

const char *mica_onnx_own(mica_onnx_writer *w, mica_value *value);
const char *mica_onnx_first(mica_onnx_writer *w, mica_value *value);
bool mica_onnx_only_first(const mica_onnx_writer *w, const mica_value *value);

/* Where a dimension of a value of four lies with channels first. */
int mica_onnx_first_place(int axis);

/* The name under which a node of the file gives this value. */
const char *mica_onnx_gives(mica_onnx_writer *w, const mica_value *value, bool first);
/* The same numbers as `from`, another shape of only ones apart: no node. */
void mica_onnx_same(mica_onnx_writer *w, const mica_value *value, mica_value *from);
/* A name for something between, made of the value's. */
const char *mica_onnx_between(mica_onnx_writer *w, const mica_value *value);

/* How many nodes take a value; outputs of the network count. */
int mica_onnx_uses(const mica_onnx_writer *w, const mica_value *value);

/* ---- nodes ---- */

/* Up to 8 names of inputs; NULL: no more. "" is one that is left out. */
mica_onnx_pb_node *mica_onnx_put(
    mica_onnx_writer *w, const char *op, const char *output, const char *const inputs[8]);
#define MICA_ONNX_IN(...) ((const char *const[8]){__VA_ARGS__})

void mica_onnx_put_output(mica_onnx_writer *w, mica_onnx_pb_node *node, const char *name);
void mica_onnx_put_input(mica_onnx_writer *w, mica_onnx_pb_node *node, const char *name);
void mica_onnx_put_int(
    mica_onnx_writer *w, mica_onnx_pb_node *node, const char *name, int64_t number);
void mica_onnx_put_float(
    mica_onnx_writer *w, mica_onnx_pb_node *node, const char *name, float number);
void mica_onnx_put_text(
    mica_onnx_writer *w, mica_onnx_pb_node *node, const char *name, const char *text);
/* One activation: `activations` is a list. */
void mica_onnx_put_activation(mica_onnx_writer *w, mica_onnx_pb_node *node, const char *name);
void mica_onnx_put_ints(mica_onnx_writer *w, mica_onnx_pb_node *node, const char *name, int count,
    const int64_t *numbers);

/* A node that gives `value` and to which a bias may be appended as its third input, if nobody else
 * takes the value. */
void mica_onnx_biasable(mica_onnx_writer *w, const mica_value *value, mica_onnx_pb_node *node);
/* Appends it if that can be; the node then gives `value` instead. */
bool mica_onnx_take_bias(
    mica_onnx_writer *w, const mica_value *product, mica_value *bias, const mica_value *value);

/* Notes that a node cannot be written, and why; the others go on. */
void mica_onnx_cannot(mica_onnx_writer *w, const mica_node *node, const char *format, ...)
    MICA_PRINTF(3, 4);

/* ---- stored tensors ---- */

/* Whether a value's numbers are known: a parameter or a constant. */
bool mica_onnx_is_source(const mica_value *value);
/* Its numbers, which live until the file is written; NULL: failed. */
const float *mica_onnx_numbers(mica_onnx_writer *w, mica_value *source);

/* Its numbers in another order: read in the shape `dim`, dimension i of the file's tensor is
 * dimension order[i]; along dimension `axis`, element i is element places[i] (NULL: as it is). */
const char *mica_onnx_stored(mica_onnx_writer *w, mica_value *source, int rank, const int64_t *dim,
    const int *order, int axis, const int64_t *places);
/* The same, and the tensor has another shape in the end. */
const char *mica_onnx_stored_as(mica_onnx_writer *w, mica_value *source, int rank,
    const int64_t *dim, const int *order, int axis, const int64_t *places, int rank_as,
    const int64_t *dim_as);

/* A tensor of its own, named after a value. */
const char *mica_onnx_floats_stored(mica_onnx_writer *w, const mica_value *like, int rank,
    const int64_t *dim, const float *numbers);
const char *mica_onnx_integers_stored(
    mica_onnx_writer *w, const mica_value *like, int count, const int64_t *numbers);
const char *mica_onnx_number_stored(mica_onnx_writer *w, const mica_value *like, float number);

/* Zeroed memory that lives until the file is written; NULL: failed. */
void *mica_onnx_room(mica_onnx_writer *w, size_t count, size_t size);

#endif
