/* From a graph to a program: which nodes are needed, fusion, launches, memory, commands. */
#include "graph/program.h"

#include "base/error.h"
#include "base/mem.h"
#include "graph/memory.h"
#include "graph/sparse.h"

#include <mica/ops.h>
#include <stdlib.h>
#include <string.h>

/* What is only needed while compiling. */
typedef struct compiler {
    mica_program *program;
    mica_graph *graph;
    const mica_program_options *options;
    bool *kept;         /* by value id: an output, or of a parameter's gradient */
    uint32_t *root;     /* by value id: the value whose memory this one shares */
    uint32_t *block;    /* by value id of roots: place in `blocks`; UINT32_MAX: not in an arena */
    mica_block *blocks; /* values' blocks, then scratch */
    size_t n_blocks;
    uint32_t *scratch_block;
    mica_plan plan;
    size_t n_tracked;          /* parameters that follow a value here */
    mica_value **gradients;    /* by parameter; pinned in the model's arena */
    const mica_sparse *sparse; /* by parameter; NULL: a program without gradients */
} compiler;

static bool is_source(const mica_node *node) {
    return node->op->infer && !node->op->plan && !node->op->passes;
}

static uint64_t bytes_of(const mica_value *value) {
    return (uint64_t)mica_shape_count(value->shape) * 4;
}

static uint64_t round_up(uint64_t n, uint64_t align) {
    return (n + align - 1) / align * align;
}

/* ---- which nodes ---- */

static mica_status check_options(mica_model *model, const mica_program_options *options) {
    mica_graph *graph = model->graph;
    MICA_TRY(mica_graph_status(graph));
    if (graph->n_parameters != model->n_parameters)
        return mica_fail(MICA_E_INVALID,
            "parameters were added to the graph after the model was made: make the model last");
    MICA_TRY(mica_sparse_check(model));
    if (options->optimizer)
        MICA_TRY(mica_optimizer_check(options->optimizer));
    if ((options->optimizer || options->gradients) && !options->loss)
        return mica_fail(MICA_E_INVALID, "a program with an optimizer or gradients needs a loss");
    if (!options->loss && !options->n_outputs)
        return mica_fail(MICA_E_INVALID, "a program needs a loss or an output");
    for (size_t i = 0; i < options->n_outputs + 1; i++) {
        mica_value *value = i < options->n_outputs ? options->outputs[i] : options->loss;
        bool missing = !value && i < options->n_outputs;
        if (missing || (value && mica_value_graph(value) != graph))
            return mica_fail(MICA_E_INVALID, "output %zu is not a value of the model's graph", i);
    }
    return MICA_OK;
}

/* Whether its memory is that of its node's first input, which is passed on. */
static bool is_passed(const mica_value *value, bool training) {
    const mica_node *node = value->node;
    return value->index == 0 && node->op->passes && node->op->passes(node, training);
}

static const mica_value *root_of(const mica_value *value, bool training) {
    while (is_passed(value, training))
        value = value->node->in[0];
    return value;
}

/* Each trainable parameter's gradient gets a place of its own in the model's arena. One that shares
 * memory with another value that has a place already is copied. */
static mica_status pin_gradients(compiler *c) {
    mica_program *program = c->program;
    mica_graph *graph = c->graph;
    if (!program->gradients)
        return MICA_OK;
    MICA_TRY(mica_graph_differentiate(graph, c->options->loss));
    MICA_TRY(mica_model_need_gradients(program->model));
    c->sparse = graph->sparse;
    size_t n = graph->n_parameters;
    c->gradients = mica_alloc(n, sizeof *c->gradients);
    if (!c->gradients)
        return MICA_E_MEMORY;
    for (size_t i = 0; i < n; i++) {
        mica_value *gradient = graph->gradients[i];
        if (!gradient)
            continue;
        const mica_value *root = root_of(gradient, c->options->training);
        bool shared = is_source(root->node) || root != gradient || !gradient->node->backward;
        for (size_t k = 0; k < i && !shared; k++)
            shared = c->gradients[k] == gradient;
        if (shared) {
            graph->backward = true;
            gradient = mica_scale(gradient, 1.0f);
            graph->backward = false;
            MICA_TRY(mica_graph_status(graph));
            graph->gradients[i] = gradient;
        }
        c->gradients[i] = gradient;
    }
    return MICA_OK;
}

void mica_graph_need_inputs(const mica_graph *graph, bool *needed) {
    for (size_t i = graph->n_nodes; i-- > 0;)
        for (int k = 0; needed[i] && k < graph->nodes[i]->n_in; k++)
            needed[graph->nodes[i]->in[k]->node->id] = true;
}

static mica_status find_nodes(compiler *c) {
    mica_program *program = c->program;
    mica_graph *graph = c->graph;
    const mica_program_options *options = c->options;
    program->n_values = graph->n_values;
    size_t n = graph->n_values;
    c->kept = mica_alloc(n, sizeof *c->kept);
    c->root = mica_alloc(n, sizeof *c->root);
    c->block = mica_alloc(n, sizeof *c->block);
    program->places = mica_alloc(n, sizeof *program->places);
    program->readable = mica_alloc(n, sizeof *program->readable);
    program->nodes = mica_alloc(graph->n_nodes, sizeof *program->nodes);
    bool *needed = mica_alloc(graph->n_nodes, sizeof *needed);
    if (!c->kept || !c->root || !c->block || !program->places || !program->readable ||
        !program->nodes || !needed) {
        free(needed);
        return MICA_E_MEMORY;
    }
    for (size_t i = 0; i <= options->n_outputs; i++) {
        const mica_value *value = i < options->n_outputs ? options->outputs[i] : options->loss;
        if (value)
            c->kept[value->id] = program->readable[value->id] = needed[value->node->id] = true;
    }
    for (size_t i = 0; program->gradients && i < graph->n_parameters; i++) {
        const mica_sparse *sparse = &c->sparse[i];
        const mica_value *updating[] = {
            c->gradients[i], sparse->gradient, sparse->rows, sparse->squares};
        for (size_t k = 0; k < sizeof updating / sizeof *updating; k++)
            if (updating[k])
                c->kept[updating[k]->id] = needed[updating[k]->node->id] = true;
    }
    mica_graph_need_inputs(graph, needed);
    /* What a parameter follows may need parameters that follow others. */
    for (size_t before = SIZE_MAX; before != c->n_tracked;) {
        before = c->n_tracked;
        c->n_tracked = 0;
        for (size_t i = 0; i < graph->n_parameters; i++) {
            const mica_parameter_attrs *attrs = mica_parameter_get(graph->parameters[i]);
            const mica_value *tracked = attrs->tracked;
            bool follows = tracked && (program->updates || attrs->carried);
            if (follows && needed[graph->parameters[i]->node->id]) {
                c->kept[tracked->id] = needed[tracked->node->id] = true;
                c->n_tracked++;
            }
        }
        if (c->n_tracked != before)
            mica_graph_need_inputs(graph, needed);
    }
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (needed[i])
            program->nodes[program->n_nodes++] = graph->nodes[i];
    free(needed);
    return MICA_OK;
}

/* ---- memory ---- */

/* Values that pass through share their root's memory; an output that does so keeps its root. */
static void find_roots(compiler *c) {
    for (uint32_t i = 0; i < c->program->n_values; i++) {
        const mica_value *value = c->graph->values[i];
        const bool passed = is_passed(value, c->options->training);
        c->root[i] = passed ? c->root[value->node->in[0]->id] : i; /* inputs have smaller ids */
        c->block[i] = UINT32_MAX;
        if (c->kept[i])
            c->kept[c->root[i]] = true;
    }
}

static void extend(compiler *c, const mica_value *value, int position) {
    uint32_t block = c->block[c->root[value->id]];
    if (block != UINT32_MAX && c->blocks[block].last < position)
        c->blocks[block].last = position;
}

static int last_position(const compiler *c) {
    return (int)c->program->n_nodes;
}

static bool has_fixed_place(const compiler *c, const mica_value *value) {
    return c->program->places[value->id].buffer != NULL;
}

/* Lifetimes first, without regard to writing in place. */
static mica_status make_blocks(compiler *c) {
    mica_program *program = c->program;
    c->blocks = mica_alloc(program->n_values + c->plan.n_scratches, sizeof *c->blocks);
    c->scratch_block = mica_alloc(c->plan.n_scratches, sizeof *c->scratch_block);
    if (!c->blocks || !c->scratch_block)
        return MICA_E_MEMORY;
    for (size_t i = 0; i < program->n_nodes; i++) {
        const mica_node *node = program->nodes[i];
        if (!node || is_source(node))
            continue;
        for (int k = 0; k < node->n_in; k++)
            extend(c, node->in[k], (int)i);
        for (int k = 0; k < node->n_out; k++) {
            const mica_value *value = node->out[k];
            if (c->root[value->id] != value->id || has_fixed_place(c, value))
                continue;
            c->block[value->id] = (uint32_t)c->n_blocks;
            bool forever = c->kept[value->id] || program->keep_all;
            c->blocks[c->n_blocks++] = (mica_block){.bytes = bytes_of(value),
                .first = (int)i,
                .last = forever ? last_position(c) : (int)i};
        }
    }
    for (size_t i = 0; i < c->plan.n_scratches; i++) {
        int position = (int)c->plan.scratches[i].position;
        c->scratch_block[i] = (uint32_t)c->n_blocks;
        c->blocks[c->n_blocks++] = (mica_block){
            .bytes = c->plan.scratches[i].count * 4, .first = position, .last = position};
    }
    return MICA_OK;
}

/* Where an operator may write over an input that dies there, output and input become one block. */
static void merge_in_place(compiler *c) {
    mica_program *program = c->program;
    for (size_t i = 0; i < program->n_nodes && !program->keep_all; i++) {
        const mica_node *node = program->nodes[i];
        uint32_t mask = node && node->op->in_place ? node->op->in_place(node) : 0;
        uint32_t out = mask ? c->block[node->out[0]->id] : UINT32_MAX;
        for (int k = 0; out != UINT32_MAX && k < node->n_in; k++) {
            uint32_t in = c->block[c->root[node->in[k]->id]];
            if (!(mask >> k & 1) || in == UINT32_MAX || c->blocks[in].last != (int)i ||
                c->blocks[in].bytes != c->blocks[out].bytes)
                continue;
            c->blocks[in].last = c->blocks[out].last;
            c->blocks[out].bytes = 0; /* lives in the other's bytes from now on */
            c->block[node->out[0]->id] = in;
            break;
        }
    }
}

static mica_status place_arenas(compiler *c) {
    mica_program *program = c->program;
    const mica_traits *traits = mica_device_traits(program->model->device);
    for (size_t i = 0; i < c->n_blocks; i++)
        program->report.unplanned_bytes += round_up(c->blocks[i].bytes, traits->offset_align);
    merge_in_place(c);
    uint64_t *sizes;
    size_t n;
    MICA_TRY(mica_memory_place(
        c->blocks, c->n_blocks, traits->offset_align, traits->max_buffer_bytes, &sizes, &n));
    mica_status status = MICA_OK;
    program->arenas = mica_alloc(n, sizeof(mica_buffer *));
    if (!program->arenas)
        status = MICA_E_MEMORY;
    for (size_t i = 0; i < n && status == MICA_OK; i++) {
        program->n_arenas = i + 1;
        program->report.activation_bytes += sizes[i];
        if (sizes[i])
            status = mica_buffer_create(
                program->model->device, sizes[i], MICA_MEMORY_DEVICE, &program->arenas[i]);
    }
    free(sizes);
    MICA_TRY(status);
    for (size_t i = 0; i < program->n_values; i++) {
        const mica_value *value = c->graph->values[i];
        uint32_t root = c->root[i], block = c->block[root];
        if (block != UINT32_MAX)
            program->places[i] = (mica_range){program->arenas[c->blocks[block].arena],
                c->blocks[block].offset / 4, bytes_of(value) / 4};
        else if (root != i && program->places[root].buffer) {
            program->places[i] = program->places[root];
        }
    }
    return MICA_OK;
}

/* Sources and pinned gradients have memory of their own; arenas are for the rest. */
static mica_status place_fixed(compiler *c) {
    mica_program *program = c->program;
    mica_model *model = program->model;
    uint64_t align = mica_device_traits(model->device)->offset_align;
    uint64_t host = round_up(sizeof(mica_hyper), align), constants = 0;
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1) {
            MICA_TRY(mica_buffer_create(model->device, host, MICA_MEMORY_HOST, &program->host));
            if (constants)
                MICA_TRY(mica_buffer_create(
                    model->device, constants, MICA_MEMORY_DEVICE, &program->constants));
            program->hyper = (mica_range){program->host, 0, sizeof(mica_hyper) / 4};
            host = round_up(sizeof(mica_hyper), align);
            constants = 0;
        }
        for (size_t i = 0; i < program->n_nodes; i++) {
            const mica_node *node = program->nodes[i];
            if (!node || !is_source(node))
                continue;
            const mica_value *value = node->out[0];
            mica_range *place = &program->places[value->id];
            if (node->op == &mica_op_parameter) {
                *place = mica_model_range(model, model->weights, value);
                continue;
            }
            if (value == c->graph->step) {
                *place = (mica_range){program->host, 0, bytes_of(value) / 4};
                continue;
            }
            bool input = node->op == &mica_op_input;
            uint64_t *at = input ? &host : &constants;
            *place = (mica_range){
                input ? program->host : program->constants, *at / 4, bytes_of(value) / 4};
            *at += round_up(bytes_of(value), align);
        }
    }
    for (size_t i = 0; program->gradients && i < c->graph->n_parameters; i++) {
        if (c->gradients[i])
            program->places[c->gradients[i]->id] =
                mica_model_range(model, model->gradients, c->graph->parameters[i]);
        if (c->sparse[i].squares)
            program->places[c->sparse[i].squares->id] = mica_norm_place(model, i);
    }
    return MICA_OK;
}

static mica_status write_constants(const mica_program *program) {
    for (size_t i = 0; i < program->n_nodes; i++) {
        const mica_node *node = program->nodes[i];
        if (!node || node->op != &mica_op_constant)
            continue;
        const mica_constant_attrs *attrs = node->attrs;
        const mica_range *place = &program->places[node->out[0]->id];
        uint32_t word;
        memcpy(&word, &attrs->number, sizeof word);
        if (attrs->data)
            MICA_TRY(
                mica_buffer_write(place->buffer, place->offset * 4, attrs->data, place->count * 4));
        else
            MICA_TRY(mica_buffer_fill(place->buffer, place->offset * 4, word, place->count * 4));
    }
    return MICA_OK;
}

/* ---- launches ---- */

static mica_status plan_nodes(compiler *c) {
    mica_program *program = c->program;
    c->plan = (mica_plan){.device = program->model->device, .training = c->options->training};
    for (size_t i = 0; i < program->n_nodes; i++) {
        const mica_node *node = program->nodes[i];
        bool passes = node && node->op->passes && node->op->passes(node, c->options->training);
        if (node && !is_source(node) && !passes)
            MICA_TRY(mica_plan_node(&c->plan, node, i));
    }
    return MICA_OK;
}

static mica_status bind_launch(
    compiler *c, const mica_planned *planned, const mica_node *node, mica_launch *launch) {
    const mica_plan_launch_desc *desc = &planned->desc;
    mica_program *program = c->program;
    mica_status status = mica_kernel_get(program->model->device, &desc->kernel, &launch->kernel);
    if (status != MICA_OK)
        return mica_fail_in(status, "%s", node->label);
    for (uint32_t k = 0; k < desc->n_slots; k++) {
        const mica_slot *slot = &desc->slots[k];
        if (slot->value) {
            launch->bindings[k] = program->places[slot->value->id];
        } else {
            const mica_block *block = &c->blocks[c->scratch_block[slot->scratch]];
            launch->bindings[k] = (mica_range){program->arenas[block->arena], block->offset / 4,
                c->plan.scratches[slot->scratch].count};
        }
    }
    memcpy(launch->groups, desc->groups, sizeof launch->groups);
    memcpy(launch->params, planned->params, sizeof launch->params);
    return MICA_OK;
}

static double bytes_bound(const mica_launch *launch) {
    double bytes = 0;
    for (uint32_t k = 0; k < mica_kernel_describe(launch->kernel)->n_bindings; k++)
        bytes += (double)launch->bindings[k].count * 4;
    return bytes;
}

static char *kernel_text(const mica_kernel_desc *kernel) {
    char *text = mica_strdup(kernel->entry);
    for (uint32_t i = 0; i < kernel->n_constants && text; i++) {
        char *longer = mica_format("%s%s%s=%d%s", text, i ? " " : " [", kernel->constants[i].name,
            kernel->constants[i].value, i + 1 == kernel->n_constants ? "]" : "");
        free(text);
        text = longer;
    }
    return text;
}

static mica_status make_rows(compiler *c, const mica_launch *launches) {
    mica_program *program = c->program;
    program->rows = mica_alloc(program->n_launches, sizeof *program->rows);
    program->row_texts = mica_alloc(program->n_launches, sizeof *program->row_texts);
    program->times = mica_alloc(program->n_launches, sizeof *program->times);
    if (!program->rows || !program->row_texts || !program->times)
        return MICA_E_MEMORY;
    for (size_t i = 0; i < program->n_launches; i++) {
        const mica_planned *planned = i < c->plan.n_launches ? &c->plan.launches[i] : NULL;
        const mica_node *node = planned ? program->nodes[planned->position] : NULL;
        mica_program_row *row = &program->rows[i];
        row->phase = node ? node->backward ? "backward" : "forward" : "update";
        row->node = node ? node->label : mica_kernel_describe(launches[i].kernel)->source;
        row->kernel = program->row_texts[i] = kernel_text(mica_kernel_describe(launches[i].kernel));
        row->flops = planned ? planned->desc.flops : 0;
        row->bytes =
            planned && planned->desc.bytes > 0 ? planned->desc.bytes : bytes_bound(&launches[i]);
        if (!row->kernel)
            return MICA_E_MEMORY;
    }
    return MICA_OK;
}

static mica_status track_launches(const compiler *c, mica_launch *launches, size_t *n) {
    const mica_program *program = c->program;
    for (size_t i = 0; i < c->graph->n_parameters && c->n_tracked; i++) {
        const mica_value *parameter = c->graph->parameters[i];
        const mica_parameter_attrs *attrs = mica_parameter_get(parameter);
        bool follows = attrs->tracked && (program->updates || attrs->carried);
        if (follows && program->places[parameter->id].buffer)
            MICA_TRY(mica_track_launch(program->model, parameter,
                program->places[attrs->tracked->id], program->updates, &launches[(*n)++]));
    }
    return MICA_OK;
}

static mica_status sparse_launches(const compiler *c, mica_launch *launches, size_t *n) {
    const mica_program *program = c->program;
    for (size_t i = 0; i < c->graph->n_parameters; i++) {
        const mica_sparse *sparse = &c->sparse[i];
        if (sparse->gradient)
            MICA_TRY(mica_optimizer_rows_launch(&program->optimizer, program->model,
                c->graph->parameters[i], program->places[sparse->rows->id],
                program->places[sparse->gradient->id], program->hyper, &launches[(*n)++]));
    }
    return MICA_OK;
}

static mica_status make_commands(compiler *c) {
    mica_program *program = c->program;
    mica_model *model = program->model;
    size_t updates = (program->gradients ? model->n_windows + 1 : 0) +
                     (program->updates ? model->n_windows + model->n_parameters : 0) + c->n_tracked;
    mica_launch *launches = mica_alloc(c->plan.n_launches + updates, sizeof *launches);
    if (!launches)
        return MICA_E_MEMORY;
    size_t n = 0;
    mica_status status = MICA_OK;
    for (; n < c->plan.n_launches && status == MICA_OK; n++)
        status = bind_launch(
            c, &c->plan.launches[n], program->nodes[c->plan.launches[n].position], &launches[n]);
    if (status == MICA_OK && program->gradients) {
        status = mica_norm_launches(model, launches + n);
        n += model->n_windows + 1;
    }
    for (size_t i = 0; i < model->n_windows && program->updates && status == MICA_OK; i++)
        status = mica_optimizer_launch(
            &program->optimizer, model, &model->windows[i], program->hyper, &launches[n++]);
    if (status == MICA_OK && program->updates)
        status = sparse_launches(c, launches, &n);
    if (status == MICA_OK)
        status = track_launches(c, launches, &n);
    program->n_launches = n;
    if (status == MICA_OK)
        status = make_rows(c, launches);
    if (status == MICA_OK)
        status =
            mica_commands_create(model->device, launches, n, program->timed, &program->commands);
    free(launches);
    return status;
}

static mica_status compile(compiler *c) {
    mica_program *program = c->program;
    mica_model *model = program->model;
    MICA_TRY(pin_gradients(c));
    if (program->updates) {
        const char *names[MICA_MAX_STATES];
        int n = mica_optimizer_states(&program->optimizer, names);
        MICA_TRY(mica_model_need_states(model, n, names));
    }
    MICA_TRY(find_nodes(c));
    find_roots(c);
    if (!program->keep_all)
        MICA_TRY(mica_fuse(program->nodes, program->n_nodes, c->kept, program->n_values,
            &program->fused, &program->n_fused));
    MICA_TRY(plan_nodes(c));
    MICA_TRY(place_fixed(c));
    MICA_TRY(make_blocks(c));
    MICA_TRY(place_arenas(c));
    MICA_TRY(write_constants(program));
    MICA_TRY(make_commands(c));
    program->report.n_rows = program->n_launches;
    program->report.rows = program->rows;
    uint64_t arenas = model->elements + model->dense + model->trainable * (uint64_t)model->n_states;
    program->report.parameter_bytes = (program->gradients ? arenas : model->elements) * 4;
    return MICA_OK;
}

mica_status mica_program_create(
    mica_model *model, const mica_program_options *options, mica_program **out) {
    if (!model || !options)
        return mica_fail(MICA_E_INVALID, "mica_program_create: the model or the options are NULL");
    MICA_TRY(check_options(model, options));
    mica_program *program = mica_alloc(1, sizeof *program);
    if (!program)
        return MICA_E_MEMORY;
    program->model = model;
    program->updates = options->optimizer != NULL;
    program->gradients = program->updates || options->gradients;
    program->keep_all = options->keep_all;
    program->timed = options->timed;
    if (options->optimizer)
        program->optimizer = *options->optimizer;
    compiler c = {.program = program, .graph = model->graph, .options = options};
    mica_status status = compile(&c);
    mica_plan_clear(&c.plan);
    free(c.kept);
    free(c.root);
    free(c.block);
    free(c.blocks);
    free(c.scratch_block);
    free(c.gradients);
    if (status == MICA_OK)
        *out = program;
    else
        mica_program_destroy(&program);
    return status;
}
