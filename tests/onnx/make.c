/* Small models for the tests. Arrays grow at powers of two; nothing is freed before the end. */
#include "tests/onnx/make.h"

#include "tests/io/temp.h"

#include <stdlib.h>

static void **blocks;
static size_t n_blocks;

void *block_of(size_t size) {
    if (!(n_blocks & (n_blocks - 1)))
        blocks = realloc(blocks, (n_blocks ? 2 * n_blocks : 1) * sizeof *blocks);
    ck_assert_ptr_nonnull(blocks);
    void *block = calloc(size ? size : 1, 1);
    ck_assert_ptr_nonnull(block);
    return blocks[n_blocks++] = block;
}

void make_free(void) {
    while (n_blocks)
        free(blocks[--n_blocks]);
    free(blocks);
    blocks = NULL;
}

char *copy_of(const char *text) {
    return strcpy(block_of(strlen(text) + 1), text);
}

void *room_of(void *array, size_t count, size_t size) {
    if (count & (count - 1))
        return array;
    void *grown = block_of((count ? 2 * count : 1) * size);
    return count ? memcpy(grown, array, count * size) : grown;
}

pb_tensor *tensor_of(const char *name, int type, size_t rank, const int64_t *dim) {
    pb_tensor *tensor = NEW(pb_tensor, MICA__ONNX__TENSOR__INIT);
    tensor->name = copy_of(name);
    tensor->has_data_type = true;
    tensor->data_type = type;
    size_t count = 1;
    for (size_t i = 0; i < rank; i++) {
        ADD(tensor, dims, dim[i]);
        count *= (size_t)dim[i];
    }
    tensor->has_raw_data = true;
    tensor->raw_data.len = count * (type == MICA_ONNX_INT64 ? 8 : 4);
    tensor->raw_data.data = block_of(tensor->raw_data.len);
    return tensor;
}

pb_tensor *integers_of(const char *name, size_t count, const int64_t *numbers) {
    pb_tensor *tensor = tensor_of(name, MICA_ONNX_INT64, 1, (int64_t[]){(int64_t)count});
    memcpy(tensor->raw_data.data, numbers, count * sizeof *numbers);
    return tensor;
}

pb_info *info_of(const char *name, int type, size_t rank, const int64_t *dim) {
    pb_info *info = NEW(pb_info, MICA__ONNX__VALUE_INFO__INIT);
    info->name = copy_of(name);
    info->type = NEW(Mica__Onnx__Type, MICA__ONNX__TYPE__INIT);
    info->type->tensor_type = NEW(Mica__Onnx__TensorType, MICA__ONNX__TENSOR_TYPE__INIT);
    info->type->tensor_type->has_elem_type = true;
    info->type->tensor_type->elem_type = type;
    info->type->tensor_type->shape = NEW(Mica__Onnx__Shape, MICA__ONNX__SHAPE__INIT);
    for (size_t i = 0; i < rank; i++) {
        Mica__Onnx__Dimension *size = NEW(Mica__Onnx__Dimension, MICA__ONNX__DIMENSION__INIT);
        size->has_dim_value = dim[i] >= 0;
        size->dim_value = dim[i];
        ADD(info->type->tensor_type->shape, dim, size);
    }
    return info;
}

mica_onnx_pb_node *node_add(
    pb_model *model, const char *op, const char *inputs, const char *output) {
    mica_onnx_pb_node *node = NEW(mica_onnx_pb_node, MICA__ONNX__NODE__INIT);
    node->op_type = copy_of(op);
    node->name = copy_of(output);
    for (char *name = strtok(copy_of(inputs), " "); name; name = strtok(NULL, " "))
        ADD(node, input, name);
    ADD(node, output, copy_of(output));
    ADD(model->graph, node, node);
    return node;
}

mica_onnx_pb_attribute *attribute_add(mica_onnx_pb_node *node, const char *name, int type) {
    mica_onnx_pb_attribute *attribute = NEW(mica_onnx_pb_attribute, MICA__ONNX__ATTRIBUTE__INIT);
    attribute->name = copy_of(name);
    attribute->has_type = attribute->has_i = true;
    attribute->type = type;
    ADD(node, attribute, attribute);
    return attribute;
}

pb_model *sample(void) {
    pb_model *model = NEW(pb_model, MICA__ONNX__MODEL__INIT);
    Mica__Onnx__Opset *opset = NEW(Mica__Onnx__Opset, MICA__ONNX__OPSET__INIT);
    opset->has_version = true;
    opset->version = 13;
    ADD(model, opset_import, opset);
    model->has_ir_version = true;
    model->ir_version = 7;
    model->graph = NEW(Mica__Onnx__Graph, MICA__ONNX__GRAPH__INIT);
    ADD(model->graph, input, info_of("x", MICA_ONNX_FLOAT, 4, (int64_t[]){1, 3, 4, 4}));
    ADD(model->graph, output, info_of("y", MICA_ONNX_FLOAT, 2, (int64_t[]){1, 2}));
    ADD(model->graph, initializer, tensor_of("w", MICA_ONNX_FLOAT, 4, (int64_t[]){2, 3, 3, 3}));
    ADD(model->graph, initializer, tensor_of("b", MICA_ONNX_FLOAT, 1, (int64_t[]){2}));
    ADD(model->graph, initializer, tensor_of("fc", MICA_ONNX_FLOAT, 2, (int64_t[]){8, 2}));
    node_add(model, "Conv", "x w b", "conv");
    node_add(model, "Relu", "conv", "relu");
    node_add(model, "Flatten", "relu", "flat");
    node_add(model, "Gemm", "flat fc", "y");
    return model;
}

const char *model_write(const pb_model *model) {
    size_t size = mica__onnx__model__get_packed_size(model);
    uint8_t *bytes = block_of(size);
    mica__onnx__model__pack(model, bytes);
    return temp_write("model.onnx", bytes, size);
}
