/* The parts of a file that is written: names, nodes, attributes, stored tensors. Knows no operator.
 */
#include "base/mem.h"
#include "graph/graph.h"
#include "onnx/export_state.h"
#include "onnx/tensor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FLOAT = 1, INT = 2, STRING = 3, INTS = 7, STRINGS = 8 }; /* AttributeType */

#define BYTES_MOST 0x7fffffffu /* of a protobuf message */

mica_onnx_written_value *mica_onnx_written_of(mica_onnx_writer *w, const mica_value *value) {
    return &w->values[value->id];
}

/* ---- memory ---- */

void *mica_onnx_room(mica_onnx_writer *w, size_t count, size_t size) {
    void **blocks = mica_grow(w->blocks, w->n_blocks, &w->blocks_capacity, sizeof *blocks);
    void *block = blocks ? mica_alloc(count, size) : NULL;
    if (blocks)
        w->blocks = blocks;
    if (block)
        return w->blocks[w->n_blocks++] = block;
    if (w->status == MICA_OK)
        w->status = MICA_E_MEMORY;
    return NULL;
}

void *mica_onnx_repeat(mica_onnx_writer *w, void *array, size_t count, size_t size) {
    if (count & (count - 1))
        return array;
    void *grown = mica_onnx_room(w, count ? 2 * count : 1, size);
    if (grown && count)
        memcpy(grown, array, count * size);
    return grown;
}

void *mica_onnx_new(mica_onnx_writer *w, size_t size, const void *init) {
    void *made = mica_onnx_room(w, 1, size);
    return made ? memcpy(made, init, size) : NULL;
}

static char *text_copy(mica_onnx_writer *w, const char *text) {
    char *copy = mica_onnx_room(w, strlen(text) + 1, 1);
    return copy ? strcpy(copy, text) : NULL;
}

/* ---- names ---- */

int mica_onnx_first_place(int axis) {
    return axis == 0 ? 0 : axis == 3 ? 1 : axis + 1;
}

static const char *name_numbered(mica_onnx_writer *w, const char *base) {
    size_t size = strlen(base) + 24;
    char *name = mica_onnx_room(w, size, 1);
    if (!name)
        return "";
    snprintf(name, size, "%s:%zu", base, ++w->n_between);
    return name;
}

const char *mica_onnx_between(mica_onnx_writer *w, const mica_value *value) {
    return name_numbered(w, value->name);
}

/* The value's own name goes to the order in which it is a result, or to the first that is made. */
static const char *name_of(mica_onnx_writer *w, const mica_value *value, bool first) {
    mica_onnx_written_value *v = mica_onnx_written_of(w, value);
    bool wanted = !v->result || first == (w->options.channels_first && value->shape.rank == 4);
    if (v->name_taken || !wanted)
        return name_numbered(w, value->name);
    v->name_taken = true;
    return value->name;
}

const char *mica_onnx_gives(mica_onnx_writer *w, const mica_value *value, bool first) {
    mica_onnx_written_value *v = mica_onnx_written_of(w, value);
    const char *name = name_of(w, value, first);
    *(first ? &v->first : &v->own) = name;
    return name;
}

void mica_onnx_same(mica_onnx_writer *w, const mica_value *value, mica_value *from) {
    mica_onnx_written_value *v = mica_onnx_written_of(w, value);
    if (mica_onnx_only_first(w, from))
        v->first = mica_onnx_first(w, from);
    else
        v->own = mica_onnx_own(w, from);
}

int mica_onnx_uses(const mica_onnx_writer *w, const mica_value *value) {
    return w->values[value->id].uses;
}

bool mica_onnx_only_first(const mica_onnx_writer *w, const mica_value *value) {
    const mica_onnx_written_value *v = &w->values[value->id];
    return v->first && !v->own;
}

/* A source's tensor as Mica has it. */
static const char *source_name(mica_onnx_writer *w, mica_value *value) {
    static const int order[MICA_MAX_RANK] = {0, 1, 2, 3, 4, 5};
    return mica_onnx_stored(w, value, value->shape.rank, value->shape.dim, order, 0, NULL);
}

static const char *transposed(
    mica_onnx_writer *w, const mica_value *value, const char *from, bool to_first) {
    static const int64_t orders[2][4] = {{0, 2, 3, 1}, {0, 3, 1, 2}};
    const char *name = mica_onnx_gives(w, value, to_first);
    mica_onnx_pb_node *node = mica_onnx_put(w, "Transpose", name, MICA_ONNX_IN(from));
    mica_onnx_put_ints(w, node, "perm", 4, orders[to_first]);
    return name;
}

const char *mica_onnx_own(mica_onnx_writer *w, mica_value *value) {
    mica_onnx_written_value *v = mica_onnx_written_of(w, value);
    if (v->refused)
        return "";
    if (!v->own && mica_onnx_is_source(value))
        v->own = source_name(w, value);
    if (!v->own && v->first)
        transposed(w, value, v->first, false);
    return v->own ? v->own : "";
}

const char *mica_onnx_first(mica_onnx_writer *w, mica_value *value) {
    static const int order[] = {0, 3, 1, 2};
    mica_onnx_written_value *v = mica_onnx_written_of(w, value);
    if (v->refused)
        return "";
    if (!v->first && mica_onnx_is_source(value))
        v->first = mica_onnx_stored(w, value, 4, value->shape.dim, order, 0, NULL);
    if (!v->first && v->own)
        transposed(w, value, v->own, true);
    return v->first ? v->first : "";
}

/* ---- nodes ---- */

mica_onnx_pb_node *mica_onnx_put(
    mica_onnx_writer *w, const char *op, const char *output, const char *const inputs[8]) {
    mica_onnx_pb_node *node = MICA_ONNX_NEW(w, mica_onnx_pb_node, MICA__ONNX__NODE__INIT);
    if (!node)
        return NULL;
    node->op_type = text_copy(w, op);
    node->name = text_copy(w, output);
    mica_onnx_put_output(w, node, output);
    for (int i = 0; i < 8 && inputs[i]; i++)
        mica_onnx_put_input(w, node, inputs[i]);
    MICA_ONNX_ADD(w, w->file->graph, node, node);
    return node;
}

void mica_onnx_put_output(mica_onnx_writer *w, mica_onnx_pb_node *node, const char *name) {
    if (node)
        MICA_ONNX_ADD(w, node, output, text_copy(w, name));
}

void mica_onnx_put_input(mica_onnx_writer *w, mica_onnx_pb_node *node, const char *name) {
    if (node)
        MICA_ONNX_ADD(w, node, input, text_copy(w, name));
}

static Mica__Onnx__Attribute *attribute_put(
    mica_onnx_writer *w, mica_onnx_pb_node *node, const char *name, int type) {
    Mica__Onnx__Attribute *attribute =
        node ? MICA_ONNX_NEW(w, Mica__Onnx__Attribute, MICA__ONNX__ATTRIBUTE__INIT) : NULL;
    if (!attribute)
        return NULL;
    attribute->name = text_copy(w, name);
    attribute->has_type = true;
    attribute->type = type;
    MICA_ONNX_ADD(w, node, attribute, attribute);
    return attribute;
}

void mica_onnx_put_int(
    mica_onnx_writer *w, mica_onnx_pb_node *node, const char *name, int64_t number) {
    Mica__Onnx__Attribute *attribute = attribute_put(w, node, name, INT);
    if (!attribute)
        return;
    attribute->has_i = true;
    attribute->i = number;
}

void mica_onnx_put_float(
    mica_onnx_writer *w, mica_onnx_pb_node *node, const char *name, float number) {
    Mica__Onnx__Attribute *attribute = attribute_put(w, node, name, FLOAT);
    if (!attribute)
        return;
    attribute->has_f = true;
    attribute->f = number;
}

void mica_onnx_put_text(
    mica_onnx_writer *w, mica_onnx_pb_node *node, const char *name, const char *text) {
    Mica__Onnx__Attribute *attribute = attribute_put(w, node, name, STRING);
    char *copy = attribute ? text_copy(w, text) : NULL;
    if (!copy)
        return;
    attribute->has_s = true;
    attribute->s = (ProtobufCBinaryData){strlen(copy), (uint8_t *)copy};
}

void mica_onnx_put_activation(mica_onnx_writer *w, mica_onnx_pb_node *node, const char *name) {
    Mica__Onnx__Attribute *attribute = attribute_put(w, node, "activations", STRINGS);
    char *copy = attribute ? text_copy(w, name) : NULL;
    if (!copy)
        return;
    ProtobufCBinaryData bytes = {strlen(copy), (uint8_t *)copy};
    MICA_ONNX_ADD(w, attribute, strings, bytes);
}

void mica_onnx_put_ints(mica_onnx_writer *w, mica_onnx_pb_node *node, const char *name, int count,
    const int64_t *numbers) {
    Mica__Onnx__Attribute *attribute = attribute_put(w, node, name, INTS);
    for (int i = 0; attribute && i < count; i++)
        MICA_ONNX_ADD(w, attribute, ints, numbers[i]);
}

void mica_onnx_biasable(mica_onnx_writer *w, const mica_value *value, mica_onnx_pb_node *node) {
    mica_onnx_written_value *v = mica_onnx_written_of(w, value);
    v->open = v->uses == 1 && !v->result ? node : NULL;
}

bool mica_onnx_take_bias(
    mica_onnx_writer *w, const mica_value *product, mica_value *bias, const mica_value *value) {
    mica_onnx_written_value *v = mica_onnx_written_of(w, product);
    mica_onnx_pb_node *node = v->open;
    if (!node || !mica_onnx_is_source(bias))
        return false;
    mica_onnx_put_input(w, node, mica_onnx_own(w, bias));
    const char *name = mica_onnx_gives(w, value, v->first != NULL);
    node->name = node->output[0] = text_copy(w, name);
    return true;
}

void mica_onnx_cannot(mica_onnx_writer *w, const mica_node *node, const char *format, ...) {
    char reason[256];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    mica_text_add(&w->refusals, "%s%s: %s", w->n_refused++ ? "; " : "", node->label, reason);
    for (int i = 0; i < node->n_out; i++)
        mica_onnx_written_of(w, node->out[i])->refused = true;
}

/* ---- stored tensors ---- */

bool mica_onnx_is_source(const mica_value *value) {
    return value->node->op == &mica_op_parameter || value->node->op == &mica_op_constant;
}

const float *mica_onnx_numbers(mica_onnx_writer *w, mica_value *source) {
    mica_onnx_written_value *v = mica_onnx_written_of(w, source);
    size_t count = (size_t)mica_shape_count(source->shape);
    float *numbers = v->numbers ? NULL : mica_onnx_room(w, count, sizeof *numbers);
    if (!numbers)
        return v->numbers;
    const mica_constant_attrs *constant = source->node->attrs;
    if (source->node->op == &mica_op_parameter) {
        mica_status status = mica_model_read(w->model, source, numbers, count);
        w->status = w->status == MICA_OK ? status : w->status;
    } else {
        for (size_t i = 0; i < count; i++)
            numbers[i] = constant->data ? constant->data[i] : constant->number;
    }
    return v->numbers = numbers;
}

static Mica__Onnx__Tensor *tensor_put(
    mica_onnx_writer *w, const char *name, int type, int rank, const int64_t *dim) {
    Mica__Onnx__Tensor *tensor = MICA_ONNX_NEW(w, Mica__Onnx__Tensor, MICA__ONNX__TENSOR__INIT);
    size_t size = type == MICA_ONNX_INT64 ? 8 : 4;
    for (int i = 0; i < rank; i++)
        size *= (size_t)dim[i]; /* of a value that is there */
    w->stored_bytes += size;
    if (w->stored_bytes > BYTES_MOST && w->status == MICA_OK)
        w->status = mica_fail(
            MICA_E_UNSUPPORTED, "its weights take more than the 2 GiB that an ONNX file can be");
    uint8_t *data = w->status == MICA_OK ? mica_onnx_room(w, size, 1) : NULL;
    if (!tensor || !data)
        return NULL;
    tensor->name = text_copy(w, name);
    tensor->has_data_type = tensor->has_raw_data = true;
    tensor->data_type = type;
    tensor->raw_data = (ProtobufCBinaryData){size, data};
    for (int i = 0; i < rank; i++)
        MICA_ONNX_ADD(w, tensor, dims, dim[i]);
    MICA_ONNX_ADD(w, w->file->graph, initializer, tensor);
    return tensor;
}

const char *mica_onnx_stored(mica_onnx_writer *w, mica_value *source, int rank, const int64_t *dim,
    const int *order, int axis, const int64_t *places) {
    int64_t to_dim[MICA_MAX_RANK];
    for (int i = 0; i < rank; i++)
        to_dim[i] = dim[order[i]];
    return mica_onnx_stored_as(w, source, rank, dim, order, axis, places, rank, to_dim);
}

const char *mica_onnx_stored_as(mica_onnx_writer *w, mica_value *source, int rank,
    const int64_t *dim, const int *order, int axis, const int64_t *places, int rank_as,
    const int64_t *dim_as) {
    mica_onnx_written_value *v = mica_onnx_written_of(w, source);
    const float *numbers = mica_onnx_numbers(w, source);
    const char *name = v->name_taken ? mica_onnx_between(w, source) : source->name;
    v->name_taken = true;
    int64_t step[MICA_MAX_RANK], place[MICA_MAX_RANK] = {0}, size = 1;
    for (int i = rank; i-- > 0; size *= dim[i])
        step[i] = size;
    Mica__Onnx__Tensor *tensor = tensor_put(w, name, MICA_ONNX_FLOAT, rank_as, dim_as);
    for (int64_t n = 0; tensor && numbers && n < size; n++) {
        int64_t from = 0;
        for (int i = 0; i < rank; i++)
            from += step[order[i]] * (places && order[i] == axis ? places[place[i]] : place[i]);
        memcpy(tensor->raw_data.data + n * 4, &numbers[from], 4);
        for (int i = rank; i-- > 0 && ++place[i] == dim[order[i]];)
            place[i] = 0;
    }
    return name;
}

const char *mica_onnx_floats_stored(mica_onnx_writer *w, const mica_value *like, int rank,
    const int64_t *dim, const float *numbers) {
    const char *name = mica_onnx_between(w, like);
    Mica__Onnx__Tensor *tensor = tensor_put(w, name, MICA_ONNX_FLOAT, rank, dim);
    if (tensor)
        memcpy(tensor->raw_data.data, numbers, tensor->raw_data.len);
    return name;
}

const char *mica_onnx_number_stored(mica_onnx_writer *w, const mica_value *like, float number) {
    return mica_onnx_floats_stored(w, like, 0, NULL, &number);
}

const char *mica_onnx_integers_stored(
    mica_onnx_writer *w, const mica_value *like, int count, const int64_t *numbers) {
    const char *name = mica_onnx_between(w, like);
    Mica__Onnx__Tensor *tensor = tensor_put(w, name, MICA_ONNX_INT64, 1, (int64_t[]){count});
    if (tensor)
        memcpy(tensor->raw_data.data, numbers, tensor->raw_data.len);
    return name;
}

/* ---- inputs and outputs ---- */

void mica_onnx_declare(mica_onnx_writer *w, const mica_value *value, bool result) {
    bool first = w->options.channels_first && value->shape.rank == 4;
    Mica__Onnx__Shape *shape = MICA_ONNX_NEW(w, Mica__Onnx__Shape, MICA__ONNX__SHAPE__INIT);
    Mica__Onnx__TensorType *tensor =
        MICA_ONNX_NEW(w, Mica__Onnx__TensorType, MICA__ONNX__TENSOR_TYPE__INIT);
    Mica__Onnx__Type *type = MICA_ONNX_NEW(w, Mica__Onnx__Type, MICA__ONNX__TYPE__INIT);
    Mica__Onnx__ValueInfo *info =
        MICA_ONNX_NEW(w, Mica__Onnx__ValueInfo, MICA__ONNX__VALUE_INFO__INIT);
    if (!shape || !tensor || !type || !info)
        return;
    for (int i = 0; i < value->shape.rank; i++) {
        static const int orders[2][MICA_MAX_RANK] = {{0, 1, 2, 3, 4, 5}, {0, 3, 1, 2}};
        Mica__Onnx__Dimension *size =
            MICA_ONNX_NEW(w, Mica__Onnx__Dimension, MICA__ONNX__DIMENSION__INIT);
        if (!size)
            return;
        size->has_dim_value = true;
        size->dim_value = value->shape.dim[orders[first][i]];
        MICA_ONNX_ADD(w, shape, dim, size);
    }
    tensor->has_elem_type = true;
    tensor->elem_type = value->dtype == MICA_F32 ? MICA_ONNX_FLOAT : MICA_ONNX_INT32;
    tensor->shape = shape;
    type->tensor_type = tensor;
    info->type = type;
    info->name = text_copy(w, value->name);
    if (result) {
        MICA_ONNX_ADD(w, w->file->graph, output, info);
        return;
    }
    MICA_ONNX_ADD(w, w->file->graph, input, info);
    mica_onnx_gives(w, value, first);
}
