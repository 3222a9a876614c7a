#include "train/draw.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "io/grid.h"
#include "io/svg.h"

#include <stdlib.h>
#include <string.h>

#define NORM "gradient_norm/"

static bool begins(const char *text, const char *with) {
    return !strncmp(text, with, strlen(with));
}

static bool ends(const char *text, const char *with) {
    size_t n = strlen(text), m = strlen(with);
    return n >= m && !strcmp(text + n - m, with);
}

/* What is drawn of a table: its columns, each as an array. */
typedef struct drawing {
    const mica_metrics *metrics;
    mica_series *series; /* room for every column */
    size_t used;
    double *values; /* (columns, rows) */
} drawing;

static mica_status drawing_begin(const mica_metrics *metrics, drawing *d) {
    size_t columns = metrics->n_columns, rows = metrics->n_rows;
    *d = (drawing){.metrics = metrics,
        .series = mica_alloc(columns, sizeof *d->series),
        .values = mica_alloc(columns * rows, sizeof *d->values)};
    if (!d->series || !d->values) {
        free(d->series);
        free(d->values);
        return MICA_E_MEMORY;
    }
    for (size_t j = 0; j < columns; j++)
        for (size_t i = 0; i < rows; i++)
            d->values[j * rows + i] = metrics->values[i * columns + j];
    return MICA_OK;
}

/* Adds a column to the panel, whose series are the last ones. */
static void drawing_add(drawing *d, mica_panel *panel, size_t column, const char *name) {
    mica_series *series = &d->series[d->used++];
    size_t rows = d->metrics->n_rows;
    *series = (mica_series){.name = name, .y = d->values + column * rows, .count = rows};
    if (!panel->series_count++)
        panel->series = series;
}

static mica_status drawing_end(
    drawing *d, const mica_figure *figure, const char *folder, const char *name) {
    char *path = mica_path_join(folder, name);
    mica_status status = path ? mica_svg_curves(path, figure) : MICA_E_MEMORY;
    free(path);
    free(d->series);
    free(d->values);
    return status;
}

/* A panel for the losses and one for each measure that there is. */
static mica_status draw_curves(const mica_metrics *metrics, const char *title, const char *folder) {
    static const struct {
        const char *title, *tail;
    } kinds[] = {
        {"Loss", "_loss"},
        {"Accuracy", "_accuracy"},
        {"Perplexity", "_perplexity"},
        {"Root mean squared error", "_rmse"},
        {"Reconstruction error", "_reconstruction_error"},
        {"Checkerboard", "_checkerboard"},
        {"Border", "_border"},
    };
    enum { KINDS = sizeof kinds / sizeof *kinds };
    drawing d;
    MICA_TRY(drawing_begin(metrics, &d));
    mica_panel panels[KINDS];
    size_t used = 0;
    for (size_t k = 0; k < KINDS; k++) {
        mica_panel *panel = &panels[used];
        *panel = (mica_panel){.title = kinds[k].title, .x_label = "epoch"};
        for (size_t j = 0; j < metrics->n_columns; j++)
            if (ends(metrics->names[j], kinds[k].tail))
                drawing_add(&d, panel, j, metrics->names[j]);
        used += panel->series_count > 0;
    }
    mica_figure figure = {.title = title, .panels = panels, .panel_count = used};
    return drawing_end(&d, &figure, folder, "curves.svg");
}

/* The head whose layer a column is of, by its name; n_heads if there is none. */
static size_t head_of(const mica_network *network, const char *column) {
    size_t i = 0;
    while (i < network->n_heads && !begins(column + strlen(NORM), network->heads[i].name))
        i++;
    return i;
}

static mica_status draw_gradients(const mica_metrics *metrics, const mica_network *network,
    const char *title, const char *folder) {
    bool apart = network->n_heads > 1, any = false;
    for (size_t j = 0; j < metrics->n_columns; j++)
        if (begins(metrics->names[j], NORM)) {
            any = true;
            apart &= head_of(network, metrics->names[j]) < network->n_heads;
        }
    if (!any)
        return MICA_OK;
    size_t n = apart ? network->n_heads : 1;
    mica_panel *panels = mica_alloc(n, sizeof *panels);
    drawing d;
    mica_status status = panels ? drawing_begin(metrics, &d) : MICA_E_MEMORY;
    if (status == MICA_OK) {
        for (size_t i = 0; i < n; i++) {
            panels[i] = (mica_panel){.title = apart ? network->heads[i].name : NULL,
                .x_label = "epoch",
                .y_label = "gradient norm",
                .log_y = true};
            for (size_t j = 0; j < metrics->n_columns; j++)
                if (begins(metrics->names[j], NORM) &&
                    (!apart || head_of(network, metrics->names[j]) == i))
                    drawing_add(&d, &panels[i], j, metrics->names[j] + strlen(NORM));
        }
        mica_figure figure = {.title = title, .panels = panels, .panel_count = n, .share_y = true};
        status = drawing_end(&d, &figure, folder, "gradients.svg");
    }
    free(panels);
    return status;
}

mica_status mica_draw_metrics(const mica_metrics *metrics, const mica_network *network,
    const char *title, const char *folder) {
    MICA_TRY(draw_curves(metrics, title, folder));
    return draw_gradients(metrics, network, title, folder);
}

/* <folder>/<stem>.<extension>, with several heads <stem>-<head>; free(). */
static char *head_path(
    const char *folder, const char *stem, const char *head, const char *extension) {
    return mica_format("%s/%s%s%s.%s", folder, stem, *head ? "-" : "", head, extension);
}

mica_status mica_draw_confusion(const mica_evaluation *heads, size_t n_heads,
    const mica_dataset_info *data, const char *set, const char *folder) {
    for (size_t i = 0; i < n_heads; i++) {
        const char *head = heads[i].head;
        if (!heads[i].confusion || heads[i].classes != data->classes)
            continue; /* no classifier, too many classes, or some that have no name */
        char *svg = head_path(folder, "confusion", head, "svg");
        char *png = head_path(folder, "confusion", head, "png");
        char *title = mica_format("Confusion matrix, %s set%s%s", set, *head ? ": " : "", head);
        mica_status status = svg && png && title ? MICA_OK : MICA_E_MEMORY;
        if (status == MICA_OK)
            status = mica_svg_confusion(
                svg, title, heads[i].confusion, data->classes, data->class_names);
        if (status == MICA_OK)
            status = mica_png_confusion(
                png, title, heads[i].confusion, data->classes, data->class_names);
        free(svg);
        free(png);
        free(title);
        MICA_TRY(status);
    }
    return MICA_OK;
}
