/* `mica summary` of a file of weights: its tensors and, of an ONNX file, inputs and nodes. */
#include "base/text.h"
#include "cli/tensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void shape_add(mica_text *text, const mica_stored_tensor *tensor) {
    mica_cli_text_add(text, "(");
    for (int i = 0; i < tensor->rank; i++)
        if (tensor->dim[i] < 0)
            mica_cli_text_add(text, "%s?", i ? ", " : "");
        else
            mica_cli_text_add(text, "%s%" PRId64, i ? ", " : "", tensor->dim[i]);
    mica_cli_text_add(text, tensor->rank < 0 ? "...)" : ")");
}

static json_t *shape_json(const mica_stored_tensor *tensor) {
    json_t *shape = json_array();
    for (int i = 0; i < tensor->rank; i++)
        json_array_append_new(
            shape, tensor->dim[i] < 0 ? json_null() : json_integer(tensor->dim[i]));
    return shape;
}

static void row_add(
    mica_text *text, const mica_stored_tensor *tensor, const char *type, int width) {
    mica_cli_text_add(text, "%-*s  %-5s ", width, tensor->name, type);
    shape_add(text, tensor);
    mica_cli_text_add(text, "\n");
}

static json_t *row_json(const mica_stored_tensor *tensor, const char *type) {
    return json_pack(
        "{s:s, s:s, s:o}", "name", tensor->name, "type", type, "shape", shape_json(tensor));
}

static int wider(int width, const char *name) {
    size_t size = strlen(name);
    return size > (size_t)width && size < 100 ? (int)size : width;
}

/* The nodes, by the names that `mica encode --layer` takes, and how often each operator is there.
 */
static void nodes_add(const mica_onnx *file, mica_text *text, int width, json_t *json) {
    json_t *nodes = json_array(), *operators = json_object();
    mica_onnx_node_info node;
    for (size_t i = 0; mica_onnx_get_node(file, i, &node); i++) {
        json_int_t before = json_integer_value(json_object_get(operators, node.operator_name));
        json_object_set_new(operators, node.operator_name, json_integer(before + 1));
        json_array_append_new(nodes, json_pack("{s:s, s:s, s:s}", "name", node.name, "operator",
                                         node.operator_name, "result", node.result));
        mica_cli_text_add(text, i ? "" : "nodes\n");
        mica_cli_text_add(text, "%-*s  %s\n", width, node.result, node.operator_name);
    }
    json_object_set_new(json, "opset", json_integer(mica_onnx_opset(file)));
    json_object_set_new(json, "nodes", nodes);
    json_object_set_new(json, "operators", operators);
}

static void counts_add(mica_text *text, const json_t *json) {
    const char *name, *between = "";
    json_t *number;
    mica_cli_text_add(text, "opset    %" JSON_INTEGER_FORMAT "\nnodes    ",
        json_integer_value(json_object_get(json, "opset")));
    json_object_foreach(json_object_get(json, "operators"), name, number) {
        mica_cli_text_add(
            text, "%s%s %" JSON_INTEGER_FORMAT, between, name, json_integer_value(number));
        between = ", ";
    }
    mica_cli_text_add(text, "\n");
}

static mica_status summarize(
    const mica_cli_tensors *t, const char *path, mica_text *text, json_t *json) {
    int width = 6;
    int64_t numbers = 0;
    size_t n_inputs = t->onnx ? mica_onnx_input_count(t->onnx) : 0;
    mica_stored_tensor tensor;
    mica_onnx_node_info node;
    for (size_t i = 0; i < n_inputs; i++)
        width = wider(width, mica_onnx_get_input(t->onnx, i)->name);
    for (size_t i = 0; i < t->count; i++) {
        MICA_TRY(mica_cli_tensors_get(t, i, &tensor));
        width = wider(width, tensor.name);
    }
    for (size_t i = 0; t->onnx && mica_onnx_get_node(t->onnx, i, &node); i++)
        width = wider(width, node.result);
    json_t *inputs = json_array(), *tensors = json_array();
    mica_cli_text_add(text, "%s\n", path);
    for (size_t i = 0; i < n_inputs; i++) {
        mica_cli_text_add(text, i ? "" : "inputs\n");
        const mica_stored_tensor *input = mica_onnx_get_input(t->onnx, i);
        row_add(text, input, mica_stored_type_name(input->type), width);
        json_array_append_new(inputs, row_json(input, mica_stored_type_name(input->type)));
    }
    for (size_t i = 0; i < t->count; i++) {
        (void)mica_cli_tensors_get(t, i, &tensor); /* which worked above */
        mica_cli_text_add(text, i || !t->onnx ? "" : "tensors\n");
        const bool texts = mica_cli_tensors_texts(t, i);
        const char *type = texts ? "TEXT" : mica_stored_type_name(tensor.type);
        row_add(text, &tensor, type, width);
        json_array_append_new(tensors, row_json(&tensor, type));
        numbers += texts ? 0 : mica_stored_count(&tensor);
    }
    if (t->onnx) {
        nodes_add(t->onnx, text, width, json);
        json_object_set(json, "inputs", inputs);
    }
    mica_cli_text_add(text, "\ntensors  %zu\nnumbers  %" PRId64 "\n", t->count, numbers);
    if (t->onnx)
        counts_add(text, json);
    json_object_set_new(json, "file", mica_cli_string(path));
    json_object_set_new(json, "tensors", tensors);
    json_object_set_new(json, "numbers", json_integer(numbers));
    json_decref(inputs);
    return text->failed ? MICA_E_MEMORY : MICA_OK;
}

int mica_cli_summary_tensors(const char *path, bool as_json) {
    mica_cli_tensors tensors = {0};
    mica_text text = {0};
    json_t *json = json_object();
    mica_status status = mica_cli_tensors_open(path, &tensors);
    if (status == MICA_OK)
        status = summarize(&tensors, path, &text, json);
    mica_cli_tensors_close(&tensors);
    int code = status == MICA_OK ? 0 : mica_cli_fail(status);
    if (status == MICA_OK && as_json) {
        code = mica_cli_json(json_incref(json));
    } else if (status == MICA_OK) {
        fputs(text.data, stdout);
    }
    json_decref(json);
    free(text.data);
    return code;
}
