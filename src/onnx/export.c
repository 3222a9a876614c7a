/* From a graph to an ONNX file: what the results depend on, inputs, then node by node, then the
 * results. Knows no operator: it looks their writers up in the tables and collects what cannot be
 * written. */
#include "base/file.h"
#include "base/mem.h"
#include "graph/graph.h"
#include "onnx/export_state.h"

#include "config.h"
#include <stdlib.h>
#include <string.h>

#define OPSET 17
#define IR    8

/* ---- what the results depend on ---- */

/* The values that the file's node for this one takes. */
static int inputs_of(const mica_node *node, mica_value **in) {
    if (!strcmp(node->op->name, "rnn") || !strcmp(node->op->name, "lstm") ||
        !strcmp(node->op->name, "gru"))
        return mica_onnx_recurrent_inputs(node, in);
    /* a third input of the statistics is for training; random numbers know no steps elsewhere */
    const int most = !strcmp(node->op->name, "batch_norm_stats") ? 2 : node->n_in;
    int count = 0;
    for (int i = 0; i < most; i++)
        if (node->in[i] != node->graph->step)
            in[count++] = node->in[i];
    return count;
}

static bool *needed_mark(
    mica_onnx_writer *w, const mica_graph *graph, mica_value *const *outputs, size_t n_outputs) {
    bool *needed = mica_onnx_room(w, graph->n_nodes, sizeof *needed);
    size_t most = 8;
    for (size_t i = 0; i < graph->n_nodes; i++)
        most = (size_t)graph->nodes[i]->n_in > most ? (size_t)graph->nodes[i]->n_in : most;
    mica_value **in = mica_onnx_room(w, most, sizeof *in);
    if (!needed || !in)
        return NULL;
    for (size_t i = 0; i < n_outputs; i++) {
        needed[outputs[i]->node->id] = true;
        mica_onnx_written_of(w, outputs[i])->uses++;
        mica_onnx_written_of(w, outputs[i])->result = true;
    }
    for (size_t i = graph->n_nodes; i-- > 0;) {
        int count = needed[i] ? inputs_of(graph->nodes[i], in) : 0;
        for (int k = 0; k < count; k++) {
            needed[in[k]->node->id] = true;
            mica_onnx_written_of(w, in[k])->uses++;
        }
    }
    return needed;
}

/* ---- nodes ---- */

static mica_onnx_write_node write_find(const mica_node *node) {
    static const mica_onnx_written *const tables[] = {
        mica_onnx_written_plain, mica_onnx_written_images, mica_onnx_written_recurrent};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const mica_onnx_written *row = tables[t]; row->name; row++)
            if (!strcmp(row->name, node->op->name))
                return row->write;
    return NULL;
}

static bool takes_refused(mica_onnx_writer *w, const mica_node *node) {
    for (int i = 0; i < node->n_in; i++)
        if (mica_onnx_written_of(w, node->in[i])->refused)
            return true;
    return false;
}

static void node_write(mica_onnx_writer *w, const mica_node *node) {
    mica_onnx_write_node write = write_find(node);
    if (node->op == &mica_op_input)
        mica_onnx_declare(w, node->out[0], false);
    else if (mica_onnx_is_source(node->out[0]))
        return; /* stored where a node takes it, in the order that it wants */
    else if (takes_refused(w, node))
        for (int i = 0; i < node->n_out; i++)
            mica_onnx_written_of(w, node->out[i])->refused = true;
    else if (write)
        write(w, node);
    else
        mica_onnx_cannot(w, node, "ONNX has no operator for %s", node->op->name);
}

static void output_write(mica_onnx_writer *w, mica_value *value) {
    bool first = w->options.channels_first && value->shape.rank == 4;
    const char *name = first ? mica_onnx_first(w, value) : mica_onnx_own(w, value);
    if (strcmp(name, value->name) != 0) /* it is another value's, too */
        mica_onnx_put(w, "Identity", value->name, MICA_ONNX_IN(name));
    mica_onnx_declare(w, value, true);
}

/* ---- the file ---- */

static bool file_begin(mica_onnx_writer *w) {
    w->file = MICA_ONNX_NEW(w, Mica__Onnx__Model, MICA__ONNX__MODEL__INIT);
    Mica__Onnx__Graph *graph = MICA_ONNX_NEW(w, Mica__Onnx__Graph, MICA__ONNX__GRAPH__INIT);
    Mica__Onnx__Opset *opset = MICA_ONNX_NEW(w, Mica__Onnx__Opset, MICA__ONNX__OPSET__INIT);
    if (!w->file || !graph || !opset)
        return false;
    static char producer[] = "mica", version[] = MICA_VERSION, domain[] = "";
    w->file->has_ir_version = true;
    w->file->ir_version = IR;
    w->file->producer_name = producer;
    w->file->producer_version = version;
    w->file->graph = graph;
    graph->name = w->options.name ? (char *)w->options.name : producer;
    opset->domain = domain;
    opset->has_version = true;
    opset->version = OPSET;
    MICA_ONNX_ADD(w, w->file, opset_import, opset);
    return true;
}

static mica_status file_write(const mica_onnx_writer *w, const char *path) {
    size_t size = mica__onnx__model__get_packed_size(w->file);
    uint8_t *data = mica_alloc(size, 1);
    if (!data)
        return MICA_E_MEMORY;
    mica__onnx__model__pack(w->file, data);
    mica_status status = mica_file_replace(path, data, size);
    free(data);
    return status;
}

static mica_status write_all(
    mica_onnx_writer *w, mica_value *const *outputs, size_t n_outputs, const char *path) {
    const mica_graph *graph = mica_value_graph(outputs[0]);
    if (!(w->values = mica_onnx_room(w, graph->n_values, sizeof *w->values)) || !file_begin(w))
        return MICA_E_MEMORY;
    bool *needed = needed_mark(w, graph, outputs, n_outputs);
    for (size_t i = 0; needed && i < graph->n_nodes && w->status == MICA_OK; i++)
        if (needed[i])
            node_write(w, graph->nodes[i]);
    if (w->n_refused && !w->refusals.failed)
        return mica_fail(MICA_E_UNSUPPORTED, "%zu part%s of the network cannot be exported: %.700s",
            w->n_refused, w->n_refused > 1 ? "s" : "", w->refusals.data);
    for (size_t i = 0; i < n_outputs; i++)
        output_write(w, outputs[i]);
    if (w->status != MICA_OK || w->refusals.failed)
        return w->status != MICA_OK ? w->status : MICA_E_MEMORY;
    return file_write(w, path);
}

mica_status mica_onnx_export(mica_model *model, mica_value *const *outputs, size_t n_outputs,
    const mica_onnx_export_options *options, const char *path) {
    if (!n_outputs)
        return mica_fail(MICA_E_INVALID, "export needs an output to write");
    for (size_t i = 0; i < n_outputs; i++) {
        if (!outputs[i] || mica_value_graph(outputs[i]) != mica_value_graph(outputs[0]))
            return mica_fail(MICA_E_INVALID, "output %zu is not of the others' graph", i);
        if (outputs[i]->node->op == &mica_op_input)
            return mica_fail(MICA_E_INVALID, "output %s is an input", outputs[i]->name);
        for (size_t k = 0; k < i; k++)
            if (outputs[k] == outputs[i])
                return mica_fail(MICA_E_INVALID, "output %s is given twice", outputs[i]->name);
    }
    mica_onnx_writer w = {.model = model};
    if (options)
        w.options = *options;
    mica_status status = write_all(&w, outputs, n_outputs, path);
    while (w.n_blocks)
        free(w.blocks[--w.n_blocks]);
    free(w.blocks);
    free(w.refusals.data);
    return status;
}
