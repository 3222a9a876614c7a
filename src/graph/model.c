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

/* The parts of the arenas, in their order; the first two again for each learning rate. */
enum { DECAYING, OTHER, SPARSE, FROZEN };

static int part_of(const mica_value *parameter) {
    const mica_parameter_attrs *attrs = mica_parameter_get(parameter);
    return attrs->frozen               ? FROZEN
           : attrs->sparse             ? SPARSE
           : parameter->shape.rank < 2 ? OTHER
                                       : DECAYING;
}

/* Puts the parameters of a part, of one learning rate unless rate is 0, from `at` on. */
static uint64_t place(mica_model *model, int part, float rate, uint64_t at) {
    uint64_t align = mica_device_traits(model->device)->offset_align / sizeof(float);
    for (size_t i = 0; i < model->n_parameters; i++) {
        const mica_value *parameter = model->graph->parameters[i];
        if (part_of(parameter) != part || (rate > 0 && mica_parameter_get(parameter)->rate != rate))
            continue;
        model->offsets[i] = at;
        at += (count_of(parameter) + align - 1) / align * align;
    }
    return at;
}

/* Has a parameter that is dense the rate of one before it? */
static bool is_placed(const mica_model *model, size_t index) {
    const mica_value *const *parameters = (const mica_value *const *)model->graph->parameters;
    for (size_t i = 0; i < index; i++)
        if (part_of(parameters[i]) < SPARSE &&
            mica_parameter_get(parameters[i])->rate == mica_parameter_get(parameters[index])->rate)
            return true;
    return false;
}

static void lay_out(mica_model *model) {
    uint64_t at = 0;
    for (size_t i = 0; i < model->n_parameters; i++) {
        const mica_value *parameter = model->graph->parameters[i];
        const float rate = mica_parameter_get(parameter)->rate;
        if (part_of(parameter) >= SPARSE || is_placed(model, i))
            continue;
        at = place(model, DECAYING, rate, at);
        at = place(model, OTHER, rate, at);
    }
    model->dense = at;
    model->trainable = place(model, SPARSE, 0, at);
    model->elements = place(model, FROZEN, 0, model->trainable);
}

/* Numbers depend on the seed and the parameter's place only, so they are the same everywhere. */
static void initialize(const mica_init *init, mica_rng *rng, float *data, uint64_t count) {
    double fans = (double)init->fan_in + (double)init->fan_out;
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
            data[i] = (float)(deviation * mica_rng_normal(rng));
            break;
        case MICA_INIT_TRUNCATED:
            do
                draw = mica_rng_normal(rng);
            while (fabsf(draw) > 2);
            data[i] = (float)(deviation * draw);
            break;
        case MICA_INIT_UNIFORM:
        case MICA_INIT_GLOROT_UNIFORM:
            data[i] = (float)(range * (2.0 * mica_rng_uniform(rng) - 1.0));
            break;
        }
    }
}

/* Elements that are drawn at a time. */
#define PIECE (UINT64_C(1) << 18)

static mica_status fill(mica_model *model, size_t index, float *piece) {
    const mica_value *parameter = model->graph->parameters[index];
    mica_rng rng = {.seed = model->seed, .stream = (uint32_t)index};
    const uint64_t count = count_of(parameter);
    for (uint64_t at = 0; at < count; at += PIECE) {
        const uint64_t n = count - at < PIECE ? count - at : PIECE;
        initialize(&mica_parameter_get(parameter)->init, &rng, piece, n);
        MICA_TRY(mica_buffer_write(model->weights, (model->offsets[index] + at) * sizeof *piece,
            piece, n * sizeof *piece));
    }
    return MICA_OK;
}

/* Fills all parameters, or only those that are carried from run to run. */
static mica_status fill_weights(mica_model *model, bool carried) {
    float *piece = mica_alloc(model->elements < PIECE ? model->elements : PIECE, sizeof *piece);
    mica_status status = piece ? MICA_OK : MICA_E_MEMORY;
    for (size_t i = 0; i < model->n_parameters && status == MICA_OK; i++)
        if (!carried || mica_parameter_get(model->graph->parameters[i])->carried)
            status = fill(model, i, piece);
    free(piece);
    return status;
}

static mica_status create(
    mica_graph *graph, mica_device *device, uint64_t seed, bool empty, mica_model **out) {
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
        status = fill_weights(model, empty);
    if (status == MICA_OK)
        *out = model;
    else
        mica_model_destroy(&model);
    return status;
}

mica_status mica_model_create(
    mica_graph *graph, mica_device *device, uint64_t seed, mica_model **model) {
    return create(graph, device, seed, false, model);
}

mica_status mica_model_create_empty(
    mica_graph *graph, mica_device *device, uint64_t seed, mica_model **model) {
    return create(graph, device, seed, true, model);
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
    free(model->sparse_sums);
    free(model);
}

mica_status mica_model_need_gradients(mica_model *model) {
    if (model->norms)
        return MICA_OK;
    if (!model->trainable)
        return mica_fail(MICA_E_INVALID, "the model has no parameter that can be trained");
    if (model->dense)
        MICA_TRY(mica_buffer_create(
            model->device, model->dense * sizeof(float), MICA_MEMORY_DEVICE, &model->gradients));
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
