/* Reading a node's attributes. Each that is asked for is marked, so that those nobody asked for,
 * whose meaning is thus not known, refuse the node. */
#include "onnx/build.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    FLOAT = 1,
    INT = 2,
    STRING = 3,
    TENSOR = 4,
    FLOATS = 6,
    INTS = 7,
    STRINGS = 8
}; /* AttributeType */

mica_status mica_onnx_refuse(mica_onnx_call *call, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *c = text; *c; c++) /* words of the file may be anything */
        *c = (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c;
    if (call->status == MICA_OK)
        call->status = mica_fail(MICA_E_UNSUPPORTED, "%s", text);
    return call->status;
}

static const mica_onnx_pb_attribute *find(mica_onnx_call *call, const char *name, int type) {
    const mica_onnx_pb_node *node = call->node->proto;
    for (size_t i = 0; i < node->n_attribute; i++) {
        const mica_onnx_pb_attribute *attribute = node->attribute[i];
        if (strcmp(attribute->name, name))
            continue;
        if (i < 64)
            call->asked |= (uint64_t)1 << i;
        if (type && attribute->type && attribute->type != type) {
            mica_onnx_refuse(call, "attribute %s has another type than expected", name);
            return NULL;
        }
        return attribute;
    }
    return NULL;
}

bool mica_onnx_has(mica_onnx_call *call, const char *name) {
    return find(call, name, 0) != NULL;
}

int64_t mica_onnx_int(mica_onnx_call *call, const char *name, int64_t otherwise) {
    const mica_onnx_pb_attribute *attribute = find(call, name, INT);
    return attribute ? attribute->i : otherwise;
}

double mica_onnx_float(mica_onnx_call *call, const char *name, double otherwise) {
    const mica_onnx_pb_attribute *attribute = find(call, name, FLOAT);
    return attribute ? attribute->f : otherwise;
}

static const char *text_of(mica_onnx_call *call, const ProtobufCBinaryData *bytes) {
    char *text = mica_onnx_scratch(call, bytes->len + 1, 1);
    if (text && bytes->len)
        memcpy(text, bytes->data, bytes->len);
    return text ? text : "";
}

const char *mica_onnx_text(mica_onnx_call *call, const char *name, const char *otherwise) {
    const mica_onnx_pb_attribute *attribute = find(call, name, STRING);
    return attribute ? text_of(call, &attribute->s) : otherwise;
}

const char *const *mica_onnx_texts(mica_onnx_call *call, const char *name, int64_t *count) {
    const mica_onnx_pb_attribute *attribute = find(call, name, STRINGS);
    *count = attribute ? (int64_t)attribute->n_strings : 0;
    const char **texts =
        *count ? mica_onnx_scratch(call, attribute->n_strings, sizeof *texts) : NULL;
    for (int64_t i = 0; texts && i < *count; i++)
        texts[i] = text_of(call, &attribute->strings[i]);
    return texts;
}

const int64_t *mica_onnx_ints(mica_onnx_call *call, const char *name, int64_t *count) {
    const mica_onnx_pb_attribute *attribute = find(call, name, INTS);
    *count = attribute ? (int64_t)attribute->n_ints : 0;
    return *count ? attribute->ints : NULL;
}

const float *mica_onnx_floats(mica_onnx_call *call, const char *name, int64_t *count) {
    const mica_onnx_pb_attribute *attribute = find(call, name, FLOATS);
    *count = attribute ? (int64_t)attribute->n_floats : 0;
    return *count ? attribute->floats : NULL;
}

const mica_onnx_pb_tensor *mica_onnx_tensor_attribute(mica_onnx_call *call, const char *name) {
    const mica_onnx_pb_attribute *attribute = find(call, name, TENSOR);
    if (attribute && !attribute->t)
        mica_onnx_refuse(call, "attribute %s has no tensor", name);
    return attribute ? attribute->t : NULL;
}

void mica_onnx_ints_exact(
    mica_onnx_call *call, const char *name, int count, int64_t otherwise, int64_t *numbers) {
    int64_t given;
    const int64_t *ints = mica_onnx_ints(call, name, &given);
    if (ints && given != count)
        mica_onnx_refuse(
            call, "attribute %s has %lld numbers, expected %d", name, (long long)given, count);
    for (int i = 0; i < count; i++)
        numbers[i] = ints && given == count ? ints[i] : otherwise;
}

int mica_onnx_axis(mica_onnx_call *call, int64_t axis, int rank) {
    if (axis >= -rank && axis < rank)
        return (int)(axis < 0 ? axis + rank : axis);
    mica_onnx_refuse(call, "axis %lld is not in %d .. %d", (long long)axis, -rank, rank - 1);
    return 0;
}

uint32_t mica_onnx_axes(
    mica_onnx_call *call, const char *name, int input, int rank, uint32_t none) {
    int64_t count;
    const int64_t *axes = mica_onnx_ints(call, name, &count);
    mica_onnx_value *given = input >= 0 ? mica_onnx_in(call, input) : NULL;
    if (given)
        axes = mica_onnx_integers(call, given, &count);
    uint32_t set = 0;
    for (int64_t i = 0; axes && i < count; i++)
        set |= 1u << mica_onnx_axis(call, axes[i], rank);
    return set ? set : none;
}
