/* Pictures of training as SVG files: curves, confusion matrices, bars. Takes plain arrays and knows
 * no models. The pictures bring their own white ground, so that dark viewers show them as light
 * ones do. Texts are UTF-8. Files are replaced whole. */
#ifndef MICA_IO_SVG_H
#define MICA_IO_SVG_H

#include "base/text.h"

#include <locale.h>
#include <mica/status.h>
#include <stdint.h>

/* One line. Points that are not finite (or not above 0, on a logarithmic scale) leave a gap. */
typedef struct mica_series {
    const char *name;
    const double *x; /* rising; NULL: 1, 2, 3, ... */
    const double *y;
    size_t count;
} mica_series;

typedef struct mica_panel {
    const char *title;             /* NULL: none */
    const char *x_label, *y_label; /* NULL: none */
    bool log_y;                    /* logarithmic scale in whole decades */
    const mica_series *series;
    size_t series_count;
} mica_panel;

typedef struct mica_figure {
    const char *title;        /* NULL: none */
    const mica_panel *panels; /* side by side */
    size_t panel_count;
    bool share_y; /* one scale for all panels, for comparing; all or none are log_y */
} mica_figure;

mica_status mica_svg_curves(const char *path, const mica_figure *figure);

/* counts is (classes, classes): row the true class, column the predicted one. title NULL is
 * "Confusion matrix"; the accuracy is added to it. */
mica_status mica_svg_confusion(const char *path, const char *title, const int64_t *counts,
    int32_t classes, const char *const *names);

/* A bar, as long as its value against the longest of its group. */
typedef struct mica_bar {
    const char *name;
    double value; /* from 0 on; what is not finite has no bar */
    bool own;     /* stands out */
} mica_bar;

typedef struct mica_bar_group {
    const char *title;
    const mica_bar *bars;
    size_t count;
} mica_bar_group;

/* Groups of bars below each other, with their values. */
mica_status mica_svg_bars(
    const char *path, const char *title, const mica_bar_group *groups, size_t count);

/* For the files that draw. A document is begun, filled and ended; between these, numbers are
 * written as in C whatever the locale. */
typedef struct mica_svg {
    mica_text text;
    locale_t callers; /* put back at the end */
    locale_t plain;
} mica_svg;

mica_status mica_svg_begin(mica_svg *svg, double width, double height);
mica_status mica_svg_end(mica_svg *svg, const char *path); /* writes the file, frees the text */

/* Text as XML shows it: &, <, > and quotes escaped, what is no UTF-8 replaced. */
void mica_svg_escape(mica_svg *svg, const char *text);

/* A <text> element: anchor is "start", "middle" or "end", more further attributes or "". */
void mica_svg_label(mica_svg *svg, double x, double y, const char *anchor, double size,
    const char *more, const char *text);

/* The width in pixels that a text of that font size takes, roughly. */
double mica_svg_width(const char *text, double size);

#endif
