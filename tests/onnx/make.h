/* For tests of ONNX: small models, made message by message, spoilt, and written. */
#ifndef MICA_TESTS_ONNX_MAKE_H
#define MICA_TESTS_ONNX_MAKE_H

#include "onnx/file.h"

#include <string.h>

typedef Mica__Onnx__Model pb_model;
typedef Mica__Onnx__Tensor pb_tensor;
typedef Mica__Onnx__ValueInfo pb_info;

/* Zeroed memory that make_free, a fixture, frees: messages may share parts and lose others. */
void *block_of(size_t size);
char *copy_of(const char *text);
void make_free(void);

#define NEW(type, init) memcpy(block_of(sizeof(type)), &(type)init, sizeof(type))

/* An array of protobuf-c with room for one more element. */
void *room_of(void *array, size_t count, size_t size);

/* Adds an element to one of protobuf-c's repeated fields. */
#define ADD(message, field, element)                                                               \
    ((message)->field = room_of((message)->field, (message)->n_##field, sizeof *(message)->field), \
        (message)->field[(message)->n_##field++] = (element))

/* Tensors of zeros, of type MICA_ONNX_FLOAT or _INT64, and of given numbers. */
pb_tensor *tensor_of(const char *name, int type, size_t rank, const int64_t *dim);
pb_tensor *integers_of(const char *name, size_t count, const int64_t *numbers);

/* The declaration of an input or output. A size of -1 is left open. */
pb_info *info_of(const char *name, int type, size_t rank, const int64_t *dim);

/* Adds a node that is named as its output. Inputs are separated by spaces. */
mica_onnx_pb_node *node_add(
    pb_model *model, const char *op, const char *inputs, const char *output);

/* type: AttributeProto.AttributeType; the value is 0 or empty. */
mica_onnx_pb_attribute *attribute_add(mica_onnx_pb_node *node, const char *name, int type);

/* x (1, 3, 4, 4) -> Conv w (2, 3, 3, 3) b -> Relu -> Flatten -> Gemm fc (8, 2) -> y (1, 2): nodes
 * conv, relu, flat, y; weights are 0. */
pb_model *sample(void);

/* Writes it into the test's folder (tests/io/temp.h); the path, as temp_path's. */
const char *model_write(const pb_model *model);

#endif
