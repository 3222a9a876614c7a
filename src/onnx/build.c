/* From an open file to a part of a graph: inputs, then node by node, then outputs and weights.
 * Knows no operator: it looks them up in the tables and collects what they refuse. */
#include "base/mem.h"
#include "onnx/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPSET_LEAST 6 /* of operators whose row says nothing else */
#define OPSET_MOST  25
#define SCOPE_MOST  256 /* bytes of the name that all of a node's parts bear */

static const mica_onnx_operator *operator_find(const mica_onnx_pb_node *node) {
    static const mica_onnx_operator *const tables[] = {mica_onnx_image_operators,
        mica_onnx_resize_operators, mica_onnx_norm_operators, mica_onnx_math_operators,
        mica_onnx_matrix_operators, mica_onnx_recurrent_operators, mica_onnx_reduce_operators,
        mica_onnx_shape_operators, mica_onnx_take_operators, mica_onnx_pick_operators,
        mica_onnx_host_operators};
    if (node->domain && *node->domain && strcmp(node->domain, "ai.onnx"))
        return NULL;
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const mica_onnx_operator *op = tables[t]; op->name; op++)
            if (!strcmp(op->name, node->op_type))
                return op;
    return NULL;
}

static const char *label_of(const mica_onnx_node *node) {
    if (node->proto->name && *node->proto->name)
        return node->proto->name;
    for (size_t i = 0; i < node->n_out; i++)
        if (*node->proto->output[i])
            return node->proto->output[i];
    return "unnamed";
}

void mica_onnx_scope_set(const mica_onnx_call *call) {
    char scope[SCOPE_MOST];
    snprintf(scope, sizeof scope, "%s", label_of(call->node));
    mica_graph_set_scope(call->graph, scope);
}

/* ---- inputs ---- */

static const mica_onnx_given *given_find(const mica_onnx_options *options, const char *name) {
    for (size_t i = 0; i < options->n_given; i++)
        if (!strcmp(options->given[i].name, name))
            return &options->given[i];
    return NULL;
}

static mica_status given_check(const mica_onnx_build_state *build) {
    const mica_onnx *file = build->file;
    for (size_t i = 0; i < build->options.n_given; i++) {
        const mica_onnx_given *given = &build->options.given[i];
        const mica_stored_tensor *input = NULL;
        for (size_t k = 0; k < file->n_inputs; k++)
            if (!strcmp(file->inputs[k].name, given->name))
                input = &file->inputs[k];
        if (!input)
            return mica_fail(MICA_E_INVALID, "the network has no input \"%.100s\"", given->name);
        bool fits = given->rank >= 0 && given->rank <= MICA_ONNX_MAX_RANK &&
                    mica_onnx_count(given->rank, given->dim) >= 0 &&
                    (input->rank < 0 || given->rank == input->rank);
        for (int d = 0; fits && d < input->rank; d++)
            fits = input->dim[d] < 0 || input->dim[d] == given->dim[d];
        if (!fits)
            return mica_fail(MICA_E_INVALID,
                "the shape given for the input \"%.100s\" is not the file's, or too large",
                given->name);
    }
    return MICA_OK;
}

/* Fills the value's shape from the file and the options. */
static mica_status input_shape(const mica_onnx_build_state *build, const mica_stored_tensor *input,
    const mica_onnx_given *given, mica_onnx_value *value) {
    if (!given && input->rank < 0)
        return mica_fail(MICA_E_INVALID,
            "the file does not say the shape of the input \"%.100s\"; give it", input->name);
    value->rank = given ? given->rank : input->rank;
    for (int i = 0; i < value->rank; i++) {
        int64_t size = given ? given->dim[i] : input->dim[i];
        if (size < 0 && i == 0)
            size = build->options.batch ? build->options.batch : 1;
        if (size < 0)
            return mica_fail(MICA_E_INVALID,
                "the file leaves size %d of the input \"%.100s\" open; give its shape", i,
                input->name);
        value->dim[i] = size;
    }
    return MICA_OK;
}

static mica_status given_keep(
    mica_onnx_build_state *build, const mica_onnx_given *given, mica_onnx_value *value) {
    bool real = mica_onnx_type_real(value->type), single = value->type == MICA_ONNX_FLOAT;
    if (single ? !given->floats : real ? !given->reals : !given->integers)
        return mica_fail(MICA_E_INVALID,
            "the numbers given for the input \"%.100s\" must be %s, since it is %s", given->name,
            single ? "floats"
            : real ? "reals"
                   : "integers",
            mica_onnx_type_name(value->type));
    size_t count = (size_t)mica_onnx_value_count(value);
    mica_onnx_network *network = build->network;
    void **blocks =
        mica_grow(network->blocks, network->n_blocks, &network->blocks_capacity, sizeof *blocks);
    if (blocks)
        network->blocks = blocks;
    void *numbers = blocks ? mica_alloc(count, sizeof(int64_t)) : NULL;
    if (!numbers)
        return MICA_E_MEMORY;
    network->blocks[network->n_blocks++] = numbers;
    value->state = MICA_ONNX_KNOWN;
    *(real ? (void **)&value->real : (void **)&value->whole) = numbers;
    for (size_t i = 0; i < count; i++)
        if (real)
            value->real[i] = single ? (double)given->floats[i] : given->reals[i];
        else
            value->whole[i] = given->integers[i];
    return MICA_OK;
}

static mica_status input_make(mica_onnx_build_state *build, size_t index) {
    const mica_onnx *file = build->file;
    const mica_stored_tensor *input = &file->inputs[index];
    const mica_onnx_given *given = given_find(&build->options, input->name);
    mica_onnx_value *value = &build->values[mica_onnx_symbol_find(file, input->name)];
    value->type = file->input_types[index];
    MICA_TRY(input_shape(build, input, given, value));
    if (given && (given->floats || given->reals || given->integers))
        return given_keep(build, given, value);
    if (value->rank > MICA_MAX_RANK || mica_onnx_value_count(value) < 1)
        return mica_fail(MICA_E_UNSUPPORTED,
            "the input \"%.100s\" has %d dimensions and %lld elements; inputs can have %d and need one",
            input->name, value->rank, (long long)mica_onnx_value_count(value), MICA_MAX_RANK);
    bool real = value->type == MICA_ONNX_FLOAT;
    if (!real && value->type != MICA_ONNX_INT32 && value->type != MICA_ONNX_INT64)
        return mica_fail(MICA_E_UNSUPPORTED,
            "the input \"%.100s\" is %s; inputs can be float, int32 and int64", input->name,
            mica_onnx_type_name(value->type));
    bool last = build->options.channels_last && real && value->rank == 4;
    int64_t dim[MICA_ONNX_MAX_RANK];
    for (int i = 0; i < value->rank; i++)
        dim[mica_onnx_place(value->rank, i, last)] = value->dim[i];
    mica_value *made = mica_input(
        build->graph, input->name, real ? MICA_F32 : MICA_I32, mica_shape_of(value->rank, dim));
    if (!made)
        return mica_graph_status(build->graph);
    *(last ? &value->last : &value->plain) = build->network->inputs[index] = made;
    value->state = MICA_ONNX_LIVE;
    return MICA_OK;
}

static void stored_make(const mica_onnx_tensor *tensor, mica_onnx_value *value) {
    mica_onnx_store(tensor, value);
    value->weight = tensor->type == MICA_ONNX_FLOAT && tensor->rank > 0;
}

/* ---- nodes ---- */

static mica_status refusal_add(mica_onnx *file, const mica_onnx_node *node, const char *reason) {
    char **list =
        mica_grow(file->refusals, file->n_refusals, &file->refusals_capacity, sizeof *list);
    if (!list)
        return MICA_E_MEMORY;
    file->refusals = list;
    char *line = node ? mica_format("%s (%s): %s", label_of(node), node->proto->op_type, reason)
                      : mica_strdup(reason);
    if (!line)
        return MICA_E_MEMORY;
    list[file->n_refusals++] = line;
    return MICA_OK;
}

/* Whether a node's result must be worked out on the host: it depends on nothing that a device or
 * training gives. */
static bool foldable(const mica_onnx_call *call) {
    if (!call->op->fold)
        return false;
    for (int i = 0; i < mica_onnx_in_count(call); i++) {
        const mica_onnx_value *value = mica_onnx_in(call, i);
        if (!value)
            continue;
        int64_t count = mica_onnx_value_count(value);
        if (value->state != MICA_ONNX_KNOWN || count > MICA_ONNX_KNOWN_MOST ||
            (value->weight && count > 1))
            return false;
    }
    return true;
}

static mica_status inputs_check(mica_onnx_call *call) {
    for (int i = 0; i < call->op->least_in; i++)
        if (!mica_onnx_in(call, i))
            return mica_onnx_refuse(call, "input %d is missing", i + 1);
    for (int i = 0; i < mica_onnx_in_count(call); i++) {
        const mica_onnx_value *value = mica_onnx_in(call, i);
        if (value && value->state == MICA_ONNX_ABSENT)
            return mica_onnx_refuse(
                call, "\"%.100s\" is a result that is not worked out", value->name);
    }
    return MICA_OK;
}

static mica_status attributes_check(mica_onnx_call *call) {
    const mica_onnx_pb_node *node = call->node->proto;
    for (size_t i = 0; i < node->n_attribute; i++)
        if (i >= 64 || !(call->asked >> i & 1))
            return mica_onnx_refuse(
                call, "attribute %.50s has no known meaning here", node->attribute[i]->name);
    return MICA_OK;
}

/* Builds a node whose operator is there. */
static mica_status node_call(mica_onnx_call *call) {
    MICA_TRY(inputs_check(call));
    const mica_onnx_operator *op = call->op;
    int64_t since = op->since ? op->since : OPSET_LEAST;
    if (call->opset < since)
        return mica_onnx_refuse(call, "it is known from opset %lld on, the file is of %lld",
            (long long)since, (long long)call->opset);
    mica_onnx_scope_set(call);
    bool fold = foldable(call);
    if (!fold && !op->build)
        return mica_onnx_refuse(call, "its inputs must be known when the network is built");
    mica_status status = fold ? op->fold(call) : op->build(call);
    if (call->status != MICA_OK)
        return call->status;
    MICA_TRY(status);
    return attributes_check(call);
}

static bool takes_refused(const mica_onnx_call *call) {
    for (int i = 0; i < mica_onnx_in_count(call); i++) {
        const mica_onnx_value *value = mica_onnx_in(call, i);
        if (value && value->state == MICA_ONNX_REFUSED)
            return true;
    }
    return false;
}

/* Imports a node or notes why it cannot be; its results are then refused too, without a word. */
static mica_status node_make(mica_onnx_build_state *build, const mica_onnx_node *node) {
    mica_onnx *file = build->file;
    mica_onnx_call call = {.build = build,
        .graph = build->graph,
        .node = node,
        .op = operator_find(node->proto),
        .opset = file->opset,
        .frozen = build->options.frozen};
    mica_status status = MICA_E_UNSUPPORTED;
    if (!call.op) {
        bool own = !node->proto->domain || !*node->proto->domain;
        mica_fail(status, "the operator%s%.50s is not there", own ? "" : " of ",
            own ? "" : node->proto->domain);
        MICA_TRY(refusal_add(file, node, mica_last_error()));
    } else if (!takes_refused(&call)) {
        status = node_call(&call);
        if (status == MICA_E_UNSUPPORTED)
            MICA_TRY(refusal_add(file, node, mica_last_error()));
        else if (status != MICA_OK)
            return mica_fail_in(
                status, "node %.100s (%.50s)", label_of(node), node->proto->op_type);
    }
    for (size_t i = 0; i < node->n_out && status != MICA_OK; i++)
        if (node->out[i] != MICA_ONNX_NONE)
            build->values[node->out[i]].state = MICA_ONNX_REFUSED;
    return MICA_OK;
}

/* ---- outputs ---- */

static mica_status output_make(mica_onnx_build_state *build, size_t index) {
    mica_onnx_value *value = &build->values[build->file->outputs[index]];
    mica_onnx_result *result = &build->network->outputs[index];
    result->name = value->name;
    static const mica_onnx_pb_node none = MICA__ONNX__NODE__INIT;
    mica_onnx_node node = {.proto = &none};
    mica_onnx_call call = {.build = build, .graph = build->graph, .node = &node};
    if (value->state == MICA_ONNX_ABSENT) {
        mica_onnx_refuse(
            &call, "the output \"%.100s\" is a result that is not worked out", value->name);
        return refusal_add(build->file, NULL, mica_last_error());
    }
    if (value->state == MICA_ONNX_REFUSED)
        return MICA_OK;
    int64_t *dim = mica_onnx_scratch(&call, MICA_ONNX_MAX_RANK, sizeof *dim);
    if (!dim)
        return call.status;
    bool last = build->options.channels_last && value->rank == 4;
    if (value->state == MICA_ONNX_KNOWN && value->type != MICA_ONNX_FLOAT) {
        last = false;
        if (mica_onnx_know(&call, value) == MICA_E_UNSUPPORTED)
            return refusal_add(build->file, NULL, mica_last_error());
        MICA_TRY(call.status);
        result->integers = value->whole;
        result->reals = value->real;
    } else {
        result->value = last ? mica_onnx_last(&call, value) : mica_onnx_plain(&call, value);
        if (call.status == MICA_E_UNSUPPORTED)
            return refusal_add(build->file, NULL, mica_last_error());
        if (!result->value)
            return call.status != MICA_OK ? call.status : mica_graph_status(build->graph);
    }
    result->rank = value->rank;
    result->dim = dim;
    for (int i = 0; i < value->rank; i++)
        dim[mica_onnx_place(value->rank, i, last)] = value->dim[i];
    return MICA_OK;
}

/* One line of as many refusals as fit; all are kept. */
static mica_status refusals_report(const mica_onnx *file) {
    char text[800];
    size_t used = 0, shown = 0;
    for (; shown < file->n_refusals; shown++) {
        int n = snprintf(
            text + used, sizeof text - used, "%s%s", shown ? "; " : "", file->refusals[shown]);
        if (n < 0 || (size_t)n >= sizeof text - used)
            break;
        used += (size_t)n;
    }
    text[used] = 0;
    return mica_fail(MICA_E_UNSUPPORTED, "%zu part%s of it cannot be imported: %s%s",
        file->n_refusals, file->n_refusals > 1 ? "s" : "", used ? text : "(a long name)",
        shown < file->n_refusals ? "; and more" : "");
}

static void refusals_clear(mica_onnx *file) {
    while (file->n_refusals)
        free(file->refusals[--file->n_refusals]);
}

static mica_status build_all(mica_onnx_build_state *build) {
    mica_onnx *file = build->file;
    mica_onnx_network *network = build->network;
    if (file->opset > OPSET_MOST)
        return mica_fail(MICA_E_UNSUPPORTED, "it is of opset %lld; those up to %d are known",
            (long long)file->opset, OPSET_MOST);
    MICA_TRY(given_check(build));
    for (size_t i = 0; i < file->n_symbols; i++) {
        build->values[i].name = file->symbols[i].name;
        if (file->symbols[i].tensor)
            stored_make(file->symbols[i].tensor, &build->values[i]);
    }
    for (size_t i = 0; i < file->n_inputs; i++)
        MICA_TRY(input_make(build, i));
    for (size_t i = 0; i < file->n_nodes; i++)
        MICA_TRY(node_make(build, &file->nodes[i]));
    for (size_t i = 0; i < file->n_outputs; i++)
        MICA_TRY(output_make(build, i));
    if (file->n_refusals)
        return refusals_report(file);
    for (size_t i = 0; i < file->n_symbols; i++) {
        const mica_onnx_value *value = &build->values[i];
        network->found[i] = value->source ? value->source
                            : value->last ? value->last
                                          : value->plain;
    }
    return mica_graph_status(build->graph);
}

/* ---- public ---- */

mica_status mica_onnx_build(
    mica_onnx *file, mica_graph *graph, const mica_onnx_options *options, mica_onnx_network **out) {
    mica_onnx_network *network = mica_alloc(1, sizeof *network);
    if (!network)
        return MICA_E_MEMORY;
    mica_onnx_build_state build = {.file = file,
        .graph = graph,
        .options = options ? *options : (mica_onnx_options){0},
        .network = network,
        .values = mica_alloc(file->n_symbols, sizeof *build.values),
        .scratch_left = MICA_ONNX_SCRATCH,
        .work_left = MICA_ONNX_WORK};
    network->file = file;
    network->n_outputs = file->n_outputs;
    network->inputs = mica_alloc(file->n_inputs, sizeof *network->inputs);
    network->outputs = mica_alloc(file->n_outputs, sizeof *network->outputs);
    network->found = mica_alloc(file->n_symbols, sizeof *network->found);
    bool complete = build.values && network->inputs && network->outputs && network->found;
    refusals_clear(file);
    mica_graph_set_scope(graph, NULL);
    mica_status status = complete ? build_all(&build) : MICA_E_MEMORY;
    mica_graph_set_scope(graph, NULL);
    free(build.values);
    if (status != MICA_OK) {
        mica_fail_in(status, "%.300s", file->path);
        mica_onnx_network_destroy(&network);
        return status;
    }
    *out = network;
    return MICA_OK;
}

void mica_onnx_network_destroy(mica_onnx_network **owner) {
    mica_onnx_network *network = *owner;
    *owner = NULL;
    if (!network)
        return;
    for (size_t i = 0; i < network->n_blocks; i++)
        free(network->blocks[i]);
    free(network->blocks);
    free(network->inputs);
    free(network->outputs);
    free(network->found);
    free(network->weights);
    free(network);
}

mica_value *mica_onnx_input(const mica_onnx_network *network, size_t index) {
    return index < network->file->n_inputs ? network->inputs[index] : NULL;
}

size_t mica_onnx_output_count(const mica_onnx_network *network) {
    return network->n_outputs;
}

const mica_onnx_result *mica_onnx_output(const mica_onnx_network *network, size_t index) {
    return index < network->n_outputs ? &network->outputs[index] : NULL;
}

mica_value *mica_onnx_find(const mica_onnx_network *network, const char *name) {
    uint32_t symbol = mica_onnx_symbol_find(network->file, name);
    return symbol == MICA_ONNX_NONE ? NULL : network->found[symbol];
}

mica_status mica_onnx_write(const mica_onnx_network *network, mica_model *model) {
    mica_status status = MICA_OK;
    for (size_t i = 0; i < network->n_weights && status == MICA_OK; i++) {
        const mica_onnx_weight *weight = &network->weights[i];
        size_t count = (size_t)weight->tensor->count;
        float *read = mica_alloc(count, sizeof *read);
        float *arranged = mica_alloc(count, sizeof *arranged);
        status = read && arranged
                     ? mica_onnx_tensor_floats(network->file->folder, weight->tensor, read)
                     : MICA_E_MEMORY;
        if (status == MICA_OK) {
            mica_onnx_arrange(&weight->arrangement, read, arranged);
            status = mica_model_write(model, weight->parameter, arranged, count);
        }
        free(read);
        free(arranged);
    }
    return status;
}
