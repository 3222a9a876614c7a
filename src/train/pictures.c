#include "train/pictures.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/philox.h"
#include "graph/model.h"
#include "io/grid.h"
#include "train/decoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHOWN = 10,   /* samples beside their reconstructions */
    DRAWN = 10,   /* rows and columns of samples.png */
    PLANE = 16,   /* rows and columns of a walk on the plane */
    PATHS = 8,    /* rows of a walk between samples */
    STEPS = 12,   /* columns of it */
    FILTERS = 64, /* at most */
    FILTER_COLUMNS = 8,
    MISTAKE_COLUMNS = 8,
    TILE_SIDE = 512, /* pixels; larger samples are not shown */
};

/* ---- images ---- */

bool mica_picture_shape(mica_shape sample, mica_shape *picture) {
    int64_t side = sample.rank == 1 ? (int64_t)llround(sqrt((double)sample.dim[0])) : 0;
    if (sample.rank == 3 && (sample.dim[2] == 1 || sample.dim[2] == 3))
        *picture = sample;
    else if (sample.rank == 2)
        *picture = MICA_SHAPE(sample.dim[0], sample.dim[1], 1);
    else if (side > 1 && side * side == sample.dim[0])
        *picture = MICA_SHAPE(side, side, 1);
    else
        return false;
    return true;
}

void mica_picture_restore(const mica_recipe *recipe, float *numbers, int64_t count, float *white) {
    const mica_recipe_data *data = &recipe->data;
    *white = (float)(data->byte_scale * 255);
    for (int64_t i = 0; data->channels && i < count; i++)
        numbers[i] =
            numbers[i] * data->deviation[i % data->channels] + data->mean[i % data->channels];
    for (int64_t i = 0; recipe->preprocess.bgr && data->channels == 3 && i < count; i += 3) {
        float blue = numbers[i];
        numbers[i] = numbers[i + 2];
        numbers[i + 2] = blue;
    }
}

static mica_shape sample_shape(const mica_recipe *recipe) {
    return mica_shape_of(recipe->input_rank, recipe->input);
}

/* The image that a sample of the recipe is, if many of them fit into a picture. */
static bool tile_shape(const mica_recipe *recipe, mica_shape *tile) {
    return !recipe->data.ids && mica_picture_shape(sample_shape(recipe), tile) &&
           tile->dim[0] <= TILE_SIDE && tile->dim[1] <= TILE_SIDE;
}

/* Writes tiles of images of the data; the numbers are restored in place. */
static mica_status write_images(
    const mica_showing *showing, const char *name, mica_grid grid, float *pixels) {
    if (!grid.count)
        grid.count = grid.rows * grid.columns;
    mica_picture_restore(
        showing->recipe, pixels, grid.count * mica_shape_count(grid.tile), &grid.high);
    grid.pixels = pixels;
    char *path = mica_path_join(showing->folder, name);
    mica_status status = path ? mica_grid_write(path, &grid) : MICA_E_MEMORY;
    free(path);
    return status;
}

/* ---- mistakes ---- */

static mica_status draw_head_mistakes(const mica_showing *showing, const char *head,
    const mica_mistake *mistakes, size_t count, mica_shape tile) {
    const mica_dataset_info *data = mica_dataset_get_info(showing->set);
    int64_t size = mica_shape_count(tile);
    float *pixels = mica_alloc(count * (size_t)size, sizeof *pixels);
    char **captions = mica_alloc(count, sizeof *captions);
    char *name = *head ? mica_format("mistakes-%s.png", head) : mica_strdup("mistakes.png");
    char *title = mica_format(
        "The gravest mistakes, %s set: the class, and what was seen", showing->set_name);
    mica_status status = pixels && captions && name && title ? MICA_OK : MICA_E_MEMORY;
    for (size_t i = 0; i < count && status == MICA_OK; i++) {
        captions[i] = mica_format("%s\n%s", data->class_names[mistakes[i].label],
            mistakes[i].taken < data->classes ? data->class_names[mistakes[i].taken] : "?");
        float *tile_pixels = pixels + (int64_t)i * size;
        status = captions[i]
                     ? mica_dataset_sample(showing->set, mistakes[i].sample, tile_pixels, NULL)
                     : MICA_E_MEMORY;
        if (status != MICA_OK && status != MICA_E_MEMORY) { /* lost meanwhile: its place is grey */
            memset(tile_pixels, 0, (size_t)size * sizeof *tile_pixels);
            status = MICA_OK;
        }
    }
    if (status == MICA_OK)
        status = write_images(showing, name,
            (mica_grid){.title = title,
                .rows = (int64_t)(count + MISTAKE_COLUMNS - 1) / MISTAKE_COLUMNS,
                .columns = MISTAKE_COLUMNS,
                .count = (int64_t)count,
                .tile = tile,
                .captions = (const char *const *)captions},
            pixels);
    for (size_t i = 0; i < count && captions; i++)
        free(captions[i]);
    free(captions);
    free(pixels);
    free(name);
    free(title);
    return status;
}

mica_status mica_draw_mistakes(const mica_showing *showing, const mica_evaluator *evaluator) {
    mica_shape tile;
    if (!tile_shape(showing->recipe, &tile))
        return MICA_OK;
    for (size_t i = 0; i < showing->network->n_heads; i++) {
        size_t count;
        const mica_mistake *mistakes = mica_evaluator_mistakes(evaluator, i, &count);
        if (count)
            MICA_TRY(draw_head_mistakes(
                showing, showing->network->heads[i].name, mistakes, count, tile));
    }
    return MICA_OK;
}

/* ---- filters ---- */

/* Tiles of one filter each, from weights (height, width, channels, filters) or (pixels, units), in
 * both of which the filter is the last dimension. Each is stretched so that its largest number is
 * white or black; 0 is grey. */
static mica_status draw_weights(
    const mica_showing *showing, const float *weights, int64_t filters, mica_shape tile) {
    int64_t size = mica_shape_count(tile), count = filters < FILTERS ? filters : FILTERS;
    int64_t columns = count < FILTER_COLUMNS ? count : FILTER_COLUMNS;
    float *pixels = mica_alloc((size_t)(count * size), sizeof *pixels);
    char *path = mica_path_join(showing->folder, "filters.png");
    mica_status status = pixels && path ? MICA_OK : MICA_E_MEMORY;
    for (int64_t f = 0; f < count && status == MICA_OK; f++) {
        float largest = 0;
        for (int64_t i = 0; i < size; i++)
            largest = fmaxf(largest, fabsf(weights[i * filters + f]));
        for (int64_t i = 0; i < size; i++)
            pixels[f * size + i] = largest > 0 ? weights[i * filters + f] / largest : 0;
    }
    if (status == MICA_OK)
        status = mica_grid_write(path, &(mica_grid){.title = "Filters of the first layer",
                                           .rows = (count + columns - 1) / columns,
                                           .columns = columns,
                                           .count = count,
                                           .tile = tile,
                                           .pixels = pixels,
                                           .low = -1,
                                           .high = 1,
                                           .side = 48});
    free(pixels);
    free(path);
    return status;
}

static mica_status draw_filters(const mica_showing *showing) {
    mica_value *first = NULL; /* weights; biases and scales have one dimension */
    for (size_t i = 0; i < mica_model_count(showing->model) && !first; i++) {
        mica_value *parameter = mica_model_parameter(showing->model, i);
        first = mica_value_shape(parameter).rank > 1 ? parameter : NULL;
    }
    if (!first)
        return MICA_OK;
    mica_shape tile, shape = mica_value_shape(first);
    if (shape.rank == 4 && (shape.dim[2] == 1 || shape.dim[2] == 3) &&
        shape.dim[0] * shape.dim[1] > 1 && shape.dim[0] <= TILE_SIDE && shape.dim[1] <= TILE_SIDE)
        tile = mica_shape_of(3, shape.dim);
    else if (shape.rank != 2 || !tile_shape(showing->recipe, &tile) ||
             shape.dim[0] != mica_shape_count(tile))
        return MICA_OK;
    size_t count = (size_t)mica_shape_count(shape);
    float *weights = mica_alloc(count, sizeof *weights);
    if (!weights)
        return MICA_E_MEMORY;
    mica_status status = mica_model_read(showing->model, first, weights, count);
    if (status == MICA_OK)
        status = draw_weights(showing, weights, shape.dim[shape.rank - 1], tile);
    free(weights);
    return status;
}

/* ---- autoencoders ---- */

/* The layer where the decoder begins. Where codes are drawn from distributions, it is there. */
static const mica_network_layer *decoder_start(const mica_network *network) {
    return network->drawn ? network->drawn : network->code;
}

/* The first samples of the set, and what the network made of them. */
typedef struct view {
    int64_t count;          /* samples that there are, at most SHOWN */
    int64_t rows;           /* of images: input, noisy input, reconstructions */
    char *names[2 + 16];    /* of the rows; there are at most 16 losses */
    mica_value *values[18]; /* of the rows; the first is the input */
    float *pixels;          /* (rows, count, sample...) */
    float *codes;           /* (count, code...) */
} view;

static void view_clear(view *v) {
    for (int64_t i = 0; i < v->rows; i++)
        free(v->names[i]);
    free(v->pixels);
    free(v->codes);
}

static mica_status view_row(view *v, const char *name, mica_value *value) {
    v->values[v->rows] = value;
    v->names[v->rows] = mica_strdup(name);
    return v->names[v->rows++] ? MICA_OK : MICA_E_MEMORY;
}

/* Copies the first samples of a batch that a value of the program holds. */
static mica_status view_read(
    const view *v, mica_program *program, const mica_value *value, float *numbers) {
    mica_shape shape = mica_value_shape(value);
    size_t count = (size_t)mica_shape_count(shape);
    float *batch = mica_alloc(count, sizeof *batch);
    if (!batch)
        return MICA_E_MEMORY;
    mica_status status = mica_program_read(program, value, batch, count * sizeof *batch);
    if (status == MICA_OK)
        memcpy(numbers, batch, (size_t)v->count * (count / (size_t)shape.dim[0]) * sizeof *batch);
    free(batch);
    return status;
}

static mica_status view_run(
    const mica_showing *showing, view *v, mica_program *program, const mica_batch *batch) {
    int64_t sample = mica_shape_count(sample_shape(showing->recipe));
    const mica_network_layer *start = decoder_start(showing->network);
    v->pixels = mica_alloc((size_t)(v->rows * v->count * sample), sizeof *v->pixels);
    v->codes =
        mica_alloc((size_t)(v->count * mica_shape_count(start->output) / start->output.dim[0]),
            sizeof *v->codes);
    if (!v->pixels || !v->codes)
        return MICA_E_MEMORY;
    MICA_TRY(mica_network_write(showing->network, program, batch));
    mica_model_set_step(showing->model, 0, mica_model_seed(showing->model));
    MICA_TRY(mica_program_run(program));
    memcpy(v->pixels, batch->features, (size_t)(v->count * sample) * sizeof *v->pixels);
    for (int64_t row = 1; row < v->rows; row++)
        MICA_TRY(view_read(v, program, v->values[row], v->pixels + row * v->count * sample));
    return view_read(v, program, start->value, v->codes);
}

static mica_status view_make(const mica_showing *showing, view *v) {
    const mica_network *network = showing->network;
    mica_loader *loader = NULL;
    mica_program *program = NULL;
    mica_batch batch;
    MICA_TRY(view_row(v, "input", network->input));
    if (network->noisy)
        MICA_TRY(view_row(v, "with noise", network->noisy));
    for (size_t i = 0; i < network->n_heads; i++) {
        const mica_network_head *head = &network->heads[i];
        if (head->reconstruction)
            MICA_TRY(view_row(v, *head->name ? head->name : "output", head->reconstruction));
    }
    mica_value *outputs[18] = {decoder_start(network)->value};
    memcpy(outputs + 1, v->values + 1, (size_t)(v->rows - 1) * sizeof *outputs);
    MICA_TRY(mica_loader_create(showing->set,
        &(mica_loader_options){.batch = mica_value_shape(network->input).dim[0], .replace = true},
        &loader));
    mica_status status = mica_loader_next(loader, &batch);
    if (status == MICA_OK)
        status = mica_program_create(showing->model,
            &(mica_program_options){.outputs = outputs, .n_outputs = (size_t)v->rows}, &program);
    if (status == MICA_OK) {
        v->count = batch.valid < SHOWN ? batch.valid : SHOWN;
        uint64_t step = mica_model_step(showing->model);
        status = view_run(showing, v, program, &batch);
        mica_model_set_step(showing->model, step, mica_model_seed(showing->model));
    }
    mica_program_destroy(&program);
    mica_loader_destroy(&loader);
    return status;
}

static mica_status draw_reconstructions(
    const mica_showing *showing, const view *v, mica_shape tile) {
    char *title = mica_format("Reconstructions, %s set", showing->set_name);
    if (!title)
        return MICA_E_MEMORY;
    mica_status status = write_images(showing, "reconstructions.png",
        (mica_grid){.title = title,
            .rows = v->rows,
            .columns = v->count,
            .tile = tile,
            .side = 112,
            .row_names = (const char *const *)v->names},
        v->pixels);
    free(title);
    return status;
}

/* Where the normal distribution has `share` of its mass below, 0 < share < 1. */
static double normal_quantile(double share) {
    double low = -9, high = 9;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        *(0.5 * erfc(-middle / sqrt(2)) < share ? &low : &high) = middle;
    }
    return low;
}

/* Decodes codes to a picture of rows x columns. */
static mica_status draw_decoded(const mica_showing *showing, mica_decoder *decoder,
    const char *name, const char *title, const float *codes, int64_t rows, int64_t columns,
    mica_shape tile) {
    float *pixels = mica_alloc((size_t)(rows * columns * mica_shape_count(tile)), sizeof *pixels);
    mica_status status =
        pixels ? mica_decoder_run(decoder, codes, rows * columns, pixels) : MICA_E_MEMORY;
    if (status == MICA_OK)
        status = write_images(showing, name,
            (mica_grid){.title = title, .rows = rows, .columns = columns, .tile = tile}, pixels);
    free(pixels);
    return status;
}

/* Equal steps of probability along both axes of a plane. */
static void plane_codes(float *codes) {
    for (int row = 0; row < PLANE; row++)
        for (int column = 0; column < PLANE; column++) {
            *codes++ = (float)normal_quantile((column + 0.5) / PLANE);
            *codes++ = (float)normal_quantile((PLANE - row - 0.5) / PLANE);
        }
}

/* Straight lines from each sample's code to the next one's. */
static void path_codes(const view *v, int64_t paths, int64_t size, float *codes) {
    for (int64_t path = 0; path < paths; path++)
        for (int step = 0; step < STEPS; step++)
            for (int64_t k = 0; k < size; k++) {
                float from = v->codes[path * size + k];
                float to = v->codes[(path + 1) % v->count * size + k];
                *codes++ = from + (to - from) * (float)step / (STEPS - 1);
            }
}

static mica_status draw_walk(
    const mica_showing *showing, mica_decoder *decoder, const view *v, mica_shape tile) {
    int64_t size = mica_decoder_size(decoder);
    bool plane = showing->network->drawn && size == 2;
    int64_t paths = v->count < PATHS ? v->count : PATHS;
    int64_t rows = plane ? PLANE : paths, columns = plane ? PLANE : STEPS;
    float *codes = mica_alloc((size_t)(rows * columns * size), sizeof *codes);
    if (!codes)
        return MICA_E_MEMORY;
    if (plane)
        plane_codes(codes);
    else
        path_codes(v, paths, size, codes);
    mica_status status = draw_decoded(showing, decoder, "walk.png",
        plane ? "The plane of codes, in equal steps of probability"
              : "On straight lines from code to code",
        codes, rows, columns, tile);
    free(codes);
    return status;
}

static mica_status draw_samples(
    const mica_showing *showing, mica_decoder *decoder, mica_shape tile) {
    size_t count = DRAWN * DRAWN * (size_t)mica_decoder_size(decoder);
    float *codes = mica_alloc(count, sizeof *codes);
    if (!codes)
        return MICA_E_MEMORY;
    mica_rng rng = {.seed = showing->recipe->seed, .stream = MICA_SAMPLE_STREAM};
    for (size_t i = 0; i < count; i++)
        codes[i] = mica_rng_normal(&rng);
    mica_status status = draw_decoded(
        showing, decoder, "samples.png", "Drawn from the unit normal", codes, DRAWN, DRAWN, tile);
    free(codes);
    return status;
}

/* Where the code is not all that the reconstruction comes from, there is nothing to walk on. */
static mica_status draw_codes(const mica_showing *showing, const view *v, mica_shape tile) {
    const mica_network *network = showing->network;
    mica_decoder *decoder = NULL;
    mica_status status = mica_decoder_create(
        showing->recipe, decoder_start(network)->name, showing->model, &decoder);
    if (status == MICA_E_UNSUPPORTED || status == MICA_E_INVALID)
        return MICA_OK;
    MICA_TRY(status);
    status = draw_walk(showing, decoder, v, tile);
    if (status == MICA_OK && network->drawn)
        status = draw_samples(showing, decoder, tile);
    mica_decoder_destroy(&decoder);
    return status;
}

mica_status mica_draw_pictures(const mica_showing *showing) {
    mica_shape tile;
    MICA_TRY(draw_filters(showing));
    MICA_TRY(mica_draw_forecast(showing));
    if (!showing->network->code || !tile_shape(showing->recipe, &tile))
        return MICA_OK;
    view v = {0};
    mica_status status = view_make(showing, &v);
    if (status == MICA_OK)
        status = draw_reconstructions(showing, &v, tile);
    if (status == MICA_OK)
        status = draw_codes(showing, &v, tile);
    view_clear(&v);
    return status;
}
