/* Reverse-mode differentiation: walks the graph backwards from the loss, asks each operator for its
 * inputs' gradients, and alone sums the gradients of values that several nodes use. */
#include "graph/sparse.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"

#include <mica/ops.h>
#include <stdlib.h>

/* What is known of each value, by id, while walking. */
typedef struct grad_tape {
    bool *active;      /* depends on one of the wanted values */
    mica_value **grad; /* the sum so far; NULL: nothing yet */
} grad_tape;

static void mark_active(const mica_graph *graph, size_t n_nodes, grad_tape *tape) {
    for (size_t i = 0; i < n_nodes; i++) {
        const mica_node *node = graph->nodes[i];
        bool active = false;
        for (int k = 0; k < node->n_in; k++)
            active = active || tape->active[node->in[k]->id];
        for (int k = 0; k < node->n_out; k++)
            tape->active[node->out[k]->id] = tape->active[node->out[k]->id] || active;
    }
}

static mica_status add_to(grad_tape *tape, const mica_value *value, mica_value *part) {
    if (!mica_shape_equal(value->shape, part->shape)) {
        char have[96], want[96];
        return mica_fail(MICA_E_INVALID, "the gradient of %s has the shape %s instead of %s",
            value->name, mica_shape_text(part->shape, have, sizeof have),
            mica_shape_text(value->shape, want, sizeof want));
    }
    mica_value **sum = &tape->grad[value->id];
    *sum = *sum ? mica_add(*sum, part) : part;
    return *sum ? MICA_OK : mica_graph_status(mica_value_graph(value));
}

static mica_status node_backward(mica_node *node, grad_tape *tape) {
    bool reached = false, wanted = false;
    mica_value *dout[8] = {0};
    if (node->n_out > 8)
        return mica_fail(MICA_E_UNSUPPORTED, "%s: more than 8 outputs", node->label);
    for (int i = 0; i < node->n_out; i++) {
        dout[i] = tape->grad[node->out[i]->id];
        reached = reached || dout[i];
        wanted = wanted || tape->active[node->out[i]->id];
    }
    if (!reached || !wanted || node->n_in == 0)
        return MICA_OK;
    if (!node->op->grad)
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s has no gradient, and the loss depends on parameters through it", node->label);
    mica_graph *graph = node->graph;
    bool *needs = mica_alloc((size_t)node->n_in, sizeof *needs);
    mica_value **din = mica_alloc((size_t)node->n_in, sizeof(mica_value *));
    mica_status status = needs && din ? MICA_OK : MICA_E_MEMORY;
    if (status == MICA_OK) {
        for (int i = 0; i < node->n_in; i++)
            needs[i] = tape->active[node->in[i]->id];
        mica_graph_set_scope(graph, node->label);
        node->op->grad(node, dout, needs, din);
        status = mica_graph_status(graph);
        for (int i = 0; i < node->n_in && status == MICA_OK; i++)
            if (needs[i] && din[i])
                status = add_to(tape, node->in[i], din[i]);
    }
    free(needs);
    free(din);
    return status;
}

static mica_status check_reached(
    const grad_tape *tape, mica_value *loss, mica_value *const *wrt, size_t count) {
    mica_text missing = {0};
    for (size_t i = 0; i < count; i++)
        if (!tape->grad[wrt[i]->id])
            mica_text_add(&missing, "%s%s", missing.size ? ", " : "", wrt[i]->name);
    mica_status status = MICA_OK;
    if (missing.failed)
        status = MICA_E_MEMORY;
    else if (missing.size)
        status = mica_fail(MICA_E_INVALID,
            "%s does not depend on %s: connect or freeze what should not be trained", loss->name,
            missing.data);
    free(missing.data);
    return status;
}

static mica_status walk(
    mica_value *loss, mica_value *const *wrt, size_t count, grad_tape *tape, mica_value **grads) {
    mica_graph *graph = mica_value_graph(loss);
    size_t n_nodes = loss->node->id + (size_t)1;
    for (size_t i = 0; i < count; i++)
        tape->active[wrt[i]->id] = true;
    mark_active(graph, n_nodes, tape);
    mica_graph_set_scope(graph, "loss");
    tape->grad[loss->id] = mica_full(graph, MICA_SCALAR, 1.0f);
    MICA_TRY(mica_graph_status(graph));
    for (size_t i = n_nodes; i-- > 0;)
        MICA_TRY(node_backward(graph->nodes[i], tape));
    MICA_TRY(check_reached(tape, loss, wrt, count));
    for (size_t i = 0; i < count; i++)
        grads[i] = tape->grad[wrt[i]->id];
    return MICA_OK;
}

/* Gives the user's scope, which end_backward takes. */
static char *begin_backward(mica_graph *graph) {
    char *scope = graph->scope;
    graph->scope = NULL;
    graph->backward = true;
    return scope;
}

static void end_backward(mica_graph *graph, char *scope) {
    graph->backward = false;
    free(graph->scope);
    graph->scope = scope;
}

mica_status mica_gradients(
    mica_value *loss, mica_value *const *wrt, size_t count, mica_value **grads) {
    if (!loss || !wrt || !grads)
        return mica_fail(MICA_E_INVALID, "mica_gradients: a value is NULL");
    mica_graph *graph = mica_value_graph(loss);
    MICA_TRY(mica_graph_status(graph));
    char text[96];
    if (loss->dtype != MICA_F32 || loss->shape.rank != 0)
        return mica_fail(MICA_E_INVALID,
            "the loss must be a float32 scalar, but %s has the shape %s", loss->name,
            mica_shape_text(loss->shape, text, sizeof text));
    for (size_t i = 0; i < count; i++)
        if (!wrt[i] || mica_value_graph(wrt[i]) != graph || wrt[i]->dtype != MICA_F32)
            return mica_fail(MICA_E_INVALID,
                "mica_gradients: value %zu is not a float32 value of the loss's graph", i);
    /* Values made while walking never need a place on the tape: they come after the loss. */
    grad_tape tape = {mica_alloc(graph->n_values, sizeof(bool)),
        mica_alloc(graph->n_values, sizeof(mica_value *))};
    char *scope = begin_backward(graph);
    mica_status status =
        tape.active && tape.grad ? walk(loss, wrt, count, &tape, grads) : MICA_E_MEMORY;
    end_backward(graph, scope);
    free(tape.active);
    free(tape.grad);
    return status;
}

/* What gradients are needed of for all trainable parameters: of themselves, in the order of
 * `parameters`, or of what is looked up in sparse ones. */
static mica_status find_wanted(mica_graph *graph, mica_value *loss, mica_values *wanted) {
    for (size_t i = 0; i < graph->n_parameters; i++) {
        mica_value *parameter = graph->parameters[i];
        const mica_parameter_attrs *attrs = mica_parameter_get(parameter);
        if (attrs->frozen)
            continue;
        MICA_TRY(attrs->sparse ? mica_sparse_lookups(graph, loss, parameter, wanted)
                               : mica_values_add(wanted, parameter));
    }
    return MICA_OK;
}

/* Sorts the gradients of what was wanted into the graph's lists. */
static mica_status sort_in(
    mica_graph *graph, const mica_values *wanted, mica_value *const *gradients) {
    size_t k = 0;
    for (size_t i = 0; i < graph->n_parameters; i++) {
        const mica_value *parameter = graph->parameters[i];
        const mica_parameter_attrs *attrs = mica_parameter_get(parameter);
        size_t first = k;
        if (attrs->frozen)
            continue;
        if (!attrs->sparse) {
            graph->gradients[i] = gradients[k++];
            continue;
        }
        while (k < wanted->count && wanted->list[k]->node->op->looks_up &&
               wanted->list[k]->node->in[0] == parameter)
            k++;
        MICA_TRY(mica_sparse_differentiate(
            graph, i, &wanted->list[first], &gradients[first], k - first));
    }
    return MICA_OK;
}

mica_status mica_graph_differentiate(mica_graph *graph, mica_value *loss) {
    if (graph->loss == loss)
        return MICA_OK;
    size_t n = graph->n_parameters;
    mica_values wanted = {0};
    free(graph->gradients);
    free(graph->sparse);
    graph->loss = NULL;
    graph->gradients = mica_alloc(n, sizeof(mica_value *));
    graph->sparse = mica_alloc(n, sizeof *graph->sparse);
    mica_value **made = NULL;
    mica_status status = graph->gradients && graph->sparse ? MICA_OK : MICA_E_MEMORY;
    if (status == MICA_OK)
        status = find_wanted(graph, loss, &wanted);
    if (status == MICA_OK && !(made = mica_alloc(wanted.count, sizeof(mica_value *))))
        status = MICA_E_MEMORY;
    if (status == MICA_OK && wanted.count)
        status = mica_gradients(loss, wanted.list, wanted.count, made);
    if (status == MICA_OK) {
        char *scope = begin_backward(graph);
        status = sort_in(graph, &wanted, made);
        end_backward(graph, scope);
    }
    if (status == MICA_OK)
        graph->loss = loss;
    free(wanted.list);
    free(made);
    return status;
}
