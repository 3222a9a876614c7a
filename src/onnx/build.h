/* What the builders of operators (op_*.c) see: the node that is being imported, the values of its
 * inputs, and where its results go.
 *
 * A value is known, that is its numbers are on the host, or live, that is a value of the graph. A
 * live value is there in one or both of two orders: `plain`, ONNX's own, and `last`, the same with
 * dimension 1 (depth) moved to the end, as image operators of Mica have it. Operators ask for the
 * order they need or take what is there; the transposition between them is made where it is first
 * asked for and kept. A network of image operators thus has one at its entry and one where it
 * leaves the images.
 *
 * Functions that return a mica_value return NULL on failure, set the call's status, and accept
 * NULL; so do Mica's own builders, so that a builder checks nothing before its last call, `give`.
 */
#ifndef MICA_ONNX_BUILD_H
#define MICA_ONNX_BUILD_H

#include "base/error.h"
#include "onnx/file.h"

#include <mica/ops.h>

typedef enum mica_onnx_state {
    MICA_ONNX_ABSENT, /* nobody computes it */
    MICA_ONNX_REFUSED,
    MICA_ONNX_KNOWN,
    MICA_ONNX_LIVE
} mica_onnx_state;

/* How a stored tensor becomes a source of the graph: it is read in the shape `dim`, element i along
 * `axis` is its element places[i], and dimension i of the source is dimension order[i] of that. */
typedef struct mica_onnx_arrangement {
    int rank;
    int64_t dim[MICA_MAX_RANK];
    int axis;
    const int64_t *places; /* a permutation; lives for ever; NULL: as they are */
    int order[MICA_MAX_RANK];
} mica_onnx_arrangement;

typedef struct mica_onnx_value {
    const char *name;
    mica_onnx_state state;
    int type; /* TensorProto.DataType */
    int rank;
    int64_t dim[MICA_ONNX_MAX_RANK]; /* in ONNX's order */

    /* KNOWN: numbers of types with a point, of other types, or unread ones of the file. */
    double *real;
    int64_t *whole;
    const mica_onnx_tensor *tensor;
    bool weight; /* becomes a parameter */

    mica_value *plain, *last;
    mica_value *source; /* KNOWN: the parameter or constant that it became, or is of, */
    mica_onnx_arrangement arrangement; /* arranged so */
    struct mica_onnx_value *root; /* KNOWN: whose numbers these are under another shape, or NULL */
    struct mica_onnx_value *user; /* of a root: the first of them that became a source */
} mica_onnx_value;

typedef struct mica_onnx_build_state mica_onnx_build_state;
typedef struct mica_onnx_operator mica_onnx_operator;

/* One node while it is imported. */
typedef struct mica_onnx_call {
    mica_onnx_build_state *build;
    mica_graph *graph;
    const mica_onnx_operator *op;
    const mica_onnx_node *node;
    int64_t opset;
    bool frozen;        /* the network will not be trained */
    uint64_t asked;     /* bit i: attribute i was asked for */
    mica_status status; /* the first failure */
} mica_onnx_call;

/* A row of an operator table. MICA_E_UNSUPPORTED refuses the node, and the import goes on to find
 * others; any other failure ends it. */
struct mica_onnx_operator {
    const char *name;
    mica_status (*build)(mica_onnx_call *call); /* NULL: only where all inputs are known */
    mica_status (*fold)(mica_onnx_call *call);  /* NULL: never on the host */
    mica_value *(*unary)(mica_value *x);        /* for mica_onnx_unary */
    mica_value *(*binary)(mica_value *a, mica_value *b);
    double (*real)(double a, double b); /* for mica_onnx_fold_elementwise */
    bool (*whole)(int64_t a, int64_t b, int64_t *result);
    bool test; /* `whole`, of reals too, gives a bool */
    int least_in;
    int64_t since; /* opset; 0: 6 */
};

/* Tables that end with a name of NULL. */
extern const mica_onnx_operator mica_onnx_image_operators[], mica_onnx_resize_operators[],
    mica_onnx_norm_operators[], mica_onnx_math_operators[], mica_onnx_matrix_operators[],
    mica_onnx_recurrent_operators[], mica_onnx_reduce_operators[], mica_onnx_shape_operators[],
    mica_onnx_take_operators[], mica_onnx_pick_operators[], mica_onnx_host_operators[];

/* ---- inputs and results (values.c) ---- */

/* NULL where an input is left out. Those that the operator needs are there. */
mica_onnx_value *mica_onnx_in(const mica_onnx_call *call, int index);
int mica_onnx_in_count(const mica_onnx_call *call);

/* Whether somebody may use this result. */
bool mica_onnx_wanted(const mica_onnx_call *call, int index);

mica_value *mica_onnx_plain(mica_onnx_call *call, mica_onnx_value *value);
mica_value *mica_onnx_last(mica_onnx_call *call, mica_onnx_value *value);

/* The order that costs nothing: channels last only where that alone is there. */
mica_value *mica_onnx_either(mica_onnx_call *call, mica_onnx_value *value, bool *last);
bool mica_onnx_is_last(const mica_onnx_value *value);

/* Whether a value is of type float; refuses the node otherwise. */
bool mica_onnx_floating(mica_onnx_call *call, const mica_onnx_value *value);

/* Where dimension `axis` of a value of this rank lies in the given order. */
int mica_onnx_place(int rank, int axis, bool last);

/* mica_transpose's order from ONNX's to channels last, or back. */
void mica_onnx_order(int rank, bool to_last, int *order);

/* The value reshaped to `dim`, then transposed: a stored tensor is arranged once, at load. */
mica_value *mica_onnx_arranged(
    mica_onnx_call *call, mica_onnx_value *value, int rank, const int64_t *dim, const int *order);
mica_value *mica_onnx_arranged_as(
    mica_onnx_call *call, mica_onnx_value *value, const mica_onnx_arrangement *wanted);

/* Transposition and reshaping, left out where they change nothing. */
mica_value *mica_onnx_transposed(mica_value *value, const int *order);
mica_value *mica_onnx_shaped(mica_value *value, int rank, const int64_t *dim);

/* Give result `index`; what ends a builder. */
mica_status mica_onnx_give(mica_onnx_call *call, int index, mica_value *plain);
mica_status mica_onnx_give_last(mica_onnx_call *call, int index, mica_value *last);
mica_status mica_onnx_give_either(mica_onnx_call *call, int index, mica_value *value, bool last);
/* A checked tensor, which lives as long as the build. */
mica_status mica_onnx_give_tensor(mica_onnx_call *call, int index, const mica_onnx_tensor *tensor);
/* The same value under another shape of as many elements, known or live. */
mica_status mica_onnx_give_shaped(
    mica_onnx_call *call, int index, mica_onnx_value *value, int rank, const int64_t *dim);

/* ---- known numbers (values.c) ---- */

/* Reads the numbers of a known value into real or whole. An input that is not known is refused. */
mica_status mica_onnx_know(mica_onnx_call *call, mica_onnx_value *value);

/* Known integers as a list; NULL (status set) if they are not. */
const int64_t *mica_onnx_integers(mica_onnx_call *call, mica_onnx_value *value, int64_t *count);

/* The one number of a known value, or `otherwise` where value is NULL. */
double mica_onnx_number(mica_onnx_call *call, mica_onnx_value *value, double otherwise);

/* A constant that no tensor of the file is; named after the node. */
mica_value *mica_onnx_constant(
    mica_onnx_call *call, const char *name, mica_shape shape, const float *numbers);

/* Makes result `index` known, with room for its numbers, which are 0. */
mica_onnx_value *mica_onnx_give_known(
    mica_onnx_call *call, int index, int type, int rank, const int64_t *dim);

/* Counts numbers that are read or made on the host, before that is done; false (refused): too many
 * in all. */
bool mica_onnx_work(mica_onnx_call *call, int64_t count);
#define MICA_ONNX_NODE_WORK 2048 /* for one of any number of graph nodes that a node becomes */

/* A number towards 0; INT64_MIN where that is no int64. */
int64_t mica_onnx_truncated(double real);

/* Zeroed memory that lives until the build ends; NULL sets the status. */
void *mica_onnx_scratch(mica_onnx_call *call, size_t count, size_t size);

int64_t mica_onnx_value_count(const mica_onnx_value *value);

/* ---- attributes (attributes.c). One of another type sets the status ---- */

int64_t mica_onnx_int(mica_onnx_call *call, const char *name, int64_t otherwise);
double mica_onnx_float(mica_onnx_call *call, const char *name, double otherwise);
bool mica_onnx_has(mica_onnx_call *call, const char *name);
/* NULL where it is absent; lives as long as the build. */
const char *mica_onnx_text(mica_onnx_call *call, const char *name, const char *otherwise);
const char *const *mica_onnx_texts(mica_onnx_call *call, const char *name, int64_t *count);
const int64_t *mica_onnx_ints(mica_onnx_call *call, const char *name, int64_t *count);
const float *mica_onnx_floats(mica_onnx_call *call, const char *name, int64_t *count);
const mica_onnx_pb_tensor *mica_onnx_tensor_attribute(mica_onnx_call *call, const char *name);

/* `count` numbers that must be as many where the attribute is there; else all are `otherwise`. */
void mica_onnx_ints_exact(
    mica_onnx_call *call, const char *name, int count, int64_t otherwise, int64_t *numbers);

/* An axis of -rank .. rank-1 as 0 .. rank-1; sets the status. */
int mica_onnx_axis(mica_onnx_call *call, int64_t axis, int rank);

/* Axes that an attribute gives, or input `input` where that is >= 0, as a bit set; `none` where
 * neither is there. */
uint32_t mica_onnx_axes(mica_onnx_call *call, const char *name, int input, int rank, uint32_t none);

/* Refuses the node: sets the status and returns it. */
mica_status mica_onnx_refuse(mica_onnx_call *call, const char *format, ...) MICA_PRINTF(2, 3);

/* ---- builders that several tables share ---- */

mica_status mica_onnx_unary(mica_onnx_call *call);            /* op->unary (op_math.c) */
mica_status mica_onnx_fold_elementwise(mica_onnx_call *call); /* op->real, op->whole (op_host.c) */

/* ONNX's order to its order, along one axis: the elements with these places (op_take.c). */
mica_value *mica_onnx_take(
    mica_onnx_call *call, mica_value *value, int axis, const int64_t *places, int64_t count);

/* The shape that two shapes broadcast to; false if they do not. */
bool mica_onnx_broadcast(
    int rank_a, const int64_t *a, int rank_b, const int64_t *b, int *rank, int64_t *dim);

/* Numbers of a known value, read with these steps (op_host.c): result element (i, j, ...) is
 * element offset + i * step[0] + j * step[1] + ... */
mica_status mica_onnx_fold_strided(mica_onnx_call *call, int index, mica_onnx_value *value,
    int rank, const int64_t *dim, int64_t offset, const int64_t *step);
/* The steps of a value's own order. */
void mica_onnx_steps(int rank, const int64_t *dim, int64_t *step);

#endif
