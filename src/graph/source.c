/* Inputs, parameters and constants: values that no launch computes. */
#include "graph/graph.h"

#include "base/error.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct input_attrs {
    mica_dtype dtype;
    mica_shape shape;
} input_attrs;

static mica_status input_infer(mica_node *node) {
    const input_attrs *attrs = node->attrs;
    if (attrs->dtype != MICA_F32 && attrs->dtype != MICA_I32)
        return mica_fail(MICA_E_INVALID, "dtype %d is neither MICA_F32 nor MICA_I32", attrs->dtype);
    node->out[0]->dtype = attrs->dtype;
    node->out[0]->shape = attrs->shape;
    return MICA_OK;
}

const mica_op mica_op_input = {
    .name = "input", .attrs_size = sizeof(input_attrs), .infer = input_infer};

typedef struct parameter_node_attrs {
    mica_parameter_attrs user;
    mica_shape shape;
} parameter_node_attrs;

static mica_status parameter_infer(mica_node *node) {
    const parameter_node_attrs *attrs = node->attrs;
    const mica_init *init = &attrs->user.init;
    if (init->kind < MICA_INIT_ZEROS || init->kind > MICA_INIT_HE_NORMAL)
        return mica_fail(MICA_E_INVALID, "initializer %d is not one of mica_init_kind", init->kind);
    if (!isfinite(init->value))
        return mica_fail(MICA_E_INVALID, "the initializer's value must be finite");
    bool fans = init->kind == MICA_INIT_GLOROT_UNIFORM || init->kind == MICA_INIT_HE_NORMAL;
    if (fans && (init->fan_in < 1 || init->fan_out < 1))
        return mica_fail(MICA_E_INVALID,
            "the initializer needs fan_in and fan_out of at least 1, "
            "not %lld and %lld",
            (long long)init->fan_in, (long long)init->fan_out);
    node->out[0]->shape = attrs->shape;
    return MICA_OK;
}

const mica_op mica_op_parameter = {
    .name = "parameter", .attrs_size = sizeof(parameter_node_attrs), .infer = parameter_infer};

static mica_status constant_infer(mica_node *node) {
    node->out[0]->shape = ((const mica_constant_attrs *)node->attrs)->shape;
    return MICA_OK;
}

const mica_op mica_op_constant = {
    .name = "constant", .attrs_size = sizeof(mica_constant_attrs), .infer = constant_infer};

/* A source whose output bears the user's own name, which must be free. */
static mica_value *named_source(
    mica_graph *graph, const mica_op *op, const void *attrs, const char *name) {
    if (!name || !*name)
        return mica_graph_failed(graph, mica_fail(MICA_E_INVALID, "%s: it needs a name", op->name));
    char *full = graph->scope ? mica_format("%s/%s", graph->scope, name) : mica_strdup(name);
    if (!full)
        return mica_graph_failed(graph, MICA_E_MEMORY);
    mica_value *value = NULL;
    if (mica_ids_find(&graph->names, full) < 0)
        value = mica_node_source(graph, op, attrs, full);
    else
        mica_graph_failed(graph,
            mica_fail(MICA_E_INVALID, "%s: the name %s is taken in this graph", op->name, full));
    free(full);
    return value;
}

mica_value *mica_input(mica_graph *graph, const char *name, mica_dtype dtype, mica_shape shape) {
    input_attrs attrs = {dtype, shape};
    return named_source(graph, &mica_op_input, &attrs, name);
}

mica_value *mica_parameter(mica_graph *graph, const char *name, mica_shape shape, mica_init init) {
    parameter_node_attrs attrs = {{.init = init, .rate = 1}, shape};
    mica_value **list = mica_grow(
        graph->parameters, graph->n_parameters, &graph->parameters_capacity, sizeof *list);
    if (!list)
        return mica_graph_failed(graph, MICA_E_MEMORY);
    graph->parameters = list;
    mica_value *value = named_source(graph, &mica_op_parameter, &attrs, name);
    if (value)
        list[graph->n_parameters++] = value;
    return value;
}

void mica_parameter_freeze(mica_value *parameter, bool frozen) {
    if (parameter && parameter->node->op == &mica_op_parameter)
        ((parameter_node_attrs *)parameter->node->attrs)->user.frozen = frozen;
}

void mica_parameter_rate(mica_value *parameter, float rate) {
    if (!parameter)
        return;
    if (parameter->node->op != &mica_op_parameter || !(rate > 0) || !isfinite(rate))
        mica_graph_failed(parameter->node->graph,
            mica_fail(MICA_E_INVALID, "%s: a rate of %g: wanted a parameter and a number above 0",
                parameter->name, (double)rate));
    else
        ((parameter_node_attrs *)parameter->node->attrs)->user.rate = rate;
}

void mica_parameter_sparse(mica_value *parameter, bool sparse) {
    if (!parameter)
        return;
    char text[96];
    if (parameter->node->op != &mica_op_parameter || parameter->shape.rank != 2)
        mica_graph_failed(parameter->node->graph,
            mica_fail(MICA_E_INVALID,
                "%s of shape %s cannot be sparse: expected a parameter (rows, width)",
                parameter->name, mica_shape_text(parameter->shape, text, sizeof text)));
    else
        ((parameter_node_attrs *)parameter->node->attrs)->user.sparse = sparse;
}

void mica_parameter_track(mica_value *parameter, mica_value *value, float momentum) {
    if (!parameter || !value)
        return;
    mica_graph *graph = parameter->node->graph;
    char have[96], want[96];
    if (parameter->node->op != &mica_op_parameter || value->node->graph != graph) {
        mica_graph_failed(graph, mica_fail(MICA_E_INVALID,
                                     "%s cannot follow %s: expected a parameter and a value of its "
                                     "graph",
                                     parameter->name, value->name));
    } else if (value->dtype != MICA_F32 || !mica_shape_equal(value->shape, parameter->shape)) {
        mica_graph_failed(
            graph, mica_fail(MICA_E_INVALID, "%s has the shape %s and cannot follow %s of %s %s",
                       parameter->name, mica_shape_text(parameter->shape, want, sizeof want),
                       value->name, value->dtype == MICA_F32 ? "shape" : "int32 and shape",
                       mica_shape_text(value->shape, have, sizeof have)));
    } else if (!(momentum >= 0 && momentum <= 1)) {
        mica_graph_failed(
            graph, mica_fail(MICA_E_INVALID, "%s: the momentum must be in 0 .. 1, not %g",
                       parameter->name, (double)momentum));
    } else {
        mica_parameter_attrs *attrs = &((parameter_node_attrs *)parameter->node->attrs)->user;
        attrs->frozen = true;
        attrs->tracked = value;
        attrs->momentum = momentum;
    }
}

void mica_parameter_carry(mica_value *parameter, mica_value *value) {
    mica_parameter_track(parameter, value, 0);
    if (parameter && value && parameter->node->op == &mica_op_parameter)
        ((parameter_node_attrs *)parameter->node->attrs)->user.carried = true;
}

const mica_parameter_attrs *mica_parameter_get(const mica_value *parameter) {
    return &((const parameter_node_attrs *)parameter->node->attrs)->user;
}

size_t mica_graph_count(const mica_graph *graph) {
    return graph->n_parameters;
}

mica_value *mica_graph_parameter(const mica_graph *graph, size_t index) {
    return index < graph->n_parameters ? graph->parameters[index] : NULL;
}

mica_value *mica_constant(
    mica_graph *graph, const char *name, mica_shape shape, const float *data) {
    int64_t count = mica_shape_count(shape);
    if (count < 1)
        return mica_graph_failed(
            graph, mica_fail(MICA_E_INVALID, "constant %s: its shape is not valid", name));
    float **blobs = mica_grow(graph->blobs, graph->n_blobs, &graph->blobs_capacity, sizeof *blobs);
    float *copy = mica_copy(data, (size_t)count * sizeof *data);
    if (blobs)
        graph->blobs = blobs;
    if (!blobs || !copy) {
        free(copy);
        return mica_graph_failed(graph, MICA_E_MEMORY);
    }
    blobs[graph->n_blobs++] = copy;
    mica_constant_attrs attrs = {shape, copy, 0};
    return named_source(graph, &mica_op_constant, &attrs, name);
}

mica_value *mica_full(mica_graph *graph, mica_shape shape, float number) {
    mica_constant_attrs attrs = {shape, NULL, number};
    return mica_node_source(graph, &mica_op_constant, &attrs, NULL);
}

mica_value *mica_step_input(mica_graph *graph) {
    if (!graph->step) {
        char *scope = graph->scope;
        graph->scope = NULL;
        graph->step = mica_input(graph, "mica/step", MICA_I32, MICA_SHAPE(4));
        graph->scope = scope;
    }
    return graph->step;
}
