/* Running a compiled program, and reading what it computed. */
#include "graph/program.h"

#include "base/error.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

void mica_program_destroy(mica_program **owner) {
    mica_program *program = *owner;
    *owner = NULL;
    if (!program)
        return;
    mica_commands_destroy(&program->commands);
    for (size_t i = 0; i < program->n_arenas; i++)
        mica_buffer_destroy(&program->arenas[i]);
    mica_buffer_destroy(&program->host);
    mica_buffer_destroy(&program->constants);
    for (size_t i = 0; i < program->n_fused; i++)
        mica_node_destroy(program->fused[i]);
    for (size_t i = 0; i < program->n_launches && program->row_texts; i++)
        free(program->row_texts[i]);
    free(program->row_texts);
    free(program->rows);
    free(program->times);
    free(program->arenas);
    free(program->fused);
    free(program->nodes);
    free(program->places);
    free(program->readable);
    free(program);
}

/* Where a value lives, if this program has it. */
static const mica_range *place_of(const mica_program *program, const mica_value *value) {
    if (!value || mica_value_graph(value) != program->model->graph ||
        value->id >= program->n_values || !program->places[value->id].buffer)
        return NULL;
    return &program->places[value->id];
}

static mica_status check_size(const mica_value *value, const mica_range *place, size_t size) {
    if (size == place->count * 4)
        return MICA_OK;
    char text[96];
    return mica_fail(MICA_E_INVALID, "%s of shape %s takes %llu bytes, but %zu were given",
        value->name, mica_shape_text(value->shape, text, sizeof text),
        (unsigned long long)place->count * 4, size);
}

mica_status mica_program_write(
    mica_program *program, const mica_value *input, const void *data, size_t size) {
    const mica_range *place = place_of(program, input);
    if (!place || input->node->op != &mica_op_input)
        return mica_fail(
            MICA_E_INVALID, "%s is not an input of this program", input ? input->name : "NULL");
    MICA_TRY(check_size(input, place, size));
    return mica_buffer_write(place->buffer, place->offset * 4, data, size);
}

mica_status mica_program_run(mica_program *program) {
    mica_model *model = program->model;
    if (program->updates || place_of(program, model->graph->step)) {
        mica_hyper hyper = {0};
        if (program->updates)
            hyper = mica_optimizer_hyper(&program->optimizer, model->step);
        hyper.step[0] = (uint32_t)model->step;
        hyper.step[1] = (uint32_t)(model->step >> 32);
        hyper.seed[0] = (uint32_t)model->seed;
        hyper.seed[1] = (uint32_t)(model->seed >> 32);
        MICA_TRY(mica_buffer_write(program->host, 0, &hyper, sizeof hyper));
    }
    MICA_TRY(mica_commands_submit(program->commands));
    program->ran = true;
    model->step += program->updates;
    return MICA_OK;
}

mica_status mica_program_read(
    mica_program *program, const mica_value *output, void *data, size_t size) {
    const mica_range *place = place_of(program, output);
    if (!place || !(program->readable[output->id] || program->keep_all))
        return mica_fail(MICA_E_INVALID,
            "%s is not an output of this program: name it in mica_program_options.outputs",
            output ? output->name : "NULL");
    MICA_TRY(check_size(output, place, size));
    return mica_buffer_read(place->buffer, place->offset * 4, data, size);
}

mica_status mica_program_gradient_norms(
    mica_program *program, float *norms, size_t count, float *total) {
    mica_model *model = program->model;
    if (!program->gradients || !program->ran)
        return mica_fail(MICA_E_INVALID,
            "gradient norms need a program with gradients that has run at least once");
    if (norms && count != model->n_parameters)
        return mica_fail(MICA_E_INVALID, "the model has %zu parameters, but room was given for %zu",
            model->n_parameters, count);
    if (norms) {
        /* in the buffer, the total comes first */
        float *all = mica_alloc(model->n_parameters + 1, sizeof *all);
        if (!all)
            return MICA_E_MEMORY;
        mica_status status =
            mica_buffer_read(model->norms, 0, all, (model->n_parameters + 1) * sizeof *all);
        for (size_t i = 0; i < model->n_parameters && status == MICA_OK; i++)
            norms[i] = all[i + 1];
        if (status == MICA_OK)
            *total = all[0];
        free(all);
        return status;
    }
    return mica_buffer_read(model->norms, 0, total, sizeof *total);
}

/* *finite tells whether all numbers of a value are. */
static mica_status check_finite(
    const mica_program *program, const mica_value *value, bool *finite) {
    const mica_range *place = &program->places[value->id];
    float *data = mica_alloc(place->count, sizeof *data);
    if (!data)
        return MICA_E_MEMORY;
    mica_status status = mica_buffer_read(place->buffer, place->offset * 4, data, place->count * 4);
    *finite = true;
    for (uint64_t i = 0; i < place->count && *finite; i++)
        *finite = isfinite(data[i]);
    free(data);
    return status;
}

mica_status mica_program_find_nonfinite(
    mica_program *program, const mica_value **out_value, const char **where) {
    if (!program->keep_all)
        return mica_fail(
            MICA_E_INVALID, "finding NaN needs a program with mica_program_options.keep_all");
    for (size_t i = 0; i < program->n_nodes; i++) {
        const mica_node *node = program->nodes[i];
        for (int k = 0; k < node->n_out; k++) {
            bool finite = true;
            if (node->out[k]->dtype == MICA_F32)
                MICA_TRY(check_finite(program, node->out[k], &finite));
            if (finite)
                continue;
            *out_value = node->out[k];
            *where = node->label;
            return MICA_OK;
        }
    }
    *out_value = NULL;
    *where = NULL;
    return MICA_OK;
}

mica_status mica_program_get_report(mica_program *program, mica_program_report *report) {
    if (program->timed && program->ran) {
        MICA_TRY(mica_device_wait(program->model->device));
        MICA_TRY(mica_commands_times(program->commands, program->times));
        for (size_t i = 0; i < program->n_launches; i++)
            program->rows[i].microseconds = (double)program->times[i] / 1000;
    }
    *report = program->report;
    return MICA_OK;
}
