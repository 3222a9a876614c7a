/* Making nodes and values: owns the graph's lists, names and first error. Knows no operator. */
#include "graph/graph.h"

#include "base/error.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mica_status mica_graph_create(mica_graph **out) {
    mica_graph *graph = mica_alloc(1, sizeof *graph);
    if (!graph)
        return MICA_E_MEMORY;
    *out = graph;
    return MICA_OK;
}

mica_status mica_values_add(mica_values *values, mica_value *value) {
    mica_value **list = mica_grow(values->list, values->count, &values->capacity, sizeof *list);
    if (!list)
        return MICA_E_MEMORY;
    values->list = list;
    list[values->count++] = value;
    return MICA_OK;
}

void mica_node_destroy(mica_node *node) {
    if (!node)
        return;
    free(node->label);
    free(node->attrs);
    free(node->in);
    free(node->out);
    free(node);
}

void mica_graph_destroy(mica_graph **owner) {
    mica_graph *graph = *owner;
    *owner = NULL;
    if (!graph)
        return;
    for (size_t i = 0; i < graph->n_nodes; i++)
        mica_node_destroy(graph->nodes[i]);
    for (size_t i = 0; i < graph->n_values; i++)
        free(graph->values[i]);
    for (size_t i = 0; i < graph->n_blobs; i++)
        free(graph->blobs[i]);
    for (size_t i = 0; i < graph->n_warnings; i++)
        free(graph->warnings[i]);
    free(graph->warnings);
    free(graph->nodes);
    free(graph->values);
    mica_ids_free(&graph->names);
    free(graph->name_suffix);
    free(graph->parameters);
    free(graph->gradients);
    free(graph->sparse);
    free(graph->blobs);
    free(graph->scope);
    free(graph);
}

mica_status mica_graph_status(mica_graph *graph) {
    return graph->status == MICA_OK ? MICA_OK : mica_fail(graph->status, "%s", graph->error);
}

mica_value *mica_graph_failed(mica_graph *graph, mica_status status) {
    if (graph->status == MICA_OK) {
        graph->status = status;
        snprintf(graph->error, sizeof graph->error, "%s", mica_last_error());
    }
    return NULL;
}

void mica_graph_warn(mica_graph *graph, const char *format, ...) {
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char **list =
        mica_grow(graph->warnings, graph->n_warnings, &graph->warnings_capacity, sizeof *list);
    char *line = graph->scope ? mica_format("%s: %s", graph->scope, text) : mica_strdup(text);
    if (list)
        graph->warnings = list;
    if (!list || !line) {
        free(line);
        mica_graph_failed(graph, MICA_E_MEMORY);
        return;
    }
    list[graph->n_warnings++] = line;
}

const char *mica_graph_warning(const mica_graph *graph, size_t index) {
    return index < graph->n_warnings ? graph->warnings[index] : NULL;
}

void mica_graph_set_scope(mica_graph *graph, const char *scope) {
    free(graph->scope);
    graph->scope = scope && *scope ? mica_strdup(scope) : NULL;
    if (scope && *scope && !graph->scope)
        mica_graph_failed(graph, MICA_E_MEMORY);
}

/* Gives a value a name that is free. */
static mica_status name_give(mica_graph *graph, mica_value *value, const char *name) {
    size_t count = (size_t)graph->names.count;
    int *suffix =
        mica_grow(graph->name_suffix, count, &graph->suffixes_capacity, sizeof *graph->name_suffix);
    if (!suffix)
        return MICA_E_MEMORY;
    graph->name_suffix = suffix;
    suffix[count] = 1;
    int32_t number;
    MICA_TRY(mica_ids_number(&graph->names, name, &number));
    value->name = graph->names.texts[number];
    return MICA_OK;
}

/* `wanted` or, where that is taken, wanted_2, wanted_3, ... */
static mica_status unique_name_give(mica_graph *graph, mica_value *value, const char *wanted) {
    int32_t taken = mica_ids_find(&graph->names, wanted);
    if (taken < 0)
        return name_give(graph, value, wanted);
    char *name = NULL;
    do {
        free(name);
        name = mica_format("%s_%d", wanted, ++graph->name_suffix[taken]);
    } while (name && mica_ids_find(&graph->names, name) >= 0);
    mica_status status = name ? name_give(graph, value, name) : MICA_E_MEMORY;
    free(name);
    return status;
}

static mica_node *node_new(
    const mica_op *op, const void *attrs, mica_value *const *in, int n_in, int n_out) {
    mica_node *node = mica_alloc(1, sizeof *node);
    if (!node)
        return NULL;
    node->op = op;
    node->n_in = n_in;
    node->n_out = n_out;
    node->in = mica_copy(in, (size_t)n_in * sizeof *in);
    node->out = mica_alloc((size_t)n_out, sizeof *node->out);
    node->attrs = op->attrs_size ? mica_copy(attrs, op->attrs_size) : NULL;
    if (!node->in || !node->out || (op->attrs_size && !node->attrs)) {
        mica_node_destroy(node);
        return NULL;
    }
    return node;
}

static const char *node_describe(const mica_node *node, char *text, size_t size) {
    return node->op->describe ? node->op->describe(node, text, size) : node->op->name;
}

/* Gives the node its label and its outputs their names (NULL: made of the label), and puts all in
 * the graph's lists. */
static mica_status node_add(mica_graph *graph, mica_node *node, const char *name) {
    char text[96];
    const char *kind = node_describe(node, text, sizeof text);
    node->label = graph->scope ? mica_format("%s/%s", graph->scope, kind) : mica_strdup(kind);
    if (!node->label)
        return MICA_E_MEMORY;
    for (int i = 0; i < node->n_out; i++) {
        MICA_TRY(name ? name_give(graph, node->out[i], name)
                      : unique_name_give(graph, node->out[i], node->label));
        mica_value **values =
            mica_grow(graph->values, graph->n_values, &graph->values_capacity, sizeof *values);
        if (!values)
            return MICA_E_MEMORY;
        graph->values = values;
        node->out[i]->id = (uint32_t)graph->n_values;
        values[graph->n_values++] = node->out[i];
    }
    mica_node **nodes =
        mica_grow(graph->nodes, graph->n_nodes, &graph->nodes_capacity, sizeof *nodes);
    if (!nodes)
        return MICA_E_MEMORY;
    graph->nodes = nodes;
    node->id = (uint32_t)graph->n_nodes;
    node->backward = graph->backward;
    nodes[graph->n_nodes++] = node;
    return MICA_OK;
}

static mica_status outputs_check(const mica_node *node) {
    for (int i = 0; i < node->n_out; i++)
        if (mica_shape_count(node->out[i]->shape) < 1) {
            char text[96];
            return mica_fail(MICA_E_INVALID,
                "output of shape %s: each size must be at least 1 and their product below 2^31",
                mica_shape_text(node->out[i]->shape, text, sizeof text));
        }
    return MICA_OK;
}

static mica_value *node_make(mica_graph *graph, const mica_op *op, const void *attrs,
    mica_value *const *in, int n_in, const char *name) {
    int n_out = op->n_out ? op->n_out : 1;
    mica_node *node = node_new(op, attrs, in, n_in, n_out);
    if (!node)
        return mica_graph_failed(graph, MICA_E_MEMORY);
    node->graph = graph;
    bool complete = true;
    for (int i = 0; i < n_out; i++) {
        node->out[i] = mica_alloc(1, sizeof **node->out);
        complete = complete && node->out[i];
        if (node->out[i]) {
            node->out[i]->node = node;
            node->out[i]->index = i;
            node->out[i]->shape.rank = -1;
        }
    }
    size_t values_before = graph->n_values;
    mica_status status = complete ? op->infer(node) : MICA_E_MEMORY;
    if (status == MICA_OK)
        status = outputs_check(node);
    if (status == MICA_OK && (status = node_add(graph, node, name)) == MICA_OK)
        return node->out[0];
    if (complete)
        mica_fail_in(
            status, "%s%s%s", graph->scope ? graph->scope : "", graph->scope ? "/" : "", op->name);
    graph->n_values = values_before;
    for (int i = 0; i < n_out; i++)
        if (node->out[i])
            free(node->out[i]);
    mica_node_destroy(node);
    return mica_graph_failed(graph, status);
}

mica_value *mica_node_build(const mica_op *op, const void *attrs, mica_value *const *in, int n_in) {
    mica_graph *graph = NULL;
    for (int i = 0; i < n_in; i++) {
        if (!in[i])
            return NULL;
        if (graph && in[i]->node->graph != graph)
            return mica_graph_failed(
                graph, mica_fail(MICA_E_INVALID, "%s: inputs %s and %s belong to different graphs",
                           op->name, in[0]->name, in[i]->name));
        graph = in[i]->node->graph;
    }
    return graph ? node_make(graph, op, attrs, in, n_in, NULL) : NULL;
}

mica_value *mica_node_source(
    mica_graph *graph, const mica_op *op, const void *attrs, const char *name) {
    return node_make(graph, op, attrs, NULL, 0, name);
}

mica_node *mica_node_fused(const mica_op *op, const void *attrs, mica_value *const *in, int n_in,
    const mica_node *consumer) {
    mica_node *node = node_new(op, attrs, in, n_in, consumer->n_out);
    if (!node)
        return NULL;
    node->graph = consumer->graph;
    node->id = consumer->id;
    node->backward = consumer->backward;
    memcpy(node->out, consumer->out, (size_t)consumer->n_out * sizeof *node->out);
    char text[96];
    const char *kind = node_describe(node, text, sizeof text);
    const char *slash = strrchr(consumer->label, '/');
    int scope = slash ? (int)(slash - consumer->label) + 1 : 0;
    node->label = mica_format("%.*s%s", scope, consumer->label, kind);
    if (!node->label) {
        mica_node_destroy(node);
        return NULL;
    }
    return node;
}

mica_graph *mica_value_graph(const mica_value *value) {
    return value->node->graph;
}

mica_shape mica_value_shape(const mica_value *value) {
    return value ? value->shape : mica_shape_of(-1, NULL);
}

mica_dtype mica_value_dtype(const mica_value *value) {
    return value ? value->dtype : MICA_F32;
}

const char *mica_value_name(const mica_value *value) {
    return value ? value->name : "";
}

void mica_constant_set(mica_kernel_desc *kernel, const char *name, int32_t number) {
    kernel->constants[kernel->n_constants].name = name;
    kernel->constants[kernel->n_constants++].value = number;
}

mica_status mica_axis_check(int axis, int rank, int *checked) {
    if (axis < -rank || axis >= rank)
        return mica_fail(MICA_E_INVALID, "axis %d is not in %d .. %d of a value of rank %d", axis,
            -rank, rank - 1, rank);
    *checked = axis < 0 ? axis + rank : axis;
    return MICA_OK;
}
