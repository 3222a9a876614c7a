/* Tensors of ONNX files: checked against their bytes, which may lie in a file beside the model, and
 * read as numbers. Knows no graph. */
#ifndef MICA_ONNX_TENSOR_H
#define MICA_ONNX_TENSOR_H

#include "onnx/onnx.pb-c.h"

#include <mica/io.h>

typedef Mica__Onnx__Tensor mica_onnx_pb_tensor;

#define MICA_ONNX_MAX_RANK 8 /* of values whose numbers are known; the graph's own have fewer */

/* TensorProto.DataType, what is named here */
enum {
    MICA_ONNX_FLOAT = 1,
    MICA_ONNX_INT32 = 6,
    MICA_ONNX_INT64 = 7,
    MICA_ONNX_BOOL = 9,
    MICA_ONNX_DOUBLE = 11
};

const char *mica_onnx_type_name(int type); /* "float"; "type 99" is "unknown" */
bool mica_onnx_type_real(int type);        /* has a point: numbers are double */
bool mica_onnx_type_whole(int type);       /* integers and bool: numbers are int64_t */
bool mica_onnx_type_stored(int type, mica_stored_type *stored); /* false: strings and the like */

/* The product of sizes from 0 on; -1 where one is negative or the product of those above 0, which
 * bounds all steps between elements, is 2^31 or more. */
int64_t mica_onnx_count(int rank, const int64_t *dim);

/* A tensor whose data were found to be as many as its type and shape say. */
typedef struct mica_onnx_tensor {
    const mica_onnx_pb_tensor *proto;
    int type;
    int rank;
    int64_t dim[MICA_ONNX_MAX_RANK];
    int64_t count;
    const char *location; /* of data outside the model, below its folder; NULL: inside */
    int64_t offset;
} mica_onnx_tensor;

/* `folder` is a descriptor of the model's folder, -1 for none. A tensor of a type that cannot be
 * read (strings) passes without a look at its data. */
mica_status mica_onnx_tensor_check(
    int folder, const mica_onnx_pb_tensor *proto, mica_onnx_tensor *tensor);

/* Read `count` numbers: of type float; of any type with a point; of any integers and bool. */
mica_status mica_onnx_tensor_floats(int folder, const mica_onnx_tensor *tensor, float *values);
mica_status mica_onnx_tensor_reals(int folder, const mica_onnx_tensor *tensor, double *values);
mica_status mica_onnx_tensor_wholes(int folder, const mica_onnx_tensor *tensor, int64_t *values);

#endif
