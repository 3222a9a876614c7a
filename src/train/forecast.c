/* forecast.svg: a time series beside what the network foretold of it. */
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "io/svg.h"
#include "train/pictures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { PANELS = 4, TITLE = 128 };

/* Everything by time, the steps of the set from 0, and column; NaN where there is nothing. */
typedef struct forecast {
    int64_t samples, steps, window, horizon, columns;
    double *truth, *near, *far; /* far: foretold `horizon` steps ahead, near: one */
    double (*squares)[2];       /* by column, of the errors of near and of the value before */
    mica_series *series;
    double *time;
} forecast;

static void forecast_clear(forecast *f) {
    free(f->truth);
    free(f->series);
    free(f->squares);
}

static mica_status forecast_create(const mica_showing *showing, forecast *f) {
    const mica_dataset_info *info = mica_dataset_get_info(showing->set);
    *f = (forecast){.samples = info->count,
        .window = info->sample.dim[0],
        .horizon = info->target.dim[0],
        .columns = info->target.dim[1]};
    f->steps = f->samples + f->horizon - 1;
    const size_t count = (size_t)(f->steps * f->columns);
    f->truth = mica_alloc(3 * count + (size_t)f->steps, sizeof *f->truth);
    f->series = mica_alloc(3 * PANELS, sizeof *f->series);
    f->squares = mica_alloc((size_t)f->columns, sizeof *f->squares);
    if (!f->truth || !f->series || !f->squares)
        return MICA_E_MEMORY;
    f->near = f->truth + count;
    f->far = f->near + count;
    f->time = f->far + count;
    for (size_t i = 0; i < 3 * count; i++)
        f->truth[i] = NAN;
    for (int64_t i = 0; i < f->steps; i++)
        f->time[i] = (double)i;
    return MICA_OK;
}

/* Takes in one sample: its window, what followed and what was foretold. */
static void sample_add(forecast *f, const mica_dataset_info *info, int64_t sample,
    const float *window, const float *target, const float *foretold) {
    for (int64_t c = 0; c < f->columns; c++) {
        const double mean = (double)info->mean[c], unit = (double)info->deviation[c];
        const double before = (double)window[(f->window - 1) * f->columns + c];
        for (int64_t h = 0; h < f->horizon; h++)
            f->truth[c * f->steps + sample + h] = (double)target[h * f->columns + c] * unit + mean;
        const int64_t last = (f->horizon - 1) * f->columns + c;
        f->near[c * f->steps + sample] = (double)foretold[c] * unit + mean;
        f->far[c * f->steps + sample + f->horizon - 1] = (double)foretold[last] * unit + mean;
        const double error = ((double)foretold[c] - (double)target[c]) * unit;
        const double repeated = (before - (double)target[c]) * unit;
        f->squares[c][0] += error * error;
        f->squares[c][1] += repeated * repeated;
    }
}

static mica_status foretell(const mica_showing *showing, mica_program *program, mica_loader *loader,
    float *room, forecast *f) {
    const mica_dataset_info *info = mica_dataset_get_info(showing->set);
    mica_value *number = showing->network->heads[0].number;
    const int64_t window = f->window * f->columns, target = f->horizon * f->columns;
    const size_t size = (size_t)mica_shape_count(mica_value_shape(number)) * sizeof *room;
    const int64_t batches = mica_loader_batches(loader);
    MICA_TRY(mica_model_reset(showing->model));
    for (int64_t b = 0, sample = 0; b < batches; b++) {
        mica_batch batch;
        MICA_TRY(mica_loader_next(loader, &batch));
        MICA_TRY(mica_network_write(showing->network, program, &batch));
        MICA_TRY(mica_program_run(program));
        MICA_TRY(mica_program_read(program, number, room, size));
        for (int64_t i = 0; i < batch.valid; i++, sample++)
            sample_add(f, info, sample, batch.features + i * window, batch.targets + i * target,
                room + i * target);
    }
    return MICA_OK;
}

static mica_status forecast_run(const mica_showing *showing, forecast *f) {
    const mica_network_head *head = &showing->network->heads[0];
    mica_value *outputs[] = {head->number, head->sample_loss}; /* the loss has the target's input */
    const mica_shape shape = mica_value_shape(head->number);
    float *room = mica_alloc((size_t)mica_shape_count(shape), sizeof *room);
    mica_program *program = NULL;
    mica_loader *loader = NULL;
    mica_status status =
        room ? mica_program_create(showing->model,
                   &(mica_program_options){.outputs = outputs, .n_outputs = 2}, &program)
             : MICA_E_MEMORY;
    if (status == MICA_OK)
        status = mica_loader_create(
            showing->set, &(mica_loader_options){.batch = shape.dim[0]}, &loader);
    if (status == MICA_OK)
        status = foretell(showing, program, loader, room, f);
    mica_loader_destroy(&loader);
    mica_program_destroy(&program);
    free(room);
    return status;
}

/* "sunspots: one step ahead RMSE 19.4, the value before 30.5" */
static void panel_title(const mica_showing *showing, const forecast *f, size_t c, char *title) {
    const mica_texts *names = &showing->recipe->data.columns;
    char number[32];
    snprintf(number, sizeof number, "column %zu", c + 1);
    snprintf(title, TITLE, "%.40s: one step ahead RMSE %.3g, the value before %.3g",
        c < names->count ? names->item[c] : number, sqrt(f->squares[c][0] / (double)f->samples),
        sqrt(f->squares[c][1] / (double)f->samples));
}

static mica_status draw(const mica_showing *showing, forecast *f) {
    mica_panel panels[PANELS];
    char titles[PANELS][TITLE], far[64];
    const size_t used = f->columns < PANELS ? (size_t)f->columns : PANELS;
    snprintf(far, sizeof far, "%lld steps ahead", (long long)f->horizon);
    for (size_t c = 0; c < used; c++) {
        mica_series *series = f->series + 3 * c;
        const size_t at = c * (size_t)f->steps, steps = (size_t)f->steps;
        series[0] = (mica_series){"what came", f->time, f->truth + at, steps};
        series[1] = (mica_series){"foretold one step ahead", f->time, f->near + at, steps};
        series[2] = (mica_series){far, f->time, f->far + at, steps};
        panel_title(showing, f, c, titles[c]);
        panels[c] = (mica_panel){.title = titles[c],
            .x_label = "step",
            .series = series,
            .series_count = f->horizon > 1 ? 3 : 2};
    }
    char *title = mica_format("%s: the %s set", showing->recipe->name, showing->set_name);
    char *path = mica_path_join(showing->folder, "forecast.svg");
    mica_status status = MICA_E_MEMORY;
    if (title && path)
        status = mica_svg_curves(
            path, &(mica_figure){.title = title, .panels = panels, .panel_count = used});
    free(path);
    free(title);
    return status;
}

mica_status mica_draw_forecast(const mica_showing *showing) {
    const mica_dataset_info *info = mica_dataset_get_info(showing->set);
    if (!showing->network->heads[0].number || info->target.rank != 2 || !info->mean)
        return MICA_OK;
    forecast f = {0};
    mica_status status = forecast_create(showing, &f);
    if (status == MICA_OK)
        status = forecast_run(showing, &f);
    if (status == MICA_OK)
        status = draw(showing, &f);
    forecast_clear(&f);
    return status;
}
