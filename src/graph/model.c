/* A model: a graph's parameters in arenas on a device, their initial values, and the step counter.
 */
#include "graph/model.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/philox.h"
#include "graph/update.h"

#include <math.h>
#include <stdlib.h>

static uint64_t count_of(const mica_value *value) {
    return (uint64_t)mica_shape_count(value->shape);
}

/* Which part of the arenas a parameter goes to: decaying, other trainable, frozen. */
static int part_of(const mica_value *parameter) {
    return mica_parameter_get(parameter)->frozen ? 2 : parameter->shape.rank < 2;
}

static void lay_out(mica_model *model) {
    uint64_t align = mica_device_traits(model->device)->offset_align / sizeof(float), at = 0;
    for (int part = 0; part < 3; part++) {
        if (part == 2)
            model->trainable = at;
        for (size_t i = 0; i < model->n_parameters; i++)
            if (part_of(model->graph->parameters[i]) == part) {
                model->offsets[i] = at;
                at += (count_of(model->graph->parameters[i]) + align - 1) / align * align;
            }
    }
    model->elements = at;
}

/* Numbers depend on the seed and the parameter's place only, so they are the same everywhere. */
static void initialize(const mica_init *init, mica_rng rng, float *data, uint64_t count) {
    double fans = (double)(init->fan_in + init->fan_out);
    double range = init->kind == MICA_INIT_GLOROT_UNIFORM ? sqrt(6.0 / fans) : init->value;
    double deviation =
        init->kind == MICA_INIT_HE_NORMAL ? sqrt(2.0 / (double)init->fan_in) : init->value;
    for (uint64_t i = 0; i < count; i++) {
        float draw;
        switch (init->kind) {
        case MICA_INIT_ZEROS:
            data[i] = 0;
            break;
        case MICA_INIT_CONSTANT:
            data[i] = init->value;
            break;
        case MICA_INIT_NORMAL:
        case MICA_INIT_HE_NORMAL:
            data[i] = (float)(deviation * mica_rng_normal(&rng));
            break;
        case MICA_INIT_TRUNCATED:
            do
                draw = mica_rng_normal(&rng);
            while (fabsf(draw) > 2);
            data[i] = (float)(deviation * draw);
            break;
        case MICA_INIT_UNIFORM:
        case MICA_INIT_GLOROT_UNIFORM:
            data[i] = (float)(range * (2.0 * mica_rng_uniform(&rng) - 1.0));
            break;
        }
    }
}

/* Fills all parameters, or only those that are carried from run to run. */
static mica_status fill_weights(mica_model *model, bool carried) {
    for (size_t i = 0; i < model->n_parameters; i++) {
        const mica_value *parameter = model->graph->parameters[i];
        if (carried && !mica_parameter_get(parameter)->carried)
            continue;
        uint64_t count = count_of(parameter);
        float *data = mica_alloc(count, sizeof *data);
        if (!data)
            return MICA_E_MEMORY;
        initialize(&mica_parameter_get(parameter)->init,
            (mica_rng){.seed = model->seed, .stream = (uint32_t)i}, data, count);
        mica_status status = mica_model_write(model, parameter, data, count);
        free(data);
        MICA_TRY(status);
    }
    return MICA_OK;
}

mica_status mica_model_create(
    mica_graph *graph, mica_device *device, uint64_t seed, mica_model **out) {
    if (!graph || !device)
        return mica_fail(MICA_E_INVALID, "mica_model_create: the graph or the device is NULL");
    MICA_TRY(mica_graph_status(graph));
    mica_model *model = mica_alloc(1, sizeof *model);
    if (!model)
        return MICA_E_MEMORY;
    *model = (mica_model){.graph = graph, .device = device, .seed = seed};
    model->n_parameters = graph->n_parameters;
    model->offsets = mica_alloc(graph->n_parameters, sizeof *model->offsets);
    mica_status status = model->offsets ? MICA_OK : MICA_E_MEMORY;
    if (status == MICA_OK) {
        lay_out(model);
        if (model->elements)
            status = mica_buffer_create(
                device, model->elements * sizeof(float), MICA_MEMORY_DEVICE, &model->weights);
    }
    if (status == MICA_OK)
        status = fill_weights(model, false);
    if (status == MICA_OK)
        *out = model;
    else
        mica_model_destroy(&model);
    return status;
}

mica_status mica_model_reset(mica_model *model) {
    return fill_weights(model, true);
}

void mica_model_destroy(mica_model **owner) {
    mica_model *model = *owner;
    *owner = NULL;
    if (!model)
        return;
    mica_buffer **buffers[] = {&model->weights, &model->gradients, &model->states[0],
        &model->states[1], &model->chunks, &model->sums, &model->owners, &model->norms};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        mica_buffer_destroy(buffers[i]);
    free(model->offsets);
    free(model->windows);
    free(model);
}

mica_status mica_model_need_gradients(mica_model *model) {
    if (model->gradients)
        return MICA_OK;
    if (!model->trainable)
        return mica_fail(MICA_E_INVALID, "the model has no parameter that can be trained");
    MICA_TRY(mica_buffer_create(
        model->device, model->trainable * sizeof(float), MICA_MEMORY_DEVICE, &model->gradients));
    mica_status status = mica_norm_prepare(model);
    if (status != MICA_OK)
        mica_buffer_destroy(&model->gradients);
    return status;
}

mica_status mica_model_need_states(mica_model *model, int n, const char *const *names) {
    for (; model->n_states < n; model->n_states++) {
        model->state_names[model->n_states] = names[model->n_states];
        MICA_TRY(mica_buffer_create(model->device, model->trainable * sizeof(float),
            MICA_MEMORY_DEVICE, &model->states[model->n_states]));
    }
    return MICA_OK;
}

size_t mica_model_count(const mica_model *model) {
    return model->n_parameters;
}

mica_value *mica_model_parameter(const mica_model *model, size_t index) {
    return index < model->n_parameters ? model->graph->parameters[index] : NULL;
}

static size_t index_of(const mica_model *model, const mica_value *parameter) {
    size_t i = 0;
    while (i < model->n_parameters && model->graph->parameters[i] != parameter)
        i++;
    return i;
}

mica_range mica_model_range(
    const mica_model *model, mica_buffer *arena, const mica_value *parameter) {
    return (mica_range){arena, model->offsets[index_of(model, parameter)], count_of(parameter)};
}

static mica_status check_access(
    const mica_model *model, const mica_value *parameter, const void *data, size_t count) {
    if (!model || !data || !parameter || index_of(model, parameter) == model->n_parameters)
        return mica_fail(MICA_E_INVALID, "%s is not a parameter of this model",
            parameter ? parameter->name : "NULL");
    if (count != count_of(parameter)) {
        char text[96];
        return mica_fail(MICA_E_INVALID, "%s has the shape %s, but %zu elements were given",
            parameter->name, mica_shape_text(parameter->shape, text, sizeof text), count);
    }
    return MICA_OK;
}

static mica_status arena_read(
    mica_model *model, mica_buffer *arena, const mica_value *parameter, float *data, size_t count) {
    MICA_TRY(check_access(model, parameter, data, count));
    return mica_buffer_read(arena, model->offsets[index_of(model, parameter)] * sizeof(float), data,
        count * sizeof(float));
}

static mica_status arena_write(mica_model *model, mica_buffer *arena, const mica_value *parameter,
    const float *data, size_t count) {
    MICA_TRY(check_access(model, parameter, data, count));
    return mica_buffer_write(arena, model->offsets[index_of(model, parameter)] * sizeof(float),
        data, count * sizeof(float));
}

mica_status mica_model_read(
    mica_model *model, const mica_value *parameter, float *data, size_t count) {
    return arena_read(model, model->weights, parameter, data, count);
}

mica_status mica_model_write(
    mica_model *model, const mica_value *parameter, const float *data, size_t count) {
    return arena_write(model, model->weights, parameter, data, count);
}

uint64_t mica_model_step(const mica_model *model) {
    return model->step;
}

uint64_t mica_model_seed(const mica_model *model) {
    return model->seed;
}

void mica_model_set_step(mica_model *model, uint64_t step, uint64_t seed) {
    model->step = step;
    model->seed = seed;
}

int mica_model_state_count(const mica_model *model) {
    return model->n_states;
}

const char *mica_model_state_name(const mica_model *model, int state) {
    return model->state_names[state];
}

static mica_status check_state(const mica_model *model, int state, const mica_value *parameter) {
    if (state < 0 || state >= model->n_states)
        return mica_fail(MICA_E_INVALID,
            "the optimizer has %d state arrays, so there is no number %d", model->n_states, state);
    if (parameter && mica_parameter_get(parameter)->frozen)
        return mica_fail(
            MICA_E_INVALID, "%s is frozen and has no optimizer state", parameter->name);
    return MICA_OK;
}

mica_status mica_model_state_read(
    mica_model *model, int state, const mica_value *parameter, float *data, size_t count) {
    MICA_TRY(check_state(model, state, parameter));
    return arena_read(model, model->states[state], parameter, data, count);
}

mica_status mica_model_state_write(
    mica_model *model, int state, const mica_value *parameter, const float *data, size_t count) {
    MICA_TRY(check_state(model, state, parameter));
    return arena_write(model, model->states[state], parameter, data, count);
}
