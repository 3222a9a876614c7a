#include "train/decoder.h"

#include "base/error.h"
#include "base/mem.h"
#include "graph/model.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 50 };

struct mica_decoder {
    mica_network *network;
    mica_model *model;
    mica_program *program;
    int64_t size, sample;  /* numbers of a code, of a sample */
    float *codes, *pixels; /* of a batch */
};

void mica_decoder_destroy(mica_decoder **owner) {
    mica_decoder *decoder = *owner;
    if (!decoder)
        return;
    *owner = NULL;
    mica_program_destroy(&decoder->program);
    mica_model_destroy(&decoder->model);
    mica_network_destroy(&decoder->network);
    free(decoder->codes);
    free(decoder->pixels);
    free(decoder);
}

static mica_value *find(const mica_model *model, const char *name) {
    for (size_t i = 0; i < mica_model_count(model); i++)
        if (!strcmp(mica_value_name(mica_model_parameter(model, i)), name))
            return mica_model_parameter(model, i);
    return NULL;
}

mica_status mica_weights_copy(mica_model *from, mica_model *to) {
    for (size_t i = 0; i < mica_model_count(to); i++) {
        const mica_value *parameter = mica_model_parameter(to, i);
        size_t count = (size_t)mica_shape_count(mica_value_shape(parameter));
        float *data = mica_alloc(count, sizeof *data);
        if (!data)
            return MICA_E_MEMORY;
        mica_status status =
            mica_model_read(from, find(from, mica_value_name(parameter)), data, count);
        if (status == MICA_OK)
            status = mica_model_write(to, parameter, data, count);
        free(data);
        MICA_TRY(status);
    }
    return MICA_OK;
}

static mica_status prepare(
    mica_decoder *decoder, const mica_recipe *recipe, const char *code, mica_model *model) {
    MICA_TRY(mica_recipe_build_decoder(recipe, code, BATCH, &decoder->network));
    mica_value *output = decoder->network->heads[0].reconstruction;
    decoder->size = mica_shape_count(mica_value_shape(decoder->network->input)) / BATCH;
    decoder->sample = mica_shape_count(mica_value_shape(output)) / BATCH;
    decoder->codes = mica_alloc(BATCH * (size_t)decoder->size, sizeof(float));
    decoder->pixels = mica_alloc(BATCH * (size_t)decoder->sample, sizeof(float));
    if (!decoder->codes || !decoder->pixels)
        return MICA_E_MEMORY;
    MICA_TRY(
        mica_model_create(decoder->network->graph, model->device, model->seed, &decoder->model));
    MICA_TRY(mica_weights_copy(model, decoder->model));
    return mica_program_create(decoder->model,
        &(mica_program_options){.outputs = &output, .n_outputs = 1}, &decoder->program);
}

mica_status mica_decoder_create(
    const mica_recipe *recipe, const char *code, mica_model *model, mica_decoder **out) {
    mica_decoder *decoder = mica_alloc(1, sizeof *decoder);
    if (!decoder)
        return MICA_E_MEMORY;
    mica_status status = prepare(decoder, recipe, code, model);
    if (status == MICA_OK)
        *out = decoder;
    else
        mica_decoder_destroy(&decoder);
    return status;
}

int64_t mica_decoder_size(const mica_decoder *decoder) {
    return decoder->size;
}

mica_status mica_decoder_run(
    mica_decoder *decoder, const float *codes, int64_t count, float *samples) {
    size_t code = (size_t)decoder->size * sizeof(float);
    size_t sample = (size_t)decoder->sample * sizeof(float);
    for (int64_t first = 0; first < count; first += BATCH) {
        size_t n = (size_t)(count - first < BATCH ? count - first : BATCH);
        memcpy(decoder->codes, codes + first * decoder->size, n * code);
        MICA_TRY(mica_program_write(
            decoder->program, decoder->network->input, decoder->codes, BATCH * code));
        MICA_TRY(mica_program_run(decoder->program));
        MICA_TRY(mica_program_read(decoder->program, decoder->network->heads[0].reconstruction,
            decoder->pixels, BATCH * sample));
        memcpy(samples + first * decoder->sample, decoder->pixels, n * sample);
    }
    return MICA_OK;
}
