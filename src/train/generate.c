/* What an autoencoder is for: codes of samples, and samples of random codes. */
#include "base/error.h"
#include "base/mem.h"
#include "base/philox.h"
#include "train/pictures.h"
#include "train/run.h"

#include <stdlib.h>
#include <string.h>

static mica_status layer_find(mica_run *run, const char *name, const mica_network_layer **layer) {
    MICA_TRY(mica_run_many(run));
    if (name)
        return mica_stage_find(&run->many, name, layer);
    if (!run->many.network->code)
        return mica_fail(MICA_E_INVALID,
            "%s is no autoencoder, which would have a code: name the layer whose numbers you want",
            run->recipe->name);
    *layer = run->many.network->code;
    return MICA_OK;
}

mica_status mica_run_layer_shape(mica_run *run, const char *name, mica_shape *shape) {
    const mica_network_layer *layer;
    MICA_TRY(layer_find(run, name, &layer));
    *shape = mica_shape_of(layer->output.rank - 1, layer->output.dim + 1);
    return MICA_OK;
}

/* A program that gives the layer's value. */
static mica_status encoder_open(mica_run *run, const mica_network_layer *layer) {
    if (run->encode && run->encoded == layer)
        return MICA_OK;
    mica_program_destroy(&run->encode);
    run->encoded = layer;
    return mica_program_create(run->many.model,
        &(mica_program_options){.outputs = &layer->value, .n_outputs = 1}, &run->encode);
}

mica_status mica_run_encode(mica_run *run, const char *name, const float *samples, int64_t count,
    float *codes, size_t n_codes) {
    const mica_network_layer *layer;
    MICA_TRY(layer_find(run, name, &layer));
    int64_t batch = layer->output.dim[0];
    size_t sample = (size_t)mica_shape_count(run->info.sample);
    size_t code = (size_t)(mica_shape_count(layer->output) / batch);
    if (count < 1 || n_codes / code != (size_t)count || n_codes % code)
        return mica_fail(MICA_E_INVALID,
            "%lld samples give %zu numbers each at layer %s, but room was given for %zu",
            (long long)count, code, layer->name, n_codes);
    MICA_TRY(encoder_open(run, layer));
    size_t in = (size_t)batch * sample, out = (size_t)batch * code;
    float *room = mica_alloc(in + out, sizeof *room);
    if (!room)
        return MICA_E_MEMORY;
    mica_status status = MICA_OK;
    for (int64_t first = 0; first < count && status == MICA_OK; first += batch) {
        size_t n = (size_t)(count - first < batch ? count - first : batch);
        memcpy(room, samples + (size_t)first * sample, n * sample * sizeof *room);
        status = mica_program_write(run->encode, run->many.network->input, room, in * sizeof *room);
        if (status == MICA_OK)
            status = mica_program_run(run->encode);
        if (status == MICA_OK)
            status = mica_program_read(run->encode, layer->value, room + in, out * sizeof *room);
        if (status == MICA_OK)
            memcpy(codes + (size_t)first * code, room + in, n * code * sizeof *room);
    }
    free(room);
    return status;
}

mica_status mica_run_sample(
    mica_run *run, uint64_t seed, int64_t count, float *samples, size_t n_samples) {
    size_t sample = (size_t)mica_shape_count(run->info.sample);
    if (count < 1 || n_samples / sample != (size_t)count || n_samples % sample)
        return mica_fail(MICA_E_INVALID,
            "%lld samples have %zu numbers each, but room was given for %zu", (long long)count,
            sample, n_samples);
    const mica_network_layer *drawn = run->one.network->drawn;
    if (!drawn)
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s cannot make samples: it is no variational autoencoder (with a gaussian layer, and a "
            "loss with target: input)",
            run->recipe->name);
    if (!run->decoder)
        MICA_TRY(mica_decoder_create(run->recipe, drawn->name, run->one.model, &run->decoder));
    size_t numbers = (size_t)count * (size_t)mica_decoder_size(run->decoder);
    float *codes = mica_alloc(numbers, sizeof *codes);
    if (!codes)
        return MICA_E_MEMORY;
    mica_rng rng = {.seed = seed, .stream = MICA_SAMPLE_STREAM};
    for (size_t i = 0; i < numbers; i++)
        codes[i] = mica_rng_normal(&rng);
    mica_status status = mica_decoder_run(run->decoder, codes, count, samples);
    free(codes);
    float white;
    if (status == MICA_OK)
        mica_picture_restore(run->recipe, samples, (int64_t)n_samples, &white);
    return status;
}
