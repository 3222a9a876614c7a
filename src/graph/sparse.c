#include "graph/sparse.h"

#include "base/error.h"
#include "base/mem.h"

#include <mica/ops.h>
#include <stdlib.h>

static mica_status add_uses(const mica_node *node, const mica_value *table, mica_values *lookups) {
    for (int k = 0; k < node->n_in; k++) {
        if (node->in[k] != table)
            continue;
        if (!node->op->looks_up || k > 0)
            return mica_fail(MICA_E_INVALID,
                "%s is sparse, but %s uses all of it: only lookups leave rows alone; make it dense "
                "(mica_parameter_sparse, or the layer's option sparse) or drop that use",
                table->name, node->label);
        MICA_TRY(mica_values_add(lookups, node->out[0]));
    }
    return MICA_OK;
}

mica_status mica_sparse_lookups(
    mica_graph *graph, const mica_value *loss, mica_value *table, mica_values *lookups) {
    const size_t before = lookups->count;
    bool *needed = mica_alloc(graph->n_nodes, sizeof *needed);
    if (!needed)
        return MICA_E_MEMORY;
    needed[loss->node->id] = true;
    mica_graph_need_inputs(graph, needed);
    mica_status status = MICA_OK;
    for (size_t i = 0; i < graph->n_nodes && status == MICA_OK; i++)
        if (needed[i])
            status = add_uses(graph->nodes[i], table, lookups);
    free(needed);
    if (status == MICA_OK && lookups->count == before)
        status = mica_fail(MICA_E_INVALID,
            "%s does not depend on %s: connect or freeze what should not be trained", loss->name,
            table->name);
    return status;
}

/* Values laid end to end, as rows of `width` numbers, or in one dimension where width is 0. */
static mica_value *laid_out(mica_value *const *values, size_t count, int64_t width) {
    if (count == 1)
        return values[0];
    mica_values flat = {0};
    mica_status status = MICA_OK;
    for (size_t i = 0; i < count && status == MICA_OK; i++)
        status = mica_values_add(
            &flat, mica_reshape(values[i], width ? 2 : 1, (const int64_t[]){-1, width}));
    mica_value *all = status == MICA_OK ? mica_concat(flat.list, (int)count, 0)
                                        : mica_graph_failed(values[0]->node->graph, status);
    free(flat.list);
    return all;
}

/* Tables that are looked up by the same ids share the search for equal ones. */
static mica_value *order_of(mica_graph *graph, mica_value *ids) {
    for (size_t i = 0; i < graph->n_parameters; i++)
        if (graph->sparse[i].ids == ids)
            return graph->sparse[i].order;
    return mica_embedding_order(ids);
}

mica_status mica_sparse_differentiate(mica_graph *graph, size_t parameter,
    mica_value *const *lookups, mica_value *const *gradients, size_t count) {
    const mica_shape shape = graph->parameters[parameter]->shape;
    mica_values ids = {0};
    mica_status status = MICA_OK;
    for (size_t i = 0; i < count && status == MICA_OK; i++)
        status = mica_values_add(&ids, lookups[i]->node->in[1]);
    if (status == MICA_OK) {
        mica_graph_set_scope(graph, lookups[0]->node->label);
        mica_value *all = laid_out(ids.list, count, 0), *order = order_of(graph, all);
        mica_value *gradient =
            mica_embedding_compact(order, laid_out(gradients, count, shape.dim[1]), shape.dim[0]);
        status = mica_graph_status(graph);
        if (status == MICA_OK)
            graph->sparse[parameter] =
                (mica_sparse){all, order, gradient, gradient->node->out[1], gradient->node->out[2]};
    }
    free(ids.list);
    return status;
}

mica_status mica_sparse_check(const mica_model *model) {
    for (size_t i = 0; i < model->n_parameters; i++) {
        const mica_value *parameter = model->graph->parameters[i];
        const mica_parameter_attrs *attrs = mica_parameter_get(parameter);
        const bool sparse =
            model->offsets[i] >= model->dense && model->offsets[i] < model->trainable;
        if (!attrs->frozen && attrs->sparse != sparse)
            return mica_fail(MICA_E_INVALID,
                "%s was made %s after the model was made: call mica_parameter_sparse first",
                parameter->name, attrs->sparse ? "sparse" : "dense");
    }
    return MICA_OK;
}
